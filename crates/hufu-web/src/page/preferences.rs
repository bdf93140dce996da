//! Preferences that apply to all pages. The language is set by a link (`?ui_locales=`), the theme by a form.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde::Deserialize;

use super::{Submitted, cookies};
use crate::server::Routes;

/// The cookie that stores the theme.
const COOKIE: &str = "hufu-theme";

/// The color theme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Follow the system.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Every theme, in the order of the menu.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The name used in cookies, in forms and in `data-theme`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What the reader chose.
    pub(super) fn chosen(headers: &HeaderMap) -> Option<Self> {
        let kept = cookies::read(headers, COOKIE);
        Self::ALL.into_iter().find(|theme| kept == Some(theme.as_str()))
    }
}

pub(super) fn routes() -> Routes {
    Routes::new().route("/preferences/theme", post(choose_theme))
}

#[derive(Deserialize)]
struct ThemeForm {
    theme: Theme,
    /// The page to return to.
    back: String,
}

async fn choose_theme(Submitted { viewer, form }: Submitted<ThemeForm>) -> Response {
    let back = if is_own_path(&form.back) { form.back.as_str() } else { "/" };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, back)]).into_response();
    if let Some(cookie) = cookies::preference(COOKIE, form.theme.as_str(), viewer.is_https()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Whether this is a path on this server that no browser mistakes for another host.
fn is_own_path(path: &str) -> bool {
    let mut bytes = path.bytes();
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    plain && bytes.next() == Some(b'/') && bytes.next() != Some(b'/')
}
