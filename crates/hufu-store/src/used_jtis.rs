//! The ids of client assertions that were accepted (RFC 7523 section 3), stored as hashes.

use hufu_types::{ApplicationId, PoolId, Timestamp, TokenHash};

use crate::{StoreError, Tx, Write, statements};

statements! {
    INSERT = "
        INSERT INTO used_jtis (pool_id, application_id, hash, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (pool_id, application_id, hash) DO NOTHING";
    SWEEP = "DELETE FROM used_jtis WHERE expires_at < $1";
}

/// Uses the id of an assertion. Of several who bring the same, on whatever nodes, one succeeds.
#[derive(Clone, Debug)]
pub struct UseJti {
    /// The pool.
    pub pool: PoolId,
    /// The client that made the assertion.
    pub application: ApplicationId,
    /// The hash of the id.
    pub hash: TokenHash,
    /// Until when the assertion could be brought again.
    pub expires_at: Timestamp,
}

impl Write for UseJti {
    /// Whether it is the first use.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let values =
            [(&self.pool).into(), (&self.application).into(), (&self.hash).into(), self.expires_at.into()];
        Ok(tx.execute(INSERT, &values).await? == 1)
    }
}

/// Deletes the ids of assertions that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}
