//! An official account, as its connection describes it.

use hufu_types::{Connection, Language};
use hufu_wechat::crypto::message::EncodingAesKey;
use hufu_wechat::message::{Encryption, Receiver};
use serde_json::Value as Json;

use crate::sources::wechat::app_id;
use crate::sources::wechat::official_account::{
    ACCOUNT, AES_KEY, ENCRYPTION, FORWARDED, ORIGINAL_ID, RELAY, TOKEN, URL, WELCOME,
};

/// The settings of a connection that concern messages.
pub(super) struct Account<'a> {
    pub(super) connection: &'a Connection,
    pub(super) original_id: &'a str,
    /// Whether WeChat answers questions about its followers.
    pub(super) is_service: bool,
    pub(super) token: &'a str,
    pub(super) key: Option<EncodingAesKey>,
    encryption: Encryption,
    forwarded: bool,
    welcome: Option<&'a serde_json::Map<String, Json>>,
}

/// The owner's own server for messages.
pub(super) struct RelayTarget {
    pub(super) url: String,
    pub(super) token: String,
    pub(super) key: Option<EncodingAesKey>,
}

impl<'a> Account<'a> {
    pub(super) fn of(connection: &'a Connection) -> Self {
        let settings = &connection.settings;
        let text = |name| settings.text(name).unwrap_or_default();
        Self {
            connection,
            original_id: text(ORIGINAL_ID),
            is_service: text(ACCOUNT) != "subscription",
            token: text(TOKEN),
            key: settings.text(AES_KEY).and_then(|key| EncodingAesKey::parse(key).ok()),
            encryption: match text(ENCRYPTION) {
                "plain" => Encryption::Plain,
                "compatible" => Encryption::Compatible,
                _ => Encryption::Safe,
            },
            forwarded: settings.get(FORWARDED).and_then(Json::as_bool).unwrap_or_default(),
            welcome: settings.get(WELCOME).and_then(Json::as_object),
        }
    }

    pub(super) fn receiver(&self) -> Receiver<'_> {
        Receiver {
            app_id: app_id(self.connection),
            token: self.token,
            key: self.key.as_ref(),
            encryption: self.encryption,
            forwarded: self.forwarded,
        }
    }

    /// What somebody who follows is told: in their language, or else in the first that there is.
    pub(super) fn welcome(&self, language: Language) -> Option<&'a str> {
        let welcome = self.welcome?;
        let wanted = [language].into_iter().chain(Language::ALL);
        wanted.into_iter().find_map(|language| welcome.get(language.tag())?.as_str())
    }

    /// Whether the welcome depends on the language.
    pub(super) fn asks_for_language(&self) -> bool {
        self.welcome.is_some_and(|texts| texts.len() > 1)
    }

    pub(super) fn relay(&self) -> Option<RelayTarget> {
        let table = self.connection.settings.get(RELAY)?.as_object()?;
        let text = |name| table.get(name).and_then(Json::as_str);
        Some(RelayTarget {
            url: text(URL)?.to_owned(),
            token: text(TOKEN)?.to_owned(),
            key: text(AES_KEY).and_then(|key| EncodingAesKey::parse(key).ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use hufu_types::{
        Association, ConnectionExtras, ConnectionId, ConnectionKind, Identifier, OpenPlatform, PoolId,
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn a_welcome_is_in_the_followers_language_or_the_first() {
        let mut connection = Connection {
            id: ConnectionId::parse("c").unwrap(),
            pool: PoolId::parse("p").unwrap(),
            identifier: Identifier::parse("wechat-mp").unwrap(),
            kind: ConnectionKind::WechatOfficialAccount,
            display_name: String::new(),
            login_only: false,
            enabled: true,
            open_platform: OpenPlatform(Identifier::parse("default").unwrap()),
            association: Association::default().into(),
            extras: ConnectionExtras::default().into(),
            settings: hufu_types::ServedSettings::default(),
        };
        assert_eq!(Account::of(&connection).welcome(Language::English), None);
        let mut settings = hufu_types::ConnectionSettings::default();
        settings.set(WELCOME, json!({ "en": "Welcome", "ja": "ようこそ" }));
        connection.settings = settings.into();
        let account = Account::of(&connection);
        assert!(account.asks_for_language() && account.is_service);
        assert_eq!(account.welcome(Language::Japanese), Some("ようこそ"));
        assert_eq!(account.welcome(Language::SimplifiedChinese), Some("Welcome"));
    }
}
