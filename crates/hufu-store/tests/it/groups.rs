//! Units that share a transaction on PostgreSQL. On SQLite the same units run one after another, with the same results.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use futures::future::join_all;
use hufu_store::identities::{self, NewIdentity};
use hufu_store::sessions::{self, NewSession};
use hufu_store::users::{self, LoginRecord};
use hufu_store::wechat_messages::{self, Line, NewMessage, Received};
use hufu_store::{Read, Store, StoreError, Tx, Write, statements_in_groups, wechat_followers};
use hufu_testkit::{TestDatabase, on_both_engines, raw};
use hufu_types::{
    ApplicationId, ConnectionId, IdentityKey, IdpUserInfo, PushedMessageId, SessionId, TokenHash, User,
    UserId,
};
use sqlx::{Either, Executor as _, SqlSafeStr as _, Statement as _};

use crate::support::{Held, Hold, NOW, hash, migrated, pool, seconds};

/// Logs in whoever has this OpenID, and makes an account if nobody has it.
struct LogIn {
    openid: String,
    session: String,
    /// What the source says about the person.
    said: IdpUserInfo,
    ending: Ending,
}

#[derive(Clone, Copy, PartialEq)]
enum Ending {
    /// Only what may run in groups.
    Common,
    /// Before it writes, a statement that may not run in groups.
    Leaves,
    /// The same after it has written.
    LeavesLate,
    /// An error after it has written.
    Fails,
    /// A panic after it has written.
    Panics,
}

impl Write for LogIn {
    type Out = UserId;

    fn group(&self) -> Option<u64> {
        let mut key = DefaultHasher::new();
        self.openid.hash(&mut key);
        Some(key.finish())
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<UserId, StoreError> {
        let key = IdentityKey::wechat_openid("wx1", &self.openid);
        let known = users::by_identity(tx, &pool(), &key, &self.said).await?;
        if self.ending == Ending::Leaves {
            users::get_locked(tx, &pool(), &UserId::parse("nobody").unwrap()).await?;
        }
        let application = ApplicationId::parse("app").unwrap();
        let id = if let Some(known) = known {
            let login = LoginRecord { at: NOW, ip: Some("192.0.2.1"), application: &application, counts: 1 };
            let user = users::record_login(tx, &pool(), &known.user.id, login).await?;
            if known.differs {
                identities::set_user_info(tx, &pool(), &key, &self.said).await?;
            }
            user.ok_or(StoreError::LostRace)?.id
        } else {
            let id = UserId::parse(&format!("user-of-{}", self.session)).unwrap();
            let user = User { logins_count: 1, ..User::new(pool(), id.clone(), "test", NOW) };
            users::insert(tx, &user, None).await?;
            let identity = NewIdentity {
                connection: ConnectionId::own(),
                key,
                created_at: NOW,
                user_info: self.said.clone(),
            };
            if !identities::insert_if_free(tx, &pool(), &id, &identity).await? {
                return Err(StoreError::LostRace);
            }
            id
        };
        let session = NewSession {
            id: SessionId::parse(&self.session).unwrap(),
            application,
            connection: ConnectionId::own(),
            created_at: NOW,
            expires_at: NOW.plus(seconds(60)),
            ip: None,
            user_agent: None,
        };
        sessions::insert(tx, &pool(), &id, &session, None).await?;
        match self.ending {
            Ending::Common | Ending::Leaves => Ok(id),
            Ending::LeavesLate => {
                users::get_locked(tx, &pool(), &id).await?;
                Ok(id)
            }
            Ending::Fails => Err(StoreError::Corrupt { column: "as the test wants" }),
            Ending::Panics => panic!("as the test wants"),
        }
    }
}

/// Finds a user.
struct Find {
    id: String,
    /// Whether it needs a statement that may not run in groups.
    leaves: bool,
}

impl Read for Find {
    type Out = Option<User>;

    fn may_share(&self) -> bool {
        true
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<User>, StoreError> {
        let id = UserId::parse(&self.id).unwrap();
        let found = users::get(tx, &pool(), &id).await?;
        if self.leaves {
            users::with_merged(tx, &pool(), &id).await?;
        }
        Ok(found)
    }
}

/// Receives a message of an official account, which says that its follower follows.
struct Receive {
    follower: u8,
    /// What the message says.
    message: &'static str,
    nonce: u8,
    is_relayed: bool,
}

impl Write for Receive {
    type Out = Received;

