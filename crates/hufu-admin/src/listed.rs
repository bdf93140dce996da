//! The users whom an application lists, if it lets only those log in.

use axum::response::Response;
use hufu_types::UserId;
use hufu_web::request::{Path, Query};
use hufu_web::surface::Answer;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Caller, Paging, ProblemBody, done, ok, pool_id, user_id};

/// A page of the users whom an application lists.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedUsers {
    /// Their ids.
    users: Vec<String>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

/// List the users who may log in to an application that has `access = "listed"`.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/applications/{application}/users", tag = "applications",
    params(("pool" = String, Path), ("application" = String, Path), Paging),
    responses((status = 200, body = ListedUsers), (status = 404, body = ProblemBody)))]
pub(crate) async fn list(
    caller: Caller,
    Path((pool, application)): Path<(String, String)>,
    Query(Paging { cursor, limit }): Query<Paging>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let page = caller.app.users_of_application(&caller.by, &pool, &application, cursor.as_deref(), limit);
    let page = page.await?;
    Ok(ok(&ListedUsers { users: page.users.into_iter().map(UserId::into).collect(), next: page.next }))
}

/// Let a user log in to an application that has `access = "listed"`.
#[utoipa::path(put, path = "/admin/v1/pools/{pool}/applications/{application}/users/{user}", tag = "applications",
    params(("pool" = String, Path), ("application" = String, Path), ("user" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn put(
    caller: Caller,
    Path((pool, application, user)): Path<(String, String, String)>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    caller.app.list_user(&caller.by, &pool, &application, &user).await?;
    Ok(done())
}

/// Take a user off the list. Their sessions of the application end.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/applications/{application}/users/{user}", tag = "applications",
    params(("pool" = String, Path), ("application" = String, Path), ("user" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn remove(
    caller: Caller,
    Path((pool, application, user)): Path<(String, String, String)>,
) -> Answer<Response> {
    let (pool, user) = user_id(&pool, &user)?;
    caller.app.unlist_user(&caller.by, &pool, &application, &user).await?;
    Ok(done())
}
