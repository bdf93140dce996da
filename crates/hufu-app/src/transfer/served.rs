//! Imports and exports that administrators run on a server.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use futures::Stream;
use hufu_store::imports::{GetImport, ListImports, StopImport};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{ImportId, Permission, PoolId, Timestamp};

use super::import::unit::CancelImport;
use super::slots::ImportSlot;
use super::{
    Counts, ExportError, ExportOptions, ExportedPage, Format, ImportError, ImportOptions, Progress,
    RefusedRow, StoredImport, Transfer,
};
use crate::administration::AdminCaller;
use crate::{App, Refusal};

/// The maximum number of refused rows in the answer to a dry run.
const REASONS_OF_DRY_RUN: usize = 1000;
/// An import that has not committed a batch for this long counts as stopped.
const STOPPED_AFTER: Duration = Duration::from_secs(120);

impl App {
    /// A transfer run by an administrator or an access key.
    fn transfer(&self, pool: PoolId, by: &AdminCaller) -> Transfer {
        Transfer {
            store: self.store.clone(),
            config: self.config(),
            limits: self.limits.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            pool,
            actor: by.actor.clone(),
            origin: by.origin.clone(),
        }
    }

    /// Checks whether the caller may import and export users.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn permit_transfer(&self, by: &AdminCaller, pool: &PoolId) -> Result<(), Refusal> {
        if *pool == PoolId::system() {
            return Err(Code::PoolUnknown.into());
        }
        self.permit(by, Permission::TransferUsers, pool).await
    }

    /// Begins an import of a pool, before the file is received: one of each pool at a time on this node.
    ///
    /// # Errors
    /// [`Code::ImportRunning`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn begin_import(&self, by: &AdminCaller, pool: &PoolId) -> Result<ImportSlot, Refusal> {
        self.permit_transfer(by, pool).await?;
        self.imports.begin(pool, &self.limits).ok_or_else(|| Code::ImportRunning.into())
    }

    /// Imports the users of a file in the background. Poll the returned import with [`App::import_of`]. A dry
    /// run has finished when this returns.
    ///
    /// # Errors
    /// [`Code::ImportInvalid`], [`Code::ImportUnfinished`], [`Code::ImportRunning`].
    pub async fn start_import(
        self: &Arc<Self>,
        by: &AdminCaller,
        slot: ImportSlot,
        file: File,
        options: ImportOptions,
    ) -> Result<ImportStarted, Refusal> {
        let pool = slot.pool().clone();
        let transfer = self.transfer(pool.clone(), by);
        let opened = transfer.open_import(file, &options).await?;
        let Some(id) = opened.import().cloned() else {
            let mut reasons = Vec::new();
            let mut watch = |_: &Progress, refused: &[RefusedRow]| {
                let room = REASONS_OF_DRY_RUN.saturating_sub(reasons.len());
                reasons.extend(refused.iter().take(room).cloned());
            };
            let counts = transfer.run_import(opened, &options, &mut watch).await?.counts;
            return Ok(ImportStarted::Checked(counts, reasons));
        };
        let import = id.clone();
        tokio::spawn(async move {
            let ended = transfer.run_import(opened, &options, &mut |_, _| ()).await;
            drop(slot);
            let error = match ended {
                Ok(_) => return,
                Err(ImportError::Cancelled) => {
                    tracing::info!(import = import.as_str(), "an import was cancelled");
                    return;
                }
                Err(error) => error,
            };
            let failure = hufu_types::chain(&error);
            tracing::warn!(import = import.as_str(), error = failure, "an import stopped");
            let pool = transfer.pool.clone();
            if let Err(error) = transfer.store.write(StopImport { pool, import, failure }).await {
                tracing::error!(
                    error = hufu_types::chain(&error),
                    "why an import stopped could not be written"
                );
            }
        });
        Ok(ImportStarted::Running(self.import_of(by, &pool, &id).await?))
    }

    /// Waits until no import is received or running in this process.
    #[boxed]
    pub async fn wait_for_imports(&self) {
        self.imports.ended().await;
    }

    /// Calls off an import that has not finished. It stops after the batch that is being written, on whichever node it
    /// runs; the users that are in stay.
    ///
    /// # Errors
    /// [`Code::NoSuchImport`], [`Code::ImportEnded`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn cancel_import(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        import: &ImportId,
    ) -> Result<Import, Refusal> {
        self.import_of(by, pool, import).await?;
        let trace = self.trace_by(pool, by);
        let unit = CancelImport { pool: pool.clone(), import: import.clone(), trace };
        let left = self.write(unit).await?.ok_or(Code::ImportEnded)?;
        Ok(Import::of(left, self.now()))
    }

    /// Returns one import.
    ///
    /// # Errors
    /// [`Code::NoSuchImport`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn import_of(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        import: &ImportId,
    ) -> Result<Import, Refusal> {
        self.permit_transfer(by, pool).await?;
        let unit = GetImport { pool: pool.clone(), import: import.clone() };
        let found = self.read(unit).await?.ok_or(Code::NoSuchImport)?;
        Ok(Import::of(found, self.now()))
    }

    /// The imports of a pool before `before`, latest first.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn imports(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        before: Option<ImportId>,
        limit: usize,
    ) -> Result<Vec<Import>, Refusal> {
        self.permit_transfer(by, pool).await?;
        let found = self
            .read(ListImports { pool: pool.clone(), before, limit: i64::try_from(limit).unwrap_or(i64::MAX) })
            .await?;
        let now = self.now();
        Ok(found.into_iter().map(|found| Import::of(found, now)).collect())
    }

    /// The report of an import's refused rows as CSV, page by page.
    ///
    /// # Errors
    /// [`Code::NoSuchImport`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn import_report(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        import: &ImportId,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, ImportError>> + Send + use<>, Refusal> {
        self.import_of(by, pool, import).await?;
        Ok(self.transfer(pool.clone(), by).report_pages(import.clone()))
    }

    /// All users of a pool, page by page, without their password hashes.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn export_users(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        format: Format,
    ) -> Result<impl Stream<Item = Result<ExportedPage, ExportError>> + Send + use<>, Refusal> {
        self.permit_transfer(by, pool).await?;
        self.check_recent_login(by)?;
        let options = ExportOptions { format, with_hashes: false };
        self.transfer(pool.clone(), by).pages(options).await.map_err(|error| match error {
            ExportError::PoolUnknown => Code::PoolUnknown.into(),
            ExportError::Store(error) => error.into(),
            other => Refusal::internal(other),
        })
    }
}

