//! `GET /sns/oauth2/access_token` and `GET /sns/userinfo`. The first exchanges the code of a mobile app for
//! an openid and a user token. The second returns a nickname and an avatar for that token.
//!
//! The order of checks is that of `jscode2session`. User tokens and app tokens are not interchangeable:
//! neither works for the other's calls.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{RawQuery, State as Extract};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Endpoint, execute, param, shown_app_id};
use crate::ids::{LoginCode, WechatId};
use crate::reply::{Answer, Label, WechatError, code};
use crate::state::State;
use crate::state::apps::{AppKind, AppState};
use crate::state::lock;
use crate::state::user_tokens::{LIFE, UserToken};

pub(super) const ACCESS_TOKEN: Endpoint = Endpoint { path: "/sns/oauth2/access_token", label: Label::Text };
pub(super) const USER_INFO: Endpoint = Endpoint { path: "/sns/userinfo", label: Label::Text };

/// The scope that a mobile app asks for.
const SCOPE: &str = "snsapi_userinfo";

pub(super) async fn access_token(Extract(state): Extract<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let app_id = shown_app_id(&state, param(&query, "appid").as_deref());
    execute(&state, &ACCESS_TOKEN, app_id, |_| exchange(&state, &query)).await
}

fn exchange(state: &State, query: &str) -> Answer {
    let app_id = param(query, "appid").ok_or(WechatError(code::APPID_MISSING))?;
    let app = state.apps.get(&app_id).ok_or(WechatError(code::INVALID_APPID))?;
    let settings = app.settings();
    if settings.state == AppState::Deleted || settings.kind != AppKind::Mobile {
        return Err(WechatError(code::INVALID_APPID));
    }
    let secret = param(query, "secret").ok_or(WechatError(code::APPSECRET_MISSING))?;
    settings.check_secret(&secret)?;
    if param(query, "grant_type").as_deref() != Some("authorization_code") {
        return Err(WechatError(code::INVALID_GRANT_TYPE));
    }
    let sent = param(query, "code").ok_or(WechatError(code::CODE_MISSING))?;
    settings.may_call()?;
    let sent: LoginCode = sent.as_bytes().try_into().map_err(|_| WechatError(code::INVALID_CODE))?;

    let now = state.clock.now();
    let exchanged = state.login_codes.exchange(&sent, now, |issued| {
        if issued.app != app.index {
            return Err(WechatError(code::INVALID_CODE));
        }
        if issued.used {
            return Err(WechatError(code::CODE_USED));
        }
        // Where the user is known, 50002 refers to the user: see `classify` of the client.
        if state.people.get(issued.person).is_some_and(|person| person.risky) {
            return Err(WechatError(code::USER_LIMITED));
        }
        Ok(issued.person)
    });
    let person = exchanged.ok_or(WechatError(code::INVALID_CODE))??;

    let (access_token, refresh_token) = (state.ids.access_token(), state.ids.access_token());
    let token = UserToken { app: app.index, person, expires_at: now.saturating_add(LIFE) };
    lock(&state.user_tokens).put(access_token.clone(), token);
    let unionid = settings.open_platform.as_ref().map(|name| state.ids.unionid(name, person));
    Ok(with_unionid(
        unionid,
        json!({
            "access_token": access_token,
            "expires_in": LIFE / 1000,
            "refresh_token": refresh_token,
            "openid": state.ids.openid(&app.id, person).as_str(),
            "scope": SCOPE,
        }),
    ))
}

/// A response as text, with the unionid if the app is bound to an Open Platform account.
fn with_unionid(unionid: Option<WechatId>, mut answer: Value) -> String {
    if let (Some(unionid), Value::Object(fields)) = (unionid, &mut answer) {
        fields.insert("unionid".to_owned(), unionid.as_str().into());
    }
    answer.to_string()
}

pub(super) async fn user_info(Extract(state): Extract<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let token = param(&query, "access_token");
    let owner = token.as_deref().and_then(|token| lock(&state.user_tokens).get(token));
    let app_id = owner.and_then(|token| state.apps.at(token.app)).map(|app| Arc::clone(&app.id));
    execute(&state, &USER_INFO, app_id, |_| describe(&state, token.as_ref(), owner, &query)).await
}

fn describe(state: &State, sent: Option<&Cow<'_, str>>, token: Option<UserToken>, query: &str) -> Answer {
    sent.ok_or(WechatError(code::ACCESS_TOKEN_MISSING))?;
    let token = token.ok_or(WechatError(code::INVALID_CREDENTIAL))?;
    if state.clock.now() >= token.expires_at {
        return Err(WechatError(code::ACCESS_TOKEN_EXPIRED));
    }
    let app = state.apps.at(token.app).ok_or(WechatError(code::INVALID_CREDENTIAL))?;
    let settings = app.settings();
    settings.may_call()?;
    let openid = state.ids.openid(&app.id, token.person);
    if param(query, "openid").as_deref() != Some(openid.as_str()) {
        return Err(WechatError(code::INVALID_OPENID));
    }
    let person = state.person_of(token.person);
    let unionid = settings.open_platform.as_ref().map(|name| state.ids.unionid(name, token.person));
    Ok(with_unionid(
        unionid,
        json!({
            "openid": openid.as_str(),
            "nickname": person.nickname,
            "sex": 0,
            "language": "",
            "city": "",
            "province": "",
            "country": "",
            "headimgurl": person.avatar_url,
            "privilege": [],
        }),
    ))
}
