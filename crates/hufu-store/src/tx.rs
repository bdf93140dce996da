//! A transaction, or a connection for reading, on either engine.

use rusqlite::CachedStatement;
use sqlx::PgConnection;

use crate::lockstep::Member;
use crate::{Row, StoreError, Value};

/// Decodes one row.
type Decode<T> = fn(&Row<'_>) -> Result<T, StoreError>;

/// Where statements run. SQLite responds synchronously, so a unit never waits there.
pub enum Tx<'a> {
    /// The writer's transaction, or a reader.
    Sqlite(&'a mut rusqlite::Connection),
    /// A transaction, or a connection for reading.
    Postgres(&'a mut PgConnection),
    /// A member of a group that shares a transaction of PostgreSQL.
    Group(&'a mut Member),
}

impl Tx<'_> {
    /// Runs a statement and returns the number of affected rows.
    pub async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        match self {
            Tx::Sqlite(connection) => {
                let affected = bind(connection.prepare_cached(sql)?, values)?.raw_execute()?;
                Ok(u64::try_from(affected).unwrap_or(u64::MAX))
            }
            Tx::Postgres(connection) => {
                let query = sqlx::query_with(sql, Value::arguments(values)?);
                Ok(query.execute(&mut **connection).await?.rows_affected())
            }
            Tx::Group(member) => Ok(member.ask(sql, values).await.affected),
        }
    }

    /// The first row of a result, if there is one.
    pub async fn optional<T: Send>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        decode: Decode<T>,
    ) -> Result<Option<T>, StoreError> {
        match self {
            Tx::Sqlite(connection) => {
                let mut statement = bind(connection.prepare_cached(sql)?, values)?;
                let mut rows = statement.raw_query();
                rows.next()?.map(|row| decode(&Row::Sqlite(row))).transpose()
            }
            Tx::Postgres(connection) => {
                let query = sqlx::query_with(sql, Value::arguments(values)?);
                let row = query.fetch_optional(&mut **connection).await?;
                row.map(|row| decode(&Row::Postgres(&row))).transpose()
            }
            Tx::Group(member) => {
                let rows = member.ask(sql, values).await.rows;
                rows.first().map(|row| decode(&Row::Postgres(row))).transpose()
            }
        }
    }

    /// All rows of a result.
    pub async fn all<T: Send>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        decode: Decode<T>,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Tx::Sqlite(connection) => {
                let mut statement = bind(connection.prepare_cached(sql)?, values)?;
                let mut rows = statement.raw_query();
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
            Tx::Group(member) => {
                let rows = member.ask(sql, values).await.rows;
                rows.iter().map(|row| decode(&Row::Postgres(row))).collect()
            }
        }
    }

    /// All rows of a result, using a query plan for these specific values. For statements where no single
    /// plan suits all values, such as a search text that occurs in every name or in none.
    pub async fn all_with_custom_plan<T: Send>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        decode: Decode<T>,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Tx::Sqlite(_) | Tx::Group(_) => self.all(sql, values, decode).await,
            Tx::Postgres(connection) => {
                let query = sqlx::query_with(sql, Value::arguments(values)?).persistent(false);
                let rows = query.fetch_all(&mut **connection).await?;
                rows.iter().map(|row| decode(&Row::Postgres(row))).collect()
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
            Tx::Group(member) => {
                // No group migrates: the member leaves.
                member.ask(sql, &[]).await;
            }
        }
        Ok(())
    }
}

/// Binds the first value to `$1` and so on. SQLite treats `$1` as a name and numbers parameters in the order
/// in which they first occur, so binding by position is not enough.
fn bind<'c>(
    mut statement: CachedStatement<'c>,
    values: &[Value<'_>],
) -> Result<CachedStatement<'c>, StoreError> {
    let count = statement.parameter_count();
    let wrong_count = || rusqlite::Error::InvalidParameterCount(values.len(), count);
    if count != values.len() {
        return Err(wrong_count().into());
    }
    for index in 1..=count {
        let number =
            statement.parameter_name(index).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?)).ok_or_else(wrong_count)?;
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(statement)
}
