//! `POST /oidc/token/revocation` (RFC 7009), with `token`. A client with a secret sends it; one of the published SDKs may
//! be named by `client_id` or the header alone.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hufu_app::Refusal;
use hufu_app::authorization::ClientCredentials;
use hufu_types::OpaqueToken;

use super::client::ClientRequest;
use super::token::{client, no_store};
use crate::surface::Answer;

/// Ends the session of an access or refresh token. A token that is unknown, expired or issued to another
/// application is not an error and changes nothing (RFC 7009 section 2.2).
pub(crate) async fn revoke(request: ClientRequest) -> Answer<Response> {
    let ended = end(&request).await;
    request.answer(ended.map(|()| (no_store(), StatusCode::OK).into_response()))
}

async fn end(request: &ClientRequest) -> Result<(), Refusal> {
    let credentials = request.credentials()?;
    let ClientRequest { shared, head, parameters, .. } = request;
    let token = OpaqueToken::presented(parameters.required("token")?.to_owned());
    let config = shared.app.config();
    // Whoever has the token may end it: a client that does not authenticate is not refused.
    let application = match credentials {
        Some(ClientCredentials::Public { id }) => client(&config, head, Some(&id))?.clone(),
        Some(sent) => shared.app.authenticate_client(&sent, &head.origin()).await?,
        None => client(&config, head, None)?.clone(),
    };
    shared.app.revoke(&application, &token, &head.origin()).await
}
