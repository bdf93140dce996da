//! Logins by QR code, by the names of v3. `crate::qrcode` has the calls of v2, and says what is what.

use axum::extract::State;
use hufu_app::Refusal;
use hufu_app::tickets::{TicketOrder, TicketView};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Scope, ScopeSet, TicketKind, TicketState};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::envelope::Success;
use crate::fields::{self, required};
use crate::oidc::TokenAnswer;
use crate::qrcode::{Wanted, issue, kind_called, picture_address, ticket_in};
use crate::request::{Body, Head, Query, given};
use crate::server;
use crate::surface::Answer;
use crate::waiting;

/// The names of the kinds in v3.
const KINDS: [(&str, TicketKind); 3] = [
    ("MOBILE_APP", TicketKind::App),
    ("WECHAT_MINIPROGRAM", TicketKind::MiniProgram),
    ("WECHAT_OFFICIAL_ACCOUNT", TicketKind::OfficialAccount),
];

/// The request of `gene-qrcode`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GeneRequest {
    #[serde(rename = "type")]
    kind: Option<String>,
    ext_idp_conn_id: Option<String>,
    custom_data: Option<Value>,
}

/// The answer of `gene-qrcode`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gene {
    qrcode_id: String,
    url: String,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_logo_url: Option<String>,
    /// What a follower sends to an official account that has no codes of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    short_code: Option<String>,
}

/// `gene-qrcode`: a new QR code.
pub(crate) async fn gene(
    State(shared): server::State,
    head: Head,
    Body(request): Body<GeneRequest>,
) -> Answer<Success<Gene>> {
    let config = shared.app.config();
    let application = config.serving(head.named())?;
    let wanted = Wanted {
        kind: kind_called(&KINDS, "type", request.kind.as_ref())?,
        connection: given(request.ext_idp_conn_id.as_ref()),
        custom_data: fields::custom_data(request.custom_data)?,
    };
    let ticket = issue(&shared, &head, application, wanted).await?;
    Ok(Success::new(Gene {
        url: picture_address(&shared, &ticket),
        qrcode_id: ticket.secret.expose().to_owned(),
        expires_in: ticket.life.as_secs(),
        custom_logo_url: ticket.logo,
        short_code: ticket.short_code,
    }))
}

/// The secret of the browser.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdQuery {
    qrcode_id: Option<String>,
}

/// How far a QR code has come.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brief_user_info: Option<Brief>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Brief {
    display_name: Option<String>,
    photo: Option<String>,
}

/// The name of a state in v3. A code that was used is over.
fn status(view: &TicketView) -> &'static str {
    match view.state {
        TicketState::Cancelled => "CANCELLED",
        TicketState::Failed => "ERROR",
        TicketState::Consumed => "EXPIRED",
        _ if view.has_expired => "EXPIRED",
        TicketState::Created => "PENDING",
        TicketState::Scanned => "SCANNED",
        TicketState::Confirmed => "AUTHORIZED",
    }
}

/// `get-qrcode-status` and `check-qrcode-status`: how far the code has come, for the browser that polls.
pub(crate) async fn get_status(
    State(shared): server::State,
    head: Head,
    Query(query): Query<IdQuery>,
) -> Answer<Success<Status>> {
    let secret = required(query.qrcode_id.as_ref(), "qrcodeId")?;
    let view = shared.app.ticket_view(secret, &head.origin()).await?;
    let brief_user_info = view
        .scanned_by
        .as_deref()
        .map(|by| Brief { display_name: by.nickname.clone(), photo: by.photo.clone() });
    let ticket = ticket_in(&shared, secret, &view);
    Ok(Success::new(Status { status: status(&view), ticket, brief_user_info }))
}

/// The request of `exchange-tokenset-with-qrcode-ticket`. A `client_secret` is not needed: the ticket is what counts.
#[derive(Deserialize)]
pub(crate) struct ExchangeRequest {
    ticket: Option<String>,
    #[serde(rename = "client_id")]
    client_id: Option<String>,
}

/// `exchange-tokenset-with-qrcode-ticket`: logs in, once, with the ticket of a confirmed code.
pub(crate) async fn exchange(
    State(shared): server::State,
    head: Head,
    Body(request): Body<ExchangeRequest>,
) -> Answer<Success<TokenAnswer>> {
    let ticket = required(request.ticket.as_ref(), "ticket")?;
    let named = head.named_or(given(request.client_id.as_ref()));
    let requested = RequestedTokens::TokenSet(ScopeSet::default_login());
    let answer = shared.app.log_in_by_ticket(ticket, named, requested, &head.origin()).await?;
    let tokens = waiting::done(answer)?.token_set().ok_or(Code::StepImpossible)?;
    Ok(Success::new(TokenAnswer::from(tokens)))
}

/// What a phone does with the code that it has scanned.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderRequest {
    qrcode_id: Option<String>,
    action: Option<String>,
}

/// `set-qrcode-status` and `change-qrcode-status`: the pool's own app has scanned the code, or its person decides.
pub(crate) async fn set_status(
    State(shared): server::State,
    head: Head,
    Body(request): Body<OrderRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Openid).await?;
    let scene = required(request.qrcode_id.as_ref(), "qrcodeId")?;
    let order = match required(request.action.as_ref(), "action")? {
        "SCAN" => TicketOrder::Scan,
        "CONFIRM" => TicketOrder::Confirm,
        "CANCEL" => TicketOrder::Cancel,
        _ => return Err(not_one_of("SCAN, CONFIRM, CANCEL").into()),
    };
    shared.app.order_ticket(&who, scene, order).await?;
    Ok(Success::empty())
}

fn not_one_of(choices: &'static str) -> Refusal {
    Refusal::invalid("action", Reason::NotOneOf { choices: choices.into() })
}

/// `qrcode-app-login`: scans and confirms at once, for whoever is logged in to the app, and answers with tokens of their
/// own session, which grant no more than the token that they brought.
pub(crate) async fn app_login(
    State(shared): server::State,
    head: Head,
    Body(request): Body<OrderRequest>,
) -> Answer<Success<TokenAnswer>> {
    let who = head.authenticate(&shared, Scope::Openid).await?;
    let scene = required(request.qrcode_id.as_ref(), "qrcodeId")?;
    if required(request.action.as_ref(), "action")? != "APP_LOGIN" {
        return Err(not_one_of("APP_LOGIN").into());
    }
    let tokens = shared.app.confirm_in_app(&who, scene).await?;
    Ok(Success::new(TokenAnswer::from(tokens)))
}
