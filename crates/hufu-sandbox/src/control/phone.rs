//! The control calls that stand for somebody with a phone: authorize, scan, follow, write.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::http::{Outcome, parse};
use crate::acts::mini::PhoneChoice;
use crate::acts::push::{Delivery, verify_url};
use crate::acts::scan::{Target, by_scene, resolve};
use crate::acts::{account, mini, web};
use crate::state::State;
use crate::state::people::Person;
use crate::state::tickets::{MiniCode, Ticket};

type Shared = Extract<Arc<State>>;

/// How many codes of each kind the list of waiting codes has.
pub(crate) const MAX_PENDING: usize = 50;

pub(super) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/authorize", post(authorize))
        .route("/scan", post(scan))
        .route("/follow", post(follow))
        .route("/unfollow", post(unfollow))
        .route("/message", post(message))
        .route("/menu", post(menu))
        .route("/mini-login", post(mini_login))
        .route("/pending", get(pending))
        .route("/pushes", get(list_pushes).delete(clear_pushes))
        .route("/settings", get(show_settings).post(change_settings))
        .route("/apps/{app_id}/verify-url", post(verify))
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorizeRequest {
    url: String,
    user: Option<String>,
    #[serde(default = "yes")]
    consent: bool,
    snapshot: Option<bool>,
}

async fn authorize(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: AuthorizeRequest = parse(&body)?;
    let person = state.person_or_fresh(request.user.as_deref())?;
    let location = web::authorize_link(&state, &request.url, &person, request.consent, request.snapshot)?;
    Ok(Json(json!({ "location": location, "user": person.name })).into_response())
}

/// What to do with a website's QR code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScanAction {
    Scan,
    #[default]
    Confirm,
    Cancel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScanRequest {
    uuid: Option<String>,
    url: Option<String>,
    ticket: Option<String>,
    scene: Option<String>,
    app_id: Option<String>,
    user: Option<String>,
    #[serde(default)]
    action: ScanAction,
    #[serde(default)]
    delivery: Delivery,
}

async fn scan(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: ScanRequest = parse(&body)?;
    let app = request.app_id.as_deref().map(|app_id| state.app(app_id)).transpose()?;
    let target = match (&request.uuid, &request.url, &request.ticket, &request.scene) {
        (Some(text), None, None, None) | (None, Some(text), None, None) | (None, None, Some(text), None) => {
            resolve(&state, text)
        }
        (None, None, None, Some(scene)) => by_scene(&state, app.map(|app| app.index), scene),
        _ => return Err(ControlError::Invalid("name one of uuid, url, ticket, scene")),
    };
    let target = target.ok_or(ControlError::UnknownQrCode)?;
    let person = state.person_or_fresh(request.user.as_deref())?;
    Ok(Json(scanned(&state, target, &person, request.action, &request.delivery).await?).into_response())
}

/// What scanning a code leads to.
pub(crate) async fn scanned(
    state: &State,
    target: Target,
    person: &Person,
    action: ScanAction,
    delivery: &Delivery,
) -> Result<Value, ControlError> {
    match target {
        Target::Web(uuid) => {
            let login = match action {
                ScanAction::Scan => web::scan(state, &uuid, person)?,
                ScanAction::Confirm => web::decide(state, &uuid, person, true)?,
                ScanAction::Cancel => web::decide(state, &uuid, person, false)?,
            };
            let location = web::return_address(&login);
            Ok(json!({ "kind": "website", "uuid": uuid, "location": location, "user": person.name }))
        }
        Target::Account(ticket) => {
            let app = state.apps.at(ticket.app).ok_or(ControlError::UnknownApp)?;
            let push = account::follow(state, &app, person, Some(&ticket), delivery).await?;
            Ok(json!({ "kind": "account", "app_id": &*app.id, "push": push, "user": person.name }))
        }
        Target::Mini(code) => Ok(mini_code(state, &code)),
        Target::Authorize(url) => {
            let consent = action != ScanAction::Cancel;
            let location = web::authorize_link(state, &url, person, consent, None)?;
            Ok(json!({ "kind": "authorize", "location": location, "user": person.name }))
        }
    }
}

fn app_id_at(state: &State, index: u32) -> Option<String> {
    state.apps.at(index).map(|app| app.id.to_string())
}

fn mini_code(state: &State, code: &MiniCode) -> Value {
    json!({
        "kind": "miniprogram",
        "app_id": app_id_at(state, code.app),
        "url": code.url,
        "scene": code.scene,
        "page": code.page,
        "env_version": code.env_version,
        "created_at": code.created_at,
    })
}

