//! The measurement of `hufu import`, compared with plain inserts of the same rows, for all rows and for a
//! tenth of them.

mod file;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use hufu_types::{Clock as _, SystemClock};
use tokio::runtime::Runtime;

use crate::database::{Database, Engine, people};
use crate::postgres::Postgres;
use crate::process::{self, ResidentPeak, hufu_beside_this_program};
use crate::server::Server;
use crate::world::World;
use crate::{machine, report};
use file::Format;

/// Users per transaction of the plain inserts. The import commits as many at a time.
const BATCH: usize = 400;
/// Nothing listens there, since an import makes no calls.
const NO_WECHAT: &str = "http://127.0.0.1:9";

#[derive(Args)]
pub(crate) struct Options {
    /// Database engines.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    engines: Vec<Engine>,
    /// Rows of the file. First a tenth of them is imported, for comparison.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// File formats.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "jsonl,csv")]
    formats: Vec<Format>,
    /// The release build of the program that imports. Default: the one beside this program.
    #[arg(long, default_value_os_t = hufu_beside_this_program(), hide_default_value = true)]
    hufu: PathBuf,
    /// Use this PostgreSQL server, such as postgres://USER:PASSWORD@HOST:PORT, instead of a private one. Its
    /// user must be allowed to create databases.
    #[arg(long)]
    postgres: Option<String>,
    /// The folder for databases and files, on the disk to be measured. Default: the system's temporary
    /// folder.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// One import.
pub(crate) struct Imported {
    pub(crate) engine: &'static str,
    pub(crate) format: &'static str,
    pub(crate) rows: usize,
    pub(crate) file_bytes: u64,
    /// The time from the start of the command to its end.
    pub(crate) time: Duration,
    /// The peak resident memory.
    pub(crate) resident_peak: u64,
    /// The time that plain inserts of the same rows took.
    pub(crate) plain: Duration,
}

impl Imported {
    pub(crate) fn rate(&self) -> f64 {
        rate(self.rows, self.time)
    }

    pub(crate) fn plain_rate(&self) -> f64 {
        rate(self.rows, self.plain)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for the reader")]
fn rate(rows: usize, time: Duration) -> f64 {
    rows as f64 / time.as_secs_f64()
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.rows >= 10, "too few rows: a tenth of them is nothing to compare with");
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("hufu-bench-").tempdir_in(&parent)?;
    report::note(&machine::describe(folder.path())?);
    report::note(&format!("each row a user with openid and unionid; {BATCH} rows per transaction"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for engine in &options.engines {
        let postgres = engine.server(options.postgres.as_deref(), folder.path())?;
        let mut bench = Bench {
            options,
            folder: folder.path(),
            runtime: &runtime,
            postgres: postgres.as_ref(),
            engine: *engine,
        };
        let few = bench.case(options.rows / 10)?;
        let many = bench.case(options.rows)?;
        for (few, many) in few.iter().zip(&many) {
            report::import_grows(few, many);
        }
    }
    Ok(())
}

/// Imports on one engine.
struct Bench<'o> {
    options: &'o Options,
    folder: &'o Path,
    runtime: &'o Runtime,
    postgres: Option<&'o Postgres>,
    engine: Engine,
}

impl Bench<'_> {
    /// Imports this many rows in each format.
    fn case(&mut self, rows: usize) -> Result<Vec<Imported>> {
        let plain = self.plain(rows)?;
        let mut cases = Vec::new();
        for format in &self.options.formats {
            let imported = self.import(*format, rows, plain)?;
            report::imported(&imported);
            cases.push(imported);
        }
        Ok(cases)
    }

    fn plain(&self, rows: usize) -> Result<Duration> {
        self.on_new_database(rows, |database, _, world| {
            let users = people::stored(rows, &[], SystemClock.now());
            let begin = Instant::now();
            self.runtime.block_on(database.insert_plainly(world, users, BATCH))?;
            Ok(begin.elapsed())
        })
    }

    fn import(&self, format: Format, rows: usize, plain: Duration) -> Result<Imported> {
        let file = format.write(self.folder, people::stored(rows, &[], SystemClock.now()))?;
        let file_bytes = std::fs::metadata(&file)?.len();
        let (time, resident_peak) = self.on_new_database(rows, |_, server, world| {
            let begin = Instant::now();
            let process = server.import(&file, &world.pool)?;
            let peak = ResidentPeak::watch(process.id(), process::peak_resident);
            process.finish().with_context(|| server.last_output())?;
            let time = begin.elapsed();
            Ok((time, peak.bytes()))
        })?;
        std::fs::remove_file(&file)?;
        let (engine, format) = (self.engine.name(), format.name());
        Ok(Imported { engine, format, rows, file_bytes, time, resident_peak, plain })
    }

    /// Runs `act` on an empty pool. Afterwards the pool must contain this many users.
    fn on_new_database<T>(
        &self,
        users: usize,
        act: impl FnOnce(&Database<'_>, &Server, &World) -> Result<T>,
    ) -> Result<T> {
        let database = Database::of(self.postgres, self.folder);
        self.runtime.block_on(database.create())?;
        let mut world = World::default();
        let server = Server::prepare(&self.options.hufu, self.folder, &database, &world, NO_WECHAT)?;
        world.connection = self.runtime.block_on(database.connection_id(&world))?;
        // Flushes the pending writes of the last case, so that this one is not charged for them.
        self.runtime.block_on(database.size())?;
        let result = act(&database, &server, &world)?;
        let [stored, ..] = self.runtime.block_on(database.count())?;
        ensure!(usize::try_from(stored)? == users, "{users} users were to be stored, and {stored} are");
        self.runtime.block_on(database.remove())?;
        Ok(result)
    }
}