    fn group(&self) -> Option<u64> {
        Some(self.follower.into())
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Received, StoreError> {
        let Self { follower, message, nonce, is_relayed } = self;
        let id = format!("{follower:03}{nonce:03}{message}");
        let message = NewMessage {
            id: PushedMessageId::parse(&id).unwrap(),
            line: Line { connection: ConnectionId::own(), follower: TokenHash([*follower; 32]) },
            key: hash(&format!("{follower} {message}")),
            signature: Some(hash(&format!("signature {follower} {nonce}"))),
            is_covered: false,
            kind: "subscribe".to_owned(),
            body: is_relayed.then(|| b"sealed".to_vec()),
            sent_at: NOW,
            received_at: NOW,
        };
        let received = wechat_messages::receive(tx, &pool(), &message).await?;
        if received == Received::First {
            wechat_followers::put(tx, &pool(), "wechat:wx1", &format!("o{follower}"), true, NOW).await?;
        }
        Ok(received)
    }
}

/// One message of each of these followers.
fn messages(followers: std::ops::Range<u8>, message: &'static str, nonce: u8) -> Vec<Receive> {
    followers.map(|follower| Receive { follower, message, nonce, is_relayed: follower % 2 == 0 }).collect()
}

fn log_in(openid: &str, session: &str) -> LogIn {
    let said = IdpUserInfo::default();
    LogIn { openid: openid.to_owned(), session: session.to_owned(), said, ending: Ending::Common }
}

/// Holds every lane with a login, so that what is queued meanwhile is one group.
fn occupy(store: &Store) -> Vec<(tokio::task::JoinHandle<Result<UserId, StoreError>>, Hold)> {
    let mut held = Vec::new();
    let lanes = if store.engine() == "postgres" { 2 } else { 1 };
    for lane in 0..lanes {
        let (unit, hold) = Held::new(log_in(&format!("lane{lane}"), &format!("lane{lane}")));
        let task = tokio::spawn({
            let store = store.clone();
            async move { store.write(unit).await }
        });
        hold.until_worked();
        held.push((task, hold));
    }
    held
}

/// Writes the units as one group, where the engine has groups.
async fn write_together<W: Write>(store: &Store, units: Vec<W>) -> Vec<Result<W::Out, StoreError>> {
    let held = occupy(store);
    let mut waiting: Vec<_> = units.into_iter().map(|unit| Box::pin(store.write(unit))).collect();
    for unit in &mut waiting {
        assert!(futures::poll!(unit.as_mut()).is_pending());
    }
    // With one lane free the whole queue is one group.
    for (task, hold) in held {
        hold.release();
        task.await.unwrap().unwrap();
    }
    join_all(waiting).await
}

/// How many transactions wrote these sessions.
async fn transactions(database: &TestDatabase, sessions: &str) -> usize {
    let sql = format!("SELECT DISTINCT CAST(xmin AS TEXT) FROM sessions WHERE id LIKE '{sessions}%'");
    raw::texts(database, &sql).await.len()
}

async fn rows(database: &TestDatabase, table: &str) -> usize {
    raw::texts(database, &format!("SELECT pool_id FROM {table}")).await.len()
}

on_both_engines! {
    async fn logins_that_wait_are_written_together(database) {
        let store = migrated(&database).await;
        for n in 0..8 {
            store.write(log_in(&format!("known{n}"), &format!("before{n}"))).await.unwrap();
        }
        let known = (0..8).map(|n| log_in(&format!("known{n}"), &format!("known{n}")));
        let new = (0..8).map(|n| log_in(&format!("new{n}"), &format!("new{n}")));
        let answers = write_together(&store, known.chain(new).collect()).await;
        for (n, answer) in answers.into_iter().enumerate() {
            let expected = if n < 8 { format!("user-of-before{n}") } else { format!("user-of-new{}", n - 8) };
            assert_eq!(answer.unwrap().as_str(), expected);
        }
        if store.engine() == "postgres" {
            assert_eq!(transactions(&database, "known").await, 1);
            assert_eq!(transactions(&database, "new").await, 1);
        }
        let counts = "SELECT CAST(logins_count AS TEXT) FROM users WHERE id LIKE 'user-of-before%'";
        assert_eq!(raw::texts(&database, counts).await, vec![vec!["2".to_owned()]; 8]);
    }

    async fn what_a_source_says_anew_is_written_together_as_well(database) {
        let store = migrated(&database).await;
        let saying = |n: i32, session: &str, name: &str| {
            let said = serde_json::from_value(serde_json::json!({ "nickname": format!("{name}{n}") })).unwrap();
            LogIn { said, ..log_in(&format!("known{n}"), &format!("{session}{n}")) }
        };
        for n in 0..6 {
            store.write(saying(n, "before", "was")).await.unwrap();
        }
        // Three say what they said before, and three something else.
        let units = (0..6).map(|n| saying(n, "after", if n < 3 { "was" } else { "is" })).collect();
        for answer in write_together(&store, units).await {
            answer.unwrap();
        }
        if store.engine() == "postgres" {
            assert_eq!(transactions(&database, "after").await, 1);
        }
        let kept = "SELECT user_info FROM identities WHERE value LIKE 'known%' ORDER BY value";
        let wanted = (0..6).map(|n| vec![format!(r#"{{"nickname":"{}{n}"}}"#, if n < 3 { "was" } else { "is" })]);
        assert_eq!(raw::texts(&database, kept).await, wanted.collect::<Vec<_>>());
    }

    async fn two_logins_of_one_identity_make_one_account(database) {
        let store = migrated(&database).await;
        let units = (0..6).map(|n| log_in("same", &format!("s{n}"))).collect();
        let answers = write_together(&store, units).await;
        let ids: Vec<UserId> = answers.into_iter().map(Result::unwrap).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(
            raw::texts(&database, "SELECT CAST(logins_count AS TEXT) FROM users WHERE id LIKE 'user-of-s%'").await,
            [["6"]]
        );
    }

    async fn two_identities_of_one_account_count_both_logins(database) {
        let store = migrated(&database).await;
        let id = store.write(log_in("first", "before")).await.unwrap();
        let sql = format!(
            "INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at)
             SELECT pool_id, realm, kind, 'second', user_id, connection_id, created_at FROM identities
             WHERE user_id = '{}'",
            id.as_str()
        );
        raw::execute(&database, &sql).await;
        let answers = write_together(&store, vec![log_in("first", "one"), log_in("second", "two")]).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == id));
        let sql = format!("SELECT CAST(logins_count AS TEXT) FROM users WHERE id = '{}'", id.as_str());
        assert_eq!(raw::texts(&database, &sql).await, [["3"]]);
    }

    async fn who_needs_another_statement_runs_alone(database) {
        for ending in [Ending::Leaves, Ending::LeavesLate] {
            let store = migrated(&database).await;
            let mut units: Vec<LogIn> = (0..5).map(|n| log_in(&format!("p{n}"), &format!("p{n}"))).collect();
            units[2].ending = ending;
            for answer in write_together(&store, units).await {
                answer.unwrap();
            }
            assert_eq!(rows(&database, "sessions").await, rows(&database, "users").await);
            if store.engine() == "postgres" && ending == Ending::Leaves {
                assert_eq!(transactions(&database, "p").await, 2, "the other four stay together");
            }
            store.close().await;
            raw::execute(&database, "DELETE FROM sessions").await;
            raw::execute(&database, "DELETE FROM identities").await;
            raw::execute(&database, "DELETE FROM users").await;
        }
    }

    async fn who_fails_fails_alone_and_leaves_nothing(database) {
        let store = migrated(&database).await;
        let mut units: Vec<LogIn> = (0..6).map(|n| log_in(&format!("p{n}"), &format!("p{n}"))).collect();
        units[1].ending = Ending::Fails;
        units[4].ending = Ending::Panics;
        let answers = write_together(&store, units).await;
        assert!(matches!(&answers[1], Err(StoreError::Corrupt { .. })), "{answers:?}");
        assert!(matches!(&answers[4], Err(StoreError::Panicked)), "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4, "{answers:?}");
        let lanes = if store.engine() == "postgres" { 2 } else { 1 };
        for table in ["users", "identities", "sessions"] {
            assert_eq!(rows(&database, table).await, 4 + lanes, "{table}");
        }
    }

    /// Each gets its own answer, also one that needs another statement.
    async fn reads_at_once_are_answered_each(database) {
        let store = migrated(&database).await;
        for n in 0..8 {
            store.write(log_in(&format!("p{n}"), &format!("s{n}"))).await.unwrap();
        }
        let reads = (0..200).map(|n| Find { id: format!("user-of-s{}", n % 10), leaves: n % 7 == 0 });
        let answers = join_all(reads.map(|unit| store.read(unit))).await;
        for (n, answer) in answers.into_iter().enumerate() {
            let expected = (n % 10 < 8).then(|| format!("user-of-s{}", n % 10));
            assert_eq!(answer.unwrap().map(|user| user.id.as_str().to_owned()), expected);
        }
        store.close().await;
    }

    async fn messages_that_wait_are_written_together(database) {
        let store = migrated(&database).await;
        let answers = write_together(&store, messages(0..16, "one", 1)).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == Received::First));
        assert_eq!(rows(&database, "wechat_followers").await, 16);
        assert_eq!(rows(&database, "jobs").await, 8);
        if store.engine() == "postgres" {
            let sql = "SELECT DISTINCT CAST(xmin AS TEXT) FROM wechat_messages";
            assert_eq!(raw::texts(&database, sql).await.len(), 1);
        }
    }

    async fn messages_that_come_again_keep_the_others_from_nothing(database) {
        let store = migrated(&database).await;
        for message in messages(0..16, "one", 1) {
            assert_eq!(store.write(message).await.unwrap(), Received::First);
        }
        // Some come again, some with a signature that brought another message.
        let mut next = messages(0..8, "one", 1);
        next.extend(messages(8..12, "two", 1));
        next.extend(messages(12..16, "two", 2));
        next.extend(messages(16..24, "one", 1));
        let answers = write_together(&store, next).await;
        for (number, answer) in answers.into_iter().enumerate() {
            let expected = match number {
                0..8 => Received::Again(NOW),
                8..12 => Received::Forged,
                _ => Received::First,
            };
            assert_eq!(answer.unwrap(), expected, "{number}");
        }
        assert_eq!(rows(&database, "wechat_messages").await, 16 + 4 + 8);
        if store.engine() == "postgres" {
            let sql = "SELECT DISTINCT CAST(xmin AS TEXT) FROM wechat_messages";
            assert_eq!(raw::texts(&database, sql).await.len(), 16 + 1);
        }
    }

    async fn a_store_that_closes_finishes_what_waits_and_takes_no_more_logins(database) {
        let store = migrated(&database).await;
        let held = occupy(&store);
        let mut waiting = Box::pin(store.write(log_in("p", "p")));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        let closing = tokio::spawn(store.clone().close());
        for (task, hold) in held {
            hold.release();
            task.await.unwrap().unwrap();
        }
        waiting.await.unwrap();
        closing.await.unwrap();
        assert!(matches!(store.write(log_in("late", "late")).await, Err(StoreError::Stopped)));
    }
}

/// Of tables that fill up within seconds, PostgreSQL would know nothing for a minute or more.
#[tokio::test]
async fn tables_that_grow_are_counted() {
    let database = TestDatabase::postgres();
    let store = migrated(&database).await;
    raw::execute(&database, "ALTER TABLE users SET (autovacuum_enabled = off)").await;
    let counted =
        "SELECT CAST(n_distinct AS TEXT) FROM pg_stats WHERE tablename = 'users' AND attname = 'pool_id'";
    assert!(raw::texts(&database, counted).await.is_empty());
    let mut batch = 0;
    // Whoever logs in need not wait for the count, which a later look finds.
    let grown = async {
        loop {
            let units = (0..32).map(|n| log_in(&format!("b{batch}n{n}"), &format!("b{batch}n{n}")));
            join_all(units.map(|unit| store.write(unit))).await.into_iter().for_each(|id| drop(id.unwrap()));
            batch += 1;
            let known = raw::texts(&database, counted).await;
            if !known.is_empty() {
                return known;
            }
        }
    };
    let known = tokio::time::timeout(Duration::from_secs(60), grown).await.unwrap();
    assert_eq!(known, [["1"]], "one pool");
    store.close().await;
}

/// Every statement that may run in groups, and only of a form that can.
#[tokio::test]
async fn postgres_prepares_the_statements_of_groups() {
    let database = TestDatabase::postgres();
    migrated(&database).await.close().await;
    let mut connection = raw::postgres(&database).await;
    for sql in statements_in_groups() {
        let statement = connection.prepare(sqlx::SqlStr::from_static(sql)).await.unwrap();
        let Some(Either::Left(parameters)) = statement.parameters() else { panic!("no types: {sql}") };
        let names: Vec<&str> = parameters.iter().map(sqlx::TypeInfo::name).collect();
        let text = hufu_store::over_arrays(sql, &names).unwrap_or_else(|| panic!("of another form: {sql}"));
        let prepared = connection.prepare(sqlx::AssertSqlSafe(text.as_str()).into_sql_str()).await;
        prepared.unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}
