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

/// Tells a client about a token of its own. A client without a secret may ask as well: whoever has the token may know
/// what is in it.
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
    let token = parameters.required("token")?;
    Ok(private_json(StatusCode::OK, &shared.app.introspect(&application, token).await?))
}
