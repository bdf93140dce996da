//! `/login/continue`: a login that waits for a step. What the steps are, and which comes next, is decided in
//! hufu-app; a page is one stage of that.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use hufu_app::{
    AccountName, FillIn, FlowAction, FlowAnswer, FlowStep, FlowView, MergePreview, Refusal, StepRefused,
    Target,
};
use hufu_types::flow::Stage;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    Agreement, BindMethod, CustomFieldType, Gender, PasscodeChannel, PasscodePurpose, PoolSettings, UserId,
};
use hufu_web::oidc::outcome;
use hufu_web::page::{Page, Submitted, View, Viewer, refused_page};
use hufu_web::request::Query;
use hufu_web::server::Routes;
use hufu_web::surface;
use secrecy::SecretString;
use serde_json::Value;

use super::common::{Banner, Caller, Frame, Person, Said, Visit, Words, in_frame, show};
use super::fields::{self, Input};
use super::login::{Tab, missing};

pub(super) fn routes() -> Routes {
    Routes::new().route("/login/continue", get(open).post(submit))
}

/// The page of a stage.
#[derive(Template)]
#[template(path = "hosted/continue.html")]
struct GoOnPage {
    view: View,
    frame: Frame,
    title: String,
    lead: String,
    banner: Option<Banner>,
    /// The handle for the next step.
    handle: String,
    keeps: bool,
    /// What the enter key presses.
    enter: Option<&'static str>,
    step: Step,
}

/// What the person does at a stage.
enum Step {
    /// Binds an account, or creates one.
    Associate { tabs: Vec<Tab>, method: Option<BindMethod>, inputs: Vec<Input>, may_create: bool },
    /// Chooses an account.
    Select { people: Vec<Person>, merge: Option<String> },
    /// Confirms a merge.
    Merge(Box<Merge>),
    /// Fills in fields.
    Fill { inputs: Vec<Input>, submit: String },
    /// Accepts agreements.
    Agree(Vec<Agreement>),
}

/// What a merge would do.
struct Merge {
    survivor: Person,
    merged: Person,
    moves: Vec<String>,
    collides: Vec<String>,
    /// The same with the other account kept.
    swap: String,
    back: String,
}

in_frame!(GoOnPage);

/// The login is over, and begins anew.
#[derive(Template)]
#[template(path = "hosted/ended.html")]
struct EndedPage {
    view: View,
    frame: Frame,
    title: String,
    sentence: String,
    again: String,
}

impl Page for EndedPage {
    fn view(&self) -> &View {
        &self.view
    }
}

async fn open(viewer: Viewer, caller: Caller, Query(words): Query<Words>) -> Response {
    let visit = match Visit::begin(caller, &viewer, &words) {
        Ok(visit) => visit,
        Err(refusal) => return refused_page(&refusal, &viewer),
    };
    let at = At { visit: &visit, words: &words };
    match at.viewed().await {
        Ok(view) => match words.get("merge") {
            Some(survivor) => at.preview(view, survivor).await,
            None => at.page(&view, Said::default()),
        },
        Err(refused) => at.refused(refused),
    }
}

async fn submit(caller: Caller, Submitted { viewer, form: words }: Submitted<Words>) -> Response {
    let visit = match Visit::begin(caller, &viewer, &words) {
        Ok(visit) => visit,
        Err(refusal) => return refused_page(&refusal, &viewer),
    };
    let at = At { visit: &visit, words: &words };
    let view = match at.viewed().await {
        Ok(view) => view,
        Err(refused) => return at.refused(refused),
    };
    match at.wanted(&view) {
        Ok(Wanted::Step(action)) => at.step(action, &view).await,
        Ok(Wanted::Code(target, purpose)) => at.send_code(view, target, purpose).await,
        Ok(Wanted::Preview(survivor)) => at.preview(view, &survivor).await,
        Ok(Wanted::Fields) => at.page(&view, Said::default()),
        Err(refusal) => at.refused(StepRefused { refusal, waiting: Some(Box::new(view)) }),
    }
}

