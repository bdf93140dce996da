//! The audit log: writing, reading and expiring its entries. An entry is written in the same transaction as
//! the change that it records.
//!
//! Ids start with the time, so the primary key serves queries by time.

use hufu_types::{Action, ActorKind, ApplicationId, ConnectionId, EventId, PoolId, Timestamp, UserId};
use serde_json::Value as Json;

use crate::deliveries::{AFTER_ALL_IDS, first_id_at};
use crate::{Read, Row, StoreError, Tx, Value, Write, statements};

statements! {
    INSERT = "
        INSERT INTO audit_events
            (pool_id, id, at, action, code, actor_kind, actor_id, user_id, application_id, connection_id, ip,
             user_agent, request_id, details)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    GET = "
        SELECT id, at, action, code, actor_kind, actor_id, user_id, application_id, connection_id, ip, user_agent,
               request_id, details
        FROM audit_events WHERE pool_id = $1 AND id = $2";
    LIST = "
        SELECT id, at, action, code, actor_kind, actor_id, user_id, application_id, connection_id, ip, user_agent,
               request_id, details
        FROM audit_events
        WHERE pool_id = $1 AND id >= $2 AND id < $3
          AND (CAST($4 AS TEXT) IS NULL OR CAST($4 AS TEXT) LIKE '%,' || action || ',%')
          AND (CAST($5 AS TEXT) IS NULL OR actor_id = $5)
          AND (CAST($6 AS TEXT) IS NULL OR application_id = $6)
          AND (CAST($7 AS TEXT) IS NULL OR connection_id = $7)
          AND (CAST($8 AS TEXT) IS NULL OR ip = $8)
          AND (CAST($12 AS TEXT) IS NULL OR CAST($12 AS TEXT) LIKE '%,' || actor_kind || ',%')
          AND code >= $9 AND code <= $10
        ORDER BY id DESC LIMIT $11";
    // The comparison with the pool is written so that it cannot use an index. Otherwise SQLite would choose
    // the primary key and read the entries of all users.
    LIST_OF_USER = "
        SELECT id, at, action, code, actor_kind, actor_id, user_id, application_id, connection_id, ip, user_agent,
               request_id, details
        FROM audit_events
        WHERE pool_id || '' = $1 AND user_id = $13 AND id >= $2 AND id < $3
          AND (CAST($4 AS TEXT) IS NULL OR CAST($4 AS TEXT) LIKE '%,' || action || ',%')
          AND (CAST($5 AS TEXT) IS NULL OR actor_id = $5)
          AND (CAST($6 AS TEXT) IS NULL OR application_id = $6)
          AND (CAST($7 AS TEXT) IS NULL OR connection_id = $7)
          AND (CAST($8 AS TEXT) IS NULL OR ip = $8)
          AND (CAST($12 AS TEXT) IS NULL OR CAST($12 AS TEXT) LIKE '%,' || actor_kind || ',%')
          AND code >= $9 AND code <= $10
        ORDER BY id DESC LIMIT $11";
    LIST_OF_ACCOUNT = "
        SELECT id, at, action, code, actor_kind, application_id, connection_id, ip, user_agent, details
        FROM audit_events
        WHERE pool_id = $1
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))
          AND id < $3
        ORDER BY id DESC
        LIMIT $4";
    FORGET = "
        DELETE FROM audit_events
        WHERE pool_id = $1 AND id IN (
            SELECT id FROM audit_events WHERE pool_id = $1 AND id < $2 ORDER BY id LIMIT $3)";
}

/// An entry to insert.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'a> {
    /// The pool.
    pub pool: &'a PoolId,
    /// The id.
    pub id: &'a EventId,
    /// When it happened.
    pub at: Timestamp,
    /// The action.
    pub action: Action,
    /// 0, or the error number of the refusal.
    pub code: u32,
    /// The kind of actor.
    pub actor_kind: ActorKind,
    /// The id of the actor.
    pub actor_id: Option<&'a str>,
    /// The affected user.
    pub user: Option<&'a UserId>,
    /// The application used.
    pub application: Option<&'a ApplicationId>,
    /// The connection used.
    pub connection: Option<&'a ConnectionId>,
    /// The IP address.
    pub ip: Option<&'a str>,
    /// The `User-Agent`.
    pub user_agent: Option<&'a str>,
    /// The id of the request.
    pub request_id: Option<&'a str>,
    /// Further details.
    pub details: &'a Json,
}

