//! Every registered statement, on both engines.

use std::collections::{HashMap, HashSet};

use hufu_store::{all_statements, statements_of};
use hufu_testkit::TestDatabase;
use hufu_testkit::raw;
use sqlx::{Column as _, Either, Executor as _, Statement as _, TypeInfo as _};

use crate::support::migrated;

#[tokio::test]
async fn sqlite_prepares_all() {
    let database = TestDatabase::sqlite();
    migrated(&database).await.close().await;
    let connection = raw::sqlite(&database);
    for (name, sql) in [all_statements(), statements_of("sqlite")].concat() {
        connection.prepare(sql).unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"));
    }
}

/// Also checks that PostgreSQL infers only parameter types that the store sends.
#[tokio::test]
async fn postgres_prepares_all() {
    let database = TestDatabase::postgres();
    migrated(&database).await.close().await;
    let mut connection = raw::postgres(&database).await;
    for (name, sql) in [all_statements(), statements_of("postgres")].concat() {
        let statement = connection.prepare(sqlx::SqlStr::from_static(sql)).await;
        let statement = statement.unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"));
        let Some(Either::Left(parameters)) = statement.parameters() else { panic!("{name}: no types") };
        for parameter in parameters {
            assert!(
                ["TEXT", "INT8", "BOOL", "BYTEA"].contains(&parameter.name()),
                "{name}: {parameter}\n{sql}"
            );
        }
        for column in statement.columns() {
            let types = ["TEXT", "INT8", "BOOL", "BYTEA", "INT4", "INT2"];
            assert!(types.contains(&column.type_info().name()), "{name}: {column:?}\n{sql}");
        }
    }
}

#[test]
fn no_statement_stands_twice() {
    let mut seen = HashMap::new();
    for (name, sql) in all_statements() {
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(other) = seen.insert(sql.clone(), name) {
            panic!("{name} and {other} are the same statement: {sql}");
        }
    }
}

/// Statements on tenant tables that do not name the pool, and why they cannot mix tenants.
const WITHOUT_POOL: &[(&str, &str)] = &[
    ("authorization_codes::SWEEP", "deletes what has ended in all pools"),
    ("config::connections::LIST_CONNECTIONS", "nodes hold the configuration of all pools"),
    ("config::applications::LIST_APPLICATIONS", "nodes hold the configuration of all pools"),
    ("config::applications::LIST_SWITCHED_ON", "nodes hold the configuration of all pools"),
    ("config::LIST_SUBSCRIBERS", "nodes hold the configuration of all pools"),
    ("outages::LIST", "nodes hold the configuration of all pools"),
    (
        "config::applications::APPLICATION_HOLDER",
        "ids of applications are unique in the instance; it asks for the pool",
    ),
    (
        "config::connections::FILE_HOLDER",
        "verification files are unique in the instance; it asks for the pool",
    ),
    (
        "config::applications::SECRETS_MADE_BY",
        "an administrator is dismissed in all pools; it asks for the pools",
    ),
    ("config::applications::RESOURCE_HOLDERS", "resources are unique in the instance; it asks for the pools"),
    ("imports::TAKEN_ELSEWHERE", "ids of users are unique in the instance; it asks for the other pools"),
    ("users::EXPIRED", "sweeps all pools; each account is deleted by its own"),
    ("browser_sessions::SWEEP", "sweeps all pools"),
    ("deliveries::SWEEP", "sweeps all pools"),
    ("device_codes::FIND", "a person types a code that names no pool; it asks for the pool"),
    ("device_codes::SWEEP", "sweeps all pools"),
    ("exchanges::SWEEP", "sweeps all pools"),
    ("flows::SWEEP", "sweeps all pools"),
    ("management_keys::LIST_MADE_BY", "an administrator is dismissed in all pools; it asks for the pools"),
    ("management_keys::SWEEP", "sweeps all pools"),
    ("management_keys::SWEEP_SIGNATURES", "sweeps all pools"),
    ("passcodes::SWEEP", "sweeps all pools"),
    ("pushed_requests::SWEEP", "sweeps all pools"),
    ("qr_pictures::SWEEP", "sweeps all pools"),
    ("qr_tickets::GET", "a browser brings a secret that names no pool; it asks for the pool"),
    ("qr_tickets::GET_BY_SCENE", "a picture names no pool; it asks for the pool"),
    ("qr_tickets::LOCK", "a browser brings a secret that names no pool; it asks for the pool"),
    ("qr_tickets::GET_BY_SHORT_CODE", "the keyed hash of a code holds its connection; it asks for the pool"),
    ("qr_tickets::CHANGED", "nodes serve the browsers of all pools"),
    ("qr_tickets::SWEEP", "sweeps all pools"),
    ("refresh_tokens::SWEEP", "sweeps all pools"),
    (
        "registrations::GET_TOKEN",
        "ids of tokens are unique in the instance; a request names no pool, it asks for it",
    ),
    ("registrations::SWEEP_TOKENS", "sweeps all pools"),
    ("sealed::COUNT_CONNECTIONS", "the sealing key is that of all pools"),
    ("sealed::LIST_CONNECTIONS", "the sealing key is that of all pools"),
    ("sealed::COUNT_OLD", "the sealing key is that of all pools"),
    ("sealed::LIST_OLD", "the sealing key is that of all pools"),
    ("sealed::COUNT_SENDERS", "the sealing key is that of all pools"),
    ("sealed::LIST_SENDERS", "the sealing key is that of all pools"),
    ("sealed::COUNT_WEBHOOKS", "the sealing key is that of all pools"),
    ("sealed::LIST_WEBHOOKS", "the sealing key is that of all pools"),
    ("sealed::COUNT_MANAGEMENT", "the sealing key is that of all pools"),
    ("sealed::LIST_MANAGEMENT", "the sealing key is that of all pools"),
    ("sealed::COUNT_BEFORE", "the sealing key is that of all pools"),
    ("sealed::LIST_BEFORE", "the sealing key is that of all pools"),
    ("sealed::COUNT_EXCHANGES", "the sealing key is that of all pools"),
    ("sealed::COUNT_FLOWS", "the sealing key is that of all pools"),
    ("sealed::COUNT_STEPS", "the sealing key is that of all pools"),
    ("sealed::COUNT_DEVICES", "the sealing key is that of all pools"),
    ("sealed::COUNT_STARTS", "the sealing key is that of all pools"),
    ("sealed::COUNT_TICKETS", "the sealing key is that of all pools"),
    ("sealed::COUNT_MESSAGES", "the sealing key is that of all pools"),
    ("sealed::COUNT_JOBS", "the sealing key is that of all pools"),
    ("sessions::SWEEP", "sweeps all pools"),
    ("source_logins::SWEEP", "sweeps all pools"),
    ("statistics::BEHIND", "looks at the logs of all pools, each by its own key"),
    ("step_tokens::SWEEP", "sweeps all pools"),
    ("used_jtis::SWEEP", "sweeps all pools"),
    ("webhooks::MADE_BY", "an administrator is dismissed in all pools; it asks for the pools"),
    ("wechat_messages::SWEEP", "sweeps all pools"),
    ("wechat_signatures::SWEEP", "sweeps all pools"),
    ("wechat_followers::SWEEP", "sweeps all pools"),
    ("jobs::ENQUEUE", "the pool is written, but is no part of the key: nodes take the jobs of all pools"),
    ("jobs::CLAIM", "nodes take the jobs of all pools"),
    ("jobs::DONE", "by the id of a job that this node claimed"),
    ("jobs::RETRY_AT", "by the id of a job that this node claimed"),
    ("jobs::PUT_OFF", "by the id of a job that this node claimed"),
    ("uploads::INSERT", "an upload has no pool until a user's photo names it"),
    ("uploads::CLAIM", "an upload has no pool until a user's photo names it: it gets one here"),
    ("uploads::ORPHANED_BYTES", "orphans have no pool"),
    ("uploads::GET_OWNED", "a picture is served to whoever knows its name, which nobody guesses"),
    ("uploads::SWEEP", "orphans have no pool"),
];

