//! `/api/v2/qrcode/*`: logins by QR code, as js-sdk, Guard and the mobile SDKs call them. `v3/qrcode.rs` has the later
//! names of the same calls.
//!
//! What clients call `random` is the browser's secret in the calls of the browser, and the scene of the picture in those of
//! the phone: nothing that stands in a picture opens anything.

use std::sync::Arc;

use axum::body::Body as RawBody;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_app::Refusal;
use hufu_app::tickets::{IssuedTicket, TicketOrder, TicketRequest, TicketView, TicketWatch};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Application, Language, Scope, TicketKind, TicketState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::user::UserV2;
use crate::envelope::Success;
use crate::fields::{self, required};
use crate::request::{Body, Head, Path, Query, given};
use crate::server::{self, Shared};
use crate::surface::Answer;
use crate::waiting;

/// The names of the kinds in v2.
const KINDS: [(&str, TicketKind); 3] = [
    ("APP_AUTH", TicketKind::App),
    ("WXAPP_AUTH", TicketKind::MiniProgram),
    ("WECHATMP_AUTH", TicketKind::OfficialAccount),
];

/// The kind of this name.
pub(crate) fn kind_called(
    names: &[(&'static str, TicketKind)],
    field: &'static str,
    text: Option<&String>,
) -> Result<TicketKind, Refusal> {
    let name = required(text, field)?;
    let found = names.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    found.ok_or_else(|| {
        let choices: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        Refusal::invalid(field, Reason::NotOneOf { choices: choices.join(", ").into() })
    })
}

/// What a client asks for, in both versions.
pub(crate) struct Wanted<'a> {
    pub(crate) kind: TicketKind,
    /// The id of the connection.
    pub(crate) connection: Option<&'a str>,
    pub(crate) custom_data: Map<String, Value>,
}

/// Issues a ticket for a client.
pub(crate) async fn issue(
    shared: &Shared,
    head: &Head,
    application: &Arc<Application>,
    wanted: Wanted<'_>,
) -> Result<IssuedTicket, Refusal> {
    let connection = shared.app.config().qr_connection(application, wanted.kind, wanted.connection)?;
    let request = TicketRequest {
        application: application.clone(),
        connection,
        custom_data: wanted.custom_data,
        owner: None,
        origin: head.origin(),
    };
    shared.app.issue_ticket(request).await
}

/// The address of the picture.
pub(crate) fn picture_address(shared: &Shared, ticket: &IssuedTicket) -> String {
    format!("{}/api/v2/qrcode/{}.png", shared.app.public_url(), ticket.scene)
}

/// The request of `gene`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GeneRequest {
    scene: Option<String>,
    params: Option<Value>,
    custom_data: Option<Value>,
    ext_idp_conn_id: Option<String>,
}

/// The answer of `gene`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gene {
    random: String,
    url: String,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_logo: Option<String>,
    /// What a follower sends to an official account that has no codes of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    short_code: Option<String>,
}

/// `gene`: a new QR code.
pub(crate) async fn gene(
    State(shared): server::State,
    head: Head,
    Body(request): Body<GeneRequest>,
) -> Answer<Success<Gene>> {
    let config = shared.app.config();
    let application = config.serving(head.named())?;
    let wanted = Wanted {
        kind: kind_called(&KINDS, "scene", request.scene.as_ref())?,
        connection: given(request.ext_idp_conn_id.as_ref()),
        custom_data: sent_data(request.params.or(request.custom_data))?,
    };
    let ticket = issue(&shared, &head, application, wanted).await?;
    Ok(Success::new(Gene {
        url: picture_address(&shared, &ticket),
        random: ticket.secret.expose().to_owned(),
        expires_in: ticket.life.as_secs(),
        custom_logo: ticket.logo,
        short_code: ticket.short_code,
    }))
}

/// Custom data in any of the ways in which clients send it: an object, a list of keys and values, or one of them as text.
fn sent_data(value: Option<Value>) -> Result<Map<String, Value>, Refusal> {
    match value {
        Some(Value::String(text)) if text.trim_start().starts_with('{') => {
            fields::custom_data(serde_json::from_str(&text).unwrap_or(Some(Value::String(text))))
        }
        Some(Value::String(text)) => fields::params(Some(&text)),
        Some(list @ Value::Array(_)) => fields::params(Some(&list.to_string())),
        other => fields::custom_data(other),
    }
}

/// The secret of the browser.
#[derive(Deserialize)]
pub(crate) struct RandomQuery {
    random: Option<String>,
}

/// How far a QR code has come, as `check` tells it. `userInfo` is always there, because js-sdk reads it without looking;
/// and it never has a token, because js-sdk would not call back then.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checked<'a> {
    random: &'a str,
    status: i8,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    user_info: UserInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned_result: Option<Value>,
}

#[derive(Serialize)]
pub(crate) struct UserInfo {
    nickname: Option<String>,
    photo: Option<String>,
}

impl<'a> Checked<'a> {
    fn of(shared: &Shared, random: &'a str, view: &TicketView, language: Language) -> Self {
        let scanned_by = view.scanned_by.as_deref();
        Self {
            random,
            status: status(view),
            ticket: ticket_in(shared, random, view),
            user_info: UserInfo {
                nickname: scanned_by.and_then(|by| by.nickname.clone()),
                photo: scanned_by.and_then(|by| by.photo.clone()),
            },
            scanned_result: view.failure.filter(|_| !view.has_expired).map(|number| {
                let message = failure(number).for_integrator(language);
                json!({ "code": number, "statusCode": 400, "apiCode": number, "message": message })
            }),
        }
    }
}

