//! Statistics of a pool: figures per day, counted from its audit log.
//!
//! The log is counted in slices of time. A slice is counted as a whole, as often as it may have changed, and what was
//! counted before is taken back in the same transaction. So nothing is counted twice, however often and wherever it is
//! counted, and entries that appear late are not lost. See `hufu-app`'s `statistics` for when that is.

use hufu_types::{Day, PoolId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::batches::{batches, rows};
use crate::deliveries::first_id_at;
use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    // Two look-ups by index for each pool.
    BEHIND = "
        SELECT pool, number, seen, settled, newest, unsettled
        FROM (SELECT p.id AS pool, COALESCE(s.number, 0) AS number, COALESCE(s.seen, '') AS seen,
                     COALESCE(s.settled, '') AS settled,
                     (SELECT MAX(e.id) FROM audit_events e WHERE e.pool_id = p.id AND e.id < $1) AS newest,
                     (SELECT MIN(e.id) FROM audit_events e
                      WHERE e.pool_id = p.id AND e.id >= COALESCE(s.settled, '') AND e.id < $2) AS unsettled
              FROM pools p LEFT JOIN statistics_progress s ON s.pool_id = p.id) AS pools_with_news
        WHERE newest > seen OR newest >= $3 OR unsettled IS NOT NULL
        ORDER BY pool";
    NEXT = "SELECT MIN(id) FROM audit_events WHERE pool_id = $1 AND id >= $2 AND id < $3";
    ENTRIES = "
        SELECT id, action, code, user_id, application_id, connection_id, details
        FROM audit_events
        WHERE pool_id = $1 AND id > $2 AND id < $3
          AND action IN ('login', 'login.abandoned', 'token.refreshed', 'user.created')
        ORDER BY id LIMIT $4";
    SETTLED = "SELECT settled FROM statistics_progress WHERE pool_id = $1";
    BEGIN = "
        INSERT INTO statistics_progress (pool_id, number, seen, settled) VALUES ($1, 0, '', '')
        ON CONFLICT (pool_id) DO NOTHING";
    LOCK = "UPDATE statistics_progress SET number = number WHERE pool_id = $1 RETURNING number";
    ADVANCE = "
        UPDATE statistics_progress
        SET number = number + 1,
            seen = CASE WHEN seen < $2 THEN $2 ELSE seen END,
            settled = CASE WHEN settled < $3 THEN $3 ELSE settled END
        WHERE pool_id = $1";
    SLICE = "SELECT day, counts FROM statistics_slices WHERE pool_id = $1 AND start = $2";
    SET_SLICE = "
        INSERT INTO statistics_slices (pool_id, start, day, counts) VALUES ($1, $2, $3, $4)
        ON CONFLICT (pool_id, start) DO UPDATE SET counts = excluded.counts";
    DELETE_SLICE = "DELETE FROM statistics_slices WHERE pool_id = $1 AND start = $2";
    DELETE_USER = "DELETE FROM statistics_users WHERE pool_id = $1 AND user_id = $2";
    BY_DAY = "
        SELECT day, value,
               CAST(SUM(CASE WHEN code = 0 THEN amount ELSE 0 END) AS BIGINT),
               CAST(SUM(CASE WHEN code = 0 THEN 0 ELSE amount END) AS BIGINT)
        FROM (SELECT day, code, amount,
                     CASE CAST($8 AS TEXT)
                         WHEN 'name' THEN name
                         WHEN 'application' THEN application_id
                         WHEN 'connection' THEN connection_id
                         WHEN 'code' THEN CAST(code AS TEXT)
                         ELSE '' END AS value
              FROM statistics_counts
              WHERE pool_id = $1 AND what = $2 AND day >= $3 AND day <= $4
                AND (CAST($5 AS TEXT) IS NULL OR application_id = $5)
                AND (CAST($6 AS TEXT) IS NULL OR connection_id = $6)
                AND (CAST($7 AS TEXT) IS NULL OR name = $7)) AS counted
        GROUP BY day, value
        ORDER BY day, value";
    IN_ALL = "
        SELECT connection_id, name, code, CAST(SUM(amount) AS BIGINT)
        FROM statistics_counts
        WHERE pool_id = $1 AND what = $2 AND day >= $3 AND day <= $4
        GROUP BY connection_id, name, code
        ORDER BY connection_id, name, code";
}

