//! The memory that Argon2 fills. Where passwords queue, each gets that of the one before: getting 19 MiB from the
//! operating system, page by page, costs about a tenth of the hash.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use argon2::{Argon2, Block};

use super::error::HashingError;

/// Memory for one hash at a time. It grows to what a hash demands.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    /// Computes a hash in this memory. The length of `output` is the length of the hash.
    pub(super) fn hash(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), HashingError> {
        let blocks = argon2.params().block_count();
        if self.0.len() < blocks {
            // The old blocks are freed before the new ones are made.
            self.0 = Vec::new();
            self.0 = vec![Block::default(); blocks];
        }
        argon2
            .hash_password_into_with_memory(password, salt, output, &mut self.0)
            .map_err(HashingError::failed)
    }
}

/// Memory that is kept for passwords that wait. There are never more of it than run at once.
#[derive(Default)]
pub(super) struct Spares(Mutex<Vec<Memory>>);

impl Spares {
    /// Memory that was kept, or some that is still empty.
    pub(super) fn take(&self) -> Memory {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps the memory, if it is no larger than `most` blocks.
    pub(super) fn give_back(&self, memory: Memory, most: usize) {
        if memory.0.len() <= most {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        }
    }

    /// Frees what is kept.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many blocks are kept.
    #[cfg(test)]
    pub(super) fn blocks(&self) -> usize {
        self.0.lock().unwrap().iter().map(|memory| memory.0.len()).sum()
    }
}

impl fmt::Debug for Spares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spares").finish_non_exhaustive()
    }
}
