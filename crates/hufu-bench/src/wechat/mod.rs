//! Logins of the whole WeChat family at scale: browsers that wait on QR codes, scans, events of official accounts, and
//! callbacks of a website.
//!
//! Start reading with [`Case::run`]. [`world`] is the pool and the requests, [`pushes`] what WeChat pushes, [`browsers`]
//! the process that waits.

pub(crate) mod browsers;
mod callbacks;
mod nodes;
mod proxy;
mod pushes;
mod waiting;
mod world;

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use tokio::runtime::Runtime;

use crate::codes::Wechat;
use crate::database::{Database, Engine};
use crate::generator::this_program;
use crate::load::{Load, Watched};
use crate::postgres::Postgres;
use crate::process::{self, Process, hufu_beside_this_program};
use crate::report::megabytes;
use crate::requests::Order;
use crate::run::whole;
use crate::server::Server;
use crate::sheet::{SERVER, Sheet};
use crate::world::World;
use crate::{machine, report};
use pushes::Signer;
use world::{Account, PLAIN, SAFE};

/// The aims, for two cores.
const WAITING_BROWSERS: usize = 100_000;
const WAITING_BYTES: u64 = 800_000_000;
const SCAN_TO_BROWSER: Duration = Duration::from_secs(1);
const EVENTS_PER_SECOND: f64 = 5000.0;
const SHARE_OF_FLOOR: f64 = 0.60;

/// A node forgets a code that nobody asks about for as long.
const ASKED_SECONDS: f64 = 10.0;
/// More events than any server takes, so that those that are prepared do not run out.
const MOST_EVENTS_PER_SECOND: f64 = 12_000.0;

#[derive(Args)]
pub(crate) struct Options {
    /// The database engines to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    engines: Vec<Engine>,
    /// The length of each timed part, in seconds.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// The number of connections of the generator.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// The number of browsers that wait for events, as far as this machine lets a process have connections.
    #[arg(long, default_value_t = WAITING_BROWSERS)]
    browsers: usize,
    /// The number of them that are scanned.
    #[arg(long, default_value_t = 1000)]
    scans: usize,
    /// How many are scanned per second.
    #[arg(long, default_value_t = 200.0)]
    scans_per_second: f64,
    /// The number of browsers that ask instead, again and again.
    #[arg(long, default_value_t = 30_000)]
    asking: usize,
    /// The number of people who log in at three nodes, one of which is killed.
    #[arg(long, default_value_t = 1000)]
    people: usize,
    /// Only the parts of these names.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "events,callbacks,nodes,streams,questions"
    )]
    parts: Vec<Part>,
    /// The release build of the server's program. Default: the one beside this program.
    #[arg(long, default_value_os_t = hufu_beside_this_program(), hide_default_value = true)]
    hufu: PathBuf,
    /// Use this PostgreSQL server, such as postgres://USER:PASSWORD@HOST:PORT, instead of a private one. Its
    /// user must be allowed to create databases.
    #[arg(long)]
    postgres: Option<String>,
    /// The folder for the databases, on the disk to be measured. Default: the system's temporary folder.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// A part of the measurement.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Events of official accounts.
    Events,
    /// Callbacks of the website, beside their floor.
    Callbacks,
    /// Logins at three nodes, one of which is killed. PostgreSQL only.
    Nodes,
    /// Browsers that wait for events, and scans.
    Streams,
    /// Browsers that ask.
    Questions,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.connections > 0 && options.seconds > 0.0, "there is nothing to measure");
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("hufu-bench-").tempdir_in(&parent)?;
    report::note(&machine::describe(folder.path())?);
    report::note(&format!("{} connections, {} s for each part", options.connections, options.seconds));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let load = Load {
        folder: folder.path(),
        connections: options.connections,
        seconds: options.seconds,
        started: Cell::new(0),
    };
    let mut sandbox = Process::start("sandbox", this_program()?.arg("sandbox"))?;
    let wechat_base = format!("http://{}", sandbox.address()?);
    let (account, website) = runtime.block_on(async {
        let account = Wechat::of(&wechat_base, &SAFE.app(), "service_account").await?;
        Wechat::of(&wechat_base, &PLAIN.app(), "service_account").await?;
        Ok::<_, anyhow::Error>((account, Wechat::of(&wechat_base, &world::website(), "website").await?))
    })?;
    for engine in &options.engines {
        let postgres = engine.server(options.postgres.as_deref(), folder.path())?;
        let database = Database::of(postgres.as_ref(), folder.path());
        runtime.block_on(database.create())?;
        // What an operator sets for this many browsers behind a proxy, and for one connection that logs in everybody.
        let server =
            Server::prepare(&options.hufu, folder.path(), &database, &World::default(), &wechat_base)?
                .behind_a_proxy()
                .with_limit("HUFU_LIMITS_CONNECTIONS", options.browsers + 10_000)
                .with_limit("HUFU_LIMITS_QR_WATCHED", (options.browsers + options.asking) * 2)
                .with_limit("HUFU_LIMITS_QR_WECHAT_CODES_PER_CONNECTION", 1_000_000);
        let file = folder.path().join("wechat.toml");
        std::fs::write(&file, world::apply_file())?;
        server.apply(&file)?;
        let mut case = Case {
            options,
            load: &load,
            runtime: &runtime,
            account: &account,
            website: &website,
            wechat_base: &wechat_base,
            is_postgres: postgres.is_some(),
            sheet: Sheet::new(engine.name()),
        };
        case.run(&server, &database, postgres.as_ref())?;
        case.sheet.print_aims();
        runtime.block_on(database.remove())?;
    }
    Ok(())
}

