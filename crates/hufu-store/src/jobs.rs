//! Background jobs, each done by the first node that claims it.
//!
//! Claiming a job takes a lease on it. If a node dies, another node claims the job after the lease has
//! expired. A job may therefore be run twice, and its work must tolerate that. Each claim increments
//! `attempts`, and only the node that claimed a job last can end it.

use hufu_types::{JobId, PoolId, Timestamp};

use crate::{Row, StoreError, Tx, Write, statements};

statements! {
    ENQUEUE = "
        INSERT INTO jobs (id, kind, pool_id, payload, run_at, attempts) VALUES ($1, $2, $3, $4, $5, 0)";
    // If two nodes select the same rows, the second one waits for the first and then sees that they are
    // taken.
    CLAIM = "
        UPDATE jobs SET locked_until = $3, locked_by = $4, attempts = attempts + 1
        WHERE id IN (
            SELECT id FROM jobs
            WHERE kind = $1 AND run_at <= $2 AND (locked_until IS NULL OR locked_until < $2)
            ORDER BY run_at LIMIT $5)
          AND (locked_until IS NULL OR locked_until < $2)
        RETURNING id, kind, pool_id, payload, run_at, attempts";
    DONE = "DELETE FROM jobs WHERE id = $1 AND attempts = $2";
    RETRY_AT = "
        UPDATE jobs SET run_at = $3, locked_until = NULL, locked_by = NULL WHERE id = $1 AND attempts = $2";
    PUT_OFF = "
        UPDATE jobs SET run_at = $3, locked_until = NULL, locked_by = NULL, attempts = attempts - 1
        WHERE id = $1 AND attempts = $2";
}

/// A job to enqueue.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The id.
    pub id: JobId,
    /// The kind of work.
    pub kind: &'static str,
    /// The pool it belongs to.
    pub pool: PoolId,
    /// Input in a format defined by the kind.
    pub payload: Vec<u8>,
    /// The earliest time to run it.
    pub run_at: Timestamp,
}

/// A claimed job.
#[derive(Clone, Debug)]
pub struct Job {
    /// The id.
    pub id: JobId,
    /// The kind of work.
    pub kind: String,
    /// The pool it belongs to.
    pub pool: PoolId,
    /// Input in a format defined by the kind.
    pub payload: Vec<u8>,
    /// When it was due.
    pub run_at: Timestamp,
    /// How often it has been claimed, including this time.
    pub attempts: i64,
}

/// Enqueues a job, in the transaction of the operation that requires it.
pub async fn enqueue(tx: &mut Tx<'_>, job: &NewJob) -> Result<(), StoreError> {
    let values = [
        job.id.as_str().into(),
        job.kind.into(),
        (&job.pool).into(),
        (&job.payload).into(),
        job.run_at.into(),
    ];
    tx.execute(ENQUEUE, &values).await.map(drop)
}

/// Claims jobs of one kind that are due and unclaimed. Those due longest come first.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The kind.
    pub kind: &'static str,
    /// The current time.
    pub now: Timestamp,
    /// When the lease expires.
    pub until: Timestamp,
    /// The node that claims them.
    pub node: String,
    /// The maximum number of jobs.
    pub limit: i64,
}

impl Write for Claim {
    type Out = Vec<Job>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Job>, StoreError> {
        let values =
            [self.kind.into(), self.now.into(), self.until.into(), (&self.node).into(), self.limit.into()];
        let mut jobs = tx.all(CLAIM, &values, decode).await?;
        jobs.sort_by(|a, b| (a.run_at, &a.id).cmp(&(b.run_at, &b.id)));
        Ok(jobs)
    }
}

/// How a claimed job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Done or given up: it is removed from the queue.
    Done,
    /// To be retried, not before this time.
    RetryAt(Timestamp),
    /// Not attempted: it waits until this time, and the claim is not counted.
    Postponed(Timestamp),
}

/// Ends a claimed job. Returns whether the claim was still in effect.
#[derive(Clone, Debug)]
pub struct EndJob {
    /// The job.
    pub id: JobId,
    /// [`Job::attempts`] of the claim.
    pub attempts: i64,
    /// How it ends.
    pub end: End,
}

impl Write for EndJob {
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let (id, attempts) = (self.id.as_str().into(), self.attempts.into());
        let affected = match self.end {
            End::Done => tx.execute(DONE, &[id, attempts]).await?,
            End::RetryAt(at) => tx.execute(RETRY_AT, &[id, attempts, at.into()]).await?,
            End::Postponed(at) => tx.execute(PUT_OFF, &[id, attempts, at.into()]).await?,
        };
        Ok(affected == 1)
    }
}

fn decode(row: &Row<'_>) -> Result<Job, StoreError> {
    Ok(Job {
        id: JobId::parse(&row.get::<String>(0)?)?,
        kind: row.get(1)?,
        pool: crate::config::pool_id(row, 2)?,
        payload: row.get(3)?,
        run_at: Timestamp(row.get(4)?),
        attempts: row.get(5)?,
    })
}
