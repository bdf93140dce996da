//! How units run: completely or not at all, even if the caller is gone, and answered only once they are
//! durable.

use std::future::Future;
use std::pin::Pin;

use futures::future::{join_all, maybe_done};
use futures::poll;
use hufu_store::instance::{Fact, GetFact, Ping, PutFactIfAbsent};
use hufu_store::{StoreError, Tx, config};
use hufu_testkit::raw;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::{Pool, PoolId, PoolSettings};

use crate::support::{Held, NOW, migrated, unit};

/// Inserts a pool with this name, then ends like `ending`.
fn make(name: &str, ending: Ending) -> MakePool {
    MakePool { name: name.to_owned(), ending }
}

#[derive(Clone, Copy)]
enum Ending {
    Well,
    Error,
    Panic,
}

unit! {
    Write MakePool { name: String, ending: Ending } -> (), |this, tx| {
        let pool = Pool { id: PoolId::parse(&this.name).unwrap(), name: this.name.clone(), settings: PoolSettings::default() };
        config::insert_pool(tx, &pool, NOW).await?;
        match this.ending {
            Ending::Well => Ok(()),
            Ending::Error => Err(StoreError::Corrupt { column: "as the test wants" }),
            Ending::Panic => panic!("as the test wants"),
        }
    }
}
unit! {
    Write Synchronous {} -> Option<(i64, String, bool)>, |_this, tx| Ok(match tx {
        Tx::Sqlite(connection) => Some((
            connection.pragma_query_value(None, "synchronous", |row| row.get(0))?,
            connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
            connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))?,
        )),
        Tx::Postgres(_) | Tx::Group(_) => None,
    })
}

/// A unit that is queued for the writer or running.
type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

/// Queues the units for the writer, in order.
async fn enqueue<'a>(units: impl IntoIterator<Item = Waiting<'a>>) -> Vec<Waiting<'a>> {
    let mut waiting: Vec<_> = units.into_iter().collect();
    for unit in &mut waiting {
        assert!(poll!(unit.as_mut()).is_pending());
    }
    waiting
}

async fn pools(database: &TestDatabase) -> Vec<String> {
    let rows = raw::texts(database, "SELECT id FROM pools WHERE id <> 'system' ORDER BY id").await;
    rows.into_iter().flatten().collect()
}

on_both_engines! {
    async fn a_unit_that_fails_is_rolled_back_alone(database) {
        let store = migrated(&database).await;
        let (held, hold) = Held::new(make("first", Ending::Well));
        let held = tokio::spawn({ let store = store.clone(); async move { store.write(held).await } });
        hold.until_worked();
        // On SQLite these are queued behind the held unit and share the next commit. On PostgreSQL each has a
        // connection, and may be answered before the next one is sent.
        let endings = [Ending::Well, Ending::Error, Ending::Well, Ending::Panic, Ending::Well];
        let units = (0..).zip(endings).map(|(n, ending)| -> Waiting<'_> {
            Box::pin(store.write(make(&format!("pool{n}"), ending)))
        });
        let mut waiting: Vec<_> = units.map(maybe_done).map(Box::pin).collect();
        for unit in &mut waiting {
            let answered = poll!(unit.as_mut()).is_ready();
            assert!(!answered || store.engine() == "postgres");
        }
        hold.release();
        held.await.unwrap().unwrap();
        join_all(waiting.iter_mut().map(Pin::as_mut)).await;
        let answers: Vec<_> = waiting.iter_mut().filter_map(|unit| unit.as_mut().take_output()).collect();
        assert!(matches!(&answers[1], Err(StoreError::Corrupt { .. })), "{answers:?}");
        assert!(matches!(&answers[3], Err(StoreError::Panicked)), "{answers:?}");
        assert!(answers[0].is_ok() && answers[2].is_ok() && answers[4].is_ok(), "{answers:?}");
        assert_eq!(pools(&database).await, ["first", "pool0", "pool2", "pool4"]);
    }

    async fn a_statement_that_the_engine_refuses_rolls_back_its_unit_alone(database) {
        let store = migrated(&database).await;
        let again = store.write(make("system", Ending::Well));
        let (again, other) = futures::join!(again, store.write(make("other", Ending::Well)));
        assert!(matches!(again, Err(StoreError::Sqlite(_) | StoreError::Postgres(_))), "{again:?}");
        other.unwrap();
        assert_eq!(pools(&database).await, ["other"]);
    }

    async fn a_unit_whose_caller_is_gone_still_commits(database) {
        let store = migrated(&database).await;
        let (held, hold) = Held::new(PutFactIfAbsent(Fact::SealingKeyId, "the first".to_owned()));
        {
            let mut caller = Box::pin(store.write(held));
            assert!(poll!(caller.as_mut()).is_pending());
            hold.until_worked();
        }
        // The caller is gone. A unit that needs the same row waits until the abandoned unit has ended.
        let later = PutFactIfAbsent(Fact::SealingKeyId, "the second".to_owned());
        let later = tokio::spawn({ let store = store.clone(); async move { store.write(later).await } });
        hold.release();
        assert_eq!(later.await.unwrap().unwrap(), "the first");
    }

    async fn what_is_answered_is_committed(database) {
        let store = migrated(&database).await;
        for n in 0..10 {
            let name = format!("pool{n}");
            store.write(make(&name, Ending::Well)).await.unwrap();
            assert!(pools(&database).await.contains(&name), "another connection sees it");
        }
    }

    async fn a_closed_store_has_finished_what_waited_and_takes_nothing_more(database) {
        let store = migrated(&database).await;
        let (held, hold) = Held::new(make("running", Ending::Well));
        let running = tokio::spawn({ let store = store.clone(); async move { store.write(held).await } });
        hold.until_worked();
        let closing = tokio::spawn(store.clone().close());
        // A clone that is still alive does not keep the database open.
        while !matches!(store.read(Ping).await, Err(StoreError::Stopped)) {
            tokio::task::yield_now().await;
        }
        hold.release();
        running.await.unwrap().unwrap();
        closing.await.unwrap();
        assert!(matches!(store.write(make("late", Ending::Well)).await, Err(StoreError::Stopped)));
        store.close().await;
        assert_eq!(pools(&database).await, ["running"]);
    }
}

