//! `GET /sns/oauth2/access_token` exchanges the code of a website, an official account or a mobile app for an
//! openid and a user token, and `refresh_token` renews that token. `GET /sns/userinfo` returns a nickname and an
//! avatar for it, and `GET /sns/auth` checks it.
//!
//! The order of checks is that of `jscode2session`. User tokens and app tokens are not interchangeable:
//! neither works for the other's calls.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{RawQuery, State as Extract};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Endpoint, execute, param, shown_app_id};
use crate::ids::{LoginCode, PersonKey, WechatId};
use crate::reply::{Answer, Label, WechatError, code};
use crate::state::State;
use crate::state::apps::{App, AppState, Settings};
use crate::state::codes::{Grant, Scope};
use crate::state::lock;
use crate::state::people::{PLACEHOLDER_AVATAR, PLACEHOLDER_NICKNAME};
use crate::state::user_tokens::{LIFE, REFRESH_LIFE, UserToken};

pub(super) const ACCESS_TOKEN: Endpoint = Endpoint { path: "/sns/oauth2/access_token", label: Label::Text };
pub(super) const REFRESH_TOKEN: Endpoint = Endpoint { path: "/sns/oauth2/refresh_token", label: Label::Text };
pub(super) const AUTH: Endpoint = Endpoint { path: "/sns/auth", label: Label::Text };
pub(super) const USER_INFO: Endpoint = Endpoint { path: "/sns/userinfo", label: Label::Text };

pub(super) async fn access_token(Extract(state): Extract<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let app_id = shown_app_id(&state, param(&query, "appid").as_deref());
    execute(&state, &ACCESS_TOKEN, app_id, |_| exchange(&state, &query)).await
}

fn exchange(state: &State, query: &str) -> Answer {
    let app_id = param(query, "appid").ok_or(WechatError(code::APPID_MISSING))?;
    let app = state.apps.get(&app_id).ok_or(WechatError(code::INVALID_APPID))?;
    let settings = app.settings();
    if settings.state == AppState::Deleted || !settings.kind.authorizes_users() {
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
        Ok((issued.person, issued.grant))
    });
    let (person, grant) = exchanged.ok_or(WechatError(code::INVALID_CODE))??;

    let (access_token, refresh_token) = (state.ids.access_token(), state.ids.access_token());
    let token = UserToken { app: app.index, person, grant, expires_at: now.saturating_add(LIFE) };
    let renewable = UserToken { expires_at: now.saturating_add(REFRESH_LIFE), ..token };
    {
        let mut tokens = lock(&state.user_tokens);
        tokens.put(access_token.clone(), token);
        tokens.put_refresh(refresh_token.clone(), access_token.clone(), renewable);
    }
    let seen = Seen::new(state, &app, &settings, person, grant);
    let mut answer = json!({
        "access_token": access_token,
        "expires_in": LIFE / 1000,
        "refresh_token": refresh_token,
        "openid": seen.openid.as_str(),
        "scope": grant.scope.name(),
    });
    if let (true, Value::Object(fields)) = (grant.snapshot, &mut answer) {
        fields.insert("is_snapshotuser".to_owned(), 1.into());
    }
    Ok(with_unionid(seen.unionid, answer))
}

/// How an app sees a person: who only previews a page is somebody else to it.
struct Seen {
    openid: WechatId,
    unionid: Option<WechatId>,
}

impl Seen {
    fn new(state: &State, app: &App, settings: &Settings, person: PersonKey, grant: Grant) -> Seen {
        let person = if grant.snapshot { state.ids.snapshot_of(&app.id, person) } else { person };
        Seen {
            openid: state.ids.openid(&app.id, person),
            unionid: settings.open_platform.as_ref().map(|name| state.ids.unionid(name, person)),
        }
    }
}

pub(super) async fn refresh_token(
    Extract(state): Extract<Arc<State>>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let app_id = shown_app_id(&state, param(&query, "appid").as_deref());
    execute(&state, &REFRESH_TOKEN, app_id, |_| renew(&state, &query)).await
}

