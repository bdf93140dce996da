//! Counting the audit log.
//!
//! The log has no order in which its entries appear: an entry has the time of its operation, and is seen when that is
//! committed, later than others with later times. Giving them an order would make every login dearer. So time is cut into
//! slices, and a slice is counted again, as a whole, as long as it may get entries: each minute while it is new and then
//! once more, for good, [`crate::Limits::statistics_late`] later. What is counted takes the place of what was counted
//! before, in one transaction. So a crash, or two nodes that count at once, leave nothing out and count nothing twice.

use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_store::StoreError;
use hufu_store::statistics::{
    FindBehind, FindEntry, PoolBehind, ReadActivity, ReadEntries, ReadSlice, first_id, time_of,
};
use hufu_types::{Day, PoolId, Timestamp, day};
use jiff::tz::TimeZone;

use super::activity::is_known;
use super::tally::Tally;
use super::unit::{MarkActive, TakeTurn, WriteSlice};
use crate::App;

/// The length of a slice. Days of every time zone begin with one.
const SLICE: Duration = Duration::from_secs(5 * 60);
/// How long after its time an entry may appear to be counted with the next count.
const GRACE: Duration = Duration::from_secs(2 * 60);
/// Slices of one pool that are counted before it is the turn of the next pool.
const SLICES_AT_ONCE: usize = 100;
/// Entries that are read at a time.
const ENTRIES_AT_ONCE: usize = 2000;
/// Users that one unit of work marks as active.
const USERS_AT_ONCE: usize = 500;

/// The beginning of the slice of a point in time.
fn slice_of(time: Timestamp) -> Timestamp {
    let length = i64::try_from(SLICE.as_millis()).unwrap_or(i64::MAX);
    Timestamp(time.0.div_euclid(length).saturating_mul(length))
}

/// The state of counting a pool.
struct Counting<'a> {
    pool: &'a PoolId,
    number: i64,
    newest: &'a str,
    zone: TimeZone,
    /// How many more slices may be counted.
    left: usize,
}

/// How far counting the slices of a range came.
#[derive(PartialEq, Eq)]
enum Came {
    ToTheEnd,
    /// There is more to count.
    Halfway,
}

impl App {
    /// Counts the audit log into statistics, in turn with other nodes, until the process ends.
    #[boxed]
    pub async fn count_statistics_forever(self: Arc<Self>) {
        let every = self.limits.statistics_every;
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            // Shorter than the interval, so that this node is not in its own way.
            let turn = TakeTurn { length: every / 2, now: self.now() };
            let counted = match self.store.write(turn).await {
                Ok(true) => self.count_statistics().await,
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = counted {
                tracing::error!(error = hufu_types::chain(&error), "the audit log cannot be counted");
            }
        }
    }

    /// Counts what the audit logs of all pools have. Several nodes may do so at once.
    ///
    /// # Errors
    /// The last error of the database. Pools without one are counted all the same.
    #[boxed]
    pub async fn count_statistics(&self) -> Result<(), StoreError> {
        loop {
            let now = self.now();
            let (until, settle) =
                (slice_of(now).plus(SLICE), slice_of(now.minus(self.limits.statistics_late)));
            let recent = now.minus(GRACE + self.limits.statistics_every);
            let mut result = Ok(Came::ToTheEnd);
            for behind in self.store.read(FindBehind { until, settle, recent }).await? {
                match self.count_pool(&behind, until, settle).await {
                    Ok(Came::ToTheEnd) => {}
                    Ok(Came::Halfway) => result = result.map(|_| Came::Halfway),
                    Err(error) => result = Err(error),
                }
            }
            if result? == Came::ToTheEnd {
                return Ok(());
            }
        }
    }

    /// Counts slices of a pool: for good those that begin before `settle`, then those before `until`.
    async fn count_pool(
        &self,
        behind: &PoolBehind,
        until: Timestamp,
        settle: Timestamp,
    ) -> Result<Came, StoreError> {
        let zone = day::zone(&self.config().settings(&behind.pool).time_zone).unwrap_or(TimeZone::UTC);
        let PoolBehind { pool, number, seen, settled, newest } = behind;
        let mut counting = Counting { pool, number: *number, newest, zone, left: SLICES_AT_ONCE };
        if self.count_range(&mut counting, settled.clone(), settle, true).await? == Came::Halfway {
            return Ok(Came::Halfway);
        }
        let from = match seen.as_str() {
            "" => settle,
            seen => settle.max(slice_of(time_of(seen)?.minus(GRACE))),
        };
        self.count_range(&mut counting, first_id(from), until, false).await
    }

    /// Counts the slices that have entries, from the one of an id on.
    async fn count_range(
        &self,
        counting: &mut Counting<'_>,
        mut from: String,
        until: Timestamp,
        is_settled: bool,
    ) -> Result<Came, StoreError> {
        loop {
            let find = FindEntry { pool: counting.pool.clone(), from, until };
            let Some(entry) = self.store.read(find).await? else { return Ok(Came::ToTheEnd) };
            let start = slice_of(entry);
            if counting.left == 0 || !self.count_slice(counting, start, is_settled).await? {
                return Ok(Came::Halfway);
            }
            counting.left -= 1;
            from = first_id(start.plus(SLICE));
        }
    }

    /// Counts a slice. Returns false if another node has counted in the meantime.
    async fn count_slice(
        &self,
        counting: &mut Counting<'_>,
        start: Timestamp,
        is_settled: bool,
    ) -> Result<bool, StoreError> {
        let (pool, end) = (counting.pool, start.plus(SLICE));
        let before = self.store.read(ReadSlice(pool.clone(), start)).await?;
        let day = before.map_or_else(|| Day::at(start, &counting.zone), |slice| slice.day);
        let mut tally = Tally::default();
        let limit = i64::try_from(ENTRIES_AT_ONCE).unwrap_or(i64::MAX);
        let mut after = None;
        loop {
            let page = ReadEntries { pool: pool.clone(), start, after, until: end, limit };
            let entries = self.store.read(page).await?;
            let is_last = entries.len() < ENTRIES_AT_ONCE;
            after = entries.last().map(|entry| entry.id.clone());
            for entry in entries {
                tally.count(entry);
            }
            if is_last {
                break;
            }
        }
        self.mark_active(pool, day, tally.active.into_iter().collect()).await?;
        let seen = first_id(end).min(counting.newest.to_owned());
        let unit = WriteSlice {
            pool: pool.clone(),
            number: counting.number,
            slice: (start, end),
            day,
            counts: tally.counts,
            seen,
            is_settled,
        };
        let is_written = self.store.write(unit).await?;
        counting.number += 1;
        Ok(is_written)
    }

    /// Counts users as active. Most are counted already, which a reader finds out without keeping writers waiting.
    async fn mark_active(&self, pool: &PoolId, day: Day, users: Vec<String>) -> Result<(), StoreError> {
        for users in users.chunks(USERS_AT_ONCE) {
            let known = self.store.read(ReadActivity(pool.clone(), users.to_vec())).await?;
            let new = known.into_iter().filter(|(_, activity)| !is_known(*activity, day));
            let users: Vec<String> = new.map(|(user, _)| user).collect();
            if !users.is_empty() {
                self.store.write(MarkActive { pool: pool.clone(), day, users }).await?;
            }
        }
        Ok(())
    }
}
