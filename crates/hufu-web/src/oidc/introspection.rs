//! `POST /oidc/token/introspection` (RFC 7662).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::authorization::Parameters;
use hufu_types::refusal::Code;

use super::client::credentials;
use super::token::challenging;
use crate::request::{self, Head};
use crate::server::{self, Shared};
use crate::surface::{Answer, private_json};

/// Tells a client about a token of its own, and an API about one that is for it. A client without a secret may ask as well: whoever has the token may know
/// what is in it.
pub(crate) async fn introspect(
    State(shared): server::State,
    head: Head,
    headers: HeaderMap,
    request::Parameters(list): request::Parameters<Vec<(String, String)>>,
) -> Answer<Response> {
    let answer = tell(&shared, &head, &headers, &Parameters::new(list)).await;
    challenging(&headers, answer)
}

async fn tell(
    shared: &Shared,
    head: &Head,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Refusal> {
    parameters.check_repeated()?;
    let credentials = credentials(headers, parameters)?.ok_or(Code::ClientUnauthorized)?;
    let application = shared.app.authenticate_client(&credentials, &head.origin()).await?;
    let token = parameters.required("token")?;
    Ok(private_json(StatusCode::OK, &shared.app.introspect(&application, token).await?))
}
