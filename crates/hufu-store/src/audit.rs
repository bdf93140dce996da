//! The audit log: its entries are written in the transaction of what they tell about, read, and forgotten.
//!
//! Ids are made of the time, so that the primary key serves whoever asks for a time.

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
          AND code >= $9 AND code <= $10
        ORDER BY id DESC LIMIT $11";
    // The pool is compared in a way that serves no index: SQLite would take the primary key, and read everybody's entries.
    LIST_OF_USER = "
        SELECT id, at, action, code, actor_kind, actor_id, user_id, application_id, connection_id, ip, user_agent,
               request_id, details
        FROM audit_events
        WHERE pool_id || '' = $1 AND user_id = $12 AND id >= $2 AND id < $3
          AND (CAST($4 AS TEXT) IS NULL OR CAST($4 AS TEXT) LIKE '%,' || action || ',%')
          AND (CAST($5 AS TEXT) IS NULL OR actor_id = $5)
          AND (CAST($6 AS TEXT) IS NULL OR application_id = $6)
          AND (CAST($7 AS TEXT) IS NULL OR connection_id = $7)
          AND (CAST($8 AS TEXT) IS NULL OR ip = $8)
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

/// An entry to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'a> {
    /// In which pool.
    pub pool: &'a PoolId,
    /// The id.
    pub id: &'a EventId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: Action,
    /// 0, or the code of the refusal.
    pub code: u32,
    /// What they are who did it.
    pub actor_kind: ActorKind,
    /// Who did it.
    pub actor_id: Option<&'a str>,
    /// To whom.
    pub user: Option<&'a UserId>,
    /// Through which application.
    pub application: Option<&'a ApplicationId>,
    /// Through which connection.
    pub connection: Option<&'a ConnectionId>,
    /// From which address.
    pub ip: Option<&'a str>,
    /// With which client.
    pub user_agent: Option<&'a str>,
    /// In which request.
    pub request_id: Option<&'a str>,
    /// What else is known.
    pub details: &'a Json,
}

/// Writes an entry.
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
    /// When.
    pub at: Timestamp,
    /// What was done, or refused; text, because another version may have written it.
    pub action: String,
    /// 0, or the code of the refusal.
    pub code: i64,
    /// What they are who did it: see [`hufu_types::ActorKind`].
    pub actor_kind: String,
    /// Who did it.
    pub actor_id: Option<String>,
    /// To whom.
    pub user: Option<String>,
    /// Through which application.
    pub application: Option<String>,
    /// Through which connection.
    pub connection: Option<String>,
    /// From which address.
    pub ip: Option<String>,
    /// With which client.
    pub user_agent: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// What else is known; what changed stands in `before` and `after`.
    pub details: Json,
}

/// Which entries are meant; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// To this user.
    pub user: Option<UserId>,
    /// One of these; any, where this is empty.
    pub actions: Vec<Action>,
    /// Done by this user, administrator or key.
    pub actor: Option<String>,
    /// Through this application.
    pub application: Option<ApplicationId>,
    /// Through this connection.
    pub connection: Option<ConnectionId>,
    /// From this address.
    pub ip: Option<String>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// Then or later.
    pub from: Option<Timestamp>,
    /// Before then.
    pub to: Option<Timestamp>,
}

/// What came of what somebody wanted to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
    /// It was refused with this code.
    Code(u32),
}

/// Entries of the audit log of a pool, newest first.
#[derive(Clone, Debug)]
pub struct ListEvents {
    /// Of which pool.
    pub pool: PoolId,
    /// Which.
    pub filter: AuditFilter,
    /// Only those before this one.
    pub before: Option<EventId>,
    /// How many at most.
    pub limit: i64,
}

impl Read for ListEvents {
    type Out = Vec<AuditEvent>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<AuditEvent>, StoreError> {
        let filter = &self.filter;
        let from = filter.from.map(first_id_at).unwrap_or_default();
        let to = filter.to.map_or_else(|| AFTER_ALL_IDS.to_owned(), first_id_at);
        // An id of a page before may lie after the time that is asked for.
        let before = self.before.as_ref().map_or(to.as_str(), |before| before.as_str().min(to.as_str()));
        let mut actions = String::from(",");
        for action in &filter.actions {
            actions.push_str(action.as_str());
            actions.push(',');
        }
        let (least, most) = match filter.outcome {
            None => (0, i64::MAX),
            Some(Outcome::Done) => (0, 0),
            Some(Outcome::Refused) => (1, i64::MAX),
            Some(Outcome::Code(code)) => (i64::from(code), i64::from(code)),
        };
        let values: [Value<'_>; 12] = [
            (&self.pool).into(),
            (&from).into(),
            before.into(),
            Some(actions.as_str()).filter(|_| !filter.actions.is_empty()).into(),
            (&filter.actor).into(),
            filter.application.as_ref().map(ApplicationId::as_str).into(),
            filter.connection.as_ref().map(ConnectionId::as_str).into(),
            (&filter.ip).into(),
            least.into(),
            most.into(),
            self.limit.into(),
            filter.user.as_ref().map(UserId::as_str).into(),
        ];
        match &filter.user {
            Some(_) => tx.all(LIST_OF_USER, &values, decode).await,
            None => tx.all(LIST, values.get(..11).unwrap_or_default(), decode).await,
        }
    }
}

/// One entry of the audit log of a pool.
#[derive(Clone, Debug)]
pub struct GetEvent(pub PoolId, pub EventId);

impl Read for GetEvent {
    type Out = Option<AuditEvent>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<AuditEvent>, StoreError> {
        tx.optional(GET, &[(&self.0).into(), self.1.as_str().into()], decode).await
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

/// What happened to an account and to what was merged into it, latest first.
pub async fn of_account(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    before: Option<&EventId>,
    limit: i64,
) -> Result<Vec<OwnEvent>, StoreError> {
    // Ids are hexadecimal, so that `z` sorts after all of them in every collation.
    let before = before.map_or("z", EventId::as_str);
    tx.all(LIST_OF_ACCOUNT, &[pool.into(), user.into(), before.into(), limit.into()], decode_own).await
}

/// Forgets the oldest entries of a pool.
#[derive(Clone, Debug)]
pub struct DeleteEvents {
    /// Of which pool.
    pub pool: PoolId,
    /// What was written before this.
    pub before: Timestamp,
    /// How many at most.
    pub limit: i64,
}

impl Write for DeleteEvents {
    /// How many.
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
