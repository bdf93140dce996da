//! The JSON types of WeChat's server API, for both clients and simulators.
//!
//! Parsing is tolerant where WeChat is known to vary: unknown keys are ignored, `null` and `""` count as
//! absent, `errcode` may be missing, a number or a string, and `countryCode` may be a number or a string.
//! Absent values are not serialized. None of these types shows its content in `Debug`, because all but
//! [`ErrorBody`] identify or authenticate someone.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

macro_rules! answers {
    ($($name:ident),+) => {
        $(impl Answer for $name {
            fn status(&self) -> (i64, &str) {
                (self.errcode.unwrap_or(0), self.errmsg.as_deref().unwrap_or_default())
            }
        })+
    };
}

macro_rules! redacted {
    ($($name:ident),+) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })+
    };
}

mod app_calls;

pub use app_calls::{
    CodeImageRequest, FollowerAnswer, JumpTarget, QrAction, QrAnswer, QrRequest, QrScene, SchemeAnswer,
    SchemeRequest, UrlLinkAnswer, UrlLinkRequest,
};

/// A failure; with `errcode` 0, an explicit success.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// 0 or absent on success.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// For logs only; the wording changes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
}

/// Response of `GET /sns/jscode2session`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct CodeSessionAnswer {
    /// 0 or absent on success.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// For logs only; the wording changes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// The user's id within the app.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    /// 16 bytes in base64.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// The user's id within the Open Platform account; absent if the app is not bound to one.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
}

/// Response of `GET /sns/oauth2/access_token`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct SnsAccessTokenAnswer {
    /// 0 or absent on success.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// For logs only; the wording changes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// The user's token, for `/sns/userinfo`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// The lifetime of the token in seconds.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<i64>,
    /// Renews the token. Using it requires no secret, so a login does not store it.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The user's id within the app.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    /// The granted scopes, such as `snsapi_userinfo`, separated by commas.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The user's id within the Open Platform account.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
    /// 1 for the virtual user of a snapshot page, which official accounts have.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub is_snapshotuser: Option<i64>,
}

/// Response of `GET /sns/userinfo`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct SnsUserInfoAnswer {
    /// 0 or absent on success.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// For logs only; the wording changes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// The user's id within the app.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    /// The user's id within the Open Platform account.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
    /// The nickname.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// 1 male, 2 female, 0 unknown; since 2021 it is 0 for most apps. A number or text, and nothing else is worth
    /// failing for.
    #[serde(default, deserialize_with = "loose_integer", skip_serializing_if = "Option::is_none")]
    pub sex: Option<i64>,
    /// URL of the avatar.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub headimgurl: Option<String>,
}

/// Body of `POST /wxa/business/getuserphonenumber`.
#[derive(Clone, Serialize, Deserialize)]
pub struct PhoneNumberRequest {
    /// The code of the `getPhoneNumber` button, which is not a login code.
    pub code: String,
    /// The user whose number it must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
}

/// Response of `POST /wxa/business/getuserphonenumber`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct PhoneNumberAnswer {
    /// 0 or absent on success.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// For logs only; the wording changes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// The number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_info: Option<PhoneData>,
}

/// A phone number: part of the response above, and the content of the old `encryptedData` of
/// `getPhoneNumber`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhoneData {
    /// The number, with the country code if it is foreign.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// The number without the country code.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub pure_phone_number: Option<String>,
    /// The country code, as a string or a number.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    /// The app it was encrypted for, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Watermark>,
}

/// The `encryptedData` of `getUserInfo` and `getUserProfile`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserInfoData {
    /// The user's id within the app.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub open_id: Option<String>,
    /// The user's id within the Open Platform account.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub union_id: Option<String>,
    /// The nickname, or WeChat's placeholder.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub nick_name: Option<String>,
    /// 1 male, 2 female, 0 unknown.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub gender: Option<i64>,
    /// The language set in the user's WeChat, such as `zh_CN`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The city; empty for most apps.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// The province; empty for most apps.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// The country; empty for most apps.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// URL of the avatar.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// The app it was encrypted for, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Watermark>,
}

/// The app that data was encrypted for, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Unix seconds.
    pub timestamp: i64,
    /// AppID.
    pub appid: String,
}

