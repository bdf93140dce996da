//! The unit of work that ends sessions of one's own account.

use hufu_store::{StoreError, Tx, Write, browser_sessions, choices, flows, sessions};
use hufu_types::refusal::Code;
use hufu_types::{Action, PoolId, SessionId, UserId};
use serde_json::json;

use crate::events::{Event, Trace};

/// The sessions to end.
#[derive(Clone, Debug)]
pub enum SessionSelection {
    /// This one.
    One(SessionId),
    /// All except this one.
    AllBut(SessionId),
    /// All.
    All,
}

/// Ends sessions of an account, with their refresh tokens.
pub struct EndSessions {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The sessions to end.
    pub which: SessionSelection,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

impl Write for EndSessions {
    /// The sessions that ended.
    type Out = Vec<SessionId>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<SessionId>, StoreError> {
        let living = sessions::of_account(tx, &self.pool, &self.user, self.trace.at).await?;
        let chosen = living.into_iter().map(|session| session.id).filter(|id| match &self.which {
            SessionSelection::One(one) => id == one,
            SessionSelection::AllBut(kept) => id != kept,
            SessionSelection::All => true,
        });
        let ended: Vec<SessionId> = chosen.collect();
        for session in &ended {
            sessions::end(tx, &self.pool, session).await?;
        }
        let kept = match &self.which {
            SessionSelection::One(_) => None,
            SessionSelection::AllBut(kept) => Some(Some(kept)),
            SessionSelection::All => Some(None),
        };
        if let Some(kept) = kept {
            browser_sessions::end_of_account(tx, &self.pool, &self.user, kept).await?;
            flows::end_of_user(tx, &self.pool, &self.user).await?;
            choices::forget(tx, &self.pool, &self.user).await?;
        }
        if !ended.is_empty() {
            let ids: Vec<&str> = ended.iter().map(SessionId::as_str).collect();
            let event = Event::of(Action::SessionsEnded, &self.user).with(json!({ "sessions": ids }));
            self.trace.recorder().record(tx, &self.pool, event).await?;
        } else if let SessionSelection::One(_) = &self.which {
            // The audit log has this code. Administrators get [`Code::NoSuchSession`] (2446) instead, as for
            // everything that does not exist.
            let event =
                Event { code: Code::SessionUnknown.number(), ..Event::of(Action::SessionsEnded, &self.user) };
            self.trace.recorder().record(tx, &self.pool, event).await?;
        }
        Ok(ended)
    }
}
