//! `/oidc/reg`: clients that register themselves (RFC 7591), and manage what they registered (RFC 7592).

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_app::Refusal;
use serde_json::{Map, Value};

use crate::request::{self, Head, Path};
use crate::server::{self, Shared};
use crate::surface::{Answer, private_json};

/// Registers a client. Nothing is read of a request whose token is wrong.
pub(crate) async fn register(State(shared): server::State, head: Head, request: Request) -> Answer<Response> {
    let origin = head.origin();
    let by = shared.app.may_register(head.bearer(), &origin).await?;
    let metadata = metadata(request, &shared).await?;
    let registered = shared.app.register_client(&by, &metadata, &origin).await?;
    Ok(private_json(StatusCode::CREATED, &registered))
}

/// Tells a client what it registered.
pub(crate) async fn show(
    State(shared): server::State,
    head: Head,
    Path(client): Path<String>,
) -> Answer<Response> {
    let own = shared.app.own_registration(&client, head.bearer(), &head.origin()).await?;
    Ok(private_json(StatusCode::OK, &shared.app.registered(&own)))
}

/// Replaces what a client registered.
pub(crate) async fn change(
    State(shared): server::State,
    head: Head,
    Path(client): Path<String>,
    request: Request,
) -> Answer<Response> {
    let origin = head.origin();
    let own = shared.app.own_registration(&client, head.bearer(), &origin).await?;
    let metadata = metadata(request, &shared).await?;
    let changed = shared.app.change_registration(&own, &metadata, &origin).await?;
    Ok(private_json(StatusCode::OK, &changed))
}

/// Removes a client.
pub(crate) async fn remove(
    State(shared): server::State,
    head: Head,
    Path(client): Path<String>,
) -> Answer<Response> {
    let origin = head.origin();
    let own = shared.app.own_registration(&client, head.bearer(), &origin).await?;
    shared.app.remove_registration(&own, &origin).await?;
    Ok((StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "no-store")]).into_response())
}

async fn metadata(request: Request, shared: &Shared) -> Result<Map<String, Value>, Refusal> {
    let limit = shared.app.limits().client_metadata_bytes;
    request::parse(&request::read_json_within(request, limit, shared).await?)
}