batches! {
    ADD = "
        INSERT INTO statistics_counts (pool_id, what, day, application_id, connection_id, name, code, amount)
        SELECT $1, r.what, r.day, r.application, r.connection, r.name, r.code, r.amount
        FROM " [
            what TEXT, day BIGINT, application TEXT, connection TEXT, name TEXT, code BIGINT, amount BIGINT
        ] "
        WHERE true
        ON CONFLICT (pool_id, what, day, application_id, connection_id, name, code)
        DO UPDATE SET amount = statistics_counts.amount + excluded.amount";
    ACTIVITY = "
        SELECT r.id,
               (SELECT s.last_day FROM statistics_users s WHERE s.pool_id = $1 AND s.user_id = r.id),
               (SELECT s.days FROM statistics_users s WHERE s.pool_id = $1 AND s.user_id = r.id)
        FROM " [id TEXT] "";
    SET_ACTIVITY = "
        INSERT INTO statistics_users (pool_id, user_id, last_day, days)
        SELECT $1, r.id, r.last_day, r.days
        FROM " [id TEXT, last_day BIGINT, days BIGINT] "
        WHERE true
        ON CONFLICT (pool_id, user_id) DO UPDATE SET last_day = excluded.last_day, days = excluded.days";
}

/// With how many digits of its time an id begins.
const TIME_DIGITS: usize = 12;

/// A pool whose audit log has entries to count.
#[derive(Clone, Debug)]
pub struct PoolBehind {
    /// The pool.
    pub pool: PoolId,
    /// The number of its progress.
    pub number: i64,
    /// The id of the newest entry that was seen; empty if none was.
    pub seen: String,
    /// Entries with smaller ids have been counted for good.
    pub settled: String,
    /// The id of the newest entry.
    pub newest: String,
}

/// Finds the pools that have entries to count.
pub struct FindBehind {
    /// Entries from here on are not looked at yet.
    pub until: Timestamp,
    /// Entries from before this time are counted for good.
    pub settle: Timestamp,
    /// Where there are entries from this time on, others may have appeared late.
    pub recent: Timestamp,
}

impl Read for FindBehind {
    type Out = Vec<PoolBehind>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<PoolBehind>, StoreError> {
        let [until, settle, recent] = [self.until, self.settle, self.recent].map(first_id_at);
        tx.all(BEHIND, &[(&until).into(), (&settle).into(), (&recent).into()], |row| {
            Ok(PoolBehind {
                pool: crate::config::pool_id(row, 0)?,
                number: row.get(1)?,
                seen: row.get(2)?,
                settled: row.get(3)?,
                newest: row.get::<Option<String>>(4)?.unwrap_or_default(),
            })
        })
        .await
    }
}

/// Finds the first entry of a pool in a range of ids, which includes its beginning.
pub struct FindEntry {
    /// The pool.
    pub pool: PoolId,
    /// The beginning.
    pub from: String,
    /// The end.
    pub until: Timestamp,
}

impl Read for FindEntry {
    /// The time in the entry's id.
    type Out = Option<Timestamp>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
        let until = first_id_at(self.until);
        let values = [(&self.pool).into(), (&self.from).into(), (&until).into()];
        let found: Option<Option<String>> = tx.optional(NEXT, &values, |row| row.get(0)).await?;
        found.flatten().map(|id| time_of(&id)).transpose()
    }
}

/// The smallest id of an entry at this time.
pub fn first_id(time: Timestamp) -> String {
    first_id_at(time)
}

/// The time with which an id begins.
pub fn time_of(id: &str) -> Result<Timestamp, StoreError> {
    let time = id.get(..TIME_DIGITS).and_then(|time| i64::from_str_radix(time, 16).ok());
    time.map(Timestamp).ok_or(StoreError::Corrupt { column: "id" })
}

/// An entry of the audit log, as far as it is counted.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The id.
    pub id: String,
    /// The action.
    pub action: String,
    /// 0, or the code of the refusal.
    pub code: i64,
    /// The affected user.
    pub user: Option<String>,
    /// The application used.
    pub application: Option<String>,
    /// The connection used.
    pub connection: Option<String>,
    /// Further details, as JSON.
    pub details: String,
}

/// Reads the entries of a slice that are counted, oldest first.
pub struct ReadEntries {
    /// The pool.
    pub pool: PoolId,
    /// The beginning of the slice.
    pub start: Timestamp,
    /// Only entries after this one.
    pub after: Option<String>,
    /// The end of the slice.
    pub until: Timestamp,
    /// The maximum number of entries.
    pub limit: i64,
}