/// What the browser logs in with, once somebody has confirmed. Nobody gets that of a hosted page, or of a code that binds.
pub(crate) fn ticket_in(shared: &Shared, random: &str, view: &TicketView) -> Option<String> {
    let is_there = view.state == TicketState::Confirmed && !view.has_expired && !view.is_kept;
    is_there.then(|| shared.app.login_ticket(random).expose().to_owned())
}

/// The refusal of a phone, as its browser is told it.
pub(crate) fn failure(number: u32) -> Refusal {
    Refusal::new(Code::of_kept(number).unwrap_or(Code::LoginTicketInvalid))
}

/// The number of a state in v2. A code that was used is over.
fn status(view: &TicketView) -> i8 {
    match view.state {
        TicketState::Cancelled => 3,
        TicketState::Failed => 5,
        TicketState::Consumed => -1,
        _ if view.has_expired => -1,
        TicketState::Created => 0,
        TicketState::Scanned => 1,
        TicketState::Confirmed => 2,
    }
}

/// `check`: how far the code has come, for the browser that polls.
pub(crate) async fn check(
    State(shared): server::State,
    head: Head,
    Query(query): Query<RandomQuery>,
) -> Answer<Response> {
    let random = required(query.random.as_ref(), "random")?;
    let view = shared.app.ticket_view(random, &head.origin()).await?;
    Ok(Success::new(Checked::of(&shared, random, &view, head.language)).into_response())
}

/// The id of the last event of a stream. A browser that connects again with it is told to stop.
const LAST: &str = "last";

/// `events`: the same as events of a stream, until nothing comes any more.
pub(crate) async fn events(
    State(shared): server::State,
    head: Head,
    headers: HeaderMap,
    Query(query): Query<RandomQuery>,
) -> Answer<Response> {
    if headers.get("last-event-id").is_some_and(|id| id == LAST) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let random = required(query.random.as_ref(), "random")?.to_owned();
    let watch = Arc::clone(&shared.app).watch_ticket(&random, &head.origin()).await?;
    let state = Stream { shared, random, language: head.language, watch };
    let events = futures::stream::unfold(Some(state), |state| async {
        let mut state = state?;
        let Some(view) = state.watch.next().await else {
            return Some((Ok::<_, std::convert::Infallible>(": \n\n".to_owned()), Some(state)));
        };
        let checked = Checked::of(&state.shared, &state.random, &view, state.language);
        let data = serde_json::to_string(&checked).unwrap_or_default();
        let (id, is_last) =
            if view.is_final() { (format!("id: {LAST}\n"), true) } else { (String::new(), false) };
        Some((Ok(format!("{id}data: {data}\n\n")), (!is_last).then_some(state)))
    });
    let mut response = RawBody::from_stream(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that collects what it gets would tell nobody anything.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Stream {
    shared: Arc<Shared>,
    random: String,
    language: Language,
    watch: TicketWatch,
}

/// `{scene}.png`: the picture.
pub(crate) async fn picture(State(shared): server::State, Path(file): Path<String>) -> Answer<Response> {
    let scene = file.strip_suffix(".png").ok_or(Code::NotServed)?;
    let picture = shared.app.ticket_picture(scene).await?;
    let mut response = RawBody::from(picture.bytes.to_vec()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(picture.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=60"));
    Ok(response)
}

/// The request of `userinfo`.
#[derive(Deserialize)]
pub(crate) struct TicketRequestV2 {
    ticket: Option<String>,
}

/// `userinfo`: logs in, once, with the ticket of a confirmed code.
pub(crate) async fn userinfo(
    State(shared): server::State,
    head: Head,
    Body(request): Body<TicketRequestV2>,
) -> Answer<Success<UserV2>> {
    let ticket = required(request.ticket.as_ref(), "ticket")?;
    let requested = RequestedTokens::UserToken;
    let answer = shared.app.log_in_by_ticket(ticket, head.named(), requested, &head.origin()).await?;
    Ok(Success::new(UserV2::of_login(waiting::done(answer)?)))
}

/// The scene of the picture that a phone has scanned.
#[derive(Deserialize)]
pub(crate) struct SceneRequest {
    random: Option<String>,
}

/// What became of it.
#[derive(Serialize)]
pub(crate) struct Ordered {
    random: String,
    status: i8,
    description: &'static str,
}

/// `scanned`: the pool's own app has scanned the code.
pub(crate) async fn scanned(
    shared: server::State,
    head: Head,
    body: Body<SceneRequest>,
) -> Answer<Success<Ordered>> {
    order(shared, head, body, TicketOrder::Scan).await
}

/// `confirm`: its person wants to log in.
pub(crate) async fn confirm(
    shared: server::State,
    head: Head,
    body: Body<SceneRequest>,
) -> Answer<Success<Ordered>> {
    order(shared, head, body, TicketOrder::Confirm).await
}

/// `cancel`: its person does not.
pub(crate) async fn cancel(
    shared: server::State,
    head: Head,
    body: Body<SceneRequest>,
) -> Answer<Success<Ordered>> {
    order(shared, head, body, TicketOrder::Cancel).await
}

async fn order(
    State(shared): server::State,
    head: Head,
    Body(request): Body<SceneRequest>,
    order: TicketOrder,
) -> Answer<Success<Ordered>> {
    let who = head.authenticate_mobile(&shared, Scope::Openid).await?;
    let scene = required(request.random.as_ref(), "random")?;
    shared.app.order_ticket(&who, scene, order).await?;
    let (status, description) = match order {
        TicketOrder::Scan => (1, "scanned"),
        TicketOrder::Confirm => (2, "confirmed"),
        TicketOrder::Cancel => (3, "cancelled"),
    };
    Ok(Success::new(Ordered { random: scene.to_owned(), status, description }))
}
