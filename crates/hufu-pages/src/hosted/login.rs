//! `/login`: the login page of an application.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use hufu_app::authorization::Given;
use hufu_app::{AccountName, LoginOptions, Refusal};
use hufu_types::refusal::Code;
use hufu_types::{Agreement, BrowserSessionId, LoginMethod, LoginTab, PasscodeChannel, PasscodePurpose};
use hufu_web::oidc::outcome;
use hufu_web::page::{Submitted, View, Viewer, refused_page};
use hufu_web::request::Query;
use hufu_web::server::Routes;
use secrecy::SecretString;

use super::common::{Banner, Caller, Frame, Person, Said, Visit, Words, in_frame, show};
use super::connections::{self, Ways};
use super::fields::{self, Input};
use super::qr;

pub(super) fn routes() -> Routes {
    Routes::new().route("/login", get(open).post(submit))
}

/// The page: the methods of the application as tabs, and the form of one of them.
#[derive(Template)]
#[template(path = "hosted/login.html")]
struct LoginPage {
    view: View,
    frame: Frame,
    /// The title that the application has chosen, or one with its name.
    title: String,
    banner: Option<Banner>,
    /// Who is logged in to this browser already. There is no form then.
    people: Vec<Person>,
    method: Option<LoginMethod>,
    tabs: Vec<Tab>,
    inputs: Vec<Input>,
    /// What the enter key presses, where that is not the first button.
    enter: Option<&'static str>,
    /// Whether the browser stays logged in, if people may choose that.
    keeps: Option<bool>,
    /// Whether a code for a new number or address creates an account.
    merged: bool,
    agreements: Vec<Agreement>,
    register: Option<String>,
    /// Through connections.
    ways: Ways,
    /// Logs in to an account that is not logged in yet.
    another: String,
}

/// A link to the same page with another form.
pub(super) struct Tab {
    /// The element's id. May be empty.
    pub(super) id: String,
    pub(super) address: String,
    pub(super) text: String,
    pub(super) is_current: bool,
    /// The identifier of the connection that it belongs to, if any.
    pub(super) connection: Option<String>,
}

in_frame!(LoginPage);

async fn open(viewer: Viewer, caller: Caller, Query(words): Query<Words>) -> Response {
    let visit = match Visit::begin(caller, &viewer, &words) {
        Ok(visit) => visit,
        Err(refusal) => return refused_page(&refusal, &viewer),
    };
    let people = match people(&visit, &words).await {
        Ok(people) => people,
        Err(refusal) => return refused_page(&refusal, &viewer),
    };
    if let Some(started) = connections::start_at_once(&visit, &people, &words) {
        return started;
    }
    let said = if words.has("reset") {
        let text = visit.text("password-was-reset");
        Said { banner: Some(Banner { kind: "ok", icon: "ok", text }), ..Said::default() }
    } else if words.get("another") == Some("not-listed") {
        Said { status: StatusCode::OK, ..visit.refused(&Code::NotListed.into(), &[]) }
    } else {
        Said::default()
    };
    match chosen(&visit, &words) {
        Some(LoginTab::QrCode(identifier)) if people.is_empty() && said.banner.is_none() => {
            qr::open(&visit, &identifier, &words).await
        }
        _ => page(&visit, people, &words, said),
    }
}

/// The accounts that are logged in to this browser, if the page offers them. An application that asks for a login has
/// been answered with them already.
async fn people(visit: &Visit, words: &Words) -> Result<Vec<Person>, Refusal> {
    if !visit.is_own() || words.has("another") || words.has("method") {
        return Ok(Vec::new());
    }
    let accounts = visit.app().browser_accounts(&visit.application().pool, &visit.browser).await?;
    Ok(accounts.iter().map(|account| visit.person(account.id().as_str(), &account.user)).collect())
}

