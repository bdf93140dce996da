//! Reading authorization requests (OpenID Connect Core 3.1.2, RFC 6749 section 4.1.1).
//!
//! Until the client and its redirect URI are known to belong together, what is wrong is told on a page: the browser is
//! never sent to an address that nobody vouches for. From there on the client is told.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_protocol::{Expectation, TokenType, pkce, verify};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    Application, ApplicationId, AuthorizationRequest, CodeChallenge, CodeChallengeMethod, Grant, Prompt,
    Prompts, ResponseMode, ResponseType, Scope, ScopeSet, Thumbprint, UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::pushed::REFERENCE;
use super::response::{AuthorizationResponse, OAuthError};
use crate::{ACR_ONE_FACTOR, App, Refusal};

/// The parameters of a request to an OAuth endpoint, in the order of the request. An empty one counts as missing
/// (RFC 6749 section 3.1).
#[derive(Clone, Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Wraps decoded parameters.
    pub fn new(list: Vec<(String, String)>) -> Self {
        Self(list.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be repeated.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first parameter that is there more than once (RFC 6749 section 3.1 forbids it). `resource` may be
    /// (RFC 8707).
    pub(super) fn repeated(&self) -> Option<&str> {
        let mut seen = HashSet::new();
        self.0.iter().map(|(key, _)| key.as_str()).find(|key| !seen.insert(*key) && *key != "resource")
    }

    /// The value of a parameter that the request must have once.
    ///
    /// # Errors
    /// [`Code::Invalid`].
    pub fn required(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::invalid(name, Reason::Missing))
    }

    /// Refuses repeated parameters.
    ///
    /// # Errors
    /// [`Code::Invalid`].
    pub fn check_repeated(&self) -> Result<(), Refusal> {
        match self.repeated() {
            Some(name) => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                Err(Refusal::invalid(name, Reason::Twice))
            }
            None => Ok(()),
        }
    }

    /// The parameters but these.
    #[must_use]
    pub(super) fn without(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect())
    }

    /// The parameters with this one, unless it is there.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        if self.get(name).is_none() {
            self.0.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub(super) fn into_list(self) -> Vec<(String, String)> {
        self.0
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

/// An authorization request whose client is known. Pages carry it from one to the next as a sealed text: nothing is
/// stored for somebody who has not logged in.
#[derive(Clone, Debug)]
pub struct OpenRequest {
    /// The application that the person logs in to.
    pub application: Arc<Application>,
    /// The request.
    pub request: AuthorizationRequest,
}

/// Why an authorization request is refused.
#[derive(Debug)]
pub enum AuthorizationRefused {
    /// The browser must not be sent anywhere.
    Page(Refusal),
    /// The client is told.
    Response(Box<AuthorizationResponse>),
}

impl From<Refusal> for AuthorizationRefused {
    fn from(refusal: Refusal) -> Self {
        Self::Page(refusal)
    }
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    application: ApplicationId,
    request: AuthorizationRequest,
}

/// What the sealed text is bound to.
const CONTEXT: &str = "authorization request";

/// How old the ID token of a hint may be. Clients keep them long after they expired.
const HINT_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The claims of an ID token that is sent as a hint.
#[derive(Debug, Deserialize)]
pub(crate) struct Hint {
    pub(crate) sub: UserId,
    pub(crate) aud: ApplicationId,
}

impl App {
    /// Reads an authorization request: its parameters, its request object, wherever that is, or one that was pushed
    /// before.
    ///
    /// # Errors
    /// What is wrong, and who is told.
    #[boxed]
    pub async fn authorization_request(
        &self,
        parameters: Parameters,
    ) -> Result<OpenRequest, AuthorizationRefused> {
        let repeated = parameters.repeated();
        if let Some(name @ ("client_id" | "request_uri")) = repeated {
            return Err(Refusal::invalid(name.to_owned(), Reason::Twice).into());
        }
        let config = self.config();
        let client = parameters.required("client_id")?;
        let application = config.on_pages(client, Code::ApplicationUnknown)?;
        let reference = parameters.get("request_uri").and_then(|uri| uri.strip_prefix(REFERENCE));
        let parameters = match reference {
            Some(reference) => self.pushed_request(application, reference).await?,
            None => self.unfolded(application, parameters).await?,
        };
        self.read_request(application, &parameters)
    }

    /// Checks the parameters of a request of this client.
    pub(super) fn read_request(
        &self,
        application: &Arc<Application>,
        parameters: &Parameters,
    ) -> Result<OpenRequest, AuthorizationRefused> {
        let repeated = parameters.repeated();
        if let Some(name @ ("client_id" | "redirect_uri")) = repeated {
            return Err(Refusal::invalid(name.to_owned(), Reason::Twice).into());
        }
        let redirect_uri = parameters.get("redirect_uri").ok_or(Refusal::new(Code::RedirectUriUnknown))?;
        if !application.has_redirect_uri(redirect_uri) {
            return Err(Refusal::new(Code::RedirectUriUnknown).into());
        }
        let reply = Reply::new(self, parameters, redirect_uri);
        if let Some(name) = repeated {
            let description = format!("the parameter {} is there more than once", shown(name));
            return Err(reply.error(OAuthError::InvalidRequest, description));
        }
        if parameters.bytes() > self.limits.authorization_request_bytes {
            return Err(reply.error(OAuthError::InvalidRequest, "the request is too long"));
        }
        let request = self.parse_request(application, parameters, &reply)?;
        Ok(OpenRequest { application: application.clone(), request })
    }

    fn parse_request(
        &self,
        application: &Application,
        parameters: &Parameters,
        reply: &Reply<'_>,
    ) -> Result<AuthorizationRequest, AuthorizationRefused> {
        use OAuthError::{InvalidRequest, InvalidScope, UnauthorizedClient, UnsupportedResponseType};
        if parameters.get("registration").is_some() {
            let description = "the parameter registration is not supported";
            return Err(reply.error(OAuthError::RegistrationNotSupported, description));
        }
        let Some(text) = parameters.get("response_type") else {
            return Err(reply.error(InvalidRequest, "response_type is missing"));
        };
        let Some(response_type) = ResponseType::parse(text) else {
            return Err(reply.error(UnsupportedResponseType, "response_type is not supported"));
        };
        check_permitted(application, response_type).map_err(|why| reply.error(UnauthorizedClient, why))?;
        if parameters.get("response_mode").is_some_and(|text| ResponseMode::parse(text).is_none()) {
            return Err(reply.error(InvalidRequest, "response_mode is not supported"));
        }
        if response_type.has_tokens() && parameters.get("response_mode") == Some("query") {
            let description =
                "tokens are never in a query: use the response_mode fragment, form_post or web_message";
            return Err(reply.error(InvalidRequest, description));
        }
        let settings = self.config().settings(&application.pool);
        let mut scopes = application.client.scopes_asked(parameters.get("scope"), &settings.scopes);
        if response_type.id_token && !scopes.has(Scope::Openid) {
            return Err(reply.error(InvalidScope, "an ID token needs the scope openid"));
        }
        let nonce = parameters.get("nonce");
        if response_type.id_token && nonce.is_none() {
            return Err(reply.error(InvalidRequest, "an ID token in the response needs a nonce"));
        }
        let Some(prompts) = Prompts::parse(parameters.get("prompt").unwrap_or_default()) else {
            return Err(reply.error(InvalidRequest, "prompt has an unknown value, or none beside another"));
        };
        if !may_renew(application, response_type, prompts) {
            scopes = scopes.without(Scope::OfflineAccess);
        }
        let max_age = parameters.get("max_age").map(str::parse::<u64>).transpose();
        let max_age =
            max_age.map_err(|_| reply.error(InvalidRequest, "max_age is not a number of seconds"))?;
        let max_age = max_age.or(application.client.default_max_age);
        let expected_user = match parameters.get("id_token_hint") {
            Some(hint) => {
                let hint = self.id_token_hint(hint).filter(|hint| hint.aud == application.id);
                let Some(hint) = hint else {
                    return Err(
                        reply.error(InvalidRequest, "id_token_hint is not an ID token of this client")
                    );
                };
                Some(hint.sub.to_string())
            }
            None => None,
        };
        let claims = claims(parameters, reply)?;
        let expected_user = match (expected_user, named_user(&claims)) {
            (Some(hinted), Some(named)) if hinted != named => {
                return Err(reply.error(InvalidRequest, "id_token_hint and claims name different users"));
            }
            (hinted, named) => hinted.or(named),
        };
        if !reaches_acr(&claims) {
            let description = "an authentication context that this server does not have is essential";
            return Err(reply.error(OAuthError::UnmetAuthenticationRequirements, description));
        }
        let resources = parameters.resources();
        let wrong = "resource is not an API of the user pool, or there are too many";
        self.check_resources(&application.pool, &resources)
            .map_err(|_| reply.error(OAuthError::InvalidTarget, wrong))?;
        let words = |name: &str| -> Vec<String> {
            parameters.get(name).unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
        };
        Ok(AuthorizationRequest {
            response_type,
            response_mode: reply.mode,
            redirect_uri: reply.redirect_uri.to_owned(),
            scopes,
            resources,
            at: self.now(),
            state: reply.state.map(str::to_owned),
            nonce: nonce.map(str::to_owned),
            code_challenge: code_challenge(application, response_type, parameters, reply)?,
            dpop_jkt: dpop_jkt(parameters, reply)?,
            claims,
            prompts,
            max_age,
            login_hint: parameters.get("login_hint").map(str::to_owned),
            expected_user,
            acr_values: match words("acr_values") {
                none if none.is_empty() => application.client.default_acr_values.clone(),
                asked => asked,
            },
            ui_locales: parameters.get("ui_locales").map(str::to_owned),
            is_own: false,
            device: None,
            social: None,
            link: None,
        })
    }

    /// The request of a login that no application asked for: somebody opened its login page.
    ///
    /// # Errors
    /// [`Code::ApplicationUnknown`].
    pub fn own_request(&self, application: Option<&str>) -> Result<OpenRequest, Refusal> {
        let config = self.config();
        let id = application.ok_or_else(|| Refusal::invalid("app_id", Reason::Missing))?;
        let application = config.on_pages(id, Code::ApplicationUnknown)?;
        let redirect_uri = application.client.redirect_uris.first().cloned().unwrap_or_default();
        let request = AuthorizationRequest { redirect_uri, ..self.request_without_response() };
        Ok(OpenRequest { application: application.clone(), request })
    }

    /// The request of a login that ends on a page of ours.
    pub(super) fn request_without_response(&self) -> AuthorizationRequest {
        AuthorizationRequest {
            response_type: ResponseType::CODE,
            response_mode: ResponseMode::Query,
            redirect_uri: String::new(),
            scopes: ScopeSet::default_login(),
            resources: Vec::new(),
            at: self.now(),
            state: None,
            nonce: None,
            code_challenge: None,
            dpop_jkt: None,
            claims: Map::new(),
            prompts: Prompts::default(),
            max_age: None,
            login_hint: None,
            expected_user: None,
            acr_values: Vec::new(),
            ui_locales: None,
            is_own: true,
            device: None,
            social: None,
            link: None,
        }
    }

    /// Seals a request, for the next page.
    ///
    /// # Errors
    /// The request cannot be written as JSON.
    pub fn seal_request(&self, open: &OpenRequest) -> Result<String, Refusal> {
        let sealed = Sealed { application: open.application.id.clone(), request: open.request.clone() };
        let json = serde_json::to_vec(&sealed).map_err(Refusal::internal)?;
        Ok(URL_SAFE_NO_PAD.encode(self.sealing.seal(&*self.random, CONTEXT, &json)))
    }

    /// Opens a sealed request.
    ///
    /// # Errors
    /// [`Code::LoginRequestExpired`] if it is too old or is none; [`Code::ApplicationGone`].
    pub fn open_request(&self, sealed: &str) -> Result<OpenRequest, Refusal> {
        let expired = || Refusal::new(Code::LoginRequestExpired);
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| expired())?;
        let json = self.sealing.open(CONTEXT, &bytes).map_err(|_| expired())?;
        let Sealed { application, request } = serde_json::from_slice(json.expose()).map_err(|_| expired())?;
        if request.at.plus(self.limits.authorization_request_life) <= self.now() {
            return Err(expired());
        }
        let config = self.config();
        let application = config.on_pages(application.as_str(), Code::ApplicationGone)?;
        // The configuration may have changed meanwhile.
        if !self.may_return(application, &request) {
            return Err(Code::RedirectUriUnknown.into());
        }
        Ok(OpenRequest { application: application.clone(), request })
    }

    /// The claims of an ID token of this instance, even if it has expired.
    pub(crate) fn id_token_hint(&self, token: &str) -> Option<Hint> {
        let expectation = Expectation {
            types: &[TokenType::IdToken],
            issuer: &self.issuer,
            now: self.now(),
            leeway: HINT_AGE,
        };
        let keys = self.keys.load();
        verify::<Hint>(token, keys.published(), &expectation).ok().map(|verified| verified.claims)
    }
}

