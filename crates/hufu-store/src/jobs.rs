//! Jobs: what is to be done in the background, by whichever node takes it first.
//!
//! A node takes a job by a lease. If it dies, another takes the job up once the lease is over; so a job may be done
//! twice, and its work has to bear that. Each taking raises `attempts`, and only who took a job last may end it.

use hufu_types::{JobId, PoolId, Timestamp};

use crate::{Row, StoreError, Tx, Write, statements};

statements! {
    ENQUEUE = "
        INSERT INTO jobs (id, kind, pool_id, payload, run_at, attempts) VALUES ($1, $2, $3, $4, $5, 0)";
    // Of two nodes that choose the same rows, the second waits for the first and then sees that they are taken.
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

/// A job to be done.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The id.
    pub id: JobId,
    /// What kind of work it is.
    pub kind: &'static str,
    /// Whose it is.
    pub pool: PoolId,
    /// What the kind wants to know.
    pub payload: Vec<u8>,
    /// Not before.
    pub run_at: Timestamp,
}

/// A job that a node has taken.
#[derive(Clone, Debug)]
pub struct Job {
    /// The id.
    pub id: JobId,
    /// What kind of work it is.
    pub kind: String,
    /// Whose it is.
    pub pool: PoolId,
    /// What the kind wants to know.
    pub payload: Vec<u8>,
    /// When it was due.
    pub run_at: Timestamp,
    /// How often it was taken, with this time.
    pub attempts: i64,
}

/// Puts a job into the queue, in the transaction of the deed that asks for it.
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

/// Takes jobs of one kind that are due and that nobody has, the longest due first.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The kind.
    pub kind: &'static str,
    /// Now.
    pub now: Timestamp,
    /// Until when nobody else takes them.
    pub until: Timestamp,
    /// Who takes them.
    pub node: String,
    /// How many at most.
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

/// What becomes of a job that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is done, or given up: it leaves the queue.
    Done,
    /// It is to be tried again, not before this.
    RetryAt(Timestamp),
    /// It was not tried: it waits until then, and this taking does not count.
    Postponed(Timestamp),
}

/// Ends a job that was taken; the answer is whether it was still one's own.
#[derive(Clone, Debug)]
pub struct EndJob {
    /// The job.
    pub id: JobId,
    /// What [`Job::attempts`] was.
    pub attempts: i64,
    /// What becomes of it.
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
