//! The same change for many users, applications or connections of a pool. Each is a change of its own: what is refused for
//! one says nothing of the others.

use std::future::Future;

use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::administration::StatusChange;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{ApplicationId, Language, UserId};
use hufu_web::request::{Head, Path};
use hufu_web::surface::Answer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::caller::{Body, Caller, ProblemBody, ok, pool_id};

/// The most objects of one batch.
const MOST: u32 = 100;

/// What becomes of users.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UserOperation {
    Enable,
    Disable,
    Archive,
    Delete,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserBatch {
    operation: UserOperation,
    /// Their ids: 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<String>,
}

/// Whether objects of the configuration are switched on.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SwitchOperation {
    Enable,
    Disable,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationBatch {
    operation: SwitchOperation,
    /// Their ids: 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    applications: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionBatch {
    operation: SwitchOperation,
    /// Their identifiers or ids: 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    connections: Vec<String>,
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchResult {
    /// Those that are now as requested.
    done: Vec<String>,
    /// Those for which it was refused. Nothing happened to them.
    failed: Vec<BatchFailure>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BatchFailure {
    id: String,
    /// The code of the refusal: docs/errors.md.
    code: u32,
    /// What to do, in Chinese, or in English with `x-authing-lang: en-US`.
    message: String,
}

/// Does it for one after the other. A refusal that is the same for all ends it.
async fn each<F: Future<Output = Result<(), Refusal>> + Send>(
    name: &'static str,
    ids: Vec<String>,
    language: Language,
    change: impl Fn(String) -> F + Send,
) -> Answer<Response> {
    if !(1..=MOST).contains(&u32::try_from(ids.len()).unwrap_or(u32::MAX)) {
        return Err(Refusal::invalid(name, Reason::OutOfRange { min: 1, max: MOST }).into());
    }
    let mut result = BatchResult { done: Vec::new(), failed: Vec::new() };
    for id in ids {
        match change(id.clone()).await {
            Ok(()) => result.done.push(id),
            Err(refusal) if refusal.is(Code::PoolUnknown) || refusal.code().status() == 403 => {
                return Err(refusal.into());
            }
            Err(refusal) => result.failed.push(BatchFailure {
                id,
                code: refusal.number(),
                message: refusal.for_integrator(language),
            }),
        }
    }
    Ok(ok(&result))
}

/// Enable, disable, archive or delete many users.
///
/// One after the other, each on its own.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/batch/users", tag = "users", operation_id = "batch_users",
    params(("pool" = String, Path)), request_body = UserBatch,
    responses((status = 200, body = BatchResult), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn users(
    caller: Caller,
    head: Head,
    Path(pool): Path<String>,
    Body(batch): Body<UserBatch>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let (caller, pool, operation) = (&caller, &pool, batch.operation);
    let change = |id: String| async move {
        let user = UserId::parse(&id).map_err(|_| Code::UserUnknown)?;
        let status = match operation {
            UserOperation::Enable => StatusChange::Enable,
            UserOperation::Disable => StatusChange::Disable,
            UserOperation::Archive => StatusChange::Archive,
            UserOperation::Delete => return caller.app.delete_user(&caller.by, pool, &user).await,
        };
        caller.app.change_status(&caller.by, pool, &user, status).await.map(drop)
    };
    each("users", batch.users, head.language, change).await
}

fn switched(operation: SwitchOperation) -> Map<String, Value> {
    Map::from_iter([("enabled".to_owned(), (operation == SwitchOperation::Enable).into())])
}

/// Enable or disable many applications.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/batch/applications", tag = "configuration", operation_id = "batch_applications",
    params(("pool" = String, Path)), request_body = ApplicationBatch,
    responses((status = 200, body = BatchResult), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn applications(
    caller: Caller,
    head: Head,
    Path(pool): Path<String>,
    Body(batch): Body<ApplicationBatch>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let (caller, pool, operation) = (&caller, &pool, batch.operation);
    let change = |id: String| async move {
        let id = ApplicationId::parse(&id).map_err(|_| Code::NoSuchApplication)?;
        let patch = switched(operation);
        caller.app.change_application(&caller.by, pool, &id, patch, None).await.map(drop)
    };
    each("applications", batch.applications, head.language, change).await
}

/// Enable or disable many connections.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/batch/connections", tag = "configuration", operation_id = "batch_connections",
    params(("pool" = String, Path)), request_body = ConnectionBatch,
    responses((status = 200, body = BatchResult), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn connections(
    caller: Caller,
    head: Head,
    Path(pool): Path<String>,
    Body(batch): Body<ConnectionBatch>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let (caller, pool, operation) = (&caller, &pool, batch.operation);
    let change = |name: String| async move {
        let patch = switched(operation);
        caller.app.change_connection(&caller.by, pool, &name, patch, None).await.map(drop)
    };
    each("connections", batch.connections, head.language, change).await
}
