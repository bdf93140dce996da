//! Statements over many rows at once. The rows are one parameter, `$2`: a JSON list of objects. Each engine reads it with
//! a function of its own; apart from that, one text serves both.
//!
//! What a statement looks up, it looks up in scalar subqueries, one for each row. Both engines plan those as if the
//! row stood alone, however little they know of the table.

use serde::Serialize;

use crate::{StoreError, Tx};

/// A statement over many rows, in the words of each engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl Batch {
    /// The text for the engine of this transaction.
    pub(crate) const fn for_engine(self, tx: &Tx<'_>) -> &'static str {
        match tx {
            Tx::Sqlite(_) => self.sqlite,
            Tx::Postgres(_) | Tx::Group(_) => self.postgres,
        }
    }
}

/// The parameter that holds the rows.
pub(crate) fn rows<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Result<String, StoreError> {
    let rows: Vec<T> = rows.into_iter().collect();
    Ok(serde_json::to_string(&rows)?)
}

/// Declares statements over rows with these columns, which are called `r`, and registers them. What stands around the rows
/// is a text, or several in parentheses, which are joined.
macro_rules! batches {
    ($($name:ident = ($($before:tt)*) [$($column:ident $type:ident),* $(,)?] ($($after:tt)*);)*) => {
        $(const $name: $crate::batches::Batch = $crate::batches::Batch {
            sqlite: concat!($($before)*, $crate::batches::rows_in_sqlite!($($column),*), $($after)*),
            postgres: concat!($($before)*, $crate::batches::rows_in_postgres!($($column $type),*), $($after)*),
        };)*
        pub(crate) const BATCHES: &[(&str, $crate::batches::Batch)] =
            &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
    ($($name:ident = $before:literal [$($column:ident $type:ident),* $(,)?] $after:literal;)*) => {
        $(const $name: $crate::batches::Batch = $crate::batches::Batch {
            sqlite: concat!($before, $crate::batches::rows_in_sqlite!($($column),*), $after),
            postgres: concat!($before, $crate::batches::rows_in_postgres!($($column $type),*), $after),
        };)*
        pub(crate) const BATCHES: &[(&str, $crate::batches::Batch)] =
            &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}
pub(crate) use batches;

macro_rules! rows_in_sqlite {
    ($first:ident $(, $rest:ident)*) => {
        concat!(
            "(SELECT value ->> '", stringify!($first), "' AS ", stringify!($first),
            $(", value ->> '", stringify!($rest), "' AS ", stringify!($rest),)*
            " FROM json_each($2)) AS r"
        )
    };
}
pub(crate) use rows_in_sqlite;

macro_rules! rows_in_postgres {
    ($first:ident $type:ident $(, $rest:ident $rest_type:ident)*) => {
        concat!(
            "json_to_recordset(CAST(CAST($2 AS TEXT) AS JSON)) AS r(", stringify!($first), " ", stringify!($type),
            $(", ", stringify!($rest), " ", stringify!($rest_type),)*
            ")"
        )
    };
}
pub(crate) use rows_in_postgres;
