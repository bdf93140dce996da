//! PostgreSQL: a unit is a transaction of its own, run again after a lost race. The most frequent units share one while
//! others are under way ([`crate::lockstep`]).

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool, Postgres as PostgresEngine};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};

use crate::lockstep::{self, Dissolved, Texts};
use crate::unit::Unit;
use crate::{StoreError, Tx};

/// The maximum number of database connections, without those of the groups.
const MAX_CONNECTIONS: u32 = 16;
/// How many groups write at the same time, and how many read, each on a connection. More of them would be smaller: with
/// two, the units that arrive while one group runs are the next one.
const LANES: u32 = 2;
/// The maximum number of units in a group.
const MAX_GROUP: usize = 32;
/// How many units may wait for a connection before new ones are rejected.
const MAX_WAITING: usize = 4096;
/// How long a unit waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many times a unit is run if it keeps losing races.
const MAX_ATTEMPTS: u32 = 8;

/// What a statement asks for, an index leads to. A table that was small when the statement was planned looks as if it
/// could as well be read as a whole, and the plan is kept for as long as nobody analyses the table. Small tables that have
/// no such index are read as a whole all the same, at a price so high on paper that PostgreSQL would compile the
/// statement first, which takes longer than all of ours.
const BY_INDEX: &str = "SET enable_seqscan = off; SET jit = off";

/// The same for the connections of groups. Their statements over arrays are planned once, for indexes and in the order of
/// the arrays: without this, each would be planned anew for its values, and rows could be locked in any order.
const BY_INDEX_IN_ORDER: &str = "SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan; \
     SET enable_hashjoin = off; SET enable_mergejoin = off";

/// Has PostgreSQL count the tables that have more than four times the pages that they had when it last did. It then plans
/// anew what asks for them. To a table of which it knows nothing all indexes that begin with the pool are the same, and it
/// would take up to minutes to look for itself.
const COUNT_GROWN: &str = "
    DO $$
    DECLARE grown REGCLASS;
    BEGIN
        PERFORM set_config('lock_timeout', '1s', TRUE);
        FOR grown IN
            SELECT oid FROM pg_class
            WHERE relkind = 'r' AND relnamespace = current_schema()::REGNAMESPACE AND pg_has_role(relowner, 'USAGE')
              AND pg_relation_size(oid) > 4 * greatest(relpages, 1) * current_setting('block_size')::BIGINT
            ORDER BY oid
        LOOP
            EXECUTE format('ANALYZE %s', grown);
        END LOOP;
    END $$";
/// After how many groups we look for tables that have grown.
const GROUPS_PER_COUNT: u64 = 256;

type Connection = PoolConnection<PostgresEngine>;

#[derive(Clone)]
pub(crate) struct Postgres {
    pool: PgPool,
    waiting: Arc<Semaphore>,
    writes: Arc<Groups>,
    reads: Arc<Groups>,
    /// Whether grown tables are being counted.
    counting: Arc<AtomicBool>,
    /// How many groups have written.
    written: Arc<AtomicU64>,
}

/// The units that wait to run in groups.
struct Groups {
    /// Whether they read.
    reads: bool,
    pool: PgPool,
    lanes: Arc<Semaphore>,
    queue: Mutex<VecDeque<Queued>>,
    texts: Texts,
}

/// Why a group did not run.
enum Lost {
    /// It was rolled back.
    Dissolved,
    /// The `COMMIT` failed. These had left the group before.
    Commit { left: Vec<usize>, error: StoreError },
}

struct Queued {
    /// Two units with the same key are never in one group.
    key: u64,
    unit: Arc<dyn Unit>,
    caller: oneshot::Sender<Result<(), StoreError>>,
}

