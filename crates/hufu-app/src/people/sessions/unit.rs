//! The unit of work that ends sessions of one's own account.

use hufu_store::endings::EndedSession;
use hufu_store::{StoreError, Tx, Write, endings, sessions};
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
    type Out = Vec<EndedSession>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<EndedSession>, StoreError> {
        let Self { pool, user, which, trace } = self;
        let ended = match which {
            SessionSelection::One(one) => {
                let living = sessions::of_account(tx, pool, user, trace.at).await?;
                let is_own = living.iter().any(|session| session.id == *one);
                let ended = if is_own { endings::one(tx, pool, one, trace.at).await? } else { None };
                ended.into_iter().collect()
            }
            SessionSelection::AllBut(kept) => {
                endings::of_account(tx, pool, user, Some(kept), trace.at).await?
            }
            SessionSelection::All => endings::of_account(tx, pool, user, None, trace.at).await?,
        };
        if !ended.is_empty() {
            let ids: Vec<&str> = ended.iter().map(|ended| ended.session.as_str()).collect();
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
