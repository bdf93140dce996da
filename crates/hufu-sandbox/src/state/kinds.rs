//! What an app is, how WeChat treats it, and its secret.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::codes::CODE_LIFE;
use crate::clock::Millis;

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
    /// A mini program without a released version: 41030 or 85079 where one is needed.
    Unreleased,
}

/// The kind of app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// A mini program (小程序).
    #[default]
    Miniprogram,
    /// A mobile app (移动应用) of the Open Platform.
    Mobile,
    /// A website (网站应用) of the Open Platform.
    Website,
    /// A verified service account (服务号).
    ServiceAccount,
    /// A subscription account (订阅号), which may neither authorize users nor create QR codes.
    SubscriptionAccount,
}

impl AppKind {
    /// Every kind.
    pub(crate) const ALL: [AppKind; 5] = [
        AppKind::Miniprogram,
        AppKind::Mobile,
        AppKind::Website,
        AppKind::ServiceAccount,
        AppKind::SubscriptionAccount,
    ];

    /// The kind's name in the control API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            AppKind::Miniprogram => "miniprogram",
            AppKind::Mobile => "mobile",
            AppKind::Website => "website",
            AppKind::ServiceAccount => "service_account",
            AppKind::SubscriptionAccount => "subscription_account",
        }
    }

    /// Whether people can follow it.
    pub(crate) fn is_account(self) -> bool {
        matches!(self, AppKind::ServiceAccount | AppKind::SubscriptionAccount)
    }

    /// Whether it exchanges codes for tokens of users.
    pub(crate) fn authorizes_users(self) -> bool {
        matches!(self, AppKind::Mobile | AppKind::Website | AppKind::ServiceAccount)
    }

    /// How long a login code of such an app lives.
    pub(crate) fn code_life(self) -> Millis {
        if self == AppKind::Website { 2 * CODE_LIFE } else { CODE_LIFE }
    }
}
