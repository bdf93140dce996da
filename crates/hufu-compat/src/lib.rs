//! The HTTP API of the published Authing/GenAuth clients.
//!
//! Its rules: HTTP 200 with the result in the body; a stale, foreign or
//! malformed bearer never fails a login; no handler reads a cookie, so that the
//! reflected origin of CORS gives nothing away.

mod codes;
mod fields;
mod graphql;
mod login_flow;
mod mini_program;
mod mobile;
mod personal;
mod registration;
mod session;
mod upload;
mod user;
mod users;
mod v3;

use std::sync::Arc;

use axum::routing::{get, post};
use hufu_web::cors::cors;
use hufu_web::{Routes, envelope, oidc, problem, request, server, waiting};

/// What this surface is told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether GraphQL answers questions about its schema; never in production.
    pub introspection: bool,
}

/// The routes of this surface.
pub fn routes(settings: &Settings) -> Routes {
    let graphql = Arc::new(graphql::Endpoint::new(settings.introspection));
    Routes::new()
        .route("/connections/social/wechat-miniprogram/auth", post(mini_program::auth))
        .route("/connections/social/wechat-miniprogram/auth-by-phone", post(mini_program::auth_by_phone))
        .route("/connections/social/wechat-miniprogram/getphone", post(mini_program::get_phone))
        .route("/connections/social/wechat-miniprogram/bind", post(mini_program::bind))
        .route("/api/v2/ecConn/wechatMobile/authByCode", post(mobile::auth_by_code))
        .route("/graphql/v2", post(move |shared, request| graphql::handle(graphql, shared, request)))
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
