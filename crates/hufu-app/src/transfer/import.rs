//! Importing users.
//!
//! One thread reads rows and checks what it can without the database. Batches of rows go through a short
//! channel to the database. Each batch is one unit of work, which also records the import's progress. So
//! memory use is constant, and an interrupted import resumes after the last committed batch. A refused row is
//! recorded with its number and a reason, and does not stop the import.

mod claims;
pub(in crate::transfer) mod unit;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_recursion::async_recursion as boxed;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use hufu_store::imports::{Counts, ListRefusals, RefusedRow};
use hufu_types::refusal::Reason;
use hufu_types::{ImportId, PoolId};
use tokio::sync::mpsc;

use self::claims::Claims;
use self::unit::{
    BatchOutcome, BeginImport, BeginOutcome, ImportBatch, ImportRow, LookUpBatch, OnExisting, RowOutcome,
};
use super::reader::Rows;
use super::rows::{ReadRow, RowReader, unknown_columns};
use super::source::{self, FileSummary};
use super::{Format, ImportError, Transfer, csv};
use crate::credentials::password::{self, HashingError};

/// Rows per unit of work.
const BATCH_ROWS: usize = 500;
/// Approximate size of the rows in one unit of work, in bytes.
const BATCH_BYTES: usize = 1024 * 1024;
/// How many batches are read ahead.
const READ_AHEAD: usize = 2;
/// How many passwords are hashed in parallel. Each takes 19 MiB.
const HASHED_AT_ONCE: usize = 4;
const READ_BUFFER: usize = 128 * 1024;
/// Refused rows per page of the report.
const REPORT_PAGE: i64 = 1000;

/// How to import users.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The format of the file.
    pub format: Format,
    /// The name of the file. An unfinished import of a different file with the same name blocks this one.
    pub file_name: String,
    /// What to do with rows whose user already exists.
    pub on_existing: OnExisting,
    /// Check everything, but write nothing.
    pub dry_run: bool,
    /// Abandon an unfinished import, and start with the first row.
    pub start_over: bool,
    /// The country code for phone numbers without one, for example `86`.
    pub country_code: Option<String>,
    /// Ignore fields with unknown names instead of refusing them.
    pub ignore_unknown: bool,
}

/// The progress of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The outcomes of the rows so far, including earlier runs.
    pub counts: Counts,
    /// The number of rows that earlier runs had finished.
    pub resumed_at: i64,
    /// The number of clear-text passwords hashed in this run. Hashing takes far longer than everything else.
    pub hashed: i64,
    /// The number of bytes of the file read.
    pub bytes: u64,
    /// The size of the file, in bytes.
    pub of_bytes: u64,
}

/// The result of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The import; none for a dry run.
    pub import: Option<ImportId>,
    /// The outcomes of the rows.
    pub counts: Counts,
    /// The number of rows that earlier runs had finished.
    pub resumed_at: i64,
}

/// A file that has been checked as a whole, and whose import has started.
#[derive(Debug)]
pub struct OpenedImport {
    import: Option<ImportId>,
    done: Counts,
    file: File,
    bytes: u64,
}

impl OpenedImport {
    /// The import; none for a dry run.
    pub fn import(&self) -> Option<&ImportId> {
        self.import.as_ref()
    }
}

/// Called after each batch, with the rows that it refused.
type Watch<'w> = &'w mut (dyn FnMut(&Progress, &[RefusedRow]) + Send);

