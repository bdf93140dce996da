//! The claims of the three token types. Times are in seconds since the Unix epoch.
//!
//! The lifetime parameter lets an issuer borrow strings while signing. [`verify`] returns claims that are
//! `'static`.
//!
//! [`verify`]: crate::verify

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_types::{
    AccessKeyId, ApplicationId, PROTOCOL_CLAIMS, PoolId, ScopeSet, SessionId, SigningAlgorithm, Thumbprint,
    UserId,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// Whom a token is for (RFC 7519 4.1.3): one name, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience<'a> {
    /// One.
    One(Cow<'a, str>),
    /// Several.
    Several(Cow<'a, [String]>),
}

impl<'a> Audience<'a> {
    /// These resources, or the application itself if there are none.
    pub fn of(resources: &'a [String], application: &'a ApplicationId) -> Self {
        match resources {
            [] => Self::One(Cow::Borrowed(application.as_str())),
            [one] => Self::One(Cow::Borrowed(one)),
            several => Self::Several(Cow::Borrowed(several)),
        }
    }

    /// The resources that a token of this application is for. None if it is for the application itself.
    pub fn resources(self, application: &ApplicationId) -> Vec<String> {
        match self {
            Self::One(own) if own == application.as_str() => Vec::new(),
            Self::One(resource) => vec![resource.into_owned()],
            Self::Several(resources) => resources.into_owned(),
        }
    }
}

/// The claims of an access token (RFC 9068 2.2), plus the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims<'a> {
    /// Issuer.
    pub iss: Cow<'a, str>,
    /// The user.
    pub sub: UserId,
    /// Whom the token is for: the application itself, or resources.
    pub aud: Audience<'a>,
    /// The application that the token was issued to.
    pub client_id: ApplicationId,
    /// The session that the token belongs to, and is revoked with.
    pub sid: SessionId,
    /// The granted scopes.
    pub scope: ScopeSet,
    /// When it was issued.
    pub iat: i64,
    /// When it expires.
    pub exp: i64,
    /// The token's own id.
    pub jti: Cow<'a, str>,
    /// The key that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// What whoever uses a token has to prove (RFC 7800 section 3.1): that they have this key (RFC 9449 section 6.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The thumbprint of the key.
    pub jkt: Thumbprint,
}

/// The claims of an access token that a client got for itself (RFC 9068 2.2): it has no session, and its subject is
/// the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientTokenClaims<'a> {
    /// Issuer.
    pub iss: Cow<'a, str>,
    /// The client.
    pub sub: ApplicationId,
    /// Whom the token is for: the client itself, or resources.
    pub aud: Audience<'a>,
    /// The client once more.
    pub client_id: ApplicationId,
    /// The granted scopes, all of them of the pool.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scope: ScopeSet,
    /// When it was issued.
    pub iat: i64,
    /// When it expires.
    pub exp: i64,
    /// The token's own id.
    pub jti: Cow<'a, str>,
    /// The key that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// The claims of a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutTokenClaims<'a> {
    /// Issuer.
    pub iss: Cow<'a, str>,
    /// The user.
    pub sub: UserId,
    /// The application that is told.
    pub aud: ApplicationId,
    /// The session that ended.
    pub sid: SessionId,
    /// When it was issued.
    pub iat: i64,
    /// When it expires.
    pub exp: i64,
    /// The token's own id.
    pub jti: Cow<'a, str>,
    /// What makes it a logout token.
    pub events: Value,
}

/// The claims of a v2 client's user token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserTokenClaims<'a> {
    /// Issuer.
    pub iss: Cow<'a, str>,
    /// The user.
    pub sub: UserId,
    /// The application that the token was issued to.
    pub aud: ApplicationId,
    /// The session that the token belongs to, and is revoked with.
    pub sid: SessionId,
    /// When it was issued.
    pub iat: i64,
    /// When it expires.
    pub exp: i64,
    /// When the user logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
}

/// The claims of a token of a management client. What is in it is ASCII without `>`, `?` and `~`: the published Python
/// client decodes it as base64, and loses what base64url writes in another way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagementTokenClaims<'a> {
    /// Issuer.
    pub iss: Cow<'a, str>,
    /// The management key that it was issued for, and ends with.
    pub sub: AccessKeyId,
    /// The pool that it is good in.
    pub scoped_userpool_id: PoolId,
    /// When it was issued.
    pub iat: i64,
    /// When it expires.
    pub exp: i64,
}

/// The `token_use` of an ID token that stands for no access token.
pub const ID_TOKEN_ONLY: &str = "id";

/// The claims of an ID token (OpenID Connect Core 2), plus the claims about the user that the scopes request
/// (5.1, 5.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdTokenClaims<'a> {
    /// Issuer.
    pub iss: Cow<'a, str>,
    /// The user.
    pub sub: UserId,
    /// The application that the token was issued to.
    pub aud: ApplicationId,
    /// The session.
    pub sid: SessionId,
    /// When it was issued.
    pub iat: i64,
    /// When it expires.
    pub exp: i64,
    /// When the user logged in.
    pub auth_time: i64,
    /// The value by which the client recognizes its own request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Cow<'a, str>>,
    /// Binds the access token to this token: see [`half_hash`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<Cow<'a, str>>,
    /// Binds the authorization code to this token: see [`half_hash`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c_hash: Option<Cow<'a, str>>,
    /// How the user authenticated (RFC 8176). Empty if that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<Cow<'a, str>>,
    /// The authentication context, if the client asked for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<Cow<'a, str>>,
    /// [`ID_TOKEN_ONLY`] where the access token of the same login is bound to a key or for resources: this one says nothing
    /// of either, and stands for no access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_use: Option<Cow<'a, str>>,
    /// Claims about the user. Names that have a meaning in the protocol are not serialized, so that a profile
    /// can never overwrite them.
    #[serde(flatten, serialize_with = "without_protocol_claims")]
    pub profile: Map<String, Value>,
}

/// Binds an access token or an authorization code to the ID token issued with it: the left half of its hash, computed
/// with the hash function of the ID token's algorithm (OpenID Connect Core 3.1.3.6 and 3.3.2.11). For Ed25519 that
/// is SHA-512 (RFC 8032 5.1).
pub fn half_hash(algorithm: SigningAlgorithm, token: &str) -> String {
    let hash = match algorithm {
        SigningAlgorithm::Es256 | SigningAlgorithm::Rs256 => &SHA256,
        SigningAlgorithm::EdDsa => &SHA512,
    };
    let hash = digest(hash, token.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

fn without_protocol_claims<S: Serializer>(
    profile: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(profile.iter().filter(|(name, _)| !PROTOCOL_CLAIMS.contains(&name.as_str())))
}
