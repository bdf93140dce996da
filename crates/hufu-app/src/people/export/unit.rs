//! The data kept about a user, read in one unit of work.

use hufu_store::audit::{self, OwnEvent};
use hufu_store::merges::{self, StoredMerge};
use hufu_store::sessions::{self, OwnSession};
use hufu_store::{Read, StoreError, Tx, Write, identities, users};
use hufu_types::{Action, EventId, Identity, PoolId, Timestamp, User, UserId};

use crate::events::{Event, Trace};

/// Lists an account's activity, latest first.
pub struct ListActivity {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// Only entries before this one.
    pub before: Option<EventId>,
    /// The maximum number of entries.
    pub limit: i64,
}

impl Read for ListActivity {
    type Out = Vec<OwnEvent>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<OwnEvent>, StoreError> {
        audit::of_account(tx, &self.pool, &self.user, self.before.as_ref(), self.limit).await
    }
}

/// All data kept about a user.
#[derive(Clone, Debug)]
pub struct OwnData {
    /// The account, then the accounts merged into it.
    pub accounts: Vec<User>,
    /// The identities.
    pub identities: Vec<Identity>,
    /// The active sessions.
    pub sessions: Vec<OwnSession>,
    /// The account's activity, latest first.
    pub events: Vec<OwnEvent>,
    /// The merges.
    pub merges: Vec<StoredMerge>,
}

/// Reads all data kept about a user.
pub struct ReadOwnData {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The maximum number of entries of the audit log.
    pub events: i64,
    /// The current time.
    pub now: Timestamp,
}

impl Read for ReadOwnData {
    type Out = OwnData;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<OwnData, StoreError> {
        let (pool, user) = (&self.pool, &self.user);
        let mut accounts = users::with_merged(tx, pool, user).await?;
        accounts.sort_by_key(|account| account.id != *user);
        Ok(OwnData {
            accounts,
            identities: identities::of_account(tx, pool, user).await?,
            sessions: sessions::of_account(tx, pool, user, self.now).await?,
            events: audit::of_account(tx, pool, user, None, self.events).await?,
            merges: merges::of_account(tx, pool, user).await?,
        })
    }
}

/// Records that a user exported their own data.
pub struct RecordExport {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

impl Write for RecordExport {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let event = Event::of(Action::DataExported, &self.user);
        self.trace.recorder().record(tx, &self.pool, event).await
    }
}
