//! `POST /oidc/token/revocation` (RFC 7009), for public clients: `client_id` and `token`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hufu_types::OpaqueToken;
use serde::Deserialize;

use super::token::{OAuthError, client, form, no_store};
use crate::server;

#[derive(Deserialize)]
struct RevocationRequest {
    token: Option<String>,
    client_id: Option<String>,
}

/// Ends the session of an access or refresh token. A token that is unknown,
/// over, or another application's is no error and changes nothing (RFC 7009 2.2).
pub(crate) async fn revoke(State(shared): server::State, request: Request) -> Result<Response, OAuthError> {
    let (head, form) = form::<RevocationRequest>(request, &shared).await?;
    let Some(token) = form.token.filter(|token| !token.is_empty()) else {
        return Err(OAuthError::new(StatusCode::BAD_REQUEST, "invalid_request", "token is missing."));
    };
    let revoked = async {
        let config = shared.app.config();
        let application = client(&config, &head, form.client_id.as_deref())?;
        shared.app.revoke(application, &OpaqueToken::presented(token), &head.origin()).await
    };
    revoked.await.map_err(|refusal| OAuthError::of(refusal, &head))?;
    Ok((no_store(), StatusCode::OK).into_response())
}