impl Read for ReadEntries {
    type Out = Vec<Entry>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Entry>, StoreError> {
        let until = first_id_at(self.until);
        // Shorter than an id, so it comes before all those that begin with it.
        let start: String = first_id_at(self.start).chars().take(TIME_DIGITS).collect();
        let after = self.after.as_ref().unwrap_or(&start);
        let values = [(&self.pool).into(), after.into(), (&until).into(), self.limit.into()];
        tx.all(ENTRIES, &values, |row| {
            Ok(Entry {
                id: row.get(0)?,
                action: row.get(1)?,
                code: row.get(2)?,
                user: row.get(3)?,
                application: row.get(4)?,
                connection: row.get(5)?,
                details: row.get(6)?,
            })
        })
        .await
    }
}

/// What one figure counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Counter {
    /// The kind of figure.
    pub what: String,
    /// The application, or nothing.
    pub application: String,
    /// The connection, or nothing.
    pub connection: String,
    /// The login method or the stage, or nothing.
    pub name: String,
    /// 0, or the code of the refusal.
    pub code: i64,
}

/// What was counted, by counter.
pub type Counts = std::collections::BTreeMap<Counter, i64>;

/// What was counted in a slice, and for which day.
pub struct Slice {
    /// The day.
    pub day: Day,
    /// What was counted.
    pub counts: Counts,
}

/// Reads what was counted in a slice.
pub struct ReadSlice(pub PoolId, pub Timestamp);

impl Read for ReadSlice {
    type Out = Option<Slice>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Slice>, StoreError> {
        slice(tx, &self.0, self.1).await
    }
}

/// Reads what was counted in a slice.
pub async fn slice(tx: &mut Tx<'_>, pool: &PoolId, start: Timestamp) -> Result<Option<Slice>, StoreError> {
    tx.optional(SLICE, &[pool.into(), start.into()], |row| {
        let counts: Vec<(Counter, i64)> = serde_json::from_str(&row.get::<String>(1)?)?;
        Ok(Slice { day: Day(row.get(0)?), counts: counts.into_iter().collect() })
    })
    .await
}

/// Keeps what was counted in a slice. A slice that is there keeps its day.
pub async fn set_slice(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    start: Timestamp,
    slice: &Slice,
) -> Result<(), StoreError> {
    let counts = serde_json::to_string(&slice.counts.iter().collect::<Vec<_>>())?;
    let values = [pool.into(), start.into(), slice.day.0.into(), (&counts).into()];
    tx.execute(SET_SLICE, &values).await.map(drop)
}

/// Forgets what was counted in a slice. The figures of its day stay.
pub async fn delete_slice(tx: &mut Tx<'_>, pool: &PoolId, start: Timestamp) -> Result<(), StoreError> {
    tx.execute(DELETE_SLICE, &[pool.into(), start.into()]).await.map(drop)
}

/// Locks the progress of a pool until the unit ends, and returns its number.
pub async fn lock(tx: &mut Tx<'_>, pool: &PoolId) -> Result<i64, StoreError> {
    tx.execute(BEGIN, &[pool.into()]).await?;
    tx.optional(LOCK, &[pool.into()], |row| row.get(0)).await?.ok_or(StoreError::LostRace)
}

/// Notes how far a pool has been counted: the newest entry seen, and the end of what has been counted for good, which
/// only ever grow.
pub async fn advance(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    seen: &str,
    settled: Option<Timestamp>,
) -> Result<(), StoreError> {
    let settled = settled.map(first_id_at).unwrap_or_default();
    tx.execute(ADVANCE, &[pool.into(), seen.into(), (&settled).into()]).await.map(drop)
}

/// Reads up to when the entries of a pool have been counted for good.
pub struct ReadSettled(pub PoolId);

impl Read for ReadSettled {
    /// `None` if none has.
    type Out = Option<Timestamp>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
        let found: Option<String> = tx.optional(SETTLED, &[(&self.0).into()], |row| row.get(0)).await?;
        found.filter(|id| !id.is_empty()).map(|id| time_of(&id)).transpose()
    }
}

/// Adds to the figures of days.
pub async fn add(tx: &mut Tx<'_>, pool: &PoolId, amounts: &[(Day, &Counter, i64)]) -> Result<(), StoreError> {
    let new = rows(amounts.iter().map(|(day, counter, amount)| {
        let Counter { what, application, connection, name, code } = counter;
        serde_json::json!({
            "what": what, "day": day.0, "application": application, "connection": connection, "name": name,
            "code": code, "amount": amount,
        })
    }))?;
    tx.execute(ADD.for_engine(tx), &[pool.into(), (&new).into()]).await.map(drop)
}

