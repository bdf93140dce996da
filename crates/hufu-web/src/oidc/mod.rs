//! OAuth 2 and OpenID Connect: plain bodies and status codes of the RFCs, no envelope.

mod jwks;
mod revocation;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use token::TokenAnswer;

use crate::server::Shared;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/oidc/token", post(token::token))
        .route("/oidc/token/revocation", post(revocation::revoke))
        .route("/oidc/.well-known/jwks.json", get(jwks::jwks))
        .layer(crate::compat::cors())
}
