//! Statistics of a pool: logins, users and waiting logins by day.
//!
//! `roll_up` counts the audit log, `tally` says what an entry counts and `activity` what an active user does, and `unit`
//! writes. This module reads: figures are there per day, so what reading costs depends on neither users nor logins.

mod activity;
mod roll_up;
mod tally;
mod unit;

use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;
use hufu_store::statistics::{ReadDays, ReadTotals};
use hufu_types::refusal::Reason;
use hufu_types::{ApplicationId, ConnectionId, Day, Permission, PoolId, day};
use jiff::tz::TimeZone;

use self::tally::{
    ACTIVE, BY_APPLICATION, BY_CONNECTION, BY_METHOD, CREATED, ENDINGS, FAILED_STEPS, LOGINS, PASSED, WAITING,
};
use crate::administration::AdminCaller;
use crate::{App, Refusal};

pub use hufu_store::statistics::{DayCount, SplitBy};

/// The longest period, in days.
pub const LONGEST_PERIOD: i64 = 366;
/// The length of a period that is not given, in days.
const USUAL_PERIOD: i64 = 30;

/// The days that are asked about, both included. Absent ones are the last thirty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Period {
    /// The first day.
    pub from: Option<Day>,
    /// The last day.
    pub to: Option<Day>,
}

/// The figures of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayFigures {
    /// Logins.
    pub logins: i64,
    /// Logins that were refused.
    pub refused: i64,
    /// Accounts that were created.
    pub new_users: i64,
    /// Users who logged in or renewed their tokens on the day.
    pub active_users: i64,
    /// The same, on the day or the six before.
    pub active_users_7: i64,
    /// The same, on the day or the 29 before.
    pub active_users_30: i64,
}

/// Which logins to read, and how to split them. `None` means no restriction.
#[derive(Clone, Debug)]
pub struct LoginQuery {
    /// Logins to this application.
    pub application: Option<ApplicationId>,
    /// Logins through this connection.
    pub connection: Option<ConnectionId>,
    /// Logins by this method.
    pub method: Option<String>,
    /// What each day is split by.
    pub by: SplitBy,
}

impl LoginQuery {
    /// The figure that answers it with the fewest rows.
    const fn figure(&self) -> &'static str {
        let of = (&self.application, &self.connection, &self.method);
        match (of, self.by) {
            ((None, None, _), SplitBy::Nothing | SplitBy::Code | SplitBy::Name) => BY_METHOD,
            ((_, None, None), SplitBy::Nothing | SplitBy::Code | SplitBy::Application) => BY_APPLICATION,
            ((None, _, None), SplitBy::Nothing | SplitBy::Code | SplitBy::Connection) => BY_CONNECTION,
            _ => LOGINS,
        }
    }
}

/// The logins through a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionFigures {
    /// The connection.
    pub connection: String,
    /// Logins.
    pub done: i64,
    /// Logins that were refused.
    pub refused: i64,
    /// The codes of refusals, the most frequent one first.
    pub codes: Vec<(i64, i64)>,
}

/// What became of the logins that waited at a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFigures {
    /// The stage.
    pub stage: String,
    /// All of them.
    pub reached: i64,
    /// How they went on, in the order of [`endings`].
    pub endings: [i64; ENDINGS.len()],
}

/// The ways in which a waiting login goes on.
pub const fn endings() -> [&'static str; ENDINGS.len()] {
    ENDINGS
}

/// What became of the logins that waited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingFigures {
    /// By stage.
    pub stages: Vec<StageFigures>,
    /// How often a step failed and could be tried again: step, code and how often.
    pub failed_steps: Vec<(String, i64, i64)>,
}

