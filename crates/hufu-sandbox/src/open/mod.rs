//! `/open`, like `open.weixin.qq.com`: the pages on which people authorize websites and official accounts.

mod authorize;
mod qr_connect;
pub(crate) mod view;

use std::sync::Arc;

use axum::response::Response;
use axum::routing::get;
use axum::{Router, middleware};

use crate::api::Endpoint;
use crate::control::guard_page;
use crate::reply::{Label, WechatError};
use crate::state::State;

pub(crate) const QR_CONNECT: Endpoint = Endpoint { path: "/connect/qrconnect", label: Label::Page };
pub(crate) const AUTHORIZE: Endpoint = Endpoint { path: "/connect/oauth2/authorize", label: Label::Page };

/// The codes of WeChat's error pages. They never come as JSON.
///
/// Source: WeChat's page on web authorization.
pub(crate) mod page_code {
    pub(crate) const WRONG_DOMAIN: i32 = 10003;
    pub(crate) const BANNED: i32 = 10004;
    pub(crate) const NO_PERMISSION: i32 = 10005;
    pub(crate) const MUST_FOLLOW_TEST_ACCOUNT: i32 = 10006;
    pub(crate) const TOO_FREQUENT: i32 = 10009;
    pub(crate) const SCOPE_EMPTY: i32 = 10010;
    pub(crate) const REDIRECT_URI_EMPTY: i32 = 10011;
    pub(crate) const APPID_EMPTY: i32 = 10012;
    pub(crate) const STATE_EMPTY: i32 = 10013;
    pub(crate) const NOT_AUTHORIZED_TO_PLATFORM: i32 = 10015;
    pub(crate) const OPEN_PLATFORM_APP: i32 = 10016;
}

pub(crate) fn router(state: &Arc<State>) -> Router<Arc<State>> {
    Router::new()
        .route("/open/connect/qrconnect", get(qr_connect::page))
        .route("/open/connect/status", get(qr_connect::status))
        .route("/open/connect/qrcode/{uuid}", get(qr_connect::picture))
        .route("/open/connect/l/qrconnect", get(qr_connect::poll))
        .route("/open/connect/confirm", get(qr_connect::confirm))
        .route("/open/connect/oauth2/authorize", get(authorize::page).post(authorize::decide))
        .route_layer(middleware::from_fn_with_state(Arc::clone(state), guard_page))
}

/// WeChat's error page.
pub(crate) fn failure(error: WechatError) -> Response {
    view::failure(error.0)
}
