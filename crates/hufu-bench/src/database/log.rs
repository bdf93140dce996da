//! An audit log as of a pool whose users log in for thirty days.

use anyhow::Result;
use rusqlite::Connection;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::Database;
use crate::world::World;

/// The length of the log, in milliseconds.
const LENGTH: i64 = 30 * 86_400_000;
/// The applications and the methods of the logins.
const APPLICATIONS: usize = 20;
const METHODS: usize = 5;

/// Every tenth login is refused, by one of three codes. Each user comes back in turn.
fn columns(hex: impl Fn(&str) -> String, at: &str, users: usize, world: &World) -> String {
    let id = format!("{} || {}", hex(at), hex("n"));
    let World { pool, connection, .. } = world;
    format!(
        "'{pool}', {id}, {at}, 'login', CASE WHEN n % 10 = 0 THEN 2001 + n % 3 ELSE 0 END, 'user', NULL,
         'user-' || (n % {users}), 'application-' || (n % {APPLICATIONS}), '{connection}-' || (n % {METHODS}),
         '203.0.113.7', 'a phone', 'a request', '{{\"by\":\"method-' || (n % {METHODS}) || '\"}}'"
    )
}

const INSERT: &str = "
    INSERT INTO audit_events
        (pool_id, id, at, action, code, actor_kind, actor_id, user_id, application_id, connection_id, ip, user_agent,
         request_id, details)";

impl Database<'_> {
    /// Stores this many logins of this many users, over the thirty days that end at `now` (Unix milliseconds).
    pub(crate) async fn log_logins(
        &self,
        world: &World,
        users: usize,
        logins: usize,
        now: i64,
    ) -> Result<()> {
        let begin = now - LENGTH;
        let at = format!("({begin} + n * {LENGTH} / {logins})");
        match self {
            Database::Sqlite(file) => {
                let columns = columns(|of| format!("printf('%012x', {of})"), &at, users, world);
                let connection = Connection::open(file)?;
                connection.execute_batch(&format!(
                    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000;
                     {INSERT} WITH RECURSIVE numbers(n) AS (
                         SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {logins} - 1)
                     SELECT {columns} FROM numbers;
                     ANALYZE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                ))?;
                connection.close().map_err(|(_, error)| error)?;
            }
            Database::Postgres { .. } => {
                let columns = columns(|of| format!("lpad(to_hex({of}), 12, '0')"), &at, users, world);
                let mut connection = PgConnection::connect(&self.url()).await?;
                let statement = format!(
                    "{INSERT} SELECT {columns} FROM generate_series(0, CAST({logins} - 1 AS BIGINT)) AS numbers(n)"
                );
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
                for statement in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
                    sqlx::query(statement).execute(&mut connection).await?;
                }
                connection.close().await?;
            }
        }
        Ok(())
    }
}
