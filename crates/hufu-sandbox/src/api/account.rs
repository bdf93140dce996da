//! The calls of official accounts: `POST /cgi-bin/qrcode/create`, `GET /cgi-bin/user/info`,
//! `GET /cgi-bin/getcallbackip` and `POST /cgi-bin/clear_quota`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Extract};
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Endpoint, app_of_token, execute, issuing_app, param};
use crate::clock::Millis;
use crate::ids::WechatId;
use crate::reply::{Answer, Label, WechatError, code};
use crate::state::State;
use crate::state::apps::{App, AppKind};
use crate::state::lock;
use crate::state::tickets::{Scene, Ticket};

pub(super) const QR_CODE: Endpoint = Endpoint { path: "/cgi-bin/qrcode/create", label: Label::Json };
pub(super) const USER: Endpoint = Endpoint { path: "/cgi-bin/user/info", label: Label::Json };
pub(super) const CALLBACK_IP: Endpoint = Endpoint { path: "/cgi-bin/getcallbackip", label: Label::Json };
pub(super) const CLEAR_QUOTA: Endpoint = Endpoint { path: "/cgi-bin/clear_quota", label: Label::Json };

/// What WeChat's current page gives a code without `expire_seconds`.
const DEFAULT_LIFE: u64 = 60;
const MAX_LIFE: u64 = 2_592_000;
const MAX_PERMANENT: usize = 100_000;

#[derive(Deserialize)]
struct QrRequest {
    expire_seconds: Option<u64>,
    action_name: Option<String>,
    action_info: Option<Value>,
}

pub(super) async fn create_qr_code(
    Extract(state): Extract<Arc<State>>,
    method: Method,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let query = query.unwrap_or_default();
    let token = param(&query, "access_token");
    let app = issuing_app(&state, token.as_deref());
    execute(&state, &QR_CODE, app, |_| {
        if method != Method::POST {
            return Err(WechatError(code::REQUIRE_POST));
        }
        let (app, settings) = app_of_token(&state, token.as_deref())?;
        if settings.kind != AppKind::ServiceAccount {
            return Err(WechatError(code::API_UNAUTHORIZED));
        }
        if body.is_empty() {
            return Err(WechatError(code::EMPTY_POST_DATA));
        }
        let request = serde_json::from_slice(&body).map_err(|_| WechatError(code::DATA_FORMAT))?;
        issue(&state, &app, &request)
    })
    .await
}

fn issue(state: &State, app: &App, request: &QrRequest) -> Answer {
    let name = request.action_name.as_deref().unwrap_or_default();
    let scene = request.action_info.as_ref().and_then(|info| info.get("scene"));
    let (scene, permanent) = match name {
        "QR_SCENE" => (number(scene, u32::MAX)?, false),
        "QR_STR_SCENE" => (text(scene)?, false),
        "QR_LIMIT_SCENE" => (number(scene, 100_000)?, true),
        "QR_LIMIT_STR_SCENE" => (text(scene)?, true),
        _ => return Err(WechatError(code::INVALID_ACTION_NAME)),
    };
    let seconds = request.expire_seconds.unwrap_or(DEFAULT_LIFE);
    if !permanent && !(1..=MAX_LIFE).contains(&seconds) {
        return Err(WechatError(code::INVALID_ARGS));
    }
    if permanent
        && state.tickets.count(|one| one.app == app.index && one.expires_at.is_none()) >= MAX_PERMANENT
    {
        return Err(WechatError(code::TOO_MANY_QR_CODES));
    }
    let now = state.clock.now();
    let life = i64::try_from(seconds).unwrap_or(Millis::MAX).saturating_mul(1000);
    let ticket = state.tickets.put(Ticket {
        app: app.index,
        ticket: state.ids.ticket(),
        url: format!("http://weixin.qq.com/q/02{}", state.ids.letters(20)),
        scene,
        created_at: now,
        expires_at: (!permanent).then(|| now.saturating_add(life)),
    });
    state.changed();
    let mut answer = json!({ "ticket": ticket.ticket, "url": ticket.url });
    if let (false, Value::Object(fields)) = (permanent, &mut answer) {
        fields.insert("expire_seconds".to_owned(), seconds.into());
    }
    Ok(answer.to_string())
}

