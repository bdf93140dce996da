//! Messages that WeChat pushed to official accounts, and how far each has been passed on to the owner's server.

use hufu_types::{ConnectionId, JobId, PoolId, PushedMessageId, Timestamp, TokenHash};

use crate::deliveries::{AFTER_ALL_IDS, Attempt, DeliveryState};
use crate::jobs::{self, NewJob};
use crate::wechat_signatures::Signature;
use crate::{Read, Row, StoreError, Tx, Value, Write, statements, wechat_signatures};

statements! {
    // Nobody has to be told of it, so it has no place in a line.
    KEEP = "
        INSERT INTO wechat_messages
            (pool_id, id, connection_id, key_hash, follower, kind, state, attempts, sent_at, received_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'kept', 0, $7, $8)
        ON CONFLICT DO NOTHING";
    INSERT = "
        INSERT INTO wechat_messages
            (pool_id, id, connection_id, key_hash, follower, kind, state, attempts, sent_at, received_at, body,
             next_attempt_at, arrival)
        VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $8, $9, $8, (
            SELECT COALESCE(MAX(arrival), 0) + 1 FROM wechat_messages
            WHERE pool_id = $1 AND connection_id = $3 AND follower = $5 AND state = 'pending'))
        ON CONFLICT DO NOTHING";
    SEEN = "
        SELECT received_at FROM wechat_messages
        WHERE pool_id = $1 AND connection_id = $2 AND key_hash = $3";
    // Two nodes that take from one line wait for one another: each could see another message as the oldest.
    LOCK = "
        UPDATE wechat_messages SET state = state
        WHERE pool_id = $1 AND id = (
            SELECT MIN(id) FROM wechat_messages
            WHERE pool_id = $1 AND connection_id = $2 AND follower = $3 AND state = 'pending')";
    // One that is under way comes first, even if an older one has arrived meanwhile.
    NEXT = "
        SELECT id, body, attempts, next_attempt_at, sending_until
        FROM wechat_messages
        WHERE pool_id = $1 AND connection_id = $2 AND follower = $3 AND state = 'pending'
        ORDER BY (sending_until IS NULL), sent_at, arrival, id LIMIT 1";
    // Counted before it is sent: an attempt whose node dies is one as well.
    TAKE = "
        UPDATE wechat_messages SET sending_until = $4, attempts = attempts + 1
        WHERE pool_id = $1 AND id = $2 AND state = 'pending' AND (sending_until IS NULL OR sending_until <= $3)";
    RECORD = "
        UPDATE wechat_messages
        SET state = $3, attempts = attempts - $4, next_attempt_at = $5, last_attempt_at = $6, response_status = $7,
            response = $8, body = CASE WHEN CAST($5 AS BIGINT) IS NULL THEN NULL ELSE body END, sending_until = NULL
        WHERE pool_id = $1 AND id = $2 AND state = 'pending'";
    LOG = "
        SELECT id, kind, state, attempts, received_at, next_attempt_at, last_attempt_at, response_status, response
        FROM wechat_messages
        WHERE pool_id = $1 AND connection_id = $2 AND id < $3 AND state <> 'kept'
          AND (CAST($4 AS TEXT) IS NULL OR state = $4)
        ORDER BY id DESC LIMIT $5";
    SWEEP = "
        DELETE FROM wechat_messages
        WHERE (pool_id, id) IN (
            SELECT pool_id, id FROM wechat_messages
            WHERE received_at < $1 ORDER BY received_at LIMIT $2)";
}

/// The kind of the jobs that pass messages on. The payload says whose: [`Line`].
pub const RELAY_JOB: &str = "wechat_relay";

/// The messages of one follower of one account, which are passed on one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The connection.
    pub connection: ConnectionId,
    /// The keyed hash of the follower's openid.
    pub follower: TokenHash,
}

impl Line {
    fn to_payload(&self) -> Vec<u8> {
        [self.follower.as_bytes(), self.connection.as_str().as_bytes()].concat()
    }

    /// Reads the payload of a job.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (follower, connection) = payload.split_first_chunk::<32>()?;
        let connection = ConnectionId::parse(std::str::from_utf8(connection).ok()?).ok()?;
        Some(Self { connection, follower: TokenHash(*follower) })
    }
}

