//! Units of work for importing users. Each batch records its progress in the same transaction, so that an
//! interrupted import resumes after the last committed batch.

use std::sync::Arc;

use hufu_store::identities::NewIdentity;
use hufu_store::import_notes::{self, Note};
use hufu_store::imports::{self, Counts, Known, RefusedRow, Sought, StoredImport};
use hufu_store::{Read, StoreError, Tx, Write, versions};
use hufu_types::{Action, ImportId, PoolId, Timestamp, User};
use serde_json::json;

use super::super::moving::{Fate, Remark};
use super::claims::{self, Claims, sought};
use crate::events::{Event, Trace};
use crate::people::accounts::{self, NewAccount};

/// A user from a file, checked as far as possible without the database.
#[derive(Clone, Debug)]
pub(crate) struct NewUser {
    /// The user, with the id from the file or a new one.
    pub user: User,
    /// Whether the id is from the file. It must then be unused in the whole instance.
    pub keeps_id: bool,
    /// The hash of the password.
    pub password_hash: Option<String>,
    /// The user's identities.
    pub identities: Vec<NewIdentity>,
}

impl NewUser {
    fn account(&self) -> NewAccount<'_> {
        NewAccount {
            password_hash: self.password_hash.as_deref(),
            identities: &self.identities,
            ..NewAccount::of(&self.user)
        }
    }
}

/// A row of a file.
#[derive(Clone, Debug)]
pub(crate) struct ImportRow {
    /// Counted from 1.
    pub number: i64,
    /// The user, or the reason that the row was refused earlier.
    pub content: Result<Box<NewUser>, String>,
    /// For a row of another system.
    pub foreign: Option<Box<Foreign>>,
}

/// What there is to tell of a row of another system.
#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    /// Its id there.
    pub item: String,
    /// What of it could not be taken.
    pub remarks: Vec<Remark>,
}

/// What to do with rows whose user already exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// Refuse them.
    Refuse,
    /// Count them and leave the user unchanged.
    Skip,
}

/// Starts an import, or finds an unfinished one of the same file.
pub(crate) struct BeginImport {
    /// The pool.
    pub pool: PoolId,
    /// The id for a new import.
    pub id: ImportId,
    /// The fingerprint of the file's content.
    pub fingerprint: String,
    /// The name of the file.
    pub file_name: String,
    /// Whether to abandon an unfinished import.
    pub start_over: bool,
    /// The current time.
    pub now: Timestamp,
}

/// The outcome of starting an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BeginOutcome {
    /// A new import, or an unfinished one with the outcomes so far.
    Import(ImportId, Counts),
    /// There is an unfinished import with this file name, and the file has changed since.
    Changed(ImportId, Counts),
}

impl Write for BeginImport {
    type Out = BeginOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<BeginOutcome, StoreError> {
        let Self { pool, id, fingerprint, file_name, start_over, now } = self;
        if *start_over {
            imports::abandon(tx, pool, fingerprint, file_name, *now).await?;
        } else {
            if let Some((id, counts)) = imports::unfinished_by_content(tx, pool, fingerprint).await? {
                return Ok(BeginOutcome::Import(id, counts));
            }
            let other = imports::unfinished_by_name(tx, pool, file_name).await?;
            // If no batch was committed, there is nothing that the new file could conflict with.
            if let Some((id, counts)) = other.filter(|(_, counts)| counts.rows > 0) {
                return Ok(BeginOutcome::Changed(id, counts));
            }
        }
        imports::insert(tx, pool, id, fingerprint, file_name, *now).await?;
        Ok(BeginOutcome::Import(id.clone(), Counts::default()))
    }
}

/// A batch of rows, and the progress of the import.
pub(crate) struct ImportBatch {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
    /// The number of rows finished before. If the database disagrees, another process is running the import.
    pub done: i64,
    /// The rows.
    pub rows: Vec<ImportRow>,
    /// What to do with rows whose user already exists.
    pub on_existing: OnExisting,
    /// Whether this is the last batch.
    pub last: bool,
    /// The actor and time, for the audit log.
    pub trace: Trace,
}

/// The outcome of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BatchOutcome {
    /// The batch is committed.
    Done(Counts, Vec<RefusedRow>),
    /// The import was called off, or abandoned for a new start.
    Cancelled,
    /// Another process is running the same import, or has finished it.
    RunningElsewhere,
}

