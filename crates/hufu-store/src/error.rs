//! The errors of the store.

use hufu_types::refusal::Code;
use hufu_types::{IdError, Refusal};

/// Why the store could not do what was requested. Nothing was written unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite returned an error.
    #[error("the SQLite database refused")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL returned an error or is unreachable.
    #[error("the PostgreSQL database refused")]
    Postgres(#[from] sqlx::Error),
    /// The queue of waiting units is full.
    #[error("the database is overloaded: its queue of writes is full")]
    Overloaded,
    /// The batch in which the unit ran could not be committed.
    #[error("the transaction could not be committed: {0}")]
    Batch(String),
    /// The store has been shut down, or its database thread is gone.
    #[error("the database is shut down")]
    Stopped,
    /// Another unit changed what this unit had read before it could write. The unit is run again, so callers
    /// only see this after many lost races.
    #[error("the unit lost too many races against others")]
    LostRace,
    /// The unit only rehearsed: it asked for everything that it wrote to be undone.
    #[error("the unit rehearsed, and nothing was written")]
    Rehearsed,
    /// The unit panicked and was rolled back. This is a bug.
    #[error("the unit of work panicked")]
    Panicked,
    /// A stored value is not valid.
    #[error("the column {column} of a stored row holds something unexpected")]
    Corrupt {
        /// The column.
        column: &'static str,
    },
    /// A stored JSON document is not valid.
    #[error("a stored JSON document cannot be read")]
    Json(#[from] serde_json::Error),
    /// The database belongs to a different version of the program.
    #[error("migration {name} was applied with another text; this database belongs to another build")]
    ForeignMigration {
        /// The migration.
        name: String,
    },
    /// The folder of the database file does not exist.
    #[error("there is no folder {folder}; create it, or correct the path of the database")]
    NoFolder {
        /// The folder.
        folder: String,
    },
    /// The PostgreSQL server cannot be reached.
    #[error("no PostgreSQL server answers at {address}")]
    Unreachable {
        /// Its host and port, or its socket.
        address: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A database file cannot be created or opened.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl From<IdError> for StoreError {
    fn from(_: IdError) -> Self {
        Self::Corrupt { column: "id" }
    }
}

impl StoreError {
    /// Whether a unit can be run again because it lost a race.
    pub(crate) fn is_lost_race(&self) -> bool {
        match self {
            Self::LostRace => true,
            // serialization_failure, deadlock_detected, unique_violation
            Self::Postgres(sqlx::Error::Database(error)) => {
                matches!(error.code().as_deref(), Some("40001" | "40P01" | "23505"))
            }
            _ => false,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded => Code::Overloaded.because(error),
            error => Self::internal(error),
        }
    }
}
