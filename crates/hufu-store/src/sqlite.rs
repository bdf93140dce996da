//! SQLite: one writer thread with group commit, and a few reader threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::unit::Unit;
use crate::{StoreError, Tx};

/// How many units may wait for the writer before new ones are rejected.
const WRITE_QUEUE: usize = 4096;
/// The maximum number of units per `COMMIT`.
const MAX_BATCH: usize = 256;
/// The number of reader threads. More would only compete with the writer for the two cores of a small
/// machine.
const READERS: usize = 2;
/// How many units may wait for a reader before new ones are rejected.
const READ_QUEUE: usize = 1024;
/// The number of prepared statements cached per connection. Large enough for all registered statements.
const STATEMENT_CACHE: usize = 512;
/// How long to wait while another process has the write lock (`apply` next to `serve`).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between attempts to switch to write-ahead logging.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// The way to the threads that own the connections.
#[derive(Clone)]
pub(crate) struct Sqlite {
    writer: mpsc::WeakSender<Waiting>,
    reader: mpsc::WeakSender<Waiting>,
    running: Arc<std::sync::Mutex<Option<Running>>>,
}

/// Keeps the threads running. They end when the senders are dropped, by `close` or with the last clone.
struct Running {
    senders: [mpsc::Sender<Waiting>; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Sqlite {
    /// Opens or creates the file and starts the threads.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut threads = Vec::new();
        let (writer, write_queue) = mpsc::channel(WRITE_QUEUE);
        let connection = open_writer(path)?;
        threads.push(spawn("sqlite-writer", move || write_loop(connection, write_queue))?);

        let (reader, read_queue) = mpsc::channel(READ_QUEUE);
        let read_queue = Arc::new(Mutex::new(read_queue));
        for _ in 0..READERS {
            let connection = open_reader(path)?;
            let queue = read_queue.clone();
            threads.push(spawn("sqlite-reader", move || read_loop(connection, &queue))?);
        }
        Ok(Self {
            writer: writer.downgrade(),
            reader: reader.downgrade(),
            running: Arc::new(std::sync::Mutex::new(Some(Running { senders: [writer, reader], threads }))),
        })
    }

    pub(crate) async fn write(&self, unit: Arc<dyn Unit>) -> Result<(), StoreError> {
        enqueue(&self.writer, unit)?.await.map_err(|_| StoreError::Stopped)?
    }

    pub(crate) async fn read(&self, unit: Arc<dyn Unit>) -> Result<(), StoreError> {
        enqueue(&self.reader, unit)?.await.map_err(|_| StoreError::Stopped)?
    }

    /// Lets the threads finish the queued units and joins them. Later units are rejected, also those sent
    /// through other clones.
    pub(crate) fn close(self) {
        let running = self.running.lock().map(|mut running| running.take()).unwrap_or_default();
        let Some(Running { senders, threads }) = running else { return };
        drop(senders);
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn enqueue(
    queue: &mpsc::WeakSender<Waiting>,
    unit: Arc<dyn Unit>,
) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
    let queue = queue.upgrade().ok_or(StoreError::Stopped)?;
    let (caller, answer) = oneshot::channel();
    queue.try_send(Waiting { unit, result: None, caller }).map_err(|error| match error {
        TrySendError::Full(_) => StoreError::Overloaded,
        TrySendError::Closed(_) => StoreError::Stopped,
    })?;
    Ok(answer)
}

/// A unit in the queue of a thread, with the way back to its caller.
struct Waiting {
    unit: Arc<dyn Unit>,
    result: Option<Result<(), StoreError>>,
    caller: oneshot::Sender<Result<(), StoreError>>,
}

impl Waiting {
    /// Runs the unit once and keeps its result; false means to roll back.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // rusqlite never waits, so one poll finishes the unit.
        let poll = || self.unit.run(tx).now_or_never().unwrap_or(Err(StoreError::Stopped));
        // A unit that panics is rolled back; the thread and the other units go on.
        let result = catch_unwind(AssertUnwindSafe(poll)).unwrap_or(Err(StoreError::Panicked));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    /// Gives the result to the caller, or `failure` if the batch was lost.
    fn answer(self, failure: Option<&str>) {
        let result = match (self.result, failure) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(())), None) => Ok(()),
            (_, Some(failure)) => Err(StoreError::Batch(failure.to_owned())),
            (None, None) => Err(StoreError::Stopped),
        };
        // The caller may be gone; the unit is done all the same.
        let _ = self.caller.send(result);
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|source| StoreError::File { path: name.to_owned(), source })
}

fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    make_private(path)?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    keep_plans(&connection)?;
    turn_on_write_ahead_log(&connection)?;
    // FULL: a login that has been answered survives a power failure. WAL: readers never wait. A checkpoint
    // blocks the writer for as long as there are pages to copy, so checkpoints run often: every 1,000 pages,
    // or about 4 MiB. A larger page cache costs memory, and time at each commit: where a page was split, SQLite goes
    // through the whole cache. What is not in it is in the file cache of the system.
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA wal_autocheckpoint = 1000;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -8192;",
    )?;
    Ok(connection)
}

/// SQLite ignores the busy timeout here: if two connections have a shared lock and both want the exclusive
/// lock, neither would get it. Retrying makes nodes that start together on a new file take turns.
fn turn_on_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match connection.execute_batch("PRAGMA journal_mode = WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            done => return done,
        }
    }
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    keep_plans(&connection)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;")?;
    Ok(connection)
}

