//! `/api/v2/.well-known`, logout, and token validation.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use hufu_app::{Authenticated, Needs, Refusal, TokenType};
use serde::{Deserialize, Serialize};

use crate::envelope::Success;
use crate::management::call::{self, Call};
use crate::management::v2;
use crate::request::{Head, Query, given};
use crate::server::{self, Shared};
use crate::surface::{Answer, private_json};
use hufu_types::refusal::Reason;

/// The public key with which v2 clients encrypt passwords.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WellKnown {
    public_key: String,
}

/// Public. A bearer token is ignored.
pub(crate) async fn well_known(State(shared): server::State) -> Answer<Success<WellKnown>> {
    let public_key = shared.app.password_rsa_public_key().await?;
    Ok(Success::new(WellKnown { public_key }))
}

/// `GET /logout`: ends the session of the bearer token. Without a valid token there is nothing to end, which is not an
/// error.
pub(crate) async fn logout(
    State(shared): server::State,
    head: Head,
    request: Request,
) -> Answer<Success<()>> {
    let (parts, _) = request.into_parts();
    if call::is_management(&parts, &head) {
        v2::log_out(&Call::read(parts, &[], &shared).await?).await?;
        return Ok(Success::empty());
    }
    let who = head.authenticate(&shared, Needs::Login).await;
    end(&shared, who).await
}

/// `GET /api/v2/logout`: the same. The mobile SDKs send their id token.
pub(crate) async fn logout_v2(State(shared): server::State, head: Head) -> Answer<Success<()>> {
    let who = head.authenticate_mobile(&shared, Needs::Login).await;
    end(&shared, who).await
}

async fn end(shared: &Shared, who: Result<Authenticated, Refusal>) -> Answer<Success<()>> {
    match who {
        Ok(who) => shared.app.log_out(&who).await?,
        Err(refusal) if refusal.code().is_internal() || refusal.code().is_about_dpop() => {
            return Err(refusal.into());
        }
        Err(_) => {}
    }
    Ok(Success::empty())
}

/// `GET /cas/session`: published clients ask across origins who is logged in to the browser. No cookie comes with it, so
/// the answer is nobody, for everybody.
pub(crate) async fn cas_session() -> Response {
    private_json(StatusCode::OK, &serde_json::json!({ "session": null }))
}

/// The token to validate, in the parameter for its type.
#[derive(Deserialize)]
pub(crate) struct TokenQuery {
    id_token: Option<String>,
    access_token: Option<String>,
}

/// `GET /api/v2/oidc/validate_token`: returns the claims of a valid id token, access token or user token. The
/// client passes the body to its caller unchanged, so the claims have no envelope. A bearer token is ignored.
pub(crate) async fn validate_token(
    State(shared): server::State,
    head: Head,
    Query(query): Query<TokenQuery>,
) -> Answer<Response> {
    let (id_token, access_token) = (given(query.id_token.as_ref()), given(query.access_token.as_ref()));
    let (token, kinds): (_, &[TokenType]) = match (id_token, access_token) {
        // These clients use the user token as an id token.
        (Some(token), None) => (token, &[TokenType::IdToken, TokenType::UserToken]),
        (None, Some(token)) => (token, &[TokenType::AccessToken]),
        _ => {
            return Err(Refusal::invalid("id_token, access_token", Reason::OneNeeded).into());
        }
    };
    let claims = shared.app.validate_token(token, kinds, head.named()).await?;
    Ok(private_json(StatusCode::OK, &claims))
}
