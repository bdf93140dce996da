//! The HTTP API of the published Authing/GenAuth clients.
//!
//! Its rules: the HTTP status is 200 and the result is in the body, also for calls that are not served. A bearer token that is stale, malformed
//! or from another pool never makes a login fail. No handler reads a cookie, so reflecting the origin in CORS
//! exposes nothing.

mod codes;
mod entry;
mod fields;
mod graphql;
mod guard;
mod launch;
mod login_flow;
mod management;
mod mini_program;
mod mobile;
mod official_account;
mod own;
mod personal;
mod public_config;
mod qrcode;
mod session;
mod upload;
mod user;
mod users;
mod v3;
mod waiting;
mod wxapp;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use hufu_app::UserToken;
use hufu_types::{Identity, User};
use hufu_web::cors::open;
use hufu_web::surface::{refusing, sdk, sdk_with_status, unserved_calls};
use hufu_web::{Routes, envelope, oidc, request, server, surface};

/// A user with a token, for a login that returns to a client in an address: without what is not there.
pub fn user_object(user: User, identities: Vec<Identity>, token: &UserToken) -> serde_json::Value {
    let user = user::UserV2::new(user, Some(token)).with_identities(identities);
    let user = user::UserV2 { identities: None, ..user };
    let mut written = serde_json::to_value(user).unwrap_or_default();
    if let Some(written) = written.as_object_mut() {
        written.retain(|_, value| !value.is_null());
    }
    written
}

/// Settings of this surface.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether GraphQL introspection is enabled. Never enable it in production.
    pub introspection: bool,
}

/// The routes of this surface.
pub fn routes(settings: &Settings) -> Routes {
    let graphql = Arc::new(graphql::Endpoint::new(settings.introspection));
    let graphql = open(post(move |shared, head, request| graphql::handle(graphql, shared, head, request)));
    let graphql = Routes::new().route("/graphql/v2", graphql).merge(unserved_calls("/graphql"));
    let graphql = refusing(graphql, graphql::answer::refused);
    let routes = Routes::new()
        .route("/connections/social/wechat-miniprogram/auth", open(post(mini_program::auth)))
        .route(
            "/connections/social/wechat-miniprogram/auth-by-phone",
            open(post(mini_program::auth_by_phone)),
        )
        .route("/connections/social/wechat-miniprogram/getphone", open(post(mini_program::get_phone)))
        .route("/connections/social/wechat-miniprogram/bind", open(post(mini_program::bind)))
        .route("/api/v2/.well-known", open(get(session::well_known)))
        .route("/api/v2/logout", open(get(session::logout_v2)))
        .route("/logout", open(get(session::logout)))
        .route("/cas/session", open(get(session::cas_session)))
        .route("/api/v2/oidc/validate_token", open(get(session::validate_token)))
        // The handler limits the body itself, with a response that the client can see.
        .route("/api/v2/upload", open(post(upload::upload)).layer(DefaultBodyLimit::disable()))
        .route("/api/v2/sms/send", open(post(codes::send_sms)))
        .route("/api/v2/email/send", open(post(codes::send_email)))
        .route("/api/v2/qrcode/gene", open(post(qrcode::gene)))
        .route("/api/v2/qrcode/check", open(get(qrcode::check)))
        .route("/api/v2/qrcode/events", open(get(qrcode::events)))
        .route("/api/v2/qrcode/userinfo", open(post(qrcode::userinfo)))
        .route("/api/v2/qrcode/scanned", open(post(qrcode::scanned)))
        .route("/api/v2/qrcode/confirm", open(post(qrcode::confirm)))
        .route("/api/v2/qrcode/cancel", open(post(qrcode::cancel)))
        .route("/api/v2/qrcode/{file}", open(get(qrcode::picture)))
        .route("/api/v2/users/me", open(get(users::me)))
        .route("/api/v2/users/me/info", open(get(users::me)))
        .route("/api/v2/users/me/security-level", open(get(users::security_level)))
        .route("/api/v2/users/me/applications/allowed", open(get(users::applications)))
        .route("/api/v2/users/link", open(post(users::link)))
        .route("/api/v2/users/unlink", open(post(users::unlink)))
        .route("/api/v3/login-flows/{id}", open(post(login_flow::step)))
        .route("/api/v2/wechat-miniprogram-config/launch-params", open(get(wxapp::launch_params)))
        .route("/oauth/wxapp/grant", open(get(wxapp::grant)))
        .route("/oauth/wxapp/grant/", open(get(wxapp::grant)))
        .route("/oauth/wxapp/redirect", open(post(wxapp::redirect)))
        .route("/oauth/wxapp/bind", open(post(wxapp::bind)))
        .route("/api/v3/wechat-miniprogram/checkExistsUser", open(post(wxapp::check_exists_user)))
        .merge(launch::routes())
        .merge(mobile::routes())
        .merge(entry::routes())
        .merge(own::routes())
        .merge(guard::routes())
        .merge(public_config::routes())
        .merge(v3::routes())
        .merge(management::routes())
        .merge(unserved_calls("/api/v2"))
        .merge(unserved_calls("/api/v3"))
        .merge(unserved_calls("/oauth/app2wxapp"))
        .merge(unserved_calls("/oauth/wxapp"))
        .merge(unserved_calls("/connections"))
        .merge(unserved_calls("/connection"));
    let pictures = refusing(Routes::new().route("/uploads/{name}", get(upload::serve)), upload::refused);
    let events = || get(official_account::check).post(official_account::receive);
    let messages = Routes::new()
        .route("/connections/social/{identifier}/{pool}/events", events())
        .route("/connection/social/{identifier}/{pool}/events", events());
    // WeChat goes by the status: what is refused, it sends again.
    let messages = refusing(messages, sdk_with_status);
    refusing(routes, sdk).merge(messages).merge(personal::routes()).merge(graphql).merge(pictures)
}