/// Plans each statement once. Otherwise, a SQLite built with STAT4 plans again after every bind.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Makes a new database file readable only by its owner.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let failed = |path: PathBuf| move |source| StoreError::File { path: path.display().to_string(), source };
    // Not created: a mistyped path would become a second, empty database.
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty() && !p.is_dir()) {
        return Err(StoreError::NoFolder { folder: folder.display().to_string() });
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(failed(path.to_owned()))
}

fn write_loop(mut connection: Connection, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch: Vec<Waiting> = Vec::with_capacity(MAX_BATCH);
    while queue.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
        let ran = run_batch(&mut connection, &mut batch);
        // Units that found nothing to do, as most claims of jobs, cost no write to the disk.
        if let Ok(written @ 1..) = ran {
            metrics::histogram!("hufu_store_batch_size").record(f64::from(written));
        }
        let failure = ran.err().map(|error| error.to_string());
        if let Some(failure) = &failure {
            tracing::error!(error = %failure, units = batch.len(), "a batch of writes was lost");
            if !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK");
            }
        }
        for unit in batch.drain(..) {
            unit.answer(failure.as_deref());
        }
    }
    // Leaves the database in a single file.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

/// Runs all units and commits them at once. If one fails, all run again, each in its own savepoint. Savepoints from the
/// start would cost every unit a copy of each page that it changes. Returns how many of them wrote something.
fn run_batch(connection: &mut Connection, batch: &mut [Waiting]) -> rusqlite::Result<u32> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let written = if let Some(written) = run_without_savepoints(connection, batch)? {
        written
    } else {
        metrics::counter!("hufu_store_groups_dissolved_total").increment(1);
        connection.prepare_cached("ROLLBACK")?.execute([])?;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        run_in_savepoints(connection, batch)?
    };
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(written)
}

/// Runs the units until one fails. Returns how many wrote something, if none did.
fn run_without_savepoints(
    connection: &mut Connection,
    batch: &mut [Waiting],
) -> rusqlite::Result<Option<u32>> {
    let mut written = 0;
    for unit in batch {
        let before = connection.total_changes();
        let keep = unit.run(&mut Tx::Sqlite(connection));
        check_transaction(connection)?;
        if !keep {
            return Ok(None);
        }
        written += u32::from(connection.total_changes() != before);
    }
    Ok(Some(written))
}

/// Runs each unit in its own savepoint, and rolls back those that fail. Returns how many wrote something.
fn run_in_savepoints(connection: &mut Connection, batch: &mut [Waiting]) -> rusqlite::Result<u32> {
    let mut written = 0;
    for unit in batch {
        connection.prepare_cached("SAVEPOINT unit")?.execute([])?;
        let before = connection.total_changes();
        let keep = unit.run(&mut Tx::Sqlite(connection));
        check_transaction(connection)?;
        if keep {
            written += u32::from(connection.total_changes() != before);
        } else {
            connection.prepare_cached("ROLLBACK TO unit")?.execute([])?;
        }
        connection.prepare_cached("RELEASE unit")?.execute([])?;
    }
    Ok(written)
}

/// Fails if the transaction has ended. On a full disk or an I/O error, for example, SQLite rolls back all of it.
fn check_transaction(connection: &Connection) -> rusqlite::Result<()> {
    if !connection.is_autocommit() {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT);
    let why = "an error in one unit ended the transaction of all".to_owned();
    Err(rusqlite::Error::SqliteFailure(code, Some(why)))
}

fn read_loop(mut connection: Connection, queue: &Mutex<mpsc::Receiver<Waiting>>) {
    loop {
        // Only held while waiting for a unit. Meanwhile, the other reader waits for the lock.
        let Some(mut unit) = queue.blocking_lock().blocking_recv() else { return };
        // A transaction gives a unit with several statements a consistent snapshot.
        let _ = connection.prepare_cached("BEGIN").and_then(|mut s| s.execute([]));
        unit.run(&mut Tx::Sqlite(&mut connection));
        // A transaction left open would keep showing the old snapshot.
        if !connection.is_autocommit() {
            let _ = connection.prepare_cached("ROLLBACK").and_then(|mut s| s.execute([]));
        }
        unit.answer(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::{WithOutput, Writing};
    use crate::{Value, Write};

    /// Inserts numbers, and fails if one of them is negative.
    struct Insert(Vec<i64>);

    impl Write for Insert {
        type Out = ();

        async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
            for number in &self.0 {
                tx.execute("INSERT INTO numbers VALUES ($1)", &[Value::from(*number)]).await?;
            }
            if self.0.iter().any(|number| *number < 0) { Err(StoreError::LostRace) } else { Ok(()) }
        }
    }

    #[test]
    fn a_batch_counts_the_units_that_wrote_something() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE numbers (number BIGINT)").unwrap();
        for (units, written) in [
            (vec![], 0),
            (vec![vec![]], 0),
            (vec![vec![], vec![]], 0),
            (vec![vec![1]], 1),
            (vec![vec![], vec![1, 2, 3], vec![], vec![4]], 2),
            (vec![vec![5, -1], vec![6]], 1),
        ] {
            let mut batch: Vec<_> = units.into_iter().map(waiting).collect();
            assert_eq!(run_batch(&mut connection, &mut batch).unwrap(), written);
        }
    }

    fn waiting(numbers: Vec<i64>) -> Waiting {
        let unit = Arc::new(Writing(WithOutput::new(Insert(numbers))));
        Waiting { unit, result: None, caller: oneshot::channel().0 }
    }
}
