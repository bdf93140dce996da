//! The configuration: pools with their settings, applications, connections.
//!
//! The members of these objects are the keys of the file of `hufu apply` (`case`). Which there are, and what they may
//! be, comes from the types that hold them, so the OpenAPI document follows by itself (`schema`).

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hufu_app::administration::WrittenApplication;
use hufu_types::Refusal;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{ApplicationId, PoolId};
use hufu_web::request::{Path, Query};
use hufu_web::surface::Answer;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::caller::{Body, Caller, Paging, ProblemBody, answer, done, ok, pool_id};
use super::case;
use super::schema::{
    ApplicationBody, ApplicationView, ConnectionBody, ConnectionView, PoolBody, PoolConfiguration,
};

type Document = Map<String, Value>;

#[derive(Serialize, ToSchema)]
pub(crate) struct Applications {
    /// In the order of the file of `hufu apply`, then of creation.
    #[schema(value_type = Vec<ApplicationView>)]
    applications: Vec<Document>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Connections {
    /// In the order of creation.
    #[schema(value_type = Vec<ConnectionView>)]
    connections: Vec<Document>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

fn ids(pool: &str, application: &str) -> Result<(PoolId, ApplicationId), Code> {
    Ok((pool_id(pool)?, ApplicationId::parse(application).map_err(|_| Code::NoSuchApplication)?))
}

/// An object, with the `ETag` that `If-Match` accepts.
pub(crate) fn tagged(status: StatusCode, document: Document) -> Response {
    let document = case::shown(document);
    let revision = document.get("revision").and_then(Value::as_i64).unwrap_or_default();
    let mut response = answer(status, &document);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// An application, with the secret that was made for it.
fn written(status: StatusCode, written: WrittenApplication) -> Response {
    let WrittenApplication { mut document, secret } = written;
    if let Some(secret) = secret {
        document.insert("secret".to_owned(), secret.expose_secret().into());
    }
    tagged(status, document)
}

/// The revision that the caller has seen. `*` is any.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Refusal> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let tag = tag.to_str().unwrap_or_default();
    if tag == "*" {
        return Ok(None);
    }
    let revision =
        tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).and_then(|tag| tag.parse().ok());
    revision.map(Some).ok_or_else(|| Refusal::invalid("If-Match", Reason::Malformed))
}

/// List the applications of a pool.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/applications", tag = "configuration",
    params(("pool" = String, Path), Paging),
    responses((status = 200, body = Applications), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_applications(
    caller: Caller,
    Path(pool): Path<String>,
    Query(page): Query<Paging>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let found = caller.app.list_applications(&caller.by, &pool, page.cursor.as_deref(), page.limit).await?;
    let applications = found.applications.into_iter().map(case::shown).collect();
    Ok(ok(&Applications { applications, next: found.next }))
}

/// Create an application.
///
/// An application that authenticates with a client secret and is given none gets one. It is only in this response.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/applications", tag = "configuration",
    params(("pool" = String, Path)), request_body = ApplicationBody,
    responses((status = 201, body = ApplicationView), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn create_application(
    caller: Caller,
    Path(pool): Path<String>,
    Body(body): Body<Document>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let made = caller.app.create_application(&caller.by, &pool, case::written(body)).await?;
    Ok(written(StatusCode::CREATED, made))
}

/// Get an application.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/applications/{application}", tag = "configuration",
    params(("pool" = String, Path), ("application" = String, Path)),
    responses((status = 200, body = ApplicationView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_application(
    caller: Caller,
    Path((pool, application)): Path<(String, String)>,
) -> Answer<Response> {
    let (pool, id) = ids(&pool, &application)?;
    Ok(tagged(StatusCode::OK, caller.app.application(&caller.by, &pool, &id).await?))
}

/// Change an application by a JSON Merge Patch (RFC 7396).
///
/// What the body does not name stays. With `If-Match`, or `revision` in the body, only if it has not been changed in
/// the meantime.
#[utoipa::path(patch, path = "/admin/v1/pools/{pool}/applications/{application}", tag = "configuration",
    params(("pool" = String, Path), ("application" = String, Path)), request_body = ApplicationBody,
    responses((status = 200, body = ApplicationView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn change_application(
    caller: Caller,
    Path((pool, application)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body<Document>,
) -> Answer<Response> {
    let (pool, id) = ids(&pool, &application)?;
    let (patch, revision) = (case::written(body), if_match(&headers)?);
    Ok(written(StatusCode::OK, caller.app.change_application(&caller.by, &pool, &id, patch, revision).await?))
}

/// Delete an application.
///
/// Its sessions end, its tokens become invalid.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/applications/{application}", tag = "configuration",
    params(("pool" = String, Path), ("application" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn delete_application(
    caller: Caller,
    Path((pool, application)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (pool, id) = ids(&pool, &application)?;
    caller.app.remove_application(&caller.by, &pool, &id, if_match(&headers)?).await?;
    Ok(done())
}

/// Make a new client secret.
///
/// It is only in this response, as `secret`. The one before stays valid, the one before that does not. With `If-Match`, only
/// if the application has not been changed in the meantime.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/applications/{application}/secrets", tag = "configuration",
    params(("pool" = String, Path), ("application" = String, Path)),
    responses((status = 201, body = ApplicationView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn add_secret(
    caller: Caller,
    Path((pool, application)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let ((pool, id), revision) = (ids(&pool, &application)?, if_match(&headers)?);
    let made = caller.app.add_client_secret_unless_changed(&caller.by, &pool, &id, revision).await?;
    Ok(written(StatusCode::CREATED, made))
}

/// End a client secret at once.
///
/// `secrets` of the application has the ids. The only secret cannot be ended.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/applications/{application}/secrets/{secret}", tag = "configuration",
    params(("pool" = String, Path), ("application" = String, Path), ("secret" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn end_secret(
    caller: Caller,
    Path((pool, application, secret)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (pool, id) = ids(&pool, &application)?;
    caller.app.end_client_secret(&caller.by, &pool, &id, &secret, if_match(&headers)?).await?;
    Ok(done())
}

/// List the connections of a pool.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/connections", tag = "configuration",
    params(("pool" = String, Path), Paging),
    responses((status = 200, body = Connections), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_connections(
    caller: Caller,
    Path(pool): Path<String>,
    Query(page): Query<Paging>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let found = caller.app.list_connections(&caller.by, &pool, page.cursor.as_deref(), page.limit).await?;
    let connections = found.connections.into_iter().map(case::shown).collect();
    Ok(ok(&Connections { connections, next: found.next }))
}

/// Create a connection.
///
/// An application uses it once its `connections` name it.
#[utoipa::path(post, path = "/admin/v1/pools/{pool}/connections", tag = "configuration",
    params(("pool" = String, Path)), request_body = ConnectionBody,
    responses((status = 201, body = ConnectionView), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn create_connection(
    caller: Caller,
    Path(pool): Path<String>,
    Body(body): Body<Document>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let made = caller.app.create_connection(&caller.by, &pool, case::written(body)).await?;
    Ok(tagged(StatusCode::CREATED, made))
}

/// Get a connection, by its identifier or id.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}/connections/{connection}", tag = "configuration",
    params(("pool" = String, Path), ("connection" = String, Path)),
    responses((status = 200, body = ConnectionView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_connection(
    caller: Caller,
    Path((pool, connection)): Path<(String, String)>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    Ok(tagged(StatusCode::OK, caller.app.connection(&caller.by, &pool, &connection).await?))
}

/// Change a connection by a JSON Merge Patch (RFC 7396).
///
/// What the body does not name stays, secrets too. With `If-Match`, or `revision` in the body, only if it has not been
/// changed in the meantime.
#[utoipa::path(patch, path = "/admin/v1/pools/{pool}/connections/{connection}", tag = "configuration",
    params(("pool" = String, Path), ("connection" = String, Path)), request_body = ConnectionBody,
    responses((status = 200, body = ConnectionView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn change_connection(
    caller: Caller,
    Path((pool, connection)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body<Document>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let (patch, revision) = (case::written(body), if_match(&headers)?);
    let now = caller.app.change_connection(&caller.by, &pool, &connection, patch, revision).await?;
    Ok(tagged(StatusCode::OK, now))
}

/// Delete a connection.
///
/// The sessions that began through it end. Identities stay.
#[utoipa::path(delete, path = "/admin/v1/pools/{pool}/connections/{connection}", tag = "configuration",
    params(("pool" = String, Path), ("connection" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn delete_connection(
    caller: Caller,
    Path((pool, connection)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    caller.app.remove_connection(&caller.by, &pool, &connection, if_match(&headers)?).await?;
    Ok(done())
}

/// Create a user pool.
///
/// Only with access to all pools.
#[utoipa::path(post, path = "/admin/v1/pools", tag = "configuration", request_body = PoolBody,
    responses((status = 201, body = PoolConfiguration), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn create_pool(caller: Caller, Body(body): Body<Document>) -> Answer<Response> {
    Ok(tagged(StatusCode::CREATED, caller.app.create_pool(&caller.by, case::written(body)).await?))
}

/// Get a user pool with its settings.
#[utoipa::path(get, path = "/admin/v1/pools/{pool}", tag = "configuration", params(("pool" = String, Path)),
    responses((status = 200, body = PoolConfiguration), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_pool(caller: Caller, Path(pool): Path<String>) -> Answer<Response> {
    Ok(tagged(StatusCode::OK, caller.app.pool(&caller.by, &pool_id(&pool)?).await?))
}

/// Change the name or the settings of a user pool by a JSON Merge Patch (RFC 7396).
///
/// What the body does not name stays. With `If-Match`, or `revision` in the body, only if it has not been changed in
/// the meantime.
#[utoipa::path(patch, path = "/admin/v1/pools/{pool}", tag = "configuration", params(("pool" = String, Path)),
    request_body = PoolBody,
    responses((status = 200, body = PoolConfiguration), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(crate) async fn change_pool(
    caller: Caller,
    Path(pool): Path<String>,
    headers: HeaderMap,
    Body(body): Body<Document>,
) -> Answer<Response> {
    let pool = pool_id(&pool)?;
    let (patch, revision) = (case::written(body), if_match(&headers)?);
    Ok(tagged(StatusCode::OK, caller.app.change_pool(&caller.by, &pool, patch, revision).await?))
}
