//! `hufu` as an operator runs it: configured, migrated, with data set up by its own commands.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::database::Database;
use crate::machine::median;
use crate::process::{Process, first_answer, free_address, with_most_descriptors};
use crate::world::World;

/// `hufu`, configured as an operator would configure it.
pub(crate) struct Server {
    hufu: PathBuf,
    config: PathBuf,
    log: PathBuf,
    address: SocketAddr,
    app_secret: String,
    /// More settings, as environment variables.
    environment: Vec<(&'static str, String)>,
}

impl Server {
    /// Migrates the database and sets up the data, with the server's own commands.
    pub(crate) fn prepare(
        hufu: &Path,
        folder: &Path,
        database: &Database<'_>,
        world: &World,
        wechat_base: &str,
    ) -> Result<Server> {
        ensure!(
            hufu.exists(),
            "{} is not there; build it with: cargo build --release -p hufu",
            hufu.display()
        );
        let (address, metrics) = (free_address()?, free_address()?);
        let config = folder.join("hufu.toml");
        let text = format!(
            r#"listen = "{address}"
public_url = "http://{address}"
database_url = "{}"
encryption_key_file = "{}"
metrics_listen = "{metrics}"

[wechat]
api_base = "{wechat_base}/api"
open_base = "{wechat_base}/open"
mp_base = "{wechat_base}/mp"
"#,
            database.url(),
            folder.join("hufu.key").display(),
        );
        fs::write(&config, text)?;
        let apply = folder.join("world.toml");
        fs::write(&apply, world.apply_file())?;
        // Each case has its own database, and so its own key.
        let _ = fs::remove_file(folder.join("hufu.key"));
        let server = Server {
            hufu: hufu.to_owned(),
            config,
            log: folder.join("hufu.log"),
            address,
            app_secret: world.app_secret.clone(),
            environment: Vec::new(),
        };
        server.finish(server.command(&["migrate"]))?;
        server.apply(&apply)?;
        Ok(server)
    }

    /// Makes the database match a file.
    pub(crate) fn apply(&self, file: &Path) -> Result<()> {
        let mut command = self.command(&["apply"]);
        command.arg(file);
        self.finish(command).map(drop)
    }

    /// Believes what requests from this machine say about the addresses that they come from.
    #[must_use]
    pub(crate) fn behind_a_proxy(mut self) -> Server {
        self.environment.push(("HUFU_TRUSTED_PROXIES", "127.0.0.0/8".to_owned()));
        self
    }

    /// Grants one browser any number of requests: a few browsers stand for all here.
    #[must_use]
    pub(crate) fn with_busy_browsers(self) -> Server {
        self.with_limit("HUFU_LIMITS_CODES_PER_BROWSER", 1_000_000_000)
    }

    /// Sets a limit, by the name of its environment variable.
    #[must_use]
    pub(crate) fn with_limit(mut self, name: &'static str, limit: usize) -> Server {
        self.environment.push((name, limit.to_string()));
        self
    }

    /// Another node on the same database, with its own address. The name is that of its files.
    pub(crate) fn another(&self, name: &str) -> Result<Server> {
        let (address, metrics) = (free_address()?, free_address()?);
        let text = fs::read_to_string(&self.config)?;
        let lines = text.lines().map(|line| match line.split_once(" = ") {
            Some(("listen", _)) => format!("listen = \"{address}\"\n"),
            Some(("metrics_listen", _)) => format!("metrics_listen = \"{metrics}\"\n"),
            _ => format!("{line}\n"),
        });
        let config = self.config.with_extension(format!("{name}.toml"));
        fs::write(&config, lines.collect::<String>())?;
        Ok(Server {
            hufu: self.hufu.clone(),
            config,
            log: self.log.with_extension(format!("{name}.log")),
            address,
            app_secret: self.app_secret.clone(),
            environment: self.environment.clone(),
        })
    }

    /// Starts the server and waits until it responds.
    pub(crate) fn start(&self) -> Result<(Process, SocketAddr)> {
        let (process, _) = self.timed_start()?;
        Ok((process, self.address))
    }

    /// The median time from the start of the process to its first response, with an orderly stop each time.
    pub(crate) fn median_start(&self, starts: usize) -> Result<Duration> {
        let mut times = Vec::new();
        for _ in 0..starts.max(1) {
            let (process, time) = self.timed_start()?;
            process.terminate()?;
            times.push(time);
        }
        Ok(median(&mut times))
    }

    /// An access key for `/admin/v1`.
    pub(crate) fn access_key(&self, role: &str) -> Result<String> {
        let said = self.finish(self.command(&["admin", "create-key", "--name", "bench", "--role", role]))?;
        let key = said.split_whitespace().find(|word| word.starts_with("hfk_"));
        Ok(key.context("hufu admin create-key printed no key")?.to_owned())
    }

    /// Starts to import the users of a file, as a separate process.
    pub(crate) fn import(&self, file: &Path, pool: &str) -> Result<Process> {
        let mut command = self.command(&["import"]);
        command.arg(file).args(["--pool", pool]);
        Process::start_logging("hufu import", &mut command, &self.log)
    }

    /// The address that the server listens on.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last lines of the server's log.
    pub(crate) fn last_output(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Starts the server. Returns how long its first response took.
    pub(crate) fn timed_start(&self) -> Result<(Process, Duration)> {
        let begin = Instant::now();
        let mut command = with_most_descriptors(&self.command(&["serve"]));
        let mut process = Process::start_logging("hufu serve", &mut command, &self.log)?;
        let time = first_answer(self.address, &mut process, begin).with_context(|| self.last_output())?;
        Ok((process, time))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.hufu);
        command.args(words).arg("--config").arg(&self.config).env("HUFU_BENCH_APP_SECRET", &self.app_secret);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command until it exits. Returns its output.
    fn finish(&self, mut command: Command) -> Result<String> {
        let output = command.output().with_context(|| format!("starting {}", self.hufu.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{:?}: {said}", command.get_args().collect::<Vec<_>>());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