/// What a form wants.
enum Wanted {
    Step(FlowAction),
    /// A code for this.
    Code(Target, PasscodePurpose),
    /// To know what a merge into this account does.
    Preview(String),
    /// The fields of a way to bind an account.
    Fields,
}

/// A login that waits, in a visit.
#[derive(Clone, Copy)]
struct At<'v> {
    visit: &'v Visit,
    words: &'v Words,
}

impl At<'_> {
    fn keeps(self) -> bool {
        self.visit.keeps(self.words)
    }

    async fn take(self, handle: &str, action: FlowAction) -> Result<FlowAnswer, StepRefused> {
        let Visit { origin, .. } = self.visit;
        let step = FlowStep {
            application: self.visit.application(),
            handle,
            cookie: origin.browser.clone(),
            action,
            origin: origin.clone(),
        };
        self.visit.app().continue_flow(step).await
    }

    async fn viewed(self) -> Result<FlowView, StepRefused> {
        let handle = self.words.raw("flow").unwrap_or_default();
        match self.take(handle, FlowAction::View).await? {
            FlowAnswer::Viewed(view) => Ok(*view),
            _ => Err(Refusal::new(Code::FlowUnknown).into()),
        }
    }

    async fn step(self, action: FlowAction, before: &FlowView) -> Response {
        let keeps = self.keeps();
        let answered = match self.take(&before.handle, action).await {
            Ok(FlowAnswer::Login(answer)) => self.visit.answer(answer, keeps).await,
            Ok(FlowAnswer::Viewed(view)) => return self.page(&view, Said::default()),
            Ok(FlowAnswer::Preview(_)) => Err(Code::StepImpossible.into()),
            Ok(FlowAnswer::GivenUp) if self.visit.is_own() => {
                Ok(outcome::redirect(&self.visit.address("/login", &[])))
            }
            // The code is still good, if the person wants to begin anew.
            Ok(FlowAnswer::GivenUp) if self.visit.is_for_device() => Ok(outcome::redirect("/device")),
            Ok(FlowAnswer::GivenUp) => {
                let Visit { shared, viewer, open, .. } = self.visit;
                outcome::next(shared, viewer, open, shared.app.deny(open))
            }
            // Some of it is there now. What was not asked yet comes next.
            Err(StepRefused { refusal, waiting: Some(view) })
                if refusal.is(Code::StillMissing) && view.missing.len() < before.missing.len() =>
            {
                return self.page(&view, Said::default());
            }
            Err(refused) => return self.refused(refused),
        };
        answered.unwrap_or_else(|refusal| refused_page(&refusal, &self.visit.viewer))
    }

    async fn send_code(self, view: FlowView, target: Target, purpose: PasscodePurpose) -> Response {
        let to = target.as_str().to_owned();
        let Visit { origin, viewer, .. } = self.visit;
        let application = self.visit.application();
        match self.visit.app().send_code(application, target, purpose, viewer.language(), origin).await {
            Ok(()) => self.page(&view, self.visit.sent("code-sent", &to)),
            Err(refusal) => self.refused(StepRefused { refusal, waiting: Some(Box::new(view)) }),
        }
    }

    async fn preview(self, view: FlowView, survivor: &str) -> Response {
        let Ok(user) = UserId::parse(survivor) else {
            let refusal = Code::NotACandidate.into();
            return self.refused(StepRefused { refusal, waiting: Some(Box::new(view)) });
        };
        match self.take(&view.handle, FlowAction::Preview(user)).await {
            Ok(FlowAnswer::Preview(preview)) => self.merge_page(&view, &preview),
            Ok(_) => self.page(&view, Said::default()),
            Err(refused) => self.refused(refused),
        }
    }

    /// The page of a refusal: the same stage again, or that the login has ended.
    fn refused(self, StepRefused { refusal, waiting }: StepRefused) -> Response {
        if refusal.code().is_internal() {
            return refused_page(&refusal, &self.visit.viewer);
        }
        if let Some(view) = waiting {
            let inputs = self.inputs(&view, false);
            let said = self.visit.refused(&refusal, &fields::names(&inputs));
            let has_sent = self.words.get("code").is_some();
            return self.page(&view, Said { has_sent, ..said });
        }
        surface::note(&refusal);
        let visit = self.visit;
        let advice = refusal.for_person(visit.language());
        let is_unknown = refusal.is(Code::FlowUnknown);
        let again = visit.address("/login", &[]);
        let page = EndedPage {
            view: visit.view(&again),
            frame: visit.frame(),
            title: if is_unknown { visit.text("ended-title") } else { advice.title },
            sentence: if is_unknown { visit.text("ended-text") } else { advice.sentence },
            again,
        };
        show(&page, surface::status_of(refusal.code()))
    }

    /// Which way to bind an account the page shows.
    fn method(self, view: &FlowView) -> Option<BindMethod> {
        let pressed = self.words.after("bind-").or_else(|| self.words.get("method"));
        let named = pressed.and_then(BindMethod::parse).filter(|method| view.methods.contains(method));
        named.or_else(|| view.methods.first().copied())
    }

    /// The fields of a stage.
    fn inputs(self, view: &FlowView, has_sent: bool) -> Vec<Input> {
        let Self { visit, words } = self;
        match view.stage {
            Stage::Associate => match self.method(view) {
                None => Vec::new(),
                Some(BindMethod::PhoneCode) => fields::proof(visit, PasscodeChannel::Sms, words, has_sent),
                Some(BindMethod::EmailCode) => fields::proof(visit, PasscodeChannel::Email, words, has_sent),
                Some(BindMethod::UsernamePassword) => {
                    let label = visit.text("field-username");
                    vec![fields::line("account", label, "username", words), fields::password(visit)]
                }
                Some(BindMethod::PhonePassword) => vec![fields::phone(visit, words), fields::password(visit)],
                Some(BindMethod::EmailPassword) => vec![fields::email(visit, words), fields::password(visit)],
            },
            Stage::NewPassword => vec![fields::new_password(visit, true)],
            Stage::Complete => {
                let asked = view.missing.iter().filter(|name| is_asked(view, name));
                let inputs = asked.map(|name| match name.as_str() {
                    "phone" => fields::proof(visit, PasscodeChannel::Sms, words, has_sent),
                    "email" => fields::proof(visit, PasscodeChannel::Email, words, has_sent),
                    name => vec![fields::missing(visit, name, words)],
                });
                inputs.flatten().collect()
            }
            _ => Vec::new(),
        }
    }

    /// What the form wants at this stage.
    fn wanted(self, view: &FlowView) -> Result<Wanted, Refusal> {
        let Self { visit, words } = self;
        if words.has("cancel") {
            return Ok(Wanted::Step(FlowAction::GiveUp));
        }
        let action = match view.stage {
            Stage::Associate if words.has("create") => FlowAction::Create,
            Stage::Associate => return self.bind(view),
            Stage::Select => {
                let user = |id: &str| UserId::parse(id).map_err(|_| Refusal::new(Code::NotACandidate));
                match (words.after("choose-"), words.get("merge")) {
                    (Some(id), _) => FlowAction::Choose(user(id)?),
                    (None, Some(id)) if words.has("confirmed") => FlowAction::Merge(user(id)?),
                    (None, Some(id)) => return Ok(Wanted::Preview(id.to_owned())),
                    (None, None) => return Err(Code::NotACandidate.into()),
                }
            }
            Stage::NewPassword => {
                let password = words.raw("new-password").ok_or_else(|| missing("new-password"))?;
                FlowAction::SetPassword(SecretString::from(password.to_owned()))
            }
            Stage::Complete if words.sends_code() => {
                let channel = if view.missing.iter().any(|name| name == "phone") {
                    PasscodeChannel::Sms
                } else {
                    PasscodeChannel::Email
                };
                return Ok(Wanted::Code(
                    fields::read_target(visit, channel, words)?,
                    PasscodePurpose::Complete,
                ));
            }
            Stage::Complete => FlowAction::FillIn(fill_in(visit, view, words)?),
            Stage::Agree => FlowAction::Accept(words.all("agreement")),
            Stage::Identify | Stage::Done | Stage::Refused => return Err(Code::StepImpossible.into()),
        };
        Ok(Wanted::Step(action))
    }

    fn bind(self, view: &FlowView) -> Result<Wanted, Refusal> {
        let Self { visit, words } = self;
        let method = self.method(view).ok_or(Code::MethodNotPermitted)?;
        let inputs = self.inputs(view, false);
        let is_filled = fields::names(&inputs).into_iter().all(|name| words.raw(name).is_some());
        // The button of the method opens its fields. Once they are filled in, it submits them.
        if words.after("bind-").is_some() && !is_filled {
            return Ok(Wanted::Fields);
        }
        let channel = match method {
            BindMethod::PhoneCode => Some(PasscodeChannel::Sms),
            BindMethod::EmailCode => Some(PasscodeChannel::Email),
            _ => None,
        };
        if let Some(channel) = channel {
            let target = fields::read_target(visit, channel, words)?;
            if words.sends_code() {
                return Ok(Wanted::Code(target, PasscodePurpose::Bind));
            }
            let code = words.required("code")?.to_owned();
            return Ok(Wanted::Step(FlowAction::BindByCode(target, code)));
        }
        let account = match method {
            BindMethod::PhonePassword => AccountName::Phone(fields::read_phone(visit, words)?),
            BindMethod::EmailPassword => AccountName::Email(words.required("email")?.to_owned()),
            _ => AccountName::Username(words.required("account")?.to_owned()),
        };
        let password = words.raw("password").ok_or_else(|| missing("password"))?;
        let password = SecretString::from(password.to_owned());
        Ok(Wanted::Step(FlowAction::BindByPassword(account, password)))
    }

    fn page(self, view: &FlowView, said: Said) -> Response {
        let Self { visit, .. } = self;
        let inputs = self.inputs(view, said.has_sent);
        let inputs = fields::told(inputs, &said);
        let method = self.method(view);
        let [title, lead] = texts(view);
        let step = match view.stage {
            Stage::Associate => Step::Associate {
                tabs: view.methods.iter().map(|one| self.tab(view, *one, method)).collect(),
                method,
                inputs,
                may_create: view.may_create,
            },
            Stage::Select => {
                let people: Vec<_> =
                    view.accounts.iter().map(|user| visit.person(user.id.as_str(), user)).collect();
                let may_merge = view.may_merge && people.len() == 2;
                let merge = people.first().map(|person| person.id.clone()).filter(|_| may_merge);
                Step::Select { people, merge }
            }
            Stage::Agree => {
                let shown = view.agreements.iter();
                Step::Agree(shown.map(|agreement| agreement.in_language(visit.language())).collect())
            }
            Stage::NewPassword => Step::Fill { inputs, submit: visit.text("new-password-submit") },
            _ => Step::Fill { inputs, submit: visit.text("complete-submit") },
        };
        let Said { banner, status, .. } = said;
        self.show(view, (visit.text(title), visit.text(lead)), banner, step, status)
    }

    fn tab(self, view: &FlowView, one: BindMethod, current: Option<BindMethod>) -> Tab {
        Tab {
            connection: None,
            id: format!("bind-{}", one.as_str()),
            address: self.visit.flow_address(&view.handle, self.keeps(), &[("method", one.as_str())]),
            text: self.visit.text(match one {
                BindMethod::PhoneCode => "method-phone-code",
                BindMethod::EmailCode => "method-email-code",
                BindMethod::UsernamePassword => "bind-username-password",
                BindMethod::PhonePassword => "bind-phone-password",
                BindMethod::EmailPassword => "bind-email-password",
            }),
            is_current: Some(one) == current,
        }
    }

    fn merge_page(self, view: &FlowView, preview: &MergePreview) -> Response {
        let Self { visit, .. } = self;
        let (survivor, merged) = (&preview.survivor.0, &preview.merged.0);
        let labels = |names: &[String]| names.iter().map(|name| fields::label(visit, name)).collect();
        let step = Merge {
            survivor: visit.person(survivor.id.as_str(), survivor),
            merged: visit.person(merged.id.as_str(), merged),
            moves: labels(&preview.moves),
            collides: labels(&preview.collides),
            swap: visit.flow_address(&view.handle, self.keeps(), &[("merge", merged.id.as_str())]),
            back: visit.flow_address(&view.handle, self.keeps(), &[]),
        };
        self.show(
            view,
            (visit.text("merge-title"), visit.text("merge-text")),
            None,
            Step::Merge(Box::new(step)),
            StatusCode::OK,
        )
    }

    fn show(
        self,
        view: &FlowView,
        (title, lead): (String, String),
        banner: Option<Banner>,
        step: Step,
        status: StatusCode,
    ) -> Response {
        let (visit, keeps) = (self.visit, self.keeps());
        let enter = match &step {
            Step::Associate { inputs, .. } | Step::Fill { inputs, .. } => fields::enter(inputs).or(Some("")),
            Step::Select { .. } | Step::Merge(_) | Step::Agree(_) => None,
        };
        let page = GoOnPage {
            view: visit.view(&visit.flow_address(&view.handle, keeps, &[])),
            frame: visit.frame(),
            title,
            lead,
            banner,
            handle: view.handle.clone(),
            keeps,
            enter,
            step,
        };
        show(&page, status)
    }
}