/// Whether the application may get this response. The error says why not.
fn check_permitted(application: &Application, response_type: ResponseType) -> Result<(), String> {
    let grant = match response_type {
        ResponseType::CODE => Grant::AuthorizationCode,
        ResponseType { code: true, .. } => Grant::Hybrid,
        ResponseType { code: false, .. } => Grant::Implicit,
    };
    let client = &application.client;
    if !application.has_grant(grant) {
        return Err(format!("the application does not have the grant {}", grant.as_str()));
    }
    if client.response_types.as_ref().is_some_and(|types| !types.contains(&response_type)) {
        return Err("the application is not registered for this response_type".to_owned());
    }
    if response_type.token && client.dpop_bound_access_tokens {
        return Err("the application gets no access token but from the token endpoint, by DPoP".to_owned());
    }
    Ok(())
}

/// Where errors of a request go.
pub(super) struct Reply<'a> {
    redirect_uri: &'a str,
    mode: ResponseMode,
    state: Option<&'a str>,
    issuer: &'a str,
}

impl<'a> Reply<'a> {
    /// As far as the request can be understood: tokens are never in a query, so neither is an error in their place.
    pub(super) fn new(app: &'a App, parameters: &'a Parameters, redirect_uri: &'a str) -> Self {
        let response_type = parameters.get("response_type").and_then(ResponseType::parse);
        let has_tokens = response_type.is_some_and(ResponseType::has_tokens);
        let default = if has_tokens { ResponseMode::Fragment } else { ResponseMode::Query };
        let mode = parameters.get("response_mode").and_then(ResponseMode::parse).unwrap_or(default);
        let mode = if has_tokens && mode == ResponseMode::Query { ResponseMode::Fragment } else { mode };
        Self { redirect_uri, mode, state: parameters.get("state"), issuer: &app.issuer }
    }

