//! `GET /wxa/checksession` checks whether a session key is current, and `GET /wxa/resetusersessionkey`
//! replaces it.
//!
//! Both are signed with the session key. WeChat's documentation of the reset says GET, but some client
//! libraries use POST, so both work.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Extract};
use axum::http::Method;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hufu_wechat::SessionKey;
use hufu_wechat::crypto::verify_session_signature;
use serde_json::Value;

use super::{Endpoint, app_of_token, execute, issuing_app, param};
use crate::ids::WechatId;
use crate::reply::{Label, WechatError, code};
use crate::state::State;
use crate::state::apps::App;

pub(super) const CHECK: Endpoint = Endpoint { path: "/wxa/checksession", label: Label::Json };
pub(super) const RESET: Endpoint = Endpoint { path: "/wxa/resetusersessionkey", label: Label::Json };

pub(super) async fn check(
    Extract(state): Extract<Arc<State>>,
    method: Method,
    RawQuery(query): RawQuery,
) -> Response {
    let call = Call::new(query, Bytes::new());
    execute(&state, &CHECK, issuing_app(&state, call.get("access_token").as_deref()), |_| {
        if method != Method::GET {
            return Err(WechatError(code::REQUIRE_GET));
        }
        signed(&state, &call)?;
        Ok(r#"{"errcode":0,"errmsg":"ok"}"#.to_owned())
    })
    .await
}

pub(super) async fn reset(
    Extract(state): Extract<Arc<State>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let call = Call::new(query, body);
    execute(&state, &RESET, issuing_app(&state, call.get("access_token").as_deref()), |_| {
        let (app, openid) = signed(&state, &call)?;
        let key = state.ids.fresh_session_key();
        state.sessions.replace(app.index, openid, key);
        let (openid, key) = (openid.as_str(), STANDARD.encode(key));
        Ok(format!(r#"{{"errcode":0,"errmsg":"ok","openid":"{openid}","session_key":"{key}"}}"#))
    })
    .await
}

/// The parameters of a call, from the query or otherwise from a JSON body.
struct Call {
    query: String,
    body: Bytes,
    fields: HashMap<String, Value>,
}

impl Call {
    fn new(query: Option<String>, body: Bytes) -> Call {
        let fields = serde_json::from_slice(&body).unwrap_or_default();
        Call { query: query.unwrap_or_default(), body, fields }
    }

    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        param(&self.query, name).or_else(|| self.fields.get(name)?.as_str().map(Cow::Borrowed))
    }
}

/// The app and person of a call that is signed with the person's current session key.
fn signed(state: &State, call: &Call) -> Result<(Arc<App>, WechatId), WechatError> {
    let (app, _) = app_of_token(state, call.get("access_token").as_deref())?;
    let openid = call
        .get("openid")
        .and_then(|openid| WechatId::parse(&openid))
        .ok_or(WechatError(code::INVALID_OPENID))?;
    if call.get("sig_method").as_deref() != Some("hmac_sha256") {
        return Err(WechatError(code::INVALID_SIG_METHOD));
    }
    let Some(session) = state.sessions.get(app.index, openid) else {
        let is_of_app =
            state.people.all().iter().any(|person| state.ids.openid(&app.id, person.key) == openid);
        return Err(WechatError(if is_of_app { code::SESSION_KEY_GONE } else { code::INVALID_OPENID }));
    };
    let key = SessionKey::from_bytes(&session.key);
    let signature = call.get("signature").unwrap_or_default();
    let fits = verify_session_signature(&key, b"", &signature)
        || (!call.body.is_empty() && verify_session_signature(&key, &call.body, &signature));
    if fits { Ok((app, openid)) } else { Err(WechatError(code::INVALID_SIGNATURE)) }
}
