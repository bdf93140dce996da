//! Restricts control of the sandbox to users of this machine, and to no web page except the sandbox's own.
//!
//! A page on the internet can make a browser call 127.0.0.1, and with DNS rebinding it can even read the
//! responses. The first is visible in `Origin` and `Sec-Fetch-Site`, the second in `Host`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::caller::caller_of;
use crate::state::State;

/// Guards the control API.
pub(super) async fn guard_control(
    Extract(state): Extract<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return refused("web pages of other sites may not control the sandbox");
    }
    guard_page(Extract(state), request, next).await
}

/// Guards the page. Other sites may link to it.
pub(crate) async fn guard_page(
    Extract(state): Extract<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(host) = host(&request) else {
        return refused("the Host header is missing");
    };
    // `Host` says what a browser was told, and anything else may say what it likes. So under the names of this machine,
    // the caller has to be on it.
    if !is_one_of(&state.options.control_hosts, host) {
        if !is_one_of(&["localhost", "127.0.0.1", "[::1]"], host) {
            return refused("the sandbox can only be controlled at localhost, 127.0.0.1 or [::1]");
        }
        if !caller_of(request.extensions()).to_canonical().is_loopback() {
            return refused("the sandbox can only be controlled from this machine; see --control-host");
        }
    }
    if !is_own_origin(request.headers(), host) {
        return refused("web pages of other sites may not control the sandbox");
    }
    next.run(request).await
}

fn host(request: &Request) -> Option<&str> {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    request.uri().authority().map(axum::http::uri::Authority::as_str).or(header)
}

fn is_one_of(names: &[impl AsRef<str>], host: &str) -> bool {
    // The port follows the last colon, unless that colon is part of an IPv6 address.
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    names.iter().any(|allowed| allowed.as_ref().eq_ignore_ascii_case(name))
}

fn is_own_origin(headers: &HeaderMap, host: &str) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
}

fn refused(why: &'static str) -> Response {
    (StatusCode::FORBIDDEN, Json(json!({ "error": why }))).into_response()
}
