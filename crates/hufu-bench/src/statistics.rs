//! Statistics: how long the audit log takes to be counted, and how long a question about thirty days takes, in pools
//! of different sizes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use hufu_types::{Clock as _, Day, SystemClock};
use serde_json::Value;

use crate::database::{Database, Engine};
use crate::generator::this_program;
use crate::machine::{self, median};
use crate::process::{self, Process, hufu_beside_this_program};
use crate::report;
use crate::server::Server;
use crate::world::World;

/// How often each question is asked.
const QUESTIONS: usize = 50;
/// How often the server is asked whether it has counted everything.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// The questions, by path.
const PATHS: [&str; 5] = ["", "/logins?by=method", "/logins?by=application", "/connections", "/waiting"];

#[derive(Args)]
pub(crate) struct Options {
    /// The database engines to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    engines: Vec<Engine>,
    /// The numbers of users.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    users: Vec<usize>,
    /// The number of logins of each user in thirty days.
    #[arg(long, default_value_t = 10)]
    logins: usize,
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

/// The figures of a pool of one size.
pub(crate) struct Counted {
    pub(crate) engine: &'static str,
    pub(crate) users: usize,
    pub(crate) logins: usize,
    /// How long counting took, and the CPU time of the server meanwhile.
    pub(crate) time: Duration,
    pub(crate) cpu: Duration,
    pub(crate) resident: u64,
    /// The questions, with the median and the longest time of an answer.
    pub(crate) answers: Vec<(&'static str, Duration, Duration)>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("hufu-bench-").tempdir_in(&parent)?;
    report::note(&machine::describe(folder.path())?);
    report::note(&format!("{} logins of each user in thirty days, with 20 applications", options.logins));
    for engine in &options.engines {
        let postgres = engine.server(options.postgres.as_deref(), folder.path())?;
        let database = Database::of(postgres.as_ref(), folder.path());
        for users in &options.users {
            report::counted(&case(options, folder.path(), &database, *engine, *users)?);
        }
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(database.remove())?;
    }
    Ok(())
}

fn case(
    options: &Options,
    folder: &Path,
    database: &Database<'_>,
    engine: Engine,
    users: usize,
) -> Result<Counted> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let world = World::default();
    let logins = users * options.logins;
    let mut sandbox = Process::start("sandbox", this_program()?.arg("sandbox"))?;
    let wechat = format!("http://{}", sandbox.address()?);
    runtime.block_on(database.create())?;
    let server = Server::prepare(&options.hufu, folder, database, &world, &wechat)?;
    let now = SystemClock.now().0;
    runtime.block_on(database.log_logins(&world, users, logins, now))?;
    let key = server.access_key("auditor")?;
    let begin = Instant::now();
    let (process, address) = server.start()?;
    let client = Client {
        http: reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?,
        key,
        base: format!("http://{address}/admin/v1/pools/{}/statistics", world.pool),
    };
    let (time, answers) = runtime.block_on(async {
        while client.logins().await? < logins {
            tokio::time::sleep(ASK_EVERY).await;
        }
        let time = begin.elapsed();
        let mut answers = Vec::new();
        for path in PATHS {
            let mut times = Vec::new();
            for _ in 0..QUESTIONS {
                let begin = Instant::now();
                client.ask(path).await?;
                times.push(begin.elapsed());
            }
            let median = median(&mut times);
            answers.push((path, median, times.last().copied().unwrap_or_default()));
        }
        Ok::<_, anyhow::Error>((time, answers))
    })?;
    let (cpu, resident) = (process::cpu(process.id())?, process::resident(process.id())?);
    process.terminate()?;
    Ok(Counted { engine: engine.name(), users, logins, time, cpu, resident, answers })
}

/// Asks for statistics.
struct Client {
    http: reqwest::Client,
    key: String,
    base: String,
}

impl Client {
    async fn ask(&self, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.base);
        let answer =
            self.http.get(url).header("authorization", format!("Bearer {}", self.key)).send().await?;
        let (status, body) = (answer.status(), answer.bytes().await?);
        ensure!(status.is_success(), "a question was answered {status}");
        Ok(serde_json::from_slice(&body)?)
    }

    /// The logins of the last thirty-one days that have been counted, done or refused.
    async fn logins(&self) -> Result<usize> {
        let counted = self.ask("/connections").await?;
        let days = self.ask("").await?;
        let first = days.pointer("/days/0/day").and_then(Value::as_str).and_then(Day::parse);
        // The log begins in the middle of the day before the first of the usual thirty.
        let day = first.context("there is no first day")?.plus(-1);
        let earlier = self.ask(&format!("/connections?from={day}&to={day}")).await?;
        let sum = |counted: &Value| -> u64 {
            let connections = counted["connections"].as_array().into_iter().flatten();
            let of = |one: &Value, name: &str| one[name].as_u64().unwrap_or_default();
            connections.map(|one| of(one, "done") + of(one, "refused")).sum()
        };
        Ok(usize::try_from(sum(&counted) + sum(&earlier))?)
    }
}
