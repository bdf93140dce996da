//! Cookies that a page keeps something secret in: no script reads them, and requests from pages of other sites do not bring
//! them along, but for links that somebody follows.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::cookies;
use crate::server::Shared;

/// A cookie of one purpose. The browser drops it when it closes.
#[derive(Debug)]
pub struct PrivateCookie {
    /// The name over https, which begins with `__Host-`.
    https: &'static str,
    /// The name over plain HTTP, which is for development.
    http: &'static str,
}

impl PrivateCookie {
    /// A cookie with these names.
    pub const fn new(https: &'static str, http: &'static str) -> Self {
        Self { https, http }
    }

    fn name(&self, shared: &Shared) -> (&'static str, &'static str) {
        if shared.app.public_url().starts_with("https://") {
            (self.https, "; Secure")
        } else {
            (self.http, "")
        }
    }

    /// Its value.
    pub fn read<'h>(&self, headers: &'h HeaderMap, shared: &Shared) -> Option<&'h str> {
        cookies::read(headers, self.name(shared).0).filter(|value| !value.is_empty())
    }

    /// Sets it to a value of characters that a cookie may have.
    pub fn set(&self, response: &mut Response, shared: &Shared, value: &str) {
        self.write(response, shared, value);
    }

    /// Takes it away.
    pub fn clear(&self, response: &mut Response, shared: &Shared) {
        self.write(response, shared, "; Max-Age=0");
    }

    fn write(&self, response: &mut Response, shared: &Shared, value: &str) {
        let (name, secure) = self.name(shared);
        if let Ok(value) =
            HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"))
        {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}
