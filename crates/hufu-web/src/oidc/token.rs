//! `POST /oidc/token` (RFC 6749 section 3.2).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use hufu_app::authorization::{Binding, ClientCredentials, CodeGrant, Parameters};
use hufu_app::{Config, Narrowing, Refusal, TokenSet, named};
use hufu_types::refusal::Code;
use hufu_types::{Application, Grant, OpaqueToken, ScopeSet, TokenAuth};
use serde::Serialize;

use super::client::credentials;
use crate::request::{self, Head};
use crate::server::{self, Shared};
use crate::surface::{Answer, Refused, json};

/// A token response (RFC 6749 section 5.1). Some documentation of the clients spells the lifetime
/// `expire_in`, so both spellings are sent.
#[derive(Serialize)]
pub struct TokenAnswer {
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    token_type: &'static str,
    #[serde(skip_serializing_if = "ScopeSet::is_empty")]
    scope: ScopeSet,
    expires_in: u64,
    expire_in: u64,
}

impl From<TokenSet> for TokenAnswer {
    fn from(tokens: TokenSet) -> Self {
        Self {
            access_token: tokens.access_token,
            id_token: tokens.id_token,
            refresh_token: tokens.refresh_token.map(|token| token.expose().to_owned()),
            token_type: tokens.token_type,
            scope: tokens.scope,
            expires_in: tokens.expires_in,
            expire_in: tokens.expires_in,
        }
    }
}

pub(crate) fn no_store() -> [(header::HeaderName, &'static str); 2] {
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
}

/// The client of a request. It is named by a header, by the parameter, or by both if they agree.
pub(crate) fn client<'a>(
    config: &'a Config,
    head: &Head,
    client_id: Option<&str>,
) -> Result<&'a Arc<Application>, Refusal> {
    let application = config.serving(head.named_or(client_id))?;
    if client_id.and_then(named).is_some_and(|id| id != application.id.as_str()) {
        return Err(Code::Disagreement.into());
    }
    Ok(application)
}

/// The grant of the mobile clients: a user token becomes a token set of the same session.
const USER_TOKEN_GRANT: &str = "http://authing.cn/oidc/grant_type/authing_token";

/// Exchanges a grant for tokens. With a refresh token alone the client may be named by the header alone, as the mini
/// program SDKs do.
pub(crate) async fn token(
    State(shared): server::State,
    head: Head,
    headers: HeaderMap,
    request::Parameters(list): request::Parameters<Vec<(String, String)>>,
) -> Answer<Response> {
    let parameters = Parameters::new(list);
    let tokens = grant(&shared, &head, &headers, &parameters).await;
    challenging(&headers, tokens.map(|tokens| (no_store(), json(&TokenAnswer::from(tokens))).into_response()))
}

/// An answer to a client. One that tried to authenticate by the header learns of the header (RFC 6749 section 5.2).
pub(crate) fn challenging(headers: &HeaderMap, answer: Result<Response, Refusal>) -> Answer<Response> {
    match answer {
        Err(refusal)
            if refusal.is(Code::ClientUnauthorized) && headers.contains_key(header::AUTHORIZATION) =>
        {
            let challenge = HeaderValue::from_static("Basic realm=\"oidc\"");
            Ok(([(header::WWW_AUTHENTICATE, challenge)], Refused::from(refusal)).into_response())
        }
        answer => Ok(answer?),
    }
}