/// The days on which a user was active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The last one.
    pub last: Day,
    /// Bit `n`: `n` days before.
    pub days: i64,
}

/// Reads on which days users were active.
pub struct ReadActivity(pub PoolId, pub Vec<String>);

impl Read for ReadActivity {
    type Out = Vec<(String, Option<Activity>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        activity(tx, &self.0, &self.1).await
    }
}

/// Reads on which days users were active.
pub async fn activity(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    users: &[String],
) -> Result<Vec<(String, Option<Activity>)>, StoreError> {
    let users = rows(users.iter().map(|id| serde_json::json!({ "id": id })))?;
    tx.all(ACTIVITY.for_engine(tx), &[pool.into(), (&users).into()], |row| {
        let (last, days): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, last.zip(days).map(|(last, days)| Activity { last: Day(last), days })))
    })
    .await
}

/// Writes on which days users were active.
pub async fn set_activity(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    users: &[(String, Activity)],
) -> Result<(), StoreError> {
    let users = rows(users.iter().map(
        |(id, activity)| serde_json::json!({ "id": id, "last_day": activity.last.0, "days": activity.days }),
    ))?;
    tx.execute(SET_ACTIVITY.for_engine(tx), &[pool.into(), (&users).into()]).await.map(drop)
}

/// Forgets on which days a user was active. They stay counted.
pub async fn forget(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_USER, &[pool.into(), user.into()]).await.map(drop)
}

/// What the figures of a day are split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// Nothing.
    Nothing,
    /// The login method, or what else the figure's name is.
    Name,
    /// The application.
    Application,
    /// The connection.
    Connection,
    /// The code.
    Code,
}

impl SplitBy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Name => "name",
            Self::Application => "application",
            Self::Connection => "connection",
            Self::Code => "code",
        }
    }
}

/// Reads figures by day.
#[derive(Clone, Debug)]
pub struct ReadDays {
    /// The pool.
    pub pool: PoolId,
    /// The kind of figure.
    pub what: &'static str,
    /// The first day and the last one.
    pub days: (Day, Day),
    /// Only of this application.
    pub application: Option<String>,
    /// Only of this connection.
    pub connection: Option<String>,
    /// Only with this name.
    pub name: Option<String>,
    /// What each day is split by.
    pub by: SplitBy,
}

/// A figure of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayCount {
    /// The day.
    pub day: Day,
    /// What was asked for by [`SplitBy`].
    pub value: String,
    /// How much had code 0.
    pub done: i64,
    /// How much had another one.
    pub refused: i64,
}

impl Read for ReadDays {
    type Out = Vec<DayCount>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<DayCount>, StoreError> {
        let values = [
            (&self.pool).into(),
            self.what.into(),
            self.days.0.0.into(),
            self.days.1.0.into(),
            (&self.application).into(),
            (&self.connection).into(),
            (&self.name).into(),
            self.by.as_str().into(),
        ];
        tx.all(BY_DAY, &values, |row| {
            Ok(DayCount {
                day: Day(row.get(0)?),
                value: row.get(1)?,
                done: row.get(2)?,
                refused: row.get(3)?,
            })
        })
        .await
    }
}

/// Reads figures of several days together, by connection, name and code.
pub struct ReadTotals {
    /// The pool.
    pub pool: PoolId,
    /// The kind of figure.
    pub what: &'static str,
    /// The first day and the last one.
    pub days: (Day, Day),
}

/// A figure of several days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// The connection, or nothing.
    pub connection: String,
    /// The login method or the stage, or nothing.
    pub name: String,
    /// 0, or the code of the refusal.
    pub code: i64,
    /// How much.
    pub amount: i64,
}

impl Read for ReadTotals {
    type Out = Vec<Total>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Total>, StoreError> {
        let values = [(&self.pool).into(), self.what.into(), self.days.0.0.into(), self.days.1.0.into()];
        tx.all(IN_ALL, &values, decode_total).await
    }
}

fn decode_total(row: &Row<'_>) -> Result<Total, StoreError> {
    Ok(Total { connection: row.get(0)?, name: row.get(1)?, code: row.get(2)?, amount: row.get(3)? })
}
