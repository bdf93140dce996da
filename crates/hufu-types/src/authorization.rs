//! A request to the authorization endpoint (OpenID Connect Core 3.1.2.1, RFC 7636), parsed and checked.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::application::text_enum;
use crate::{BrowserSessionId, ConnectionId, ScopeSet, SessionId, Thumbprint, Timestamp};

text_enum! {
    /// How the parameters of an authorization response reach the client.
    ResponseMode {
        /// In the query of the redirect URI.
        Query = "query",
        /// In its fragment.
        Fragment = "fragment",
        /// In a form that the browser submits (OAuth 2.0 Form Post Response Mode).
        FormPost = "form_post",
        /// In a message from a frame or a window to the page that opened it.
        WebMessage = "web_message",
    }
}

text_enum! {
    /// What an authorization request wants of its user (OpenID Connect Core 3.1.2.1).
    Prompt {
        /// Nothing: no page may be shown.
        None = "none",
        /// To log in again.
        Login = "login",
        /// To consent again.
        Consent = "consent",
        /// To choose an account.
        SelectAccount = "select_account",
    }
}

/// The values of `prompt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prompts(u8);

impl Prompts {
    /// Reads a list separated by spaces. `none` stands alone.
    pub fn parse(text: &str) -> Option<Self> {
        let mut prompts = Self::default();
        for word in text.split_ascii_whitespace() {
            prompts = prompts.with(Prompt::parse(word)?);
        }
        let alone = !prompts.has(Prompt::None) || prompts == Self::default().with(Prompt::None);
        alone.then_some(prompts)
    }

    /// Adds a value.
    #[must_use]
    pub const fn with(self, prompt: Prompt) -> Self {
        Self(self.0 | 1 << prompt as u8)
    }

    /// Whether the value is among them.
    pub const fn has(self, prompt: Prompt) -> bool {
        self.0 & (1 << prompt as u8) != 0
    }
}

/// What an authorization response contains: any of a code, an ID token and an access token (OAuth 2.0 Multiple
/// Response Type Encoding Practices).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ResponseTypeName", into = "String")]
pub struct ResponseType {
    /// A code.
    pub code: bool,
    /// An ID token.
    pub id_token: bool,
    /// An access token.
    pub token: bool,
}

impl ResponseType {
    /// A code alone.
    pub const CODE: Self = Self { code: true, id_token: false, token: false };

    /// Every type that is supported. An access token alone is not: nothing would say whom it was made for.
    pub const ALL: [Self; 6] = [
        Self::CODE,
        Self { code: false, id_token: true, token: false },
        Self { code: false, id_token: true, token: true },
        Self { code: true, id_token: true, token: false },
        Self { code: true, id_token: false, token: true },
        Self { code: true, id_token: true, token: true },
    ];

    /// Reads a list separated by spaces, in any order.
    pub fn parse(text: &str) -> Option<Self> {
        let mut wanted = Self { code: false, id_token: false, token: false };
        for word in text.split_ascii_whitespace() {
            let part = match word {
                "code" => &mut wanted.code,
                "id_token" => &mut wanted.id_token,
                "token" => &mut wanted.token,
                _ => return None,
            };
            if std::mem::replace(part, true) {
                return None;
            }
        }
        Self::ALL.into_iter().find(|supported| *supported == wanted)
    }

    /// Whether tokens are in the response itself.
    pub const fn has_tokens(self) -> bool {
        self.id_token || self.token
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.code, "code"), (self.id_token, "id_token"), (self.token, "token")];
        let words: Vec<_> = words.into_iter().filter_map(|(is_in, word)| is_in.then_some(word)).collect();
        f.write_str(&words.join(" "))
    }
}

text_enum! {
    /// The names of the response types, as they are stored.
    ResponseTypeName {
        /// See [`ResponseType::CODE`].
        Code = "code",
        /// An ID token.
        IdToken = "id_token",
        /// An ID token and an access token.
        IdTokenToken = "id_token token",
        /// A code and an ID token.
        CodeIdToken = "code id_token",
        /// A code and an access token.
        CodeToken = "code token",
        /// All of them.
        CodeIdTokenToken = "code id_token token",
    }
}

impl From<ResponseTypeName> for ResponseType {
    fn from(name: ResponseTypeName) -> Self {
        let has = |word| name.as_str().split(' ').any(|part| part == word);
        Self { code: has("code"), id_token: has("id_token"), token: has("token") }
    }
}

impl From<ResponseType> for String {
    fn from(wanted: ResponseType) -> Self {
        wanted.to_string()
    }
}

/// An authorization request. The response is sent to the redirect URI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// What the response contains.
    pub response_type: ResponseType,
    /// How the response is sent.
    pub response_mode: ResponseMode,
    /// Where to send the response. Already validated against the application's redirect URIs.
    pub redirect_uri: String,
    /// The requested scopes.
    pub scopes: ScopeSet,
    /// The resources that the access token is for (RFC 8707). Empty: it is for Hufu's own endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// When the request was made. A login since then is a fresh one.
    pub at: Timestamp,
    /// The `state` to return unchanged with the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The `nonce` to repeat in the ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The PKCE challenge that the code exchange must answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<CodeChallenge>,
    /// The key whose proof the code exchange must bring: `dpop_jkt` (RFC 9449 section 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<Thumbprint>,
    /// Individually requested claims: the `claims` parameter.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
    /// What the request wants of the user.
    #[serde(default)]
    pub prompts: Prompts,
    /// The greatest age of the login, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// The login name that the client expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// The user whom the client expects: the `sub` of the ID token that it sent as a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_user: Option<String>,
    /// The requested authentication contexts, the preferred one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// The languages of the pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_locales: Option<String>,
    /// Whether the client gets no response: the login was started on the login page itself, and the browser is then
    /// sent to the application.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_own: bool,
    /// The keyed hash of the user code, in hexadecimal, if the login is for a device (RFC 8628). The browser is then sent
    /// to the page where the person answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// How the login returns, if a published client began it at a connection. There is no authorization response then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub social: Option<SocialReturn>,
    /// The account that is to get what a source proves. Then nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<AccountLink>,
}

/// Whose account is to get what a source proves: by the login that asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountLink {
    /// The account of a session, whose token asked.
    Session(SessionId),
    /// The account of a session of the browser.
    Browser(BrowserSessionId),
}

/// How a login returns that a published client began at a connection: with `code`, `message` and `data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocialReturn {
    /// The connection.
    pub connection: ConnectionId,
    /// Whether the result is a message to the page that opened this window. Otherwise it is in the query of the redirect
    /// URI, which may also be one of the connection's callbacks.
    pub to_opener: bool,
}

/// A PKCE challenge (RFC 7636 4.2). Only the method `S256` is supported.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_types_are_read_in_any_order() {
        for supported in ResponseType::ALL {
            assert_eq!(ResponseType::parse(&supported.to_string()), Some(supported));
        }
        assert_eq!(ResponseType::parse("token id_token code").unwrap().to_string(), "code id_token token");
        for wrong in ["", "token", "none", "code code", "code token extra"] {
            assert_eq!(ResponseType::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn none_is_the_only_prompt() {
        assert!(Prompts::parse("login consent").unwrap().has(Prompt::Consent));
        assert!(Prompts::parse("none").unwrap().has(Prompt::None));
        assert_eq!(Prompts::parse(""), Some(Prompts::default()));
        for wrong in ["none login", "create", "Login"] {
            assert_eq!(Prompts::parse(wrong), None, "{wrong}");
        }
    }
}
