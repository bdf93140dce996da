//! The v3 REST API: what `@authing/miniapp` calls.

mod account;
mod codes;
mod credentials;
mod helpers;
mod identities;
pub(crate) mod profile;
mod signin;
mod system;

use axum::routing::{get, post};

use hufu_web::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/api/v3/signin-by-mobile", post(signin::signin_by_mobile))
        .route("/api/v3/signin", post(credentials::signin))
        .route("/api/v3/signup", post(credentials::signup))
        .route("/api/v3/send-sms", post(codes::send_sms))
        .route("/api/v3/send-email", post(codes::send_email))
        .route("/api/v3/unlock-account", post(codes::unlock_account))
        .route("/api/v3/system", get(system::system))
        .route("/api/v3/get-profile", get(profile::get_profile))
        .route("/api/v3/update-profile", post(profile::update_profile))
        .route("/api/v3/update-password", post(account::update_password))
        .route("/api/v3/bind-phone", post(account::bind_phone))
        .route("/api/v3/bind-email", post(account::bind_email))
        .route("/api/v3/verify-update-phone-request", post(account::request_phone_change))
        .route("/api/v3/update-phone", post(account::update_phone))
        .route("/api/v3/verify-update-email-request", post(account::request_email_change))
        .route("/api/v3/update-email", post(account::update_email))
        .route("/api/v3/verify-delete-account-request", post(account::request_deletion))
        .route("/api/v3/delete-account", post(account::delete_account))
        .route("/api/v3/get-identities", get(identities::get_identities))
        .route("/api/v3/get-application-enabled-extidps", get(identities::enabled_sources))
        .route("/api/v3/unlink-extidp", post(identities::unlink))
        .route("/api/v3/get-security-info", get(identities::security_info))
        .route("/api/v3/get-wechat-miniprogram-phone", post(helpers::phone))
        .route("/api/v3/decrypt-wechat-miniprogram-data", post(helpers::decrypt))
}
