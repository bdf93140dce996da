//! The operations that testers use to control the sandbox: through the Rust API, over HTTP or on the page.

mod guard;
pub(crate) mod http;
pub(crate) mod phone;
pub(crate) mod seal;

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
pub(crate) use guard::guard_page;
use serde_json::{Value, json};

use crate::api::PATHS;
use crate::ids::{LoginCode, PersonKey};
use crate::state::apps::{App, AppKind};
use crate::state::codes::{Grant, Scope};
use crate::state::people::{AppIds, NewUser, Person, UserView};
use crate::state::{State, lock};

/// Why a control call was refused.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// An invalid value.
    #[error("{0}")]
    Invalid(&'static str),
    /// The body is not JSON that this call accepts.
    #[error("not a valid body for this call: {0}")]
    Json(#[from] serde_json::Error),
    /// The sandbox has no such endpoint.
    #[error("the sandbox has no such endpoint; path is one of {}", PATHS.join(", "))]
    UnknownPath,
    /// No app has this AppID.
    #[error("no app has this app_id; register it at /__sandbox/apps")]
    UnknownApp,
    /// No person has this name.
    #[error("nobody has this name; create them at /__sandbox/users, or omit the name for a new person")]
    UnknownUser,
    /// The login code does not exist, has expired, or belongs to another app.
    #[error("this login code does not exist, has expired, or is another app's")]
    UnknownCode,
    /// WeChat shows a page with this code instead of asking the person.
    #[error("WeChat shows its error page {0}")]
    Page(i32),
    /// The link lacks `#wechat_redirect`.
    #[error("the link does not end in #wechat_redirect; WeChat does not open it")]
    NoFragment,
    /// No such QR code, or one that cannot be scanned any more.
    #[error("there is no such code, or it has expired; see /__sandbox/pending")]
    UnknownQrCode,
    /// The call is for official accounts.
    #[error("this app is not an official account")]
    NotAnAccount,
    /// The app has no message URL.
    #[error("this app has no messages.url")]
    NoMessageUrl,
    /// The person does not follow the account.
    #[error("this person does not follow the account")]
    NotAFollower,
    /// Nothing says which server the login mini program speaks to.
    #[error("login_mini_program_host is not set; set it at /__sandbox/settings")]
    NoLoginHost,
    /// The person has no phone number.
    #[error("this person has no phone number")]
    NoPhone,
    /// The person has never logged in to the app, so there is no session key to encrypt with.
    #[error("this person has no session in this app; exchange a login code first, or pass the code")]
    NoSession,
    /// The sandbox is full.
    #[error("the sandbox is full: no more {0}")]
    Full(&'static str),
    /// The sandbox itself failed.
    #[error("the sandbox failed")]
    Internal,
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            ControlError::Invalid(_)
            | ControlError::Json(_)
            | ControlError::UnknownPath
            | ControlError::Page(_)
            | ControlError::NoFragment
            | ControlError::NotAnAccount => StatusCode::BAD_REQUEST,
            ControlError::UnknownApp
            | ControlError::UnknownUser
            | ControlError::UnknownCode
            | ControlError::UnknownQrCode => StatusCode::NOT_FOUND,
            ControlError::NoPhone
            | ControlError::NoSession
            | ControlError::NoMessageUrl
            | ControlError::NotAFollower
            | ControlError::NoLoginHost
            | ControlError::Full(_) => StatusCode::CONFLICT,
            ControlError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut body = json!({ "error": self.to_string() });
        if let (ControlError::Page(errcode), Value::Object(fields)) = (&self, &mut body) {
            fields.insert("errcode".to_owned(), (*errcode).into());
        }
        (status, Json(body)).into_response()
    }
}

impl State {
    pub(crate) fn app(&self, app_id: &str) -> Result<Arc<App>, ControlError> {
        self.apps.get(app_id).ok_or(ControlError::UnknownApp)
    }

    pub(crate) fn put_person(&self, new: NewUser) -> Result<(Arc<Person>, bool), ControlError> {
        self.people.put(new, || format!("person-{}", self.ids.hex(5)))
    }

    /// The person with this name; without a name, or for `new`, a new person.
    pub(crate) fn person_or_fresh(&self, name: Option<&str>) -> Result<Arc<Person>, ControlError> {
        match name {
            None | Some("" | "new") => Ok(self.put_person(NewUser::default())?.0),
            Some(name) => self.people.named(name),
        }
    }

    /// The person with this key. A person without a name is anonymous.
    pub(crate) fn person_of(&self, key: PersonKey) -> Arc<Person> {
        self.people.get(key).unwrap_or_else(|| Arc::new(Person::anonymous(key)))
    }

    pub(crate) fn ids_in(&self, app: &App, person: PersonKey) -> AppIds {
        let unionid = app.settings().open_platform.as_ref().map(|name| self.ids.unionid(name, person));
        AppIds {
            app_id: app.id.to_string(),
            openid: self.ids.openid(&app.id, person).as_str().to_owned(),
            unionid: unionid.map(|unionid| unionid.as_str().to_owned()),
        }
    }

    pub(crate) fn view(&self, person: &Person) -> UserView {
        UserView {
            name: person.name.clone(),
            phone: person.phone.clone(),
            country_code: person.country_code.clone(),
            nickname: person.nickname.clone(),
            avatar_url: person.avatar_url.clone(),
            language: person.language.clone(),
            risky: person.risky,
            snapshot: person.snapshot,
            offline: person.offline,
            slow: person.slow,
            hide_phone: person.hide_phone,
            ids: self.apps.all().iter().map(|app| self.ids_in(app, person.key)).collect(),
        }
    }

    /// Creates `count` login codes, all for one person or each for a new person.
    pub(crate) fn login_codes(
        &self,
        app: &App,
        person: Option<PersonKey>,
        count: usize,
    ) -> Result<Vec<String>, ControlError> {
        let now = self.clock.now();
        if !self.login_codes.has_room(count, now) {
            return Err(ControlError::Full("codes"));
        }
        let kind = app.settings().kind;
        let life = kind.code_life();
        let scope = if kind == AppKind::Website { Scope::Login } else { Scope::UserInfo };
        let grant = Grant { scope, snapshot: false };
        let generate = |_| {
            let code = self.ids.login_code();
            let person = person.unwrap_or_else(|| self.ids.fresh_person());
            self.login_codes.issue_for(code, (app.index, person), grant, now.saturating_add(life), now);
            String::from_utf8_lossy(&code).into_owned()
        };
        Ok((0..count).map(generate).collect())
    }

    /// Creates the code of what a person agreed to.
    pub(crate) fn granted_code(
        &self,
        app: &App,
        person: PersonKey,
        grant: Grant,
    ) -> Result<String, ControlError> {
        let now = self.clock.now();
        if !self.login_codes.has_room(1, now) {
            return Err(ControlError::Full("codes"));
        }
        let code = self.ids.login_code();
        let ends = now.saturating_add(app.settings().kind.code_life());
        self.login_codes.issue_for(code, (app.index, person), grant, ends, now);
        Ok(String::from_utf8_lossy(&code).into_owned())
    }

    pub(crate) fn phone_code(&self, app: &App, person: &Person) -> Result<String, ControlError> {
        if person.phone.is_empty() {
            return Err(ControlError::NoPhone);
        }
        let now = self.clock.now();
        if !self.phone_codes.has_room(1, now) {
            return Err(ControlError::Full("codes"));
        }
        let code = self.ids.phone_code();
        self.phone_codes.issue(code, app.index, person.key, now);
        Ok(String::from_utf8_lossy(&code).into_owned())
    }

    /// The person that a login code of this app was created for, whether or not it has been used.
    pub(crate) fn holder(&self, app: &App, code: &str) -> Result<(PersonKey, LoginCode), ControlError> {
        let code: LoginCode = code.as_bytes().try_into().map_err(|_| ControlError::UnknownCode)?;
        let issued = self.login_codes.peek(&code, self.clock.now()).ok_or(ControlError::UnknownCode)?;
        if issued.app == app.index { Ok((issued.person, code)) } else { Err(ControlError::UnknownCode) }
    }

    pub(crate) fn discard_tokens(&self, app_id: &str) -> Result<(), ControlError> {
        let app = self.app(app_id)?;
        lock(&self.tokens).discard(app.index, self.clock.now());
        Ok(())
    }
}
