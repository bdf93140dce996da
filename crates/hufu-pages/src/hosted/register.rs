//! `/register`: a new account for an application.

use askama::Template;
use axum::response::Response;
use axum::routing::get;
use hufu_app::{Refusal, Registration, Target};
use hufu_types::refusal::Code;
use hufu_types::{Agreement, PasscodeChannel, PasscodePurpose, RegistrationMethod};
use hufu_web::page::{Submitted, View, Viewer, refused_page};
use hufu_web::request::Query;
use hufu_web::server::Routes;
use secrecy::SecretString;

use super::common::{Banner, Caller, Frame, Said, Visit, Words, in_frame, show};
use super::fields::{self, Input};
use super::login::Tab;

pub(super) fn routes() -> Routes {
    Routes::new().route("/register", get(open).post(submit))
}

/// The page: the ways to register as tabs, and the form of one of them.
#[derive(Template)]
#[template(path = "hosted/register.html")]
struct RegisterPage {
    view: View,
    frame: Frame,
    banner: Option<Banner>,
    method: Option<RegistrationMethod>,
    tabs: Vec<Tab>,
    inputs: Vec<Input>,
    /// What the enter key presses, where that is not the first button.
    enter: Option<&'static str>,
    keeps: Option<bool>,
    agreements: Vec<Agreement>,
    login: String,
}

in_frame!(RegisterPage);

async fn open(viewer: Viewer, caller: Caller, Query(words): Query<Words>) -> Response {
    match Visit::begin(caller, &viewer, &words) {
        Ok(visit) => page(&visit, &words, Said::default(), false),
        Err(refusal) => refused_page(&refusal, &viewer),
    }
}

async fn submit(caller: Caller, Submitted { viewer, form: words }: Submitted<Words>) -> Response {
    let visit = match Visit::begin(caller, &viewer, &words) {
        Ok(visit) => visit,
        Err(refusal) => return refused_page(&refusal, &viewer),
    };
    let sends = words.sends_code();
    let done =
        if sends { send_code(&visit, &words).await.map(Err) } else { register(&visit, &words).await.map(Ok) };
    match done {
        Ok(Ok(response)) => response,
        Ok(Err(to)) => page(&visit, &words, visit.sent("code-sent", &to), true),
        Err(refusal) if refusal.code().is_internal() => refused_page(&refusal, &viewer),
        Err(refusal) => {
            let needs_code = sends || words.has("code") || refusal.is(Code::CodeNeeded);
            let method = chosen(&visit, &words);
            let inputs = method.map(|method| inputs(&visit, method, &words, needs_code, false));
            let said = visit.refused(&refusal, &fields::names(&inputs.unwrap_or_default()));
            let has_sent = !sends && words.get("code").is_some();
            page(&visit, &words, Said { has_sent, ..said }, needs_code)
        }
    }
}

/// The ways that the page offers. An address with a password is a way of its own only where the pool takes it without a
/// code; otherwise the password is a field beside the code.
fn offered(visit: &Visit) -> Vec<RegistrationMethod> {
    let all = visit.application().login.ways_to_register();
    let takes_addresses = visit.settings().register_email_without_code;
    let is_beside = |method: &RegistrationMethod| {
        *method == RegistrationMethod::EmailPassword
            && !takes_addresses
            && all.contains(&RegistrationMethod::EmailCode)
    };
    if visit.settings().registration {
        all.iter().copied().filter(|method| !is_beside(method)).collect()
    } else {
        Vec::new()
    }
}

/// The way that the query or the form names, whether it is offered or not; otherwise the first one.
fn chosen(visit: &Visit, words: &Words) -> Option<RegistrationMethod> {
    let named = words.get("method").and_then(RegistrationMethod::parse);
    named.or_else(|| offered(visit).first().copied())
}

const fn channel(method: RegistrationMethod) -> PasscodeChannel {
    match method {
        RegistrationMethod::PhoneCode => PasscodeChannel::Sms,
        RegistrationMethod::EmailCode | RegistrationMethod::EmailPassword => PasscodeChannel::Email,
    }
}

fn inputs(
    visit: &Visit,
    method: RegistrationMethod,
    words: &Words,
    needs_code: bool,
    has_sent: bool,
) -> Vec<Input> {
    let is_password = method == RegistrationMethod::EmailPassword;
    let mut inputs = if is_password && !needs_code && visit.settings().register_email_without_code {
        vec![fields::email(visit, words)]
    } else {
        fields::proof(visit, channel(method), words, has_sent)
    };
    inputs.push(fields::new_password(visit, is_password));
    inputs
}

async fn send_code(visit: &Visit, words: &Words) -> Result<String, Refusal> {
    let method = chosen(visit, words).filter(|method| offered(visit).contains(method));
    let method = method.ok_or(Code::RegistrationOff)?;
    let target = fields::read_target(visit, channel(method), words)?;
    let to = target.as_str().to_owned();
    let application = visit.application();
    visit
        .app()
        .send_code(application, target, PasscodePurpose::Register, visit.language(), &visit.origin)
        .await?;
    Ok(to)
}

async fn register(visit: &Visit, words: &Words) -> Result<Response, Refusal> {
    let method = chosen(visit, words).ok_or(Code::RegistrationOff)?;
    let code = words.get("code").map(str::to_owned);
    let code = match method {
        RegistrationMethod::EmailPassword => code,
        RegistrationMethod::PhoneCode | RegistrationMethod::EmailCode => {
            Some(words.required("code")?.to_owned())
        }
    };
    let password = words.raw("new-password").map(|password| SecretString::from(password.to_owned()));
    let registration = match fields::read_target(visit, channel(method), words)? {
        Target::Phone(phone) => Registration { phone: Some(phone), ..Registration::default() },
        Target::Email(email) => Registration { email: Some(email), ..Registration::default() },
    };
    let registration = Registration { code, password, ..registration };
    let (app, application) = (visit.app(), visit.application());
    let (_, answer) = app.register(application, registration, Some(visit.requested()), &visit.origin).await?;
    let answer = answer.ok_or(Code::Internal)?;
    visit.answer(answer, visit.keeps(words)).await
}

fn page(visit: &Visit, words: &Words, said: Said, needs_code: bool) -> Response {
    let offered = offered(visit);
    let method = chosen(visit, words).filter(|method| offered.contains(method));
    let method = method.or_else(|| offered.first().copied());
    let address = |method: RegistrationMethod| visit.address("/register", &[("method", method.as_str())]);
    let tab = |one: RegistrationMethod| Tab {
        connection: None,
        id: String::new(),
        address: address(one),
        text: visit.text(match one {
            RegistrationMethod::PhoneCode => "phone",
            RegistrationMethod::EmailPassword if offered.contains(&RegistrationMethod::EmailCode) => {
                "method-email-password"
            }
            RegistrationMethod::EmailCode | RegistrationMethod::EmailPassword => "email",
        }),
        is_current: Some(one) == method,
    };
    let inputs =
        method.map(|method| inputs(visit, method, words, needs_code, said.has_sent)).unwrap_or_default();
    let form_was_sent = words.has("form_token");
    show(
        &RegisterPage {
            view: visit.view(&method.map_or_else(|| visit.address("/register", &[]), address)),
            frame: visit.frame(),
            method,
            tabs: offered.iter().copied().map(tab).collect(),
            enter: fields::enter(&inputs),
            inputs: fields::told(inputs, &said),
            keeps: visit.application().login.keep_signed_in.then(|| !form_was_sent || words.has("keep")),
            agreements: visit.agreements(),
            login: visit.address("/login", &[("another", "1")]),
            banner: said.banner,
        },
        said.status,
    )
}
