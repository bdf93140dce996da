//! The units of work that write figures.

use std::collections::BTreeMap;
use std::time::Duration;

use hufu_store::statistics::{self, Counter, Counts, Slice};
use hufu_store::{StoreError, Tx, Write, rates};
use hufu_types::{Day, PoolId, Timestamp};

use super::activity::{PERIODS, gained, is_known, with};
use super::tally::ACTIVE;

/// Takes the turn of counting, which others then leave alone for a while.
pub(super) struct TakeTurn {
    pub(super) length: Duration,
    pub(super) now: Timestamp,
}

impl Write for TakeTurn {
    /// Whether nobody else has it.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        rates::pause(tx, "statistics", self.length, self.now).await
    }
}

/// Writes what was counted in a slice in place of what was counted there before.
pub(super) struct WriteSlice {
    pub(super) pool: PoolId,
    /// The number of the pool's progress from before the slice was read.
    pub(super) number: i64,
    /// When the slice begins and ends.
    pub(super) slice: (Timestamp, Timestamp),
    pub(super) day: Day,
    pub(super) counts: Counts,
    /// The id of the newest entry that is counted with this slice.
    pub(super) seen: String,
    /// Whether it gets no more entries.
    pub(super) is_settled: bool,
}

impl Write for WriteSlice {
    /// Whether it was written. If not, another node has counted in the meantime.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let (pool, (start, end)) = (&self.pool, self.slice);
        if statistics::lock(tx, pool).await? != self.number {
            return Ok(false);
        }
        let before = statistics::slice(tx, pool, start).await?.map(|slice| slice.counts).unwrap_or_default();
        let mut changes = self.counts.clone();
        for (counter, amount) in before {
            *changes.entry(counter).or_default() -= amount;
        }
        changes.retain(|_, amount| *amount != 0);
        let changes: Vec<_> = changes.iter().map(|(counter, amount)| (self.day, counter, *amount)).collect();
        statistics::add(tx, pool, &changes).await?;
        if self.is_settled {
            statistics::delete_slice(tx, pool, start).await?;
        } else {
            let slice = Slice { day: self.day, counts: self.counts.clone() };
            statistics::set_slice(tx, pool, start, &slice).await?;
        }
        statistics::advance(tx, pool, &self.seen, self.is_settled.then_some(end)).await?;
        Ok(true)
    }
}

/// Counts users who were active on a day. Those who are counted already change nothing.
pub(super) struct MarkActive {
    pub(super) pool: PoolId,
    pub(super) day: Day,
    pub(super) users: Vec<String>,
}

impl Write for MarkActive {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let (pool, day) = (&self.pool, self.day);
        // Others who mark users of this pool wait.
        statistics::lock(tx, pool).await?;
        let mut marked = Vec::new();
        let mut amounts: BTreeMap<(i64, Day), i64> = BTreeMap::new();
        for (user, activity) in statistics::activity(tx, pool, &self.users).await? {
            if is_known(activity, day) {
                continue;
            }
            for length in PERIODS {
                for end in gained(activity, day, length) {
                    *amounts.entry((length, end)).or_default() += 1;
                }
            }
            marked.push((user, with(activity, day)));
        }
        let counters = PERIODS.map(|length| {
            (length, Counter { what: ACTIVE.to_owned(), name: length.to_string(), ..Counter::default() })
        });
        let counters = BTreeMap::from(counters);
        let amounts = amounts.iter();
        let amounts =
            amounts.filter_map(|((length, day), amount)| Some((*day, counters.get(length)?, *amount)));
        statistics::set_activity(tx, pool, &marked).await?;
        statistics::add(tx, pool, &amounts.collect::<Vec<_>>()).await
    }
}
