//! Migrations, and a check that both engines have the same schema.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hufu_store::sealed::{Lasting, PASSING};
use hufu_store::{SchemaState, Store, StoreError};
use hufu_testkit::raw;
use hufu_testkit::{TestDatabase, on_both_engines};

use crate::support::{migrated, open};

fn files(engine: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn both_folders_hold_the_same_migrations() {
    assert_eq!(files("sqlite"), files("postgres"));
    for (number, name) in (1..).zip(files("sqlite")) {
        assert_eq!(name.split_once('_').unwrap().0, format!("{number:04}"), "numbered without gaps");
    }
}

on_both_engines! {
    async fn a_fresh_database_is_migrated_once(database) {
        let store = open(&database).await;
        let all: Vec<String> = files("sqlite").iter().map(|name| name.trim_end_matches(".sql").to_owned()).collect();
        let SchemaState::Behind(missing) = store.schema_state().await.unwrap() else { panic!("fresh") };
        assert_eq!(missing, all);
        assert_eq!(store.migrate().await.unwrap(), all);
        assert_eq!(store.schema_state().await.unwrap(), SchemaState::Current);
        assert_eq!(store.migrate().await.unwrap(), Vec::<&str>::new());
        store.close().await;

        let again = open(&database).await;
        assert_eq!(again.schema_state().await.unwrap(), SchemaState::Current);
    }

    async fn a_schema_of_a_later_program_is_seen_and_left_alone(database) {
        let store = migrated(&database).await;
        raw::execute(&database, "INSERT INTO schema_migrations (number, name) VALUES (9999, '9999_later')").await;
        assert_eq!(store.schema_state().await.unwrap(), SchemaState::Ahead(vec!["9999_later".to_owned()]));
        assert_eq!(store.migrate().await.unwrap(), Vec::<&str>::new());
    }

    async fn a_schema_of_another_program_is_refused(database) {
        let store = migrated(&database).await;
        raw::execute(&database, "UPDATE schema_migrations SET name = '0001_other' WHERE number = 1").await;
        let error = store.schema_state().await.unwrap_err();
        assert!(matches!(&error, StoreError::ForeignMigration { name } if name == "0001_other"), "{error:?}");
        store.migrate().await.unwrap_err();
    }

    async fn nodes_that_start_together_migrate_once(database) {
        let nodes: Vec<_> = (0..6)
            .map(|_| {
                let url = database.url().parse().unwrap();
                tokio::spawn(async move { Store::open(&url).await?.migrate().await })
            })
            .collect();
        let migrated = futures::future::join_all(nodes).await.into_iter().map(Result::unwrap);
        let applied: Vec<_> = migrated.map(Result::unwrap).filter(|names| !names.is_empty()).collect();
        assert_eq!(applied.len(), 1, "{applied:?}");
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM pools").await, 1, "the system pool");
    }
}

#[tokio::test]
async fn both_engines_have_the_same_tables_columns_and_indexes() {
    let [sqlite, postgres] = TestDatabase::all();
    migrated(&sqlite).await.close().await;
    migrated(&postgres).await.close().await;

    // The substring index for names, `user_search`, differs between the engines: FTS5 on SQLite, trigrams on
    // PostgreSQL.
    let of_sqlite = columns(
        &sqlite,
        "SELECT t.name, c.name, c.type, CASE c.\"notnull\" WHEN 1 THEN 'NO' ELSE 'YES' END
         FROM sqlite_master t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE 'user_search%'",
    );
    let of_postgres = columns(
        &postgres,
        "SELECT table_name::TEXT, column_name::TEXT, data_type::TEXT, is_nullable::TEXT
         FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
         WHERE table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND table_name <> 'user_search'",
    );
    let (of_sqlite, of_postgres) = (of_sqlite.await, of_postgres.await);
    assert!(of_sqlite.len() > 50, "{of_sqlite:?}");
    assert_eq!(of_sqlite, of_postgres);

    let indexes_of_sqlite = raw::texts(
        &sqlite,
        "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name NOT LIKE 'user_search%'",
    )
    .await;
    let indexes_of_postgres = raw::texts(
        &postgres,
        "SELECT tablename::TEXT, indexname::TEXT FROM pg_indexes
         WHERE schemaname = current_schema() AND tablename <> 'user_search' AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'",
    )
    .await;
    let sorted = |rows: Vec<Vec<String>>| rows.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(sorted(indexes_of_sqlite), sorted(indexes_of_postgres));
}

/// Table and column, with the class of the column's type and whether it is nullable.
async fn columns(database: &TestDatabase, sql: &str) -> BTreeMap<(String, String), (&'static str, String)> {
    let class = |name: &str| match name.to_lowercase().as_str() {
        "text" => "text",
        "bigint" | "integer" | "smallint" => "integer",
        "boolean" => "boolean",
        "blob" | "bytea" => "bytes",
        other => panic!("a column of type {other}"),
    };
    let rows = raw::texts(database, sql).await;
    rows.into_iter().map(|row| ((row[0].clone(), row[1].clone()), (class(&row[2]), row[3].clone()))).collect()
}

/// Columns of bytes that are not sealed: hashes, and pictures.
const NOT_SEALED: &[&str] = &[
    "access_keys.secret",
    "app_tokens.credential",
    "authorization_codes.hash",
    "browser_sessions.cookie",
    "device_codes.hash",
    "device_codes.user_code",
    "entry_links.hash",
    "exchanges.code_hash",
    "exchanges.refresh_hash",
    "invitations.hash",
    "login_flows.cookie",
    "login_flows.handle",
    "management_signatures.hash",
    "passcodes.code",
    "passcodes.target",
    "pushed_requests.hash",
    "qr_pictures.hash",
    "qr_pictures.image",
    "qr_tickets.cookie",
    "qr_tickets.hash",
    "qr_tickets.short_code",
    "refresh_tokens.hash",
    "refresh_tokens.successor",
    "registered_clients.hash",
    "registration_tokens.hash",
    "source_logins.browser",
    "source_logins.code",
    "source_logins.hash",
    "step_tokens.hash",
    "uploads.bytes",
    "used_jtis.hash",
    "wechat_messages.follower",
    "wechat_messages.key_hash",
    "wechat_signatures.hash",
    "wechat_signatures.message",
];

/// Otherwise a key could be taken away that still seals something.
#[tokio::test]
async fn the_change_of_the_sealing_key_knows_every_sealed_column() {
    let database = TestDatabase::sqlite();
    migrated(&database).await.close().await;
    let columns = raw::texts(
        &database,
        "SELECT t.name || '.' || c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND c.type = 'BLOB' AND t.name NOT LIKE 'user_search%'",
    );
    let columns: BTreeSet<String> = columns.await.into_iter().flatten().collect();
    let lasting = Lasting::ALL.iter().map(|column| column.as_str());
    let passing = PASSING.iter().flat_map(|(columns, _)| columns.split(", "));
    // A fact is text.
    let sealed = lasting.chain(passing).filter(|column| *column != "instance.value");
    let known: BTreeSet<String> = sealed.chain(NOT_SEALED.iter().copied()).map(str::to_owned).collect();
    assert_eq!(columns, known);
}
