//! Changes of the configuration with many pools: how soon a change in one pool takes effect on each of two
//! nodes, what loading it costs them, and how it affects logins; and the list pages of `/admin/v1`.

mod change;
mod lists;
mod pools;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use tokio::runtime::Runtime;

use self::change::{Changes, Probe};
use self::pools::Pools;
use crate::codes::Wechat;
use crate::database::{Database, Engine};
use crate::generate::Outcome;
use crate::generator::{Arrival, Generator, this_program};
use crate::machine::median;
use crate::process::{self, Process, hufu_beside_this_program};
use crate::run::whole;
use crate::server::Server;
use crate::world::World;
use crate::{machine, report};

pub(crate) use self::lists::ListFigures;

#[derive(Args)]
pub(crate) struct Options {
    /// The database engines to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    engines: Vec<Engine>,
    /// The number of pools. Each has three applications and three connections.
    #[arg(long, default_value_t = 10_000)]
    pools: usize,
    /// The number of changes that are timed until both nodes have them.
    #[arg(long, default_value_t = 40)]
    timed_changes: usize,
    /// Changes per second, where changes are made while something else is measured.
    #[arg(long, default_value_t = 10.0)]
    changes: f64,
    /// The length of each timed part, in seconds.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// The number of timed parts with logins and changes. As many without changes alternate with them. Of
    /// each, the part with the median p99 is reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The number of connections of the generator.
    #[arg(long, default_value_t = 64)]
    connections: usize,
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

/// The figures of one engine.
pub(crate) struct Configured {
    pub(crate) engine: &'static str,
    pub(crate) pools: usize,
    /// How long `hufu apply` took to create all pools.
    pub(crate) applied: Duration,
    pub(crate) nodes: Vec<NodeFigures>,
    /// Logins at half load, without changes and with changes in the background.
    pub(crate) without: Outcome,
    pub(crate) with: Outcome,
    pub(crate) changes_per_second: f64,
    /// The memory of the node that answered the logins, after them.
    pub(crate) resident_after_logins: u64,
    /// The list pages of `/admin/v1`.
    pub(crate) lists: Vec<ListFigures>,
    /// The memory of the same node, after them, and the most that it ever had.
    pub(crate) resident_after_lists: u64,
    pub(crate) most_resident: u64,
}

/// The figures of one node.
pub(crate) struct NodeFigures {
    pub(crate) start: Duration,
    pub(crate) resident: u64,
    /// The time from the commit of a change until the node serves it.
    pub(crate) median: Duration,
    pub(crate) longest: Duration,
    /// CPU time without any change, in milliseconds per second.
    pub(crate) cpu_idle: f64,
    /// The CPU time that a change adds, in milliseconds.
    pub(crate) cpu_per_change: f64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        options.pools > 0 && options.timed_changes > 0 && options.changes > 0.0,
        "there is nothing to measure"
    );
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("hufu-bench-").tempdir_in(&parent)?;
    report::note(&machine::describe(folder.path())?);
    report::note(&format!(
        "{} pools with 3 applications and 3 connections each; {} changes timed one by one; {} × {} s of logins at half \
         load, without changes and with {} changes/s in turn",
        options.pools, options.timed_changes, options.rounds, options.seconds, options.changes
    ));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for engine in &options.engines {
        let postgres = engine.server(options.postgres.as_deref(), folder.path())?;
        let database = Database::of(postgres.as_ref(), folder.path());
        let bench = Bench { options, folder: folder.path(), runtime: &runtime, database: &database };
        report::configured(&bench.case(*engine)?);
        runtime.block_on(database.remove())?;
    }
    Ok(())
}

struct Bench<'o> {
    options: &'o Options,
    folder: &'o Path,
    runtime: &'o Runtime,
    database: &'o Database<'o>,
}

/// A running node.
struct Node {
    process: Process,
    start: Duration,
    resident: u64,
    probe: Probe,
}

