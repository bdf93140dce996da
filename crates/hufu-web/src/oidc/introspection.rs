//! `POST /oidc/token/introspection` (RFC 7662).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hufu_app::authorization::Parameters;
use hufu_types::refusal::Code;

use super::client::credentials;
use crate::request::{self, Head};
use crate::server;
use crate::surface::{Answer, private_json};

/// Tells a client with a secret about a token of its own.
pub(crate) async fn introspect(
    State(shared): server::State,
    head: Head,
    headers: HeaderMap,
    request::Parameters(list): request::Parameters<Vec<(String, String)>>,
) -> Answer<Response> {
    let parameters = Parameters::new(list);
    parameters.check_repeated()?;
    let credentials = credentials(&headers, &parameters)?.ok_or(Code::ClientUnauthorized)?;
    let application = shared.app.authenticate_client(&credentials, &head.origin()).await?;
    if application.is_public() {
        return Err(Code::ClientUnauthorized
            .because("a client without a secret learns nothing of tokens")
            .into());
    }
    let token = parameters.required("token")?;
    Ok(private_json(StatusCode::OK, &shared.app.introspect(&application, token).await?))
}