fn number(scene: Option<&Value>, max: u32) -> Result<Scene, WechatError> {
    let id = scene.and_then(|scene| scene.get("scene_id")).and_then(Value::as_u64);
    let id = id.and_then(|id| u32::try_from(id).ok()).filter(|id| (1..=max).contains(id));
    id.map(Scene::Number).ok_or(WechatError(code::INVALID_ACTION_INFO))
}

fn text(scene: Option<&Value>) -> Result<Scene, WechatError> {
    let text = scene.and_then(|scene| scene.get("scene_str")).and_then(Value::as_str);
    let text = text.filter(|text| (1..=64).contains(&text.chars().count()));
    text.map(|text| Scene::Text(text.to_owned())).ok_or(WechatError(code::INVALID_ACTION_INFO))
}

pub(super) async fn user_info(Extract(state): Extract<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let token = param(&query, "access_token");
    let app = issuing_app(&state, token.as_deref());
    execute(&state, &USER, app, |_| {
        let (app, settings) = app_of_token(&state, token.as_deref())?;
        if !settings.kind.is_account() {
            return Err(WechatError(code::API_UNAUTHORIZED));
        }
        let openid = param(&query, "openid").ok_or(WechatError(code::OPENID_MISSING))?;
        let openid = WechatId::parse(&openid).ok_or(WechatError(code::INVALID_OPENID))?;
        describe(&state, &app, openid)
    })
    .await
}

/// A follower. Names and places are empty; `lang` in the query chose the language of the latter.
fn describe(state: &State, app: &App, openid: WechatId) -> Answer {
    let follower = state.followers.get(app.index, openid);
    let person = state.person_with_openid(app, openid).ok_or(WechatError(code::INVALID_OPENID))?;
    let mut answer = match follower {
        None => json!({ "subscribe": 0, "openid": openid.as_str() }),
        Some(follower) => json!({
            "subscribe": 1,
            "openid": openid.as_str(),
            "nickname": "",
            "sex": 0,
            "language": person.language,
            "city": "",
            "province": "",
            "country": "",
            "headimgurl": "",
            "subscribe_time": follower.since,
            "remark": "",
            "groupid": 0,
            "tagid_list": [],
            "subscribe_scene": if follower.scene.is_some() { "ADD_SCENE_QR_CODE" } else { "ADD_SCENE_SEARCH" },
            "qr_scene": match &follower.scene { Some(Scene::Number(number)) => *number, _ => 0 },
            "qr_scene_str": match follower.scene { Some(Scene::Text(text)) => text, _ => String::new() },
        }),
    };
    if let (Some(unionid), Value::Object(fields)) = (state.ids_in(app, person.key).unionid, &mut answer) {
        fields.insert("unionid".to_owned(), unionid.into());
    }
    Ok(answer.to_string())
}

pub(super) async fn callback_ip(Extract(state): Extract<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let token = param(&query, "access_token");
    let app = issuing_app(&state, token.as_deref());
    execute(&state, &CALLBACK_IP, app, |_| {
        app_of_token(&state, token.as_deref())?;
        Ok(json!({ "ip_list": ["127.0.0.1"] }).to_string())
    })
    .await
}

pub(super) async fn clear_quota(
    Extract(state): Extract<Arc<State>>,
    method: Method,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    #[derive(Deserialize)]
    struct Request {
        appid: Option<String>,
    }
    let query = query.unwrap_or_default();
    let token = param(&query, "access_token");
    let app = issuing_app(&state, token.as_deref());
    execute(&state, &CLEAR_QUOTA, app, |_| {
        if method != Method::POST {
            return Err(WechatError(code::REQUIRE_POST));
        }
        let (app, _) = app_of_token(&state, token.as_deref())?;
        let request: Request = serde_json::from_slice(&body).map_err(|_| WechatError(code::DATA_FORMAT))?;
        if request.appid.as_deref() != Some(&*app.id) {
            return Err(WechatError(code::INVALID_APPID));
        }
        lock(&state.tokens).clear_quota(app.index, state.clock.now())?;
        Ok(r#"{"errcode":0,"errmsg":"ok"}"#.to_owned())
    })
    .await
}