async fn grant(
    shared: &Shared,
    head: &Head,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<TokenSet, Refusal> {
    parameters.check_repeated()?;
    let credentials = credentials(headers, parameters)?;
    match parameters.required("grant_type")? {
        "refresh_token" => refresh(shared, head, credentials, parameters).await,
        "authorization_code" => {
            let (application, credentials) =
                authenticated(shared, head, credentials, Grant::AuthorizationCode).await?;
            let (method, origin) = (credentials.method(), head.origin());
            let grant = CodeGrant {
                code: parameters.required("code")?,
                redirect_uri: parameters.required("redirect_uri")?,
                verifier: parameters.get("code_verifier"),
                resources: parameters.resources(),
            };
            let binding = bind(shared, head, &application, Some(method)).await?;
            shared.app.exchange_code(&application, method, grant, &binding, &origin).await
        }
        "client_credentials" => {
            let (application, credentials) =
                authenticated(shared, head, credentials, Grant::ClientCredentials).await?;
            let binding = bind(shared, head, &application, Some(credentials.method())).await?;
            let (scope, resources) = (parameters.get("scope"), parameters.resources());
            shared.app.client_token(&application, scope, &resources, &binding)
        }
        grant if grant == Grant::DeviceCode.on_the_wire() => {
            let (application, credentials) =
                authenticated(shared, head, credentials, Grant::DeviceCode).await?;
            let (method, code) = (credentials.method(), parameters.required("device_code")?);
            let (resources, origin) = (parameters.resources(), head.origin());
            let binding = bind(shared, head, &application, Some(method)).await?;
            shared.app.exchange_device_code(&application, method, code, resources, &binding, &origin).await
        }
        USER_TOKEN_GRANT => {
            let credentials = credentials.ok_or(Code::ClientUnauthorized)?;
            if parameters.get("resource").is_some() {
                return Err(Code::TargetInvalid.because("a user token was granted for no resource"));
            }
            // Its clients send the secret or a verifier, and some send neither: the user token is what counts.
            let config = shared.app.config();
            let (application, method) = if let ClientCredentials::Public { id } = &credentials {
                (config.application_or(id, Code::ClientUnauthorized)?.clone(), None)
            } else {
                let application = shared.app.authenticate_client(&credentials, &head.origin()).await?;
                (application, Some(credentials.method()))
            };
            let (scope, token) = (parameters.get("scope"), parameters.required("token")?);
            let (binding, origin) = (bind(shared, head, &application, method).await?, head.origin());
            shared.app.exchange_user_token(&application, token, method, scope, &binding, origin).await
        }
        _ => Err(Code::GrantUnsupported.into()),
    }
}

/// The client of a request, which must have the grant.
pub(crate) async fn authenticated(
    shared: &Shared,
    head: &Head,
    credentials: Option<ClientCredentials>,
    grant: Grant,
) -> Result<(Arc<Application>, ClientCredentials), Refusal> {
    let credentials = credentials.ok_or(Code::ClientUnauthorized)?;
    let application = shared.app.authenticate_client(&credentials, &head.origin()).await?;
    let by_hybrid = grant == Grant::AuthorizationCode && application.has_grant(Grant::Hybrid);
    if !by_hybrid && !application.has_grant(grant) {
        return Err(Code::GrantNotAllowed.with("grant", grant.as_str()));
    }
    if grant == Grant::ClientCredentials && application.is_public() {
        return Err(Code::ClientUnauthorized.because("a client without a secret gets no tokens for itself"));
    }
    Ok((application, credentials))
}

/// The refresh token grant (RFC 6749 section 6). Clients of the published SDKs are named and do not authenticate; their
/// refresh tokens were issued so.
async fn refresh(
    shared: &Shared,
    head: &Head,
    credentials: Option<ClientCredentials>,
    parameters: &Parameters,
) -> Result<TokenSet, Refusal> {
    let refresh_token = OpaqueToken::presented(parameters.required("refresh_token")?.to_owned());
    let config = shared.app.config();
    let (application, method) = match &credentials {
        Some(sent) if sent.prove() => {
            let (application, credentials) =
                authenticated(shared, head, credentials, Grant::RefreshToken).await?;
            (application, Some(credentials.method()))
        }
        named => {
            let id = named.as_ref().map(ClientCredentials::id);
            let application = client(&config, head, id)?.clone();
            let method = application.is_public().then_some(TokenAuth::None);
            (application, method)
        }
    };
    let narrowing = Narrowing { scope: parameters.get("scope"), resources: parameters.resources() };
    let binding = bind(shared, head, &application, method).await?;
    shared.app.refresh(&application, &refresh_token, method, narrowing, &binding, &head.origin()).await
}

/// What the tokens of a request are bound to: the key of its DPoP proof, if it has one.
async fn bind(
    shared: &Shared,
    head: &Head,
    application: &Application,
    client_auth: Option<TokenAuth>,
) -> Result<Binding, Refusal> {
    shared.app.bind_tokens(application, client_auth, head.proof(), &head.origin()).await
}
