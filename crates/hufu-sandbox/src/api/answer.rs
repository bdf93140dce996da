//! Runs a call, with its fault if there is one, and logs it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::open;
use crate::reply::{Label, WechatError};
use crate::state::State;
use crate::state::faults::{Fault, WrongJson};

/// An endpoint, by WeChat's name.
pub(crate) struct Endpoint {
    pub(crate) path: &'static str,
    pub(crate) label: Label,
}

/// What a call that succeeded answers: JSON text, or something else.
pub(crate) enum Success {
    Text(String),
    Other(Response),
}

impl From<String> for Success {
    fn from(text: String) -> Success {
        Success::Text(text)
    }
}

impl From<Response> for Success {
    fn from(response: Response) -> Success {
        Success::Other(response)
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The effect of a fault on the call itself.
#[derive(Clone, Copy)]
pub(crate) struct FaultEffect {
    pub(crate) wrong_watermark: bool,
}

/// Executes a call, applies a fault if there is one, and logs the call.
pub(crate) async fn execute<T: Into<Success>>(
    state: &State,
    endpoint: &Endpoint,
    app_id: Option<Arc<str>>,
    call: impl FnOnce(FaultEffect) -> Result<T, WechatError>,
) -> Response {
    execute_for(LOOPBACK, state, endpoint, app_id, call).await
}

/// As [`execute`], for a caller whose address WeChat names in its answer.
pub(crate) async fn execute_for<T: Into<Success>>(
    caller: IpAddr,
    state: &State,
    endpoint: &Endpoint,
    app_id: Option<Arc<str>>,
    call: impl FnOnce(FaultEffect) -> Result<T, WechatError>,
) -> Response {
    let answer = |state: &State, endpoint: &Endpoint, success: Result<T, WechatError>| {
        answer(state, endpoint, success.map(Into::into), caller)
    };
    let Some(fault) = state.faults.take(endpoint.path, app_id.as_deref()) else {
        let (outcome, response) = answer(state, endpoint, call(FaultEffect { wrong_watermark: false }));
        state.calls.record(state.clock.now(), endpoint.path, app_id, outcome, false);
        return response;
    };
    let replaced = fault_response(state, endpoint, &fault, caller);
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

pub(super) fn answer(
    state: &State,
    endpoint: &Endpoint,
    answer: Result<Success, WechatError>,
    caller: IpAddr,
) -> (Outcome, Response) {
    let (errcode, response) = match answer {
        Ok(Success::Text(body)) => (0, json(endpoint.label, body)),
        Ok(Success::Other(response)) => (0, response),
        Err(error) if endpoint.label == Label::Page => (error.0, open::failure(error)),
        Err(error) => (error.0, json(endpoint.label, error.body(&state.ids.rid(state.clock.now()), caller))),
    };
    ((Some(errcode), Some(response.status().as_u16())), response)
}

/// The failure of a call that is refused before anything is known of it.
pub(super) fn refuse(state: &State, endpoint: &Endpoint, error: WechatError) -> Response {
    let (outcome, response) = answer(state, endpoint, Err(error), LOOPBACK);
    state.calls.record(state.clock.now(), endpoint.path, None, outcome, false);
    response
}

/// The response of a fault that replaces the normal response, if the fault does that.
fn fault_response(
    state: &State,
    endpoint: &Endpoint,
    fault: &Fault,
    caller: IpAddr,
) -> Option<(Outcome, Response)> {
    if let Some(errcode) = fault.errcode {
        return Some(answer(state, endpoint, Err(WechatError(errcode)), caller));
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