/// A group commit step by step: before its single `COMMIT`, nothing is answered or visible.
#[tokio::test(flavor = "multi_thread")]
async fn no_unit_of_a_batch_is_answered_before_its_commit() {
    let database = TestDatabase::sqlite();
    let store = migrated(&database).await;
    let (first, at_first) = Held::new(make("first", Ending::Well));
    let (middle, at_middle) = Held::new(make("middle", Ending::Well));
    let first = enqueue([Box::pin(store.write(first)) as Waiting<'_>]).await;
    at_first.until_worked();
    let batch: [Waiting<'_>; 3] = [
        Box::pin(store.write(make("early", Ending::Well))),
        Box::pin(store.write(middle)),
        Box::pin(store.write(make("late", Ending::Well))),
    ];
    let mut batch = enqueue(batch).await;
    at_first.release();
    join_all(first).await.pop().unwrap().unwrap();

    // `early` has run and `middle` is running, in one transaction that is not yet committed.
    at_middle.until_worked();
    assert_eq!(pools(&database).await, ["first"]);
    for unit in &mut batch {
        assert!(poll!(unit.as_mut()).is_pending());
    }
    at_middle.release();
    join_all(batch).await.into_iter().for_each(Result::unwrap);
    assert_eq!(pools(&database).await, ["early", "first", "late", "middle"]);
}

#[tokio::test]
async fn the_writer_of_sqlite_flushes_every_commit_to_the_disk() {
    let store = migrated(&TestDatabase::sqlite()).await;
    let full = 2;
    assert_eq!(store.write(Synchronous {}).await.unwrap(), Some((full, "wal".to_owned(), true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_loses_nothing() {
    let database = TestDatabase::sqlite();
    let store = migrated(&database).await;
    let (blocker, hold) = Held::new(make("blocker", Ending::Well));
    let blocker = enqueue([Box::pin(store.write(blocker)) as Waiting<'_>]).await;
    hold.until_worked();

    let mut waiting: Vec<Waiting<'_>> = Vec::new();
    let refused = loop {
        let mut unit: Waiting<'_> =
            Box::pin(store.write(make(&format!("pool{}", waiting.len()), Ending::Well)));
        match poll!(unit.as_mut()) {
            std::task::Poll::Pending => waiting.push(unit),
            std::task::Poll::Ready(answer) => break answer.unwrap_err(),
        }
        assert!(waiting.len() < 1_000_000, "the queue is bounded");
    };
    assert!(matches!(refused, StoreError::Overloaded), "{refused:?}");
    store.read(GetFact(Fact::MadeByDev)).await.unwrap();

    hold.release();
    let waited = waiting.len();
    join_all(blocker.into_iter().chain(waiting)).await.into_iter().for_each(Result::unwrap);
    assert_eq!(pools(&database).await.len(), waited + 1);
    store.write(make("after", Ending::Well)).await.unwrap();
}
