//! What opens a mini program: `POST /wxa/getwxacodeunlimit` draws a code, `POST /wxa/generatescheme` and
//! `POST /wxa/generate_urllink` make links.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Extract};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Endpoint, app_of_token, execute, issuing_app, param};
use crate::picture::{self, Look};
use crate::reply::{Label, WechatError, code};
use crate::state::State;
use crate::state::apps::{App, AppKind, Settings};
use crate::state::tickets::MiniCode;

pub(super) const CODE: Endpoint = Endpoint { path: "/wxa/getwxacodeunlimit", label: Label::Json };
pub(super) const SCHEME: Endpoint = Endpoint { path: "/wxa/generatescheme", label: Label::Json };
pub(super) const LINK: Endpoint = Endpoint { path: "/wxa/generate_urllink", label: Label::Json };

const DAY_SECONDS: i64 = 86_400;
const MAX_DAYS: i64 = 30;

/// The mini program of a call's token, and the call's body. `unreadable` is the error of a body that is not JSON.
fn opened<T: DeserializeOwned>(
    state: &State,
    method: &Method,
    token: Option<&str>,
    body: &[u8],
    unreadable: i32,
) -> Result<(Arc<App>, Arc<Settings>, T), WechatError> {
    if *method != Method::POST {
        return Err(WechatError(code::REQUIRE_POST));
    }
    let (app, settings) = app_of_token(state, token)?;
    if settings.kind != AppKind::Miniprogram {
        return Err(WechatError(code::NOT_A_MINI_PROGRAM));
    }
    let request = serde_json::from_slice(body).map_err(|_| WechatError(unreadable))?;
    Ok((app, settings, request))
}

fn env_version(sent: Option<&str>, refusal: i32) -> Result<&'static str, WechatError> {
    match sent {
        None | Some("release") => Ok("release"),
        Some("trial") => Ok("trial"),
        Some("develop") => Ok("develop"),
        Some(_) => Err(WechatError(refusal)),
    }
}

#[derive(Deserialize)]
struct CodeRequest {
    scene: Option<String>,
    page: Option<String>,
    check_path: Option<bool>,
    env_version: Option<String>,
    width: Option<u32>,
    auto_color: Option<bool>,
    line_color: Option<LineColor>,
    is_hyaline: Option<bool>,
}

#[derive(Default, Deserialize)]
struct LineColor {
    r: Value,
    g: Value,
    b: Value,
}

impl LineColor {
    /// Each part may be a number or text.
    fn parts(&self) -> Result<[u8; 3], WechatError> {
        let part = |value: &Value| {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            number.and_then(|number| u8::try_from(number).ok()).ok_or(WechatError(code::INVALID_ARG))
        };
        Ok([part(&self.r)?, part(&self.g)?, part(&self.b)?])
    }
}

pub(super) async fn code_unlimited(
    Extract(state): Extract<Arc<State>>,
    method: Method,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let query = query.unwrap_or_default();
    let token = param(&query, "access_token");
    let app = issuing_app(&state, token.as_deref());
    execute(&state, &CODE, app, |_| {
        let (app, settings, request) =
            opened::<CodeRequest>(&state, &method, token.as_deref(), &body, code::INVALID_SCENE_LENGTH)?;
        let scene = checked_scene(request.scene.as_deref())?;
        let env = env_version(request.env_version.as_deref(), code::INVALID_ARG)?;
        let page = request.page.clone().unwrap_or_default();
        check_page(&settings, &page, env, request.check_path.unwrap_or(true))?;
        let look = look_of(&request)?;
        let url = format!("https://mp.weixin.qq.com/a/~{}", state.ids.letters(22));
        let (kind, picture) = picture::draw(&url, look).ok_or(WechatError(code::INVALID_ARG))?;
        state.mini_codes.put(MiniCode {
            app: app.index,
            url,
            scene: scene.to_owned(),
            page,
            env_version: env,
            created_at: state.clock.now(),
            expires_at: None,
        });
        state.changed();
        Ok(([(header::CONTENT_TYPE, kind)], picture).into_response())
    })
    .await
}

