//! Apps: their registered settings, and how WeChat treats them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Deserializer, Serialize};

use super::{read, write};
use crate::ids::Ids;
use crate::reply::{WechatError, code};
use crate::{ControlError, MAX_APPS};

/// An AppSecret. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppSecret(String);

impl AppSecret {
    /// The secret as text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for AppSecret {
    fn from(text: String) -> AppSecret {
        AppSecret(text)
    }
}

impl From<&str> for AppSecret {
    fn from(text: &str) -> AppSecret {
        AppSecret(text.to_owned())
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(…)")
    }
}

/// How WeChat treats an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    /// Everything works.
    #[default]
    Ok,
    /// The account is frozen: 50007 where tokens are issued, 50002 elsewhere.
    Frozen,
    /// Punished for a violation: 50004 where tokens are issued, 48004 elsewhere.
    Banned,
    /// The administrator froze the AppSecret: 40243 wherever it is presented.
    SecretFrozen,
    /// The administrator reset the AppSecret, so every configured one is wrong: 40125.
    SecretReset,
    /// The app is gone: 40013 everywhere.
    Deleted,
}

/// The kind of app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppKind {
    /// A mini program (小程序).
    #[default]
    Miniprogram,
    /// A mobile app (移动应用) of the Open Platform.
    Mobile,
}

/// An app to register, or to replace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewApp {
    /// `wx` and 16 hexadecimal digits. Random if absent.
    pub app_id: Option<String>,
    /// What the page calls it, beside the AppID.
    pub name: Option<String>,
    /// Random if absent.
    pub secret: Option<AppSecret>,
    /// The Open Platform account that the app is bound to. Without one, users of the app have no unionid.
    pub open_platform: Option<String>,
    /// The kind of app.
    #[serde(default)]
    pub kind: AppKind,
    /// How WeChat treats it.
    #[serde(default)]
    pub state: AppState,
    /// Returns `countryCode` as a number instead of a string; WeChat's page shows both.
    #[serde(default)]
    pub country_code_as_number: bool,
    /// Whether the app may request phone numbers. If not, such calls return 48001. Apps of personal accounts
    /// may not.
    pub phone_permission: Option<bool>,
}

/// Changes to an app. Absent fields remain unchanged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppPatch {
    /// A new AppSecret. The old one stops working.
    pub secret: Option<AppSecret>,
    /// Another Open Platform account, or `null` for none. The app moves, and the unionids of its users
    /// change.
    #[serde(default, deserialize_with = "present")]
    pub open_platform: Option<Option<String>>,
    /// How WeChat treats the app.
    pub state: Option<AppState>,
    /// See [`NewApp::country_code_as_number`].
    pub country_code_as_number: Option<bool>,
    /// See [`NewApp::phone_permission`].
    pub phone_permission: Option<bool>,
}

/// An app as the control API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppView {
    /// The AppID.
    pub app_id: String,
    /// What the page calls it, if it has a name.
    pub name: Option<String>,
    /// The AppSecret.
    pub secret: AppSecret,
    /// The Open Platform account, if any.
    pub open_platform: Option<String>,
    /// The kind of app.
    pub kind: AppKind,
    /// How WeChat treats it.
    pub state: AppState,
    /// See [`NewApp::country_code_as_number`].
    pub country_code_as_number: bool,
    /// See [`NewApp::phone_permission`].
    pub phone_permission: bool,
}

/// An app inside the sandbox. Its settings are replaced as a whole, so a call always sees a consistent state.
pub(crate) struct App {
    pub(crate) index: u32,
    pub(crate) id: Arc<str>,
    settings: RwLock<Arc<Settings>>,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) name: Option<String>,
    pub(crate) secret: AppSecret,
    pub(crate) open_platform: Option<String>,
    pub(crate) kind: AppKind,
    pub(crate) state: AppState,
    pub(crate) country_code_as_number: bool,
    pub(crate) phone_permission: bool,
}

impl App {
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&read(&self.settings))
    }

    pub(crate) fn view(&self) -> AppView {
        let settings = self.settings();
        AppView {
            app_id: self.id.to_string(),
            name: settings.name.clone(),
            secret: settings.secret.clone(),
            open_platform: settings.open_platform.clone(),
            kind: settings.kind,
            state: settings.state,
            country_code_as_number: settings.country_code_as_number,
            phone_permission: settings.phone_permission,
        }
    }
}

impl Settings {
    /// Checks the app's secret.
    pub(crate) fn check_secret(&self, secret: &str) -> Result<(), WechatError> {
        if self.state == AppState::SecretReset || self.secret.expose() != secret {
            Err(WechatError(code::INVALID_APPSECRET))
        } else if self.state == AppState::SecretFrozen {
            Err(WechatError(code::APPSECRET_FROZEN))
        } else {
            Ok(())
        }
    }

    /// Whether the app may get app tokens.
    pub(crate) fn may_have_tokens(&self) -> Result<(), WechatError> {
        match self.state {
            AppState::Frozen => Err(WechatError(code::ACCOUNT_FROZEN)),
            AppState::Banned => Err(WechatError(code::TOKEN_FORBIDDEN)),
            AppState::Deleted => Err(WechatError(code::INVALID_APPID)),
            AppState::Ok | AppState::SecretFrozen | AppState::SecretReset => Ok(()),
        }
    }

