//! OAuth 2 and OpenID Connect: plain bodies and status codes of the RFCs, no envelope.

mod jwks;
mod revocation;
mod token;

use axum::routing::{get, post};

pub use token::TokenAnswer;

use crate::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/oidc/token", post(token::token))
        .route("/oidc/token/revocation", post(revocation::revoke))
        .route("/oidc/.well-known/jwks.json", get(jwks::jwks))
        .layer(crate::cors::cors())
}
