//! `/api/v3/me/identities`: the identities of the account, and binding and unbinding them one by one.

use axum::extract::State;
use hufu_app::{BoundIdentity, WhichIdentities};
use hufu_types::Scope;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::envelope::Success;
use crate::fields;
use crate::qrcode::picture_address;
use crate::request::{Body, Head, Path, given};
use crate::server;
use crate::surface::Answer;

/// All identities, oldest first. Values are masked, because an OpenID is for servers and never for pages.
pub(crate) async fn list(State(shared): server::State, head: Head) -> Answer<Success<Vec<Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let identities = shared.app.own_identities(&who).await?;
    Ok(Success::new(identities.iter().map(dto).collect()))
}

/// A code from the mini program of this connection.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BindRequest {
    connection: Option<String>,
    code: Option<String>,
}

/// Binds the identity that a mini program's code proves. Returns all identities.
pub(crate) async fn bind(
    State(shared): server::State,
    head: Head,
    Body(request): Body<BindRequest>,
) -> Answer<Success<Vec<Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let config = shared.app.config();
    let identifier = given(request.connection.as_ref());
    let connection = config.mini_program(&who.application, identifier, head.referer.as_deref())?;
    shared.app.bind_identity(&who, &connection, fields::required(request.code.as_ref(), "code")?).await?;
    let identities = shared.app.own_identities(&who).await?;
    Ok(Success::new(identities.iter().map(dto).collect()))
}

/// The connection that shows the QR code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeRequest {
    connection: Option<String>,
}

/// Makes a QR code of a mini program. Whoever scans it can agree there that their WeChat is bound to this account.
pub(crate) async fn show_code(
    State(shared): server::State,
    head: Head,
    Body(request): Body<CodeRequest>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let ticket = shared.app.issue_binding(&who, given(request.connection.as_ref())).await?;
    Ok(Success::new(json!({
        "random": ticket.secret.expose(),
        "url": picture_address(&shared, &ticket),
        "expiresIn": ticket.life.as_secs(),
    })))
}

/// The secret of a QR code that was scanned.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScannedRequest {
    random: Option<String>,
}

/// Binds the WeChat of whoever scanned the code and agreed. Returns all identities.
pub(crate) async fn bind_by_code(
    State(shared): server::State,
    head: Head,
    Body(request): Body<ScannedRequest>,
) -> Answer<Success<Vec<Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let secret = fields::required(request.random.as_ref(), "random")?;
    shared.app.bind_by_qr_code(&who, secret).await?;
    let identities = shared.app.own_identities(&who).await?;
    Ok(Success::new(identities.iter().map(dto).collect()))
}

/// Unbinds one identity.
pub(crate) async fn unbind(
    State(shared): server::State,
    head: Head,
    Path(id): Path<String>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let unbound = shared.app.unbind_identities(&who, &WhichIdentities::One(id)).await;
    let unbound = unbound?;
    Ok(Success::new(json!({ "stillLeading": unbound.still_linked })))
}

pub(super) fn dto(bound: &BoundIdentity) -> Value {
    let BoundIdentity { id, identity, connection } = bound;
    json!({
        "id": id,
        "connection": connection.as_ref().map(|(identifier, _)| identifier),
        "connectionName": connection.as_ref().map(|(_, name)| name),
        "provider": identity.key.provider(),
        "type": identity.key.kind.as_str(),
        "maskedValue": hufu_types::masked(&identity.key.value),
        "userInfoInIdp": identity.user_info,
        "createdAt": identity.created_at.to_iso(),
    })
}
