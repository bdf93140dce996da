//! `GET` and `POST /oidc/me`: the claims about the user of an access token (OpenID Connect Core 5.3), as
//! JSON or, if the application wants that, as a JWT.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hufu_app::authorization::{Presented, Userinfo};
use hufu_app::{Needs, TokenType};
use hufu_types::refusal::Code;

use crate::request::{self, Head};
use crate::server::{self, Shared};
use crate::surface::{Answer, private_json, private_jwt};

/// The token is in the header.
pub(crate) async fn by_header(State(shared): server::State, head: Head) -> Answer<Response> {
    claims(&shared, &head, head.presented()).await
}

/// The token is in the header or in the body (RFC 6750 section 2.2), not in both. One that is bound to a key is in the
/// header alone (RFC 9449 section 7.1).
pub(crate) async fn by_form(
    State(shared): server::State,
    head: Head,
    request::Parameters(list): request::Parameters<Vec<(String, String)>>,
) -> Answer<Response> {
    let mut in_body = list.iter().filter(|(name, _)| name == "access_token").map(|(_, value)| value.as_str());
    match (head.presented(), in_body.next(), in_body.next()) {
        (token, None, _) => claims(&shared, &head, token).await,
        (None, Some(token), None) => claims(&shared, &head, Some(Presented::Bearer(token))).await,
        _ => Err(Code::NotLoggedIn.because("more than one token").into()),
    }
}

async fn claims(shared: &Shared, head: &Head, token: Option<Presented<'_>>) -> Answer<Response> {
    let who = shared.app.authenticate(token, head.named(), head.origin(), Needs::Userinfo).await?;
    if who.scope.is_none() {
        // A user token is for the calls of the published clients.
        return Err(Code::NotLoggedIn.because(TokenType::UserToken.as_str()).into());
    }
    Ok(match shared.app.userinfo(&who).await? {
        Userinfo::Claims(claims) => private_json(StatusCode::OK, &claims),
        Userinfo::Signed(jwt) => private_jwt("application/jwt", jwt),
    })
}