/// Body of `POST /cgi-bin/stable_token`.
#[derive(Clone, Serialize, Deserialize)]
pub struct StableTokenRequest {
    /// Always `client_credential`.
    pub grant_type: String,
    /// AppID.
    pub appid: String,
    /// AppSecret.
    pub secret: String,
    /// Whether to invalidate the current token immediately.
    #[serde(default)]
    pub force_refresh: bool,
}

/// Response of `POST /cgi-bin/stable_token` and `GET /cgi-bin/token`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct StableTokenAnswer {
    /// 0 or absent on success.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// For logs only; the wording changes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// The token, up to 512 characters.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// Its remaining lifetime in seconds.
    #[serde(default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<i64>,
}

/// A response that may be a failure.
pub(crate) trait Answer: de::DeserializeOwned {
    /// The `errcode` (0 if absent) and the `errmsg`.
    fn status(&self) -> (i64, &str);
}

answers!(
    ErrorBody,
    CodeSessionAnswer,
    PhoneNumberAnswer,
    SnsAccessTokenAnswer,
    SnsUserInfoAnswer,
    StableTokenAnswer
);

redacted!(
    CodeSessionAnswer,
    SnsAccessTokenAnswer,
    SnsUserInfoAnswer,
    PhoneNumberRequest,
    PhoneNumberAnswer,
    PhoneData,
    UserInfoData,
    StableTokenRequest,
    StableTokenAnswer
);

/// A number, or a string that contains one.
fn integer<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    struct Integer;

    impl de::Visitor<'_> for Integer {
        type Value = Option<i64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an integer, or text that is one")
        }

        fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(number))
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            i64::try_from(number).map(Some).map_err(|_| E::custom("the number is too large"))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            match text.trim() {
                "" => Ok(None),
                digits => digits.parse().map(Some).map_err(|_| E::custom("the text is not a number")),
            }
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    from.deserialize_any(Integer)
}

/// As [`integer`], but whatever is none counts as absent.
fn loose_integer<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(value.as_i64().or_else(|| value.as_str()?.trim().parse().ok()))
}

/// A string, or a number as its digits. An empty string counts as absent.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    struct Text;

    impl de::Visitor<'_> for Text {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text, or a whole number")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok((!text.is_empty()).then(|| text.to_owned()))
        }

        fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
            Ok((!text.is_empty()).then_some(text))
        }

        fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    from.deserialize_any(Text)
}

/// Parses JSON regardless of its content type. Ignores a byte order mark and the C0 control characters that
/// occur in nicknames.
pub(crate) fn from_json<T: de::DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match serde_json::from_slice(body) {
        Err(_) if body.iter().any(|byte| *byte < 0x20) => {
            let clean: Vec<u8> = body.iter().copied().filter(|byte| *byte >= 0x20).collect();
            serde_json::from_slice(&clean)
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errcode_may_be_a_number_text_null_or_absent() {
        for (json, expected) in [
            (r#"{"errcode":40029}"#, Some(40029)),
            (r#"{"errcode":"40029"}"#, Some(40029)),
            (r#"{"errcode":"-1"}"#, Some(-1)),
            (r#"{"errcode":-1}"#, Some(-1)),
            (r#"{"errcode":null}"#, None),
            (r#"{"errcode":""}"#, None),
            (r#"{"other":[1]}"#, None),
        ] {
            assert_eq!(from_json::<ErrorBody>(json.as_bytes()).unwrap().errcode, expected, "{json}");
        }
        for json in [r#"{"errcode":"x"}"#, r#"{"errcode":[]}"#, r#"{"errcode":1.5}"#, "7"] {
            assert!(from_json::<ErrorBody>(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn a_calling_code_may_be_a_number_or_text() {
        for json in [r#"{"countryCode":86}"#, r#"{"countryCode":"86"}"#] {
            assert_eq!(from_json::<PhoneData>(json.as_bytes()).unwrap().country_code.as_deref(), Some("86"));
        }
    }

    #[test]
    fn control_characters_and_a_byte_order_mark_are_tolerated() {
        let info: UserInfoData =
            from_json(b"\xef\xbb\xbf{\"nickName\":\"a\x01\nb\",\"gender\":\"1\"}\n").unwrap();
        assert_eq!(info.nick_name.as_deref(), Some("ab"));
        assert_eq!(info.gender, Some(1));
    }

    #[test]
    fn absent_is_not_written() {
        let answer = CodeSessionAnswer { openid: Some("o".into()), ..Default::default() };
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"openid":"o"}"#);
    }
}
