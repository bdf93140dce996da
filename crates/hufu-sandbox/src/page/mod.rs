//! The page at `/`: shows apps, people and calls, and creates codes and faults.
//!
//! Everything is rendered on the server. The script only submits forms and buttons to the control API, and
//! follows the call log. Nothing is inline and nothing comes from another host, which the
//! Content-Security-Policy enforces. The styles are those of Hufu's own pages.

mod faults;
mod lists;
pub(crate) mod phone;
pub(crate) mod text;
mod view;

use std::sync::Arc;

use axum::extract::{RawQuery, State as Extract};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use hufu_html::{Escaped, ICONS, LOGO, SCRIPT, styles};

use crate::control::guard_page;
use crate::state::State;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn router(state: &Arc<State>) -> Router<Arc<State>> {
    Router::new()
        .route("/", get(page))
        .route("/sandbox.css", get(async || asset("text/css; charset=utf-8", style())))
        .route("/sandbox.js", get(async || asset("text/javascript; charset=utf-8", script())))
        .route("/icon.svg", get(async || asset("image/svg+xml", LOGO)))
        .route("/icons.svg", get(async || asset("image/svg+xml", ICONS)))
        .route_layer(middleware::from_fn_with_state(Arc::clone(state), guard_page))
}

async fn page(
    Extract(state): Extract<Arc<State>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let language = text::Language::choose(query.as_deref(), &headers);
    asset("text/html; charset=utf-8", view::page(&state, language.text(), theme(&headers)))
}

fn style() -> String {
    [styles::TOKENS, styles::BASE, styles::DEV, include_str!("assets/sandbox.css")].concat()
}

fn script() -> String {
    [SCRIPT, include_str!("assets/sandbox.js")].concat()
}

/// The attribute of `<html>` for the theme that was chosen on a page of the Hufu server. Cookies of a host
/// are shared between its ports, so the sandbox can read that choice.
pub(crate) fn theme(headers: &HeaderMap) -> &'static str {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let chosen =
        lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix("hufu-theme="));
    match chosen {
        Some("light") => " data-theme=\"light\"",
        Some("dark") => " data-theme=\"dark\"",
        _ => "",
    }
}

/// The beginning of a page, up to the end of its head. `assets` is the name of its style sheet and of its script.
pub(crate) fn opening(tag: &str, theme: &str, title: &str, assets: &str) -> String {
    format!(
        r#"<!DOCTYPE html>
<html lang="{tag}"{theme}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/{assets}.css">
<script src="/{assets}.js" defer></script>
"#,
        title = Escaped(title),
    )
}

fn asset(kind: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body.into()).into_response()
}
