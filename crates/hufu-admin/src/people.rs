//! Identities, sessions, merges and conflicts.

use axum::http::StatusCode;
use axum::response::Response;
use hufu_app::official_account::Following;
use hufu_types::Refusal;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Identity, IdentityKind, MergeId, PoolId, SessionId, UserId};
use hufu_web::request::{Path, Query};
use hufu_web::surface::Answer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Body, Caller, Paging, ProblemBody, answer, done, iso, ok, pool_id, user_id};
use super::users::{IdentityView, UserView, identity_view, view};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewIdentity {
    /// The identifier or the id of a connection of the pool.
    connection: String,
    /// `openid` or `unionid`.
    kind: String,
    value: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Identities {
    identities: Vec<IdentityView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionBody {
    id: String,
    application_id: String,
    connection_id: String,
    created_at: String,
    expires_at: String,
    last_used_at: Option<String>,
    ip: Option<String>,
    user_agent: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Sessions {
    /// Most recently used first.
    sessions: Vec<SessionBody>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Ended {
    /// The number of sessions that were ended.
    ended: usize,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MergeBody {
    /// The id of the account to merge into the one in the path.
    merged: String,
    /// Only report what the merge would do.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MergePreviewBody {
    /// What would move to the survivor.
    moves: Vec<String>,
    /// What both accounts have. The survivor's value is kept.
    collides: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MergeView {
    id: String,
    survivor: String,
    merged: String,
    /// What was moved and what was copied.
    changes: Vec<String>,
    created_at: String,
    undone_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Merges {
    /// Latest first.
    merges: Vec<MergeView>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MergeUndoneBody {
    survivor: UserView,
    restored: UserView,
    /// What was changed since the merge, and therefore stays with the survivor.
    kept: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConflictView {
    kind: String,
    /// The account that the user was logged in to.
    chosen_user: String,
    other_user: String,
    connection_id: String,
    first_seen_at: String,
    last_seen_at: String,
    occurrences: i64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Conflicts {
    conflicts: Vec<ConflictView>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

fn identities(pool: &PoolId, found: &[Identity], following: &[Following]) -> Identities {
    let found = found.iter().map(|identity| identity_view(pool, identity, following));
    Identities { identities: found.collect() }
}

/// List the identities of a user.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/users/{user}/identities", tag = "identities",
    params(("pool" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = Identities), (status = 404, body = ProblemBody)))]
pub(crate) async fn list_identities(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    let found = caller.app.find_user(&caller.by, &pool, &user).await?;
    Ok(ok(&identities(&pool, &found.identities, &found.following)))
}

/// Link an identity to a user.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/users/{user}/identities", tag = "identities",
    params(("pool" = String, Path), ("user" = String, Path)), request_body = NewIdentity,
    responses((status = 201, body = Identities), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn link_identity(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    Body(new): Body<NewIdentity>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    let kind = IdentityKind::parse(&new.kind)
        .ok_or_else(|| Refusal::invalid("kind", Reason::NotOneOf { choices: "openid, unionid".into() }))?;
    let linked =
        caller.app.link_identity(&caller.by, &pool, &user, &new.connection, kind, &new.value).await?;
    Ok(answer(StatusCode::CREATED, &identities(&pool, &linked, &[])))
}

/// Unlink an identity from a user, even if it is the last way to log in to the account.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/users/{user}/identities/{identity}", tag = "identities",
    params(("pool" = String, Path), ("user" = String, Path), ("identity" = String, Path)),
    responses((status = 200, body = Identities), (status = 404, body = ProblemBody)))]
pub(crate) async fn unlink_identity(
    caller: Caller,
    Path((pool, user, identity)): Path<(String, String, String)>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    let left = caller.app.unlink_identity(&caller.by, &pool, &user, &identity).await;
    Ok(ok(&identities(&pool, &left?, &[])))
}

/// List the active sessions of a user.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/users/{user}/sessions", tag = "sessions",
    params(("pool" = String, Path), ("user" = String, Path), Paging),
    responses((status = 200, body = Sessions), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_sessions(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    let page = caller.app.page_of_sessions(&caller.by, &pool, &user, &paging.into()).await?;
    let sessions = page.rows.into_iter().map(|session| SessionBody {
        id: session.id.into(),
        application_id: session.application.into(),
        connection_id: session.connection.into(),
        created_at: iso(session.created_at),
        expires_at: iso(session.expires_at),
        last_used_at: session.last_used_at.map(iso),
        ip: session.ip,
        user_agent: session.user_agent,
    });
    Ok(ok(&Sessions { sessions: sessions.collect(), next: page.next }))
}

/// End all sessions of a user.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/users/{user}/sessions", tag = "sessions",
    params(("pool" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = Ended), (status = 404, body = ProblemBody)))]
pub(crate) async fn end_sessions(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    let ended = caller.app.end_sessions_of_user(&caller.by, &pool, &user, None).await;
    Ok(ok(&Ended { ended: ended? }))
}

/// End one session of a user.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/users/{user}/sessions/{session}", tag = "sessions",
    params(("pool" = String, Path), ("user" = String, Path), ("session" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn end_session(
    caller: Caller,
    Path((pool, user, session)): Path<(String, String, String)>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    let session = SessionId::parse(&session).map_err(|_| Code::NoSuchSession)?;
    let ended = caller.app.end_sessions_of_user(&caller.by, &pool, &user, Some(session)).await;
    ended?;
    Ok(done())
}

/// List the merges into a user, latest first.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/users/{user}/merges", tag = "merges",
    params(("pool" = String, Path), ("user" = String, Path), Paging),
    responses((status = 200, body = Merges), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_merges(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    let page = caller.app.merges_of_user(&caller.by, &pool, &user, &paging.into()).await?;
    let merges = page.rows.into_iter().map(|merge| MergeView {
        changes: merge.changes.names(),
        id: merge.id.into(),
        survivor: merge.survivor.into(),
        merged: merge.merged.into(),
        created_at: iso(merge.created_at),
        undone_at: merge.undone_at.map(iso),
    });
    Ok(ok(&Merges { merges: merges.collect(), next: page.next }))
}

/// Merge another user into this one.
///
/// With `dryRun`, only report what the merge would do.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/users/{user}/merges", tag = "merges",
    params(("pool" = String, Path), ("user" = String, Path)), request_body = MergeBody,
    responses((status = 200, body = MergePreviewBody), (status = 201, body = UserView),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn merge(
    caller: Caller,
    Path((pool, user)): Path<(String, String)>,
    Body(body): Body<MergeBody>,
) -> Answer<Response> {
    let (pool, survivor) = user_id(&pool, &user)?;
    let merged = UserId::parse(&body.merged).map_err(|_| Code::UserUnknown)?;
    if body.dry_run {
        let preview = caller.app.preview_merge_of_users(&caller.by, &pool, &survivor, &merged).await;
        let preview = preview?;
        return Ok(ok(&MergePreviewBody { moves: preview.moves, collides: preview.collides }));
    }
    let user = caller.app.merge_two_users(&caller.by, &pool, &survivor, &merged).await;
    Ok(answer(StatusCode::CREATED, &view(user?)))
}

/// Undo a merge.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/merges/{merge}/undo", tag = "merges",
    params(("pool" = String, Path), ("merge" = String, Path)),
    responses((status = 200, body = MergeUndoneBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn undo_merge(
    caller: Caller,
    Path((pool, merge)): Path<(String, String)>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let merge = MergeId::parse(&merge).map_err(|_| Code::MergeUnknown)?;
    let undone = caller.app.undo_merge_of_users(&caller.by, &pool, &merge).await?;
    let (survivor, restored) = (view(undone.survivor), view(undone.restored));
    Ok(ok(&MergeUndoneBody { survivor, restored, kept: undone.kept }))
}

/// List identity conflicts: logins whose ids belonged to two accounts.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/conflicts", tag = "identities",
    params(("pool" = String, Path), Paging),
    responses((status = 200, body = Conflicts), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_conflicts(
    caller: Caller,
    Path(pool): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let page = caller.app.conflicts(&caller.by, &pool, paging.cursor.as_deref(), paging.limit).await?;
    let conflicts = page.conflicts.into_iter().map(|conflict| ConflictView {
        kind: conflict.kind,
        chosen_user: conflict.chosen.into(),
        other_user: conflict.other.into(),
        connection_id: conflict.connection.into(),
        first_seen_at: iso(conflict.first_seen_at),
        last_seen_at: iso(conflict.last_seen_at),
        occurrences: conflict.occurrences,
    });
    Ok(ok(&Conflicts { conflicts: conflicts.collect(), next: page.next }))
}
