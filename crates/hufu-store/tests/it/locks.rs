//! Another process that has SQLite's write lock, as `hufu apply` does next to a running server.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use futures::poll;
use hufu_store::instance::{Fact, GetFact, Ping, PutFactIfAbsent};
use hufu_store::{Store, StoreError, Tx};
use hufu_testkit::TestDatabase;

use crate::support::{migrated, unit};

/// Set in the other process to the path of the file to lock.
const LOCKS: &str = "HUFU_STORE_TEST_LOCKS";

unit! {
    Write WaitAtMost { time: Duration } -> (), |this, tx| {
        if let Tx::Sqlite(connection) = tx {
            connection.busy_timeout(this.time)?;
        }
        Ok(())
    }
}

/// A process that keeps the write lock until it is told to release it.
struct Locker {
    child: Child,
    /// Kept open so that the other process can keep printing.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Locker {
    /// Starts this test again as the other process, and returns once that process has the lock.
    fn start(test: &str, database: &TestDatabase) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(LOCKS, database.file().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with("locked")), "the other process has the lock");
        Self { child, _lines: lines }
    }

    /// Releases the lock.
    fn release(mut self) {
        self.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

/// In the other process: takes the lock, and releases it when told to.
fn lock_if_told() -> bool {
    let Some(file) = std::env::var_os(LOCKS) else { return false };
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE; UPDATE config_version SET version = version + 1").unwrap();
    println!("locked");
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
    connection.execute_batch("COMMIT").unwrap();
    true
}

async fn fact(store: &Store) -> Option<String> {
    store.read(GetFact(Fact::SealingKeyId)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_another_process_delays_writes() {
    if lock_if_told() {
        return;
    }
    let database = TestDatabase::sqlite();
    let store = migrated(&database).await;
    let locker = Locker::start("locks::a_lock_of_another_process_delays_writes", &database);
    let mut write = Box::pin(store.write(PutFactIfAbsent(Fact::SealingKeyId, "key".to_owned())));
    assert!(poll!(write.as_mut()).is_pending());
    assert!(tokio::time::timeout(Duration::from_millis(100), write.as_mut()).await.is_err(), "it waits");
    store.read(Ping).await.unwrap();
    assert_eq!(fact(&store).await, None, "readers wait for nobody");
    locker.release();
    assert_eq!(write.await.unwrap(), "key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_lasts_too_long_is_a_clear_error() {
    if lock_if_told() {
        return;
    }
    let database = TestDatabase::sqlite();
    let store = migrated(&database).await;
    store.write(WaitAtMost { time: Duration::from_millis(20) }).await.unwrap();
    let locker = Locker::start("locks::a_lock_that_lasts_too_long_is_a_clear_error", &database);
    let error = store.write(PutFactIfAbsent(Fact::SealingKeyId, "never".to_owned())).await.unwrap_err();
    assert!(matches!(&error, StoreError::Batch(why) if why.contains("locked")), "{error:?}");
    assert_eq!(fact(&store).await, None);
    locker.release();
    let write = store.write(PutFactIfAbsent(Fact::SealingKeyId, "key".to_owned())).await;
    assert_eq!(write.unwrap(), "key", "the writer goes on");
}
