//! `POST /oidc/token` (RFC 6749 3.2). This version has the refresh token grant.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hufu_app::{Config, Refusal, TokenSet, named};
use hufu_types::refusal::Code;
use hufu_types::{Application, Language, OpaqueToken, ScopeSet};
use serde::{Deserialize, Serialize};

use crate::request::{Head, read};
use crate::server::{self, Shared};

/// A token answer (RFC 6749 5.1). `expire_in` is the spelling of some documents of the clients.
#[derive(Serialize)]
pub struct TokenAnswer {
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    token_type: &'static str,
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
            token_type: "Bearer",
            scope: tokens.scope,
            expires_in: tokens.expires_in,
            expire_in: tokens.expires_in,
        }
    }
}

/// An error answer (RFC 6749 5.2).
#[derive(Debug)]
pub(crate) struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl OAuthError {
    pub(crate) fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, error, description: description.into() }
    }

    /// A refusal in OAuth's words.
    pub(crate) fn of(refusal: Refusal, head: &Head) -> Self {
        let error = match refusal.code() {
            Code::GrantInvalid => "invalid_grant",
            Code::NothingNamed
            | Code::PoolUnknown
            | Code::ApplicationUnknown
            | Code::NoDefaultApplication
            | Code::Disagreement => "invalid_client",
            Code::Invalid | Code::BodyTooLarge => "invalid_request",
            Code::Overloaded => "temporarily_unavailable",
            _ => "server_error",
        };
        let status = match error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        // RFC 6749 5.2 allows only ASCII here.
        let english = refusal.for_integrator(Language::English);
        let failure = head.refuse(refusal);
        tracing::debug!(error, message = failure.message(), "token request refused");
        Self::new(status, error, english)
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: &'static str,
            error_description: String,
        }
        let body = Body { error: self.error, error_description: self.description };
        (self.status, no_store(), Json(body)).into_response()
    }
}

pub(crate) fn no_store() -> [(header::HeaderName, &'static str); 2] {
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
}

/// Reads a form body and its head.
pub(crate) async fn form<T: serde::de::DeserializeOwned>(
    request: Request,
    shared: &Arc<Shared>,
) -> Result<(Head, T), OAuthError> {
    let bad = |text: &str| OAuthError::new(StatusCode::BAD_REQUEST, "invalid_request", text);
    let (head, bytes) = read(request, shared)
        .await
        .map_err(|failure| bad(&failure.refusal.for_integrator(Language::English)))?;
    let form = serde_urlencoded::from_bytes(&bytes)
        .map_err(|_| bad("Send the parameters as application/x-www-form-urlencoded, each at most once."))?;
    Ok((head, form))
}

/// The client of a request, which names itself by header, by parameter, or by both alike.
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

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: Option<String>,
    refresh_token: Option<String>,
    client_id: Option<String>,
}

/// Answers a grant. The client may name itself by header alone: the mini program SDKs do.
pub(crate) async fn token(State(shared): server::State, request: Request) -> Result<Response, OAuthError> {
    let (head, form) = form::<TokenRequest>(request, &shared).await?;
    let bad = |error, text: &str| OAuthError::new(StatusCode::BAD_REQUEST, error, text);
    match form.grant_type.as_deref().and_then(named) {
        Some("refresh_token") => {}
        Some(_) => {
            return Err(bad("unsupported_grant_type", "This server answers grant_type refresh_token."));
        }
        None => return Err(bad("invalid_request", "grant_type is missing.")),
    }
    let Some(refresh_token) = form.refresh_token.filter(|token| !token.is_empty()) else {
        return Err(bad("invalid_request", "refresh_token is missing."));
    };
    let tokens = async {
        let config = shared.app.config();
        let application = client(&config, &head, form.client_id.as_deref())?;
        shared.app.refresh(application, &OpaqueToken::presented(refresh_token)).await
    };
    let tokens = tokens.await.map_err(|refusal| OAuthError::of(refusal, &head))?;
    Ok((no_store(), Json(TokenAnswer::from(tokens))).into_response())
}
