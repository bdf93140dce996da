//! Statement parameters and result columns, with the same types on both engines.

use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, Row as _};

use crate::StoreError;

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Text, or NULL.
    Text(Option<&'a str>),
    /// A 64-bit integer, or NULL.
    Int(Option<i64>),
    /// A boolean.
    Bool(bool),
    /// Bytes, or NULL.
    Bytes(Option<&'a [u8]>),
}

macro_rules! into_value {
    ($($from:ty => $variant:ident($convert:expr)),* $(,)?) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from(value: $from) -> Self {
                #[allow(clippy::redundant_closure_call, reason = "the macro takes conversions as closures")]
                Self::$variant(($convert)(value))
            }
        }
    )*};
}

into_value! {
    &'a str => Text(Some),
    &'a String => Text(|s: &'a String| Some(s.as_str())),
    Option<&'a str> => Text(std::convert::identity),
    &'a Option<String> => Text(|s: &'a Option<String>| s.as_deref()),
    i64 => Int(Some),
    Option<i64> => Int(std::convert::identity),
    hufu_types::Timestamp => Int(|t: hufu_types::Timestamp| Some(t.0)),
    Option<hufu_types::Timestamp> => Int(|t: Option<hufu_types::Timestamp>| t.map(|t| t.0)),
    bool => Bool(std::convert::identity),
    &'a [u8] => Bytes(Some),
    &'a Vec<u8> => Bytes(|b: &'a Vec<u8>| Some(b.as_slice())),
    Option<&'a [u8]> => Bytes(std::convert::identity),
    &'a hufu_types::TokenHash => Bytes(|h: &'a hufu_types::TokenHash| Some(h.as_bytes())),
    &'a hufu_types::PoolId => Text(|id: &'a hufu_types::PoolId| Some(id.as_str())),
    &'a hufu_types::UserId => Text(|id: &'a hufu_types::UserId| Some(id.as_str())),
    &'a hufu_types::ApplicationId => Text(|id: &'a hufu_types::ApplicationId| Some(id.as_str())),
    &'a hufu_types::ConnectionId => Text(|id: &'a hufu_types::ConnectionId| Some(id.as_str())),
    &'a hufu_types::SessionId => Text(|id: &'a hufu_types::SessionId| Some(id.as_str())),
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Int(Some(int)) => ValueRef::Integer(int),
            Self::Bool(truth) => ValueRef::Integer(i64::from(truth)),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Text(None) | Self::Int(None) | Self::Bytes(None) => ValueRef::Null,
        }))
    }
}

impl Value<'_> {
    /// Encodes parameters for PostgreSQL.
    pub(crate) fn arguments(values: &[Value<'_>]) -> Result<PgArguments, StoreError> {
        let mut arguments = PgArguments::default();
        for value in values {
            match *value {
                Value::Text(text) => arguments.add(text),
                Value::Int(int) => arguments.add(int),
                Value::Bool(truth) => arguments.add(truth),
                Value::Bytes(bytes) => arguments.add(bytes),
            }
            .map_err(|e| StoreError::Postgres(sqlx::Error::Encode(e)))?;
        }
        Ok(arguments)
    }
}

/// A type that a column can be read as, on both engines.
pub trait Column: FromSql + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> {}
impl<T: FromSql + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>> Column for T {}

/// A row of a result.
pub enum Row<'a> {
    /// From SQLite.
    Sqlite(&'a rusqlite::Row<'a>),
    /// From PostgreSQL.
    Postgres(&'a PgRow),
}

impl Row<'_> {
    /// The value of the column at the zero-based `index`.
    pub fn get<T: Column>(&self, index: usize) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => Ok(row.get(index)?),
            Self::Postgres(row) => Ok(row.try_get(index)?),
        }
    }
}
