//! The measurement: for each engine and number of users, first the server and then the floor, with the same
//! load.

mod load;
mod program;
mod search;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use tokio::runtime::Runtime;

use crate::codes::{Person, Wechat};
use crate::database::{Database, Engine};
use crate::generator::this_program;
use crate::postgres::Postgres;
use crate::process::{Process, hufu_beside_this_program};
use crate::server::Server;
use crate::world::World;
use crate::{machine, report};
use program::Floor;

use load::per;

pub(crate) use load::{Measured, whole};
pub(crate) use search::Searched;

#[derive(Args)]
pub(crate) struct Options {
    /// The database engines to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    engines: Vec<Engine>,
    /// The number of users that are stored before the first login.
    #[arg(long, value_delimiter = ',', default_value = "0,1000000")]
    users: Vec<usize>,
    /// The length of each timed part, in seconds.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// The number of timed parts at full load. The one with the median rate is reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The number of connections of the generator.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// The number of people who log in again and again. They make half of all logins.
    #[arg(long, default_value_t = 10_000)]
    returning: usize,
    /// How often the server is started. The median time is reported.
    #[arg(long, default_value_t = 7)]
    starts: usize,
    /// The release build of the server's program. Default: the one beside this program.
    #[arg(long, default_value_os_t = hufu_beside_this_program(), hide_default_value = true)]
    hufu: PathBuf,
    /// Measure only the floor, without the server.
    #[arg(long)]
    floor_only: bool,
    /// Use this PostgreSQL server, such as postgres://USER:PASSWORD@HOST:PORT, instead of a private one. Its
    /// user must be allowed to create databases.
    #[arg(long)]
    postgres: Option<String>,
    /// The folder for the databases, on the disk to be measured. Default: the system's temporary folder.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// A quick look instead of a measurement: 2 seconds, 1,000 returning people, 0 stored users.
    #[arg(long)]
    quick: bool,
}

/// One engine with one number of users.
pub(crate) struct Case {
    pub(crate) engine: &'static str,
    pub(crate) users: usize,
    /// The size of a stored user on disk.
    pub(crate) bytes_per_user: Option<f64>,
    /// The time from the start of the server's process to its first response.
    pub(crate) start: Option<Duration>,
    pub(crate) server: Option<Measured>,
    pub(crate) floor: Measured,
    /// Searches for users. Empty without the server.
    pub(crate) searches: Vec<Searched>,
    /// How many users were searched.
    pub(crate) searched_users: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let shortened;
    let options = if options.quick {
        shortened = Options {
            engines: options.engines.clone(),
            users: vec![0],
            seconds: 2.0,
            rounds: 1,
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
        "{} connections, median of {} × {} s, half first logins and half of {} returning persons, warm-up {} first logins",
        options.connections, options.rounds, options.seconds, options.returning, options.returning
    ));

    let mut bench = Bench::start(options, folder.path())?;
    let mut cases = Vec::new();
    for engine in &options.engines {
        let postgres = engine.server(options.postgres.as_deref(), folder.path())?;
        for users in &options.users {
            let case = bench.case(*engine, postgres.as_ref(), *users)?;
            report::case(&case);
            report::searches(&case);
            cases.push(case);
        }
    }
    report::aims(&cases);
    Ok(())
}

/// State shared by all cases.
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
        let mut sandbox = Process::start("sandbox", this_program()?.arg("sandbox"))?;
        let sandbox_base = format!("http://{}", sandbox.address()?);
        let (wechat, returning) = runtime.block_on(async {
            let wechat = Wechat::new(&sandbox_base, &world).await?;
            let returning = wechat.people(options.returning).await?;
            Ok::<_, anyhow::Error>((wechat, returning))
        })?;
        Ok(Bench { options, folder, runtime, sandbox, sandbox_base, wechat, returning, world })
    }

    fn case(&mut self, engine: Engine, postgres: Option<&Postgres>, users: usize) -> Result<Case> {
        let database = Database::of(postgres, self.folder);
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
        let mut searches = Vec::new();
        if let Some(server) = &server {
            case_start = Some(server.median_start(self.options.starts)?);
            server_measured = Some(self.measure(server, &database, postgres, users)?);
            searches = self.search(server, &database, users)?;
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
            searches,
            searched_users: search::stored(users),
        };
        if let Some(server) = &case.server {
            report::measured(&case, "server", server);
        }
        report::measured(&case, "floor", &case.floor);
        Ok(case)
    }

    /// Stores users. Returns the size of one.
    fn fill(&self, database: &Database<'_>, users: usize) -> Result<f64> {
        self.runtime.block_on(async {
            let before = database.size().await?;
            let begin = Instant::now();
            database.fill(&self.world, users, &self.returning).await?;
            report::note(&format!("stored {users} users in {:.0} s", begin.elapsed().as_secs_f64()));
            Ok(per(database.size().await?.saturating_sub(before), users))
        })
    }
}
