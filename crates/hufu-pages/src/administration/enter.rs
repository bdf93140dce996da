//! `/administration/enter`: a link that logs an administrator in to the browser, once. Opening it shows a button: programs
//! that look at links do not use it up.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use hufu_web::oidc::outcome;
use hufu_web::page::{Page, Submitted, View, Viewer, respond};
use hufu_web::request::{Head, Query};
use hufu_web::server::{Routes, Shared};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::{HOME, KEY, TEXTS, notice};

const PAGE: &str = "/administration/enter";

pub(super) fn routes() -> Routes {
    Routes::new().route(PAGE, get(open).post(enter))
}

#[derive(Template)]
#[template(path = "administration/enter.html")]
struct EnterPage {
    view: View,
    name: String,
    token: String,
}

impl Page for EnterPage {
    fn view(&self) -> &View {
        &self.view
    }
}

#[derive(Deserialize)]
struct Opened {
    #[serde(default)]
    token: String,
}

async fn open(
    Extract(shared): Extract<Arc<Shared>>,
    viewer: Viewer,
    Query(Opened { token }): Query<Opened>,
) -> Response {
    match shared.app.entry_link(&token).await {
        Ok(name) => respond(&EnterPage { view: viewer.view(&TEXTS), name, token }),
        Err(refusal) => notice::refused(&refusal, &viewer),
    }
}

async fn enter(
    Extract(shared): Extract<Arc<Shared>>,
    head: Head,
    headers: HeaderMap,
    Submitted { viewer, form: Opened { token } }: Submitted<Opened>,
) -> Response {
    let present = KEY.read(&headers, &shared);
    match shared.app.enter_by_link(&token, present, &head.origin()).await {
        Ok(login) => {
            let mut response = outcome::redirect(HOME);
            KEY.set(&mut response, &shared, login.key.expose_secret());
            response
        }
        Err(refusal) => notice::refused(&refusal, &viewer),
    }
}
