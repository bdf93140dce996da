//! Deliveries: one event on its way to one webhook, with the job that sends it.

use hufu_types::{DeliveryId, EventId, JobId, PoolId, Timestamp, WebhookId};

use crate::jobs::{self, NewJob};
use crate::{Read, Row, StoreError, Tx, Value, statements};

statements! {
    INSERT = "
        INSERT INTO webhook_deliveries
            (pool_id, id, webhook_id, event_id, action, body, state, attempts, created_at, next_attempt_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $7)";
    INSERT_PING = "
        INSERT INTO webhook_deliveries
            (pool_id, id, webhook_id, event_id, action, body, state, attempts, created_at, next_attempt_at)
        SELECT $1, $2, $3, $4, $5, $6, 'pending', 0, $7, $7
        FROM webhooks WHERE pool_id = $1 AND id = $3";
    // The pool is compared in a way that serves no index: SQLite would take the primary key, and read those of all webhooks.
    LIST = "
        SELECT id, webhook_id, event_id, action, state, attempts, created_at, next_attempt_at, last_attempt_at,
               response_status, response, body
        FROM webhook_deliveries
        WHERE pool_id || '' = $1 AND webhook_id = $2 AND id < $3 AND (CAST($4 AS TEXT) IS NULL OR state = $4)
        ORDER BY id DESC LIMIT $5";
    LIST_FAILED = "
        SELECT id, webhook_id, event_id, action, state, attempts, created_at, next_attempt_at, last_attempt_at,
               response_status, response, body
        FROM webhook_deliveries
        WHERE pool_id || '' = $1 AND webhook_id = $2 AND id < $3 AND state = 'failed'
        ORDER BY id DESC LIMIT $4";
    GET = "
        SELECT id, webhook_id, event_id, action, state, attempts, created_at, next_attempt_at, last_attempt_at,
               response_status, response, body
        FROM webhook_deliveries WHERE pool_id = $1 AND id = $2";
    OUTGOING = "
        SELECT d.action, d.body, d.webhook_id, w.url, w.secret, w.previous_secret, w.previous_until, w.enabled
        FROM webhook_deliveries d
        LEFT JOIN webhooks w ON w.pool_id = d.pool_id AND w.id = d.webhook_id
        WHERE d.pool_id = $1 AND d.id = $2 AND d.state = 'pending'";
    RECORD = "
        UPDATE webhook_deliveries
        SET state = $3, attempts = attempts + $4, next_attempt_at = $5, last_attempt_at = $6, response_status = $7,
            response = $8
        WHERE pool_id = $1 AND id = $2 AND state = 'pending'
        RETURNING webhook_id";
    ARRIVED = "UPDATE webhooks SET failures = 0 WHERE pool_id = $1 AND id = $2 AND failures > 0";
    GIVEN_UP = "UPDATE webhooks SET failures = failures + 1 WHERE pool_id = $1 AND id = $2 RETURNING failures";
    LOCK = "UPDATE webhook_deliveries SET state = state WHERE pool_id = $1 AND id = $2 RETURNING state";
    AGAIN = "
        UPDATE webhook_deliveries SET state = 'pending', next_attempt_at = $3
        WHERE pool_id = $1 AND id = $2 AND state <> 'pending'";
    FAILED_AGAIN = "
        UPDATE webhook_deliveries SET state = 'pending', next_attempt_at = $4
        WHERE pool_id = $1 AND state = 'failed' AND id IN (
            SELECT id FROM webhook_deliveries
            WHERE pool_id || '' = $1 AND webhook_id = $2 AND id >= $3 AND state = 'failed'
            ORDER BY id LIMIT $5)
        RETURNING id";
    SWEEP = "
        DELETE FROM webhook_deliveries
        WHERE (pool_id, id) IN (
            SELECT pool_id, id FROM webhook_deliveries
            WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
}

/// The kind of the jobs that deliver webhooks; the payload is the delivery's id.
pub const WEBHOOK_JOB: &str = "webhook";

/// What a delivery is called by that was asked for to see whether a webhook works.
pub const PING: &str = "ping";

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits for its next attempt.
    Pending,
    /// The receiver has taken it.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// The name in the table and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|state| state.as_str() == text)
    }
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The id, which receivers tell duplicates apart by.
    pub id: DeliveryId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Of which event.
    pub event: EventId,
    /// What happened: the name of an action, or [`PING`].
    pub action: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was sent.
    pub attempts: i64,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it is tried next.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// The HTTP status that the receiver last answered with.
    pub response_status: Option<i64>,
    /// The beginning of the receiver's answer, or what went wrong.
    pub response: Option<String>,
    /// What is sent: JSON.
    pub body: String,
}