/// A message to store. `Debug` does not show what is sealed.
#[derive(Clone)]
pub struct NewMessage {
    /// The id, which is also that of the job that passes it on.
    pub id: PushedMessageId,
    /// The account and the follower.
    pub line: Line,
    /// The keyed hash of what all pushes of the message have in common.
    pub key: TokenHash,
    /// The keyed hash of the signature of this push, if it has one.
    pub signature: Option<TokenHash>,
    /// Whether the signature covers the message. One that does not is good for one message alone.
    pub is_covered: bool,
    /// The event's name, or the type of the message.
    pub kind: String,
    /// The message, sealed, if it has to be passed on.
    pub body: Option<Vec<u8>>,
    /// WeChat's time of it.
    pub sent_at: Timestamp,
    /// When it arrived.
    pub received_at: Timestamp,
}

impl std::fmt::Debug for NewMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewMessage").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What a push turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message that was not here before. It is stored.
    First,
    /// Another push of a message that arrived at this time.
    Again(Timestamp),
    /// The signature of a push that brought another message, or of WeChat's check of the address.
    Forged,
}

/// Stores a message, and queues it to be passed on if it has a body.
pub async fn receive(tx: &mut Tx<'_>, pool: &PoolId, new: &NewMessage) -> Result<Received, StoreError> {
    if let Some(signature) = &new.signature {
        let connection = &new.line.connection;
        let key = Some(&new.key);
        match wechat_signatures::record(tx, pool, connection, signature, key, new.received_at).await? {
            Signature::Again(first) => return Ok(Received::Again(first)),
            Signature::OfAnother if !new.is_covered => return Ok(Received::Forged),
            Signature::First | Signature::OfAnother => {}
        }
    }
    let mut values = vec![
        pool.into(),
        new.id.as_str().into(),
        (&new.line.connection).into(),
        (&new.key).into(),
        (&new.line.follower).into(),
        (&new.kind).into(),
        new.sent_at.into(),
        new.received_at.into(),
    ];
    let is_relayed = new.body.is_some();
    values.extend(new.body.as_deref().map(Value::from));
    if tx.execute(if is_relayed { INSERT } else { KEEP }, &values).await? == 0 {
        // Whoever stored it at the same moment did so just now.
        let first = seen_at(tx, pool, new).await?.unwrap_or(new.received_at);
        return Ok(Received::Again(first));
    }
    if is_relayed {
        let job = NewJob {
            id: JobId::parse(new.id.as_str())?,
            kind: RELAY_JOB,
            pool: pool.clone(),
            payload: new.line.to_payload(),
            run_at: new.received_at,
        };
        jobs::enqueue(tx, &job).await?;
    }
    Ok(Received::First)
}

/// When another push of the message arrived.
async fn seen_at(tx: &mut Tx<'_>, pool: &PoolId, new: &NewMessage) -> Result<Option<Timestamp>, StoreError> {
    let values = [pool.into(), (&new.line.connection).into(), (&new.key).into()];
    tx.optional(SEEN, &values, |row| Ok(Timestamp(row.get(0)?))).await
}

/// Takes the oldest message of a line that has not been passed on.
#[derive(Clone, Debug)]
pub struct TakeNext {
    /// The pool.
    pub pool: PoolId,
    /// The line.
    pub line: Line,
    /// The current time.
    pub now: Timestamp,
    /// Until when no other node takes it.
    pub until: Timestamp,
}

/// What there is to pass on.
#[derive(Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// Not before this time: it waits after a failure, or another node is sending it.
    NotBefore(Timestamp),
    /// This message.
    Message {
        /// The id.
        id: PushedMessageId,
        /// The message, sealed.
        body: Vec<u8>,
        /// How often it has been sent, with this time.
        attempts: i64,
    },
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::NotBefore(at) => write!(f, "NotBefore({at:?})"),
            Self::Message { id, .. } => write!(f, "Message({id})"),
        }
    }
}

