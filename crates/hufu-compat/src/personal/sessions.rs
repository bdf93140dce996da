//! `/api/v3/me/sessions`: where the user is logged in.

use axum::extract::State;
use hufu_app::SessionView;
use hufu_types::refusal::Code;
use hufu_types::{Scope, SessionId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::envelope::Success;
use crate::request::{Head, Path, Query};
use crate::server;
use crate::surface::{Answer, Refused};

/// The active sessions, the most recently used first.
pub(crate) async fn list(State(shared): server::State, head: Head) -> Answer<Success<Vec<Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let sessions = shared.app.own_sessions(&who).await?;
    Ok(Success::new(sessions.iter().map(dto).collect()))
}

/// Ends one session. Its tokens are refused from now on.
pub(crate) async fn end_one(
    State(shared): server::State,
    head: Head,
    Path(id): Path<String>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let session = SessionId::parse(&id).map_err(|_| Code::SessionUnknown)?;
    shared.app.end_own_session(&who, &session).await?;
    Ok(Success::empty())
}

/// Whether to end the current session as well.
#[derive(Default, Deserialize)]
pub(crate) struct Wanted {
    current: Option<String>,
}

/// Ends all sessions except the current one. With `?current=true`, ends all of them.
pub(crate) async fn end_all(
    State(shared): server::State,
    head: Head,
    wanted: Result<Query<Wanted>, Refused>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let with_current = wanted.current.as_deref() == Some("true");
    let ended = shared.app.end_own_sessions(&who, with_current).await?;
    Ok(Success::new(json!({ "ended": ended })))
}

fn dto(view: &SessionView) -> Value {
    let SessionView { session, application, client, current } = view;
    json!({
        "id": session.id,
        "applicationId": session.application,
        "applicationName": application,
        "device": client.device,
        "browser": client.browser,
        "userAgent": session.user_agent,
        "ip": session.ip,
        "createdAt": session.created_at.to_iso(),
        "lastUsedAt": session.last_used_at.unwrap_or(session.created_at).to_iso(),
        "expiresAt": Timestamp::to_iso(session.expires_at),
        "current": current,
    })
}
