//! The control API, `/__sandbox`. Requests and responses are JSON; the request's Content-Type is ignored.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router, middleware};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::ControlError;
use super::guard::guard_control;
use super::seal::SealRequest;
use crate::state::State;
use crate::state::codes::CODE_LIFE;

const MAX_CODES_PER_CALL: usize = 100_000;
const MAX_FRESH_PER_CALL: usize = 1_000_000;
/// The longest time by which one call may advance the clock: ten years.
const MAX_ADVANCE_SECONDS: i64 = 315_360_000;

type Shared = Extract<Arc<State>>;
pub(super) type Outcome = Result<Response, ControlError>;

pub(crate) fn router(state: &Arc<State>) -> Router<Arc<State>> {
    let control = Router::new()
        .route("/apps", get(list_apps).post(put_app))
        .route("/apps/{app_id}", patch(change_app))
        .route("/users", get(list_users).post(put_user))
        .route("/users/{name}", patch(change_user))
        .route("/codes", post(make_codes))
        .route("/phone-codes", post(make_phone_code))
        .route("/encrypted-data", post(seal))
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/tokens/discard", post(discard_tokens))
        .route("/clock", get(show_clock).post(advance_clock))
        .route("/log", get(show_log).delete(clear_log))
        .merge(super::phone::routes())
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(Arc::clone(state), guard_control));
    Router::new().nest("/__sandbox", control)
}

async fn unknown() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "no such control call; see docs/sandbox.md" })))
        .into_response()
}

async fn list_apps(Extract(state): Shared) -> Response {
    let apps: Vec<_> = state.apps.all().iter().map(|app| app.view()).collect();
    Json(json!({ "apps": apps })).into_response()
}

async fn put_app(Extract(state): Shared, body: Bytes) -> Outcome {
    let (app, is_new) = state.apps.put(parse(&body)?, &state.ids)?;
    Ok((made(is_new), Json(app.view())).into_response())
}

async fn change_app(Extract(state): Shared, Path(app_id): Path<String>, body: Bytes) -> Outcome {
    Ok(Json(state.apps.patch(&app_id, parse(&body)?)?.view()).into_response())
}

async fn list_users(Extract(state): Shared) -> Response {
    let users: Vec<_> = state.people.all().iter().map(|person| state.view(person)).collect();
    Json(json!({ "users": users })).into_response()
}

async fn put_user(Extract(state): Shared, body: Bytes) -> Outcome {
    let (person, is_new) = state.put_person(parse(&body)?)?;
    Ok((made(is_new), Json(state.view(&person))).into_response())
}