/// Needs no secret. The refresh token itself is not renewed.
fn renew(state: &State, query: &str) -> Answer {
    let app_id = param(query, "appid").ok_or(WechatError(code::APPID_MISSING))?;
    let app = state.apps.get(&app_id).ok_or(WechatError(code::INVALID_APPID))?;
    let settings = app.settings();
    if settings.state == AppState::Deleted || !settings.kind.authorizes_users() {
        return Err(WechatError(code::INVALID_APPID));
    }
    if param(query, "grant_type").as_deref() != Some("refresh_token") {
        return Err(WechatError(code::INVALID_GRANT_TYPE));
    }
    let sent = param(query, "refresh_token").ok_or(WechatError(code::REFRESH_TOKEN_MISSING))?;
    settings.may_call()?;
    let now = state.clock.now();
    let mut tokens = lock(&state.user_tokens);
    let of = tokens.refresh_of(&sent).filter(|of| of.app == app.index);
    let of = of.ok_or(WechatError(code::INVALID_REFRESH_TOKEN))?;
    if now >= of.expires_at {
        return Err(WechatError(code::REFRESH_TOKEN_EXPIRED));
    }
    let access_token = tokens.renew(&sent, now, || state.ids.access_token());
    let seen = Seen::new(state, &app, &settings, of.person, of.grant);
    let answer = json!({
        "access_token": access_token,
        "expires_in": LIFE / 1000,
        "refresh_token": sent,
        "openid": seen.openid.as_str(),
        "scope": of.grant.scope.name(),
    });
    Ok(answer.to_string())
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

/// The app and the person of a user token that is valid, for a call that names the person's openid.
fn authorized(
    state: &State,
    sent: Option<&Cow<'_, str>>,
    token: Option<UserToken>,
    query: &str,
) -> Result<(Seen, UserToken), WechatError> {
    sent.ok_or(WechatError(code::ACCESS_TOKEN_MISSING))?;
    let token = token.ok_or(WechatError(code::INVALID_CREDENTIAL))?;
    if state.clock.now() >= token.expires_at {
        return Err(WechatError(code::ACCESS_TOKEN_EXPIRED));
    }
    let app = state.apps.at(token.app).ok_or(WechatError(code::INVALID_CREDENTIAL))?;
    let settings = app.settings();
    settings.may_call()?;
    let seen = Seen::new(state, &app, &settings, token.person, token.grant);
    if param(query, "openid").as_deref() != Some(seen.openid.as_str()) {
        return Err(WechatError(code::INVALID_OPENID));
    }
    Ok((seen, token))
}

pub(super) async fn auth(Extract(state): Extract<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let token = param(&query, "access_token");
    let owner = token.as_deref().and_then(|token| lock(&state.user_tokens).get(token));
    let app_id = owner.and_then(|token| state.apps.at(token.app)).map(|app| Arc::clone(&app.id));
    execute(&state, &AUTH, app_id, |_| {
        authorized(&state, token.as_ref(), owner, &query)?;
        Ok(r#"{"errcode":0,"errmsg":"ok"}"#.to_owned())
    })
    .await
}

fn describe(state: &State, sent: Option<&Cow<'_, str>>, token: Option<UserToken>, query: &str) -> Answer {
    let (seen, token) = authorized(state, sent, token, query)?;
    if token.grant.scope == Scope::Base {
        return Err(WechatError(code::API_UNAUTHORIZED));
    }
    let person = state.person_of(token.person);
    let (nickname, avatar) = if token.grant.snapshot {
        (PLACEHOLDER_NICKNAME, PLACEHOLDER_AVATAR)
    } else {
        (&*person.nickname, &*person.avatar_url)
    };
    Ok(with_unionid(
        seen.unionid,
        json!({
            "openid": seen.openid.as_str(),
            "nickname": nickname,
            "sex": 0,
            "language": "",
            "city": "",
            "province": "",
            "country": "",
            "headimgurl": avatar,
            "privilege": [],
        }),
    ))
}
