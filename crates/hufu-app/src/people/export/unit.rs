//! What is kept about a person, read in one unit.

use hufu_store::audit::{self, OwnEvent};
use hufu_store::merges::{self, StoredMerge};
use hufu_store::sessions::{self, OwnSession};
use hufu_store::{Read, StoreError, Tx, Write, identities, users};
use hufu_types::{Action, EventId, Identity, PoolId, Timestamp, User, UserId};

use crate::events::{Event, Trace};

/// Reads what happened to an account, latest first.
pub struct ListActivity {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// Only what was before this.
    pub before: Option<EventId>,
    /// At most so many.
    pub limit: i64,
}

impl Read for ListActivity {
    type Out = Vec<OwnEvent>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<OwnEvent>, StoreError> {
        audit::of_account(tx, &self.pool, &self.user, self.before.as_ref(), self.limit).await
    }
}

/// All that is kept about a person.
#[derive(Clone, Debug)]
pub struct OwnData {
    /// The account, then what was merged into it.
    pub accounts: Vec<User>,
    /// The identities.
    pub identities: Vec<Identity>,
    /// The living sessions.
    pub sessions: Vec<OwnSession>,
    /// What happened, latest first.
    pub events: Vec<OwnEvent>,
    /// The merges.
    pub merges: Vec<StoredMerge>,
}

/// Reads all that is kept about a person.
pub struct ReadOwnData {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// At most so many entries of the audit log.
    pub events: i64,
    /// Now.
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

/// Writes that a person took out their own data.
pub struct RecordExport {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// Who does it, from where and when.
    pub trace: Trace,
}

impl Write for RecordExport {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let event = Event::of(Action::DataExported, &self.user);
        self.trace.recorder().record(tx, &self.pool, event).await
    }
}
