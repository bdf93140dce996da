//! A pause in which no login starts by itself in this browser: after one did, so that a login that fails is not tried over
//! and over, and after the person logged out, who does not want to be logged in at once.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::cookies;
use crate::server::Shared;

const COOKIE: &str = "hufu-pause";

/// Whether there is a pause.
pub fn is_on(headers: &HeaderMap) -> bool {
    cookies::read(headers, COOKIE).is_some()
}

/// Begins a pause.
pub fn begin(response: &mut Response, shared: &Shared) {
    let seconds = shared.app.limits().automatic_start_pause.as_secs();
    set(response, shared, &format!("1; Max-Age={seconds}"));
}

/// Ends it.
pub fn end(response: &mut Response, shared: &Shared) {
    set(response, shared, "; Max-Age=0");
}

fn set(response: &mut Response, shared: &Shared, value: &str) {
    let secure = if shared.app.public_url().starts_with("https://") { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path=/; SameSite=Lax; HttpOnly{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
