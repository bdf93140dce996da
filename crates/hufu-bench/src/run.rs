//! The measurement: for each engine and number of users the server and the floor, one after the other, each with the
//! same load.

mod program;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use tokio::runtime::Runtime;

use crate::codes::{Person, Wechat};
use crate::database::Database;
use crate::generate::Outcome;
use crate::postgres::Postgres;
use crate::process::{self, Process, ResidentPeak};
use crate::world::World;
use crate::{machine, report};
use program::{Floor, Program, Server};

#[derive(Args)]
pub(crate) struct Options {
    /// Database engines.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    engines: Vec<Engine>,
    /// Users stored before the first login.
    #[arg(long, value_delimiter = ',', default_value = "0,1000000")]
    users: Vec<usize>,
    /// Length of each timed part.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Connections of the generator.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Persons who come again and again: half of all logins.
    #[arg(long, default_value_t = 10_000)]
    returning: usize,
    /// Starts of the server, of which the median is reported.
    #[arg(long, default_value_t = 7)]
    starts: usize,
    /// The server's program, built for release.
    #[arg(long, default_value = "target/release/hufu")]
    hufu: PathBuf,
    /// Only the floor, without the server.
    #[arg(long)]
    floor_only: bool,
    /// A PostgreSQL server whose user may create databases, instead of a private one: postgres://USER:PASSWORD@HOST:PORT
    #[arg(long)]
    postgres: Option<String>,
    /// Where the databases are; on the disk to be measured. The system's folder for temporary files if absent.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// A short look, not a measurement: 2 seconds, 1,000 returning persons, 0 users.
    #[arg(long)]
    quick: bool,
}

/// A database engine.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }
}

/// One engine with one number of users.
pub(crate) struct Case {
    pub(crate) engine: &'static str,
    pub(crate) users: usize,
    /// What a stored user takes on the disk.
    pub(crate) bytes_per_user: Option<f64>,
    /// From the start of the server's process to its first answer.
    pub(crate) start: Option<Duration>,
    pub(crate) server: Option<Measured>,
    pub(crate) floor: Measured,
}

/// One program under load.
pub(crate) struct Measured {
    /// As many logins as get through.
    pub(crate) full: Outcome,
    /// Half as many, each due at its time.
    pub(crate) half: Outcome,
    /// CPU time per login at full load.
    pub(crate) cpu: Cpu,
    pub(crate) resident_idle: u64,
    pub(crate) resident_peak: u64,
    /// What a login of the mix takes on the disk.
    pub(crate) bytes_per_login: f64,
}

/// CPU time of each process.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) program: Duration,
    /// The processes of a private PostgreSQL.
    pub(crate) database: Option<Duration>,
    pub(crate) generator: Duration,
    pub(crate) sandbox: Duration,
}

impl Outcome {
    /// Logins answered in a second.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub(crate) fn rate(&self) -> f64 {
        self.logins as f64 / self.seconds
    }
}

impl Measured {
    pub(crate) fn rate(&self) -> f64 {
        self.full.rate()
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let shortened;
    let options = if options.quick {
        shortened = Options {
            engines: options.engines.clone(),
            users: vec![0],
            seconds: 2.0,
            returning: 1_000,
            starts: 3,
            hufu: options.hufu.clone(),
            postgres: options.postgres.clone(),
            folder: options.folder.clone(),
            ..*options
        };
        &shortened
    } else {
        options
    };
    ensure!(
        options.returning > 0 && options.connections > 0 && options.seconds > 0.0,
        "there is nothing to measure"
    );
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("hufu-bench-").tempdir_in(&parent)?;
    report::note(&machine::describe(folder.path())?);
    report::note(&format!(
        "{} connections, {} s, half first logins and half of {} returning persons; warm-up {} first logins",
        options.connections, options.seconds, options.returning, options.returning
    ));

    let mut bench = Bench::start(options, folder.path())?;
    let mut cases = Vec::new();
    for engine in &options.engines {
        let postgres = match (engine, &options.postgres) {
            (Engine::Sqlite, _) => None,
            (Engine::Postgres, Some(url)) => Some(Postgres::at(url)),
            (Engine::Postgres, None) => Some(Postgres::start(folder.path())?),
        };
        for users in &options.users {
            let case = bench.case(*engine, postgres.as_ref(), *users)?;
            report::case(&case);
            cases.push(case);
        }
        postgres.map_or(Ok(()), Postgres::stop)?;
    }
    report::aims(&cases);
    Ok(())
}

/// What all cases share.
struct Bench<'o> {
    options: &'o Options,
    folder: &'o Path,
    runtime: Runtime,
    sandbox: Process,
    sandbox_base: String,
    wechat: Wechat,
    returning: Vec<Person>,
    world: World,
}