async fn change_user(Extract(state): Shared, Path(name): Path<String>, body: Bytes) -> Outcome {
    Ok(Json(state.view(&*state.people.patch(&name, parse(&body)?)?)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodesRequest {
    app_id: String,
    user: Option<String>,
    /// The number of codes for the one person.
    count: Option<usize>,
    /// The number of new people to create one code for.
    fresh_users: Option<usize>,
}

async fn make_codes(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: CodesRequest = parse(&body)?;
    let app = state.app(&request.app_id)?;
    let (person, count) = match (request.fresh_users, request.count) {
        (Some(_), _) if request.user.is_some() || request.count.is_some() => {
            return Err(ControlError::Invalid("fresh_users cannot be combined with user or count"));
        }
        (Some(n), _) if n > MAX_FRESH_PER_CALL => {
            return Err(ControlError::Invalid("fresh_users must be at most 1000000"));
        }
        (_, Some(n)) if n > MAX_CODES_PER_CALL => {
            return Err(ControlError::Invalid("count must be at most 100000"));
        }
        (Some(n), _) => (None, Some(n)),
        (None, count) => (Some(state.person_or_fresh(request.user.as_deref())?), count),
    };
    let Some(count) = count else {
        let key = person.as_ref().map(|person| person.key);
        let code = state.login_codes(&app, key, 1)?.pop();
        let ids = key.map(|key| state.ids_in(&app, key));
        return Ok(Json(json!({
            "code": code,
            "expires_in": app.settings().kind.code_life() / 1000,
            "user": person.map(|person| person.name.clone()),
            "openid": ids.as_ref().map(|ids| &ids.openid),
            "unionid": ids.as_ref().map(|ids| &ids.unionid),
        }))
        .into_response());
    };
    // A million codes take a second or two. Other calls should not have to wait for that.
    let codes = tokio::task::spawn_blocking(move || {
        let codes = state.login_codes(&app, person.map(|person| person.key), count)?;
        Ok::<_, ControlError>(codes_json(&codes))
    });
    let codes = codes.await.map_err(|_| ControlError::Internal)??;
    Ok(([(header::CONTENT_TYPE, "application/json")], codes).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhoneCodeRequest {
    app_id: String,
    user: Option<String>,
    /// The person of this login code, instead of a name.
    code: Option<String>,
}

async fn make_phone_code(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: PhoneCodeRequest = parse(&body)?;
    let app = state.app(&request.app_id)?;
    let person = match (&request.code, &request.user) {
        (Some(_), Some(_)) => return Err(ControlError::Invalid("name either user or code")),
        (Some(code), None) => state.person_of(state.holder(&app, code)?.0),
        (None, user) => state.person_or_fresh(user.as_deref())?,
    };
    let code = state.phone_code(&app, &person)?;
    Ok(Json(json!({
        "code": code,
        "expires_in": CODE_LIFE / 1000,
        "user": Some(&person.name).filter(|name| !name.is_empty()),
        "phone": person.phone,
        "country_code": person.country_code,
    }))
    .into_response())
}

async fn seal(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: SealRequest = parse(&body)?;
    Ok(Json(state.seal(&request)?).into_response())
}

async fn list_faults(Extract(state): Shared) -> Response {
    Json(json!({ "faults": state.faults.list() })).into_response()
}

async fn add_fault(Extract(state): Shared, body: Bytes) -> Outcome {
    state.faults.add(parse(&body)?)?;
    Ok((StatusCode::CREATED, Json(json!({ "faults": state.faults.list() }))).into_response())
}

async fn clear_faults(Extract(state): Shared) -> Response {
    state.faults.clear();
    Json(json!({ "faults": [] })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscardRequest {
    app_id: String,
}

async fn discard_tokens(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: DiscardRequest = parse(&body)?;
    state.discard_tokens(&request.app_id)?;
    Ok(Json(json!({ "app_id": request.app_id })).into_response())
}

async fn show_clock(Extract(state): Shared) -> Json<Value> {
    let now = state.clock.now();
    Json(json!({ "now": now / 1000, "now_ms": now }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockRequest {
    advance_seconds: i64,
}

async fn advance_clock(extract: Shared, body: Bytes) -> Outcome {
    let ClockRequest { advance_seconds } = parse(&body)?;
    if !(0..=MAX_ADVANCE_SECONDS).contains(&advance_seconds) {
        return Err(ControlError::Invalid("advance_seconds must be from 0 to 315360000: time goes forward"));
    }
    extract.0.clock.advance(advance_seconds * 1000);
    Ok(show_clock(extract).await.into_response())
}

async fn show_log(Extract(state): Shared, RawQuery(query): RawQuery) -> Outcome {
    let number = |name: &str| -> Result<Option<u64>, ControlError> {
        let value = query.as_deref().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix(name));
        value
            .map(|value| value.parse().map_err(|_| ControlError::Invalid("after and limit are numbers")))
            .transpose()
    };
    let limit = number("limit=")?.and_then(|limit| usize::try_from(limit).ok());
    let calls = state.calls.after(number("after=")?.unwrap_or(0), limit.unwrap_or(usize::MAX));
    Ok(Json(json!({
        "now_ms": state.clock.now(),
        "live_codes": state.login_codes.live(),
        "last": state.calls.last(),
        "calls": calls,
    }))
    .into_response())
}

async fn clear_log(Extract(state): Shared) -> Response {
    state.calls.clear();
    Json(json!({ "calls": [] })).into_response()
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    Ok(serde_json::from_slice(if body.is_empty() { b"{}" } else { body })?)
}

fn made(is_new: bool) -> StatusCode {
    if is_new { StatusCode::CREATED } else { StatusCode::OK }
}

/// Writes `{"codes":[…]}`. Letters and digits need no escaping.
fn codes_json(codes: &[String]) -> String {
    let mut text = String::with_capacity(14 + codes.len() * 35);
    text.push_str("{\"codes\":[");
    for (i, code) in codes.iter().enumerate() {
        text.push_str(if i == 0 { "\"" } else { ",\"" });
        text.push_str(code);
        text.push('"');
    }
    text.push_str("]}");
    text
}