impl Bench<'_> {
    fn case(&self, engine: Engine) -> Result<Configured> {
        let world = World::default();
        let mut sandbox = Process::start("sandbox", this_program()?.arg("sandbox"))?;
        let wechat_base = format!("http://{}", sandbox.address()?);
        let wechat = self.runtime.block_on(Wechat::new(&wechat_base, &world))?;
        self.runtime.block_on(self.database.create())?;
        let first = Server::prepare(&self.options.hufu, self.folder, self.database, &world, &wechat_base)?;
        let pools = Pools(self.options.pools);
        let file = self.folder.join("pools.toml");
        std::fs::write(&file, pools.apply_file())?;
        let begin = Instant::now();
        first.apply(&file)?;
        let applied = begin.elapsed();

        let nodes = [Node::start(&first)?, Node::start(&first.another("another")?)?];
        let latencies = self.latencies(&nodes, pools)?;
        let cpu = self.cpu(&nodes, pools)?;
        let [node, _] = &nodes;
        let target = first.address().to_string();
        let (without, with, changes_per_second) = self.logins(&world, &wechat, &target, pools)?;
        let resident_after_logins = process::resident(node.process.id())?;
        let key = first.access_key("owner")?;
        let lists = self.runtime.block_on(lists::measure(first.address(), &key, pools, &world))?;
        let resident_after_lists = process::resident(node.process.id())?;
        let most_resident = process::peak_resident(node.process.id())?;
        let mut figures = Vec::new();
        for ((node, mut latencies), (cpu_idle, cpu_per_change)) in nodes.into_iter().zip(latencies).zip(cpu) {
            node.process.terminate()?;
            figures.push(NodeFigures {
                start: node.start,
                resident: node.resident,
                median: median(&mut latencies),
                longest: latencies.last().copied().unwrap_or_default(),
                cpu_idle,
                cpu_per_change,
            });
        }
        Ok(Configured {
            engine: engine.name(),
            pools: self.options.pools,
            applied,
            nodes: figures,
            without,
            with,
            changes_per_second,
            resident_after_logins,
            lists,
            resident_after_lists,
            most_resident,
        })
    }

    /// How long each change took until it was in effect on each node.
    fn latencies(&self, nodes: &[Node; 2], pools: Pools) -> Result<[Vec<Duration>; 2]> {
        self.runtime.block_on(async {
            let mut changes = Changes::open(self.database, pools, 0).await?;
            let mut latencies = [Vec::new(), Vec::new()];
            for number in 0..self.options.timed_changes {
                // Changes are spread over all parts of the nodes' polling interval.
                tokio::time::sleep(Duration::from_millis(u64::try_from(number * 37 % 500)?)).await;
                let (application, name) = changes.make().await?;
                let since = Instant::now();
                let [first, second] = nodes;
                let (first, second) = futures::try_join!(
                    first.probe.until(&application, &name, since),
                    second.probe.until(&application, &name, since)
                )?;
                for (latencies, way) in latencies.iter_mut().zip([first, second]) {
                    latencies.push(way);
                }
            }
            changes.close().await;
            Ok(latencies)
        })
    }

    /// The CPU time of each node without changes, in milliseconds per second, and what one change adds, in
    /// milliseconds.
    fn cpu(&self, nodes: &[Node; 2], pools: Pools) -> Result<Vec<(f64, f64)>> {
        let time = Duration::from_secs_f64(self.options.seconds);
        let read = || nodes.iter().map(|node| process::cpu(node.process.id())).collect::<Result<Vec<_>>>();
        let before = read()?;
        std::thread::sleep(time);
        let idle = read()?;
        let background = self.keep_changing(pools, 1);
        std::thread::sleep(time);
        let made = background.stop()?;
        let busy = read()?;
        let figures = before.iter().zip(&idle).zip(&busy).map(|((before, idle), busy)| {
            let quiet = idle.saturating_sub(*before).as_secs_f64() * 1000.0;
            let more = busy.saturating_sub(*idle).as_secs_f64() * 1000.0 - quiet;
            (quiet / time.as_secs_f64(), more / f64::from(made.max(1)))
        });
        Ok(figures.collect())
    }

    /// Logins at half of the maximum rate, alternately without and with changes. Also returns the changes per
    /// second.
    fn logins(
        &self,
        world: &World,
        wechat: &Wechat,
        target: &str,
        pools: Pools,
    ) -> Result<(Outcome, Outcome, f64)> {
        let (connections, seconds) = (self.options.connections, self.options.seconds);
        let load = |codes: &[String], time: f64, arrival| -> Result<Outcome> {
            let time = Duration::from_secs_f64(time);
            let mut generator = Generator::begin(self.folder, world, target, codes, time, arrival)?;
            let outcome = generator.outcome()?;
            generator.finish()?;
            Ok(outcome)
        };
        let codes = self.runtime.block_on(wechat.new_people(10_000))?;
        let rate = load(&codes, seconds.min(5.0), Arrival::Closed(connections))?.rate() / 2.0;
        let mut outcomes = [Vec::new(), Vec::new()];
        let mut made = 0;
        for round in 0..self.options.rounds.max(1) * 2 {
            let wanted = whole(rate * seconds) + 2;
            let codes = self.runtime.block_on(wechat.new_people(wanted))?;
            let background = (round % 2 == 1).then(|| self.keep_changing(pools, round));
            let outcome = load(&codes, seconds, Arrival::Open(rate, connections * 4))?;
            made += background.map(change::BackgroundChanges::stop).transpose()?.unwrap_or_default();
            if let Some(outcomes) = outcomes.get_mut(round % 2) {
                outcomes.push(outcome);
            }
        }
        let [without, with] = outcomes.map(|mut outcomes| {
            outcomes.sort_by_key(|outcome| outcome.p99);
            outcomes.swap_remove(outcomes.len() / 2)
        });
        let timed = seconds * f64::from(u32::try_from(self.options.rounds.max(1)).unwrap_or(u32::MAX));
        Ok((without, with, f64::from(made) / timed))
    }

    fn keep_changing(&self, pools: Pools, series: usize) -> change::BackgroundChanges {
        change::BackgroundChanges::begin(self.database.url(), pools, series, self.options.changes)
    }
}

impl Node {
    fn start(server: &Server) -> Result<Node> {
        let (process, start) = server.timed_start()?;
        std::thread::sleep(Duration::from_secs(2));
        let resident = process::resident(process.id())?;
        let probe = Probe::new(server.address())?;
        Ok(Node { process, start, resident, probe })
    }
}
