//! `/phone`: a phone with WeChat on it, for people. It scans, follows, writes, opens mini programs and links, and
//! stands for a native app.
//!
//! Everything is rendered on the server and works by links and forms. The script only draws the screen again when
//! something has changed.

mod accounts;
mod apps;
mod beside;
mod browser;
pub(crate) mod cookie;
mod home;
mod me;
mod minis;
mod scan;
pub(crate) mod shell;
mod web;
mod web_view;
pub(crate) mod widgets;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State as Extract};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use hufu_html::styles;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::param;
use crate::control::guard_page;
use crate::state::State;
use crate::state::people::Person;

type Shared = Extract<Arc<State>>;

/// How much later everything arrives on a slow network.
const SLOW: Duration = Duration::from_secs(5);
/// How long a screen waits for what it has started, before it shows itself and leaves the rest to come.
const PATIENCE: Duration = Duration::from_millis(1_500);

pub(crate) fn router(state: &Arc<State>) -> Router<Arc<State>> {
    Router::new()
        .route("/phone", get(home::show))
        .route("/phone/scan", get(scan::show).post(scan::pasted))
        // The script asks for what it shows; a reload without its form leads back.
        .route("/phone/ticket", get(async || go("/phone/scan")).post(scan::ticket))
        .route("/phone/web/{uuid}", get(web::show).post(web::decide))
        .route("/phone/chat/{app_id}", get(accounts::show).post(accounts::act))
        .route("/phone/minis", get(minis::list))
        .route("/phone/mini/{app_id}", get(minis::show).post(minis::decide))
        .route("/phone/mini/{app_id}/web", get(web_view::open))
        .route("/phone/mini/{app_id}/page", get(web_view::page))
        .route("/phone/browser", get(browser::show).post(browser::open))
        .route("/phone/browser/go", get(browser::leave))
        .route("/phone/app/{app_id}", get(apps::show).post(apps::act))
        .route("/phone/me", get(me::show).post(me::change))
        .route("/phone/people", get(me::people).post(me::choose))
        .route("/phone/language", get(me::language))
        .route("/phone/version", get(version))
        .route("/phone/beside", get(beside::show))
        .route("/phone.css", get(async || asset("text/css; charset=utf-8", style())))
        .route("/phone.js", get(async || asset("text/javascript; charset=utf-8", script())))
        .route_layer(middleware::from_fn_with_state(Arc::clone(state), guard_page))
}

async fn version(Extract(state): Shared) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], state.version().to_string()).into_response()
}

fn style() -> String {
    let own = [include_str!("assets/phone.css"), include_str!("assets/open.css")].concat();
    [styles::TOKENS, styles::BASE, styles::DEV, &own].concat()
}

fn script() -> String {
    [hufu_html::SCRIPT, include_str!("assets/phone.js")].concat()
}

fn asset(kind: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body).into_response()
}

/// Goes to another screen.
fn go(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// A part of an address.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Waits as long as a slow network takes. False if there is no network.
async fn network(person: &Person) -> bool {
    if person.slow {
        tokio::time::sleep(SLOW).await;
    }
    !person.offline
}

/// The person whose phone this is. Without one, leads to the screen on which to choose one.
struct Owner(Arc<Person>);

impl FromRequestParts<Arc<State>> for Owner {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Owner, Response> {
        cookie::chosen(state, &parts.headers).map(Owner).ok_or_else(|| go("/phone/people"))
    }
}

/// A field of a form, or nothing.
fn field(form: &str, name: &str) -> String {
    param(form, name).unwrap_or_default().trim().to_owned()
}

/// Records what somebody did.
fn record(state: &State, person: &Person, act: &'static str, app: Option<&Arc<str>>) {
    state.calls.record_act(state.clock.now(), act, app.cloned(), &person.name, (Some(0), None));
    state.changed();
}

/// Runs something that may take long, such as a push that is sent three times: waits a little for it, and leaves it
/// running otherwise.
async fn patiently(work: impl Future<Output = ()> + Send + 'static) {
    let running = tokio::spawn(work);
    let _ = tokio::time::timeout(PATIENCE, running).await;
}