fn checked_scene(scene: Option<&str>) -> Result<&str, WechatError> {
    let scene = scene.unwrap_or_default();
    if !(1..=32).contains(&scene.len()) {
        return Err(WechatError(code::INVALID_SCENE_LENGTH));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$&'()*+,/:;=?@-._~".contains(&b);
    if scene.bytes().all(allowed) { Ok(scene) } else { Err(WechatError(code::INVALID_SCENE)) }
}

/// The home page, which an absent page means, exists as soon as there is a release.
fn check_page(settings: &Settings, page: &str, env: &str, check: bool) -> Result<(), WechatError> {
    if page.contains("scancode_time") {
        return Err(WechatError(code::SCANCODE_TIME));
    }
    if page.starts_with('/') || page.contains('?') {
        return Err(WechatError(code::INVALID_PAGE));
    }
    let exists = if page.is_empty() { settings.is_released() } else { settings.has_page(page) };
    if check && env == "release" && !exists { Err(WechatError(code::INVALID_PAGE)) } else { Ok(()) }
}

fn look_of(request: &CodeRequest) -> Result<Look, WechatError> {
    let mut look = Look { transparent: request.is_hyaline.unwrap_or(false), ..Look::default() };
    look.width = request.width.unwrap_or(look.width);
    if !(280..=1280).contains(&look.width) {
        return Err(WechatError(code::INVALID_ARG));
    }
    if let (false, Some(color)) = (request.auto_color.unwrap_or(false), &request.line_color) {
        look.color = color.parts()?;
    }
    Ok(look)
}

#[derive(Default, Deserialize)]
struct Target {
    path: Option<String>,
    query: Option<String>,
    env_version: Option<String>,
}

#[derive(Deserialize)]
struct LinkRequest {
    jump_wxa: Option<Target>,
    #[serde(flatten)]
    flat: Target,
    expire_type: Option<u8>,
    expire_time: Option<i64>,
    expire_interval: Option<i64>,
}

pub(super) async fn scheme(
    extract: Extract<Arc<State>>,
    method: Method,
    query: RawQuery,
    body: Bytes,
) -> Response {
    generate(extract.0, &SCHEME, method, query, body).await
}

pub(super) async fn link(
    extract: Extract<Arc<State>>,
    method: Method,
    query: RawQuery,
    body: Bytes,
) -> Response {
    generate(extract.0, &LINK, method, query, body).await
}

async fn generate(
    state: Arc<State>,
    endpoint: &Endpoint,
    method: Method,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let query = query.unwrap_or_default();
    let token = param(&query, "access_token");
    let app = issuing_app(&state, token.as_deref());
    let is_scheme = endpoint.path == SCHEME.path;
    execute(&state, endpoint, app, |_| {
        let (app, settings, request) =
            opened::<LinkRequest>(&state, &method, token.as_deref(), &body, code::DATA_FORMAT)?;
        let expires_at = end_of(&request, state.clock.now() / 1000)?;
        let target = if is_scheme { request.jump_wxa.unwrap_or_default() } else { request.flat };
        let env = env_version(target.env_version.as_deref(), code::INVALID_ENV)?;
        if env == "release" && !settings.is_released() {
            return Err(WechatError(code::NO_RELEASE));
        }
        let page = target.path.unwrap_or_default();
        let page = page.trim_start_matches('/');
        let unknown = !page.is_empty() && env == "release" && !settings.has_page(page);
        if page.contains('?') || unknown {
            return Err(WechatError(code::INVALID_PATH));
        }
        let query = target.query.unwrap_or_default();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$&'()*+,/:;=?@-._~%".contains(&b);
        if query.len() > 1024 || !query.bytes().all(allowed) {
            return Err(WechatError(code::INVALID_QUERY));
        }
        let ticket = state.ids.letters(12);
        let (key, url) = if is_scheme {
            ("openlink", format!("weixin://dl/business/?t={ticket}"))
        } else {
            ("url_link", format!("https://wxaurl.cn/{ticket}"))
        };
        let answer = json!({ "errcode": 0, "errmsg": "ok", key: url });
        state.mini_codes.put(MiniCode {
            app: app.index,
            url,
            scene: query,
            page: page.to_owned(),
            env_version: env,
            created_at: state.clock.now(),
            expires_at: Some(expires_at.saturating_mul(1000)),
        });
        state.changed();
        Ok(answer.to_string())
    })
    .await
}

/// When a scheme or link ends, in Unix seconds: between a minute and thirty days from now.
fn end_of(request: &LinkRequest, now: i64) -> Result<i64, WechatError> {
    let end = match (request.expire_type.unwrap_or(0), request.expire_time, request.expire_interval) {
        (0, Some(time), _) if time > 0 => time,
        (1, _, Some(days)) if (1..=MAX_DAYS).contains(&days) => now.saturating_add(days * DAY_SECONDS),
        _ => return Err(WechatError(code::INVALID_EXPIRY)),
    };
    let allowed = now.saturating_add(60)..=now.saturating_add(MAX_DAYS * DAY_SECONDS);
    if allowed.contains(&end) { Ok(end) } else { Err(WechatError(code::INVALID_EXPIRY)) }
}