async fn submit(caller: Caller, Submitted { viewer, form: words }: Submitted<Words>) -> Response {
    let visit = match Visit::begin(caller, &viewer, &words) {
        Ok(visit) => visit,
        Err(refusal) => return refused_page(&refusal, &viewer),
    };
    let method = form_of(&visit, &words);
    let done = if let Some(session) = words.get("session") {
        go_on_as(&visit, session).await.map(Done::Response)
    } else if words.sends_code() {
        send_code(&visit, method, &words).await.map(Done::Sent)
    } else {
        log_in(&visit, method, &words).await.map(Done::Response)
    };
    match done {
        Ok(Done::Response(response)) => response,
        Ok(Done::Sent(to)) => page(&visit, Vec::new(), &words, visit.sent("code-sent", &to)),
        Err(refusal) if refusal.code().is_internal() => refused_page(&refusal, &viewer),
        Err(refusal) => {
            let inputs = method.map(|method| inputs(&visit, method, &words, false)).unwrap_or_default();
            let said = visit.refused(&refusal, &fields::names(&inputs));
            let has_sent = !words.sends_code();
            page(&visit, Vec::new(), &words, Said { has_sent, ..said })
        }
    }
}

enum Done {
    Response(Response),
    /// A code was sent there.
    Sent(String),
}

/// The tab that the query or the form names, whether it is offered or not; otherwise the first one of the page.
fn chosen(visit: &Visit, words: &Words) -> Option<LoginTab> {
    let login = &visit.application().login;
    let named = words.get("method").and_then(LoginTab::parse);
    // A code that was scanned before its connection failed is still seen to its end.
    let is_open = |tab: &LoginTab| words.has(qr::SECRET) || !is_out(visit, tab);
    let named = named.filter(|tab| is_shown(visit, tab) && is_open(tab));
    let default = login.default_method.iter().filter(|method| login.methods.contains(method));
    named.or_else(|| default.chain(&login.methods).find(|tab| !is_out(visit, tab)).cloned())
}

/// Whether a tab may be opened. What is wrong with a form that is not offered is said there.
fn is_shown(visit: &Visit, tab: &LoginTab) -> bool {
    matches!(tab, LoginTab::Form(_)) || visit.application().login.methods.contains(tab)
}

/// Whether a tab belongs to a connection that is unavailable.
fn is_out(visit: &Visit, tab: &LoginTab) -> bool {
    let LoginTab::QrCode(identifier) = tab else { return false };
    let config = visit.app().config();
    let found = config.qr_connection_called(visit.application(), identifier.as_str());
    found.is_ok_and(|connection| !config.is_available(&connection))
}

/// The form that is meant. A page without it, such as that of a QR code, has the first one behind it.
fn form_of(visit: &Visit, words: &Words) -> Option<LoginMethod> {
    match chosen(visit, words) {
        Some(LoginTab::Form(method)) => Some(method),
        Some(LoginTab::QrCode(_)) | None => forms(visit).next(),
    }
}

/// The forms of the page.
fn forms(visit: &Visit) -> impl Iterator<Item = LoginMethod> {
    visit.application().login.methods.iter().filter_map(|tab| match tab {
        LoginTab::Form(method) => Some(*method),
        LoginTab::QrCode(_) => None,
    })
}

/// The tabs of the page. A connection that shows no QR code any more has none, nor has one that is unavailable.
pub(super) fn tabs(visit: &Visit, current: &str) -> Vec<Tab> {
    let tab = |one: &LoginTab| {
        let text = match one {
            LoginTab::Form(LoginMethod::Password) => visit.text("method-password"),
            LoginTab::Form(LoginMethod::PhoneCode) => visit.text("method-phone-code"),
            LoginTab::Form(LoginMethod::EmailCode) => visit.text("method-email-code"),
            LoginTab::QrCode(identifier) => {
                let config = visit.app().config();
                let found = config.qr_connection_called(visit.application(), identifier.as_str());
                found.ok()?.display_name.clone()
            }
        };
        let address = visit.address("/login", &[("method", one.as_str())]);
        let connection = match one {
            LoginTab::QrCode(identifier) => Some(identifier.to_string()),
            LoginTab::Form(_) => None,
        };
        let is_current = one.as_str() == current;
        Some(Tab { id: String::new(), address, text, is_current, connection })
    };
    let methods = visit.application().login.methods.iter();
    methods.filter(|one| !is_out(visit, one)).filter_map(tab).collect()
}

/// The title that the application has chosen, or one with its name.
pub(super) fn title(visit: &Visit, frame: &Frame) -> String {
    frame.title.clone().unwrap_or_else(|| visit.text_with("login-title", "app", frame.name.clone()))
}

const fn channel(method: LoginMethod) -> Option<PasscodeChannel> {
    match method {
        LoginMethod::Password => None,
        LoginMethod::PhoneCode => Some(PasscodeChannel::Sms),
        LoginMethod::EmailCode => Some(PasscodeChannel::Email),
    }
}

