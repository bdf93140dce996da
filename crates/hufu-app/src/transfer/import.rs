//! Bringing users in.
//!
//! A thread reads rows and checks what it can; batches of them go through a short channel to the database, each
//! as one unit that also writes how far the import is. So memory stays flat, and an import that was stopped goes on
//! behind the last batch that was committed. A row that is refused is written down with its number and a reason,
//! and stops nothing.

pub(super) mod unit;

use async_recursion::async_recursion as boxed;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use hufu_store::imports::{Counts, ListRefusals, RefusedRow};
use hufu_types::refusal::Reason;
use hufu_types::{ImportId, PoolId};
use tokio::sync::mpsc;

use self::unit::{
    BatchOutcome, BeginImport, BeginOutcome, CheckBatch, ImportBatch, ImportRow, NewUser, OnExisting,
    RowOutcome,
};
use super::reader::Rows;
use super::rows::{ReadRow, RowReader, unknown_columns};
use super::source::{self, FileSummary};
use super::{Format, ImportError, Transfer, csv};
use crate::credentials::password::{self, HashingError};

/// Rows of one unit of work.
const BATCH_ROWS: usize = 400;
/// Bytes of the rows of one unit of work, about.
const BATCH_BYTES: usize = 1024 * 1024;
/// Batches that are read ahead.
const READ_AHEAD: usize = 2;
/// Passwords hashed at a time; each takes 19 MiB.
const HASHED_AT_ONCE: usize = 4;
const READ_BUFFER: usize = 128 * 1024;
/// Refused rows fetched at a time for the report.
const REPORT_PAGE: i64 = 1000;

/// How to bring users in.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// How the file is written.
    pub format: Format,
    /// How the file is called: one of the same name that was not finished is not mixed with another.
    pub file_name: String,
    /// What becomes of rows whose user is there already.
    pub on_existing: OnExisting,
    /// Check everything and write nothing.
    pub dry_run: bool,
    /// Give an import that was not finished up, and begin with the first row.
    pub start_over: bool,
    /// The country of phone numbers that name none, such as `86`.
    pub country_code: Option<String>,
    /// Whether fields of unknown names are left out, instead of refused.
    pub ignore_unknown: bool,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What became of the rows so far, those of earlier runs included.
    pub counts: Counts,
    /// How many rows earlier runs had done.
    pub resumed_at: i64,
    /// Passwords in clear text that this run has hashed, which takes far longer than all else.
    pub hashed: i64,
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Bytes of the file.
    pub of_bytes: u64,
}

/// What became of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The import; none of a dry run.
    pub import: Option<ImportId>,
    /// What became of the rows.
    pub counts: Counts,
    /// How many rows earlier runs had done.
    pub resumed_at: i64,
}

/// A file that was looked at as a whole, and whose import has begun.
#[derive(Debug)]
pub struct OpenedImport {
    import: Option<ImportId>,
    done: Counts,
    file: File,
    bytes: u64,
}

impl OpenedImport {
    /// The import; none of a dry run.
    pub fn import(&self) -> Option<&ImportId> {
        self.import.as_ref()
    }
}

/// Told after each batch, with the rows that were refused in it.
type Watch<'w> = &'w mut (dyn FnMut(&Progress, &[RefusedRow]) + Send);

impl Transfer {
    /// Brings the users of a file in.
    ///
    /// # Errors
    /// [`ImportError`]; what was committed before stays, and the same call goes on behind it.
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

    /// Looks at a file as a whole, and begins its import or finds the one that stopped.
    ///
    /// # Errors
    /// [`ImportError`], for a file that cannot be taken at all; nothing was written then.
    pub async fn open_import(
        &self,
        file: File,
        options: &ImportOptions,
    ) -> Result<OpenedImport, ImportError> {
        if self.pool == PoolId::system() {
            return Err(ImportError::SystemPool);
        }
        if !self.config.has_pool(&self.pool) {
            return Err(ImportError::PoolUnknown);
        }
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

    /// Brings the users of an opened file in.
    ///
    /// # Errors
    /// [`ImportError`]; what was committed before stays.
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
            let (counts, refused) = match &import {
                Some(import) => {
                    progress.hashed += count_of_passwords(&rows);
                    let rows = self.hashed(rows).await?;
                    self.commit(import, progress.counts.rows, rows, options.on_existing, last).await?
                }
                None => rehearsal.check(self, rows, options.on_existing).await?,
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

    /// Writes every refused row of an import as CSV: its number and the reason.
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

    /// The same, page by page.
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

    /// Reads on a thread of its own, a few batches ahead.
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
                // Nobody is there who could be told, if this fails.
                let _ = send.blocking_send(Err(error));
            }
        });
        batches
    }

    /// Hashes the passwords that are in clear text.
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
            Ok(ImportRow { number, content })
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
            BatchOutcome::RunningElsewhere => Err(ImportError::RunningElsewhere),
        }
    }
}

