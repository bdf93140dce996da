//! The units of sending deliveries, and of sending them again.

use hufu_store::deliveries::{self, Attempt, DeliveryState, NewDelivery, PING};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::{DeliveryId, JobId, PoolId, Timestamp, WebhookId};
use serde_json::json;

/// Queues a delivery that tells nothing, to see whether a webhook works.
#[derive(Clone, Debug)]
pub struct Ping {
    /// Of which pool.
    pub pool: PoolId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// The id of the delivery.
    pub id: DeliveryId,
    /// Now.
    pub now: Timestamp,
}

impl Write for Ping {
    /// Whether there is such a webhook.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        // It is no event of the audit log, so that it lends the delivery's id.
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

/// Keeps what came of an attempt, and counts what a webhook does not take.
#[derive(Clone, Debug)]
pub struct RecordAttempt {
    /// Of which pool.
    pub pool: PoolId,
    /// Of which delivery.
    pub id: DeliveryId,
    /// What came of it.
    pub attempt: Attempt,
    /// Now.
    pub now: Timestamp,
}

impl Write for RecordAttempt {
    /// Deliveries that the webhook did not take, one after another.
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

/// Sends a delivery again that arrived or was given up.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Of which pool.
    pub pool: PoolId,
    /// Which.
    pub id: DeliveryId,
    /// The id of the job.
    pub job: JobId,
    /// Now.
    pub now: Timestamp,
}

/// What became of sending a delivery again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It is on its way.
    Queued,
    /// It is on its way already.
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

/// Sends deliveries to a webhook again that were given up, the oldest first.
#[derive(Clone, Debug)]
pub struct ReplayFailed {
    /// Of which pool.
    pub pool: PoolId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Only those written then or later.
    pub since: Timestamp,
    /// The ids of the jobs: as many deliveries at most.
    pub jobs: Vec<JobId>,
    /// Now.
    pub now: Timestamp,
}

impl Write for ReplayFailed {
    /// How many are on their way again.
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
