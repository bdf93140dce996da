//! Users in and out of a pool: import from JSON and CSV, export to the same.
//!
//! Reading order: `import` (what happens to a file), `export`, then how a file is read: `source` (what it
//! holds), `reader` and `csv` (one row after the other), `rows` with `fields`, `custom` and `identities` (from a
//! row to a user). Neither direction holds more of a file in memory than a few hundred rows.

mod csv;
mod custom;
mod export;
mod fields;
mod identities;
mod import;
mod reader;
mod rows;
mod served;
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
pub use hufu_store::imports::{Counts, RefusedRow, StoredImport};

/// How users stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header, in UTF-8.
    Csv,
    /// A JSON list of objects.
    Json,
    /// A JSON object a line.
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

    /// Reads the name, which is also how names of files end.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

/// Why users were not brought in, or not all of them. What was committed stays, and the same import goes on behind it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such pool.
    #[error("there is no such user pool")]
    PoolUnknown,
    /// Administrators are not imported.
    #[error("the system pool holds the administrators, who are not imported")]
    SystemPool,
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[from] io::Error),
    /// The file is in another encoding.
    #[error(
        "the file is not UTF-8 (byte {at}): Excel in Chinese saves CSV as GBK; save it as \"CSV UTF-8\", or convert it \
         with `iconv -f GB18030 -t UTF-8`"
    )]
    NotUtf8 {
        /// Where the first wrong byte is, counted from 0.
        at: u64,
    },
    /// The file as a whole is not what it should be.
    #[error("{}", reason.for_integrator(columns, Language::English))]
    InvalidFile {
        /// The columns that are not right, where it is columns.
        columns: String,
        /// What is not right.
        reason: Reason,
    },
    /// An import of another file of this name was not finished.
    #[error(
        "the import of a file of this name stopped after {rows} rows, and the file has changed since: finish with the \
         file as it was, or start over (rows that are in already will be refused, or skipped if you ask for that)"
    )]
    Changed {
        /// How many rows of the other file are done.
        rows: i64,
    },
    /// The file was written to while it was read.
    #[error("the file was changed while it was read")]
    ChangedMeanwhile,
    /// Another process is at the same import.
    #[error("another process imports the same file, or has given this import up")]
    RunningElsewhere,
    /// A password could not be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// The database refused.
    #[error("the database refused")]
    Store(#[from] StoreError),
    /// The reader of the file ended without saying why.
    #[error("the file was not read to its end")]
    Interrupted,
}

/// Why users were not taken out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such pool.
    #[error("there is no such user pool")]
    PoolUnknown,
    /// What was to be written to refused.
    #[error("the export cannot be written")]
    Write(#[from] io::Error),
    /// A user cannot be written as JSON.
    #[error("a user cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The database refused.
    #[error("the database refused")]
    Store(#[from] StoreError),
}

/// What moving users of a pool needs: it works on the database, with or without a server beside it.
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
    /// A transfer that the command line does.
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

    /// What the events of one unit have in common.
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
