//! What people see and end of their own account: sessions, identities, what happened to them.
//!
//! An account is itself and what was merged into it; nothing here reaches another.

pub(crate) mod names;

use hufu_types::refusal::Code;
use hufu_types::{
    Action, ActorKind, ApplicationId, ConnectionId, EventId, Identity, IdentityKey, PoolId, SessionId,
    Timestamp, User, UserId,
};
use serde_json::{Value as Json, json};

use crate::events::{Event, Trace};
use crate::merges::{self, StoredMerge};
use crate::step_tokens::{self, NewStepToken};
use crate::ways_in::{self, Without};
use crate::{Read, Row, StoreError, Tx, Write, flows, sessions, statements, users};

pub use names::{NameUnbound, SetUsername, UnbindMergedName, UsernameSet};

statements! {
    LIST_SESSIONS = "
        SELECT id, application_id, connection_id, created_at, expires_at, ip, user_agent, last_used_at
        FROM sessions
        WHERE pool_id = $1
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))
          AND expires_at > $3
        ORDER BY COALESCE(last_used_at, created_at) DESC, id DESC";
    DELETE_IDENTITY = "
        DELETE FROM identities WHERE pool_id = $1 AND realm = $2 AND kind = $3 AND value = $4";
    LIST_EVENTS = "
        SELECT id, at, action, code, actor_kind, application_id, connection_id, ip, user_agent, details
        FROM audit_events
        WHERE pool_id = $1
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))
          AND id < $3
        ORDER BY id DESC
        LIMIT $4";
}

/// A session as its owner sees it.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// The id.
    pub id: SessionId,
    /// The application that was logged in to.
    pub application: ApplicationId,
    /// The connection through which the person came.
    pub connection: ConnectionId,
    /// When the login was.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The address of the client at login.
    pub ip: Option<String>,
    /// The client, as it called itself at login.
    pub user_agent: Option<String>,
    /// When tokens were last renewed.
    pub last_used_at: Option<Timestamp>,
}

/// Reads the living sessions of an account, the last used first.
pub struct ListSessions {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// Now.
    pub now: Timestamp,
}

impl Read for ListSessions {
    type Out = Vec<OwnSession>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<OwnSession>, StoreError> {
        sessions_of(tx, &self.pool, &self.user, self.now).await
    }
}

async fn sessions_of(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    now: Timestamp,
) -> Result<Vec<OwnSession>, StoreError> {
    tx.all(LIST_SESSIONS, &[pool.into(), user.into(), now.into()], decode_session).await
}

/// Which sessions of an account are to end.
#[derive(Clone, Debug)]
pub enum Ending {
    /// This one.
    One(SessionId),
    /// All but this one.
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
    /// Which.
    pub which: Ending,
    /// Who does it, from where and when.
    pub trace: Trace,
}

impl Write for EndSessions {
    /// Which were ended.
    type Out = Vec<SessionId>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<SessionId>, StoreError> {
        let living = sessions_of(tx, &self.pool, &self.user, self.trace.at).await?;
        let chosen = living.into_iter().map(|session| session.id).filter(|id| match &self.which {
            Ending::One(one) => id == one,
            Ending::AllBut(kept) => id != kept,
            Ending::All => true,
        });
        let ended: Vec<SessionId> = chosen.collect();
        for session in &ended {
            sessions::end(tx, &self.pool, session).await?;
        }
        if !matches!(self.which, Ending::One(_)) {
            flows::end_of_user(tx, &self.pool, &self.user).await?;
        }
        if !ended.is_empty() {
            let ids: Vec<&str> = ended.iter().map(SessionId::as_str).collect();
            let event = Event::of(Action::SessionsEnded, &self.user).with(json!({ "sessions": ids }));
            self.trace.recorder().record(tx, &self.pool, event).await?;
        } else if let Ending::One(_) = &self.which {
            // Its own code: administrators are told 2446, as of everything that is not there.
            let event =
                Event { code: Code::SessionUnknown.number(), ..Event::of(Action::SessionsEnded, &self.user) };
            self.trace.recorder().record(tx, &self.pool, event).await?;
        }
        Ok(ended)
    }
}

