//! Data as a phone passes it to a mini program: encrypted with the person's session key, along with the raw
//! text and its signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hufu_wechat::SessionKey;
use hufu_wechat::crypto::{encrypt_data, raw_data_signature};
use hufu_wechat::wire::{PhoneData, UserInfoData, Watermark};
use serde::{Deserialize, Serialize};

use super::ControlError;
use crate::api::formatted_number;
use crate::state::State;
use crate::state::people::Person;

/// The kind of data that the mini program requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataKind {
    /// `wx.getUserInfo` and `wx.getUserProfile`.
    #[default]
    UserInfo,
    /// The old `getPhoneNumber`, before it returned codes.
    Phone,
}

/// The data that the phone passes to the mini program.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sealed {
    /// AES-128-CBC with the session key, in base64.
    pub encrypted_data: String,
    /// Base64 of 16 bytes.
    pub iv: String,
    /// The public part as JSON text; phone data has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_data: Option<String>,
    /// Hexadecimal SHA-1 of `raw_data` and the session key's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// The person whose data is encrypted, and the key to use.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealRequest {
    pub(crate) app_id: String,
    /// Encrypts with this person's current session key.
    pub(crate) user: Option<String>,
    /// Alternatively, the person of this login code, with the key that its exchange returns.
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) kind: DataKind,
    /// The AppID in the watermark, if it should be a wrong one.
    pub(crate) watermark_app_id: Option<String>,
    /// The age of the data according to the watermark.
    #[serde(default)]
    pub(crate) age_seconds: i64,
}

impl State {
    pub(crate) fn seal(&self, request: &SealRequest) -> Result<Sealed, ControlError> {
        let app = self.app(&request.app_id)?;
        let (person, key) = match (&request.code, &request.user) {
            (Some(code), None) => {
                let (person, code) = self.holder(&app, code)?;
                (self.person_of(person), self.ids.session_key_of(&code))
            }
            (None, Some(name)) => {
                let person = self.people.named(name)?;
                let openid = self.ids.openid(&app.id, person.key);
                let session = self.sessions.get(app.index, openid).ok_or(ControlError::NoSession)?;
                (person, session.key)
            }
            _ => return Err(ControlError::Invalid("name either user or code")),
        };
        let key = SessionKey::from_bytes(&key);
        let watermark = Watermark {
            timestamp: (self.clock.now() / 1000).saturating_sub(request.age_seconds),
            appid: request.watermark_app_id.clone().unwrap_or_else(|| app.id.to_string()),
        };
        let (plain, raw_data) = match request.kind {
            DataKind::Phone => (serde_json::to_vec(&phone_data(&person, watermark)?)?, None),
            DataKind::UserInfo => {
                let public = user_info(&person);
                let raw_data = serde_json::to_string(&public)?;
                let ids = self.ids_in(&app, person.key);
                let all = UserInfoData {
                    open_id: Some(ids.openid),
                    union_id: ids.unionid,
                    watermark: Some(watermark),
                    ..public
                };
                (serde_json::to_vec(&all)?, Some(raw_data))
            }
        };
        let iv = self.ids.iv();
        Ok(Sealed {
            encrypted_data: encrypt_data(&key, &iv, &plain),
            iv: STANDARD.encode(iv),
            signature: raw_data.as_ref().map(|raw| raw_data_signature(raw, &key)),
            raw_data,
        })
    }
}

fn phone_data(person: &Person, watermark: Watermark) -> Result<PhoneData, ControlError> {
    if person.phone.is_empty() {
        return Err(ControlError::NoPhone);
    }
    Ok(PhoneData {
        phone_number: Some(formatted_number(person)),
        pure_phone_number: Some(person.phone.clone()),
        country_code: Some(person.country_code.clone()),
        watermark: Some(watermark),
    })
}

/// The location is empty for everyone, as in the real WeChat.
fn user_info(person: &Person) -> UserInfoData {
    UserInfoData {
        nick_name: Some(person.nickname.clone()),
        gender: Some(0),
        language: Some("zh_CN".to_owned()),
        city: Some(String::new()),
        province: Some(String::new()),
        country: Some(String::new()),
        avatar_url: Some(person.avatar_url.clone()),
        ..UserInfoData::default()
    }
}
