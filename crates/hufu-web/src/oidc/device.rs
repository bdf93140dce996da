//! `POST /oidc/device/auth`: a device without a browser begins its login (RFC 8628 section 3.1).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::authorization::{DeviceStarted, Parameters};
use hufu_types::Grant;
use serde::Serialize;

use super::client::credentials;
use super::token::{authenticated, challenging};
use crate::request::{self, Head};
use crate::server::{self, Shared};
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
pub(crate) async fn start(
    State(shared): server::State,
    head: Head,
    headers: HeaderMap,
    request::Parameters(list): request::Parameters<Vec<(String, String)>>,
) -> Answer<Response> {
    let started = started(&shared, &head, &headers, &Parameters::new(list)).await;
    let written = started.map(|DeviceStarted { device_code, user_code, expires_in, interval }| {
        let page = format!("{}/device", shared.app.public_url());
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
    challenging(&headers, written)
}

async fn started(
    shared: &Shared,
    head: &Head,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<DeviceStarted, Refusal> {
    parameters.check_repeated()?;
    let credentials = credentials(headers, parameters)?;
    let (application, _) = authenticated(shared, head, credentials, Grant::DeviceCode).await?;
    let (scope, resources) = (parameters.get("scope"), parameters.resources());
    shared.app.start_device(&application, scope, &resources, &head.origin()).await
}
