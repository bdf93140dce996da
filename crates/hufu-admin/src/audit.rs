//! The audit log.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures::TryStreamExt as _;
use hufu_app::audit::{AuditFilter, ExportFormat, Outcome, audit_json};
use hufu_types::Refusal;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Action, ApplicationId, ConnectionId, EventId, UserId};
use hufu_web::request::{Path, Query};
use hufu_web::surface::Answer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, ProblemBody, ok, pool_id, rows, timestamp};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Events of this user.
    user_id: Option<String>,
    /// Actions, separated by commas.
    action: Option<String>,
    /// Events caused by this user, administrator or access key.
    actor: Option<String>,
    application_id: Option<String>,
    connection_id: Option<String>,
    ip: Option<String>,
    /// `done`, `refused`, or the code of a refusal.
    outcome: Option<String>,
    /// RFC 3339, inclusive.
    from: Option<String>,
    /// RFC 3339, exclusive.
    to: Option<String>,
    /// `next` of the previous page.
    cursor: Option<String>,
    /// 1 to 200. The default is 50.
    limit: Option<usize>,
    /// For an export: `jsonl` or `csv`. The default is `jsonl`.
    format: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    /// Newest first.
    events: Vec<Value>,
    /// Send this as `cursor` to get the next page, which may be empty. Null if there are no more events.
    next: Option<String>,
}

fn filter(asked: &Filter) -> Result<AuditFilter, Refusal> {
    fn read<T, E>(
        name: &'static str,
        text: Option<&String>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Refusal> {
        let wrong = || Refusal::invalid(name, Reason::Malformed);
        text.map(|text| parse(text).map_err(|_| wrong())).transpose()
    }
    let actions = asked.action.as_deref().unwrap_or_default().split(',').map(str::trim);
    let actions = actions.filter(|name| !name.is_empty()).map(Action::parse).collect::<Option<Vec<_>>>();
    let outcome = |text: &str| match text {
        "done" => Ok(Outcome::Done),
        "refused" => Ok(Outcome::Refused),
        code => code.parse().map(Outcome::Code),
    };
    Ok(AuditFilter {
        user: read("userId", asked.user_id.as_ref(), UserId::parse)?,
        actions: actions.ok_or_else(|| Refusal::invalid("action", Reason::UnknownName))?,
        actor: asked.actor.clone(),
        actor_kinds: Vec::new(),
        application: read("applicationId", asked.application_id.as_ref(), ApplicationId::parse)?,
        connection: read("connectionId", asked.connection_id.as_ref(), ConnectionId::parse)?,
        ip: asked.ip.clone(),
        outcome: read("outcome", asked.outcome.as_ref(), outcome)?,
        from: timestamp("from", asked.from.as_deref())?,
        to: timestamp("to", asked.to.as_deref())?,
    })
}

/// List the audit log of the pool, newest first.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/audit", tag = "audit", params(("pool" = String, Path), Filter),
    responses((status = 200, body = Events), (status = 422, body = ProblemBody)))]
pub(crate) async fn list(
    caller: Caller,
    Path(pool): Path<String>,
    Query(asked): Query<Filter>,
) -> Answer<Response> {
    let (pool, filter) = (pool_id(&pool)?, filter(&asked)?);
    let before = asked.cursor.as_deref().map(EventId::parse).transpose();
    let before = before.map_err(|_| Refusal::invalid("cursor", Reason::NotACursor))?;
    let limit = rows(asked.limit, 50, 200)?;
    let page = caller.app.audit_events(&caller.by, &pool, &filter, before, limit).await?;
    let events = page.events.iter().map(audit_json).collect();
    Ok(ok(&Events { events, next: page.next.map(String::from) }))
}

/// Export all audit log entries that match the filter, newest first, as a file.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/audit/export", operation_id = "export_audit", tag = "audit",
    params(("pool" = String, Path), Filter), responses((status = 200), (status = 422, body = ProblemBody)))]
pub(crate) async fn export(
    caller: Caller,
    Path(pool): Path<String>,
    Query(asked): Query<Filter>,
) -> Answer<Response> {
    let (pool, filter) = (pool_id(&pool)?, filter(&asked)?);
    let format = ExportFormat::parse(asked.format.as_deref().unwrap_or("jsonl"));
    let format = format
        .ok_or_else(|| Refusal::invalid("format", Reason::NotOneOf { choices: "jsonl, csv".into() }))?;
    let pieces = caller.app.export_audit(&caller.by, &pool, filter, format).await?;
    let pieces =
        pieces.inspect_err(|error| tracing::error!(error = hufu_types::chain(error), "an export broke off"));
    let name = format!("attachment; filename=\"audit.{}\"", format.as_str());
    let headers =
        [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Get one entry of the audit log.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/audit/{event}", tag = "audit",
    params(("pool" = String, Path), ("event" = String, Path)),
    responses((status = 200, body = Value), (status = 404, body = ProblemBody)))]
pub(crate) async fn get(caller: Caller, Path((pool, event)): Path<(String, String)>) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let id = EventId::parse(&event).map_err(|_| Code::NoSuchEvent)?;
    let event = caller.app.audit_event(&caller.by, &pool, &id).await?;
    Ok(ok(&audit_json(&event)))
}
