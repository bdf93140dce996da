//! Rate-limit buckets that all nodes share: hits per name and window.

use std::time::Duration;

use hufu_types::Timestamp;

use crate::{StoreError, Tx, Write, statements};

statements! {
    HIT = "
        INSERT INTO rate_buckets (name, window_start, hits, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name, window_start) DO UPDATE SET hits = rate_buckets.hits + excluded.hits
        RETURNING hits";
    SWEEP = "DELETE FROM rate_buckets WHERE expires_at < $1";
}

/// Counts a hit in the present window of a bucket.
pub struct Hit {
    /// The bucket, such as `upload:203.0.113.9`.
    pub name: String,
    /// How much is counted.
    pub amount: i64,
    /// The length of a window.
    pub window: Duration,
    /// Now.
    pub now: Timestamp,
}

impl Write for Hit {
    /// The hits in this window, with this one.
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let length = i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX).max(1);
        let start = Timestamp(self.now.0.div_euclid(length).saturating_mul(length));
        let values = [(&self.name).into(), start.into(), self.amount.into(), start.plus(self.window).into()];
        Ok(tx.optional(HIT, &values, |row| row.get(0)).await?.unwrap_or(self.amount))
    }
}

/// Forgets the windows that are over.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}
