//! The page kernel, which every page of Hufu is built on. Adding a page takes one route, one template, and
//! one struct with the data that the template shows.
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
//! - [`Viewer`] describes the reader: language, theme, request id. [`View`] is the same for a template, with
//!   the texts.
//! - Texts are Fluent files, one per language, all with the same keys. [`hufu_types::Texts`] reads them.
//! - [`Asset`] is a file compiled into the binary. Its name changes with its content, so it can be cached
//!   forever.
//! - [`Policy`] is the Content-Security-Policy. It never allows inline scripts or inline styles.
//! - [`Submitted`] is a form submitted from our own page by the same browser. [`Field`] and [`FieldErrors`]
//!   render it.
//! - When a browser asks, a refusal, an unknown path or an internal error is a page that says what to do.
//!
//! Pages use three kinds of cookies: preferences, the secret of forms, and what a page keeps ([`PrivateCookie`]). No page has
//! CORS.

mod assets;
pub(crate) mod cookies;
mod csrf;
mod field;
mod form;
mod html;
mod language;
pub mod pause;
mod policy;
mod preferences;
mod private;
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
pub(crate) use policy::framed_by_own;
pub use preferences::Theme;
pub use private::PrivateCookie;
pub use refused::refused_page;
pub(crate) use refused::{as_page, viewer_of};
pub use view::{LanguageLink, ThemeChoice, View, Viewer};

use crate::server::Routes;

/// A template that renders a whole page.
pub trait Page: Template {
    /// The view that the page is rendered with.
    fn view(&self) -> &View;

    /// The Content-Security-Policy of the page.
    fn policy(&self) -> Policy {
        Policy::OWN
    }
}

/// Renders the page as a response, with the headers that every page has.
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
    // Not `no-referrer`: with it, browsers send `Origin: null` when they submit the page's own forms.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for cookie in page.view().new_cookies() {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// The kernel's own routes: its assets, and the form that sets the theme.
pub(crate) fn routes() -> Routes {
    routes_of(&[&BASE, &HOSTED, &ICONS, &LOGO, &SCRIPT]).merge(preferences::routes())
}
