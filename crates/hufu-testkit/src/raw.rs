//! Direct access to the database, bypassing the store: what another process would see.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tokio::task::JoinHandle;

use crate::TestDatabase;

/// The file of an SQLite database, opened a second time.
pub fn sqlite(database: &TestDatabase) -> rusqlite::Connection {
    rusqlite::Connection::open(database.file().unwrap()).unwrap()
}

/// A connection to a PostgreSQL database, separate from the store's own.
pub async fn postgres(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(&database.url()).await.unwrap()
}

/// The single number that the query returns.
pub async fn number(database: &TestDatabase, sql: &str) -> i64 {
    if database.engine() == "sqlite" {
        return sqlite(database).query_row(sql, [], |row| row.get(0)).unwrap();
    }
    let mut connection = postgres(database).await;
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    row.get(0)
}

/// The rows that the query returns. All columns must be text.
pub async fn texts(database: &TestDatabase, sql: &str) -> Vec<Vec<String>> {
    if database.engine() == "sqlite" {
        let connection = sqlite(database);
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| (0..columns).map(|i| row.get(i)).collect()).unwrap();
        return rows.collect::<Result<_, _>>().unwrap();
    }
    let mut connection = postgres(database).await;
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| (0..row.len()).map(|i| row.get(i)).collect()).collect()
}

/// Runs statements.
pub async fn execute(database: &TestDatabase, sql: &str) {
    if database.engine() == "sqlite" {
        return sqlite(database).execute_batch(sql).unwrap();
    }
    let mut connection = postgres(database).await;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// On PostgreSQL, returns once `unit` waits for a lock of another transaction, or has ended. On SQLite it
/// returns immediately, because the unit waits for the writer anyway.
pub async fn until_blocked<T>(database: &TestDatabase, unit: &JoinHandle<T>) {
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while database.engine() == "postgres" && !unit.is_finished() && number(database, waiting).await == 0 {
        tokio::task::yield_now().await;
    }
}