/// The deliveries to a webhook, newest first.
#[derive(Clone, Debug)]
pub struct ListDeliveries {
    /// Of which pool.
    pub pool: PoolId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Only those.
    pub state: Option<DeliveryState>,
    /// Only those before this one.
    pub before: Option<DeliveryId>,
    /// How many at most.
    pub limit: i64,
}

impl Read for ListDeliveries {
    type Out = Vec<Delivery>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Delivery>, StoreError> {
        let before = self.before.as_ref().map_or(AFTER_ALL_IDS, DeliveryId::as_str);
        let (pool, webhook) = ((&self.pool).into(), self.webhook.as_str().into());
        if self.state == Some(DeliveryState::Failed) {
            return tx.all(LIST_FAILED, &[pool, webhook, before.into(), self.limit.into()], decode).await;
        }
        let state = self.state.map(DeliveryState::as_str).into();
        tx.all(LIST, &[pool, webhook, before.into(), state, self.limit.into()], decode).await
    }
}

/// Sorts after every id that Hufu makes: those are hexadecimal.
pub(crate) const AFTER_ALL_IDS: &str = "g";

/// The smallest id that Hufu makes at this time.
pub(crate) fn first_id_at(time: Timestamp) -> String {
    format!("{:012x}{:012x}", time.0.clamp(0, (1 << 48) - 1), 0)
}

/// One delivery.
#[derive(Clone, Debug)]
pub struct GetDelivery(pub PoolId, pub DeliveryId);

impl Read for GetDelivery {
    type Out = Option<Delivery>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Delivery>, StoreError> {
        tx.optional(GET, &[(&self.0).into(), self.1.as_str().into()], decode).await
    }
}

/// What is to be sent, and where.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What happened: the name of an action, or [`PING`].
    pub action: String,
    /// The body.
    pub body: String,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Where to; nowhere, where the webhook was deleted.
    pub to: Option<Destination>,
}

/// Where a delivery goes.
#[derive(Clone)]
pub struct Destination {
    /// The address.
    pub url: String,
    /// The secret, sealed.
    pub secret: Vec<u8>,
    /// The secret before, sealed, and until when it signs as well.
    pub previous: Option<(Vec<u8>, Timestamp)>,
    /// Whether the webhook is switched on.
    pub enabled: bool,
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Destination(redacted)")
    }
}

/// Reads what is to be sent; nothing, where the delivery does not wait.
#[derive(Clone, Debug)]
pub struct ReadOutgoing(pub PoolId, pub DeliveryId);

impl Read for ReadOutgoing {
    type Out = Option<Outgoing>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Outgoing>, StoreError> {
        tx.optional(OUTGOING, &[(&self.0).into(), self.1.as_str().into()], decode_outgoing).await
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whether anything was sent, or could have been.
    pub sent: bool,
    /// How far the delivery is with it.
    pub state: DeliveryState,
    /// When it is tried next.
    pub next: Option<Timestamp>,
    /// The HTTP status of the answer.
    pub status: Option<i64>,
    /// The beginning of the answer, or what went wrong. PostgreSQL takes no NUL in it.
    pub response: String,
}

/// A delivery to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewDelivery<'a> {
    /// Of which pool.
    pub pool: &'a PoolId,
    /// The id, which is its job's as well.
    pub id: &'a DeliveryId,
    /// To which webhook.
    pub webhook: &'a WebhookId,
    /// Of which event; a ping, which is no event, lends the delivery's id.
    pub event: &'a str,
    /// What happened: the name of an action, or [`PING`].
    pub action: &'a str,
    /// What is sent: JSON.
    pub body: &'a str,
    /// Now.
    pub now: Timestamp,
}

impl NewDelivery<'_> {
    fn values(&self) -> [Value<'_>; 7] {
        [
            self.pool.into(),
            self.id.as_str().into(),
            self.webhook.as_str().into(),
            self.event.into(),
            self.action.into(),
            self.body.into(),
            self.now.into(),
        ]
    }
}

/// Writes a delivery and queues its job.
pub async fn insert(tx: &mut Tx<'_>, new: &NewDelivery<'_>) -> Result<(), StoreError> {
    tx.execute(INSERT, &new.values()).await?;
    enqueue(tx, new.pool, new.id, JobId::parse(new.id.as_str())?, new.now).await
}

