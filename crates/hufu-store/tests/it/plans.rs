//! How the engines find what statements ask for: by an index that leads to it, not by reading all rows of a pool.

use std::collections::HashSet;

use hufu_store::{all_statements, over_arrays, statements_in_groups, statements_of};
use hufu_testkit::{TestDatabase, raw};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Either, Executor as _, PgConnection, Row as _, SqlSafeStr as _, Statement as _};

use crate::support::migrated;

/// Statements, or modules of them, that read all rows of a pool, or of the instance, and why they may.
const READING_ALL: &[(&str, &str)] = &[
    ("conflicts::DELETE_OF_USER", "an account is deleted; conflicts are few"),
    ("endings::DELETE_TOKENS_OF_APPLICATION", "an application is removed"),
    ("endings::DELETE_OF_APPLICATION", "an application is removed"),
    ("endings::DELETE_TOKENS_OF_CONNECTION", "a connection is removed"),
    ("endings::DELETE_OF_CONNECTION", "a connection is removed"),
    ("imports::ABANDON", "a pool has few imports"),
    ("pool_removal::", "a pool is removed with all its rows"),
    ("sealed::COUNT_MESSAGES", "the sealing key is changed"),
    ("sealed::COUNT_JOBS", "the sealing key is changed"),
    ("uploads::ORPHANED_BYTES", "orphans are few: their bytes are limited"),
];

/// Tables of configuration, of which nodes hold the rows in memory, and others with few rows for each pool.
const SMALL: &[&str] = &[
    "access_keys",
    "administrators",
    "app_tokens",
    "application_connections",
    "applications",
    "config_version",
    "connections",
    "entry_links",
    "identity_sources",
    "instance",
    "invitations",
    "management_keys",
    "password_keys",
    "pools",
    "registered_clients",
    "registration_tokens",
    "sealing_nodes",
    "senders",
    "signing_keys",
    "statistics_progress",
    "unavailable_connections",
    "webhooks",
];

/// Tables whose rows live for minutes. Only those of an account, an application or a connection that is deleted are looked for
/// without an index.
const SHORT_LIVED: &[&str] = &[
    "authorization_codes",
    "device_codes",
    "exchanges",
    "login_flows",
    "pushed_requests",
    "qr_changes",
    "qr_tickets",
    "source_logins",
    "step_tokens",
];

