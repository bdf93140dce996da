//! The life of pools: switched off and on, removed, restored.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hufu_app::administration::{PoolLife, Removal};
use hufu_web::request::Path;
use hufu_web::surface::Answer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Body, Caller, ProblemBody, iso, ok, pool_id};
use super::configuration::{if_match, tagged};
use super::schema::PoolConfiguration;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RemovalWish {
    /// The name of the pool, so that nobody removes another one by mistake.
    name: String,
    /// Only reports what would go.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemovalView {
    /// When its rows go. Until then it comes back.
    goes_at: String,
    /// How many users, identities, sessions, consents, merges, applications, connections, senders, webhooks, deliveries,
    /// auditEntries, imports, uploads, managementKeys, accessKeys and administratorRoles go.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    report: serde_json::Map<String, serde_json::Value>,
}

/// Switch a user pool off.
///
/// Nobody logs in to it any more, no token of it holds, and nothing is sent to its webhooks. Switched on again it is as it was.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/switch-off", tag = "configuration", params(("pool" = String, Path)),
    responses((status = 200, body = PoolConfiguration), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn switch_off(
    caller: Caller,
    Path(pool): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    change(&caller, &pool, &headers, PoolLife::SwitchOff).await
}

/// Switch a user pool on.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/switch-on", tag = "configuration", params(("pool" = String, Path)),
    responses((status = 200, body = PoolConfiguration), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn switch_on(
    caller: Caller,
    Path(pool): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    change(&caller, &pool, &headers, PoolLife::SwitchOn).await
}

/// Restore a user pool that was removed.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/restore", tag = "configuration", params(("pool" = String, Path)),
    responses((status = 200, body = PoolConfiguration), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn restore(
    caller: Caller,
    Path(pool): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    change(&caller, &pool, &headers, PoolLife::Restore).await
}

async fn change(caller: &Caller, pool: &str, headers: &HeaderMap, life: PoolLife) -> Answer<Response> {
    let (pool, revision) = (pool_id(pool)?, if_match(headers)?);
    Ok(tagged(StatusCode::OK, caller.app.change_pool_life(&caller.by, &pool, life, revision).await?))
}

/// Remove a user pool with everything in it.
///
/// It serves nobody from now on. It can be restored until `goesAt`; then everything in it is deleted.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}", tag = "configuration", params(("pool" = String, Path)),
    request_body = RemovalWish,
    responses((status = 200, body = RemovalView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn remove(
    caller: Caller,
    Path(pool): Path<String>,
    headers: HeaderMap,
    Body(wish): Body<RemovalWish>,
) -> Answer<Response> {
    let (pool, revision) = (pool_id(&pool)?, if_match(&headers)?);
    let removed = caller.app.remove_pool(&caller.by, &pool, &wish.name, wish.dry_run, revision).await;
    let Removal { report, goes_at } = removed?;
    let report = report.0.into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect();
    Ok(ok(&RemovalView { goes_at: iso(goes_at), report }))
}
