//! Scripts of other origins, which the published clients are: the origin is reflected, so no handler under this may
//! read a cookie.

use std::time::Duration;

use axum::http::{HeaderName, Method, header};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

/// Request headers that the clients send across origins.
const CLIENT_HEADERS: [&str; 12] = [
    "x-authing-app-id",
    "x-authing-userpool-id",
    "x-authing-app-tenant-id",
    "x-authing-device-id",
    "x-authing-lang",
    "x-authing-request-from",
    "x-authing-sdk-version",
    "x-authing-token",
    "x-authing-oauth-accesstoken",
    "x-authing-oauth-code",
    "x-authing-oidc-accesstoken",
    "x-authing-oidc-code",
];

/// Lets scripts of every origin call what is under it.
pub fn cors() -> CorsLayer {
    let headers = CLIENT_HEADERS.map(HeaderName::from_static);
    let headers = headers.into_iter().chain([header::AUTHORIZATION, header::CONTENT_TYPE]);
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_credentials(true)
        .allow_methods(AllowMethods::list([Method::GET, Method::POST, Method::DELETE]))
        .allow_headers(AllowHeaders::list(headers))
        .max_age(Duration::from_secs(600))
}
