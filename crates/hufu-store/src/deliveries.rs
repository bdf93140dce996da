//! Deliveries of events to webhooks, and the jobs that send them.

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
    // The comparison with the pool is written so that it cannot use an index. Otherwise SQLite would choose
    // the primary key and read the deliveries of all webhooks.
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

/// The kind of the jobs that send deliveries. The payload is the delivery's id.
pub const WEBHOOK_JOB: &str = "webhook";

/// The action name of a test delivery, which an administrator requests to check that a webhook works.
pub const PING: &str = "ping";

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waiting for its next attempt.
    Pending,
    /// Accepted by the receiver.
    Delivered,
    /// Given up.
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

    /// Parses the name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|state| state.as_str() == text)
    }
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The id, which lets receivers detect duplicates.
    pub id: DeliveryId,
    /// The webhook.
    pub webhook: WebhookId,
    /// The event.
    pub event: EventId,
    /// What happened: the name of an action, or [`PING`].
    pub action: String,
    /// The state.
    pub state: DeliveryState,
    /// How many times it has been sent.
    pub attempts: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the next attempt is due.
    pub next_attempt_at: Option<Timestamp>,
    /// When the last attempt was made.
    pub last_attempt_at: Option<Timestamp>,
    /// The HTTP status of the receiver's last response.
    pub response_status: Option<i64>,
    /// The beginning of the receiver's response, or what went wrong.
    pub response: Option<String>,
    /// The body to send, as JSON.
    pub body: String,
}

/// The deliveries to a webhook, newest first.
#[derive(Clone, Debug)]
pub struct ListDeliveries {
    /// The pool.
    pub pool: PoolId,
    /// The webhook.
    pub webhook: WebhookId,
    /// Only deliveries in this state.
    pub state: Option<DeliveryState>,
    /// Only deliveries before this one.
    pub before: Option<DeliveryId>,
    /// The maximum number of deliveries.
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

/// Sorts after every id that Hufu generates, because those are hexadecimal.
pub(crate) const AFTER_ALL_IDS: &str = "g";

/// The smallest id that Hufu can generate at this time.
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

/// A delivery that is ready to be sent, with its destination.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What happened: the name of an action, or [`PING`].
    pub action: String,
    /// The body.
    pub body: String,
    /// The webhook.
    pub webhook: WebhookId,
    /// The destination; `None` if the webhook was deleted.
    pub to: Option<Destination>,
}

/// The destination of a delivery.
#[derive(Clone)]
pub struct Destination {
    /// The URL.
    pub url: String,
    /// The current signing secret, sealed.
    pub secret: Vec<u8>,
    /// The previous signing secret, sealed, and until when it also signs.
    pub previous: Option<(Vec<u8>, Timestamp)>,
    /// Whether the webhook is enabled.
    pub enabled: bool,
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Destination(redacted)")
    }
}

/// Reads what to send. Returns `None` if the delivery is not pending.
#[derive(Clone, Debug)]
pub struct ReadOutgoing(pub PoolId, pub DeliveryId);

impl Read for ReadOutgoing {
    type Out = Option<Outgoing>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Outgoing>, StoreError> {
        tx.optional(OUTGOING, &[(&self.0).into(), self.1.as_str().into()], decode_outgoing).await
    }
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whether the attempt counts: something was sent, or could have been.
    pub sent: bool,
    /// The resulting state of the delivery.
    pub state: DeliveryState,
    /// When the next attempt is due.
    pub next: Option<Timestamp>,
    /// The HTTP status of the response.
    pub status: Option<i64>,
    /// The beginning of the response, or what went wrong. Must not contain NUL characters, which PostgreSQL
    /// rejects.
    pub response: String,
}

/// A delivery to insert.
#[derive(Clone, Copy, Debug)]
pub struct NewDelivery<'a> {
    /// The pool.
    pub pool: &'a PoolId,
    /// The id, which is also the id of its job.
    pub id: &'a DeliveryId,
    /// The webhook.
    pub webhook: &'a WebhookId,
    /// The event. A ping has no event and uses the id of the delivery.
    pub event: &'a str,
    /// What happened: the name of an action, or [`PING`].
    pub action: &'a str,
    /// The body to send, as JSON.
    pub body: &'a str,
    /// The current time.
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

/// Inserts a delivery and enqueues its job.
pub async fn insert(tx: &mut Tx<'_>, new: &NewDelivery<'_>) -> Result<(), StoreError> {
    tx.execute(INSERT, &new.values()).await?;
    enqueue(tx, new.pool, new.id, JobId::parse(new.id.as_str())?, new.now).await
}

/// Inserts a delivery and enqueues its job if the webhook exists. Returns whether it does.
pub async fn insert_if_webhook(tx: &mut Tx<'_>, new: &NewDelivery<'_>) -> Result<bool, StoreError> {
    if tx.execute(INSERT_PING, &new.values()).await? == 0 {
        return Ok(false);
    }
    enqueue(tx, new.pool, new.id, JobId::parse(new.id.as_str())?, new.now).await?;
    Ok(true)
}

/// Records the outcome of an attempt if the delivery is pending. Returns the webhook.
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

/// Resets a webhook's count of consecutive failures.
pub async fn record_success(tx: &mut Tx<'_>, pool: &PoolId, webhook: &WebhookId) -> Result<(), StoreError> {
    tx.execute(ARRIVED, &[pool.into(), webhook.as_str().into()]).await.map(drop)
}

/// Increments a webhook's count of consecutive failures. Returns the new count.
pub async fn record_failure(tx: &mut Tx<'_>, pool: &PoolId, webhook: &WebhookId) -> Result<i64, StoreError> {
    let failures = tx.optional(GIVEN_UP, &[pool.into(), webhook.as_str().into()], |row| row.get(0)).await?;
    Ok(failures.unwrap_or_default())
}

/// Locks a delivery until the unit ends. Returns whether it exists.
pub async fn lock(tx: &mut Tx<'_>, pool: &PoolId, id: &DeliveryId) -> Result<bool, StoreError> {
    Ok(tx.optional(LOCK, &[pool.into(), id.as_str().into()], |_| Ok(())).await?.is_some())
}

/// Makes a delivered or failed delivery pending again. Returns whether it was one of those.
pub async fn requeue(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &DeliveryId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.execute(AGAIN, &[pool.into(), id.as_str().into(), now.into()]).await? != 0)
}

/// Makes a webhook's failed deliveries since then pending again, oldest first. Returns their ids.
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

/// Enqueues the job that sends a delivery.
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

/// Deletes at most `limit` deliveries created before this time.
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
