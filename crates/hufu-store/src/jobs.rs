//! Jobs: what is to be done in the background, by whichever node takes it first.

use hufu_types::{JobId, PoolId, Timestamp};

use crate::{StoreError, Tx, statements};

statements! {
    ENQUEUE = "
        INSERT INTO jobs (id, kind, pool_id, payload, run_at, attempts) VALUES ($1, $2, $3, $4, $5, 0)";
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

/// Puts a job into the queue, in the transaction of the deed that asks for it.
pub async fn enqueue(tx: &mut Tx<'_>, job: &NewJob) -> Result<(), StoreError> {
    let values =
        [job.id.as_str().into(), job.kind.into(), (&job.pool).into(), (&job.payload).into(), job.run_at.into()];
    tx.execute(ENQUEUE, &values).await.map(drop)
}
