//! OAuth 2 and OpenID Connect. Bodies and status codes follow the RFCs; there is no envelope.

mod jwks;
mod revocation;
mod token;

use axum::routing::{get, post};
use hufu_types::refusal::Code;

pub use token::TokenAnswer;

use crate::Routes;
use crate::cors::open;
use crate::surface::{oauth, refusing, unserved};

pub(crate) fn routes() -> Routes {
    let routes = Routes::new()
        .route("/oidc/token", open(post(token::token)))
        .route("/oidc/token/revocation", open(post(revocation::revoke)))
        .route("/oidc/.well-known/jwks.json", open(get(jwks::jwks)));
    refusing(routes.merge(unserved("/oidc", Code::PathUnknown)), oauth)
}
