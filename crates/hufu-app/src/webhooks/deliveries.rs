//! Units of work for attempting and replaying deliveries.

use hufu_store::deliveries::{self, Attempt, DeliveryState, NewDelivery, PING};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::{DeliveryId, JobId, PoolId, Timestamp, WebhookId};
use serde_json::json;

/// Queues a test delivery without an event, to check that a webhook works.
#[derive(Clone, Debug)]
pub struct Ping {
    /// The pool.
    pub pool: PoolId,
    /// The webhook.
    pub webhook: WebhookId,
    /// The id of the delivery.
    pub id: DeliveryId,
    /// The current time.
    pub now: Timestamp,
}

impl Write for Ping {
    /// Whether the webhook exists.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        // There is no event in the audit log, so the delivery's id serves as the event's id.
        let body = json!({
            "id": self.id.as_str(),
            "type": PING,
            "time": self.now.to_iso(),
            "poolId": self.pool.as_str(),
            "data": {},
        })
        .to_string();
        let new = NewDelivery {
            pool: &self.pool,
            id: &self.id,
            webhook: &self.webhook,
            event: self.id.as_str(),
            action: PING,
            body: &body,
            now: self.now,
        };
        deliveries::insert_if_webhook(tx, &new).await
    }
}

/// Records the result of an attempt, and counts failed deliveries of the webhook.
#[derive(Clone, Debug)]
pub struct RecordAttempt {
    /// The pool.
    pub pool: PoolId,
    /// The delivery.
    pub id: DeliveryId,
    /// The result of the attempt.
    pub attempt: Attempt,
    /// The current time.
    pub now: Timestamp,
}

impl Write for RecordAttempt {
    /// The number of consecutive failed deliveries of the webhook.
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let attempt = &self.attempt;
        let webhook = deliveries::record(tx, &self.pool, &self.id, attempt, self.now).await?;
        let Some(webhook) = webhook else { return Ok(0) };
        match attempt.state {
            DeliveryState::Pending => Ok(0),
            DeliveryState::Delivered => {
                deliveries::record_success(tx, &self.pool, &webhook).await.map(|()| 0)
            }
            DeliveryState::Failed => deliveries::record_failure(tx, &self.pool, &webhook).await,
        }
    }
}

/// Replays a delivery that was delivered or has failed.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The pool.
    pub pool: PoolId,
    /// The delivery.
    pub id: DeliveryId,
    /// The id of the job.
    pub job: JobId,
    /// The current time.
    pub now: Timestamp,
}

/// The outcome of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// The delivery is queued.
    Queued,
    /// The delivery is already queued.
    Waiting,
    /// There is no such delivery.
    Unknown,
}

impl Write for Replay {
    type Out = Replayed;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Replayed, StoreError> {
        if !deliveries::lock(tx, &self.pool, &self.id).await? {
            return Ok(Replayed::Unknown);
        }
        if !deliveries::requeue(tx, &self.pool, &self.id, self.now).await? {
            return Ok(Replayed::Waiting);
        }
        deliveries::enqueue(tx, &self.pool, &self.id, self.job.clone(), self.now).await?;
        Ok(Replayed::Queued)
    }
}

/// Replays failed deliveries of a webhook, oldest first.
#[derive(Clone, Debug)]
pub struct ReplayFailed {
    /// The pool.
    pub pool: PoolId,
    /// The webhook.
    pub webhook: WebhookId,
    /// Only deliveries created at this time or later.
    pub since: Timestamp,
    /// The ids of the jobs. Their number limits how many deliveries are replayed.
    pub jobs: Vec<JobId>,
    /// The current time.
    pub now: Timestamp,
}

impl Write for ReplayFailed {
    /// How many deliveries are queued again.
    type Out = usize;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize, StoreError> {
        let limit = i64::try_from(self.jobs.len()).unwrap_or(i64::MAX);
        let (pool, webhook) = (&self.pool, &self.webhook);
        let ids = deliveries::requeue_failed(tx, pool, webhook, self.since, self.now, limit).await?;
        for (id, job) in ids.iter().zip(&self.jobs) {
            deliveries::enqueue(tx, &self.pool, id, job.clone(), self.now).await?;
        }
        Ok(ids.len())
    }
}