fn account_code(state: &State, ticket: &Ticket) -> Value {
    json!({
        "kind": "account",
        "app_id": app_id_at(state, ticket.app),
        "url": ticket.url,
        "ticket": ticket.ticket,
        "scene": ticket.scene.to_string(),
        "created_at": ticket.created_at,
        "expires_at": ticket.expires_at,
    })
}

/// The codes that a phone can scan now, newest first.
async fn pending(Extract(state): Shared) -> Response {
    let now = state.clock.now();
    let websites: Vec<_> = state
        .web_logins
        .waiting(MAX_PENDING, now)
        .into_iter()
        .map(|login| {
            json!({
                "kind": "website",
                "app_id": app_id_at(&state, login.app),
                "uuid": login.uuid,
                "redirect_uri": login.redirect_uri,
                "created_at": login.created_at,
            })
        })
        .collect();
    let accounts = state.tickets.latest(MAX_PENDING, |ticket| ticket.is_live(now));
    let accounts: Vec<_> = accounts.iter().map(|ticket| account_code(&state, ticket)).collect();
    let minis = state.mini_codes.latest(MAX_PENDING, |_| true);
    let minis: Vec<_> = minis.iter().map(|code| mini_code(&state, code)).collect();
    Json(json!({ "websites": websites, "accounts": accounts, "miniprograms": minis })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRequest {
    app_id: String,
    user: String,
    text: Option<String>,
    key: Option<String>,
    #[serde(default)]
    delivery: Delivery,
}

async fn follow(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: AccountRequest = parse(&body)?;
    let (app, person) = (state.app(&request.app_id)?, state.people.named(&request.user)?);
    let push = account::follow(&state, &app, &person, None, &request.delivery).await?;
    Ok(Json(json!({ "push": push })).into_response())
}

async fn unfollow(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: AccountRequest = parse(&body)?;
    let (app, person) = (state.app(&request.app_id)?, state.people.named(&request.user)?);
    let push = account::unfollow(&state, &app, &person, &request.delivery).await?;
    Ok(Json(json!({ "push": push })).into_response())
}

async fn message(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: AccountRequest = parse(&body)?;
    let (app, person) = (state.app(&request.app_id)?, state.people.named(&request.user)?);
    let text = request.text.unwrap_or_default();
    let push = account::say(&state, &app, &person, &text, &request.delivery).await?;
    Ok(Json(json!({ "push": push })).into_response())
}

async fn menu(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: AccountRequest = parse(&body)?;
    let (app, person) = (state.app(&request.app_id)?, state.people.named(&request.user)?);
    let key = request.key.unwrap_or_default();
    let push = account::tap_menu(&state, &app, &person, &key, &request.delivery).await?;
    Ok(Json(json!({ "push": push })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MiniLoginRequest {
    app_id: String,
    user: Option<String>,
    #[serde(default)]
    scene: String,
    #[serde(default)]
    phone: PhoneChoice,
}

async fn mini_login(Extract(state): Shared, body: Bytes) -> Outcome {
    let request: MiniLoginRequest = parse(&body)?;
    let app = state.app(&request.app_id)?;
    let person = state.person_or_fresh(request.user.as_deref())?;
    let run = run_mini_login(&state, &app, &person, &request.scene, request.phone).await?;
    Ok(Json(run).into_response())
}

/// The login mini program from its opening to its end.
pub(crate) async fn run_mini_login(
    state: &State,
    app: &crate::state::apps::App,
    person: &Person,
    scene: &str,
    choice: PhoneChoice,
) -> Result<mini::MiniLogin, ControlError> {
    let opened = mini::open(state, app, person, scene).await?;
    if !opened.ok {
        return Ok(mini::MiniLogin { ok: false, refused: false, steps: opened.steps });
    }
    mini::finish(state, app, person, &opened, choice).await
}

async fn list_pushes(Extract(state): Shared, RawQuery(query): RawQuery) -> Outcome {
    let query = query.unwrap_or_default();
    let after = crate::api::param(&query, "after").map(|after| after.parse());
    let after = after.transpose().map_err(|_| ControlError::Invalid("after is a number"))?;
    Ok(Json(json!({ "pushes": state.pushes.after(after.unwrap_or(0)) })).into_response())
}

async fn clear_pushes(Extract(state): Shared) -> Response {
    state.pushes.clear();
    Json(json!({ "pushes": [] })).into_response()
}

async fn show_settings(Extract(state): Shared) -> Response {
    Json(&*state.settings()).into_response()
}

async fn change_settings(Extract(state): Shared, body: Bytes) -> Outcome {
    Ok(Json(&*state.patch_settings(parse(&body)?)?).into_response())
}

async fn verify(Extract(state): Shared, Path(app_id): Path<String>) -> Outcome {
    let app = state.app(&app_id)?;
    Ok(Json(verify_url(&state, &app).await?).into_response())
}