/// The rows of each table in each of three pools, so that the planner has something to estimate.
const ROWS: &str = "
    DO $$
    DECLARE
        t RECORD;
    BEGIN
        SET session_replication_role = replica;
        FOR t IN
            SELECT c.relname AS name, string_agg(quote_ident(a.attname), ', ') AS columns, string_agg(
                CASE
                    WHEN a.attname = 'pool_id' THEN '''p'' || g % 3'
                    WHEN format_type(a.atttypid, NULL) = 'text' THEN 'md5(g::text)'
                    WHEN format_type(a.atttypid, NULL) = 'boolean' THEN 'g % 2 = 0'
                    WHEN format_type(a.atttypid, NULL) = 'bytea' THEN 'decode(md5(g::text), ''hex'')'
                    ELSE 'g'
                END, ', ') AS made
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0
              AND NOT a.attisdropped AND EXISTS (
                  SELECT 1 FROM pg_attribute p WHERE p.attrelid = c.oid AND p.attname = 'pool_id')
            GROUP BY c.relname
        LOOP
            EXECUTE format('INSERT INTO %I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM generate_series(1, 3000) g ON CONFLICT DO NOTHING', t.name, t.columns, t.made);
        END LOOP;
    END $$;
    ANALYZE;";

#[tokio::test]
async fn statements_find_what_they_ask_for_by_an_index() {
    let mut reading = Reading::default();
    on_postgres(&mut reading).await;
    on_sqlite(&mut reading).await;
    reading.check();
}

async fn on_postgres(reading: &mut Reading) {
    let database = TestDatabase::postgres();
    migrated(&database).await.close().await;
    raw::execute(&database, ROWS).await;
    let mut connection = raw::postgres(&database).await;
    let plain = [all_statements(), statements_of("postgres")].concat();
    let settings = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off";
    sqlx::raw_sql(settings).execute(&mut connection).await.unwrap();
    for (name, sql) in &plain {
        let plan = plan(&mut connection, sql).await;
        reading.note(name, sql, steps_of_postgres(&plan));
    }
    // As groups run them.
    let settings = "SET enable_hashjoin = off; SET enable_mergejoin = off";
    sqlx::raw_sql(settings).execute(&mut connection).await.unwrap();
    for sql in statements_in_groups() {
        let (name, _) = plain.iter().find(|(_, other)| *other == sql).unwrap();
        let statement = connection.prepare(sqlx::SqlStr::from_static(sql)).await.unwrap();
        let Some(Either::Left(parameters)) = statement.parameters() else { panic!("no types: {sql}") };
        let names: Vec<&str> = parameters.iter().map(sqlx::TypeInfo::name).collect();
        let text = over_arrays(sql, &names).unwrap();
        let plan = plan(&mut connection, &text).await;
        reading.note(name, sql, steps_of_postgres(&plan));
    }
}

async fn on_sqlite(reading: &mut Reading) {
    let database = TestDatabase::sqlite();
    migrated(&database).await.close().await;
    let connection = raw::sqlite(&database);
    for (name, sql) in [all_statements(), statements_of("sqlite")].concat() {
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps =
            explained.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>();
        reading.note(name, sql, steps_of_sqlite(sql, &steps.unwrap()));
    }
}

fn is_small(table: &str) -> bool {
    [SMALL, SHORT_LIVED].iter().any(|tables| tables.contains(&table))
}

/// A statement's way to a table.
struct Step {
    table: String,
    /// What the index is searched for, or nothing.
    condition: String,
}

/// The statements that read whole tables.
#[derive(Default)]
struct Reading {
    found: Vec<String>,
    excused: HashSet<&'static str>,
}

impl Reading {
    fn note(&mut self, name: &str, sql: &str, steps: Vec<Step>) {
        let name = name.trim_start_matches("hufu_store::");
        // A page, in the order of an index, or a batch.
        let is_bounded = sql.contains("LIMIT");
        for Step { table, condition } in steps {
            let leads_to_rows =
                condition.split(" AND ").any(|part| !part.contains("pool_id") && !part.is_empty());
            if leads_to_rows || is_bounded || is_small(&table) {
                continue;
            }
            match READING_ALL.iter().find(|(excused, _)| name.starts_with(excused)) {
                Some((excused, _)) => drop(self.excused.insert(excused)),
                None => self.found.push(format!("{name} reads all of {table} ({condition})")),
            }
        }
    }

    fn check(self) {
        assert!(self.found.is_empty(), "{}", self.found.join("\n"));
        let unused = READING_ALL.iter().filter(|(name, _)| !self.excused.contains(name)).collect::<Vec<_>>();
        assert!(unused.is_empty(), "exceptions that are none: {unused:?}");
    }
}

/// The plan of a statement for whatever parameters.
async fn plan(connection: &mut PgConnection, sql: &str) -> Value {
    let statement = connection.prepare(AssertSqlSafe(sql).into_sql_str()).await.unwrap();
    let Some(Either::Left(parameters)) = statement.parameters() else { panic!("no types: {sql}") };
    let nulls = vec!["NULL"; parameters.len()].join(", ");
    let arguments = if parameters.is_empty() { String::new() } else { format!("({nulls})") };
    sqlx::raw_sql(AssertSqlSafe(format!("PREPARE planned AS {sql}")))
        .execute(&mut *connection)
        .await
        .unwrap();
    let explain = format!("EXPLAIN (FORMAT JSON, COSTS OFF) EXECUTE planned{arguments}");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *connection).await.unwrap();
    sqlx::raw_sql("DEALLOCATE planned").execute(connection).await.unwrap();
    let text: String = rows.first().unwrap().try_get_unchecked(0).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn steps_of_postgres(plan: &Value) -> Vec<Step> {
    let mut steps = Vec::new();
    collect(plan, "", &mut steps);
    steps
}

fn collect(value: &Value, above: &str, steps: &mut Vec<Step>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect(one, above, steps)),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
            // The scan of the bitmap's index names no table: the one above it does.
            let table = match text("Relation Name") {
                "" => above,
                table => table,
            };
            if matches!(
                text("Node Type"),
                "Seq Scan" | "Index Scan" | "Index Only Scan" | "Bitmap Index Scan"
            ) {
                steps.push(Step { table: table.to_owned(), condition: text("Index Cond").to_owned() });
            }
            for field in ["Plan", "Plans"] {
                fields.get(field).into_iter().for_each(|below| collect(below, table, steps));
            }
        }
        _ => {}
    }
}

/// From lines such as `SEARCH users USING INDEX users_phone (pool_id=? AND phone=?)` and `SCAN u`.
fn steps_of_sqlite(sql: &str, lines: &[String]) -> Vec<Step> {
    let step = |line: &String| {
        let mut words = line.split(' ');
        let verb = words.next()?;
        if !matches!(verb, "SCAN" | "SEARCH") {
            return None;
        }
        let table = table_of(sql, words.next().filter(|table| !WITHOUT_ROWS.contains(table))?);
        let condition =
            line.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inside, _)| inside);
        Some(Step { table, condition: condition.unwrap_or_default().to_owned() })
    };
    lines.iter().filter_map(step).collect()
}

/// What SQLite calls tables that are none: parameters, and lists that a parameter holds.
const WITHOUT_ROWS: [&str; 2] = ["CONSTANT", "json_each"];

/// The table that a statement calls so, as `u` in `FROM users u`.
fn table_of(sql: &str, name: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let is_table = |word: &str| word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let named =
        words.windows(2).find(|pair| pair[1].trim_end_matches([',', ')']) == name && is_table(pair[0]));
    named.map_or(name, |pair| pair[0]).to_owned()
}