/// Writes a delivery and queues its job, if there is such a webhook; whether that is so.
pub async fn insert_if_webhook(tx: &mut Tx<'_>, new: &NewDelivery<'_>) -> Result<bool, StoreError> {
    if tx.execute(INSERT_PING, &new.values()).await? == 0 {
        return Ok(false);
    }
    enqueue(tx, new.pool, new.id, JobId::parse(new.id.as_str())?, new.now).await?;
    Ok(true)
}

/// Keeps what came of an attempt at a delivery that waits; to which webhook it goes.
pub async fn record(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &DeliveryId,
    attempt: &Attempt,
    now: Timestamp,
) -> Result<Option<WebhookId>, StoreError> {
    let Attempt { sent, state, next, status, response } = attempt;
    let values = [
        pool.into(),
        id.as_str().into(),
        state.as_str().into(),
        i64::from(*sent).into(),
        (*next).into(),
        now.into(),
        (*status).into(),
        response.into(),
    ];
    let webhook = tx.optional(RECORD, &values, |row| row.get::<String>(0)).await?;
    Ok(webhook.map(|id| WebhookId::parse(&id)).transpose()?)
}

/// Forgets what a webhook did not take.
pub async fn record_success(tx: &mut Tx<'_>, pool: &PoolId, webhook: &WebhookId) -> Result<(), StoreError> {
    tx.execute(ARRIVED, &[pool.into(), webhook.as_str().into()]).await.map(drop)
}

/// Counts a delivery that a webhook did not take; how many it did not, one after another.
pub async fn record_failure(tx: &mut Tx<'_>, pool: &PoolId, webhook: &WebhookId) -> Result<i64, StoreError> {
    let failures = tx.optional(GIVEN_UP, &[pool.into(), webhook.as_str().into()], |row| row.get(0)).await?;
    Ok(failures.unwrap_or_default())
}

/// Locks a delivery until the unit ends; whether there is one.
pub async fn lock(tx: &mut Tx<'_>, pool: &PoolId, id: &DeliveryId) -> Result<bool, StoreError> {
    Ok(tx.optional(LOCK, &[pool.into(), id.as_str().into()], |_| Ok(())).await?.is_some())
}

/// Lets a delivery wait again that arrived or was given up; whether it had.
pub async fn requeue(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &DeliveryId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.execute(AGAIN, &[pool.into(), id.as_str().into(), now.into()]).await? != 0)
}

/// Lets deliveries to a webhook wait again that were given up since then, the oldest first; which.
pub async fn requeue_failed(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    webhook: &WebhookId,
    since: Timestamp,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<DeliveryId>, StoreError> {
    let since = first_id_at(since);
    let values = [pool.into(), webhook.as_str().into(), (&since).into(), now.into(), limit.into()];
    tx.all(FAILED_AGAIN, &values, |row| Ok(DeliveryId::parse(&row.get::<String>(0)?)?)).await
}

/// Queues the job that sends a delivery.
pub async fn enqueue(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    delivery: &DeliveryId,
    job: JobId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let payload = delivery.as_str().as_bytes().to_vec();
    jobs::enqueue(tx, &NewJob { id: job, kind: WEBHOOK_JOB, pool: pool.clone(), payload, run_at: now }).await
}

/// Forgets deliveries that were written before this, at most so many.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[before.into(), limit.into()]).await
}

fn decode(row: &Row<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId::parse(&row.get::<String>(0)?)?,
        webhook: WebhookId::parse(&row.get::<String>(1)?)?,
        event: EventId::parse(&row.get::<String>(2)?)?,
        action: row.get(3)?,
        state: DeliveryState::parse(&row.get::<String>(4)?).ok_or(StoreError::Corrupt { column: "state" })?,
        attempts: row.get(5)?,
        created_at: Timestamp(row.get(6)?),
        next_attempt_at: row.get::<Option<i64>>(7)?.map(Timestamp),
        last_attempt_at: row.get::<Option<i64>>(8)?.map(Timestamp),
        response_status: row.get(9)?,
        response: row.get(10)?,
        body: row.get(11)?,
    })
}

fn decode_outgoing(row: &Row<'_>) -> Result<Outgoing, StoreError> {
    let to = match (row.get::<Option<String>>(3)?, row.get(4)?, row.get(7)?) {
        (Some(url), Some(secret), Some(enabled)) => {
            let previous = row.get::<Option<Vec<u8>>>(5)?.zip(row.get::<Option<i64>>(6)?.map(Timestamp));
            Some(Destination { url, secret, previous, enabled })
        }
        _ => None,
    };
    Ok(Outgoing {
        action: row.get(0)?,
        body: row.get(1)?,
        webhook: WebhookId::parse(&row.get::<String>(2)?)?,
        to,
    })
}
