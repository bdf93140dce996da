//! The v3 REST API: what `@authing/miniapp` calls.

mod helpers;
mod profile;
mod signin;
mod system;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::server::Shared;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/v3/signin-by-mobile", post(signin::signin_by_mobile))
        .route("/api/v3/system", get(system::system))
        .route("/api/v3/get-profile", get(profile::get_profile))
        .route("/api/v3/update-profile", post(profile::update_profile))
        .route("/api/v3/get-wechat-miniprogram-phone", post(helpers::phone))
        .route("/api/v3/decrypt-wechat-miniprogram-data", post(helpers::decrypt))
}