impl Postgres {
    pub(crate) async fn open(options: PgConnectOptions) -> Result<Self, StoreError> {
        let options = options.application_name("hufu").statement_cache_capacity(512);
        let pool = |connections, settings: &'static str| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .after_connect(move |connection, _| {
                    Box::pin(async move { sqlx::raw_sql(settings).execute(connection).await.map(drop) })
                })
                // A dead connection is noticed at its first statement; a ping before each unit would cost a round
                // trip.
                .test_before_acquire(false)
        };
        let groups = |reads| Groups {
            reads,
            pool: pool(LANES, BY_INDEX_IN_ORDER).connect_lazy_with(options.clone()),
            lanes: Arc::new(Semaphore::new(LANES as usize)),
            queue: Mutex::default(),
            texts: Texts::default(),
        };
        let (writes, reads) = (Arc::new(groups(false)), Arc::new(groups(true)));
        let pool = match pool(MAX_CONNECTIONS, BY_INDEX).connect_with(options.clone()).await {
            // The pool has tried again and again, and does not tell why it failed.
            Err(sqlx::Error::PoolTimedOut) => return Err(why_unreachable(&options).await),
            pool => pool?,
        };
        let waiting = Arc::new(Semaphore::new(MAX_WAITING));
        let (counting, written) = (Arc::default(), Arc::default());
        Ok(Self { pool, waiting, writes, reads, counting, written })
    }

    async fn acquire(&self) -> Result<Connection, StoreError> {
        let _place = self.waiting.try_acquire().map_err(|_| StoreError::Overloaded)?;
        self.pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolClosed => StoreError::Stopped,
            error => StoreError::Postgres(error),
        })
    }

    /// Runs the unit to its end, even if its caller is gone.
    pub(crate) async fn write(&self, unit: Arc<dyn Unit>) -> Result<(), StoreError> {
        match unit.group() {
            None => self.write_alone(unit).await,
            Some(key) => self.run_in_group(&self.writes, key, unit).await,
        }
    }

    /// Runs the unit on a task of its own.
    async fn write_alone(&self, unit: Arc<dyn Unit>) -> Result<(), StoreError> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.write_until_won(&*unit).await });
        let ended = task.await;
        ended.map_err(|error| if error.is_panic() { StoreError::Panicked } else { StoreError::Stopped })?
    }

    /// Queues the unit for the next group, which begins at once if a lane is free.
    async fn run_in_group(
        &self,
        groups: &Arc<Groups>,
        key: u64,
        unit: Arc<dyn Unit>,
    ) -> Result<(), StoreError> {
        let (caller, answer) = oneshot::channel();
        {
            let mut queue = groups.queue();
            if queue.len() >= MAX_WAITING {
                return Err(StoreError::Overloaded);
            }
            queue.push_back(Queued { key, unit, caller });
        }
        match Arc::clone(&groups.lanes).try_acquire_owned() {
            Ok(lane) => drop(tokio::spawn(self.clone().run_groups(Arc::clone(groups), lane))),
            Err(TryAcquireError::NoPermits) => {}
            Err(TryAcquireError::Closed) => return Err(StoreError::Stopped),
        }
        answer.await.map_err(|_| StoreError::Stopped)?
    }

    /// Runs groups until nobody waits. They share a connection: the pool would ask the database after each of them whether
    /// it is still there.
    async fn run_groups(self, groups: Arc<Groups>, mut lane: OwnedSemaphorePermit) {
        loop {
            let mut connection = None;
            loop {
                let group = groups.next();
                if group.is_empty() {
                    break;
                }
                self.run_group(&groups, &mut connection, group).await;
            }
            drop(connection);
            drop(lane);
            // Whoever was queued after the look at the queue and before the lane was free has not found it.
            if groups.queue().is_empty() {
                return;
            }
            match Arc::clone(&groups.lanes).try_acquire_owned() {
                Ok(again) => lane = again,
                Err(_) => return,
            }
        }
    }

    /// Runs a group and answers its callers.
    async fn run_group(&self, groups: &Groups, connection: &mut Option<Connection>, group: Vec<Queued>) {
        let (done, alone) = if group.len() == 1 {
            (Vec::new(), group)
        } else {
            Self::run_together(groups, connection, group).await
        };
        if !done.is_empty() && !groups.reads {
            record_size(done.len());
            if is_time_to_count(self.written.fetch_add(1, Ordering::Relaxed) + 1) {
                drop(tokio::spawn(self.clone().count_grown()));
            }
        }
        for queued in done {
            // The caller may be gone; the unit is done all the same.
            let _ = queued.caller.send(Ok(()));
        }
        let alone = alone.into_iter().map(async |Queued { unit, caller, .. }| {
            let result =
                if groups.reads { self.read_alone(&*unit).await } else { self.write_alone(unit).await };
            if result.is_ok() && !groups.reads {
                record_size(1);
            }
            let _ = caller.send(result);
        });
        futures::future::join_all(alone).await;
    }

    /// Runs a group. Returns the units that were run, and those that have to run alone.
    async fn run_together(
        groups: &Groups,
        connection: &mut Option<Connection>,
        group: Vec<Queued>,
    ) -> (Vec<Queued>, Vec<Queued>) {
        let units: Vec<&dyn Unit> = group.iter().map(|queued| &*queued.unit).collect();
        let left: HashSet<usize> = match groups.run(connection, &units).await {
            Ok(left) => left.into_iter().collect(),
            Err(Lost::Dissolved) => {
                metrics::counter!("hufu_store_groups_dissolved_total").increment(1);
                return (Vec::new(), group);
            }
            Err(Lost::Commit { left, error }) => {
                // Nobody knows whether it was committed, so none of its members runs again.
                let left: HashSet<usize> = left.into_iter().collect();
                let (alone, lost) = split(group, &left);
                tracing::error!(%error, units = lost.len(), "a group of writes was lost");
                for queued in lost {
                    let _ = queued.caller.send(Err(StoreError::Batch(error.to_string())));
                }
                return (Vec::new(), alone);
            }
        };
        let (alone, done) = split(group, &left);
        (done, alone)
    }

    /// Has the tables counted that have grown.
    async fn count_grown(self) {
        if self.counting.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Ok(mut connection) = self.pool.acquire().await
            && let Err(error) = sqlx::raw_sql(COUNT_GROWN).execute(&mut *connection).await
        {
            tracing::warn!(%error, "the tables that have grown could not be counted, so their queries may be slow");
        }
        self.counting.store(false, Ordering::Release);
    }

    async fn write_until_won(&self, unit: &dyn Unit) -> Result<(), StoreError> {
        let mut attempt = 1;
        loop {
            match self.write_once(unit).await {
                Err(error) if error.is_lost_race() && attempt < MAX_ATTEMPTS => {
                    metrics::counter!("hufu_store_retries_total").increment(1);
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn write_once(&self, unit: &dyn Unit) -> Result<(), StoreError> {
        let mut connection = self.acquire().await?;
        let mut transaction = connection.begin().await?;
        let result = unit.run(&mut Tx::Postgres(&mut transaction)).await;
        match result {
            Ok(()) => transaction.commit().await.map_err(StoreError::Postgres),
            Err(error) => {
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Runs a unit that reads.
    pub(crate) async fn read(&self, unit: Arc<dyn Unit>) -> Result<(), StoreError> {
        match unit.group() {
            None => self.read_alone(&*unit).await,
            Some(key) => self.run_in_group(&self.reads, key, unit).await,
        }
    }

    async fn read_alone(&self, unit: &dyn Unit) -> Result<(), StoreError> {
        let mut connection = self.acquire().await?;
        unit.run(&mut Tx::Postgres(&mut connection)).await
    }

    /// Finishes the queued units and closes the connections.
    pub(crate) async fn close(self) {
        for groups in [&self.writes, &self.reads] {
            let lanes = groups.lanes.acquire_many(LANES).await;
            groups.lanes.close();
            drop(lanes);
            groups.queue().clear();
            groups.pool.close().await;
        }
        self.pool.close().await;
    }
}

/// Splits a group into the units at these indexes and the others.
fn split(group: Vec<Queued>, indexes: &HashSet<usize>) -> (Vec<Queued>, Vec<Queued>) {
    let (these, others): (Vec<_>, Vec<_>) =
        group.into_iter().enumerate().partition(|(index, _)| indexes.contains(index));
    let units = |group: Vec<(usize, Queued)>| group.into_iter().map(|(_, queued)| queued).collect();
    (units(these), units(others))
}

/// Records how many units were committed together.
fn record_size(units: usize) {
    let units = f64::from(u32::try_from(units).unwrap_or(u32::MAX));
    metrics::histogram!("hufu_store_batch_size").record(units);
}

impl Groups {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Queued>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next group from the queue.
    fn next(&self) -> Vec<Queued> {
        let mut queue = self.queue();
        let (mut group, mut keys) = (Vec::new(), HashSet::new());
        let mut later = Vec::new();
        while group.len() < MAX_GROUP
            && let Some(queued) = queue.pop_front()
        {
            if self.reads || keys.insert(queued.key) {
                group.push(queued);
            } else {
                later.push(queued);
            }
        }
        later.into_iter().rev().for_each(|queued| queue.push_front(queued));
        group
    }

    /// Runs the units side by side on this connection, or on a new one, which is kept if all went well. Returns the indexes
    /// of those that left the group.
    async fn run(
        &self,
        connection: &mut Option<Connection>,
        units: &[&dyn Unit],
    ) -> Result<Vec<usize>, Lost> {
        let mut own = match connection.take() {
            Some(connection) => connection,
            None => self.pool.acquire().await.map_err(|_| Lost::Dissolved)?,
        };
        let left = if self.reads {
            // As alone, each statement sees what is committed.
            lockstep::run(&mut own, &self.texts, units).await.map_err(|Dissolved| Lost::Dissolved)
        } else {
            self.write(&mut own, units).await
        }?;
        *connection = Some(own);
        Ok(left)
    }

    /// Runs the units in one transaction.
    async fn write(&self, connection: &mut Connection, units: &[&dyn Unit]) -> Result<Vec<usize>, Lost> {
        let mut transaction = connection.begin().await.map_err(|_| Lost::Dissolved)?;
        match lockstep::run(&mut transaction, &self.texts, units).await {
            Ok(left) if left.len() == units.len() => {
                transaction.rollback().await.map_err(|_| Lost::Dissolved)?;
                Ok(left)
            }
            Ok(left) => match transaction.commit().await.map_err(StoreError::Postgres) {
                Ok(()) => Ok(left),
                Err(error) if error.is_lost_race() => Err(Lost::Dissolved),
                Err(error) => Err(Lost::Commit { left, error }),
            },
            Err(Dissolved) => {
                let _ = transaction.rollback().await;
                Err(Lost::Dissolved)
            }
        }
    }
}

/// Whether we look for grown tables after as many groups: often at first, when a new installation grows fast.
fn is_time_to_count(groups: u64) -> bool {
    if groups < GROUPS_PER_COUNT { groups.is_power_of_two() } else { groups.is_multiple_of(GROUPS_PER_COUNT) }
}

/// Why no connection could be made in time.
async fn why_unreachable(options: &PgConnectOptions) -> StoreError {
    let source = match tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await {
        Ok(Ok(_)) => return StoreError::Postgres(sqlx::Error::PoolTimedOut),
        Ok(Err(sqlx::Error::Io(source))) => source,
        Ok(Err(error)) => return StoreError::Postgres(error),
        Err(_) => std::io::ErrorKind::TimedOut.into(),
    };
    let address = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    StoreError::Unreachable { address, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grown_tables_are_looked_for_often_at_first_and_then_seldom() {
        let counts: Vec<u64> = (0..800).filter(|groups| is_time_to_count(*groups)).collect();
        assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768]);
    }
}