impl Transfer {
    /// Imports the users of a file.
    ///
    /// # Errors
    /// [`ImportError`]. Batches committed by then are kept, and the same call resumes after them.
    #[boxed]
    pub async fn import<'a>(
        &'a self,
        file: File,
        options: &ImportOptions,
        watch: Watch<'a>,
    ) -> Result<Summary, ImportError> {
        let opened = self.open_import(file, options).await?;
        self.run_import(opened, options, watch).await
    }

    /// Checks a file as a whole, and starts its import or finds an interrupted one.
    ///
    /// # Errors
    /// [`ImportError`], for a file that cannot be imported at all. Nothing has been written then.
    pub async fn open_import(
        &self,
        file: File,
        options: &ImportOptions,
    ) -> Result<OpenedImport, ImportError> {
        self.check_pool()?;
        let (format, ignore_unknown, mut file) = (options.format, options.ignore_unknown, file);
        let surveying = tokio::task::spawn_blocking(move || {
            let surveyed = source::summarize(&mut file, format)?;
            check_columns(&mut file, format, ignore_unknown)?;
            Ok::<_, ImportError>((surveyed, file))
        });
        let (FileSummary { fingerprint, bytes }, file) =
            surveying.await.map_err(|_| ImportError::Interrupted)??;
        if options.dry_run {
            return Ok(OpenedImport { import: None, done: Counts::default(), file, bytes });
        }
        let unit = BeginImport {
            pool: self.pool.clone(),
            id: ImportId::generate(self.clock.now(), &*self.random),
            fingerprint,
            file_name: options.file_name.clone(),
            start_over: options.start_over,
            now: self.clock.now(),
        };
        match self.store.write(unit).await? {
            BeginOutcome::Import(id, done) => Ok(OpenedImport { import: Some(id), done, file, bytes }),
            BeginOutcome::Changed(_, counts) => Err(ImportError::Changed { rows: counts.rows }),
        }
    }

    /// Refuses pools into which nothing is imported.
    pub(super) fn check_pool(&self) -> Result<(), ImportError> {
        if self.pool == PoolId::system() {
            return Err(ImportError::SystemPool);
        }
        if !self.config.has_pool(&self.pool) {
            return Err(ImportError::PoolUnknown);
        }
        Ok(())
    }

    /// Imports the users of an opened file.
    ///
    /// # Errors
    /// [`ImportError`]. Batches committed by then are kept.
    pub async fn run_import(
        &self,
        opened: OpenedImport,
        options: &ImportOptions,
        watch: Watch<'_>,
    ) -> Result<Summary, ImportError> {
        let OpenedImport { import, done, file, bytes } = opened;
        let mut progress =
            Progress { counts: done, resumed_at: done.rows, hashed: 0, bytes: 0, of_bytes: bytes };
        let mut batches = self.read_ahead(file, options, done.rows);
        let mut rehearsal = DryRun::default();
        let mut ended = false;
        while let Some(batch) = batches.recv().await {
            let Batch { rows, read, last } = batch?;
            let (counts, refused) = if let Some(import) = &import {
                progress.hashed += count_of_passwords(&rows);
                let rows = self.hashed(rows).await?;
                self.commit(import, progress.counts.rows, rows, options.on_existing, last).await?
            } else {
                let rows = rows.into_iter().map(|(number, row)| ImportRow {
                    number,
                    content: row.map(|row| row.user),
                    foreign: None,
                });
                rehearsal.check(self, rows.collect(), options.on_existing).await?
            };
            progress.counts = sum(progress.counts, counts);
            progress.bytes = read;
            watch(&progress, &refused);
            ended = last;
        }
        if !ended {
            return Err(ImportError::Interrupted);
        }
        Ok(Summary { import, counts: progress.counts, resumed_at: progress.resumed_at })
    }

    /// Writes the refused rows of an import as CSV, with their numbers and reasons.
    ///
    /// # Errors
    /// [`ImportError`]
    #[boxed]
    pub async fn report(&self, import: &ImportId, to: &mut (dyn Write + Send)) -> Result<(), ImportError> {
        let mut pages = pin!(self.clone().report_pages(import.clone()));
        while let Some(page) = pages.try_next().await? {
            to.write_all(&page)?;
        }
        Ok(())
    }

    /// The same report, page by page.
    pub(super) fn report_pages(
        self,
        import: ImportId,
    ) -> impl Stream<Item = Result<Vec<u8>, ImportError>> + Send + use<> {
        stream::try_unfold(Some(0), move |after| {
            let transfer = self.clone();
            let (pool, import) = (self.pool.clone(), import.clone());
            async move {
                let Some(after) = after else { return Ok(None) };
                let unit = ListRefusals { pool, import, after, limit: REPORT_PAGE };
                let page = transfer.store.read(unit).await?;
                let mut text = Vec::new();
                if after == 0 {
                    begin_report(&mut text)?;
                }
                report_lines(&mut text, &page)?;
                Ok(Some((text, page.last().map(|(number, _)| *number))))
            }
        })
    }

    /// Reads a few batches ahead on a separate thread.
    fn read_ahead(
        &self,
        file: File,
        options: &ImportOptions,
        done: i64,
    ) -> mpsc::Receiver<Result<Batch, ImportError>> {
        let (send, batches) = mpsc::channel(READ_AHEAD);
        let rows = RowReader {
            pool: self.pool.clone(),
            sources: self.sources(),
            settings: self.config.settings(&self.pool),
            limits: self.limits.clone(),
            country_code: options.country_code.clone(),
            ignore_unknown: options.ignore_unknown,
            now: self.clock.now(),
            random: self.random.clone(),
        };
        let format = options.format;
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read_batches(file, format, &rows, done, &send) {
                // If this fails, nobody is left to receive the error.
                let _ = send.blocking_send(Err(error));
            }
        });
        batches
    }

    /// Hashes the clear-text passwords.
    async fn hashed(
        &self,
        rows: Vec<(i64, Result<ReadRow, String>)>,
    ) -> Result<Vec<ImportRow>, HashingError> {
        let hashing = stream::iter(rows).map(|(number, row)| async move {
            let content = match row {
                Ok(ReadRow { mut user, password: Some(password) }) => {
                    user.password_hash = Some(password::hash(password, &*self.random).await?);
                    Ok(user)
                }
                Ok(ReadRow { user, password: None }) => Ok(user),
                Err(reason) => Err(reason),
            };
            Ok(ImportRow { number, content, foreign: None })
        });
        hashing.buffered(HASHED_AT_ONCE).try_collect().await
    }

    async fn commit(
        &self,
        import: &ImportId,
        done: i64,
        rows: Vec<ImportRow>,
        on_existing: OnExisting,
        last: bool,
    ) -> Result<(Counts, Vec<RefusedRow>), ImportError> {
        let (pool, import) = (self.pool.clone(), import.clone());
        let unit = ImportBatch { pool, import, done, rows, on_existing, last, trace: self.trace() };
        match self.store.write(unit).await? {
            BatchOutcome::Done(counts, refused) => Ok((counts, refused)),
            BatchOutcome::Cancelled => Err(ImportError::Cancelled),
            BatchOutcome::RunningElsewhere => Err(ImportError::RunningElsewhere),
        }
    }
}

