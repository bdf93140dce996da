//! What can go wrong in the store.

use hufu_types::refusal::Code;
use hufu_types::{IdError, Refusal};

/// Why the store did not do what was asked. Nothing was written, unless the
/// variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("the SQLite database refused")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL refused, or is not reachable.
    #[error("the PostgreSQL database refused")]
    Postgres(#[from] sqlx::Error),
    /// More units wait than the queue holds.
    #[error("the database is overloaded: its queue of writes is full")]
    Overloaded,
    /// The batch in which the unit ran could not be committed.
    #[error("the transaction could not be committed: {0}")]
    Batch(String),
    /// The store has been shut down; or the thread of the database is gone.
    #[error("the database is shut down")]
    Stopped,
    /// What the unit had read was changed by another before it wrote; it runs again,
    /// and the caller sees this only after many lost races.
    #[error("the unit lost too many races against others")]
    LostRace,
    /// The unit panicked and was rolled back: a bug.
    #[error("the unit of work panicked")]
    Panicked,
    /// A stored value is not what it should be.
    #[error("the column {column} of a stored row holds something unexpected")]
    Corrupt {
        /// Which.
        column: &'static str,
    },
    /// A stored document is not what it should be.
    #[error("a stored JSON document cannot be read")]
    Json(#[from] serde_json::Error),
    /// The database belongs to another version of the program.
    #[error("migration {name} was applied with another text; this database belongs to another build")]
    ForeignMigration {
        /// Which.
        name: String,
    },
    /// A file of the database cannot be made or opened.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl From<IdError> for StoreError {
    fn from(_: IdError) -> Self {
        Self::Corrupt { column: "id" }
    }
}

impl StoreError {
    /// Whether a unit may be run again because it lost a race.
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