fn inputs(visit: &Visit, method: LoginMethod, words: &Words, has_sent: bool) -> Vec<Input> {
    match channel(method) {
        None => vec![fields::account(visit, words), fields::password(visit)],
        Some(channel) => fields::proof(visit, channel, words, has_sent),
    }
}

/// Goes on as somebody who is logged in to this browser.
async fn go_on_as(visit: &Visit, session: &str) -> Result<Response, Refusal> {
    let account = BrowserSessionId::parse(session).map_err(|_| Code::FormIncomplete)?;
    let given = Given { account: Some(account), consented: false };
    let next = visit.app().authorize(&visit.open, &visit.browser, &given, &visit.origin).await?;
    outcome::next(&visit.shared, &visit.viewer, &visit.open, next)
}

async fn send_code(visit: &Visit, method: Option<LoginMethod>, words: &Words) -> Result<String, Refusal> {
    let method = method.filter(|method| visit.application().login.offers(*method));
    let channel = method.and_then(channel).ok_or(Code::FormIncomplete)?;
    let target = fields::read_target(visit, channel, words)?;
    let to = target.as_str().to_owned();
    let application = visit.application();
    visit
        .app()
        .send_code(application, target, PasscodePurpose::Login, visit.language(), &visit.origin)
        .await?;
    Ok(to)
}

async fn log_in(visit: &Visit, method: Option<LoginMethod>, words: &Words) -> Result<Response, Refusal> {
    let method = method.ok_or(Code::FormIncomplete)?;
    let (app, application, origin) = (visit.app(), visit.application(), &visit.origin);
    let options = LoginOptions::from(visit.requested());
    let answer = match channel(method) {
        None => {
            let account = AccountName::Any(words.required("account")?.to_owned());
            let password = words.raw("password").ok_or_else(|| missing("password"))?;
            let password = SecretString::from(password.to_owned());
            app.log_in_by_password(application, account, password, options, origin).await?
        }
        Some(channel) => {
            let target = fields::read_target(visit, channel, words)?;
            let (code, create) = (words.required("code")?, application.login.merged);
            app.log_in_by_code(application, target, code, create, options, origin).await?
        }
    };
    visit.answer(answer, visit.keeps(words)).await
}

/// The page after a login at a source came to nothing: what happened, and what else there is.
pub(super) fn refused(visit: &Visit, refusal: &Refusal) -> Response {
    if refusal.code().is_internal() {
        return refused_page(refusal, &visit.viewer);
    }
    page(visit, Vec::new(), &Words::default(), visit.refused(refusal, &[]))
}

pub(super) fn missing(name: &'static str) -> Refusal {
    Refusal::invalid(name, hufu_types::refusal::Reason::Missing)
}

fn page(visit: &Visit, people: Vec<Person>, words: &Words, said: Said) -> Response {
    let login = &visit.application().login;
    let method = form_of(visit, words).filter(|method| login.offers(*method));
    let method = method.or_else(|| forms(visit).next());
    let inputs = method.map(|method| inputs(visit, method, words, said.has_sent)).unwrap_or_default();
    let here = method.map_or_else(Vec::new, |method| vec![("method", method.as_str())]);
    let here = if people.is_empty() { here } else { Vec::new() };
    let form_was_sent = words.has("form_token");
    let ways = if people.is_empty() { Ways::of(visit, method.is_some()) } else { Ways::default() };
    let mut frame = visit.frame();
    frame.policy.img_origins.extend(ways.img_origins());
    show(
        &LoginPage {
            view: visit.view(&visit.address("/login", &here)),
            title: title(visit, &frame),
            frame,
            people,
            method,
            tabs: tabs(visit, method.map(LoginMethod::as_str).unwrap_or_default()),
            enter: fields::enter(&inputs),
            inputs: fields::told(inputs, &said),
            keeps: login.keep_signed_in.then(|| !form_was_sent || words.has("keep")),
            merged: login.merged && method.is_some_and(|method| channel(method).is_some()),
            agreements: visit.agreements(),
            register: visit.may_register().then(|| visit.address("/register", &[])),
            ways,
            another: visit.address("/login", &[("another", "1")]),
            banner: said.banner,
        },
        said.status,
    )
}
