//! OAuth 2 and OpenID Connect. Bodies and status codes follow the RFCs; there is no envelope.
//!
//! - `discovery`, `jwks`: what the provider is, for programs.
//! - `authorize`: the authorization endpoint. [`outcome`] is what follows it, which the pages use too;
//!   `social` is what published clients get instead that began a login at a connection.
//! - `pushed`: authorization requests that clients send ahead.
//! - `registration`: clients that register themselves.
//! - `client`: how clients name and prove themselves. `token`, `device`, `userinfo`,
//!   `introspection`, `revocation`.
//! - [`browser`]: the cookie of the browser sessions.

mod authorize;
pub mod browser;
mod client;
mod device;
mod discovery;
mod introspection;
mod jwks;
pub mod outcome;
mod pushed;
mod registration;
mod revocation;
mod social;
mod token;
mod userinfo;

use axum::routing::{get, post};
use hufu_types::refusal::Code;

pub use token::TokenAnswer;

use crate::Routes;
use crate::cors::{open, to_applications};
use crate::page::routes_of;
use crate::surface::{oauth, refusing, unserved};

pub(crate) fn routes() -> Routes {
    let routes = Routes::new()
        // Reads cookies: no CORS.
        .route("/oidc/auth", get(authorize::by_query).post(authorize::by_form))
        .route("/oidc/request", to_applications(post(pushed::push)))
        // Programs register, not scripts of pages: no CORS.
        .route("/oidc/reg", post(registration::register))
        .route(
            "/oidc/reg/{client}",
            get(registration::show).put(registration::change).delete(registration::remove),
        )
        .route("/oidc/token", to_applications(post(token::token)))
        .route("/oidc/device/auth", to_applications(post(device::start)))
        .route("/oidc/me", to_applications(get(userinfo::by_header).post(userinfo::by_form)))
        .route("/oidc/token/introspection", to_applications(post(introspection::introspect)))
        .route("/oidc/token/revocation", to_applications(post(revocation::revoke)));
    refusing(routes.merge(unserved("/oidc", Code::PathUnknown)), oauth)
        .route("/.well-known/openid-configuration", open(get(discovery::elsewhere)))
        .merge(routes_of(&[&outcome::SENDS_ITSELF]))
}

/// The documents: read from memory, so that nothing is left undone when a client goes away.
pub(crate) fn documents() -> Routes {
    let documents = Routes::new()
        .route("/oidc/.well-known/openid-configuration", open(get(discovery::discovery)))
        .route("/oidc/.well-known/jwks.json", open(get(jwks::jwks)));
    refusing(documents, oauth)
}