/// The measurement on one engine.
struct Case<'o> {
    options: &'o Options,
    load: &'o Load<'o>,
    runtime: &'o Runtime,
    account: &'o Wechat,
    website: &'o Wechat,
    wechat_base: &'o str,
    is_postgres: bool,
    sheet: Sheet,
}

impl Case<'_> {
    fn run(&mut self, server: &Server, database: &Database<'_>, postgres: Option<&Postgres>) -> Result<()> {
        let has = |part: Part| self.options.parts.contains(&part);
        let (loads, nodes) = (has(Part::Events) || has(Part::Callbacks), has(Part::Nodes));
        let (streams, questions) = (has(Part::Streams), has(Part::Questions));
        let watched = |process: &Process, address: std::net::SocketAddr| Watched {
            target: address.to_string(),
            program: process.id(),
            database: postgres.and_then(Postgres::process),
        };
        if loads {
            let (process, address) = server.start()?;
            let node = watched(&process, address);
            if self.options.parts.contains(&Part::Events) {
                self.events(&node)?;
            }
            if self.options.parts.contains(&Part::Callbacks) {
                self.callbacks(&node, database)?;
            }
            process.terminate()?;
        }
        if nodes && self.is_postgres {
            self.nodes(server, database)?;
        }
        if streams {
            let other = server.another("second")?;
            let ((process, address), (second, second_address)) = (server.start()?, other.start()?);
            std::thread::sleep(Duration::from_secs(2));
            self.sheet.figure(
                SERVER,
                "resident memory idle, MB",
                &megabytes(process::resident(process.id())?),
            );
            self.streams(&watched(&process, address), &watched(&second, second_address))?;
            second.terminate()?;
            process.terminate()?;
        }
        if questions {
            let (process, address) = server.start()?;
            self.questions(&watched(&process, address))?;
            process.terminate()?;
        }
        Ok(())
    }

    /// New followers: each event is one of somebody whom nobody knew.
    fn events(&mut self, node: &Watched) -> Result<()> {
        let count = whole(MOST_EVENTS_PER_SECOND * self.options.seconds);
        let accounts: [(&str, Account); 2] = [("plain", PLAIN), ("encrypted", SAFE)];
        for (place, (what, account)) in accounts.into_iter().enumerate() {
            let events = Signer::new(account)?.new_followers(place * count, count)?;
            let figures = self.load.measure(node, &world::push(), &events, Order::Once)?;
            self.sheet.load(SERVER, &format!("{what} events"), "event", &figures);
            let rate = figures.rate();
            if self.is_postgres {
                let text = format!("{what} events ≥ 5,000/s");
                self.sheet.aim(text, format!("{rate:.0}"), rate >= EVENTS_PER_SECOND);
            }
        }
        Ok(())
    }
}