impl Write for TakeNext {
    type Out = Next;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Next, StoreError> {
        type Oldest = (String, Option<Vec<u8>>, i64, Option<i64>, Option<i64>);
        let Line { connection, follower } = &self.line;
        let values = [(&self.pool).into(), connection.into(), follower.into()];
        tx.execute(LOCK, &values).await?;
        let decode = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
        let oldest: Option<Oldest> = tx.optional(NEXT, &values, decode).await?;
        let Some((id, body, attempts, next_attempt_at, sending_until)) = oldest else {
            return Ok(Next::Nothing);
        };
        let wait = [next_attempt_at, sending_until].into_iter().flatten().map(Timestamp).max();
        if let Some(wait) = wait.filter(|wait| *wait > self.now) {
            return Ok(Next::NotBefore(wait));
        }
        let values = [(&self.pool).into(), (&id).into(), self.now.into(), self.until.into()];
        if tx.execute(TAKE, &values).await? == 0 {
            return Ok(Next::NotBefore(self.until));
        }
        let body = body.ok_or(StoreError::Corrupt { column: "wechat_messages.body" })?;
        Ok(Next::Message { id: PushedMessageId::parse(&id)?, body, attempts: attempts + 1 })
    }
}

/// Records the outcome of an attempt.
#[derive(Clone, Debug)]
pub struct RecordRelay {
    /// The pool.
    pub pool: PoolId,
    /// The message.
    pub id: PushedMessageId,
    /// The outcome. The body of a message that is not sent again is forgotten.
    pub attempt: Attempt,
    /// The current time.
    pub now: Timestamp,
}

impl Write for RecordRelay {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Attempt { sent, state, next, status, response } = &self.attempt;
        let values = [
            (&self.pool).into(),
            self.id.as_str().into(),
            state.as_str().into(),
            // It was counted when it was taken.
            i64::from(!*sent).into(),
            (*next).into(),
            self.now.into(),
            (*status).into(),
            response.into(),
        ];
        tx.execute(RECORD, &values).await.map(drop)
    }
}

/// How far a message has been passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// The message.
    pub id: PushedMessageId,
    /// The event's name, or the type of the message.
    pub kind: String,
    /// The state.
    pub state: DeliveryState,
    /// How often it has been sent.
    pub attempts: i64,
    /// When it arrived.
    pub received_at: Timestamp,
    /// When the next attempt is due.
    pub next_attempt_at: Option<Timestamp>,
    /// When the last attempt was made.
    pub last_attempt_at: Option<Timestamp>,
    /// The HTTP status of the server's last response.
    pub response_status: Option<i64>,
    /// The beginning of the response, or what went wrong.
    pub response: Option<String>,
}

/// The messages of a connection that were or are to be passed on, newest first.
#[derive(Clone, Debug)]
pub struct ListRelayed {
    /// The pool.
    pub pool: PoolId,
    /// The connection.
    pub connection: ConnectionId,
    /// Only messages in this state.
    pub state: Option<DeliveryState>,
    /// Only messages before this one.
    pub before: Option<PushedMessageId>,
    /// The maximum number of messages.
    pub limit: i64,
}

impl Read for ListRelayed {
    type Out = Vec<Relayed>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Relayed>, StoreError> {
        let before = self.before.as_ref().map_or(AFTER_ALL_IDS, PushedMessageId::as_str);
        let values = [
            (&self.pool).into(),
            (&self.connection).into(),
            before.into(),
            self.state.map(DeliveryState::as_str).into(),
            self.limit.into(),
        ];
        tx.all(LOG, &values, decode).await
    }
}

/// Deletes at most `limit` messages that arrived before this time.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[before.into(), limit.into()]).await
}

fn decode(row: &Row<'_>) -> Result<Relayed, StoreError> {
    Ok(Relayed {
        id: PushedMessageId::parse(&row.get::<String>(0)?)?,
        kind: row.get(1)?,
        state: DeliveryState::parse(&row.get::<String>(2)?).ok_or(StoreError::Corrupt { column: "state" })?,
        attempts: row.get(3)?,
        received_at: Timestamp(row.get(4)?),
        next_attempt_at: row.get::<Option<i64>>(5)?.map(Timestamp),
        last_attempt_at: row.get::<Option<i64>>(6)?.map(Timestamp),
        response_status: row.get(7)?,
        response: row.get(8)?,
    })
}
