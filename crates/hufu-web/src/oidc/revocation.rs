//! `POST /oidc/token/revocation` (RFC 7009), with `token`. A client with a secret sends it; one of the published SDKs may
//! be named by `client_id` or the header alone.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hufu_app::Refusal;
use hufu_app::authorization::{ClientCredentials, Parameters};
use hufu_types::OpaqueToken;

use super::client::credentials;
use super::token::{challenging, client, no_store};
use crate::request::{self, Head};
use crate::server::{self, Shared};
use crate::surface::Answer;

/// Ends the session of an access or refresh token. A token that is unknown, expired or issued to another
/// application is not an error and changes nothing (RFC 7009 section 2.2).
pub(crate) async fn revoke(
    State(shared): server::State,
    head: Head,
    headers: HeaderMap,
    request::Parameters(list): request::Parameters<Vec<(String, String)>>,
) -> Answer<Response> {
    let answer = end(&shared, &head, &headers, &Parameters::new(list)).await;
    challenging(&headers, answer.map(|()| (no_store(), StatusCode::OK).into_response()))
}

async fn end(
    shared: &Shared,
    head: &Head,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<(), Refusal> {
    parameters.check_repeated()?;
    let token = OpaqueToken::presented(parameters.required("token")?.to_owned());
    let config = shared.app.config();
    // Whoever has the token may end it: a client that does not authenticate is not refused.
    let application = match credentials(headers, parameters)? {
        Some(ClientCredentials::Public { id }) => client(&config, head, Some(&id))?.clone(),
        Some(sent) => shared.app.authenticate_client(&sent, &head.origin()).await?,
        None => client(&config, head, None)?.clone(),
    };
    shared.app.revoke(&application, &token, &head.origin()).await
}
