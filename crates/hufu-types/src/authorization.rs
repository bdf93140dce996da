//! A request to the authorization endpoint (OpenID Connect Core 3.1.2.1, RFC 7636), as it is stored with a
//! waiting login.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ScopeSet;

/// An authorization request. The response is sent to the redirect URI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Where to send the response. Already validated against the application's redirect URIs.
    pub redirect_uri: String,
    /// The requested scopes.
    pub scopes: ScopeSet,
    /// The `state` to return unchanged with the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The `nonce` to repeat in the ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The PKCE challenge that the code exchange must answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<CodeChallenge>,
    /// Individually requested claims: the `claims` parameter.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
}

/// A PKCE challenge (RFC 7636 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeChallenge {
    /// How it is derived from the verifier.
    pub method: CodeChallengeMethod,
    /// The challenge.
    pub challenge: String,
}

/// How a PKCE challenge is derived from its verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeChallengeMethod {
    /// SHA-256, in base64url.
    S256,
    /// The verifier itself.
    #[serde(rename = "plain")]
    Plain,
}
