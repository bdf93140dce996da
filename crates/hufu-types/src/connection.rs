//! Pools, and their connections to identity sources.

use std::fmt;

use secrecy::zeroize::Zeroize as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::application::text_enum;
use crate::{
    ApplicationKind, Association, ConnectionExtras, ConnectionId, Identifier, MatchField, PoolId,
    PoolSettings, Timestamp, Usually,
};

/// A user pool: users, connections and applications, isolated from other pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The id.
    pub id: PoolId,
    /// The name.
    pub name: String,
    /// The settings for its users.
    pub settings: PoolSettings,
}

/// Whether a pool serves its users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolState {
    /// It does.
    #[default]
    On,
    /// An administrator has switched it off. Nobody logs in, and no token holds, until it is on again.
    Off,
    /// It was removed, and serves nobody. Until this time it comes back, then its rows go.
    Removed(Timestamp),
    /// Its rows are going. For everybody there is no such pool.
    Going,
}

impl PoolState {
    /// The state that the database's columns say.
    pub fn of(enabled: bool, goes_at: Option<Timestamp>) -> Self {
        match goes_at {
            Some(Timestamp(0)) => Self::Going,
            Some(at) => Self::Removed(at),
            None if enabled => Self::On,
            None => Self::Off,
        }
    }

    /// The name in `/admin/v1`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Removed(_) | Self::Going => "removed",
        }
    }
}

/// The table of login modes: the name in files and database tables, the application kinds that may use the
/// mode, the fields that its source can prove and that can therefore be used to find accounts, and whether a login may
/// return to an address with its result. Everything else about a mode is in its own module.
macro_rules! connection_kinds {
    ($(
        $(#[$doc:meta])*
        $kind:ident = $name:literal, for [$($application:ident),*], proves [$($field:ident),*],
        callback $callback:literal;
    )*) => {
        text_enum! {
            /// A login mode. Each connection has one mode, with its own credentials.
            ConnectionKind { $($(#[$doc])* $kind = $name),* }
        }

        impl ConnectionKind {
            /// The application kinds for which connections of this kind can be enabled.
            pub const fn applications(self) -> &'static [ApplicationKind] {
                match self { $(Self::$kind => &[$(ApplicationKind::$application),*]),* }
            }

            /// The fields that a source of this kind can prove.
            pub const fn proves(self) -> &'static [MatchField] {
                match self { $(Self::$kind => &[$(MatchField::$field),*]),* }
            }

            /// Whether a login in a browser may return to an address with its result, so that connections of this kind
            /// may have [`ConnectionExtras::callback`].
            pub const fn has_callback(self) -> bool {
                match self { $(Self::$kind => $callback),* }
            }
        }
    };
}

// A business often uses one application for its website, its native app and its mini program. No users log in
// to an `api` application. WeChat confirms the phone number in a mini program, but neither e-mail addresses
// nor external ids.
connection_kinds! {
    /// Inside a WeChat mini program, with `wx.login`.
    WechatMiniProgram = "wechat:miniprogram:default", for [Web, Spa, Native, MiniProgram], proves [Phone],
        callback false;
    /// On a website, by scanning the code of a mini program, whose person confirms there.
    WechatMiniProgramScan = "wechat:miniprogram:qrconnect", for [Web, Spa], proves [Phone], callback true;
    /// In a native app, with the code from WeChat's OpenSDK.
    WechatMobile = "wechat:mobile", for [Native], proves [], callback false;
    /// In a native app, with the codes of a mini program that the app launches.
    WechatAppLaunch = "wechat:miniprogram:app-launch", for [Native], proves [Phone], callback false;
    /// On a website, by scanning a QR code of WeChat's.
    WechatPc = "wechat:pc", for [Web, Spa], proves [], callback true;
    /// On a web page in WeChat's own browser.
    WechatWebpage = "wechat:webpage-authorization", for [Web, Spa], proves [], callback true;
    /// By following an official account, or by scanning its QR code as a follower.
    WechatOfficialAccount = "wechatmp-qrcode", for [Web, Spa, Native], proves [], callback false;
}

/// The name of a WeChat Open Platform account within a pool. UnionIDs are unique within one such account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenPlatform(pub Identifier);

impl OpenPlatform {
    /// The account of connections that do not name one.
    pub const DEFAULT: &str = "default";
}

/// The settings of a connection: the values of the fields of its kind, by name. Some of them are secrets, so
/// `Debug` shows only the names, and the values are wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionSettings(Map<String, Value>);

impl ConnectionSettings {
    /// The value of a field, if set.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// The text of a field, if set.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.get(field)?.as_str()
    }

    /// The values of all fields, by name.
    pub const fn values(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The values of all fields, by name.
    pub const fn values_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// Sets a field.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.0.insert(field.to_owned(), value.into());
    }
}

impl From<Map<String, Value>> for ConnectionSettings {
    fn from(values: Map<String, Value>) -> Self {
        Self(values)
    }
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Drop for ConnectionSettings {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// The settings of a connection that a node serves, in less room than a map. `Debug` and what happens when they are dropped
/// are as for [`ConnectionSettings`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServedSettings(Box<[(Box<str>, Value)]>);

impl ServedSettings {
    /// The value of a field, if set.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| **name == *field).map(|(_, value)| value)
    }

    /// The text of a field, if set.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.get(field)?.as_str()
    }
}

impl From<ConnectionSettings> for ServedSettings {
    fn from(mut settings: ConnectionSettings) -> Self {
        let values = std::mem::take(&mut settings.0);
        Self(values.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl fmt::Debug for ServedSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Drop for ServedSettings {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| wipe(value));
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(values) => values.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A connection of a pool to an identity source.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The id; the `connId` of clients.
    pub id: ConnectionId,
    /// The pool it belongs to.
    pub pool: PoolId,
    /// The name in URLs and SDK calls. Unique in the pool; cannot be changed.
    pub identifier: Identifier,
    /// The login mode.
    pub kind: ConnectionKind,
    /// The label of its login button.
    pub display_name: String,
    /// Whether unknown people are rejected instead of becoming new users.
    pub login_only: bool,
    /// Disabled connections reject all logins.
    pub enabled: bool,
    /// The Open Platform account within which its UnionIDs are unique.
    pub open_platform: OpenPlatform,
    /// How a first login finds its account.
    pub association: Usually<Association>,
    /// The values of the fields of its kind.
    pub settings: ServedSettings,
    /// What a connection of any kind may have besides.
    pub extras: Usually<ConnectionExtras>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_show_their_names_alone() {
        let mut settings = ConnectionSettings::default();
        settings.set("app_secret", "5ec2e7");
        assert_eq!(settings.text("app_secret"), Some("5ec2e7"));
        assert_eq!(format!("{settings:?}"), r#"{"app_secret"}"#);
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<ConnectionSettings>(&json).unwrap(), settings);
    }
}
