//! What WeChat reveals about a user: the session of a login code, and a phone number.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{SecretString, zeroize::Zeroizing};
use subtle::ConstantTimeEq as _;

/// The result of exchanging a mini program's login code.
#[derive(Clone)]
pub struct CodeSession {
    /// The user's id within this app. Case-sensitive.
    pub openid: String,
    /// The user's id within the Open Platform account, if the app is bound to one.
    pub unionid: Option<String>,
    /// The key of the data that the client sends from now on. It must never leave the server.
    pub session_key: SessionKey,
}

impl fmt::Debug for CodeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeSession").finish_non_exhaustive()
    }
}

/// A mini program's `session_key`: 16 bytes in base64. Signatures are keyed with the text, ciphers with the
/// bytes. It is wiped from memory when dropped, and `Debug` does not show it.
#[derive(Clone)]
pub struct SessionKey(Zeroizing<String>);

/// The text is not base64 of 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session_key is 16 bytes in base64")]
pub struct InvalidSessionKey;

impl SessionKey {
    /// Parses a key from its base64 text.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidSessionKey> {
        let text = Zeroizing::new(text.into());
        decode(&text).ok_or(InvalidSessionKey)?;
        Ok(Self(text))
    }

    /// Creates a key from bytes, for simulators.
    pub fn from_bytes(bytes: &[u8; 16]) -> Self {
        Self(Zeroizing::new(STANDARD.encode(bytes)))
    }

    /// The base64 text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The 16 bytes.
    pub(crate) fn bytes(&self) -> Option<Zeroizing<[u8; 16]>> {
        decode(&self.0)
    }
}

fn decode(text: &str) -> Option<Zeroizing<[u8; 16]>> {
    // 16 bytes are at most 24 characters, for which the decoder needs a buffer of 18 bytes.
    let mut room = Zeroizing::new([0_u8; 18]);
    let length = STANDARD.decode_slice(text, room.as_mut_slice()).ok()?;
    let bytes = room.get(..length)?;
    Some(Zeroizing::new(bytes.try_into().ok()?))
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SessionKey {}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(***)")
    }
}

/// The result of a user's authorization: the user's ids, and a token for further calls. WeChat's refresh
/// token is discarded: a login does not need it, and using it requires no secret.
#[derive(Clone)]
pub struct UserAuthorization {
    /// The user's id within this app. Case-sensitive.
    pub openid: String,
    /// The user's id within the Open Platform account, if the app is bound to one.
    pub unionid: Option<String>,
    /// The user's token, for [`Client::user_info`](crate::Client::user_info). It is valid for two hours.
    pub access_token: SecretString,
    /// The granted scopes, separated by commas.
    pub scope: String,
    /// Whether this is the virtual user of a "snapshot page" of an official account, which does not stand for
    /// a real person.
    pub snapshot: bool,
}

impl UserAuthorization {
    /// Whether the user granted this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.split(',').any(|granted| granted.trim() == scope)
    }
}

impl fmt::Debug for UserAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserAuthorization").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// A user's WeChat profile. Users edit it themselves, so only the unionid proves anything.
#[derive(Clone, Default)]
pub struct UserInfo {
    /// The user's id within the Open Platform account, if the app is bound to one.
    pub unionid: Option<String>,
    /// The nickname.
    pub nickname: Option<String>,
    /// 1 male, 2 female, 0 unknown; since 2021 it is 0 for most apps.
    pub sex: Option<i64>,
    /// URL of the avatar. The last segment of its path is a size.
    pub avatar: Option<String>,
}

impl fmt::Debug for UserInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserInfo").finish_non_exhaustive()
    }
}

/// A phone number that WeChat has verified.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber {
    /// Country code, digits only: `86`.
    pub country_code: String,
    /// The number without its country code, digits only.
    pub pure_number: String,
    /// The number as WeChat formats it: foreign numbers include their country code.
    pub phone_number: String,
    /// When WeChat created this data, in Unix seconds. Check it with [`is_fresh`](crate::is_fresh).
    pub watermark_timestamp: i64,
}

impl PhoneNumber {
    /// The number in E.164 form: `+8613800000000`.
    pub fn e164(&self) -> String {
        format!("+{}{}", self.country_code, self.pure_number)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneNumber")
            .field("country_code", &self.country_code)
            .field("watermark_timestamp", &self.watermark_timestamp)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_key_is_sixteen_bytes_and_stays_hidden() {
        let key = SessionKey::parse("tiihtNczf5v6AKRyjwEUhQ==").unwrap();
        assert_eq!(key.expose(), "tiihtNczf5v6AKRyjwEUhQ==");
        assert_eq!(SessionKey::from_bytes(&key.bytes().unwrap()), key);
        assert_eq!(format!("{key:?}"), "SessionKey(***)");
        for bad in [
            "",
            "tiihtNczf5v6AKRyjwEU",
            "tiihtNczf5v6AKRyjwEUhQ",
            "tiihtNczf5v6AKRyjwEUhQ==\n",
            "密钥",
            &"A".repeat(500),
        ] {
            assert_eq!(SessionKey::parse(bad), Err(InvalidSessionKey), "{bad}");
        }
    }
}
