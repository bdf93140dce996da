//! The outbox of development: the messages that nobody was sent, as a page and as JSON. There only where the settings
//! hold an outbox, which `serve` never has.
//!
//! The page is rendered here; its script only looks for news and copies codes. Nothing is inline and nothing comes
//! from another host, which the Content-Security-Policy holds to.

mod text;
mod view;

use std::sync::Arc;

use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hufu_app::connect::outbox::Message;

use crate::server::{Shared, State};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/dev/outbox", get(page))
        .route("/dev/outbox.json", get(list))
        .route(
            "/dev/outbox.css",
            get(async || asset("text/css; charset=utf-8", include_str!("outbox/assets/outbox.css"))),
        )
        .route(
            "/dev/outbox.js",
            get(async || asset("text/javascript; charset=utf-8", include_str!("outbox/assets/outbox.js"))),
        )
        .route("/dev/icon.svg", get(async || asset("image/svg+xml", include_str!("outbox/assets/icon.svg"))))
}

async fn page(shared: State, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let language = text::Language::choose(query.as_deref(), &headers);
    asset("text/html; charset=utf-8", view::page(&messages(&shared.0), language.text()))
}

/// The messages, the newest first.
async fn list(shared: State) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(messages(&shared.0))).into_response()
}

fn messages(shared: &Shared) -> Vec<Message> {
    shared.settings.outbox.as_ref().map(hufu_app::connect::Outbox::list).unwrap_or_default()
}

fn asset(kind: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body.into()).into_response()
}
