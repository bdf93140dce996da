//! `POST /oidc/token` (RFC 6749 section 3.2). Only the refresh token grant is supported.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use hufu_app::{Config, Refusal, TokenSet, named};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Application, OpaqueToken, ScopeSet};
use serde::{Deserialize, Serialize};

use crate::request::{Head, Parameters};
use crate::server;
use crate::surface::{Answer, json};

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

pub(crate) fn no_store() -> [(header::HeaderName, &'static str); 2] {
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
}

/// A required parameter. An empty one counts as missing.
pub(crate) fn required(parameter: Option<String>, name: &'static str) -> Result<String, Refusal> {
    parameter.filter(|value| !value.is_empty()).ok_or_else(|| Refusal::invalid(name, Reason::Missing))
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

#[derive(Deserialize)]
pub(crate) struct TokenRequest {
    grant_type: Option<String>,
    refresh_token: Option<String>,
    client_id: Option<String>,
}

/// Exchanges a grant for tokens. The client may be named by the header alone, as the mini program SDKs do.
pub(crate) async fn token(
    State(shared): server::State,
    head: Head,
    Parameters(request): Parameters<TokenRequest>,
) -> Answer<Response> {
    match request.grant_type.as_deref().and_then(named) {
        Some("refresh_token") => {}
        Some(_) => return Err(Code::GrantUnsupported.into()),
        None => return Err(Refusal::invalid("grant_type", Reason::Missing).into()),
    }
    let refresh_token = OpaqueToken::presented(required(request.refresh_token, "refresh_token")?);
    let config = shared.app.config();
    let application = client(&config, &head, request.client_id.as_deref())?;
    let tokens = shared.app.refresh(application, &refresh_token, None, &head.origin()).await?;
    Ok((no_store(), json(&TokenAnswer::from(tokens))).into_response())
}
