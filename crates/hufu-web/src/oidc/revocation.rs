//! `POST /oidc/token/revocation` (RFC 7009) for public clients, with `client_id` and `token`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hufu_types::OpaqueToken;
use serde::Deserialize;

use super::token::{client, no_store, required};
use crate::request::{Head, Parameters};
use crate::server;
use crate::surface::Answer;

#[derive(Deserialize)]
pub(crate) struct RevocationRequest {
    token: Option<String>,
    client_id: Option<String>,
}

/// Ends the session of an access or refresh token. A token that is unknown, expired or issued to another
/// application is not an error and changes nothing (RFC 7009 section 2.2).
pub(crate) async fn revoke(
    State(shared): server::State,
    head: Head,
    Parameters(request): Parameters<RevocationRequest>,
) -> Answer<Response> {
    let token = OpaqueToken::presented(required(request.token, "token")?);
    let config = shared.app.config();
    let application = client(&config, &head, request.client_id.as_deref())?;
    shared.app.revoke(application, &token, &head.origin()).await?;
    Ok((no_store(), StatusCode::OK).into_response())
}
