//! Logging out (OpenID Connect RP-Initiated Logout 1.0): the question, and what follows.

use askama::Template;
use axum::extract::{FromRequest as _, FromRequestParts as _, Request, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::authorization::{BrowserAccount, LogoutAsked, LogoutRequest, Parameters};
use hufu_types::origin_of;
use hufu_types::refusal::{Code, Reason};
use hufu_web::oidc::{browser, outcome};
use hufu_web::page::{Page, Policy, Submitted, View, Viewer, pause, refused_page, respond};
use hufu_web::request::{self, Head};
use hufu_web::server::Shared;
use serde::Deserialize;

use super::{Asker, Shown, State, TEXTS};
use crate::looks::Looks;

/// Asks whether the person wants to log out.
#[derive(Template)]
#[template(path = "session/sign_out.html")]
struct QuestionPage {
    view: View,
    application: Option<String>,
    accounts: Vec<Shown>,
    /// The request, to be checked again.
    parameters: Vec<(&'static str, String)>,
    redirect: Option<String>,
}

impl Page for QuestionPage {
    fn view(&self) -> &View {
        &self.view
    }

    fn policy(&self) -> Policy {
        let targets = self.redirect.as_deref().map(outcome::form_targets);
        Policy { form_origins: targets.unwrap_or_default(), ..Policy::OWN }
    }
}

/// Says that the person is logged out. In its frames applications end their own sessions.
#[derive(Template)]
#[template(path = "session/signed_out.html")]
struct SignedOutPage {
    view: View,
    application: Option<String>,
    frames: Vec<String>,
    /// Where the browser goes next.
    redirect: Option<String>,
    /// Whether it goes there by itself, after the frames had time to load.
    goes_on: bool,
}

impl Page for SignedOutPage {
    fn view(&self) -> &View {
        &self.view
    }

    fn policy(&self) -> Policy {
        Policy {
            frame_sources: self.frames.iter().filter_map(|frame| origin_of(frame)).collect(),
            ..Policy::OWN
        }
    }
}

pub(super) async fn ask_by_query(
    Extract(shared): State,
    viewer: Viewer,
    head: Head,
    request: Request,
) -> Response {
    let asker = Asker::new(viewer, request.headers(), &head, &shared);
    let query = request.uri().query().unwrap_or_default();
    let list = serde_urlencoded::from_str(query);
    let asked = match list {
        Ok(list) => ask(&shared, &asker, list).await,
        Err(_) => Err(Refusal::invalid("query", Reason::WrongQuery)),
    };
    asked.unwrap_or_else(|refusal| asker.refuse(&refusal))
}

/// Applications send a form as well, from their own pages: it has no token of ours, and ends nothing that their hint
/// does not prove.
pub(super) async fn ask_by_form(Extract(shared): State, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(viewer) = Viewer::from_request_parts(&mut parts, &shared).await;
    let Ok(head) = Head::from_request_parts(&mut parts, &shared).await;
    let asker = Asker::new(viewer, &parts.headers, &head, &shared);
    let form = request::Parameters::from_request(Request::from_parts(parts, body), &shared).await;
    let asked = match form {
        Ok(request::Parameters(list)) => ask(&shared, &asker, list).await,
        Err(refused) => return refused_page(refused.refusal(), &asker.viewer),
    };
    asked.unwrap_or_else(|refusal| asker.refuse(&refusal))
}

/// The parameters of a request to log out.
const NAMES: [&str; 5] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "redirect_uri", "state"];

async fn ask(shared: &Shared, asker: &Asker, list: Vec<(String, String)>) -> Result<Response, Refusal> {
    let parameters = Parameters::new(renamed(list));
    let logout = shared.app.logout_request(&parameters, &asker.browser)?;
    match shared.app.logout_asked(&logout, &asker.browser).await? {
        LogoutAsked::Ends(accounts) => end(shared, asker, logout, &accounts).await,
        // Nobody is logged in. Nothing shows that an application asks, so the person follows the link or does not.
        LogoutAsked::Question(accounts) if accounts.is_empty() => Ok(respond(&SignedOutPage {
            view: view_of(shared, asker, &logout),
            application: logout.application.as_ref().map(|application| application.name.clone()),
            frames: Vec::new(),
            redirect: logout.redirect,
            goes_on: false,
        })),
        LogoutAsked::Question(accounts) => Ok(respond(&QuestionPage {
            view: view_of(shared, asker, &logout),
            application: logout.application.as_ref().map(|application| application.name.clone()),
            accounts: accounts.iter().map(Shown::of).collect(),
            parameters: NAMES
                .into_iter()
                .filter_map(|name| Some((name, parameters.get(name)?.to_owned())))
                .collect(),
            redirect: logout.redirect,
        })),
    }
}

/// The view of a page about this logout.
fn view_of(shared: &Shared, asker: &Asker, logout: &LogoutRequest) -> View {
    let looks = match &logout.application {
        Some(application) => Looks::of(&shared.app, application),
        None => Looks::of_pools(&shared.app, &asker.browser.pools()),
    };
    looks.on(asker.viewer.clone(), None).view(&TEXTS)
}

/// The published clients' logout names its application `app_id`.
fn renamed(mut list: Vec<(String, String)>) -> Vec<(String, String)> {
    for (name, _) in &mut list {
        if name == "app_id" {
            "client_id".clone_into(name);
        }
    }
    list
}

async fn end(
    shared: &Shared,
    asker: &Asker,
    logout: LogoutRequest,
    accounts: &[BrowserAccount],
) -> Result<Response, Refusal> {
    let view = view_of(shared, asker, &logout);
    let application = logout.application.as_ref().map(|application| application.name.clone());
    let mut response = sign_out(shared, asker, accounts, (view, application, logout.redirect)).await?;
    pause::begin(&mut response, shared);
    Ok(response)
}

/// Ends the sessions of these accounts in the browser, and goes on. If applications are told in frames, a page loads them
/// before it goes on by itself.
pub(super) async fn sign_out(
    shared: &Shared,
    asker: &Asker,
    accounts: &[BrowserAccount],
    (view, application, redirect): (View, Option<String>, Option<String>),
) -> Result<Response, Refusal> {
    let done = shared.app.sign_out(accounts, &asker.browser, &asker.origin).await?;
    let mut response = match redirect {
        Some(redirect) if done.frames.is_empty() => outcome::redirect(&redirect),
        redirect => {
            let frames = done.frames;
            respond(&SignedOutPage { view, application, frames, redirect, goes_on: true })
        }
    };
    browser::write(&mut response, shared, &done.browser);
    Ok(response)
}

#[derive(Deserialize)]
pub(super) struct Answer {
    id_token_hint: Option<String>,
    client_id: Option<String>,
    post_logout_redirect_uri: Option<String>,
    redirect_uri: Option<String>,
    state: Option<String>,
    confirm: Option<String>,
    cancel: Option<String>,
}

pub(super) async fn confirm(
    Extract(shared): State,
    head: Head,
    headers: HeaderMap,
    Submitted { viewer, form }: Submitted<Answer>,
) -> Response {
    let asker = Asker::new(viewer, &headers, &head, &shared);
    confirmed(&shared, &asker, form).await.unwrap_or_else(|refusal| asker.refuse(&refusal))
}

async fn confirmed(shared: &Shared, asker: &Asker, form: Answer) -> Result<Response, Refusal> {
    let Answer { id_token_hint, client_id, post_logout_redirect_uri, redirect_uri, state, confirm, cancel } =
        form;
    let values =
        NAMES.into_iter().zip([id_token_hint, client_id, post_logout_redirect_uri, redirect_uri, state]);
    let list = values.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let logout = shared.app.logout_request(&Parameters::new(list.collect()), &asker.browser)?;
    match (confirm, cancel) {
        (Some(_), None) => {
            let (LogoutAsked::Question(accounts) | LogoutAsked::Ends(accounts)) =
                shared.app.logout_asked(&logout, &asker.browser).await?;
            end(shared, asker, logout, &accounts).await
        }
        // Nothing ends, and nobody is told: the person stays where they are logged in.
        (None, Some(_)) => Ok(outcome::redirect("/accounts")),
        _ => Err(Code::FormIncomplete.into()),
    }
}

/// The page on its own, as a bookmark or after a reload.
pub(super) async fn done(Extract(shared): State, viewer: Viewer) -> Response {
    let view = Looks::of_pools(&shared.app, &[]).on(viewer, None).view(&TEXTS);
    respond(&SignedOutPage { view, application: None, frames: Vec::new(), redirect: None, goes_on: false })
}