#[tokio::test]
async fn every_statement_on_tenant_data_names_the_pool() {
    let [sqlite, postgres] = TestDatabase::all();
    migrated(&sqlite).await.close().await;
    migrated(&postgres).await.close().await;
    let of_sqlite = raw::texts(
        &sqlite,
        "SELECT t.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND c.name = 'pool_id'",
    );
    let of_postgres = raw::texts(
        &postgres,
        "SELECT table_name::TEXT FROM information_schema.columns
         WHERE table_schema = current_schema() AND column_name = 'pool_id'",
    );
    for (engine, tables) in [("sqlite", of_sqlite.await), ("postgres", of_postgres.await)] {
        let tables: HashSet<String> = tables.into_iter().flatten().collect();
        assert!(tables.len() > 20 && tables.contains("users"), "{engine}: {tables:?}");
        check_tenant_statements(engine, &tables);
    }
}

/// Wherever a statement uses a tenant table, it names the pool: in a comparison, or as the first column it
/// writes.
fn check_tenant_statements(engine: &str, tables: &HashSet<String>) {
    let mut unused: HashSet<&str> = WITHOUT_POOL.iter().map(|(name, _)| *name).collect();
    for (name, sql) in [all_statements(), statements_of(engine)].concat() {
        let name = name.trim_start_matches("hufu_store::");
        let flat = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let words: Vec<&str> = flat
            .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
            .filter(|w| !w.is_empty())
            .collect();
        let before_a_table = ["FROM", "UPDATE", "INTO", "JOIN"];
        let mentions = words
            .windows(2)
            .filter(|pair| before_a_table.contains(&pair[0]) && tables.contains(pair[1]))
            .count();
        let keys: usize = ["pool_id = ", "pool_id || '' = ", "(pool_id,", "(pool_id)"]
            .iter()
            .map(|key| flat.matches(key).count())
            .sum();
        let is_first =
            ["pool_id = $1", "pool_id || '' = $1", "(pool_id"].iter().any(|key| flat.contains(key));
        let is_keyed = mentions == 0 || (is_first && keys >= mentions);
        let is_exception = WITHOUT_POOL.iter().any(|(exception, _)| *exception == name);
        assert!(is_keyed || is_exception, "{name} on {engine} does not name the pool: {flat}");
        if !is_keyed {
            unused.remove(name);
        }
    }
    assert!(unused.is_empty(), "exceptions that are none: {unused:?}");
}
