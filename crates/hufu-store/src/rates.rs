//! Rate-limit buckets shared by all nodes: hits per name and time window.

use std::time::Duration;

use hufu_types::Timestamp;

use crate::{StoreError, Tx, Write, statements};

statements! {
    HIT = "
        INSERT INTO rate_buckets (name, window_start, hits, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name, window_start) DO UPDATE SET hits = rate_buckets.hits + excluded.hits
        RETURNING hits";
    // Counts only where there is room, so that of those who come at once no more than the limit pass.
    TAKE = "
        INSERT INTO rate_buckets (name, window_start, hits, expires_at) VALUES ($1, $2, 1, $3)
        ON CONFLICT (name, window_start) DO UPDATE SET hits = rate_buckets.hits + 1
        WHERE rate_buckets.hits < $4
        RETURNING hits";
    TAKE_BACK = "
        UPDATE rate_buckets SET hits = hits - 1 WHERE name = $1 AND window_start = $2 AND hits > 0";
    CLEAR = "DELETE FROM rate_buckets WHERE name = $1";
    // A pause is a bucket without windows. It ends when the bucket expires.
    PAUSE = "
        INSERT INTO rate_buckets (name, window_start, hits, expires_at) VALUES ($1, 0, 1, $3)
        ON CONFLICT (name, window_start) DO UPDATE SET expires_at = excluded.expires_at
        WHERE rate_buckets.expires_at <= $2
        RETURNING hits";
    ENDS_AT = "SELECT expires_at FROM rate_buckets WHERE name = $1 AND window_start = 0 AND expires_at > $2";
    // A mark is such a bucket too, renewed whenever it is set.
    MARK = "
        INSERT INTO rate_buckets (name, window_start, hits, expires_at) VALUES ($1, 0, 1, $2)
        ON CONFLICT (name, window_start) DO UPDATE SET expires_at = excluded.expires_at";
    SWEEP = "DELETE FROM rate_buckets WHERE expires_at < $1";
}

/// Counts hits in the current window of a bucket.
pub struct Hit {
    /// The bucket, such as `upload:203.0.113.9`.
    pub name: String,
    /// How many hits to count.
    pub amount: i64,
    /// The length of a window.
    pub window: Duration,
    /// The current time.
    pub now: Timestamp,
}

impl Write for Hit {
    /// The hits in this window, including these.
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        count(tx, &self.name, self.amount, self.window, self.now).await
    }
}

/// A bucket and its limit per window.
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// The maximum number of hits.
    pub limit: i64,
}

/// Counts a hit in the global bucket and in the sender's bucket if neither of them is full.
pub struct Admit {
    /// The global bucket.
    pub all: Bucket,
    /// The sender's bucket.
    pub one: Option<Bucket>,
    /// The length of a window.
    pub window: Duration,
    /// The current time.
    pub now: Timestamp,
}

/// Whether a hit was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It was admitted and is counted in both buckets.
    Yes,
    /// The global limit was reached; the sender's bucket is unchanged.
    OverGlobalLimit,
    /// The sender's limit was reached; the hit is not counted in the global bucket.
    OverSenderLimit,
}

impl Write for Admit {
    type Out = Admitted;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Admitted, StoreError> {
        if count(tx, &self.all.name, 1, self.window, self.now).await? > self.all.limit {
            return Ok(Admitted::OverGlobalLimit);
        }
        let Some(one) = &self.one else { return Ok(Admitted::Yes) };
        if count(tx, &one.name, 1, self.window, self.now).await? > one.limit {
            count(tx, &self.all.name, -1, self.window, self.now).await?;
            return Ok(Admitted::OverSenderLimit);
        }
        Ok(Admitted::Yes)
    }
}

/// A bucket with its window, for units that also do other work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name.
    pub name: String,
    /// The maximum number of hits per window.
    pub most: i64,
    /// The length of a window.
    pub window: Duration,
}