impl<'o> Bench<'o> {
    fn start(options: &'o Options, folder: &'o Path) -> Result<Bench<'o>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let world = World::default();
        let mut sandbox = Process::start("sandbox", program::this_program()?.arg("sandbox"))?;
        let sandbox_base = format!("http://{}", sandbox.address()?);
        let (wechat, returning) = runtime.block_on(async {
            let wechat = Wechat::new(&sandbox_base, &world).await?;
            let returning = wechat.people(options.returning).await?;
            Ok::<_, anyhow::Error>((wechat, returning))
        })?;
        Ok(Bench { options, folder, runtime, sandbox, sandbox_base, wechat, returning, world })
    }

    fn case(&mut self, engine: Engine, postgres: Option<&Postgres>, users: usize) -> Result<Case> {
        let database = match postgres {
            None => Database::Sqlite(self.folder.join("hufu.db")),
            Some(server) => Database::Postgres { server, name: "hufu_bench".to_owned() },
        };
        self.runtime.block_on(database.create())?;
        let server = if self.options.floor_only {
            self.runtime.block_on(database.migrate())?;
            None
        } else {
            let server =
                Server::prepare(&self.options.hufu, self.folder, &database, &self.world, &self.sandbox_base)?;
            self.world.connection = self.runtime.block_on(database.connection_id(&self.world))?;
            Some(server)
        };
        let floor = Floor { world: self.world.clone(), api_base: format!("{}/api", self.sandbox_base) };

        let bytes_per_user = (users > 0).then(|| self.fill(&database, users)).transpose()?;
        let floor_database = self.runtime.block_on(database.copy("hufu_bench_floor"))?;

        let mut case_start = None;
        let mut server_measured = None;
        if let Some(server) = &server {
            case_start = Some(server.median_start(&database, self.options.starts)?);
            server_measured = Some(self.measure(server, &database, postgres, users)?);
        }
        self.runtime.block_on(database.remove())?;
        let floor_measured = self.measure(&floor, &floor_database, postgres, users)?;
        self.runtime.block_on(floor_database.remove())?;

        let case = Case {
            engine: engine.name(),
            users,
            bytes_per_user,
            start: case_start,
            server: server_measured,
            floor: floor_measured,
        };
        if let Some(server) = &case.server {
            report::measured(&case, "server", server);
        }
        report::measured(&case, "floor", &case.floor);
        Ok(case)
    }

    /// Stores users; says what one takes.
    fn fill(&self, database: &Database<'_>, users: usize) -> Result<f64> {
        self.runtime.block_on(async {
            let before = database.size().await?;
            database.fill(&self.world, users, &self.returning).await?;
            Ok(per(database.size().await?.saturating_sub(before), users))
        })
    }

    fn measure(
        &self,
        program: &dyn Program,
        database: &Database<'_>,
        postgres: Option<&Postgres>,
        users: usize,
    ) -> Result<Measured> {
        let size_before = self.runtime.block_on(database.size())?;
        let [_, sessions_before, _] = self.runtime.block_on(database.count())?;
        let (process, address) = program.start(database)?;
        std::thread::sleep(Duration::from_secs(2));
        let resident_idle = process::resident(process.id())?;
        let peak = ResidentPeak::watch(process.id());
        let target = address.to_string();
        let watched =
            Watched { program: process.id(), database: postgres.and_then(Postgres::process), target };

        // With users stored, the returning persons are among them and stay cold; without, the warm-up brings them.
        let known = self.returning.len();
        let warm_up = match users {
            0 => self.runtime.block_on(self.wechat.returning(&self.returning, known))?,
            _ => self.runtime.block_on(self.wechat.strangers(known))?,
        };
        let (warm_up, _) = self.load(&watched, &warm_up, Duration::from_secs(600), None)?;

        // Twice what the warm-up suggests, so that the codes do not run out.
        let time = Duration::from_secs_f64(self.options.seconds);
        let wanted = whole(warm_up.rate() * 2.0 * self.options.seconds);
        let codes = self.runtime.block_on(self.wechat.mix(&self.returning, wanted))?;
        let (full, cpu) = self.load(&watched, &codes, time, None)?;

        let rate = full.rate() / 2.0;
        let wanted = whole(rate * self.options.seconds) + 2;
        let codes = self.runtime.block_on(self.wechat.mix(&self.returning, wanted))?;
        let (half, _) = self.load(&watched, &codes, time, Some(rate))?;

        let resident_peak = peak.bytes();
        process.terminate()?;
        let answered = warm_up.answered + full.answered + half.answered;
        let [_, sessions, _] = self.runtime.block_on(database.count())?;
        let stored = u64::try_from(sessions - sessions_before)?;
        ensure!(stored == answered, "{answered} logins were answered, but {stored} sessions are stored");
        let size = self.runtime.block_on(database.size())?;
        let bytes_per_login = per(size.saturating_sub(size_before), usize::try_from(answered)?);
        Ok(Measured { full, half, cpu, resident_idle, resident_peak, bytes_per_login })
    }

    /// One phase of the generator, and the CPU time of each process for each of its logins.
    fn load(
        &self,
        watched: &Watched,
        codes: &[String],
        time: Duration,
        rate: Option<f64>,
    ) -> Result<(Outcome, Cpu)> {
        let file = self.folder.join("codes");
        std::fs::write(&file, codes.join("\n"))?;
        // An open loop needs a connection for each login that may be waiting.
        let connections =
            if rate.is_some() { self.options.connections * 4 } else { self.options.connections };
        let mut command = program::this_program()?;
        command.arg("generate").args(["--target", &watched.target]).arg("--codes").arg(&file);
        command.args([
            "--connections",
            &connections.to_string(),
            "--seconds",
            &time.as_secs_f64().to_string(),
        ]);
        if let Some(rate) = rate {
            command.args(["--rate", &rate.to_string()]);
        }
        let mut generator = Process::start("generator", command.args(self.world.arguments()))?;
        ensure!(generator.line()? == "begin", "the generator does not begin");
        let before = self.cpu(watched, &generator)?;
        let line = generator.line()?;
        let after = self.cpu(watched, &generator)?;
        let outcome = line.strip_prefix("end ").context("the generator does not end")?;
        let outcome: Outcome = serde_json::from_str(outcome)?;
        generator.finish()?;
        ensure!(outcome.answered > 0, "not one login was answered");
        let each = |before: Duration, after: Duration| {
            after.saturating_sub(before) / u32::try_from(outcome.answered).unwrap_or(u32::MAX)
        };
        let cpu = Cpu {
            program: each(before.program, after.program),
            database: before.database.zip(after.database).map(|(before, after)| each(before, after)),
            generator: each(before.generator, after.generator),
            sandbox: each(before.sandbox, after.sandbox),
        };
        Ok((outcome, cpu))
    }

    fn cpu(&self, watched: &Watched, generator: &Process) -> Result<Cpu> {
        Ok(Cpu {
            program: process::cpu(watched.program)?,
            database: watched.database.map(process::cpu_of_children).transpose()?,
            generator: process::cpu(generator.id())?,
            sandbox: process::cpu(self.sandbox.id())?,
        })
    }
}

/// What is under load.
struct Watched {
    target: String,
    program: u32,
    database: Option<u32>,
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn per(bytes: u64, count: usize) -> f64 {
    bytes as f64 / count.max(1) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of logins, not below zero"
)]
fn whole(number: f64) -> usize {
    number.ceil() as usize
}
