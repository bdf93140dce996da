//! CSRF tokens of forms. Every browser has a random secret in a cookie that scripts cannot read. The token of
//! a form is the HMAC of the form's path under that secret. A token is therefore valid for one form in one
//! browser, any node can check it, and nothing is stored.
//!
//! Over https the cookie has the prefix `__Host-`, so that a sibling domain cannot set it. The origin of a
//! request is checked as well: see [`is_own`].

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::{Random, TokenHash};

use super::cookies;

/// The secret of a browser.
#[derive(Clone)]
pub(super) struct BrowserSecret {
    text: String,
    /// The secret was created for this request, so the response may have to set the cookie.
    pub(super) is_new: bool,
}

const SECRET_BYTES: usize = 32;

impl BrowserSecret {
    /// The browser's secret from its cookie, or a new one.
    pub(super) fn of(headers: &HeaderMap, is_https: bool, random: &dyn Random) -> Self {
        let held = cookies::read(headers, cookie_name(is_https)).filter(|text| is_secret(text));
        held.map_or_else(
            || {
                let mut bytes = [0; SECRET_BYTES];
                random.fill(&mut bytes);
                Self { text: URL_SAFE_NO_PAD.encode(bytes), is_new: true }
            },
            |text| Self { text: text.to_owned(), is_new: false },
        )
    }

    /// The token of the form that is submitted to this path.
    pub(super) fn token(&self, path: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key(), path.as_bytes()))
    }

    /// Whether this is the token of the form that is submitted to this path. Compares in constant time.
    pub(super) fn opens(&self, path: &str, token: &str) -> bool {
        let Ok(tag) = URL_SAFE_NO_PAD.decode(token) else { return false };
        !self.is_new && hmac::verify(&self.key(), path.as_bytes(), &tag).is_ok()
    }

    /// The cookie that stores the secret in the browser.
    pub(super) fn cookie(&self, is_https: bool) -> Option<HeaderValue> {
        cookies::session(cookie_name(is_https), &self.text, is_https)
    }

    /// What stands for the browser in the database.
    pub(super) fn mark(&self) -> TokenHash {
        let mut hash = [0; 32];
        let digest = digest(&SHA256, self.text.as_bytes());
        for (to, from) in hash.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        TokenHash(hash)
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.text.as_bytes())
    }
}

const fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-hufu-form" } else { "hufu-form" }
}

fn is_secret(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == SECRET_BYTES)
}

/// Whether a form was submitted from a page of this host. Browsers report this in `Origin` and
/// `Sec-Fetch-Site`, and the form is rejected if either of them names another origin, or is there more than
/// once, which no browser does. Old browsers send neither header; for them the token alone decides.
pub(super) fn is_own(headers: &HeaderMap, own_origin: &str) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let site_is_own = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
    let origin_is_own = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let bare = origin.split_once("://").map(|(_, host)| host);
        origin.eq_ignore_ascii_case(own_origin) || bare.is_some_and(|bare| bare.eq_ignore_ascii_case(host))
    };
    let only = |name: &str, is_own: &dyn Fn(&HeaderValue) -> bool| {
        let mut values = headers.get_all(name).iter();
        values.next().is_none_or(is_own) && values.next().is_none()
    };
    only("sec-fetch-site", &site_is_own) && only("origin", &origin_is_own)
}
