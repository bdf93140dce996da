//! `POST /oidc/request`: pushed authorization requests (RFC 9126).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::authorization::{AuthorizationRefused, Parameters};
use hufu_types::refusal::Code;
use serde_json::json;

use super::client::credentials;
use super::token::challenging;
use crate::request::{self, Head};
use crate::server::{self, Shared};
use crate::surface::{Answer, private_json};

/// Stores a request of a client that authenticates as at the token endpoint.
pub(crate) async fn push(
    State(shared): server::State,
    head: Head,
    headers: HeaderMap,
    request::Parameters(list): request::Parameters<Vec<(String, String)>>,
) -> Answer<Response> {
    let pushed = pushed(&shared, &head, &headers, &Parameters::new(list)).await;
    challenging(&headers, pushed)
}

async fn pushed(
    shared: &Shared,
    head: &Head,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Refusal> {
    parameters.check_repeated()?;
    let credentials = credentials(headers, parameters)?.ok_or(Code::ClientUnauthorized)?;
    let origin = head.origin();
    let application = shared.app.authenticate_client(&credentials, &origin).await?;
    let method = Some(credentials.method());
    let binding = shared.app.bind_code(&application, method, head.proof(), &origin).await?;
    match shared.app.push_request(&application, parameters, &binding, &origin).await {
        Ok(pushed) => {
            let body = json!({ "request_uri": pushed.request_uri, "expires_in": pushed.expires_in });
            Ok(private_json(StatusCode::CREATED, &body))
        }
        Err(AuthorizationRefused::Page(refusal)) => Err(refusal),
        // What the browser would bring to the client, the client is told at once.
        Err(AuthorizationRefused::Response(response)) => {
            let body = json!({
                "error": response.get("error"), "error_description": response.get("error_description"),
            });
            Ok(private_json(StatusCode::BAD_REQUEST, &body))
        }
    }
}