/// Begins a report of refused rows with the names of its columns.
///
/// # Errors
/// What `to` says.
pub fn begin_report(to: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut to = to;
    csv::write_row(&mut to, ["row", "reason"])
}

/// Continues the report of refused rows.
///
/// # Errors
/// What `to` says.
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

fn sum(one: Counts, other: Counts) -> Counts {
    Counts {
        rows: one.rows + other.rows,
        created: one.created + other.created,
        skipped: one.skipped + other.skipped,
        refused: one.refused + other.refused,
    }
}

/// Rows that go into one unit.
struct Batch {
    rows: Vec<(i64, Result<ReadRow, String>)>,
    /// Bytes of the file that were read up to here.
    read: u64,
    last: bool,
}

/// Whether the header of a CSV names fields that are known; then the file is at its beginning again.
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

/// Counts what is read.
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

/// A dry run. It remembers a number of eight bytes for each name, as nothing is in the database that could tell that
/// two rows of the file have the same.
#[derive(Default)]
struct DryRun {
    hasher: RandomState,
    names: HashSet<u64>,
}

impl DryRun {
    async fn check(
        &mut self,
        transfer: &Transfer,
        rows: Vec<(i64, Result<ReadRow, String>)>,
        on_existing: OnExisting,
    ) -> Result<(Counts, Vec<RefusedRow>), ImportError> {
        let mut named = Vec::with_capacity(rows.len());
        let mut checked = Vec::with_capacity(rows.len());
        for (number, row) in rows {
            let row = row.map(|row| row.user);
            named.push(row.as_ref().map(|new| self.names_of(new)).unwrap_or_default());
            let content = row.map(|mut new| {
                let survivor = new.user.merged_into.as_ref();
                let survivor = survivor.map(|id| self.hasher.hash_one(("id", id.as_str())));
                if survivor.is_some_and(|survivor| self.names.contains(&survivor)) {
                    new.user.merged_into = None;
                }
                new
            });
            checked.push(ImportRow { number, content });
        }
        let numbers: Vec<i64> = checked.iter().map(|row| row.number).collect();
        let unit = CheckBatch { pool: transfer.pool.clone(), rows: checked, on_existing };
        let outcomes = transfer.store.read(unit).await?;
        let mut counts = Counts::default();
        let mut refused = Vec::new();
        for ((number, names), outcome) in numbers.into_iter().zip(named).zip(outcomes) {
            counts.rows += 1;
            let outcome =
                if outcome == RowOutcome::Created { self.take(&names, on_existing) } else { outcome };
            match outcome {
                RowOutcome::Created => counts.created += 1,
                RowOutcome::Skipped => counts.skipped += 1,
                RowOutcome::Refused(reason) => {
                    counts.refused += 1;
                    refused.push((number, reason));
                }
            }
        }
        Ok((counts, refused))
    }

    /// Every name of a row, as a number.
    fn names_of(&self, new: &NewUser) -> Vec<(&'static str, u64)> {
        let user = &new.user;
        let names = [
            ("id", new.keeps_id.then_some(user.id.as_str())),
            ("username", user.username.as_ref().map(hufu_types::Username::as_str)),
            ("email", user.email.as_ref().map(hufu_types::Email::as_str)),
            ("phone", user.phone.as_ref().map(|(phone, _)| phone.as_str())),
            ("externalId", user.external_id.as_deref()),
        ];
        let names =
            names.into_iter().filter_map(|(name, value)| Some((name, self.hasher.hash_one((name, value?)))));
        let identities =
            new.identities.iter().map(|identity| ("identities", self.hasher.hash_one(&identity.key)));
        names.chain(identities).collect()
    }

    /// Takes the names of a row, unless an earlier row has one of them.
    fn take(&mut self, names: &[(&'static str, u64)], on_existing: OnExisting) -> RowOutcome {
        let taken = |(_, name): &&(&str, u64)| self.names.contains(name);
        let all_taken = names.iter().filter(taken).count() == names.len() && !names.is_empty();
        match names.iter().find(taken) {
            Some(_) if all_taken && on_existing == OnExisting::Skip => RowOutcome::Skipped,
            Some((name, _)) => {
                RowOutcome::Refused(format!("{name}: taken by a user of the pool or of an earlier row"))
            }
            None => {
                self.names.extend(names.iter().map(|(_, name)| *name));
                RowOutcome::Created
            }
        }
    }
}
