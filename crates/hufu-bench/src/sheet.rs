//! The figures of one engine: printed as they are found, and the aims at the end.

use std::time::Duration;

use crate::load::Figures;
use crate::report::{self, millis, percent};

/// The program of most figures.
pub(crate) const SERVER: &str = "server";

pub(crate) struct Sheet {
    engine: &'static str,
    aims: Vec<Aim>,
}

struct Aim {
    text: String,
    measured: String,
    met: bool,
}

impl Sheet {
    pub(crate) const fn new(engine: &'static str) -> Sheet {
        Sheet { engine, aims: Vec::new() }
    }

    pub(crate) fn figure(&self, program: &str, name: &str, value: &str) {
        report::figure(self.engine, program, name, value);
    }

    /// Prints a measurement. `what` is what was measured, and `unit` one of what is counted.
    pub(crate) fn load(&self, program: &str, what: &str, unit: &str, figures: &Figures) {
        self.figure(program, &format!("{what}, {unit}s/s"), &format!("{:.0}", figures.rate()));
        self.figure(program, &format!("{what}, p99 at most load, ms"), &millis(figures.outcome.p99));
        self.figure(program, &format!("{what}, CPU per {unit}, µs"), &exact_micros(figures.cpu.program));
        if let Some(database) = figures.cpu.database {
            let name = format!("{what}, CPU per {unit} of PostgreSQL, µs");
            self.figure(program, &name, &exact_micros(database));
        }
        let name = format!("{what}, CPU per {unit} of the generator, µs");
        self.figure(program, &name, &exact_micros(figures.cpu.generator));
        if figures.outcome.used_up {
            report::note(&format!(
                "{what}: what was prepared ran out after {:.1} s",
                figures.outcome.seconds
            ));
        }
    }

    /// Notes an aim, which is printed at the end.
    pub(crate) fn aim(&mut self, text: impl Into<String>, measured: impl Into<String>, met: bool) {
        self.aims.push(Aim { text: text.into(), measured: measured.into(), met });
    }

    /// An aim for a share of another figure of the same run.
    pub(crate) fn share(&mut self, program: &str, name: &str, share: f64, least: f64) {
        self.figure(program, name, &percent(share));
        self.aim(format!("{name} ≥ {}", percent(least)), percent(share), share >= least);
    }

    /// An aim for how many times as much as another program does.
    pub(crate) fn times(&mut self, program: &str, name: &str, times: f64, least: f64) {
        let measured = format!("{times:.1}");
        self.figure(program, name, &measured);
        self.aim(format!("{name} ≥ {least:.0}"), measured, times >= least);
    }

    pub(crate) fn print_aims(&self) {
        for Aim { text, measured, met } in &self.aims {
            report::aim(self.engine, text, measured, *met);
        }
    }
}

/// Microseconds with a decimal.
pub(crate) fn exact_micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}