/// Takes identities from an account, unless it could not be entered without them.
pub struct Unbind {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// Which; those that are not the account's are left alone.
    pub keys: Vec<IdentityKey>,
    /// Whether the last way in may be taken as well, as administrators may.
    pub even_the_last: bool,
    /// Who does it, from where and when.
    pub trace: Trace,
}

/// What came of taking identities away.
#[derive(Debug)]
pub enum Unbound {
    /// They are gone; what is left.
    Done(Vec<Identity>),
    /// None of them is the account's.
    NotBound,
    /// Nothing would be left to log in by.
    LastWayIn,
}

impl Unbound {
    /// The code of the refusal in the audit log, where it is one; the same as clients get.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::Done(_) => None,
            Self::NotBound => Some(NOT_BOUND),
            Self::LastWayIn => Some(LAST_WAY_IN),
        }
    }
}

/// The code of the refusal to take away what is not there.
const NOT_BOUND: u32 = Code::NotBound.number();
/// The code of the refusal to take the last way in.
const LAST_WAY_IN: u32 = Code::LastWayIn.number();

impl Write for Unbind {
    type Out = Unbound;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Unbound, StoreError> {
        let unbound = self.unbind(tx).await?;
        if let Some(code) = unbound.code() {
            let event = Event { code, ..Event::of(Action::IdentityUnbound, &self.user) };
            self.trace.recorder().record(tx, &self.pool, event).await?;
        }
        Ok(unbound)
    }
}

impl Unbind {
    async fn unbind(&self, tx: &mut Tx<'_>) -> Result<Unbound, StoreError> {
        let (pool, user) = (&self.pool, &self.user);
        // Of two who take the last two ways in the second waits here, and sees that one is left.
        if users::get_locked(tx, pool, user).await?.is_none() {
            return Ok(Unbound::NotBound);
        }
        let held = users::identities(tx, pool, user).await?;
        let (gone, left): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|identity| self.keys.contains(&identity.key));
        if gone.is_empty() {
            return Ok(Unbound::NotBound);
        }
        let ways = ways_in::ways_in(tx, pool, user).await?;
        if !self.even_the_last && !ways.would_remain(Without::Identities(&self.keys)) {
            return Ok(Unbound::LastWayIn);
        }
        let mut events = self.trace.recorder();
        for Identity { key, connection, .. } in &gone {
            let values = [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into()];
            tx.execute(DELETE_IDENTITY, &values).await?;
            let details = json!({
                "realm": key.realm,
                "kind": key.kind.as_str(),
                "connection": connection.as_str(),
                "before": hufu_types::masked(&key.value),
            });
            events.record(tx, pool, Event::of(Action::IdentityUnbound, user).with(details)).await?;
        }
        // A login that waits may have come by one of them.
        flows::end_of_user(tx, pool, user).await?;
        Ok(Unbound::Done(left))
    }
}

