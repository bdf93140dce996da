//! What an application asks of the authorization endpoint (OpenID Connect Core 3.1.2.1, RFC 7636), as a waiting login
//! keeps it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ScopeSet;

/// A request of an application that is answered at its redirect URI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Where the answer goes: one of the application's own, compared before.
    pub redirect_uri: String,
    /// What is asked for.
    pub scopes: ScopeSet,
    /// What the application wants back with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What the id token repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// What the one who exchanges the code has to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<CodeChallenge>,
    /// Claims asked for one by one: the parameter `claims`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
}

/// A PKCE challenge (RFC 7636 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeChallenge {
    /// How it was made of the verifier.
    pub method: CodeChallengeMethod,
    /// The challenge.
    pub challenge: String,
}

/// How a PKCE challenge is made of its verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeChallengeMethod {
    /// By SHA-256, in base64url.
    S256,
    /// Not at all.
    #[serde(rename = "plain")]
    Plain,
}