    /// Whether the app may make any other call.
    pub(crate) fn may_call(&self) -> Result<(), WechatError> {
        match self.state {
            AppState::Frozen => Err(WechatError(code::USER_LIMITED)),
            AppState::Banned => Err(WechatError(code::API_FORBIDDEN)),
            AppState::Deleted => Err(WechatError(code::INVALID_APPID)),
            AppState::Ok | AppState::SecretFrozen | AppState::SecretReset => Ok(()),
        }
    }
}

/// Every app, by AppID and in the order of registration.
#[derive(Default)]
pub(crate) struct Apps {
    all: RwLock<Registry>,
}

#[derive(Default)]
struct Registry {
    by_id: HashMap<Arc<str>, Arc<App>>,
    in_order: Vec<Arc<App>>,
}

impl Apps {
    pub(crate) fn get(&self, app_id: &str) -> Option<Arc<App>> {
        read(&self.all).by_id.get(app_id).cloned()
    }

    pub(crate) fn at(&self, index: u32) -> Option<Arc<App>> {
        read(&self.all).in_order.get(usize::try_from(index).ok()?).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<App>> {
        read(&self.all).in_order.clone()
    }

    /// Registers an app, or replaces the settings of the one with this AppID. Returns whether it is new.
    pub(crate) fn put(&self, new: NewApp, ids: &Ids) -> Result<(Arc<App>, bool), ControlError> {
        let app_id = new.app_id.unwrap_or_else(|| format!("wx{}", ids.hex(8)));
        if !is_app_id(&app_id) {
            return Err(ControlError::Invalid("app_id must be \"wx\" and 16 lower-case hexadecimal digits"));
        }
        let settings = Settings {
            name: checked_name("name must be at most 64 bytes without control characters", new.name)?,
            secret: checked_secret(new.secret.unwrap_or_else(|| AppSecret(ids.hex(16))))?,
            open_platform: checked_open_platform(new.open_platform)?,
            kind: new.kind,
            state: new.state,
            country_code_as_number: new.country_code_as_number,
            phone_permission: new.phone_permission.unwrap_or(true),
        };
        let mut all = write(&self.all);
        if let Some(app) = all.by_id.get(app_id.as_str()) {
            *write(&app.settings) = Arc::new(settings);
            return Ok((Arc::clone(app), false));
        }
        let index = u32::try_from(all.in_order.len()).unwrap_or(u32::MAX);
        if all.in_order.len() >= MAX_APPS {
            return Err(ControlError::Full("apps"));
        }
        let id: Arc<str> = app_id.into();
        let app = Arc::new(App { index, id: Arc::clone(&id), settings: RwLock::new(Arc::new(settings)) });
        all.by_id.insert(id, Arc::clone(&app));
        all.in_order.push(Arc::clone(&app));
        Ok((app, true))
    }

    pub(crate) fn patch(&self, app_id: &str, patch: AppPatch) -> Result<Arc<App>, ControlError> {
        let app = self.get(app_id).ok_or(ControlError::UnknownApp)?;
        let secret = patch.secret.map(checked_secret).transpose()?;
        let open_platform = patch.open_platform.map(checked_open_platform).transpose()?;
        let mut held = write(&app.settings);
        let mut settings = Settings::clone(&held);
        settings.secret = secret.unwrap_or(settings.secret);
        settings.open_platform = open_platform.unwrap_or(settings.open_platform);
        settings.state = patch.state.unwrap_or(settings.state);
        settings.country_code_as_number =
            patch.country_code_as_number.unwrap_or(settings.country_code_as_number);
        settings.phone_permission = patch.phone_permission.unwrap_or(settings.phone_permission);
        *held = Arc::new(settings);
        drop(held);
        Ok(app)
    }
}

/// Whether text has the format of an AppID. Other text is not written to the call log, in case it is a
/// secret.
pub(crate) fn is_app_id(text: &str) -> bool {
    text.strip_prefix("wx")
        .is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

fn checked_secret(secret: AppSecret) -> Result<AppSecret, ControlError> {
    let bytes = secret.expose().as_bytes();
    let good = (1..=128).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    good.then_some(secret).ok_or(ControlError::Invalid("secret must be 1 to 128 visible ASCII characters"))
}

fn checked_open_platform(name: Option<String>) -> Result<Option<String>, ControlError> {
    checked_name("open_platform must be at most 64 bytes without control characters", name)
}

fn checked_name(refusal: &'static str, name: Option<String>) -> Result<Option<String>, ControlError> {
    let name = name.filter(|name| !name.is_empty());
    if name.as_ref().is_some_and(|name| name.len() > 64 || name.chars().any(char::is_control)) {
        return Err(ControlError::Invalid(refusal));
    }
    Ok(name)
}

/// Distinguishes `null` from absent: this runs only for present values.
#[expect(clippy::option_option, reason = "absent, null and a name mean three different things")]
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}