/// The title of a stage, and what it is about.
fn texts(view: &FlowView) -> [&'static str; 2] {
    match view.stage {
        Stage::Associate if view.may_create => ["associate-title", "associate-text"],
        Stage::Associate => ["associate-title", "associate-only-text"],
        Stage::Select => ["select-title", "select-text"],
        Stage::NewPassword => ["new-password-title", "new-password-text"],
        Stage::Agree => ["agree-title", "agree-text"],
        _ => ["complete-title", "complete-text"],
    }
}

/// Whether something that is missing is asked for now. A page has one field for a code, so the address comes after the
/// number.
fn is_asked(view: &FlowView, name: &str) -> bool {
    name != "email" || !view.missing.iter().any(|other| other == "phone")
}

fn fill_in(visit: &Visit, view: &FlowView, words: &Words) -> Result<FillIn, Refusal> {
    let settings = visit.settings();
    let mut filled = FillIn::default();
    for name in view.missing.iter().filter(|name| is_asked(view, name)) {
        let text = words.get(name).ok_or_else(|| Refusal::invalid(name.clone(), Reason::Missing))?;
        match name.as_str() {
            "phone" | "email" => {
                let channel = if name == "phone" { PasscodeChannel::Sms } else { PasscodeChannel::Email };
                let target = fields::read_target(visit, channel, words)?;
                filled.proved.push((target, words.required("code")?.to_owned()));
            }
            "username" => filled.username = Some(text.to_owned()),
            "gender" => {
                let gender = Gender::parse(text);
                let reason = Reason::NotOneOf { choices: "M, F, U".into() };
                filled.gender = Some(gender.ok_or_else(|| Refusal::invalid("gender", reason))?);
            }
            field => match field.strip_prefix("custom.") {
                Some(key) => {
                    let value = custom_value(&settings, key, text);
                    let value = value.map_err(|reason| Refusal::invalid(name.clone(), reason))?;
                    filled.custom_data.insert(key.to_owned(), value);
                }
                None => filled.fields.push((field.to_owned(), text.to_owned())),
            },
        }
    }
    Ok(filled)
}

/// What a field of the form says, as the declared type has it.
fn custom_value(settings: &PoolSettings, key: &str, text: &str) -> Result<Value, Reason> {
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    match settings.custom_field(key).map(|field| field.kind) {
        Some(CustomFieldType::Number) => json(text).filter(Value::is_number).ok_or(Reason::NotANumber),
        Some(CustomFieldType::Boolean) => Ok(Value::Bool(text == "true")),
        // Browsers send the time of a clock on the wall, without seconds unless there are any.
        Some(CustomFieldType::Datetime) => Ok(Value::String(match text.len() {
            16 => format!("{text}:00Z"),
            19 => format!("{text}Z"),
            _ => text.to_owned(),
        })),
        Some(CustomFieldType::Object) => json(text).ok_or(Reason::NotAnObject),
        Some(CustomFieldType::Text | CustomFieldType::Enumeration) | None => {
            Ok(Value::String(text.to_owned()))
        }
    }
}
