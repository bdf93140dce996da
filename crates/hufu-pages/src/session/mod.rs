//! The pages about who is logged in to a browser: consent, the choice of an account, the login of a device, and the
//! logout.

mod accounts;
mod consent;
mod device;
mod sign_out;

use std::sync::{Arc, LazyLock};

use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use hufu_app::authorization::{Browser, BrowserAccount, Given, OpenRequest};
use hufu_app::{Origin, Refusal};
use hufu_types::refusal::Code;
use hufu_types::{BrowserSessionId, Language, Texts};
use hufu_web::oidc::{browser, outcome};
use hufu_web::page::{Viewer, refused_page};
use hufu_web::request::Head;
use hufu_web::server::{Routes, Shared};

use crate::looks::Looks;

/// The texts of these pages.
pub static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(&[
        (Language::SimplifiedChinese, include_str!("../../texts/session/zh-CN.ftl")),
        (Language::TraditionalChinese, include_str!("../../texts/session/zh-TW.ftl")),
        (Language::English, include_str!("../../texts/session/en.ftl")),
        (Language::Japanese, include_str!("../../texts/session/ja.ftl")),
    ])
});

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/consent", get(consent::show).post(consent::decide))
        .route("/accounts", get(accounts::show).post(accounts::choose))
        .route("/device", get(device::enter).post(device::entered))
        .route("/device/confirm", get(device::ask).post(device::answer))
        .route("/device/done", get(device::done))
        .route("/oidc/session/end", get(sign_out::ask_by_query).post(sign_out::ask_by_form))
        .route("/login/profile/logout", get(sign_out::ask_by_query))
        .route("/signed-out", post(sign_out::confirm).get(sign_out::done))
}

/// An account as these pages show it. Names are masked as little as helps: they are the reader's own.
pub(crate) struct Shown {
    pub(crate) id: String,
    /// The first letter of the name, if it has one.
    pub(crate) initial: Option<String>,
    pub(crate) name: String,
    /// A login name beneath, where the name is not one.
    pub(crate) login_name: Option<String>,
}

impl Shown {
    pub(crate) fn of(account: &BrowserAccount) -> Self {
        let user = &account.user;
        let login_names = [
            user.phone.as_ref().map(|(phone, _)| phone.masked()),
            user.email.as_ref().map(hufu_types::Email::masked),
            user.username.as_ref().map(|name| name.as_str().to_owned()),
        ];
        let mut login_names = login_names.into_iter().flatten();
        let given = user.profile.nickname.clone().or_else(|| user.profile.name.clone());
        let (name, login_name) = match given.filter(|name| !name.trim().is_empty()) {
            Some(name) => (name, login_names.next()),
            None => (login_names.next().unwrap_or_else(|| user.id.to_string()), None),
        };
        let initial = name.chars().find(|c| c.is_alphabetic()).map(|letter| letter.to_uppercase().collect());
        Self { id: account.id().as_str().to_owned(), initial, name, login_name }
    }
}

/// Who asks, from where, and whose browser it is.
pub(crate) struct Asker {
    pub(crate) viewer: Viewer,
    pub(crate) browser: Browser,
    pub(crate) origin: Origin,
}

impl Asker {
    pub(crate) fn new(viewer: Viewer, headers: &HeaderMap, head: &Head, shared: &Shared) -> Self {
        let origin = Origin { browser: Some(viewer.browser_mark()), ..head.origin() };
        Self { browser: browser::read(headers, shared), viewer, origin }
    }

    /// The asker as the reader of a page about this request. `Looks` are those of its application.
    pub(crate) fn for_request(&self, looks: &Looks, open: &OpenRequest) -> Viewer {
        looks.on(self.viewer.clone(), open.request.ui_locales.as_deref())
    }

    pub(crate) fn refuse(&self, refusal: &Refusal) -> Response {
        refused_page(refusal, &self.viewer)
    }
}

/// Goes on with an authorization request after the person did something for it.
pub(crate) async fn go_on(
    shared: &Shared,
    asker: &Asker,
    open: &OpenRequest,
    browser: &Browser,
    given: &Given,
) -> Result<Response, Refusal> {
    let next = shared.app.authorize(open, browser, given, &asker.origin).await?;
    outcome::next(shared, &asker.viewer, open, next)
}

/// The id of a browser session in a form.
pub(crate) fn session_id(text: &str) -> Result<BrowserSessionId, Refusal> {
    BrowserSessionId::parse(text).map_err(|_| Code::FormIncomplete.into())
}

/// What pages need of the server.
pub(crate) type State = axum::extract::State<Arc<Shared>>;