    pub(super) fn error(&self, error: OAuthError, description: impl Into<String>) -> AuthorizationRefused {
        AuthorizationRefused::Response(Box::new(AuthorizationResponse::error(
            self.redirect_uri,
            self.mode,
            self.state,
            self.issuer,
            error,
            description.into(),
        )))
    }
}

/// Whether a refresh token may be issued. `offline_access` is granted only with a code and, where the application asks
/// for consent, only if this request does (OpenID Connect Core section 11).
fn may_renew(application: &Application, response_type: ResponseType, prompts: Prompts) -> bool {
    let consents = !application.login.consent || prompts.has(Prompt::Consent);
    response_type.code && application.has_grant(Grant::RefreshToken) && consents
}

/// The PKCE challenge. Public clients must have one (RFC 9700 section 2.1.1).
fn code_challenge(
    application: &Application,
    response_type: ResponseType,
    parameters: &Parameters,
    reply: &Reply<'_>,
) -> Result<Option<CodeChallenge>, AuthorizationRefused> {
    let refuse = |description: &str| Err(reply.error(OAuthError::InvalidRequest, description));
    let method = parameters.get("code_challenge_method");
    match parameters.get("code_challenge") {
        Some(_) if method != Some("S256") => refuse("code_challenge_method must be S256"),
        Some(challenge) if !pkce::is_challenge(challenge) => {
            refuse("code_challenge is not a SHA-256 in base64url")
        }
        Some(challenge) => {
            Ok(Some(CodeChallenge { method: CodeChallengeMethod::S256, challenge: challenge.to_owned() }))
        }
        None if method.is_some() => refuse("code_challenge_method without code_challenge"),
        None if response_type.code && application.is_public() => {
            refuse("an application without a secret needs PKCE: code_challenge is missing")
        }
        None => Ok(None),
    }
}

