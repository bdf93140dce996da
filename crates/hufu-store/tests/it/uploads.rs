//! Uploaded images: who owns them, how long they are kept, and how many there may be.

use hufu_store::uploads::{self, GetUpload, PutUpload};
use hufu_store::{Store, all_statements};
use hufu_testkit::raw;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::{PoolId, Timestamp, UserId};
use sqlx::{AssertSqlSafe, Row as _};

use crate::support::{NOW, migrated, other_pool, pool, seconds, unit};

unit! {
    Write Claim { pool: PoolId, user: UserId, name: Option<&'static str>, now: Timestamp } -> (), |this, tx| {
        uploads::claim(tx, &this.pool, &this.user, this.name, this.now).await
    }
}
unit! { Write Sweep { before: Timestamp } -> u64, |this, tx| uploads::sweep(tx, this.before).await }

async fn put(store: &Store, name: &str, bytes: &[u8], now: Timestamp) -> bool {
    let (name, bytes) = (name.to_owned(), bytes.to_owned());
    store.write(PutUpload { name, content_type: "image/png", bytes, capacity: 100, now }).await.unwrap()
}

async fn claim(store: &Store, user: &str, name: Option<&'static str>) {
    let user = UserId::parse(user).unwrap();
    store.write(Claim { pool: pool(), user, name, now: NOW.plus(seconds(5)) }).await.unwrap();
}

async fn get(store: &Store, name: &str) -> Option<Vec<u8>> {
    store.read(GetUpload { name: name.to_owned() }).await.unwrap().map(|(content_type, bytes)| {
        assert_eq!(content_type, "image/png");
        bytes
    })
}

/// The engine's query plan for the sum of unclaimed images.
async fn plan_of_the_sum(database: &TestDatabase) -> String {
    let (_, sum) = all_statements().into_iter().find(|(name, _)| name.ends_with("::ORPHANED_BYTES")).unwrap();
    if database.engine() == "sqlite" {
        let explain = format!("EXPLAIN QUERY PLAN {sum}");
        return raw::sqlite(database).query_row(&explain, [], |row| row.get("detail")).unwrap();
    }
    let mut connection = raw::postgres(database).await;
    // With an empty table, all plans cost the same.
    sqlx::raw_sql("SET enable_seqscan = off; SET enable_bitmapscan = off")
        .execute(&mut connection)
        .await
        .unwrap();
    let explain = AssertSqlSafe(format!("EXPLAIN {sum}"));
    let lines = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
    lines.iter().map(|line| line.get::<String, _>(0)).collect()
}

on_both_engines! {
    async fn the_pictures_of_nobody_are_summed_up_without_touching_them(database) {
        migrated(&database).await.close().await;
        let plan = plan_of_the_sum(&database).await;
        let wanted = match database.engine() {
            "sqlite" => "USING COVERING INDEX uploads_orphans",
            _ => "Index Only Scan using uploads_orphans",
        };
        assert!(plan.contains(wanted), "{plan}");
        // In SQLite, reaching a column behind a large value requires reading all pages of that value.
        let columns = match database.engine() {
            "sqlite" => "SELECT name FROM pragma_table_info('uploads') ORDER BY cid DESC LIMIT 1",
            _ => "SELECT column_name::TEXT FROM information_schema.columns
                  WHERE table_name = 'uploads' ORDER BY ordinal_position DESC LIMIT 1",
        };
        assert_eq!(raw::texts(&database, columns).await, [["bytes"]]);
    }

    async fn a_picture_is_served_while_a_photo_names_it(database) {
        let store = migrated(&database).await;
        assert!(put(&store, "one", b"1", NOW).await && put(&store, "two", b"22", NOW).await);
        assert_eq!(get(&store, "one").await, None, "nobody's photo names it");
        claim(&store, "alice", Some("one")).await;
        assert_eq!(get(&store, "one").await.as_deref(), Some(&b"1"[..]));

        claim(&store, "bob", Some("one")).await;
        let stolen = Claim { pool: other_pool(), user: UserId::parse("alice").unwrap(), name: None, now: NOW };
        store.write(stolen).await.unwrap();
        assert!(get(&store, "one").await.is_some(), "another user neither takes nor releases it");

        claim(&store, "alice", Some("two")).await;
        assert_eq!(get(&store, "one").await, None, "the photo names another one now");
        assert_eq!(get(&store, "two").await.as_deref(), Some(&b"22"[..]));
        claim(&store, "alice", None).await;
        assert_eq!(get(&store, "two").await, None);
        claim(&store, "bob", Some("one")).await;
        assert!(get(&store, "one").await.is_some(), "what was released can be claimed again");
    }

    async fn pictures_of_nobody_have_a_limit_together(database) {
        let store = migrated(&database).await;
        assert!(put(&store, "one", &[0; 60], NOW).await);
        assert!(!put(&store, "two", &[0; 41], NOW).await);
        assert!(put(&store, "two", &[0; 40], NOW).await);
        assert!(!put(&store, "three", &[0; 1], NOW).await);
        claim(&store, "alice", Some("one")).await;
        assert!(put(&store, "three", &[0; 60], NOW).await, "a picture that is a user's counts no more");
    }

    async fn orphans_are_swept_and_users_pictures_stay(database) {
        let store = migrated(&database).await;
        assert!(put(&store, "one", b"1", NOW).await && put(&store, "two", b"2", NOW).await);
        claim(&store, "alice", Some("one")).await;
        assert_eq!(store.write(Sweep { before: NOW }).await.unwrap(), 0);
        assert_eq!(store.write(Sweep { before: NOW.plus(seconds(3600)) }).await.unwrap(), 1);
        assert!(get(&store, "one").await.is_some());
        claim(&store, "alice", None).await;
        assert_eq!(store.write(Sweep { before: NOW.plus(seconds(5)) }).await.unwrap(), 0, "released 5 s later");
        assert_eq!(store.write(Sweep { before: NOW.plus(seconds(6)) }).await.unwrap(), 1);
    }
}
