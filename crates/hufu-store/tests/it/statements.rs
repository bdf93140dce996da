//! Every registered statement, on both engines.

use std::collections::HashMap;

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
    for (name, sql) in all_statements().iter().chain(statements_of("sqlite")).copied() {
        connection.prepare(sql).unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"));
    }
}

/// It also infers no type for a parameter that the store would not send.
#[tokio::test]
async fn postgres_prepares_all() {
    let database = TestDatabase::postgres();
    migrated(&database).await.close().await;
    let mut connection = raw::postgres(&database).await;
    for (name, sql) in all_statements().iter().chain(statements_of("postgres")).copied() {
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

/// What belongs to a tenant is asked for by pool; sweeps and the configuration that nodes hold in memory are instance-wide.
#[test]
fn every_query_on_tenant_data_names_the_pool() {
    let tenant = ["users", "identities", "identity_conflicts", "sessions", "exchanges", "refresh_tokens"];
    for (name, sql) in all_statements() {
        let words: Vec<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').collect();
        let touches = ["FROM", "UPDATE", "INTO", "JOIN"];
        let on_tenant_data =
            words.windows(2).any(|pair| touches.contains(&pair[0]) && tenant.contains(&pair[1]));
        if on_tenant_data && !["SWEEP", "EXPIRED"].contains(&name) {
            let flat = sql.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains("pool_id = $1") || flat.contains("(pool_id,"), "{name}: {flat}");
        }
    }
}
