//! WeChat's server API under `/api`, like `api.weixin.qq.com`.

mod account;
mod answer;
mod login;
mod mini;
mod phone;
mod session;
mod sns;
mod token;

use std::borrow::Cow;
use std::sync::Arc;

pub(crate) use answer::{Endpoint, execute};
use answer::{FaultEffect, execute_for, refuse};
use axum::Router;
use axum::extract::State as Extract;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use percent_encoding::percent_decode_str;
pub(crate) use phone::formatted_number;

use crate::reply::{Label, WechatError, code};
use crate::state::State;
use crate::state::apps::{App, Settings, is_app_id};
use crate::state::lock;
use crate::{mp, open};

/// Every endpoint, by WeChat's name.
pub(crate) const PATHS: [&str; 20] = [
    login::ENDPOINT.path,
    phone::ENDPOINT.path,
    token::STABLE.path,
    token::NORMAL.path,
    session::CHECK.path,
    session::RESET.path,
    sns::ACCESS_TOKEN.path,
    sns::REFRESH_TOKEN.path,
    sns::USER_INFO.path,
    sns::AUTH.path,
    account::QR_CODE.path,
    account::USER.path,
    account::CALLBACK_IP.path,
    account::CLEAR_QUOTA.path,
    mini::CODE.path,
    mini::SCHEME.path,
    mini::LINK.path,
    open::QR_CONNECT.path,
    open::AUTHORIZE.path,
    mp::SHOW_QR_CODE.path,
];

pub(crate) fn router() -> Router<Arc<State>> {
    let api = |endpoint: &Endpoint| format!("/api{}", endpoint.path);
    Router::new()
        .route(&api(&login::ENDPOINT), any(login::jscode2session))
        .route(&api(&phone::ENDPOINT), any(phone::get_user_phone_number))
        .route(&api(&token::STABLE), any(token::stable_token))
        .route(&api(&token::NORMAL), any(token::token))
        .route(&api(&session::CHECK), any(session::check))
        .route(&api(&session::RESET), any(session::reset))
        .route(&api(&sns::ACCESS_TOKEN), any(sns::access_token))
        .route(&api(&sns::REFRESH_TOKEN), any(sns::refresh_token))
        .route(&api(&sns::USER_INFO), any(sns::user_info))
        .route(&api(&sns::AUTH), any(sns::auth))
        .route(&api(&account::QR_CODE), any(account::create_qr_code))
        .route(&api(&account::USER), any(account::user_info))
        .route(&api(&account::CALLBACK_IP), any(account::callback_ip))
        .route(&api(&account::CLEAR_QUOTA), any(account::clear_quota))
        .route(&api(&mini::CODE), any(mini::code_unlimited))
        .route(&api(&mini::SCHEME), any(mini::scheme))
        .route(&api(&mini::LINK), any(mini::link))
        .fallback(unknown)
}

async fn unknown(Extract(state): Extract<Arc<State>>, uri: Uri) -> Response {
    const UNKNOWN: Endpoint = Endpoint { path: "unknown", label: Label::Json };
    let first = uri.path().split('/').nth(1).unwrap_or_default();
    if !matches!(first, "api" | "open" | "mp") {
        return (StatusCode::NOT_FOUND, "not found: WeChat's API is under /api, the page at /\n")
            .into_response();
    }
    refuse(&state, &UNKNOWN, WechatError(code::INVALID_URL))
}

/// The value of a query parameter. Like WeChat, treats an empty value as missing.
pub(crate) fn param<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    if value.is_empty() {
        return None;
    }
    if value.bytes().any(|b| matches!(b, b'%' | b'+')) {
        let spaced = value.replace('+', " ");
        return Some(Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned()));
    }
    Some(Cow::Borrowed(value))
}

/// The AppID for the log, if it belongs to a registered app or has the right format.
pub(crate) fn shown_app_id(state: &State, app_id: Option<&str>) -> Option<Arc<str>> {
    let app_id = app_id?;
    let known = state.apps.get(app_id).map(|app| Arc::clone(&app.id));
    known.or_else(|| is_app_id(app_id).then(|| app_id.into()))
}

/// The app that a token was issued for, for the log. The token may be invalid.
fn issuing_app(state: &State, token: Option<&str>) -> Option<Arc<str>> {
    let issuing_app = lock(&state.tokens).issuing_app(token?)?;
    state.apps.at(issuing_app).map(|app| Arc::clone(&app.id))
}

/// The app that an app token belongs to, if the token is valid and WeChat lets the app make calls.
fn app_of_token(state: &State, token: Option<&str>) -> Result<(Arc<App>, Arc<Settings>), WechatError> {
    let token = token.ok_or(WechatError(code::ACCESS_TOKEN_MISSING))?;
    let index = lock(&state.tokens).app_of(token, state.clock.now())?;
    let app = state.apps.at(index).ok_or(WechatError(code::INVALID_ACCESS_TOKEN))?;
    let settings = app.settings();
    settings.may_call()?;
    Ok((app, settings))
}

/// Text that is present and not empty.
fn non_empty(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
