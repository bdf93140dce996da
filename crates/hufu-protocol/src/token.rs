//! Verifying tokens: compact JWS with claims as payload (RFC 7519).
//!
//! What a token says about itself is not trusted: its key is looked up by `kid`, the algorithm is that of the
//! key (RFC 8725 3.1), and the type must be one that the caller expects (RFC 8725 3.11).

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::KeySet;

/// Longer tokens are rejected without parsing them. Most proxies limit header fields to 8 KiB as well.
pub const MAX_TOKEN_LENGTH: usize = 8 * 1024;

/// What a token is for; the `typ` of its header. A token of one type is never accepted as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// An OAuth 2 access token (RFC 9068 2.1).
    AccessToken,
    /// An OpenID Connect ID token.
    IdToken,
    /// The user token of v2 clients.
    UserToken,
    /// A logout token (OpenID Connect Back-Channel Logout 1.0).
    LogoutToken,
    /// The answer of the userinfo endpoint (OpenID Connect Core 5.3.2). The standard names no type for it; with one of
    /// its own it is never taken for an ID token (RFC 8725 3.11).
    Userinfo,
    /// The answer of the introspection endpoint (RFC 9701).
    Introspection,
    /// The token of a management client, for one pool.
    ManagementToken,
}

impl TokenType {
    /// Every type, in declaration order.
    pub const ALL: [Self; 7] = [
        Self::AccessToken,
        Self::IdToken,
        Self::UserToken,
        Self::LogoutToken,
        Self::Userinfo,
        Self::Introspection,
        Self::ManagementToken,
    ];

    /// The value of `typ`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
            Self::UserToken => "hufu-user+jwt",
            Self::LogoutToken => "logout+jwt",
            Self::Userinfo => "userinfo+jwt",
            Self::Introspection => "token-introspection+jwt",
            Self::ManagementToken => "hufu-management+jwt",
        }
    }

    /// Parses a `typ`. Must match exactly.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|typ| typ.as_str() == text)
    }
}

/// What a token must satisfy to be accepted. The caller has to check the audience, which is in the claims.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The accepted types.
    pub types: &'a [TokenType],
    /// The issuer, compared exactly.
    pub issuer: &'a str,
    /// The current time.
    pub now: Timestamp,
    /// How far the issuer's clock may differ from the local clock.
    pub leeway: Duration,
}

/// An accepted token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<C> {
    /// Which of the expected types it has.
    pub typ: TokenType,
    /// Its claims.
    pub claims: C,
}

/// Why a token was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too long, not three base64url parts, not the JSON of a token, or with a header extension (`crit`; none
    /// is supported).
    #[error("the token is malformed")]
    Malformed,
    /// The key set has no key with this `kid`.
    #[error("the token's key is not in the key set")]
    UnknownKey,
    /// It has an unexpected type, or none.
    #[error("the token has an unexpected type")]
    WrongType,
    /// The signature is not valid for the key, or the header names a different algorithm than that of the
    /// key.
    #[error("the token's signature is not valid")]
    BadSignature,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It was issued by someone else.
    #[error("the token has an unexpected issuer")]
    WrongIssuer,
}

/// The type that a token claims to have. Nothing about it is verified.
pub fn declared_type(token: &str) -> Option<TokenType> {
    let header = decode(Parts::split(token)?.header).ok()?;
    TokenType::parse(&parse::<Header<'_>>(&header).ok()?.typ)
}

/// Verifies a compact JWS and parses its claims. Checks form, type, key, algorithm, signature, issuer and
/// time (`exp` is required, `nbf` is checked if present), in this order.
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

pub(crate) struct Parts<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    /// Header, dot and payload: the part covered by the signature (RFC 7515 5.1).
    pub(crate) signed: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn split(token: &'a str) -> Option<Self> {
        if token.len() > MAX_TOKEN_LENGTH {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        // Another dot would end up in the payload, which base64url rejects.
        Some(Self { header, payload, signature, signed })
    }
}

/// Missing members are empty and therefore match nothing.
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

/// The claims that are checked for every token type (RFC 7519 4.1).
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
        // A token is already expired in the second of its `exp` (RFC 7519 4.1.4).
        if from_seconds(self.exp).plus(expect.leeway) <= expect.now {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|nbf| expect.now.plus(expect.leeway) < from_seconds(nbf)) {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }
}

/// Strict base64url: no padding, no whitespace, no stray bits at the end.
pub(crate) fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, TokenError> {
    // Otherwise, an array with the members in order would be accepted in place of an object.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(TokenError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| TokenError::Malformed)
}

/// `true` if the member is present, whatever its value.
pub(crate) fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

const fn from_seconds(seconds: i64) -> Timestamp {
    Timestamp(seconds.saturating_mul(1000))
}
