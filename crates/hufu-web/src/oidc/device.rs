//! `POST /oidc/device/auth`: a device without a browser begins its login (RFC 8628 section 3.1).

use axum::http::StatusCode;
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::authorization::DeviceStarted;
use hufu_types::Grant;
use serde::Serialize;

use super::client::ClientRequest;
use super::token::authenticated;
use crate::surface::{Answer, private_json};

/// The response (RFC 8628 section 3.2).
#[derive(Serialize)]
struct Started<'a> {
    device_code: &'a str,
    user_code: &'a str,
    verification_uri: &'a str,
    verification_uri_complete: String,
    expires_in: u64,
    interval: i64,
}

/// Gives a device its codes.
pub(crate) async fn start(request: ClientRequest) -> Answer<Response> {
    let started = started(&request).await;
    let written = started.map(|DeviceStarted { device_code, user_code, expires_in, interval }| {
        let page = format!("{}/device", request.shared.app.public_url());
        let started = Started {
            device_code: device_code.expose(),
            user_code: &user_code,
            verification_uri: &page,
            verification_uri_complete: format!("{page}?user_code={user_code}"),
            expires_in,
            interval,
        };
        private_json(StatusCode::OK, &started)
    });
    request.answer(written)
}

async fn started(request: &ClientRequest) -> Result<DeviceStarted, Refusal> {
    let credentials = request.credentials()?;
    let ClientRequest { shared, head, parameters, .. } = request;
    let (application, _) = authenticated(shared, head, credentials, Grant::DeviceCode).await?;
    let (scope, resources) = (parameters.get("scope"), parameters.resources());
    shared.app.start_device(&application, scope, &resources, &head.origin()).await
}
