//! `GET /oidc/.well-known/jwks.json`: the public keys for all tokens (RFC 7517 section 5).

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use crate::server;

/// Returns the current keys, the next one, and old ones whose tokens may still be valid. A key is published
/// an hour before it signs, so caching for five minutes is safe.
pub(crate) async fn jwks(State(shared): server::State) -> Response {
    let keys = shared.app.published_keys();
    written(keys.json())
}

/// A document of the provider, which is written once and sent often.
pub(crate) fn written(json: &[u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    (headers, json.to_vec()).into_response()
}