/// The outcome of submitting a file.
#[derive(Debug)]
pub enum ImportStarted {
    /// The import is running.
    Running(Import),
    /// A dry run: the outcomes of the rows, and the first rows that would be refused.
    Checked(Counts, Vec<RefusedRow>),
}

/// An import and its state.
#[derive(Clone, Debug)]
pub struct Import {
    /// The stored import.
    pub stored: StoredImport,
    /// The current state.
    pub state: ImportState,
}

/// The state of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportState {
    /// It is running.
    Running,
    /// It was interrupted. Submitting the same file resumes it.
    Stopped,
    /// Every row has been imported, skipped or refused.
    Finished,
    /// It was called off, or abandoned for a new start. What was in by then stays.
    Cancelled,
}

impl ImportState {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Import {
    fn of(stored: StoredImport, now: Timestamp) -> Self {
        let state = if stored.cancelled_at.is_some() {
            ImportState::Cancelled
        } else if stored.finished_at.is_some() {
            ImportState::Finished
        } else if stored.failure.is_some() || stored.updated_at.plus(STOPPED_AFTER) < now {
            ImportState::Stopped
        } else {
            ImportState::Running
        };
        Self { stored, state }
    }
}

impl From<ImportError> for Refusal {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::PoolUnknown | ImportError::SystemPool => Code::PoolUnknown.into(),
            ImportError::NotUtf8 { at } => Self::faulty(Code::ImportInvalid, "file", Reason::NotUtf8 { at }),
            ImportError::InvalidFile { columns, reason } => {
                Self::faulty(Code::ImportInvalid, columns, reason)
            }
            ImportError::Changed { rows } => Code::ImportUnfinished.with("rows", rows),
            ImportError::Cancelled => Code::ImportEnded.into(),
            ImportError::RunningElsewhere => Code::ImportRunning.into(),
            ImportError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}
