//! `GET /oidc/.well-known/jwks.json`: the public keys of all tokens (RFC 7517 5).

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::server;
use crate::surface::json;

/// The present keys, the next one, and those whose tokens may still live. Keys
/// are published an hour before they sign, so five minutes of caching are safe.
pub(crate) async fn jwks(State(shared): server::State) -> Response {
    let keys = shared.app.published_keys();
    ([(header::CACHE_CONTROL, "public, max-age=300")], json(&keys.published())).into_response()
}
