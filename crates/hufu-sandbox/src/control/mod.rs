//! The operations that testers use to control the sandbox: through the Rust API, over HTTP or on the page.

mod guard;
pub(crate) mod http;
pub(crate) mod seal;

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
pub(crate) use guard::guard_page;
use serde_json::json;

use crate::api::PATHS;
use crate::ids::{LoginCode, PersonKey};
use crate::state::apps::App;
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
            ControlError::Invalid(_) | ControlError::Json(_) | ControlError::UnknownPath => {
                StatusCode::BAD_REQUEST
            }
            ControlError::UnknownApp | ControlError::UnknownUser | ControlError::UnknownCode => {
                StatusCode::NOT_FOUND
            }
            ControlError::NoPhone | ControlError::NoSession | ControlError::Full(_) => StatusCode::CONFLICT,
            ControlError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
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
            risky: person.risky,
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
        let generate = |_| {
            let code = self.ids.login_code();
            let person = person.unwrap_or_else(|| self.ids.fresh_person());
            self.login_codes.issue(code, app.index, person, now);
            String::from_utf8_lossy(&code).into_owned()
        };
        Ok((0..count).map(generate).collect())
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
