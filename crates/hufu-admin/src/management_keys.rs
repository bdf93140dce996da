//! The management key of a pool, with which the published management clients call.

use axum::http::StatusCode;
use axum::response::Response;
use hufu_app::administration::{ManagementKey, ManagementKeyRequest};
use hufu_types::AccessKeyId;
use hufu_types::refusal::Code;
use hufu_web::request::{Path, Query};
use hufu_web::surface::Answer;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::role;
use super::caller::{Body, Caller, Paging, ProblemBody, answer, done, iso, ok, pool_id, timestamp};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManagementKeyView {
    /// By which the audit log names it. Clients name the pool: its id is their `accessKeyId` or `userPoolId`.
    id: String,
    role: &'static str,
    created_at: String,
    /// The administrator who created it, directly or with a key of theirs. Null if it was created on the command
    /// line. It ends when they are dismissed.
    created_by: Option<String>,
    expires_at: String,
    /// The `accessKeySecret` or `secret` of the clients. Present only in the response that created the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ManagementKeys {
    /// Latest first: the key, and its predecessor while that goes on.
    keys: Vec<ManagementKeyView>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewManagementKey {
    /// What the clients may do in the pool. The default is `owner`, which they need to change applications, identity
    /// sources and settings.
    role: Option<String>,
    /// RFC 3339. Without it the key expires after `key_life`, a year; `key_life_max` is the furthest it may lie
    /// ahead.
    expires_at: Option<String>,
    /// Whether the present key ends at once, and not after `management_key_overlap`.
    #[serde(default)]
    end_present: bool,
}

fn view(key: ManagementKey, secret: Option<&SecretString>) -> ManagementKeyView {
    ManagementKeyView {
        id: key.id.into(),
        role: key.role.as_str(),
        created_at: iso(key.created_at),
        created_by: key.created_by.map(String::from),
        expires_at: iso(key.expires_at),
        secret: secret.map(|secret| secret.expose_secret().to_owned()),
    }
}

/// List the management keys of a pool.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/management-keys", tag = "access",
    params(("pool" = String, Path), Paging),
    responses((status = 200, body = ManagementKeys), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn list(
    caller: Caller,
    Path(pool): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let page = caller.app.management_keys(&caller.by, &pool_id(&pool)?, &paging.into()).await?;
    let keys = page.rows.into_iter().map(|key| view(key, None)).collect();
    Ok(ok(&ManagementKeys { keys, next: page.next }))
}

/// Create the management key of a pool, or its successor.
///
/// The present key goes on for a day (`management_key_overlap`), and its predecessor ends.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/management-keys", tag = "access", params(("pool" = String, Path)),
    request_body = NewManagementKey,
    responses((status = 201, body = ManagementKeyView), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn create(
    caller: Caller,
    Path(pool): Path<String>,
    Body(new): Body<NewManagementKey>,
) -> Answer<Response> {
    let request = ManagementKeyRequest {
        role: role(new.role.as_deref().unwrap_or("owner"))?,
        expires_at: timestamp("expiresAt", new.expires_at.as_deref())?,
        ends_present: new.end_present,
    };
    let (key, secret) = caller.app.create_management_key(&caller.by, &pool_id(&pool)?, request).await?;
    Ok(answer(StatusCode::CREATED, &view(key, Some(&secret))))
}

/// End a management key, and the tokens that were issued for it, at once.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/management-keys/{key}", tag = "access",
    params(("pool" = String, Path), ("key" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn end(caller: Caller, Path((pool, key)): Path<(String, String)>) -> Answer<Response> {
    let (pool, id) = (pool_id(&pool)?, AccessKeyId::parse(&key).map_err(|_| Code::NoSuchManagementKey)?);
    caller.app.end_management_key(&caller.by, &pool, &id).await?;
    Ok(done())
}
