//! `GET /sns/jscode2session`: exchanges a login code for an openid and a session key.
//!
//! Only query parameters count, whatever the method. The order of checks is WeChat's: 41002, 40013, 41004,
//! 40125, 40002, 41008, then the code (40029, 40163), then the person (40226, 45011). If the person is
//! refused, the code is not consumed.

use std::sync::Arc;

use axum::extract::{RawQuery, State as Extract};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Endpoint, execute, param, shown_app_id};
use crate::ids::LoginCode;
use crate::reply::{Answer, Label, WechatError, code};
use crate::state::State;
use crate::state::apps::{AppKind, AppState};

pub(super) const ENDPOINT: Endpoint = Endpoint { path: "/sns/jscode2session", label: Label::Text };

pub(super) async fn jscode2session(
    Extract(state): Extract<Arc<State>>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let app_id = shown_app_id(&state, param(&query, "appid").as_deref());
    execute(&state, &ENDPOINT, app_id, |_| exchange(&state, &query)).await
}

fn exchange(state: &State, query: &str) -> Answer {
    let app_id = param(query, "appid").ok_or(WechatError(code::APPID_MISSING))?;
    let app = state.apps.get(&app_id).ok_or(WechatError(code::INVALID_APPID))?;
    let settings = app.settings();
    if settings.state == AppState::Deleted || settings.kind != AppKind::Miniprogram {
        return Err(WechatError(code::INVALID_APPID));
    }
    let secret = param(query, "secret").ok_or(WechatError(code::APPSECRET_MISSING))?;
    settings.check_secret(&secret)?;
    if param(query, "grant_type").as_deref() != Some("authorization_code") {
        return Err(WechatError(code::INVALID_GRANT_TYPE));
    }
    let js_code = param(query, "js_code").ok_or(WechatError(code::CODE_MISSING))?;
    settings.may_call()?;
    let js_code: LoginCode = js_code.as_bytes().try_into().map_err(|_| WechatError(code::INVALID_CODE))?;

    let now = state.clock.now();
    let exchanged = state.login_codes.exchange(&js_code, now, |issued| {
        if issued.app != app.index {
            return Err(WechatError(code::INVALID_CODE));
        }
        if issued.used {
            return Err(WechatError(code::CODE_USED));
        }
        if state.people.get(issued.person).is_some_and(|person| person.risky) {
            return Err(WechatError(code::CODE_BLOCKED));
        }
        let openid = state.ids.openid(&app.id, issued.person);
        let session_key = state.ids.session_key_of(&js_code);
        state
            .sessions
            .begin((app.index, openid), session_key, now, state.options.per_minute_code_limit)
            .map_err(|_| WechatError(code::MINUTE_QUOTA))?;
        Ok((openid, session_key, issued.person))
    });
    let (openid, session_key, person) = exchanged.ok_or(WechatError(code::INVALID_CODE))??;

    // Base64 and its URL alphabet need no escaping in JSON.
    let (openid, session_key) = (openid.as_str(), STANDARD.encode(session_key));
    let Some(open_platform) = &settings.open_platform else {
        return Ok(format!(r#"{{"session_key":"{session_key}","openid":"{openid}"}}"#));
    };
    let unionid = state.ids.unionid(open_platform, person);
    let unionid = unionid.as_str();
    Ok(format!(r#"{{"session_key":"{session_key}","openid":"{openid}","unionid":"{unionid}"}}"#))
}
