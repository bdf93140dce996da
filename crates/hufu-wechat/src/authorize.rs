//! Addresses of WeChat's authorize pages, to which browsers are sent.
//!
//! They are written by hand: WeChat compares the order of the parameters, and the page does not open without
//! the fragment `#wechat_redirect`. A `Location` header must carry the whole text.
//!
//! Sources: "website app" and "web authorization" in WeChat's documentation.

use std::fmt::{self, Write as _};

use url::Url;

use crate::settings::Endpoints;

/// The longest state, in characters.
pub const LONGEST_STATE: usize = 128;

/// The `state` of an authorization: 1 to 128 ASCII letters and digits. WeChat returns nothing else unchanged.
/// It is a secret of the browser's login, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct State(String);

/// The text is not a state that WeChat accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a state has 1 to {LONGEST_STATE} ASCII letters and digits")]
pub struct InvalidState;

impl State {
    /// Parses a state.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidState> {
        let text = text.into();
        let fits = !text.is_empty()
            && text.len() <= LONGEST_STATE
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if fits { Ok(Self(text)) } else { Err(InvalidState) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State(***)")
    }
}

/// The language of the page with the QR code of a website.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageLanguage {
    /// Chinese.
    Chinese,
    /// English.
    English,
}

/// What a web page inside WeChat asks the user for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebScope {
    /// `snsapi_base`: the user's ids, without a question.
    Base,
    /// `snsapi_userinfo`: the profile as well, with the user's consent.
    UserInfo,
}

impl WebScope {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "snsapi_base",
            Self::UserInfo => "snsapi_userinfo",
        }
    }
}

/// The page on which a website's visitor scans a QR code.
///
/// `redirect_uri` must have the host that is registered for the website app. If the visitor refuses, WeChat
/// either returns without a code or not at all.
pub fn website_page(
    endpoints: &Endpoints,
    app_id: &str,
    redirect_uri: &str,
    state: &State,
    language: Option<PageLanguage>,
) -> String {
    let mut page = page(endpoints, "qrconnect", app_id, redirect_uri, "snsapi_login", state);
    page.push_str(match language {
        None => "",
        Some(PageLanguage::Chinese) => "&lang=cn",
        Some(PageLanguage::English) => "&lang=en",
    });
    page.push_str(FRAGMENT);
    page
}

/// The page that authorizes an official account in WeChat's own browser. In any other browser it only says
/// that WeChat is needed.
///
/// With `force_popup`, the user is asked even where WeChat would go on silently.
pub fn official_account_page(
    endpoints: &Endpoints,
    app_id: &str,
    redirect_uri: &str,
    scope: WebScope,
    state: &State,
    force_popup: bool,
) -> String {
    let mut page = page(endpoints, "oauth2/authorize", app_id, redirect_uri, scope.as_str(), state);
    if force_popup {
        page.push_str("&forcePopup=true");
    }
    page.push_str(FRAGMENT);
    page
}

/// The image of a QR code of an official account. It needs no token, but tells WeChat who looks at it: drawing
/// [`QrCode::url`](crate::QrCode::url) oneself does not.
pub fn qr_image(endpoints: &Endpoints, ticket: &str) -> String {
    let mut page = format!("{}/cgi-bin/showqrcode?ticket=", base(&endpoints.mp));
    push_encoded(&mut page, ticket);
    page
}

const FRAGMENT: &str = "#wechat_redirect";

fn page(
    endpoints: &Endpoints,
    path: &str,
    app_id: &str,
    redirect_uri: &str,
    scope: &str,
    state: &State,
) -> String {
    let mut page = format!("{}/connect/{path}?appid=", base(&endpoints.open));
    push_encoded(&mut page, app_id);
    page.push_str("&redirect_uri=");
    push_encoded(&mut page, redirect_uri);
    page.push_str("&response_type=code&scope=");
    page.push_str(scope);
    page.push_str("&state=");
    page.push_str(&state.0);
    page
}

fn base(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// Encodes everything but the unreserved characters of RFC 3986.
fn push_encoded(to: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(to, "%{byte:02X}");
        }
    }
}