impl Write for ImportBatch {
    type Out = BatchOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<BatchOutcome, StoreError> {
        if !imports::claim(tx, &self.pool, &self.import, self.done, self.trace.at).await? {
            let is_cancelled = imports::is_cancelled(tx, &self.pool, &self.import).await?;
            return Ok(if is_cancelled { BatchOutcome::Cancelled } else { BatchOutcome::RunningElsewhere });
        }
        let keeps_id = |row: &ImportRow| row.content.as_ref().is_ok_and(|new| new.keeps_id);
        if self.rows.iter().any(keeps_id) {
            // Ids are unique across pools, which no index enforces. Units that write given ids take turns.
            versions::lock_configuration(tx).await?;
        }
        let outcomes = self.decide(tx).await?;
        let mut counts =
            Counts { rows: i64::try_from(self.rows.len()).unwrap_or(i64::MAX), ..Counts::default() };
        let mut refused = Vec::new();
        let mut created = Vec::new();
        let mut notes = Vec::new();
        for (row, outcome) in self.rows.iter().zip(outcomes) {
            notes.extend(row.notes(match &outcome {
                RowOutcome::Refused(reason) => Some(reason),
                RowOutcome::Created | RowOutcome::Skipped => None,
            }));
            match outcome {
                RowOutcome::Created => created.extend(row.content.as_ref().map(|new| new.account())),
                RowOutcome::Skipped => counts.skipped += 1,
                RowOutcome::Refused(reason) => refused.push((row.number, reason)),
            }
        }
        counts.created = i64::try_from(created.len()).unwrap_or(i64::MAX);
        counts.refused = i64::try_from(refused.len()).unwrap_or(i64::MAX);
        accounts::insert_all(tx, &self.pool, &created).await?;
        imports::insert_refusals(tx, &self.pool, &self.import, &refused).await?;
        import_notes::insert_notes(tx, &self.pool, &self.import, &notes).await?;
        if let Some(foreign) = self.rows.last().and_then(|row| row.foreign.as_ref()) {
            import_notes::set_last_item(tx, &self.pool, &self.import, &foreign.item).await?;
        }
        let finished_at = self.last.then_some(self.trace.at);
        imports::advance(tx, &self.pool, &self.import, counts, finished_at).await?;
        if counts.created > 0 {
            let details = json!({
                "import": self.import.as_str(),
                "rows": [self.done + 1, self.done + counts.rows],
                "created": counts.created,
                "skipped": counts.skipped,
                "refused": counts.refused,
            });
            let event = Event { action: Action::UsersImported, code: 0, user: None, details };
            self.trace.recorder().record(tx, &self.pool, event).await?;
        }
        Ok(BatchOutcome::Done(counts, refused))
    }
}

impl ImportBatch {
    /// Decides about all rows, after a few statements that look up what all of them name. If somebody takes a value
    /// between that and the writing, the database's unique keys refuse the batch, and the unit runs again.
    async fn decide(&self, tx: &mut Tx<'_>) -> Result<Vec<RowOutcome>, StoreError> {
        let known = known(tx, &self.pool, &self.rows).await?;
        let mut claims = Claims::default();
        Ok(self
            .rows
            .iter()
            .zip(&known)
            .map(|(row, known)| row.decide(&mut claims, known, self.on_existing))
            .collect())
    }
}

impl ImportRow {
    /// The unique values to look up: none if the row was refused earlier.
    fn sought(&self) -> Sought<'_> {
        self.content.as_ref().map(|new| sought(new)).unwrap_or_default()
    }

    /// What there is to tell of a row of another system that was refused for this reason, or was not.
    pub(crate) fn notes(&self, refused: Option<&str>) -> Vec<Note> {
        let Some(foreign) = &self.foreign else { return Vec::new() };
        let note = |nth: usize, outcome: Fate, reason: &str, detail: &str| Note {
            row_number: self.number,
            nth: i64::try_from(nth).unwrap_or(i64::MAX),
            item: foreign.item.clone(),
            outcome: outcome.as_str().to_owned(),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
        };
        if let Some(reason) = refused {
            return vec![note(0, Fate::Refused, claims::name_of_reason(reason), reason)];
        }
        let remarks = foreign.remarks.iter().enumerate();
        remarks.map(|(nth, it)| note(nth, Fate::Differs, it.reason, &it.detail)).collect()
    }

    /// Decides about the row.
    pub(super) fn decide(&self, claims: &mut Claims, known: &Known, on_existing: OnExisting) -> RowOutcome {
        match &self.content {
            Ok(new) => claims.decide(new, known, on_existing),
            Err(reason) => RowOutcome::Refused(reason.clone()),
        }
    }
}

/// What the database knows of the unique values of these rows.
async fn known(tx: &mut Tx<'_>, pool: &PoolId, rows: &[ImportRow]) -> Result<Vec<Known>, StoreError> {
    let sought: Vec<Sought<'_>> = rows.iter().map(ImportRow::sought).collect();
    imports::known(tx, pool, &sought).await
}

/// Looks up the rows of a dry run, which writes nothing.
pub(crate) struct LookUpBatch {
    /// The pool.
    pub pool: PoolId,
    /// The rows.
    pub rows: Arc<[ImportRow]>,
}

impl Read for LookUpBatch {
    /// What the database knows of each row.
    type Out = Vec<Known>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Known>, StoreError> {
        known(tx, &self.pool, &self.rows).await
    }
}

/// The outcome of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowOutcome {
    /// The user was created.
    Created,
    /// The user already existed.
    Skipped,
    /// The row was refused for this reason.
    Refused(String),
}

/// Calls off an import. What its batches have committed stays.
pub(crate) struct CancelImport {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
    /// The actor and time, for the audit log.
    pub trace: Trace,
}

impl Write for CancelImport {
    /// The import as it was left, or none if it had ended before.
    type Out = Option<StoredImport>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<StoredImport>, StoreError> {
        let Some(left) = imports::cancel(tx, &self.pool, &self.import, self.trace.at).await? else {
            return Ok(None);
        };
        let Counts { rows, created, skipped, refused } = left.counts;
        let details = json!({
            "import": self.import.as_str(), "rows": rows, "created": created, "skipped": skipped, "refused": refused,
        });
        let event = Event { action: Action::ImportCancelled, code: 0, user: None, details };
        self.trace.recorder().record(tx, &self.pool, event).await?;
        Ok(Some(left))
    }
}