impl App {
    /// The figures of each day of a period.
    ///
    /// # Errors
    /// `Code::Invalid` for a period that is none or too long, and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn statistics(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        period: Period,
    ) -> Result<BTreeMap<Day, DayFigures>, Refusal> {
        let days = self.permitted_days(by, pool, period).await?;
        let mut figures: BTreeMap<Day, DayFigures> =
            (days.0.0..=days.1.0).map(|day| (Day(day), DayFigures::default())).collect();
        for what in [BY_METHOD, CREATED, ACTIVE] {
            let by = if what == ACTIVE { SplitBy::Name } else { SplitBy::Nothing };
            let (pool, application, connection, name) = (pool.clone(), None, None, None);
            for count in self.read(ReadDays { pool, what, days, application, connection, name, by }).await? {
                let day = figures.entry(count.day).or_default();
                match (what, count.value.as_str()) {
                    (BY_METHOD, _) => (day.logins, day.refused) = (count.done, count.refused),
                    (CREATED, _) => day.new_users = count.done,
                    (_, "1") => day.active_users = count.done,
                    (_, "7") => day.active_users_7 = count.done,
                    (_, "30") => day.active_users_30 = count.done,
                    _ => {}
                }
            }
        }
        Ok(figures)
    }

    /// The logins of each day of a period.
    ///
    /// # Errors
    /// As for [`Self::statistics`].
    #[boxed]
    pub async fn login_statistics(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        period: Period,
        query: LoginQuery,
    ) -> Result<Vec<DayCount>, Refusal> {
        let days = self.permitted_days(by, pool, period).await?;
        let what = query.figure();
        let LoginQuery { application, connection, method, by } = query;
        self.read(ReadDays {
            pool: pool.clone(),
            what,
            days,
            application: application.map(Into::into),
            connection: connection.map(Into::into),
            name: method,
            by,
        })
        .await
    }

    /// The logins through each connection in a period. Those with the most refusals come first.
    ///
    /// # Errors
    /// As for [`Self::statistics`].
    #[boxed]
    pub async fn connection_statistics(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        period: Period,
    ) -> Result<Vec<ConnectionFigures>, Refusal> {
        let days = self.permitted_days(by, pool, period).await?;
        let totals = self.read(ReadTotals { pool: pool.clone(), what: BY_CONNECTION, days }).await?;
        let mut found: BTreeMap<String, BTreeMap<i64, i64>> = BTreeMap::new();
        for total in totals.into_iter().filter(|total| !total.connection.is_empty()) {
            *found.entry(total.connection).or_default().entry(total.code).or_default() += total.amount;
        }
        let mut figures: Vec<ConnectionFigures> = found
            .into_iter()
            .map(|(connection, mut codes)| {
                let done = codes.remove(&0).unwrap_or_default();
                let refused = codes.values().sum();
                let mut codes: Vec<(i64, i64)> = codes.into_iter().collect();
                codes.sort_by_key(|(code, amount)| (-amount, *code));
                ConnectionFigures { connection, done, refused, codes }
            })
            .collect();
        figures.sort_by(|a, b| (-a.refused, &a.connection).cmp(&(-b.refused, &b.connection)));
        Ok(figures)
    }

    /// What became of the waiting logins of a period, which are counted on the day on which they end.
    ///
    /// # Errors
    /// As for [`Self::statistics`].
    #[boxed]
    pub async fn waiting_statistics(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        period: Period,
    ) -> Result<WaitingFigures, Refusal> {
        let days = self.permitted_days(by, pool, period).await?;
        let mut figures = WaitingFigures::default();
        for total in self.read(ReadTotals { pool: pool.clone(), what: WAITING, days }).await? {
            if figures.stages.last().is_none_or(|last| last.stage != total.name) {
                let stage = StageFigures { stage: total.name, reached: 0, endings: [0; ENDINGS.len()] };
                figures.stages.push(stage);
            }
            let place = usize::try_from(total.code - PASSED).unwrap_or(usize::MAX);
            if let Some(stage) = figures.stages.last_mut()
                && let Some(ending) = stage.endings.get_mut(place)
            {
                *ending += total.amount;
                stage.reached += total.amount;
            }
        }
        let failed = self.read(ReadTotals { pool: pool.clone(), what: FAILED_STEPS, days }).await?;
        figures.failed_steps =
            failed.into_iter().map(|total| (total.name, total.code, total.amount)).collect();
        Ok(figures)
    }

    /// The first and the last day of a period, if the caller may see it.
    async fn permitted_days(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        period: Period,
    ) -> Result<(Day, Day), Refusal> {
        self.permit(by, Permission::ReadStatistics, pool).await?;
        let zone = day::zone(&self.config().settings(pool).time_zone).unwrap_or(TimeZone::UTC);
        let to = period.to.unwrap_or_else(|| Day::at(self.now(), &zone));
        let from = period.from.unwrap_or_else(|| to.plus(1 - USUAL_PERIOD));
        if from > to || to.0.saturating_sub(from.0) >= LONGEST_PERIOD {
            let max = usize::try_from(LONGEST_PERIOD).unwrap_or_default();
            return Err(Refusal::invalid("from", Reason::NotAPeriod { max }));
        }
        Ok((from, to))
    }
}