/// Inserts an entry.
pub async fn insert(tx: &mut Tx<'_>, new: &NewEvent<'_>) -> Result<(), StoreError> {
    let details = serde_json::to_string(new.details)?;
    let values = [
        new.pool.into(),
        new.id.as_str().into(),
        new.at.into(),
        new.action.as_str().into(),
        i64::from(new.code).into(),
        new.actor_kind.as_str().into(),
        new.actor_id.into(),
        new.user.map(UserId::as_str).into(),
        new.application.map(ApplicationId::as_str).into(),
        new.connection.map(ConnectionId::as_str).into(),
        new.ip.into(),
        new.user_agent.into(),
        new.request_id.into(),
        (&details).into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEvent {
    /// The id; ids sort by time.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// The action that was performed or refused. A string, because another version of Hufu may have written
    /// it.
    pub action: String,
    /// 0, or the error number of the refusal.
    pub code: i64,
    /// The kind of actor: see [`hufu_types::ActorKind`].
    pub actor_kind: String,
    /// The id of the actor.
    pub actor_id: Option<String>,
    /// The affected user.
    pub user: Option<String>,
    /// The application used.
    pub application: Option<String>,
    /// The connection used.
    pub connection: Option<String>,
    /// The IP address.
    pub ip: Option<String>,
    /// The `User-Agent`.
    pub user_agent: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// Further details. `before` and `after` contain what changed.
    pub details: Json,
}

/// Which entries to read. `None` means no restriction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The affected user.
    pub user: Option<UserId>,
    /// Any of these actions; empty means all.
    pub actions: Vec<Action>,
    /// The user, administrator or access key that performed it.
    pub actor: Option<String>,
    /// Any of these kinds of actors; empty means all.
    pub actor_kinds: Vec<ActorKind>,
    /// The application used.
    pub application: Option<ApplicationId>,
    /// The connection used.
    pub connection: Option<ConnectionId>,
    /// The IP address.
    pub ip: Option<String>,
    /// The outcome.
    pub outcome: Option<Outcome>,
    /// At or after this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

/// The outcome of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It was refused.
    Refused,
    /// It was refused with this error number.
    Code(u32),
}

/// Reads audit log entries of a pool, newest first.
#[derive(Clone, Debug)]
pub struct ListEvents {
    /// The pool.
    pub pool: PoolId,
    /// Which entries.
    pub filter: AuditFilter,
    /// Only entries before this one.
    pub before: Option<EventId>,
    /// The maximum number of entries.
    pub limit: i64,
}

impl Read for ListEvents {
    type Out = Vec<AuditEvent>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<AuditEvent>, StoreError> {
        let filter = &self.filter;
        let from = filter.from.map(first_id_at).unwrap_or_default();
        let to = filter.to.map_or_else(|| AFTER_ALL_IDS.to_owned(), first_id_at);
        // The last entry of the previous page may be later than the requested end.
        let before = self.before.as_ref().map_or(to.as_str(), |before| before.as_str().min(to.as_str()));
        let actions = one_of(filter.actions.iter().map(|action| action.as_str()));
        let actor_kinds = one_of(filter.actor_kinds.iter().map(|kind| kind.as_str()));
        let (least, most) = match filter.outcome {
            None => (0, i64::MAX),
            Some(Outcome::Done) => (0, 0),
            Some(Outcome::Refused) => (1, i64::MAX),
            Some(Outcome::Code(code)) => (i64::from(code), i64::from(code)),
        };
        let values: [Value<'_>; 13] = [
            (&self.pool).into(),
            (&from).into(),
            before.into(),
            (&actions).into(),
            (&filter.actor).into(),
            filter.application.as_ref().map(ApplicationId::as_str).into(),
            filter.connection.as_ref().map(ConnectionId::as_str).into(),
            (&filter.ip).into(),
            least.into(),
            most.into(),
            self.limit.into(),
            (&actor_kinds).into(),
            filter.user.as_ref().map(UserId::as_str).into(),
        ];
        match &filter.user {
            Some(_) => tx.all(LIST_OF_USER, &values, decode).await,
            None => tx.all(LIST, values.get(..12).unwrap_or_default(), decode).await,
        }
    }
}

/// Names between commas. `None` for none, which restrict nothing.
fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let list: String = names.flat_map(|name| [name, ","]).collect();
    (!list.is_empty()).then(|| format!(",{list}"))
}

/// Reads one audit log entry of a pool.
#[derive(Clone, Debug)]
pub struct GetEvent(pub PoolId, pub EventId);

impl Read for GetEvent {
    type Out = Option<AuditEvent>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<AuditEvent>, StoreError> {
        tx.optional(GET, &[(&self.0).into(), self.1.as_str().into()], decode).await
    }
}

/// An audit log entry as shown to the user whom it concerns.
#[derive(Clone, Debug)]
pub struct OwnEvent {
    /// The id.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// The action.
    pub action: Action,
    /// 0, or the error number of the refusal.
    pub code: i64,
    /// The kind of actor.
    pub actor: ActorKind,
    /// The application used.
    pub application: Option<ApplicationId>,
    /// The connection used.
    pub connection: Option<ConnectionId>,
    /// The IP address.
    pub ip: Option<String>,
    /// The `User-Agent`.
    pub user_agent: Option<String>,
    /// Further details.
    pub details: Json,
}

/// The entries about an account and about those merged into it, newest first.
pub async fn of_account(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    before: Option<&EventId>,
    limit: i64,
) -> Result<Vec<OwnEvent>, StoreError> {
    // Ids are hexadecimal, so `z` sorts after all of them in every collation.
    let before = before.map_or("z", EventId::as_str);
    tx.all(LIST_OF_ACCOUNT, &[pool.into(), user.into(), before.into(), limit.into()], decode_own).await
}

/// Deletes the oldest entries of a pool.
#[derive(Clone, Debug)]
pub struct DeleteEvents {
    /// The pool.
    pub pool: PoolId,
    /// Only entries written before this time.
    pub before: Timestamp,
    /// The maximum number of entries.
    pub limit: i64,
}

impl Write for DeleteEvents {
    /// The number of deleted entries.
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        let before = first_id_at(self.before);
        tx.execute(FORGET, &[(&self.pool).into(), (&before).into(), self.limit.into()]).await
    }
}

fn decode(row: &Row<'_>) -> Result<AuditEvent, StoreError> {
    Ok(AuditEvent {
        id: EventId::parse(&row.get::<String>(0)?)?,
        at: Timestamp(row.get(1)?),
        action: row.get(2)?,
        code: row.get(3)?,
        actor_kind: row.get(4)?,
        actor_id: row.get(5)?,
        user: row.get(6)?,
        application: row.get(7)?,
        connection: row.get(8)?,
        ip: row.get(9)?,
        user_agent: row.get(10)?,
        request_id: row.get(11)?,
        details: serde_json::from_str(&row.get::<String>(12)?)?,
    })
}

fn decode_own(row: &Row<'_>) -> Result<OwnEvent, StoreError> {
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
