//! Identity sources and their connections by the paths of the v2 client, which has them among its calls for tenants.

use axum::extract::{Request, State};
use axum::routing::{get, post, put};
use hufu_app::Refusal;
use hufu_app::administration::IdentitySource;
use hufu_types::refusal::{Code, Reason};
use hufu_web::Routes;
use serde_json::{Value, json};

use super::super::call::Call;
use super::super::connections::{check_source_type, connection_told, document, source_told, text};
use super::super::sent::Sent;
use super::super::users::BATCH;
use super::super::{later, put as put_member};
use super::{with_path, with_path_and_body};
use crate::envelope::Success;
use crate::server;
use crate::surface::Answer;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/api/v2/extIdp", get(list).post(create))
        .route("/api/v2/extIdp/{id}", get(detail).put(rename).delete(remove))
        .route("/api/v2/extIdp/{id}/connState", put(change_states))
        .route("/api/v2/extIdpConn", post(create_connection))
        .route("/api/v2/extIdpConn/{id}", put(change_connection).delete(remove_connection))
        .route("/api/v2/extIdpConn/{id}/state", put(change_state))
        .route("/api/v2/check/extIdpConn/identifier", post(check_identifier))
}

/// A source with its connections.
fn told(source: &IdentitySource) -> Value {
    let connections: Vec<_> =
        source.connections.iter().map(|document| connection_told(source.id.as_str(), document)).collect();
    let mut told = source_told(source);
    put_member(&mut told, "connections", connections);
    told
}

/// Refuses a call about a tenant's sources: there are those of the pool.
fn of_the_pool(sent: &Sent) -> Result<(), Refusal> {
    match sent.text("tenantId")? {
        None => Ok(()),
        Some(_) => Err(later::no(["tenants", "租户"])),
    }
}

/// `GET extIdp`
async fn list(call: Call) -> Answer<Success<Value>> {
    of_the_pool(&call.sent)?;
    let sources = call.app.identity_sources(&call.by, &call.pool).await?;
    Ok(Success::new(sources.iter().map(told).collect::<Vec<_>>().into()))
}

/// `POST extIdp`: a source with its connections, or, if one of them is refused, nothing.
async fn create(call: Call) -> Answer<Success<Value>> {
    of_the_pool(&call.sent)?;
    check_source_type(&call.sent)?;
    let connections = call.sent.objects("connections", BATCH)?;
    let made = call.app.create_identity_source(&call.by, &call.pool, call.sent.required("name")?).await?;
    let id = made.id.as_str();
    for connection in &connections {
        if let Err(refusal) = call.made_connection(id, connection).await {
            // What is wrong with the connection is what the client has to know, whatever becomes of the source.
            let refusal = match call.app.remove_identity_source(&call.by, &call.pool, id).await {
                Ok(()) => refusal,
                Err(left) => refusal.because(format!("the source {id} is still there: {left}")),
            };
            return Err(refusal.into());
        }
    }
    Ok(Success::new(told(&call.app.identity_source(&call.by, &call.pool, id).await?)))
}

/// `GET extIdp/{id}`
async fn detail(State(shared): server::State, request: Request) -> Answer<Success<Value>> {
    let (call, id) = with_path(&shared, request).await?;
    Ok(Success::new(told(&call.app.identity_source(&call.by, &call.pool, &id).await?)))
}

/// `PUT extIdp/{id}`
async fn rename(State(shared): server::State, request: Request) -> Answer<Success<Value>> {
    let (call, id) = with_path_and_body(&shared, request).await?;
    let name = call.sent.required("name")?;
    Ok(Success::new(told(&call.app.rename_identity_source(&call.by, &call.pool, &id, name).await?)))
}

/// `DELETE extIdp/{id}`
async fn remove(State(shared): server::State, request: Request) -> Answer<Success<Value>> {
    let (call, id) = with_path(&shared, request).await?;
    call.app.remove_identity_source(&call.by, &call.pool, &id).await?;
    Ok(Success::new(true.into()))
}

/// `POST extIdpConn`
async fn create_connection(call: Call) -> Answer<Success<Value>> {
    Ok(Success::new(call.made_connection(call.sent.required("extIdpId")?, &call.sent).await?))
}

/// `PUT extIdpConn/{id}`: `fields` are merged one by one.
async fn change_connection(State(shared): server::State, request: Request) -> Answer<Success<Value>> {
    let (call, id) = with_path_and_body(&shared, request).await?;
    Ok(Success::new(call.patched(&id, document(&call.sent)?).await?))
}

/// `DELETE extIdpConn/{id}`
async fn remove_connection(State(shared): server::State, request: Request) -> Answer<Success<Value>> {
    let (call, id) = with_path(&shared, request).await?;
    let (_, document) = call.found_connection(&id).await?;
    call.app.remove_connection(&call.by, &call.pool, text(&document, "id"), None).await?;
    Ok(Success::new(true.into()))
}

/// The switch that a call sets, and the application for which, if one is named.
fn switch(sent: &Sent) -> Result<(bool, Vec<String>), Refusal> {
    of_the_pool(sent)?;
    let enabled = sent.flag("enabled")?.ok_or_else(|| Refusal::invalid("enabled", Reason::Missing))?;
    Ok((enabled, sent.text("appId")?.map(str::to_owned).into_iter().collect()))
}

/// `PUT extIdpConn/{id}/state`: for an application; without one, altogether.
async fn change_state(State(shared): server::State, request: Request) -> Answer<Success<Value>> {
    let (call, id) = with_path_and_body(&shared, request).await?;
    let (enabled, applications) = switch(&call.sent)?;
    let (_, document) = call.found_connection(&id).await?;
    call.switch(&document, enabled, &applications).await?;
    Ok(Success::new(true.into()))
}

/// `PUT extIdp/{id}/connState`: all connections of a source.
async fn change_states(State(shared): server::State, request: Request) -> Answer<Success<Value>> {
    let (call, id) = with_path_and_body(&shared, request).await?;
    let (enabled, applications) = switch(&call.sent)?;
    for document in &call.app.identity_source(&call.by, &call.pool, &id).await?.connections {
        call.switch(document, enabled, &applications).await?;
    }
    Ok(Success::new(true.into()))
}

/// `POST check/extIdpConn/identifier`: refused if a connection has it, which is all that the client looks at.
async fn check_identifier(call: Call) -> Answer<Success<Value>> {
    let wanted = call.sent.required("identifier")?;
    let sources = call.app.identity_sources(&call.by, &call.pool).await?;
    let mut taken = sources.iter().flat_map(|source| &source.connections);
    if taken.any(|document| text(document, "identifier") == wanted) {
        return Err(Code::ObjectTaken.with("field", "identifier").into());
    }
    Ok(Success::new(json!(true)))
}
