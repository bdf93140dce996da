//! Loads a program with requests, and reads the CPU time of each process.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::generate::Outcome;
use crate::generator::{Arrival, Generator, this_program};
use crate::process;
use crate::requests::{Order, Template};

/// How long everything may take that is to be sent once.
const LONGEST: Duration = Duration::from_secs(600);

/// The processes under load.
pub(crate) struct Watched {
    pub(crate) target: String,
    pub(crate) program: u32,
    /// The process whose children are a private PostgreSQL.
    pub(crate) database: Option<u32>,
}

/// Starts generators.
pub(crate) struct Load<'o> {
    pub(crate) folder: &'o Path,
    pub(crate) connections: usize,
    pub(crate) seconds: f64,
    /// How many generators were started. Each has its own files.
    pub(crate) started: Cell<usize>,
}

/// What a measurement found.
pub(crate) struct Figures {
    pub(crate) outcome: Outcome,
    /// CPU time per request.
    pub(crate) cpu: Cpu,
    /// What was kept of the responses.
    pub(crate) kept: Vec<String>,
}

/// CPU time of each process.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) program: Duration,
    pub(crate) database: Option<Duration>,
    pub(crate) generator: Duration,
}

impl Figures {
    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.outcome.rate()
    }
}

/// A generator whose timed part has begun.
pub(crate) struct Begun {
    pub(crate) generator: Generator,
    kept: PathBuf,
}

impl Begun {
    /// Waits for the end. Returns the figures and what was kept of the responses.
    fn end(mut self) -> Result<(Outcome, Vec<String>)> {
        let outcome = self.generator.outcome()?;
        self.generator.finish()?;
        Ok((outcome, lines(&self.kept)?))
    }

    /// Waits for the end of requests whose responses do not matter.
    pub(crate) fn outcome(self) -> Result<Outcome> {
        Ok(self.end()?.0)
    }
}

fn lines(file: &Path) -> Result<Vec<String>> {
    Ok(std::fs::read_to_string(file)?.lines().map(str::to_owned).collect())
}

impl Load<'_> {
    /// As many requests as possible over all connections, after some that do not count: a quarter of the time,
    /// or a tenth of the values if each can be used only once.
    pub(crate) fn measure(
        &self,
        watched: &Watched,
        template: &Template,
        values: &[String],
        order: Order,
    ) -> Result<Figures> {
        ensure!(!values.is_empty(), "there is nothing to send");
        let target = &watched.target;
        let most = if order == Order::Repeat { self.connections } else { self.connections.min(values.len()) };
        let before = match order {
            Order::Repeat => values.len(),
            Order::Once => values.len() / 10,
            // Other chains than the measured ones, if there are any.
            Order::Chain => values.len().saturating_sub(most).min(most),
        };
        let (warm_up, rest) = values.split_at(before);
        let mut kept = Vec::new();
        if !warm_up.is_empty() {
            let most = if order == Order::Repeat { most } else { most.min(warm_up.len()) };
            let arrival = Arrival::Closed(most);
            let begun = self.begin(target, template, warm_up, order, arrival, self.seconds / 4.0)?;
            kept = begun.end()?.1;
        }
        let values = if order == Order::Repeat { values } else { rest };
        let begun = self.begin(target, template, values, order, Arrival::Closed(most), self.seconds)?;
        let mut figures = Load::figures(watched, begun)?;
        kept.append(&mut figures.kept);
        Ok(Figures { kept, ..figures })
    }

    /// Each value once, without a warm-up, however long it takes.
    pub(crate) fn each(&self, watched: &Watched, template: &Template, values: &[String]) -> Result<Figures> {
        ensure!(!values.is_empty(), "there is nothing to send");
        let arrival = Arrival::Closed(self.connections.min(values.len()));
        let target = &watched.target;
        let figures = Load::figures(
            watched,
            self.begin(target, template, values, Order::Once, arrival, LONGEST.as_secs_f64())?,
        )?;
        let (sent, all) = (figures.outcome.answered, values.len());
        ensure!(usize::try_from(sent)? == all, "{sent} of {all} requests were answered in time");
        Ok(figures)
    }

    /// Requests that are due at fixed times, this many per second.
    pub(crate) fn at_rate(
        &self,
        watched: &Watched,
        template: &Template,
        values: &[String],
        rate: f64,
    ) -> Result<Figures> {
        let arrival = Arrival::Open(rate, self.connections * 4);
        let begun = self.begin(&watched.target, template, values, Order::Repeat, arrival, self.seconds)?;
        Load::figures(watched, begun)
    }

    /// Starts a generator.
    pub(crate) fn begin(
        &self,
        target: &str,
        template: &Template,
        values: &[String],
        order: Order,
        arrival: Arrival,
        seconds: f64,
    ) -> Result<Begun> {
        let number = self.started.replace(self.started.get() + 1);
        let file = |name: &str| self.folder.join(format!("requests-{number}.{name}"));
        let (template_file, values_file, kept) = (file("template"), file("values"), file("kept"));
        std::fs::write(&template_file, serde_json::to_string(template)?)?;
        std::fs::write(&values_file, values.join("\n"))?;
        let (Arrival::Closed(connections) | Arrival::Open(_, connections)) = arrival;
        let mut command = this_program()?;
        command.args(["requests", "--target", target, "--order", &order.name()]);
        command
            .arg("--template")
            .arg(template_file)
            .arg("--values")
            .arg(values_file)
            .arg("--kept")
            .arg(&kept);
        command.args(["--connections", &connections.to_string(), "--seconds", &seconds.to_string()]);
        if let Arrival::Open(rate, _) = arrival {
            command.args(["--rate", &rate.to_string()]);
        }
        let generator = Generator::start(&mut command);
        let generator = generator.with_context(|| format!("{} {}", template.method, template.path))?;
        Ok(Begun { generator, kept })
    }

    fn figures(watched: &Watched, mut begun: Begun) -> Result<Figures> {
        let generator = begun.generator.process().id();
        let before = cpu(watched, generator)?;
        let outcome = begun.generator.outcome()?;
        let after = cpu(watched, generator)?;
        begun.generator.finish()?;
        let each = |before: Duration, after: Duration| {
            after.saturating_sub(before) / u32::try_from(outcome.answered).unwrap_or(u32::MAX)
        };
        let cpu = Cpu {
            program: each(before.program, after.program),
            database: before.database.zip(after.database).map(|(before, after)| each(before, after)),
            generator: each(before.generator, after.generator),
        };
        Ok(Figures { outcome, cpu, kept: lines(&begun.kept)? })
    }
}

fn cpu(watched: &Watched, generator: u32) -> Result<Cpu> {
    Ok(Cpu {
        program: process::cpu(watched.program)?,
        database: watched.database.map(process::cpu_of_children).transpose()?,
        generator: process::cpu(generator)?,
    })
}
