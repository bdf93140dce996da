//! The cookie of the browser sessions. It is sent from frames of other sites as well (`SameSite=None`), because
//! published clients ask there whether somebody is logged in; forms are guarded by their token and `Origin`. Over plain
//! HTTP, which is for development, it cannot be.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use hufu_app::authorization::Browser;

use crate::page::cookies;
use crate::server::Shared;

const fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-hufu" } else { "hufu" }
}

fn is_https(shared: &Shared) -> bool {
    shared.app.public_url().starts_with("https://")
}

/// Who is logged in to the browser of a request.
pub fn read(headers: &HeaderMap, shared: &Shared) -> Browser {
    let text = cookies::read(headers, cookie_name(is_https(shared)));
    text.map(Browser::of_cookie).unwrap_or_default()
}

/// Sets who is logged in to the browser.
pub fn write(response: &mut Response, shared: &Shared, browser: &Browser) {
    let is_https = is_https(shared);
    let site = if is_https { "None; Secure" } else { "Lax" };
    let age = match (browser.is_empty(), browser.keeps()) {
        (true, _) => "; Max-Age=0".to_owned(),
        (false, true) => format!("; Max-Age={}", shared.app.limits().browser_cookie.as_secs()),
        (false, false) => String::new(),
    };
    let name = cookie_name(is_https);
    let value = if browser.is_empty() { String::new() } else { browser.cookie() };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite={site}{age}");
    // Ids and secrets are of characters that a cookie may have.
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