impl Limit {
    /// Counts a hit if the current window has room. Returns how many more it has room for; `None` if it is
    /// full, and then nothing is counted.
    pub async fn take(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Option<i64>, StoreError> {
        if self.most <= 0 {
            return Ok(None);
        }
        let start = window_start(self.window, now);
        let values = [(&self.name).into(), start.into(), start.plus(self.window).into(), self.most.into()];
        let hits: Option<i64> = tx.optional(TAKE, &values, |row| row.get(0)).await?;
        Ok(hits.map(|hits| self.most.saturating_sub(hits)))
    }

    /// Takes back a hit counted at `now`.
    pub async fn take_back(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let values = [(&self.name).into(), window_start(self.window, now).into()];
        tx.execute(TAKE_BACK, &values).await.map(drop)
    }

    /// Counts a hit, whether or not there is room. Returns how many more are allowed in the current window;
    /// negative if the limit was already reached.
    pub async fn hit(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<i64, StoreError> {
        Ok(self.most.saturating_sub(count(tx, &self.name, 1, self.window, now).await?))
    }

    /// How long until the current window ends.
    pub fn wait(&self, now: Timestamp) -> Duration {
        wait(self.window, now)
    }
}

/// How many hits there may be in a window, of something that is counted in a row of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The maximum number of hits per window.
    pub most: i64,
    /// The length of a window.
    pub window: Duration,
}

/// The hits in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hits {
    /// When the window began.
    pub since: Timestamp,
    /// How many there were.
    pub hits: i64,
}

impl Hits {
    /// No hits yet.
    pub const NONE: Self = Self { since: Timestamp(0), hits: 0 };
}

impl Quota {
    /// One hit more, if the current window has room.
    pub fn take(self, before: Hits, now: Timestamp) -> Option<Hits> {
        let since = window_start(self.window, now);
        let hits = if before.since == since { before.hits } else { 0 };
        (hits < self.most).then(|| Hits { since, hits: hits.saturating_add(1) })
    }
}

/// How long until the current window of this length ends.
pub fn wait(window: Duration, now: Timestamp) -> Duration {
    window.saturating_sub(now.since(window_start(window, now)))
}

/// Counts a hit in every bucket if none of them is full. Otherwise counts nothing and returns a full bucket.
pub async fn admit<'l>(
    tx: &mut Tx<'_>,
    limits: &'l [Limit],
    now: Timestamp,
) -> Result<Option<&'l Limit>, StoreError> {
    for (index, limit) in limits.iter().enumerate() {
        if limit.take(tx, now).await?.is_none() {
            refund(tx, limits.get(..index).unwrap_or_default(), now).await?;
            return Ok(Some(limit));
        }
    }
    Ok(None)
}

/// Takes back one hit in every bucket.
pub async fn refund(tx: &mut Tx<'_>, limits: &[Limit], now: Timestamp) -> Result<(), StoreError> {
    for limit in limits {
        limit.take_back(tx, now).await?;
    }
    Ok(())
}

/// Starts a pause with this name unless one is in progress. Returns whether it was started.
pub async fn pause(
    tx: &mut Tx<'_>,
    name: &str,
    length: Duration,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let values = [name.into(), now.into(), now.plus(length).into()];
    Ok(tx.optional(PAUSE, &values, |_| Ok(())).await?.is_some())
}

/// How long until the pause with this name ends.
pub async fn pause_left(tx: &mut Tx<'_>, name: &str, now: Timestamp) -> Result<Duration, StoreError> {
    let ends_at = tx.optional(ENDS_AT, &[name.into(), now.into()], |row| row.get(0)).await?;
    Ok(ends_at.map_or(now, Timestamp).since(now))
}

/// Sets a mark with this name until a time.
pub async fn mark(tx: &mut Tx<'_>, name: &str, until: Timestamp) -> Result<(), StoreError> {
    tx.execute(MARK, &[name.into(), until.into()]).await.map(drop)
}

/// Whether a mark with this name is set.
pub async fn is_marked(tx: &mut Tx<'_>, name: &str, now: Timestamp) -> Result<bool, StoreError> {
    let ends_at: Option<i64> = tx.optional(ENDS_AT, &[name.into(), now.into()], |row| row.get(0)).await?;
    Ok(ends_at.is_some())
}

/// Empties a bucket.
pub async fn clear(tx: &mut Tx<'_>, name: &str) -> Result<(), StoreError> {
    tx.execute(CLEAR, &[name.into()]).await.map(drop)
}

fn window_start(window: Duration, now: Timestamp) -> Timestamp {
    let length = i64::try_from(window.as_millis()).unwrap_or(i64::MAX).max(1);
    Timestamp(now.0.div_euclid(length).saturating_mul(length))
}

/// Adds hits to the current window of a bucket. Returns the new number.
async fn count(
    tx: &mut Tx<'_>,
    name: &str,
    amount: i64,
    window: Duration,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let start = window_start(window, now);
    let values = [name.into(), start.into(), amount.into(), start.plus(window).into()];
    Ok(tx.optional(HIT, &values, |row| row.get(0)).await?.unwrap_or(amount))
}

/// Deletes the windows that have ended.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}
