//! Webhooks and their deliveries.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hufu_app::webhooks::{Delivery, DeliveryState, NewWebhook, SeenWebhook, Webhook, WebhookChange};
use hufu_types::Refusal;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{DeliveryId, PoolId, Timestamp, WebhookId};
use hufu_web::request::{Path, Query};
use hufu_web::surface::Answer;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Body, Caller, Paging, ProblemBody, answer, done, iso, ok, pool_id, rows, timestamp};
use super::configuration::if_match;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhookBody {
    name: String,
    url: String,
    /// Names of events. Those of refused actions end in `.refused`. Empty means all.
    #[serde(default)]
    events: Vec<String>,
    enabled: Option<bool>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct WebhookChangeBody {
    name: Option<String>,
    url: Option<String>,
    events: Option<Vec<String>>,
    enabled: Option<bool>,
    /// Whether to create a new secret. For a while, deliveries are signed with both the old and the new one.
    new_secret: bool,
    /// The change is refused if it is another one by now.
    revision: Option<i64>,
    /// As it was shown. It cannot be written.
    id: Option<String>,
    /// As it was shown. It cannot be written.
    created_by: Option<String>,
    /// As it was shown. It cannot be written.
    created_at: Option<String>,
    /// It is read only, and may be another one by now.
    created_by_dismissed: Option<bool>,
    /// It is read only, and may be another one by now.
    updated_at: Option<String>,
    /// It is read only, and may be another one by now.
    failures: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookView {
    id: String,
    name: String,
    url: String,
    events: Vec<String>,
    enabled: bool,
    /// The number of deliveries that have failed for good since the last success.
    failures: i64,
    /// The administrator who created it, directly or with a key of theirs. Null if that is not known.
    created_by: Option<String>,
    /// Whether they have no role in the pool any more: look whether it should go on.
    created_by_dismissed: bool,
    created_at: String,
    updated_at: String,
    /// Rises with each change.
    revision: i64,
    /// The secret that deliveries are signed with. Present only in the response that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Webhooks {
    /// In the order of creation.
    webhooks: Vec<WebhookView>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryView {
    id: String,
    webhook_id: String,
    event_id: String,
    event: String,
    /// `pending`, `delivered` or `failed`.
    state: &'static str,
    attempts: i64,
    created_at: String,
    next_attempt_at: Option<String>,
    last_attempt_at: Option<String>,
    response_status: Option<i64>,
    response: Option<String>,
    /// The body that is sent. Present only for a single delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Deliveries {
    /// Newest first.
    deliveries: Vec<DeliveryView>,
    /// Send this as `cursor` to get the next page, which may be empty. Null if there are no more deliveries.
    next: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryFilter {
    /// `pending`, `delivered` or `failed`.
    state: Option<String>,
    /// `next` of the previous page.
    cursor: Option<String>,
    /// 1 to 200. The default is 50.
    limit: Option<usize>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Since {
    /// RFC 3339, inclusive. Without it all deliveries that failed.
    since: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Queued {
    /// The number of deliveries that will be sent again.
    queued: usize,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pinged {
    delivery_id: String,
}

fn view(webhook: Webhook, secret: Option<&SecretString>) -> WebhookView {
    WebhookView {
        id: webhook.id.into(),
        name: webhook.name,
        url: webhook.url,
        events: webhook.actions.iter().map(ToString::to_string).collect(),
        enabled: webhook.enabled,
        failures: webhook.failures,
        created_by: webhook.created_by.map(String::from),
        created_by_dismissed: webhook.is_orphan,
        created_at: iso(webhook.created_at),
        updated_at: iso(webhook.updated_at),
        revision: webhook.revision,
        secret: secret.map(|secret| secret.expose_secret().to_owned()),
    }
}

/// A webhook, with the `ETag` that `If-Match` accepts.
fn revised(webhook: &WebhookView) -> Response {
    let mut response = ok(webhook);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", webhook.revision)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn delivery_view(delivery: Delivery, with_body: bool) -> DeliveryView {
    DeliveryView {
        id: delivery.id.into(),
        webhook_id: delivery.webhook.into(),
        event_id: delivery.event.into(),
        event: delivery.action,
        state: delivery.state.as_str(),
        attempts: delivery.attempts,
        created_at: iso(delivery.created_at),
        next_attempt_at: delivery.next_attempt_at.map(iso),
        last_attempt_at: delivery.last_attempt_at.map(iso),
        response_status: delivery.response_status,
        response: delivery.response,
        body: with_body.then_some(delivery.body),
    }
}

fn ids(pool: &str, webhook: &str) -> Result<(PoolId, WebhookId), Code> {
    let webhook = WebhookId::parse(webhook).map_err(|_| Code::NoSuchWebhook);
    Ok((pool_id(pool)?, webhook?))
}

fn delivery_ids(pool: &str, delivery: &str) -> Result<(PoolId, DeliveryId), Code> {
    let delivery = DeliveryId::parse(delivery).map_err(|_| Code::NoSuchDelivery);
    Ok((pool_id(pool)?, delivery?))
}

/// List the webhooks of a pool.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/webhooks", tag = "webhooks",
    params(("pool" = String, Path), Paging),
    responses((status = 200, body = Webhooks), (status = 422, body = ProblemBody)))]
pub(crate) async fn list(
    caller: Caller,
    Path(pool): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let page = caller.app.webhooks(&caller.by, &pool_id(&pool)?, &paging.into()).await?;
    let webhooks = page.rows.into_iter().map(|webhook| view(webhook, None)).collect();
    Ok(ok(&Webhooks { webhooks, next: page.next }))
}

/// Create a webhook.
///
/// Its secret is only in this response.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/webhooks", tag = "webhooks", params(("pool" = String, Path)),
    request_body = NewWebhookBody, responses((status = 201, body = WebhookView), (status = 422, body = ProblemBody)))]
pub(crate) async fn create(
    caller: Caller,
    Path(pool): Path<String>,
    Body(body): Body<NewWebhookBody>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let NewWebhookBody { name, url, events, enabled } = body;
    let new = NewWebhook { name, url, events, enabled: enabled.unwrap_or(true) };
    let (webhook, secret) = caller.app.create_webhook(&caller.by, &pool, new).await?;
    Ok(answer(StatusCode::CREATED, &view(webhook, Some(&secret))))
}

/// Get a webhook.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/webhooks/{webhook}", tag = "webhooks",
    params(("pool" = String, Path), ("webhook" = String, Path)),
    responses((status = 200, body = WebhookView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get(caller: Caller, Path((pool, webhook)): Path<(String, String)>) -> Answer<Response> {
    let (pool, id) = ids(&pool, &webhook)?;
    let found = caller.app.webhook(&caller.by, &pool, &id).await?;
    Ok(revised(&view(found, None)))
}

/// Change a webhook.
///
/// With `If-Match`, or `revision` in the body, only if it has not been changed in the meantime.
#[utoipa::path(patch, path = "/admin/v1/pools/{pool}/webhooks/{webhook}", tag = "webhooks",
    params(("pool" = String, Path), ("webhook" = String, Path)), request_body = WebhookChangeBody,
    responses((status = 200, body = WebhookView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn update(
    caller: Caller,
    Path((pool, webhook)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body<WebhookChangeBody>,
) -> Answer<Response> {
    let (pool, id) = ids(&pool, &webhook)?;
    let expected = if_match(&headers)?.or(body.revision);
    let seen = SeenWebhook { id: body.id, created_by: body.created_by, created_at: body.created_at };
    let change = WebhookChange {
        name: body.name,
        url: body.url,
        events: body.events,
        enabled: body.enabled,
        new_secret: body.new_secret,
        expected,
        seen: Some(seen),
    };
    let (webhook, secret) = caller.app.update_webhook(&caller.by, &pool, &id, change).await?;
    Ok(revised(&view(webhook, secret.as_ref())))
}

/// Delete a webhook.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/webhooks/{webhook}", tag = "webhooks",
    params(("pool" = String, Path), ("webhook" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn delete(
    caller: Caller,
    Path((pool, webhook)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (pool, id) = ids(&pool, &webhook)?;
    caller.app.delete_webhook(&caller.by, &pool, &id, if_match(&headers)?).await?;
    Ok(done())
}

/// Send a test event to a webhook.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/webhooks/{webhook}/ping", tag = "webhooks",
    params(("pool" = String, Path), ("webhook" = String, Path)),
    responses((status = 202, body = Pinged), (status = 404, body = ProblemBody)))]
pub(crate) async fn ping(caller: Caller, Path((pool, webhook)): Path<(String, String)>) -> Answer<Response> {
    let (pool, id) = ids(&pool, &webhook)?;
    let delivery = caller.app.ping_webhook(&caller.by, &pool, &id).await;
    let delivery_id = delivery?.into();
    Ok(answer(StatusCode::ACCEPTED, &Pinged { delivery_id }))
}

/// List the deliveries to a webhook.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/webhooks/{webhook}/deliveries", tag = "webhooks",
    params(("pool" = String, Path), ("webhook" = String, Path), DeliveryFilter),
    responses((status = 200, body = Deliveries), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_deliveries(
    caller: Caller,
    Path((pool, webhook)): Path<(String, String)>,
    Query(asked): Query<DeliveryFilter>,
) -> Answer<Response> {
    let (pool, id) = ids(&pool, &webhook)?;
    let state = asked.state.as_deref().map(|text| {
        DeliveryState::parse(text).ok_or_else(|| {
            Refusal::invalid("state", Reason::NotOneOf { choices: "pending, delivered, failed".into() })
        })
    });
    let before = asked.cursor.as_deref().map(DeliveryId::parse).transpose();
    let before = before.map_err(|_| Refusal::invalid("cursor", Reason::NotACursor))?;
    let limit = rows(asked.limit, 50, 200)?;
    let page = caller.app.deliveries(&caller.by, &pool, &id, state.transpose()?, before, limit).await?;
    let deliveries = page.deliveries.into_iter().map(|delivery| delivery_view(delivery, false)).collect();
    Ok(ok(&Deliveries { deliveries, next: page.next.map(String::from) }))
}

/// Send all failed deliveries to a webhook again.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/webhooks/{webhook}/replay-failed", tag = "webhooks",
    params(("pool" = String, Path), ("webhook" = String, Path)), request_body = Since,
    responses((status = 202, body = Queued), (status = 404, body = ProblemBody)))]
pub(crate) async fn replay_failed(
    caller: Caller,
    Path((pool, webhook)): Path<(String, String)>,
    Body(body): Body<Since>,
) -> Answer<Response> {
    let (pool, id) = ids(&pool, &webhook)?;
    let since = timestamp("since", body.since.as_deref())?.unwrap_or(Timestamp(0));
    let queued = caller.app.replay_failed(&caller.by, &pool, &id, since).await?;
    Ok(answer(StatusCode::ACCEPTED, &Queued { queued }))
}

/// Get a delivery with its body.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/deliveries/{delivery}", tag = "webhooks",
    params(("pool" = String, Path), ("delivery" = String, Path)),
    responses((status = 200, body = DeliveryView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_delivery(
    caller: Caller,
    Path((pool, delivery)): Path<(String, String)>,
) -> Answer<Response> {
    let (pool, id) = delivery_ids(&pool, &delivery)?;
    let found = caller.app.delivery(&caller.by, &pool, &id).await?;
    Ok(ok(&delivery_view(found, true)))
}

/// Send a delivery again.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/deliveries/{delivery}/replay", tag = "webhooks",
    params(("pool" = String, Path), ("delivery" = String, Path)),
    responses((status = 202), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn replay(
    caller: Caller,
    Path((pool, delivery)): Path<(String, String)>,
) -> Answer<Response> {
    let (pool, id) = delivery_ids(&pool, &delivery)?;
    caller.app.replay(&caller.by, &pool, &id).await?;
    Ok(answer(StatusCode::ACCEPTED, &serde_json::json!({})))
}
