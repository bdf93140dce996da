//! A transaction, or a connection for reading, on either engine.

use std::future::Future;

use rusqlite::params_from_iter;
use sqlx::PgConnection;

use crate::{Row, StoreError, Value};

/// Reads one row.
type Decode<T> = fn(&Row<'_>) -> Result<T, StoreError>;

/// Where statements run. SQLite answers at once, so a unit never waits there.
pub enum Tx<'a> {
    /// A savepoint of the writer, or a reader.
    Sqlite(&'a mut rusqlite::Connection),
    /// A transaction, or a connection for reading.
    Postgres(&'a mut PgConnection),
}

impl Tx<'_> {
    /// Runs a statement and counts the rows that it affected.
    pub fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        async move {
            match self {
                Tx::Sqlite(connection) => {
                    let affected = connection.prepare_cached(sql)?.execute(params_from_iter(values))?;
                    Ok(u64::try_from(affected).unwrap_or(u64::MAX))
                }
                Tx::Postgres(connection) => {
                    let query = sqlx::query_with(sql, Value::arguments(values)?);
                    Ok(query.execute(&mut **connection).await?.rows_affected())
                }
            }
        }
    }

    /// The first row of an answer, if there is one.
    pub fn optional<T: Send>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        decode: Decode<T>,
    ) -> impl Future<Output = Result<Option<T>, StoreError>> + Send {
        async move {
            match self {
                Tx::Sqlite(connection) => {
                    let mut statement = connection.prepare_cached(sql)?;
                    let mut rows = statement.query(params_from_iter(values))?;
                    rows.next()?.map(|row| decode(&Row::Sqlite(row))).transpose()
                }
                Tx::Postgres(connection) => {
                    let query = sqlx::query_with(sql, Value::arguments(values)?);
                    let row = query.fetch_optional(&mut **connection).await?;
                    row.map(|row| decode(&Row::Postgres(&row))).transpose()
                }
            }
        }
    }

    /// All rows of an answer.
    pub fn all<T: Send>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        decode: Decode<T>,
    ) -> impl Future<Output = Result<Vec<T>, StoreError>> + Send {
        async move {
            match self {
                Tx::Sqlite(connection) => {
                    let mut statement = connection.prepare_cached(sql)?;
                    let mut rows = statement.query(params_from_iter(values))?;
                    let mut all = Vec::new();
                    while let Some(row) = rows.next()? {
                        all.push(decode(&Row::Sqlite(row))?);
                    }
                    Ok(all)
                }
                Tx::Postgres(connection) => {
                    let query = sqlx::query_with(sql, Value::arguments(values)?);
                    let rows = query.fetch_all(&mut **connection).await?;
                    rows.iter().map(|row| decode(&Row::Postgres(row))).collect()
                }
            }
        }
    }

    /// Runs statements without parameters, such as a migration.
    pub(crate) async fn batch(&mut self, sql: &'static str) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(connection) => connection.execute_batch(sql)?,
            Tx::Postgres(connection) => {
                sqlx::raw_sql(sql).execute(&mut **connection).await?;
            }
        }
        Ok(())
    }
}
