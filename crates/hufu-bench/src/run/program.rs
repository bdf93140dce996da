//! The two programs that are measured: how each is started.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::database::Database;
use crate::machine::median;
use crate::process::{Process, first_answer, free_address};
use crate::world::World;

/// A program that answers logins.
pub(super) trait Program {
    /// Starts it on this database and waits until it answers.
    fn start(&self, database: &Database<'_>) -> Result<(Process, SocketAddr)>;
}

/// Another process of this very program.
pub(super) fn this_program() -> Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}

/// The floor.
pub(super) struct Floor {
    pub(super) world: World,
    pub(super) api_base: String,
}

impl Program for Floor {
    fn start(&self, database: &Database<'_>) -> Result<(Process, SocketAddr)> {
        let mut command = this_program()?;
        command.args(["floor", "--database", &database.url(), "--api-base", &self.api_base]);
        let mut process = Process::start("floor", command.args(self.world.arguments()))?;
        let address = process.address()?;
        Ok((process, address))
    }
}

/// `hufu serve`, configured as an operator would.
pub(super) struct Server {
    hufu: PathBuf,
    config: PathBuf,
    log: PathBuf,
    address: SocketAddr,
    app_secret: String,
}

impl Server {
    /// Migrates the database and brings the world into it, by the server's own commands.
    pub(super) fn prepare(
        hufu: &Path,
        folder: &Path,
        database: &Database<'_>,
        world: &World,
        sandbox_base: &str,
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
api_base = "{sandbox_base}/api"
open_base = "{sandbox_base}/open"
mp_base = "{sandbox_base}/mp"
"#,
            database.url(),
            folder.join("hufu.key").display(),
        );
        fs::write(&config, text)?;
        let apply = folder.join("world.toml");
        fs::write(&apply, world.apply_file())?;
        // Each case has a database of its own, and so a key of its own.
        let _ = fs::remove_file(folder.join("hufu.key"));
        let server = Server {
            hufu: hufu.to_owned(),
            config,
            log: folder.join("hufu.log"),
            address,
            app_secret: world.app_secret.clone(),
        };
        server.finish(server.command("migrate"))?;
        let mut command = server.command("apply");
        command.arg(&apply);
        server.finish(command)?;
        Ok(server)
    }

    /// The median time from the start of the process to its first answer, and an orderly end each time.
    pub(super) fn median_start(&self, database: &Database<'_>, starts: usize) -> Result<Duration> {
        let mut times = Vec::new();
        for _ in 0..starts.max(1) {
            let (process, time) = self.timed_start(database)?;
            process.terminate()?;
            times.push(time);
        }
        Ok(median(&mut times))
    }

    fn timed_start(&self, _database: &Database<'_>) -> Result<(Process, Duration)> {
        let begin = Instant::now();
        let mut process = Process::start_logging("hufu serve", &mut self.command("serve"), &self.log)?;
        let time = first_answer(self.address, &mut process, begin).with_context(|| self.last_words())?;
        Ok((process, time))
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.hufu);
        command.arg(name).arg("--config").arg(&self.config).env("HUFU_BENCH_APP_SECRET", &self.app_secret);
        command
    }

    fn finish(&self, mut command: Command) -> Result<()> {
        let output = command.output().with_context(|| format!("starting {}", self.hufu.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{:?}: {said}", command.get_args().collect::<Vec<_>>());
        Ok(())
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Program for Server {
    fn start(&self, database: &Database<'_>) -> Result<(Process, SocketAddr)> {
        let (process, _) = self.timed_start(database)?;
        Ok((process, self.address))
    }
}
