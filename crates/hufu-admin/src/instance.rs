//! What an administrator sees of the instance: its pools, limits and signing keys; and the Open Platform accounts of a pool.

use axum::response::Response;
use hufu_web::request::{Path, Query};
use hufu_web::surface::Answer;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, ProblemBody, iso, ok, pool_id};

#[derive(Serialize, ToSchema)]
pub(crate) struct Pools {
    /// By id.
    pools: Vec<PoolView>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PoolView {
    id: String,
    name: String,
    /// `on`, `off` or `removed`.
    state: &'static str,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PoolQuery {
    /// Part of the name, or the beginning of the id, regardless of case. At most 128 characters.
    q: Option<String>,
    /// `next` of the previous page.
    cursor: Option<String>,
    /// The page size: 1 to 100. The default is 20.
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Limits {
    /// In the order of docs/configuration.md.
    limits: Vec<LimitView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LimitView {
    /// The name in `[limits]`.
    name: &'static str,
    /// The value in force, as it is spelled there: a number, or a duration such as `10m`.
    value: String,
    /// What it limits.
    meaning: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigningKeys {
    /// Oldest first.
    signing_keys: Vec<SigningKeyView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigningKeyView {
    /// The `kid`.
    id: String,
    /// `ES256`, `RS256`, `EdDSA`.
    algorithm: &'static str,
    /// Whether tokens are signed with it now. The others are published for tokens that were, or will be.
    signs: bool,
    created_at: String,
    /// When it signs, or began to.
    signs_from: String,
    /// When it is not published any more. Null while it is the newest.
    expires_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenPlatforms {
    /// By name.
    open_platforms: Vec<OpenPlatformView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OpenPlatformView {
    /// The name that the pool has for the account: `openPlatform` of its connections.
    name: String,
    /// The identifiers of the connections that are bound to it, and share UnionIDs.
    connections: Vec<String>,
}

/// List the user pools that the key has access to.
#[utoipa::path(get, path = "/admin/v1/pools", tag = "configuration", params(PoolQuery),
    responses((status = 200, body = Pools), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_pools(caller: Caller, Query(asked): Query<PoolQuery>) -> Answer<Response> {
    let PoolQuery { q, cursor, limit } = asked;
    let found = caller.app.list_pools(&caller.by, q.as_deref(), cursor.as_deref(), limit)?;
    let pools = found.pools.into_iter().map(|(id, name, state)| PoolView {
        id: id.into(),
        name,
        state: state.as_str(),
    });
    Ok(ok(&Pools { pools: pools.collect(), next: found.next }))
}

/// List the limits in force.
///
/// Only with access to all pools. They are set in `[limits]` of the configuration file.
#[utoipa::path(get, path = "/admin/v1/limits", tag = "configuration",
    responses((status = 200, body = Limits), (status = 403, body = ProblemBody)))]
pub(crate) async fn limits(caller: Caller) -> Answer<Response> {
    let found = caller.app.limits_in_force(&caller.by).await?.into_iter();
    let view = found.map(|limit| LimitView { name: limit.name, value: limit.value, meaning: limit.meaning });
    Ok(ok(&Limits { limits: view.collect() }))
}

/// List the signing keys of the instance.
///
/// Only with access to all pools. `hufu admin rotate-keys` makes new ones.
#[utoipa::path(get, path = "/admin/v1/signing-keys", tag = "configuration",
    responses((status = 200, body = SigningKeys), (status = 403, body = ProblemBody)))]
pub(crate) async fn signing_keys(caller: Caller) -> Answer<Response> {
    let found = caller.app.signing_keys(&caller.by).await?.into_iter();
    let view = found.map(|key| SigningKeyView {
        id: key.id,
        algorithm: key.algorithm.as_str(),
        signs: key.signs,
        created_at: iso(key.created_at),
        signs_from: iso(key.signs_from),
        expires_at: key.expires_at.map(iso),
    });
    Ok(ok(&SigningKeys { signing_keys: view.collect() }))
}

/// List the WeChat Open Platform accounts that the connections of a pool name.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/open-platforms", tag = "configuration", params(("pool" = String, Path)),
    responses((status = 200, body = OpenPlatforms), (status = 404, body = ProblemBody)))]
pub(crate) async fn open_platforms(caller: Caller, Path(pool): Path<String>) -> Answer<Response> {
    let found = caller.app.open_platforms(&caller.by, &pool_id(&pool)?).await?.into_iter();
    let view = found.map(|it| OpenPlatformView { name: it.name, connections: it.connections });
    Ok(ok(&OpenPlatforms { open_platforms: view.collect() }))
}
