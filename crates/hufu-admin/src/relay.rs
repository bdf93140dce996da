//! The log of messages of official accounts that were passed on to their owner's server.

use axum::response::Response;
use hufu_app::official_account::{DeliveryState, Relayed};
use hufu_types::refusal::Reason;
use hufu_types::{PushedMessageId, Refusal};
use hufu_web::request::{Path, Query};
use hufu_web::surface::Answer;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, ProblemBody, iso, ok, pool_id, rows};

/// A message. What it says, and who sent it, is not in the log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RelayedView {
    id: String,
    /// WeChat's name of the event, or the type of the message.
    event: String,
    /// `pending`, `delivered` or `failed`.
    state: &'static str,
    attempts: i64,
    received_at: String,
    next_attempt_at: Option<String>,
    last_attempt_at: Option<String>,
    response_status: Option<i64>,
    /// The beginning of the server's response, or what went wrong.
    response: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RelayLog {
    /// Newest first.
    messages: Vec<RelayedView>,
    /// Send this as `cursor` to get the next page, which may be empty. Null if there are no more messages.
    next: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RelayFilter {
    /// `pending`, `delivered` or `failed`.
    state: Option<String>,
    /// `next` of the previous page.
    cursor: Option<String>,
    /// 1 to 200. The default is 50.
    limit: Option<usize>,
}

fn view(message: Relayed) -> RelayedView {
    RelayedView {
        id: message.id.into(),
        event: message.kind,
        state: message.state.as_str(),
        attempts: message.attempts,
        received_at: iso(message.received_at),
        next_attempt_at: message.next_attempt_at.map(iso),
        last_attempt_at: message.last_attempt_at.map(iso),
        response_status: message.response_status,
        response: message.response,
    }
}

/// List the messages of an official account that were or are to be passed on to its owner's server.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/connections/{connection}/relay", tag = "configuration",
    params(("pool" = String, Path), ("connection" = String, Path), RelayFilter),
    responses((status = 200, body = RelayLog), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn list(
    caller: Caller,
    Path((pool, connection)): Path<(String, String)>,
    Query(asked): Query<RelayFilter>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let state = asked.state.as_deref().map(|text| {
        DeliveryState::parse(text).ok_or_else(|| {
            Refusal::invalid("state", Reason::NotOneOf { choices: "pending, delivered, failed".into() })
        })
    });
    let before = asked.cursor.as_deref().map(PushedMessageId::parse).transpose();
    let before = before.map_err(|_| Refusal::invalid("cursor", Reason::NotACursor))?;
    let limit = rows(asked.limit, 50, 200)?;
    let (app, by) = (&caller.app, &caller.by);
    let page = app.relayed_messages(by, &pool, &connection, state.transpose()?, before, limit).await?;
    let messages = page.messages.into_iter().map(view).collect();
    Ok(ok(&RelayLog { messages, next: page.next.map(String::from) }))
}
