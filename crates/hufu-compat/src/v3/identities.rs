//! Identities of the user, the identity sources of an application, and the security level of an account.

use axum::extract::State;
use hufu_app::{Needs, WhichIdentities};
use hufu_types::refusal::Code;
use hufu_types::{ConnectionId, Scope};
use serde::Deserialize;
use serde_json::{Value, json};

use super::profile::identity_dto;
use crate::envelope::Success;
use crate::fields::required;
use crate::request::{Body, Head};
use crate::server;
use crate::surface::Answer;
use crate::users::SecurityLevel;

/// `GET /api/v3/get-identities`
pub(crate) async fn get_identities(State(shared): server::State, head: Head) -> Answer<Success<Vec<Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let found = shared.app.user_with_identities(&who).await;
    let (_, identities) = found?;
    Ok(Success::new(identities.iter().map(|identity| identity_dto(who.pool(), identity)).collect()))
}

/// `GET /api/v3/get-application-enabled-extidps`: the enabled connections of the application that the request
/// names, or otherwise of the token's application.
pub(crate) async fn enabled_sources(State(shared): server::State, head: Head) -> Answer<Success<Vec<Value>>> {
    let application = if head.named().is_empty() {
        head.authenticate(&shared, Needs::Login).await?.application
    } else {
        let config = shared.app.config();
        config.serving(head.named())?.clone()
    };
    let config = shared.app.config();
    let switched_on =
        application.connections.iter().filter_map(|id| config.connection(id)).filter(|c| c.enabled);
    let sources = switched_on.map(|connection| {
        json!({
            "identifier": connection.identifier.as_str(),
            "extIdpId": connection.id,
            "type": connection.kind.as_str(),
            "extIdpType": "social",
            "bindUrl": null,
            "name": connection.display_name,
            "name_en": connection.display_name,
            "desc": "",
            "desc_en": "",
            "logo": null,
        })
    });
    Ok(Success::new(sources.collect()))
}

/// The request to unlink a connection.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnlinkRequest {
    ext_idp_id: Option<String>,
}

/// `POST /api/v3/unlink-extidp`: removes all identities that came through a connection from the account,
/// unless they are the only way to log in to it.
pub(crate) async fn unlink(
    State(shared): server::State,
    head: Head,
    Body(request): Body<UnlinkRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let id = required(request.ext_idp_id.as_ref(), "extIdpId")?;
    let connection = ConnectionId::parse(id).map_err(|_| Code::NotBound)?;
    shared.app.unbind_identities(&who, &WhichIdentities::Connection(connection)).await?;
    Ok(Success::empty())
}

/// `GET /api/v3/get-security-info`
pub(crate) async fn security_info(State(shared): server::State, head: Head) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let user = shared.app.user(&who).await?;
    let level = SecurityLevel::of(&user);
    Ok(Success::new(json!({
        "securityScore": level.score,
        "passwordSecurityLevel": level.password_security_level,
        "mfaEnrolled": level.mfa,
        "passwordSet": level.password,
        "emailBinded": user.email.is_some(),
        "phoneBinded": user.phone.is_some(),
    })))
}
