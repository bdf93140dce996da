//! Pools, and their connections to identity sources.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::application::text_enum;
use crate::{Association, ConnectionId, Identifier, PoolId, PoolSettings};

/// A user pool: users, connections and applications that know nothing of other pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The id.
    pub id: PoolId,
    /// The name.
    pub name: String,
    /// What it decides for its people.
    pub settings: PoolSettings,
}

text_enum! {
    /// A login mode. One connection is one mode with its own credentials.
    ConnectionKind {
        /// Inside a WeChat mini program, by `wx.login`.
        WechatMiniProgram = "wechat:miniprogram:default",
    }
}

/// The name of an Open Platform account within a pool: UnionIDs are unique within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenPlatform(pub Identifier);

impl OpenPlatform {
    /// The account of connections that name none.
    pub const DEFAULT: &str = "default";
}

/// Why a text is no AppID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a WeChat AppID is 'wx' and 16 characters of 0-9 and a-f")]
pub struct WechatAppIdError;

/// The credentials of an app at WeChat.
#[derive(Clone, Debug)]
pub struct WechatApp {
    /// `wx` and 16 hexadecimal digits.
    pub app_id: String,
    /// The AppSecret.
    pub app_secret: SecretString,
}

impl WechatApp {
    /// Checks the form of an AppID.
    ///
    /// # Errors
    /// [`WechatAppIdError`]
    pub fn check_app_id(text: &str) -> Result<(), WechatAppIdError> {
        let digits = text.strip_prefix("wx").ok_or(WechatAppIdError)?;
        let hexadecimal = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if digits.len() == 16 && hexadecimal { Ok(()) } else { Err(WechatAppIdError) }
    }
}

/// A connection of a pool to an identity source.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The id, the `connId` of clients.
    pub id: ConnectionId,
    /// The pool it belongs to.
    pub pool: PoolId,
    /// The name in URLs and SDK calls, fixed once made, unique in the pool.
    pub identifier: Identifier,
    /// The login mode.
    pub kind: ConnectionKind,
    /// The text of its login button.
    pub display_name: String,
    /// Whether strangers are refused instead of made users.
    pub login_only: bool,
    /// Switched off connections serve nobody.
    pub enabled: bool,
    /// Where its UnionIDs are unique.
    pub open_platform: OpenPlatform,
    /// How first logins find their account.
    pub association: Association,
    /// Its credentials.
    pub wechat: WechatApp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_ids() {
        assert!(WechatApp::check_app_id("wx0123456789abcdef").is_ok());
        for bad in
            ["", "wx", "wx0123456789ABCDEF", "wx0123456789abcde", "0123456789abcdef00", "wx0123456789abcdef0"]
        {
            assert_eq!(WechatApp::check_app_id(bad), Err(WechatAppIdError), "{bad:?}");
        }
    }
}
