//! Apps: their registered settings, and how WeChat treats them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Deserializer, Serialize};

pub use super::kinds::{AppKind, AppSecret, AppState};
use super::messages::Messages;
use super::{read, write};
use crate::ids::{Ids, original_id_of};
use crate::reply::{WechatError, code};
use crate::{ControlError, MAX_APPS};

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
    /// The hosts that WeChat may send users back to: the callback domain of a website, or the web authorization
    /// domain of an account. Without any, every host is allowed.
    #[serde(default)]
    pub domains: Vec<String>,
    /// `gh_` and 12 hexadecimal digits. Derived from the AppID if absent.
    pub original_id: Option<String>,
    /// Where and how WeChat pushes messages.
    pub messages: Option<Messages>,
    /// The addresses that may ask for app tokens; others get 40164. Without any, every address may.
    #[serde(default)]
    pub ip_allow: Vec<IpAddr>,
    /// The pages of the released mini program. Without any, every page exists.
    #[serde(default)]
    pub pages: Vec<String>,
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
    /// See [`NewApp::domains`].
    pub domains: Option<Vec<String>>,
    /// Other push settings, or `null` for none.
    #[serde(default, deserialize_with = "present")]
    pub messages: Option<Option<Messages>>,
    /// See [`NewApp::ip_allow`].
    pub ip_allow: Option<Vec<IpAddr>>,
    /// See [`NewApp::pages`].
    pub pages: Option<Vec<String>>,
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
    /// See [`NewApp::domains`].
    pub domains: Vec<String>,
    /// See [`NewApp::original_id`].
    pub original_id: String,
    /// See [`NewApp::messages`].
    pub messages: Option<Messages>,
    /// See [`NewApp::ip_allow`].
    pub ip_allow: Vec<IpAddr>,
    /// See [`NewApp::pages`].
    pub pages: Vec<String>,
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
    pub(crate) domains: Vec<String>,
    pub(crate) original_id: String,
    pub(crate) messages: Option<Messages>,
    pub(crate) ip_allow: Vec<IpAddr>,
    pub(crate) pages: Vec<String>,
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
            domains: settings.domains.clone(),
            original_id: settings.original_id.clone(),
            messages: settings.messages.clone(),
            ip_allow: settings.ip_allow.clone(),
            pages: settings.pages.clone(),
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

    /// Whether WeChat may send a user back to this host.
    pub(crate) fn allows_host(&self, host: &str) -> bool {
        self.domains.is_empty() || self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }

    /// Whether this address may ask for app tokens. An IPv4 address may also come in its IPv6 form.
    pub(crate) fn check_address(&self, address: IpAddr) -> Result<(), WechatError> {
        let address = address.to_canonical();
        let known = self.ip_allow.is_empty() || self.ip_allow.iter().any(|ip| ip.to_canonical() == address);
        if known { Ok(()) } else { Err(WechatError(code::INVALID_IP)) }
    }

    /// Whether the mini program has a released version.
    pub(crate) fn is_released(&self) -> bool {
        self.state != AppState::Unreleased
    }

    /// Whether the released mini program has this page.
    pub(crate) fn has_page(&self, page: &str) -> bool {
        self.is_released() && (self.pages.is_empty() || self.pages.iter().any(|one| one == page))
    }

    /// Whether the app may get app tokens.
    pub(crate) fn may_have_tokens(&self) -> Result<(), WechatError> {
        match self.state {
            AppState::Frozen => Err(WechatError(code::ACCOUNT_FROZEN)),
            AppState::Banned => Err(WechatError(code::TOKEN_FORBIDDEN)),
            AppState::Deleted => Err(WechatError(code::INVALID_APPID)),
            AppState::Ok | AppState::SecretFrozen | AppState::SecretReset | AppState::Unreleased => Ok(()),
        }
    }

    /// Whether the app may make any other call.
    pub(crate) fn may_call(&self) -> Result<(), WechatError> {
        match self.state {
            AppState::Frozen => Err(WechatError(code::USER_LIMITED)),
            AppState::Banned => Err(WechatError(code::API_FORBIDDEN)),
            AppState::Deleted => Err(WechatError(code::INVALID_APPID)),
            AppState::Ok | AppState::SecretFrozen | AppState::SecretReset | AppState::Unreleased => Ok(()),
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
            secret: checked_secret(new.secret.unwrap_or_else(|| AppSecret::from(ids.hex(16))))?,
            open_platform: checked_open_platform(new.open_platform)?,
            kind: new.kind,
            state: new.state,
            country_code_as_number: new.country_code_as_number,
            phone_permission: new.phone_permission.unwrap_or(true),
            domains: checked_domains(new.domains)?,
            original_id: checked_original_id(new.original_id.unwrap_or_else(|| original_id_of(&app_id)))?,
            messages: new.messages.map(Messages::checked).transpose()?,
            ip_allow: new.ip_allow,
            pages: new.pages,
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
        let domains = patch.domains.map(checked_domains).transpose()?;
        let messages = match patch.messages {
            Some(Some(messages)) => Some(Some(messages.checked()?)),
            other => other,
        };
        let mut held = write(&app.settings);
        let mut settings = Settings::clone(&held);
        settings.secret = secret.unwrap_or(settings.secret);
        settings.open_platform = open_platform.unwrap_or(settings.open_platform);
        settings.state = patch.state.unwrap_or(settings.state);
        settings.country_code_as_number =
            patch.country_code_as_number.unwrap_or(settings.country_code_as_number);
        settings.phone_permission = patch.phone_permission.unwrap_or(settings.phone_permission);
        settings.domains = domains.unwrap_or(settings.domains);
        settings.messages = messages.unwrap_or(settings.messages);
        settings.ip_allow = patch.ip_allow.unwrap_or(settings.ip_allow);
        settings.pages = patch.pages.unwrap_or(settings.pages);
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

fn checked_domains(domains: Vec<String>) -> Result<Vec<String>, ControlError> {
    let is_host = |domain: &String| {
        (1..=253).contains(&domain.len())
            && domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    };
    if domains.iter().all(is_host) {
        Ok(domains)
    } else {
        Err(ControlError::Invalid("domains are host names, without scheme, port and path"))
    }
}

fn checked_original_id(id: String) -> Result<String, ControlError> {
    let good = id.strip_prefix("gh_").is_some_and(|rest| {
        (1..=32).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    good.then_some(id).ok_or(ControlError::Invalid("original_id must be \"gh_\" and letters or digits"))
}

/// Distinguishes `null` from absent: this runs only for present values.
#[expect(clippy::option_option, reason = "absent, null and a value mean three different things")]
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}
