//! Measures one program under load: a warm-up, as many logins as possible, then half as many.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Bench;
use super::program::Program;
use crate::database::Database;
use crate::generate::Outcome;
use crate::generator::{Arrival, Generator};
use crate::postgres::Postgres;
use crate::process::{self, Process, ResidentPeak};
use crate::report;

/// One program under load.
pub(crate) struct Measured {
    /// As many logins as possible.
    pub(crate) full: Outcome,
    /// Half as many, each due at a fixed time.
    pub(crate) half: Outcome,
    /// Returning people one after the other, without queueing.
    pub(crate) known: Outcome,
    /// First logins one after the other, without queueing.
    pub(crate) first: Outcome,
    /// CPU time per login at full load.
    pub(crate) cpu: Cpu,
    pub(crate) resident_idle: u64,
    pub(crate) resident_peak: u64,
    /// How much the database grows per login of the mix, in bytes.
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
    /// Everything else: the kernel's own work, and whatever disturbs the measurement.
    pub(crate) others: Duration,
}

impl Outcome {
    /// Completed logins per second.
    #[expect(clippy::cast_precision_loss, reason = "a figure for the reader")]
    pub(crate) fn rate(&self) -> f64 {
        self.logins as f64 / self.seconds
    }

    /// The mean time of a login over a single connection.
    pub(crate) fn each(&self) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.rate()).unwrap_or_default()
    }
}

impl Measured {
    pub(crate) fn rate(&self) -> f64 {
        self.full.rate()
    }
}

impl Bench<'_> {
    pub(super) fn measure(
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
        let peak = ResidentPeak::watch(process.id(), process::resident);
        let target = address.to_string();
        let watched =
            Watched { program: process.id(), database: postgres.and_then(Postgres::process), target };

        // If users are stored, the returning people are among them and remain cold. Otherwise the warm-up
        // creates them.
        let known = self.returning.len();
        let warm_up = match users {
            0 => self.runtime.block_on(self.wechat.returning(&self.returning, known))?,
            _ => self.runtime.block_on(self.wechat.new_people(known))?,
        };
        let (warm_up, _) = self.load(
            &watched,
            &warm_up,
            Duration::from_secs(600),
            Arrival::Closed(self.options.connections),
        )?;

        let time = Duration::from_secs_f64(self.options.seconds);
        let mut answered = warm_up.answered;
        let mut rounds = Vec::new();
        for _ in 0..self.options.rounds.max(1) {
            // Twice as many as the warm-up suggests, so that the codes do not run out.
            let wanted = whole(warm_up.rate() * 2.0 * self.options.seconds);
            let codes = self.runtime.block_on(self.wechat.mix(&self.returning, wanted))?;
            let round = self.load(&watched, &codes, time, Arrival::Closed(self.options.connections))?;
            if round.0.used_up {
                report::note(&format!("the codes ran out after {:.1} s", round.0.seconds));
            }
            answered += round.0.answered;
            rounds.push(round);
        }
        rounds.sort_by(|(a, _), (b, _)| a.rate().total_cmp(&b.rate()));
        let (full, cpu) = rounds.swap_remove(rounds.len() / 2);

        let rate = full.rate() / 2.0;
        let wanted = whole(rate * self.options.seconds) + 2;
        let codes = self.runtime.block_on(self.wechat.mix(&self.returning, wanted))?;
        // An open loop needs one connection for each login that may be waiting.
        let (half, _) =
            self.load(&watched, &codes, time, Arrival::Open(rate, self.options.connections * 4))?;

        let wanted = whole(full.rate() * self.options.seconds);
        let codes = self.runtime.block_on(self.wechat.returning(&self.returning, wanted))?;
        let (known, _) = self.load(&watched, &codes, time, Arrival::Closed(1))?;
        let codes = self.runtime.block_on(self.wechat.new_people(wanted))?;
        let (first, _) = self.load(&watched, &codes, time, Arrival::Closed(1))?;

        let resident_peak = peak.bytes();
        process.terminate()?;
        answered += half.answered + known.answered + first.answered;
        let [_, sessions, _] = self.runtime.block_on(database.count())?;
        let stored = u64::try_from(sessions - sessions_before)?;
        ensure!(stored == answered, "{answered} logins were answered, but {stored} sessions are stored");
        let size = self.runtime.block_on(database.size())?;
        let bytes_per_login = per(size.saturating_sub(size_before), usize::try_from(answered)?);
        Ok(Measured { full, half, known, first, cpu, resident_idle, resident_peak, bytes_per_login })
    }

    /// Runs one phase of the generator. Returns its result and the CPU time of each process per login.
    fn load(
        &self,
        watched: &Watched,
        codes: &[String],
        time: Duration,
        arrival: Arrival,
    ) -> Result<(Outcome, Cpu)> {
        let mut generator =
            Generator::begin(self.folder, &self.world, &watched.target, codes, time, arrival)?;
        let before = self.cpu(watched, generator.process())?;
        let outcome = generator.outcome()?;
        let after = self.cpu(watched, generator.process())?;
        generator.finish()?;
        let each = |before: Duration, after: Duration| {
            after.saturating_sub(before) / u32::try_from(outcome.answered).unwrap_or(u32::MAX)
        };
        let cpu = Cpu {
            others: each(before.others, after.others),
            program: each(before.program, after.program),
            database: before.database.zip(after.database).map(|(before, after)| each(before, after)),
            generator: each(before.generator, after.generator),
            sandbox: each(before.sandbox, after.sandbox),
        };
        Ok((outcome, cpu))
    }

    fn cpu(&self, watched: &Watched, generator: &Process) -> Result<Cpu> {
        let program = process::cpu(watched.program)?;
        let database = watched.database.map(process::cpu_of_children).transpose()?;
        let (generator, sandbox) = (process::cpu(generator.id())?, process::cpu(self.sandbox.id())?);
        let known = program + database.unwrap_or_default() + generator + sandbox;
        let others = process::cpu_of_machine()?.saturating_sub(known);
        Ok(Cpu { program, database, generator, sandbox, others })
    }
}

/// The processes under load.
struct Watched {
    target: String,
    program: u32,
    database: Option<u32>,
}

#[expect(clippy::cast_precision_loss, reason = "a figure for the reader")]
pub(super) fn per(bytes: u64, count: usize) -> f64 {
    bytes as f64 / count.max(1) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of logins, not below zero"
)]
pub(crate) fn whole(number: f64) -> usize {
    number.ceil() as usize
}
