//! `/api/v3/me/consents`: what the user lets applications have.

use axum::extract::State;
use hufu_app::ConsentView;
use hufu_types::Scope;
use serde_json::{Value, json};

use crate::envelope::Success;
use crate::request::{Head, Path};
use crate::server;
use crate::surface::Answer;

/// What the user agreed to, the latest first.
pub(crate) async fn list(State(shared): server::State, head: Head) -> Answer<Success<Vec<Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let given = shared.app.own_consents(&who).await?;
    Ok(Success::new(given.iter().map(dto).collect()))
}

/// Takes back what the user agreed to for one application. Its sessions and tokens end.
pub(crate) async fn withdraw(
    State(shared): server::State,
    head: Head,
    Path(application): Path<String>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let ended = shared.app.withdraw_consent(&who, &application).await?;
    Ok(Success::new(json!({ "ended": ended })))
}

fn dto(view: &ConsentView) -> Value {
    let ConsentView { given, application } = view;
    let scopes = given.consent.scopes.to_string();
    json!({
        "applicationId": given.application,
        "applicationName": application,
        "scopes": scopes.split_whitespace().collect::<Vec<_>>(),
        "claims": given.consent.claims,
        "resources": given.consent.resources,
        "grantedAt": given.granted_at.to_iso(),
    })
}
