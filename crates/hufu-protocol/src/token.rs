//! Reading tokens: compact JWS whose payload is claims (RFC 7519).
//!
//! A token's own statements are not trusted: the key is found by `kid`, the algorithm is that key's (RFC 8725
//! 3.1), and the type must be one that the caller expects (RFC 8725 3.11).

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::KeySet;

/// Longer tokens are refused without reading them. Most proxies limit header fields to 8 KiB too.
pub const MAX_TOKEN_LENGTH: usize = 8 * 1024;

/// What a token is for; the `typ` of its header. No type is accepted as another.
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
    /// Every type, in declaration order.
    pub const ALL: [Self; 3] = [Self::AccessToken, Self::IdToken, Self::UserToken];

    /// The value of `typ`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
            Self::UserToken => "hufu-user+jwt",
        }
    }

    /// Parses a `typ`; only the exact text is accepted.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|typ| typ.as_str() == text)
    }
}

/// What a token must be to be accepted. The caller compares the audience, in the claims.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The accepted types.
    pub types: &'a [TokenType],
    /// The issuer, compared exactly.
    pub issuer: &'a str,
    /// The current time.
    pub now: Timestamp,
    /// How far the issuer's clock may differ from ours.
    pub leeway: Duration,
}

/// An accepted token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<C> {
    /// Which of the expected types it is.
    pub typ: TokenType,
    /// What it says.
    pub claims: C,
}

/// Why a token was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too long, not three parts of base64url, not the JSON of a token, or with a header extension (`crit`;
    /// we know none).
    #[error("the token is malformed")]
    Malformed,
    /// No key of the set has this `kid`.
    #[error("the token's key is not in the key set")]
    UnknownKey,
    /// It has a type that was not expected, or none.
    #[error("the token has an unexpected type")]
    WrongType,
    /// The signature is not the key's, or the header names a different algorithm than the key's.
    #[error("the token's signature is not valid")]
    BadSignature,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Somebody else issued it.
    #[error("the token has an unexpected issuer")]
    WrongIssuer,
}

/// Checks a compact JWS and reads its claims: form, type, key, algorithm, signature, issuer and time (`exp`
/// required, `nbf` if present), in this order.
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
    /// Header, dot and payload: what the signature covers (RFC 7515 5.1).
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

/// Absent members stay empty and thus match nothing.
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
        // At the very second of `exp`, a token has expired (RFC 7519 4.1.4).
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
    // Without this, an array with the members in order would be accepted instead of the object.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(TokenError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| TokenError::Malformed)
}

/// True if a member is present, whatever its value.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

const fn from_seconds(seconds: i64) -> Timestamp {
    Timestamp(seconds.saturating_mul(1000))
}
