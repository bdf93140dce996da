//! The HTTP API of the published Authing/GenAuth clients.
//!
//! Its rules: HTTP 200 with the result in the body; a stale, foreign or
//! malformed bearer never fails a login; no handler reads a cookie, so that the
//! reflected origin of CORS gives nothing away.

mod codes;
pub(crate) mod fields;
pub(crate) mod graphql;
mod login_flow;
mod mini_program;
mod registration;
mod session;
mod upload;
pub(crate) mod user;
mod users;
pub(crate) mod v3;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, Method, header};
use axum::routing::{get, post};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use crate::server::Shared;

pub(crate) use login_flow::waiting_data;

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

pub(crate) fn cors() -> CorsLayer {
    let headers = CLIENT_HEADERS.map(HeaderName::from_static);
    let headers = headers.into_iter().chain([header::AUTHORIZATION, header::CONTENT_TYPE]);
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_credentials(true)
        .allow_methods(AllowMethods::list([Method::GET, Method::POST, Method::DELETE]))
        .allow_headers(AllowHeaders::list(headers))
        .max_age(Duration::from_secs(600))
}

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/connections/social/wechat-miniprogram/auth", post(mini_program::auth))
        .route("/connections/social/wechat-miniprogram/auth-by-phone", post(mini_program::auth_by_phone))
        .route("/connections/social/wechat-miniprogram/getphone", post(mini_program::get_phone))
        .route("/connections/social/wechat-miniprogram/bind", post(mini_program::bind))
        .route("/graphql/v2", post(graphql::handle))
        .route("/api/v2/.well-known", get(session::well_known))
        .route("/api/v2/logout", get(session::logout))
        .route("/logout", get(session::logout))
        .route("/api/v2/oidc/validate_token", get(session::validate_token))
        .route("/api/v2/upload", post(upload::upload))
        .route("/api/v2/sms/send", post(codes::send_sms))
        .route("/api/v2/login/email-code", post(registration::login_by_email_code))
        .route("/api/v2/register/email-code", post(registration::register_by_email_code))
        .route("/api/v2/users/me", get(users::me))
        .route("/api/v2/users/me/security-level", get(users::security_level))
        .route("/api/v2/users/me/applications/allowed", get(users::applications))
        .route("/api/v2/users/link", post(users::link))
        .route("/api/v2/users/unlink", post(users::unlink))
        .route("/api/v3/login-flows/{id}", post(login_flow::step))
        .merge(v3::routes())
        .merge(crate::personal::routes())
        .layer(cors())
        .route("/uploads/{name}", get(upload::serve))
}
