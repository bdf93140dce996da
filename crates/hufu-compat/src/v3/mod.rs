//! The v3 REST API, which `@authing/miniapp` calls.

mod account;
mod codes;
mod credentials;
mod helpers;
mod identities;
pub(crate) mod profile;
mod qrcode;
mod signin;
mod system;
mod wechat;

use axum::routing::{get, post};

use hufu_web::Routes;
use hufu_web::cors::open;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/api/v3/signin-by-mobile", open(post(signin::signin_by_mobile)))
        .route("/api/v3/signin", open(post(credentials::signin)))
        .route("/api/v3/signup", open(post(credentials::signup)))
        .route("/api/v3/send-sms", open(post(codes::send_sms)))
        .route("/api/v3/send-email", open(post(codes::send_email)))
        .route("/api/v3/unlock-account", open(post(codes::unlock_account)))
        .route("/api/v3/system", open(get(system::system)))
        .route("/api/v3/get-profile", open(get(profile::get_profile)))
        .route("/api/v3/get-user", open(get(profile::get_user)))
        .route("/api/v3/update-profile", open(post(profile::update_profile)))
        .route("/api/v3/update-password", open(post(account::update_password)))
        .route("/api/v3/bind-phone", open(post(account::bind_phone)))
        .route("/api/v3/bind-email", open(post(account::bind_email)))
        .route("/api/v3/verify-update-phone-request", open(post(account::request_phone_change)))
        .route("/api/v3/update-phone", open(post(account::update_phone)))
        .route("/api/v3/verify-update-email-request", open(post(account::request_email_change)))
        .route("/api/v3/update-email", open(post(account::update_email)))
        .route("/api/v3/verify-delete-account-request", open(post(account::request_deletion)))
        .route("/api/v3/delete-account", open(post(account::delete_account)))
        .route("/api/v3/get-identities", open(get(identities::get_identities)))
        .route("/api/v3/get-application-enabled-extidps", open(get(identities::enabled_sources)))
        .route("/api/v3/unlink-extidp", open(post(identities::unlink)))
        .route("/api/v3/get-security-info", open(get(identities::security_info)))
        .route("/api/v3/gene-qrcode", open(post(qrcode::gene)))
        .route("/api/v3/get-qrcode-status", open(get(qrcode::get_status)))
        .route("/api/v3/check-qrcode-status", open(get(qrcode::get_status)))
        .route("/api/v3/exchange-tokenset-with-qrcode-ticket", open(post(qrcode::exchange)))
        .route("/api/v3/set-qrcode-status", open(post(qrcode::set_status)))
        .route("/api/v3/change-qrcode-status", open(post(qrcode::set_status)))
        .route("/api/v3/qrcode-app-login", open(post(qrcode::app_login)))
        .route("/api/v3/get-wechat-miniprogram-phone", open(post(helpers::phone)))
        .route("/api/v3/get-wechat-miniprogram-phone-data", open(post(helpers::phone)))
        .route("/api/v3/decrypt-wechat-miniprogram-data", open(post(helpers::decrypt)))
        .route("/api/v3/link-extidp", open(post(wechat::link).get(wechat::begin_link)))
        .route("/api/v3/generate-link-extidp-url", open(get(wechat::link_address)))
        .route("/api/v3/wechat-miniprogram/updatePhone", open(post(wechat::update_phone)))
        .route("/api/v3/wechat-miniprogram/logout", open(post(wechat::logout)))
}