/// Writes the header of a report of refused rows.
///
/// # Errors
/// Errors of `to`.
pub fn begin_report(to: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut to = to;
    csv::write_row(&mut to, ["row", "reason"])
}

/// Writes rows of a report of refused rows.
///
/// # Errors
/// Errors of `to`.
pub fn report_lines(to: &mut (dyn Write + Send), rows: &[RefusedRow]) -> io::Result<()> {
    let mut to = to;
    for (number, reason) in rows {
        csv::write_row(&mut to, [number.to_string().as_str(), reason])?;
    }
    Ok(())
}

fn count_of_passwords(rows: &[(i64, Result<ReadRow, String>)]) -> i64 {
    let has =
        |(_, row): &&(i64, Result<ReadRow, String>)| row.as_ref().is_ok_and(|row| row.password.is_some());
    i64::try_from(rows.iter().filter(has).count()).unwrap_or(i64::MAX)
}

pub(super) fn sum(one: Counts, other: Counts) -> Counts {
    Counts {
        rows: one.rows + other.rows,
        created: one.created + other.created,
        skipped: one.skipped + other.skipped,
        refused: one.refused + other.refused,
    }
}

/// The rows for one unit of work.
struct Batch {
    rows: Vec<(i64, Result<ReadRow, String>)>,
    /// The number of bytes of the file read so far.
    read: u64,
    last: bool,
}

/// Checks that the header of a CSV has only known fields. Leaves the file at its beginning.
fn check_columns(file: &mut File, format: Format, ignore_unknown: bool) -> Result<(), ImportError> {
    if ignore_unknown {
        return Ok(());
    }
    if let Rows::Csv(csv) = Rows::open(BufReader::new(&mut *file), format)? {
        let unknown: Vec<_> = unknown_columns(csv.columns()).into_iter().map(csv::shown).collect();
        if !unknown.is_empty() {
            return Err(ImportError::InvalidFile {
                columns: unknown.join(", "),
                reason: Reason::UnknownColumns,
            });
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(())
}

fn read_batches(
    file: File,
    format: Format,
    reader: &RowReader,
    done: i64,
    send: &mpsc::Sender<Result<Batch, ImportError>>,
) -> Result<(), ImportError> {
    let handle = file.try_clone()?;
    let before = handle.metadata()?;
    let read = Arc::new(AtomicU64::new(0));
    let counting = CountingReader { file, read: read.clone() };
    let mut rows = Rows::open(BufReader::with_capacity(READ_BUFFER, counting), format)?;
    let mut number = 0;
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    let mut bytes = 0;
    while rows.advance()? {
        number += 1;
        if number <= done {
            continue;
        }
        bytes += rows.len();
        batch.push((number, rows.fields().and_then(|fields| reader.read(fields))));
        if batch.len() == BATCH_ROWS || bytes >= BATCH_BYTES {
            bytes = 0;
            let rows = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_ROWS));
            let batch = Batch { rows, read: read.load(Ordering::Relaxed), last: false };
            if send.blocking_send(Ok(batch)).is_err() {
                return Ok(());
            }
        }
    }
    let after = handle.metadata()?;
    if after.len() != before.len() || after.modified()? != before.modified()? {
        return Err(ImportError::ChangedMeanwhile);
    }
    let batch = Batch { rows: batch, read: read.load(Ordering::Relaxed), last: true };
    let _ = send.blocking_send(Ok(batch));
    Ok(())
}

/// Counts the bytes read.
struct CountingReader {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for CountingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
        Ok(count)
    }
}

/// The state of a dry run, which writes nothing that later rows could run into.
#[derive(Default)]
pub(super) struct DryRun {
    claims: Claims,
}

impl DryRun {
    pub(super) async fn check(
        &mut self,
        transfer: &Transfer,
        rows: Arc<[ImportRow]>,
        on_existing: OnExisting,
    ) -> Result<(Counts, Vec<RefusedRow>), ImportError> {
        let unit = LookUpBatch { pool: transfer.pool.clone(), rows: rows.clone() };
        let known = transfer.store.read(unit).await?;
        let mut counts = Counts::default();
        let mut refused = Vec::new();
        for (row, known) in rows.iter().zip(&known) {
            counts.rows += 1;
            match row.decide(&mut self.claims, known, on_existing) {
                RowOutcome::Created => counts.created += 1,
                RowOutcome::Skipped => counts.skipped += 1,
                RowOutcome::Refused(reason) => {
                    counts.refused += 1;
                    refused.push((row.number, reason));
                }
            }
        }
        Ok((counts, refused))
    }
}
