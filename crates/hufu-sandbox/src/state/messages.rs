//! Where and how WeChat pushes an app's messages.

use hufu_wechat::crypto::message::EncodingAesKey;
use serde::{Deserialize, Serialize};
use url::Url;

use super::kinds::AppSecret;
use crate::ControlError;

/// How pushed messages are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageMode {
    /// Not at all (明文模式).
    #[default]
    Plain,
    /// The plain message and the encrypted one, side by side (兼容模式).
    Compatible,
    /// The encrypted message alone (安全模式).
    Safe,
}

/// The settings of message pushes, as an administrator enters them in WeChat's console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// The server that receives the messages.
    pub url: String,
    /// Signs every push: 3 to 32 letters or digits.
    pub token: AppSecret,
    /// 43 letters and digits. Needed for every mode but plain.
    #[serde(default)]
    pub encoding_aes_key: Option<AppSecret>,
    /// How messages are encrypted.
    #[serde(default)]
    pub mode: MessageMode,
}

impl Messages {
    pub(crate) fn checked(self) -> Result<Messages, ControlError> {
        let url = Url::parse(&self.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if url.is_none_or(|url| url.host_str().is_none()) {
            return Err(ControlError::Invalid("messages.url must be an http or https URL"));
        }
        let token = self.token.expose();
        if !(3..=32).contains(&token.len()) || !token.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(ControlError::Invalid("messages.token must be 3 to 32 letters or digits"));
        }
        if self.encoding_aes_key.is_none() && self.mode != MessageMode::Plain {
            return Err(ControlError::Invalid("messages.encoding_aes_key is needed for this mode"));
        }
        if self.encoding_aes_key.is_some() && self.key().is_none() {
            return Err(ControlError::Invalid("messages.encoding_aes_key must be 43 letters and digits"));
        }
        Ok(self)
    }

    /// The key, if there is one.
    pub(crate) fn key(&self) -> Option<EncodingAesKey> {
        EncodingAesKey::parse(self.encoding_aes_key.as_ref()?.expose()).ok()
    }
}
