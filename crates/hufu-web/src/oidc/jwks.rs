//! `GET /oidc/.well-known/jwks.json`: the public keys for all tokens (RFC 7517 section 5).

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::server;
use crate::surface::json;

/// Returns the current keys, the next one, and old ones whose tokens may still be valid. A key is published
/// an hour before it signs, so caching for five minutes is safe.
pub(crate) async fn jwks(State(shared): server::State) -> Response {
    let keys = shared.app.published_keys();
    ([(header::CACHE_CONTROL, "public, max-age=300")], json(&keys.published())).into_response()
}