/// Proves a person once more by ids that a source proved just now, and issues the token of the second step of
/// deleting the account: for those who have neither a password nor a number or an address.
pub struct ConfirmByIdentity {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The ids, the source's own of the person first.
    pub keys: Vec<IdentityKey>,
    /// The token.
    pub token: NewStepToken,
    /// Who does it, from where and when.
    pub trace: Trace,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityConfirmed {
    /// The token is issued.
    Issued,
    /// One of the ids leads to another account.
    AnothersIdentity,
    /// None of them leads to an account.
    NotBound,
}

impl IdentityConfirmed {
    /// The code of the refusal in the audit log, where it is one; the same as clients get.
    pub const fn code(self) -> Option<u32> {
        match self {
            Self::Issued => None,
            Self::AnothersIdentity => Some(Code::IdentityTaken.number()),
            Self::NotBound => Some(NOT_BOUND),
        }
    }
}

impl Write for ConfirmByIdentity {
    type Out = IdentityConfirmed;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<IdentityConfirmed, StoreError> {
        let pool = &self.pool;
        users::get_locked(tx, pool, &self.user).await?;
        let mut confirmed = IdentityConfirmed::NotBound;
        for key in &self.keys {
            match users::identity_owner(tx, pool, key).await? {
                Some(owner) if owner == self.user => confirmed = IdentityConfirmed::Issued,
                Some(_) => {
                    confirmed = IdentityConfirmed::AnothersIdentity;
                    break;
                }
                None => {}
            }
        }
        match confirmed.code() {
            None => step_tokens::insert(tx, pool, &self.user, &self.token).await?,
            Some(code) => {
                let event = Event { code, ..Event::of(Action::UserDeletionRequested, &self.user) };
                self.trace.recorder().record(tx, pool, event).await?;
            }
        }
        Ok(confirmed)
    }
}

/// An entry of the audit log as the person whom it is about sees it.
#[derive(Clone, Debug)]
pub struct OwnEvent {
    /// The id.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: Action,
    /// 0, or the code of the refusal.
    pub code: i64,
    /// What did it.
    pub actor: ActorKind,
    /// Through which application.
    pub application: Option<ApplicationId>,
    /// Through which connection.
    pub connection: Option<ConnectionId>,
    /// From which address.
    pub ip: Option<String>,
    /// With which client.
    pub user_agent: Option<String>,
    /// What else is known.
    pub details: Json,
}

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
        events_of(tx, &self.pool, &self.user, self.before.as_ref(), self.limit).await
    }
}

async fn events_of(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    before: Option<&EventId>,
    limit: i64,
) -> Result<Vec<OwnEvent>, StoreError> {
    // Ids are hexadecimal, so that `z` sorts after all of them in every collation.
    let before = before.map_or("z", EventId::as_str);
    tx.all(LIST_EVENTS, &[pool.into(), user.into(), before.into(), limit.into()], decode_event).await
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
        let mut accounts = ways_in::with_merged(tx, pool, user).await?;
        accounts.sort_by_key(|account| account.id != *user);
        Ok(OwnData {
            accounts,
            identities: users::identities(tx, pool, user).await?,
            sessions: sessions_of(tx, pool, user, self.now).await?,
            events: events_of(tx, pool, user, None, self.events).await?,
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

fn decode_session(row: &Row<'_>) -> Result<OwnSession, StoreError> {
    Ok(OwnSession {
        id: SessionId::parse(&row.get::<String>(0)?)?,
        application: ApplicationId::parse(&row.get::<String>(1)?)?,
        connection: ConnectionId::parse(&row.get::<String>(2)?)?,
        created_at: Timestamp(row.get(3)?),
        expires_at: Timestamp(row.get(4)?),
        ip: row.get(5)?,
        user_agent: row.get(6)?,
        last_used_at: row.get::<Option<i64>>(7)?.map(Timestamp),
    })
}

fn decode_event(row: &Row<'_>) -> Result<OwnEvent, StoreError> {
    let application = row.get::<Option<String>>(5)?;
    let connection = row.get::<Option<String>>(6)?;
    Ok(OwnEvent {
        id: EventId::parse(&row.get::<String>(0)?)?,
        at: Timestamp(row.get(1)?),
        action: Action::parse(&row.get::<String>(2)?).ok_or(StoreError::Corrupt { column: "action" })?,
        code: row.get(3)?,
        actor: ActorKind::parse(&row.get::<String>(4)?)
            .ok_or(StoreError::Corrupt { column: "actor_kind" })?,
        application: application.map(|id| ApplicationId::parse(&id)).transpose()?,
        connection: connection.map(|id| ConnectionId::parse(&id)).transpose()?,
        ip: row.get(7)?,
        user_agent: row.get(8)?,
        details: serde_json::from_str(&row.get::<String>(9)?)?,
    })
}
