//! The page kernel: what every page of Hufu is made with. Adding a page takes one route, one template and one struct
//! that holds what the template shows.
//!
//! ```text
//! #[derive(Template)]
//! #[template(path = "outbox.html")]            extends "layout.html" or "hosted.html", imports "parts.html"
//! struct OutboxPage { view: View, messages: Vec<Message> }
//!
//! impl Page for OutboxPage { fn view(&self) -> &View { &self.view } }
//!
//! async fn page(viewer: Viewer) -> Response { respond(&OutboxPage { view: viewer.view(&TEXTS), … }) }
//! ```
//!
//! - [`Viewer`] is who asks: language, theme, request id. [`View`] is the same for a template, with the texts.
//! - Texts are Fluent files, one per language, with the same keys in each, read by [`hufu_types::Texts`].
//! - [`Asset`] is a file in the program, with a name that changes with its content, so that it is cached for ever.
//! - [`Policy`] is the Content-Security-Policy, which knows no inline script and no inline style.
//! - [`Submitted`] is a form that came from our own page of this very browser; [`Field`] and [`FieldErrors`] show it.
//! - A refusal, a path that does not exist or a defect is a page that says what to do, wherever a browser asks.
//!
//! Pages read two kinds of cookies, preferences and the secret of forms, and no page has CORS.

mod assets;
mod cookies;
mod csrf;
mod field;
mod form;
mod html;
mod language;
mod policy;
mod preferences;
mod refused;
mod view;

use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{Html as HtmlBody, IntoResponse as _, Response};

pub(crate) use assets::ASSETS;
pub use assets::{Asset, BASE, HOSTED, ICONS, LOGO, SCRIPT, routes_of};
pub use field::{Field, FieldErrors};
pub use form::Submitted;
pub use html::Html;
pub use policy::Policy;
pub use preferences::Theme;
pub(crate) use refused::as_pages;
pub use view::{LanguageLink, ThemeChoice, View, Viewer};

use crate::server::Routes;

/// A template that is a whole page.
pub trait Page: Template {
    /// How it is shown.
    fn view(&self) -> &View;

    /// What its browser may load and do.
    fn policy(&self) -> Policy {
        Policy::OWN
    }
}

/// The page as an answer, with the headers that every page has.
pub fn respond(page: &impl Page) -> Response {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(error = %error, "a page could not be rendered");
            return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = HtmlBody(html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, page.policy().value());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not `no-referrer`: with it browsers send `Origin: null` with the page's own forms.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for cookie in page.view().new_cookies() {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// The kernel's own routes: its assets, and the choice of a theme.
pub(crate) fn routes() -> Routes {
    routes_of(&[&BASE, &HOSTED, &ICONS, &LOGO, &SCRIPT]).merge(preferences::routes())
}
