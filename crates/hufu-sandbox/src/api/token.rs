//! `POST /cgi-bin/stable_token` and `GET /cgi-bin/token`: the app authenticates and gets a token for its
//! other calls.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Extract};
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;

use super::{Endpoint, execute_for, non_empty, param, shown_app_id};
use crate::caller::Caller;
use crate::reply::{Label, WechatError, code};
use crate::state::State;
use crate::state::apps::{App, AppState};
use crate::state::lock;
use crate::state::tokens::Granted;

pub(super) const STABLE: Endpoint = Endpoint { path: "/cgi-bin/stable_token", label: Label::Json };
pub(super) const NORMAL: Endpoint = Endpoint { path: "/cgi-bin/token", label: Label::Json };

#[derive(Default, Deserialize)]
struct StableRequest {
    grant_type: Option<String>,
    appid: Option<String>,
    secret: Option<String>,
    force_refresh: Option<bool>,
}

pub(super) async fn stable_token(
    Extract(state): Extract<Arc<State>>,
    Caller(caller): Caller,
    method: Method,
    body: Bytes,
) -> Response {
    let request = if body.is_empty() { Ok(StableRequest::default()) } else { serde_json::from_slice(&body) };
    let shown = request.as_ref().ok().and_then(|request| shown_app_id(&state, request.appid.as_deref()));
    execute_for(caller, &state, &STABLE, shown, |_| {
        if method != Method::POST {
            return Err(WechatError(code::REQUIRE_POST));
        }
        let request = request.map_err(|_| WechatError(code::DATA_FORMAT))?;
        let (appid, secret) = (request.appid.as_deref(), request.secret.as_deref());
        let app = authenticate(&state, caller, appid, secret, request.grant_type.as_deref())?;
        let force = request.force_refresh.unwrap_or(false);
        let now = state.clock.now();
        lock(&state.tokens).stable(app.index, now, force, || state.ids.access_token()).map(written)
    })
    .await
}

pub(super) async fn token(
    Extract(state): Extract<Arc<State>>,
    Caller(caller): Caller,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let appid = param(&query, "appid");
    let shown = shown_app_id(&state, appid.as_deref());
    execute_for(caller, &state, &NORMAL, shown, |_| {
        let (secret, grant_type) = (param(&query, "secret"), param(&query, "grant_type"));
        let app = authenticate(&state, caller, appid.as_deref(), secret.as_deref(), grant_type.as_deref())?;
        let (now, per_day) = (state.clock.now(), state.options.daily_token_limit);
        lock(&state.tokens).normal(app.index, now, per_day, || state.ids.access_token()).map(written)
    })
    .await
}

fn authenticate(
    state: &State,
    caller: IpAddr,
    appid: Option<&str>,
    secret: Option<&str>,
    grant_type: Option<&str>,
) -> Result<Arc<App>, WechatError> {
    let appid = non_empty(appid).ok_or(WechatError(code::APPID_MISSING))?;
    let app = state.apps.get(appid).ok_or(WechatError(code::INVALID_APPID))?;
    let settings = app.settings();
    if settings.state == AppState::Deleted {
        return Err(WechatError(code::INVALID_APPID));
    }
    let secret = non_empty(secret).ok_or(WechatError(code::APPSECRET_MISSING))?;
    settings.check_secret(secret)?;
    if grant_type != Some("client_credential") {
        return Err(WechatError(code::INVALID_GRANT_TYPE));
    }
    settings.check_address(caller)?;
    settings.may_have_tokens()?;
    Ok(app)
}

fn written(granted: Granted) -> String {
    let Granted { token, expires_in } = granted;
    format!(r#"{{"access_token":"{token}","expires_in":{expires_in}}}"#)
}