/// The key that the code is bound to (RFC 9449 section 10).
fn dpop_jkt(parameters: &Parameters, reply: &Reply<'_>) -> Result<Option<Thumbprint>, AuthorizationRefused> {
    let Some(text) = parameters.get("dpop_jkt") else { return Ok(None) };
    let refuse = || reply.error(OAuthError::InvalidRequest, "dpop_jkt is not a SHA-256 in base64url");
    Thumbprint::parse(text).map(Some).ok_or_else(refuse)
}

/// The `claims` parameter (OpenID Connect Core 5.5).
fn claims(parameters: &Parameters, reply: &Reply<'_>) -> Result<Map<String, Value>, AuthorizationRefused> {
    let refuse = || reply.error(OAuthError::InvalidRequest, "claims is not a JSON object of claims");
    let Some(text) = parameters.get("claims") else { return Ok(Map::new()) };
    let claims: Map<String, Value> = serde_json::from_str(text).map_err(|_| refuse())?;
    let mut known = Map::new();
    for (name, asked) in claims {
        if name == "userinfo" || name == "id_token" {
            if !asked.is_object() {
                return Err(refuse());
            }
            known.insert(name, asked);
        }
    }
    Ok(known)
}

/// The user whom the `claims` parameter demands (OpenID Connect Core 5.5.1).
fn named_user(claims: &Map<String, Value>) -> Option<String> {
    let parts = claims.values().filter_map(|part| part.get("sub"));
    parts.filter_map(|sub| sub.get("value")).find_map(Value::as_str).map(str::to_owned)
}

/// Whether the authentication context that the `claims` parameter calls essential can be had (section 5.5.1.1).
fn reaches_acr(claims: &Map<String, Value>) -> bool {
    let Some(acr) = claims.get("id_token").and_then(|part| part.get("acr")) else { return true };
    if acr.get("essential").and_then(Value::as_bool) != Some(true) {
        return true;
    }
    let is_ours = |value: &Value| value.as_str() == Some(ACR_ONE_FACTOR);
    let value = acr.get("value").is_none_or(is_ours);
    value && acr.get("values").and_then(Value::as_array).is_none_or(|values| values.iter().any(is_ours))
}

/// What a client wrote, as far as a description may repeat it (RFC 6749 section 4.1.2.1).
fn shown(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')).take(64).collect()
}
