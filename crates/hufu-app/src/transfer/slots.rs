//! What imports may take of a node: one import of each pool at a time, so that no pool keeps the others waiting, and a
//! bounded number of bytes for files on its disk.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hufu_types::PoolId;
use hufu_types::refusal::Code;
use tokio::sync::watch;

use crate::{Limits, Refusal};

/// The imports that a node has begun to receive or to run.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    pools: watch::Sender<HashSet<PoolId>>,
    spooled: AtomicU64,
}

impl Imports {
    /// Takes the slot of a pool, or `None` if an import of the pool has it.
    pub(super) fn begin(self: &Arc<Self>, pool: &PoolId, limits: &Limits) -> Option<ImportSlot> {
        let was_free = self.pools.send_if_modified(|pools| pools.insert(pool.clone()));
        was_free.then(|| ImportSlot {
            imports: Arc::clone(self),
            pool: pool.clone(),
            bytes: 0,
            most: u64::try_from(limits.import_bytes).unwrap_or(u64::MAX),
            most_of_all: limits.import_spool_bytes,
        })
    }

    /// Waits until this node neither receives nor runs an import.
    pub(super) async fn ended(&self) {
        // The sender lives as long as `self`.
        let _ = self.pools.subscribe().wait_for(HashSet::is_empty).await;
    }
}

/// The right to send and import one file of a pool. Dropping it lets the next one begin, and gives back its bytes.
#[derive(Debug)]
pub struct ImportSlot {
    imports: Arc<Imports>,
    pool: PoolId,
    bytes: u64,
    most: u64,
    most_of_all: u64,
}

impl ImportSlot {
    /// The pool.
    pub(super) fn pool(&self) -> &PoolId {
        &self.pool
    }

    /// Reserves room on the disk for so many more bytes of the file.
    ///
    /// # Errors
    /// [`Code::ImportTooLarge`] for the file, [`Code::ImportsTooLarge`] for all files of this node together.
    pub fn reserve(&mut self, more: usize) -> Result<(), Refusal> {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        if self.bytes.saturating_add(more) > self.most {
            return Err(Code::ImportTooLarge.with("limit", self.most));
        }
        let before = self.imports.spooled.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        if before.saturating_add(more) > self.most_of_all {
            return Err(Code::ImportsTooLarge.with("limit", self.most_of_all));
        }
        Ok(())
    }
}

impl Drop for ImportSlot {
    fn drop(&mut self) {
        self.imports.spooled.fetch_sub(self.bytes, Ordering::Relaxed);
        self.imports.pools.send_modify(|pools| {
            pools.remove(&self.pool);
        });
    }
}
