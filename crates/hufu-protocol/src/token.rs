//! Reading tokens: compact JWS whose payload is claims (RFC 7519).
//!
//! What a token says of itself is not believed: the key is found by `kid`, the
//! algorithm is that key's (RFC 8725 3.1), and the type must be one that the
//! caller expects (RFC 8725 3.11).

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::KeySet;

/// Longer tokens are refused unread. Header fields of most proxies end at 8 KiB too.
pub const MAX_TOKEN_LENGTH: usize = 8 * 1024;

/// What a token is for; the `typ` of its header. None passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// An OAuth 2 access token (RFC 9068 2.1).
    AccessToken,
    /// An OpenID Connect id token.
    IdToken,
    /// The user token of the v2 clients.
    UserToken,
}

impl TokenType {
    /// Every type there is, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::AccessToken, Self::IdToken, Self::UserToken];

    /// The value of `typ`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
            Self::UserToken => "hufu-user+jwt",
        }
    }

    /// Reads a `typ`; only the exact text that is written.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|typ| typ.as_str() == text)
    }
}

/// What a token must be to pass. The audience is the caller's to compare, in the claims.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The types that may come.
    pub types: &'a [TokenType],
    /// The issuer, letter by letter.
    pub issuer: &'a str,
    /// The present moment.
    pub now: Timestamp,
    /// How far the clock that issued the token may differ from the one that reads it.
    pub leeway: Duration,
}

/// A token that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<C> {
    /// Which of the expected types it is.
    pub typ: TokenType,
    /// What it says.
    pub claims: C,
}

/// Why a token did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too long, not three parts of base64url, not the JSON that a token has, or
    /// with a header extension (`crit`; none is known here).
    #[error("the token is malformed")]
    Malformed,
    /// No key of the set has its `kid`.
    #[error("the token names a key that is not in the key set")]
    UnknownKey,
    /// It is of a type that was not expected here, or of none.
    #[error("the token is of another type than expected")]
    WrongType,
    /// The signature is not the key's, or the header names another algorithm than the key's.
    #[error("the token's signature is not valid")]
    BadSignature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Somebody else issued it.
    #[error("the token is of another issuer than expected")]
    WrongIssuer,
}

/// Checks a compact JWS and reads its claims: form, type, key, algorithm,
/// signature, issuer and time (`exp` required, `nbf` if there), in this order.
pub fn verify<C: DeserializeOwned>(
    token: &str,
    keys: &KeySet,
    expect: &Expectation<'_>,
) -> Result<Verified<C>, TokenError> {
    let parts = Parts::split(token).ok_or(TokenError::Malformed)?;

    let header = decode(parts.header)?;
    let header: Header<'_> = parse(&header)?;
    if header.crit {
        return Err(TokenError::Malformed);
    }
    let typ = TokenType::parse(&header.typ)
        .filter(|typ| expect.types.contains(typ))
        .ok_or(TokenError::WrongType)?;
    let key = keys.get(&header.kid).ok_or(TokenError::UnknownKey)?;

    let signature = decode(parts.signature)?;
    if header.alg != key.algorithm().as_str() || !key.accepts(parts.signed.as_bytes(), &signature) {
        return Err(TokenError::BadSignature);
    }

    let payload = decode(parts.payload)?;
    parse::<Registered<'_>>(&payload)?.check(expect)?;
    Ok(Verified { typ, claims: parse(&payload)? })
}

struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// Header, dot and payload: what the signature is over (RFC 7515 5.1).
    signed: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Option<Self> {
        if token.len() > MAX_TOKEN_LENGTH {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        // Another dot would be in the payload, which base64url refuses.
        Some(Self { header, payload, signature, signed })
    }
}

/// Members that are absent stay empty and thus match nothing.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow, default)]
    alg: Cow<'a, str>,
    #[serde(borrow, default)]
    typ: Cow<'a, str>,
    #[serde(borrow, default)]
    kid: Cow<'a, str>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// The claims that are checked for every type (RFC 7519 4.1).
#[derive(Deserialize)]
struct Registered<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    exp: i64,
    nbf: Option<i64>,
}

impl Registered<'_> {
    fn check(&self, expect: &Expectation<'_>) -> Result<(), TokenError> {
        if self.iss != expect.issuer {
            return Err(TokenError::WrongIssuer);
        }
        // On the very second of `exp` a token is over (RFC 7519 4.1.4).
        if from_seconds(self.exp).plus(expect.leeway) <= expect.now {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|nbf| expect.now.plus(expect.leeway) < from_seconds(nbf)) {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }
}

/// Strict base64url: no padding, no white space, no stray bits at the end.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, TokenError> {
    // Without this, an array with the members in order would pass for the object.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(TokenError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| TokenError::Malformed)
}

/// True for a member that is there, whatever its value.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

const fn from_seconds(seconds: i64) -> Timestamp {
    Timestamp(seconds.saturating_mul(1000))
}
