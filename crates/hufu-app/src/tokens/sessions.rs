//! The unit of work for logging out.

use hufu_store::{StoreError, Tx, Write, sessions};
use hufu_types::{Action, PoolId, SessionId};
use serde_json::json;

use crate::events::{Event, Trace};

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
        if let Some(found) = sessions::get(tx, &self.pool, &self.session).await? {
            sessions::end(tx, &self.pool, &self.session).await?;
            let details = json!({ "session": self.session.as_str() });
            let event = Event::of(Action::Logout, &found.account).with(details);
            self.trace.recorder().record(tx, &self.pool, event).await?;
        }
        Ok(())
    }
}
