//! The users of a move: pages of the API or rows of files, in batches of an import.

use std::collections::HashMap;
use std::sync::Arc;

use hufu_store::import_notes::{ForgetNotes, LastItem, ListNotes, Note};
use hufu_store::imports::Counts;
use hufu_types::{Connection, ImportId, PoolSettings};

use super::super::import::unit::{
    BatchOutcome, BeginImport, BeginOutcome, Foreign, ImportBatch, ImportRow, OnExisting,
};
use super::super::import::{DryRun, sum};
use super::super::reader::Fields;
use super::super::rows::RowReader;
use super::super::{ImportError, Progress, Transfer};
use super::api::short_list;
use super::connections::Names;
use super::report::{Fate, Finding, Kind, Tally};
use super::users::UserReader;
use super::{Counting, MoveError, MoveOptions, Moved, UserSource};

/// Users per unit of work.
const BATCH: usize = 200;
/// Notes per page of a report.
const NOTES: i64 = 1000;
/// Notes of earlier imports that are deleted at once.
const FORGOTTEN_NOTES: i64 = 5000;

pub(super) struct People<'t> {
    pub(super) transfer: &'t Transfer,
    pub(super) options: &'t MoveOptions,
    pub(super) names: Names,
    pub(super) connections: Vec<Arc<Connection>>,
    pub(super) settings: PoolSettings,
}

/// Some users of the other system.
struct Page {
    users: Vec<Result<Fields, String>>,
    /// How many there are altogether, if that is known.
    total: u64,
    last: bool,
    /// Whether somebody was passed over, since others were removed there.
    has_shifted: bool,
    /// Whether the list ended before its own total.
    is_short: bool,
}

impl UserSource<'_> {
    /// The users from this place on. Files go on by themselves.
    async fn next(&mut self, offset: u64) -> Result<Page, MoveError> {
        let mut page = Page { users: Vec::new(), total: 0, last: false, has_shifted: false, is_short: false };
        match self {
            Self::Api(api) => {
                while page.users.len() < BATCH && !page.last {
                    let read = u64::try_from(page.users.len()).unwrap_or_default();
                    let found = api.users(offset + read).await?;
                    page.users.extend(found.users);
                    page.total = page.total.max(found.total);
                    page.last = found.last;
                    page.has_shifted |= found.has_shifted;
                    page.is_short = found.is_short;
                }
            }
            Self::Files(files) => {
                while page.users.len() < BATCH && !page.last {
                    match files.next_user()? {
                        Some(user) => page.users.push(user),
                        None => page.last = true,
                    }
                }
            }
        }
        Ok(page)
    }
}

