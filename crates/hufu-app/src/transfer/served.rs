//! Imports and exports that administrators ask a running server for.

use async_recursion::async_recursion as boxed;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use hufu_store::imports::{GetImport, ListImports, StopImport};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{ImportId, Permission, PoolId, Timestamp};

use super::{
    Counts, ExportError, ExportOptions, ExportedPage, Format, ImportError, ImportOptions, Progress,
    RefusedRow, StoredImport, Transfer,
};
use crate::administration::AdminCaller;
use crate::{App, Refusal};

/// Refused rows that the answer to a dry run names.
const REASONS_OF_DRY_RUN: usize = 1000;
/// An import that committed nothing for so long has stopped.
const STOPPED_AFTER: Duration = Duration::from_secs(120);

impl App {
    /// A transfer of users of a pool that an administrator or a key does.
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

    /// Whether someone may bring users in, and take them out.
    ///
    /// # Errors
    /// What [`App::permit`] refuses.
    #[boxed]
    pub async fn permit_transfer(&self, by: &AdminCaller, pool: &PoolId) -> Result<(), Refusal> {
        if *pool == PoolId::system() {
            return Err(Code::PoolUnknown.into());
        }
        self.permit(by, Permission::TransferUsers, pool).await
    }

    /// Brings the users of a file in, beside everything else: the answer is the import, to be looked at with
    /// [`App::import_of`]. A dry run is over when this returns.
    ///
    /// # Errors
    /// [`Code::ImportInvalid`], [`Code::ImportUnfinished`], [`Code::ImportRunning`], and what [`App::permit`]
    /// refuses.
    pub async fn start_import(
        self: &Arc<Self>,
        by: &AdminCaller,
        pool: &PoolId,
        file: File,
        options: ImportOptions,
    ) -> Result<ImportStarted, Refusal> {
        self.permit_transfer(by, pool).await?;
        let running = Arc::clone(&self.importing).try_acquire_owned().map_err(|_| Code::ImportRunning)?;
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
            drop(running);
            let Err(error) = ended else { return };
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
        Ok(ImportStarted::Running(self.import_of(by, pool, &id).await?))
    }

    /// Waits until no import of this process runs.
    #[boxed]
    pub async fn wait_for_imports(&self) {
        let _ = self.importing.acquire().await;
    }

    /// An import.
    ///
    /// # Errors
    /// `Code::NoSuch`, and what [`App::permit`] refuses.
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

    /// The latest imports of a pool, before one of them.
    ///
    /// # Errors
    /// What [`App::permit`] refuses.
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

    /// The refused rows of an import as CSV, page by page.
    ///
    /// # Errors
    /// `Code::NoSuch`, and what [`App::permit`] refuses.
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

    /// All users of a pool, page by page, without the hashes of their passwords.
    ///
    /// # Errors
    /// What [`App::permit`] refuses.
    #[boxed]
    pub async fn export_users(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        format: Format,
    ) -> Result<impl Stream<Item = Result<ExportedPage, ExportError>> + Send + use<>, Refusal> {
        self.permit_transfer(by, pool).await?;
        let options = ExportOptions { format, with_hashes: false };
        self.transfer(pool.clone(), by).pages(options).await.map_err(|error| match error {
            ExportError::PoolUnknown => Code::PoolUnknown.into(),
            ExportError::Store(error) => error.into(),
            other => Refusal::internal(other),
        })
    }
}

/// What came of a file that was sent in.
#[derive(Debug)]
pub enum ImportStarted {
    /// It is coming in.
    Running(Import),
    /// It was a dry run: what would become of the rows, and the first that would be refused.
    Checked(Counts, Vec<RefusedRow>),
}

/// An import, and how far it is.
#[derive(Clone, Debug)]
pub struct Import {
    /// What is kept of it.
    pub stored: StoredImport,
    /// What it does now.
    pub state: ImportState,
}

/// What an import does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportState {
    /// Rows come in.
    Running,
    /// It came to no end; the same file goes on where it was.
    Stopped,
    /// Every row is in, was skipped or refused, or the import was given up.
    Finished,
}

impl ImportState {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
        }
    }
}

impl Import {
    fn of(stored: StoredImport, now: Timestamp) -> Self {
        let state = if stored.finished_at.is_some() {
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
            ImportError::RunningElsewhere => Code::ImportRunning.into(),
            ImportError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}
