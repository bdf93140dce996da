//! The unit of work for logging out.

use hufu_store::{StoreError, Tx, Write, endings, sessions};
use hufu_types::{Action, PoolId, SessionId, UserId};
use serde_json::json;

use crate::events::{Event, Recorder, Trace};

/// Ends a session and its refresh tokens.
pub struct EndSession {
    /// The pool.
    pub pool: PoolId,
    /// The session.
    pub session: SessionId,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

impl Write for EndSession {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        end(tx, &mut self.trace.recorder(), &self.pool, &self.session).await.map(drop)
    }
}

/// Ends a session and its refresh tokens, and records that its user logged out. Returns the account; `None` if
/// the session has ended before.
pub(super) async fn end(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    session: &SessionId,
) -> Result<Option<UserId>, StoreError> {
    let Some(found) = sessions::get(tx, pool, session).await? else { return Ok(None) };
    endings::one(tx, pool, session, events.now()).await?;
    let details = json!({ "session": session.as_str() });
    events.record(tx, pool, Event::of(Action::Logout, &found.account).with(details)).await?;
    Ok(Some(found.account))
}
