//! Reading and writing the cookies that pages use.

use axum::http::{HeaderMap, HeaderValue, header};

/// The value of a cookie.
pub(crate) fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

/// A preference cookie. It lasts a year, and scripts cannot read it.
pub(super) fn preference(name: &str, value: &str, is_https: bool) -> Option<HeaderValue> {
    const YEAR: u32 = 365 * 24 * 60 * 60;
    let secure = if is_https { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={YEAR}; SameSite=Lax; HttpOnly{secure}");
    HeaderValue::from_str(&text).ok()
}

/// A session cookie, which the browser drops when it closes.
pub(super) fn session(name: &str, value: &str, is_https: bool) -> Option<HeaderValue> {
    let secure = if is_https { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{name}={value}; Path=/; SameSite=Lax; HttpOnly{secure}")).ok()
}
