//! `POST /oidc/request`: pushed authorization requests (RFC 9126).

use axum::http::StatusCode;
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::authorization::AuthorizationRefused;
use serde_json::json;

use super::client::ClientRequest;
use crate::surface::{Answer, private_json};

/// Stores a request of a client that authenticates as at the token endpoint.
pub(crate) async fn push(request: ClientRequest) -> Answer<Response> {
    let pushed = pushed(&request).await;
    request.answer(pushed)
}

async fn pushed(request: &ClientRequest) -> Result<Response, Refusal> {
    let (application, method) = request.client_and_method().await?;
    let ClientRequest { shared, head, parameters, .. } = request;
    let origin = head.origin();
    let binding = shared.app.bind_code(&application, Some(method), head.proof(), &origin).await?;
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
