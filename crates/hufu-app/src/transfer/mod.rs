//! Importing users into a pool from JSON and CSV, and exporting them to the same formats.
//!
//! Reading order: `import` (processing a file), `export`, then how a file is read: `source` (its content and
//! encoding), `reader` and `csv` (one row after another), `rows` with `fields`, `custom` and `identities`
//! (turning a row into a user), and `moving`, which brings the users of another system, and what they need, into a pool. Neither direction keeps more than a few hundred rows in memory.

mod csv;
mod custom;
mod export;
mod fields;
mod identities;
mod import;
pub mod moving;
mod reader;
mod rows;
mod served;
mod slots;
mod source;

use std::io;
use std::sync::Arc;

use hufu_store::{Store, StoreError};
use hufu_types::refusal::Reason;
use hufu_types::{ActorKind, Clock, EventId, Language, PoolId, Random};

use crate::credentials::password::HashingError;
use crate::events::{Actor, Trace};
use crate::{Config, Limits, Origin};

pub use self::export::{ExportOptions, ExportedPage};
pub use self::import::unit::OnExisting;
pub use self::import::{ImportOptions, OpenedImport, Progress, Summary, begin_report, report_lines};
pub use self::served::{Import, ImportStarted, ImportState};
pub use self::slots::ImportSlot;
pub(crate) use self::slots::Imports;
pub use hufu_store::imports::{Counts, RefusedRow, StoredImport};

/// The format of a file of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header, in UTF-8.
    Csv,
    /// A JSON list of objects.
    Json,
    /// One JSON object per line.
    JsonLines,
}

impl Format {
    /// The name in commands: `csv`, `json` or `jsonl`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
        }
    }

    /// Parses the name. File extensions are the same.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

/// Why an import failed or was interrupted. Batches committed by then are kept, and the same import resumes
/// after them.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such pool.
    #[error("there is no such user pool")]
    PoolUnknown,
    /// Administrators cannot be imported.
    #[error("the system pool holds the administrators, who are not imported")]
    SystemPool,
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[from] io::Error),
    /// The file is not UTF-8.
    #[error(
        "the file is not UTF-8 (byte {at}): Excel in Chinese saves CSV as GBK; save it as \"CSV UTF-8\", or convert it \
         with `iconv -f GB18030 -t UTF-8`"
    )]
    NotUtf8 {
        /// The position of the first invalid byte, counted from 0.
        at: u64,
    },
    /// The file as a whole is invalid.
    #[error("{}", reason.for_integrator(columns, Language::English))]
    InvalidFile {
        /// The invalid columns, if the problem is with columns.
        columns: String,
        /// What is wrong.
        reason: Reason,
    },
    /// There is an unfinished import of a different file with this name.
    #[error(
        "the import of a file of this name stopped after {rows} rows, and the file has changed since: finish with the \
         file as it was, or start over (rows that are in already will be refused, or skipped if you ask for that)"
    )]
    Changed {
        /// The number of rows of the other file that are finished.
        rows: i64,
    },
    /// The file changed while it was being read.
    #[error("the file was changed while it was read")]
    ChangedMeanwhile,
    /// Somebody called the import off, or started over.
    #[error("the import was cancelled")]
    Cancelled,
    /// Another process is running the same import.
    #[error("another process imports the same file")]
    RunningElsewhere,
    /// A password could not be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// A database error.
    #[error("the database refused")]
    Store(#[from] StoreError),
    /// The thread that reads the file ended without an error.
    #[error("the file was not read to its end")]
    Interrupted,
}

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such pool.
    #[error("there is no such user pool")]
    PoolUnknown,
    /// The output could not be written.
    #[error("the export cannot be written")]
    Write(#[from] io::Error),
    /// A user cannot be written as JSON.
    #[error("a user cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// A database error.
    #[error("the database refused")]
    Store(#[from] StoreError),
}

/// Everything needed to import and export users of a pool. It works directly on the database, with or without
/// a running server.
#[derive(Clone)]
pub struct Transfer {
    store: Store,
    config: Arc<Config>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    pool: PoolId,
    actor: Actor,
    origin: Origin,
}

impl Transfer {
    /// A transfer run from the command line.
    pub fn of_command(
        store: Store,
        config: Arc<Config>,
        limits: Limits,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        pool: PoolId,
    ) -> Self {
        let actor = Actor { kind: ActorKind::Command, id: None };
        Self { store, config, limits, clock, random, pool, actor, origin: Origin::default() }
    }

    /// The trace that the events of one unit of work share.
    fn trace(&self) -> Trace {
        let at = self.clock.now();
        Trace {
            actor: Some(self.actor.clone()),
            application: None,
            connection: None,
            ip: self.origin.ip.clone(),
            user_agent: self.origin.user_agent.clone(),
            request_id: self.origin.request_id.clone(),
            at,
            first: EventId::generate(at, &*self.random),
            subscribers: self.config.subscribers(&self.pool),
        }
    }

    fn sources(&self) -> Vec<Arc<hufu_types::Connection>> {
        self.config.connections(&self.pool).to_vec()
    }
}
