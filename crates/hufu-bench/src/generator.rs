//! Starts the load generator as a separate process and reads its results.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::generate::Outcome;
use crate::process::Process;
use crate::world::World;

/// How logins arrive.
#[derive(Clone, Copy)]
pub(crate) enum Arrival {
    /// A closed loop over this many connections: each sends a login when its last one has been answered.
    Closed(usize),
    /// An open loop with this rate per second, whether or not earlier logins are still waiting, over at most
    /// this many connections.
    Open(f64, usize),
}

/// A generator process whose timed part has begun.
pub(crate) struct Generator(Process);

/// The command to start another process of this program.
pub(crate) fn this_program() -> Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}

impl Generator {
    /// Starts the generator and waits until the timed part begins.
    pub(crate) fn begin(
        folder: &Path,
        world: &World,
        target: &str,
        codes: &[String],
        time: Duration,
        arrival: Arrival,
    ) -> Result<Generator> {
        let file = folder.join("codes");
        std::fs::write(&file, codes.join("\n"))?;
        let (Arrival::Closed(connections) | Arrival::Open(_, connections)) = arrival;
        let mut command = this_program()?;
        command.arg("generate").args(["--target", target]).arg("--codes").arg(&file);
        command.args([
            "--connections",
            &connections.to_string(),
            "--seconds",
            &time.as_secs_f64().to_string(),
        ]);
        if let Arrival::Open(rate, _) = arrival {
            command.args(["--rate", &rate.to_string()]);
        }
        Generator::start(command.args(world.arguments()))
    }

    /// Starts a process that prints `begin` and `end` as the generator does, and waits until it has begun.
    pub(crate) fn start(command: &mut Command) -> Result<Generator> {
        let mut generator = Process::start("generator", command)?;
        ensure!(generator.line()? == "begin", "the generator does not begin");
        Ok(Generator(generator))
    }

    /// The process. Its CPU time can be read until `finish`.
    pub(crate) fn process(&self) -> &Process {
        &self.0
    }

    /// Waits for the end of the timed part. The process keeps running until `finish`.
    pub(crate) fn outcome(&mut self) -> Result<Outcome> {
        let line = self.0.line()?;
        let outcome = line.strip_prefix("end ").context("the generator does not end")?;
        let outcome: Outcome = serde_json::from_str(outcome)?;
        ensure!(outcome.answered > 0, "not one request was answered");
        Ok(outcome)
    }

    /// Waits until the process ends.
    pub(crate) fn finish(self) -> Result<()> {
        self.0.finish()
    }
}
