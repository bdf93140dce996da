//! Why hashing failed.

use hufu_store::StoreError;

use crate::Refusal;

/// Why a password could not be hashed or verified.
#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    /// Too many passwords are waiting.
    #[error("too many passwords wait to be hashed or verified")]
    Overloaded,
    /// Too many passwords of one network are waiting.
    #[error("too many passwords from this address wait to be hashed or verified")]
    ShareExhausted,
    /// Out of memory, or the process is shutting down.
    #[error("a password cannot be hashed or verified: {0}")]
    Failed(String),
}

impl HashingError {
    pub(super) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<HashingError> for Refusal {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Overloaded | HashingError::ShareExhausted => StoreError::Overloaded.into(),
            error @ HashingError::Failed(_) => Self::internal(error),
        }
    }
}