impl People<'_> {
    pub(super) async fn run(
        self,
        source: &mut UserSource<'_>,
        counting: &mut Counting<'_, '_>,
        moved: &mut Moved,
    ) -> Result<(), MoveError> {
        let mut counts = Counts::default();
        if !self.options.dry_run {
            let (import, done, restarted) = self.begin(source).await?;
            (moved.import, moved.resumed_at, moved.restarted) = (Some(import), done.rows, restarted);
            counts = done;
        }
        if let UserSource::Files(files) = source {
            for _ in 0..counts.rows {
                files.next_user()?;
            }
        }
        let reader = self.reader();
        let mut rehearsal = DryRun::default();
        // A dry run brings nobody, so that it misses nobody either.
        let mut may_restart = !self.options.dry_run;
        let mut last = false;
        while !last {
            let page = source.next(u64::try_from(counts.rows).unwrap_or_default()).await?;
            if (page.has_shifted || page.is_short) && may_restart {
                may_restart = false;
                let (import, _) = self.open(source, true).await?;
                (moved.import, moved.resumed_at, moved.restarted) = (Some(import), 0, true);
                counts = Counts::default();
                continue;
            }
            if page.is_short {
                return Err(short_list().into());
            }
            moved.is_unsettled |= page.has_shifted && moved.import.is_some();
            last = page.last;
            let mut number = counts.rows;
            let rows = page.users.into_iter().map(|user| {
                number += 1;
                let read = reader.read(user);
                let foreign = Foreign { item: read.item, remarks: read.remarks };
                ImportRow { number, content: read.content, foreign: Some(Box::new(foreign)) }
            });
            let rows: Vec<ImportRow> = rows.collect();
            let made = match &moved.import {
                Some(import) => self.commit(import, counts.rows, rows, last).await?,
                None => self.rehearse(&mut rehearsal, rows, counting).await?,
            };
            counts = sum(counts, made);
            let done = u64::try_from(counts.rows).unwrap_or_default();
            let progress = Progress {
                counts,
                resumed_at: moved.resumed_at,
                hashed: 0,
                bytes: done,
                of_bytes: page.total.max(done),
            };
            (counting.watch.progress)(&progress);
        }
        if let Some(import) = &moved.import {
            self.tell(import, counting).await?;
        }
        let Counts { created, skipped, refused, .. } = counts;
        moved.tallies.push((Kind::User, Tally { created, left: skipped, refused, not_taken: 0 }));
        Ok(())
    }

    fn reader(&self) -> UserReader {
        let Transfer { pool, limits, clock, random, .. } = self.transfer;
        let rows = RowReader {
            pool: pool.clone(),
            sources: self.connections.clone(),
            settings: Arc::new(self.settings.clone()),
            limits: limits.clone(),
            country_code: Some(self.options.country_code.clone()),
            ignore_unknown: true,
            now: clock.now(),
            random: random.clone(),
        };
        UserReader { rows, names: self.names.clone() }
    }

    /// Starts the import, or finds the one that was stopped. One whose place in the list of the API is not where it was, since
    /// users were removed there, begins again: whoever is here already is left as they are.
    async fn begin(&self, source: &mut UserSource<'_>) -> Result<(ImportId, Counts, bool), MoveError> {
        let Transfer { pool, store, .. } = self.transfer;
        let (import, done) = self.open(source, self.options.start_over).await?;
        let UserSource::Api(api) = source else { return Ok((import, done, false)) };
        if done.rows == 0 {
            return Ok((import, done, false));
        }
        let before = store.read(LastItem { pool: pool.clone(), import: import.clone() }).await?;
        let page = api.users(u64::try_from(done.rows - 1).unwrap_or_default()).await?;
        // One who cannot be read has an item too: an empty one.
        let there = page.users.into_iter().next().map(|user| self.reader().read(user).item);
        if before.is_none() || there == before {
            return Ok((import, done, false));
        }
        let (import, done) = self.open(source, true).await?;
        Ok((import, done, true))
    }

    /// Starts the import, or finds the one that was stopped, unless it starts over. What those that have ended had to tell was
    /// told, and is deleted.
    async fn open(&self, source: &UserSource<'_>, start_over: bool) -> Result<(ImportId, Counts), MoveError> {
        let (file_name, fingerprint) = match source {
            UserSource::Api(api) => (api.name(), api.name()),
            UserSource::Files(files) => (files.name.clone(), files.fingerprint.clone()),
        };
        let Transfer { pool, clock, random, store, .. } = self.transfer;
        let (pool, id, now) = (pool.clone(), ImportId::generate(clock.now(), &**random), clock.now());
        let forget = ForgetNotes { pool: pool.clone(), limit: FORGOTTEN_NOTES };
        let unit = BeginImport { pool, id, fingerprint, file_name, start_over, now };
        let begun = match store.write(unit).await? {
            BeginOutcome::Import(import, counts) => (import, counts),
            BeginOutcome::Changed(_, counts) => {
                return Err(ImportError::Changed { rows: counts.rows }.into());
            }
        };
        while store.write(forget.clone()).await? == FORGOTTEN_NOTES.unsigned_abs() {}
        Ok(begun)
    }

    async fn commit(
        &self,
        import: &ImportId,
        done: i64,
        rows: Vec<ImportRow>,
        last: bool,
    ) -> Result<Counts, ImportError> {
        let (pool, import) = (self.transfer.pool.clone(), import.clone());
        let trace = self.transfer.trace();
        let unit = ImportBatch { pool, import, done, rows, on_existing: OnExisting::Skip, last, trace };
        match self.transfer.store.write(unit).await? {
            BatchOutcome::Done(counts, _) => Ok(counts),
            BatchOutcome::Cancelled => Err(ImportError::Cancelled),
            BatchOutcome::RunningElsewhere => Err(ImportError::RunningElsewhere),
        }
    }

    async fn rehearse(
        &self,
        rehearsal: &mut DryRun,
        rows: Vec<ImportRow>,
        counting: &mut Counting<'_, '_>,
    ) -> Result<Counts, ImportError> {
        let rows: Arc<[ImportRow]> = rows.into();
        let (counts, refused) = rehearsal.check(self.transfer, rows.clone(), OnExisting::Skip).await?;
        let refused: HashMap<i64, String> = refused.into_iter().collect();
        for row in rows.iter() {
            let reason = refused.get(&row.number).map(String::as_str);
            row.notes(reason).iter().for_each(|note| counting.pass(&finding(note)));
        }
        Ok(counts)
    }

    /// Tells what all runs have found.
    async fn tell(&self, import: &ImportId, counting: &mut Counting<'_, '_>) -> Result<(), ImportError> {
        let mut after = (0, -1);
        loop {
            let (pool, import) = (self.transfer.pool.clone(), import.clone());
            let notes = self.transfer.store.read(ListNotes { pool, import, after, limit: NOTES }).await?;
            let Some(last) = notes.last() else { return Ok(()) };
            after = (last.row_number, last.nth);
            for note in &notes {
                counting.pass(&finding(note));
            }
        }
    }
}

fn finding(note: &Note) -> Finding {
    let outcome = if note.outcome == Fate::Refused.as_str() { Fate::Refused } else { Fate::Differs };
    // Users have no name here.
    Finding::new(Kind::User, &note.item, "", outcome, &note.reason, &note.detail)
}
