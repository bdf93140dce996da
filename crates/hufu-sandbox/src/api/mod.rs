//! WeChat's server API under `/api`, like `api.weixin.qq.com`. `/open` and `/mp` are reserved for the other
//! two hosts.

mod login;
mod phone;
mod session;
mod sns;
mod token;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use percent_encoding::percent_decode_str;
pub(crate) use phone::formatted_number;

use crate::reply::{Answer, Label, WechatError, code};
use crate::state::State;
use crate::state::apps::{App, Settings, is_app_id};
use crate::state::faults::{Fault, WrongJson};
use crate::state::lock;

/// Every endpoint, by WeChat's name.
pub(crate) const PATHS: [&str; 8] = [
    login::ENDPOINT.path,
    phone::ENDPOINT.path,
    token::STABLE.path,
    token::NORMAL.path,
    session::CHECK.path,
    session::RESET.path,
    sns::ACCESS_TOKEN.path,
    sns::USER_INFO.path,
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
        .route(&api(&sns::USER_INFO), any(sns::user_info))
        .fallback(unknown)
}

/// An endpoint, by WeChat's name.
struct Endpoint {
    path: &'static str,
    label: Label,
}

/// The effect of a fault on the call itself.
#[derive(Clone, Copy)]
struct FaultEffect {
    wrong_watermark: bool,
}

/// Executes a call, applies a fault if there is one, and logs the call.
async fn execute(
    state: &State,
    endpoint: &Endpoint,
    app_id: Option<Arc<str>>,
    call: impl FnOnce(FaultEffect) -> Answer,
) -> Response {
    let Some(fault) = state.faults.take(endpoint.path, app_id.as_deref()) else {
        let (outcome, response) = answer(state, endpoint, call(FaultEffect { wrong_watermark: false }));
        state.calls.record(state.clock.now(), endpoint.path, app_id, outcome, false);
        return response;
    };
    let replaced = fault_response(state, endpoint, &fault);
    let (outcome, response) = match replaced {
        Some(replaced) => {
            if fault.after {
                drop(call(FaultEffect { wrong_watermark: false }));
            }
            replaced
        }
        None => answer(state, endpoint, call(FaultEffect { wrong_watermark: fault.wrong_watermark })),
    };
    state.calls.record(state.clock.now(), endpoint.path, app_id, outcome, true);
    if fault.delay_ms > 0 {
        // The call is executed before the delay. As with the real WeChat, a caller that gives up has consumed
        // its code.
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    }
    response
}

/// The errcode and the HTTP status, for the log.
type Outcome = (Option<i32>, Option<u16>);

fn answer(state: &State, endpoint: &Endpoint, answer: Answer) -> (Outcome, Response) {
    let (errcode, body) = match answer {
        Ok(body) => (0, body),
        Err(error) => (error.0, error.body(&state.ids.rid(state.clock.now()))),
    };
    ((Some(errcode), Some(200)), json(endpoint.label, body))
}

/// The response of a fault that replaces the normal response, if the fault does that.
fn fault_response(state: &State, endpoint: &Endpoint, fault: &Fault) -> Option<(Outcome, Response)> {
    if let Some(errcode) = fault.errcode {
        return Some(answer(state, endpoint, Err(WechatError(errcode))));
    }
    if fault.html || fault.http_status.is_some() {
        let status = fault.http_status.unwrap_or(200);
        let page = format!(
            "<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center><hr><center>nginx</center></body></html>\n"
        );
        let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let label = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html"))];
        return Some(((None, Some(status)), (code, label, page).into_response()));
    }
    if let Some(wrong) = fault.wrong_json {
        let body = match wrong {
            WrongJson::Truncated => r#"{"openid":"o"#,
            WrongJson::Types => {
                r#"{"openid":[7],"session_key":{"a":1},"unionid":false,"access_token":{},"expires_in":[],"phone_info":"none"}"#
            }
            WrongJson::Empty => "{}",
            WrongJson::Array => "[]",
        };
        return Some(((None, Some(200)), json(endpoint.label, body.to_owned())));
    }
    fault.drop_connection.then(|| {
        // A body that fails before its first byte makes the server close the connection without sending
        // anything.
        let broken = futures::stream::iter([Err::<String, _>(std::io::Error::other("dropped by a fault"))]);
        ((None, None), Response::new(Body::from_stream(broken)))
    })
}

fn json(label: Label, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, label.header());
    response
}

async fn unknown(Extract(state): Extract<Arc<State>>, uri: Uri) -> Response {
    const UNKNOWN: Endpoint = Endpoint { path: "unknown", label: Label::Json };
    let first = uri.path().split('/').nth(1).unwrap_or_default();
    if !matches!(first, "api" | "open" | "mp") {
        return (StatusCode::NOT_FOUND, "not found: WeChat's API is under /api, the page at /\n")
            .into_response();
    }
    let (outcome, response) = answer(&state, &UNKNOWN, Err(WechatError(code::INVALID_URL)));
    state.calls.record(state.clock.now(), UNKNOWN.path, None, outcome, false);
    response
}

/// The value of a query parameter. Like WeChat, treats an empty value as missing.
fn param<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
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
fn shown_app_id(state: &State, app_id: Option<&str>) -> Option<Arc<str>> {
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
