//! The output: one line per figure, and whether the targets are met.

#![expect(clippy::print_stdout, reason = "the figures are the output of this program")]

use std::time::Duration;

use crate::config::Configured;
use crate::generate::Outcome;
use crate::import::Imported;
use crate::run::{Case, Measured};
use crate::statistics::Counted;

/// The targets, for two cores with SQLite.
const LOGINS_PER_SECOND: f64 = 3000.0;
const SHARE_OF_FLOOR: f64 = 0.60;
const P99_AT_HALF_LOAD: Duration = Duration::from_millis(20);
const IDLE_BYTES: u64 = 30_000_000;
const START: Duration = Duration::from_millis(100);
const CHANGE_WITH_USERS: f64 = 0.20;
/// How soon a change of the configuration must be in effect on every node.
const CHANGE_IN_EFFECT: Duration = Duration::from_secs(1);
/// The aim for a page of a list of `/admin/v1`, whatever the number of pools.
const LIST_PAGE: Duration = Duration::from_millis(10);
/// How much more memory an import of ten times the rows may take at most.
const MEMORY_OF_TEN_TIMES_THE_ROWS: f64 = 0.20;

/// The longest that a question about thirty days of statistics may take.
const STATISTICS: Duration = Duration::from_millis(20);

pub(crate) fn note(text: &str) {
    println!("# {text}");
}

/// Prints the figures of one program on one engine with this many users.
pub(crate) fn measured(case: &Case, program: &str, m: &Measured) {
    let line = |name: &str, value: String| {
        println!("{:<8} {:>9} users  {program:<6}  {name:<36} {value:>12}", case.engine, case.users);
    };
    line("logins/s", format!("{:.0}", m.rate()));
    line("p50 at most load, ms", millis(m.full.p50));
    line("p99 at most load, ms", millis(m.full.p99));
    line("p999 at most load, ms", millis(m.full.p999));
    line("half load, logins/s", format!("{:.0}", m.half.rate()));
    line("p50 at half load, ms", millis(m.half.p50));
    line("p99 at half load, ms", millis(m.half.p99));
    line("p999 at half load, ms", millis(m.half.p999));
    line("returning alone, µs a login", micros(m.known.each()));
    line("first login alone, µs a login", micros(m.first.each()));
    line("CPU per login, µs", micros(m.cpu.program));
    if let Some(database) = m.cpu.database {
        line("CPU per login of PostgreSQL, µs", micros(database));
    }
    line("CPU per login of the generator, µs", micros(m.cpu.generator));
    line("CPU per login of the sandbox, µs", micros(m.cpu.sandbox));
    line("CPU per login of all else, µs", micros(m.cpu.others));
    line("resident memory idle, MB", megabytes(m.resident_idle));
    line("resident memory under load, MB", megabytes(m.resident_peak));
    line("stored per login, bytes", format!("{:.0}", m.bytes_per_login));
}

/// Prints the figures of a case as a whole.
pub(crate) fn case(case: &Case) {
    let line = |name: &str, value: String| {
        println!("{:<8} {:>9} users  {:<6}  {name:<36} {value:>12}", case.engine, case.users, "");
    };
    if let Some(bytes) = case.bytes_per_user {
        line("stored per user, bytes", format!("{bytes:.0}"));
    }
    if let Some(start) = case.start {
        line("start to first answer, ms", millis_of(start));
    }
    if let Some(server) = &case.server {
        line("server / floor, logins/s", percent(server.rate() / case.floor.rate()));
        let cpu = |m: &Measured| (m.cpu.program + m.cpu.database.unwrap_or_default()).as_secs_f64();
        line("server / floor, CPU per login", percent(cpu(server) / cpu(&case.floor)));
    }
}

/// Prints the searches of a case.
pub(crate) fn searches(case: &Case) {
    for searched in &case.searches {
        println!(
            "{:<8} {:>9} users  search  {:<36} {:>12}  (longest {})",
            case.engine,
            case.searched_users,
            searched.name,
            exact_millis(searched.median),
            exact_millis(searched.longest)
        );
    }
}

/// Prints the changes of the configuration on one engine.
pub(crate) fn configured(case: &Configured) {
    let line = |name: &str, value: String| {
        println!("{:<8} {:>9} pools  {name:<48} {value:>12}", case.engine, case.pools);
    };
    line("apply all, s", format!("{:.1}", case.applied.as_secs_f64()));
    for (node, figures) in ["first", "second"].into_iter().zip(&case.nodes) {
        line(&format!("{node} node, start to first answer, ms"), millis_of(figures.start));
        line(&format!("{node} node, resident memory idle, MB"), megabytes(figures.resident));
        line(&format!("{node} node, change in effect after, median ms"), millis_of(figures.median));
        line(&format!("{node} node, change in effect after, longest ms"), millis_of(figures.longest));
        line(&format!("{node} node, CPU idle, ms/s"), format!("{:.2}", figures.cpu_idle));
        line(&format!("{node} node, CPU per change, ms"), format!("{:.3}", figures.cpu_per_change));
    }
    line("logins/s while measured", format!("{:.0}", case.without.rate()));
    for (when, outcome) in [("without changes", &case.without), ("with changes", &case.with)] {
        line(&format!("logins {when}, p50 ms"), millis(outcome.p50));
        line(&format!("logins {when}, p99 ms"), millis(outcome.p99));
    }
    line("changes/s meanwhile", format!("{:.1}", case.changes_per_second));
    let longest = case.nodes.iter().map(|node| node.longest).max().unwrap_or_default();
    let met = longest <= CHANGE_IN_EFFECT;
    line(
        "longest / aim of 1,000 ms",
        format!("{}  {}", millis_of(longest), if met { "met" } else { "NOT MET" }),
    );
    let share = Duration::from_micros(case.with.p99).as_secs_f64()
        / Duration::from_micros(case.without.p99.max(1)).as_secs_f64();
    line("p99 with changes / without", percent(share));
    for list in &case.lists {
        let times = [list.median, list.p95, list.longest].map(millis_of).join(" / ");
        line(&format!("list: {}, median / p95 / longest ms", list.name), times);
    }
    line("first node, resident memory after logins, MB", megabytes(case.resident_after_logins));
    line("first node, resident memory after lists, MB", megabytes(case.resident_after_lists));
    line("first node, most resident memory, MB", megabytes(case.most_resident));
    let slowest = case.lists.iter().map(|list| list.p95).max().unwrap_or_default();
    let met = slowest <= LIST_PAGE;
    line(
        "slowest list, p95 / aim of 10 ms",
        format!("{}  {}", millis_of(slowest), if met { "met" } else { "NOT MET" }),
    );
}

/// Prints one import.
pub(crate) fn imported(case: &Imported) {
    let line = |name: &str, value: String| {
        println!("{:<8} {:>9} rows   {:<6}  {name:<36} {value:>12}", case.engine, case.rows, case.format);
    };
    line("file, MB", megabytes(case.file_bytes));
    line("import, rows/s", format!("{:.0}", case.rate()));
    line("plain inserts, rows/s", format!("{:.0}", case.plain_rate()));
    line("import / plain inserts, rows/s", percent(case.rate() / case.plain_rate()));
    line("resident memory at most, MB", megabytes(case.resident_peak));
}

/// How an import of ten times the rows compares.
pub(crate) fn import_grows(few: &Imported, many: &Imported) {
    let line = |name: &str, share: f64, verdict: &str| {
        println!(
            "{:<8} {:>9} rows   {:<6}  {:<36} {:>12}{verdict}",
            many.engine,
            many.rows,
            many.format,
            format!("{name} / at {} rows", few.rows),
            percent(share),
        );
    };
    line("rows/s", many.rate() / few.rate(), "");
    line("plain rows/s", many.plain_rate() / few.plain_rate(), "");
    let memory = megabytes_of(many.resident_peak) / megabytes_of(few.resident_peak);
    let met = memory <= 1.0 + MEMORY_OF_TEN_TIMES_THE_ROWS;
    line("memory", memory, if met { "  aim at most 120 %: met" } else { "  aim at most 120 %: NOT MET" });
}

/// Prints a figure of the OpenID Connect endpoints: of the server, or of what it is compared with.
pub(crate) fn figure(engine: &str, program: &str, name: &str, value: &str) {
    println!("{engine:<8} {program:<13}  {name:<58} {value:>12}");
}

/// Prints an aim of the OpenID Connect endpoints.
pub(crate) fn aim(engine: &str, text: &str, measured: &str, met: bool) {
    println!("{engine:<8} aim {text}: measured {measured}: {}", if met { "met" } else { "NOT MET" });
}

/// The aims for which there are figures, with the measured values.
pub(crate) fn aims(cases: &[Case]) {
    for case in cases.iter().filter(|case| case.engine == "sqlite") {
        let Some(server) = &case.server else { continue };
        let aim = |text: &str, measured: &str, met: bool| {
            let verdict = if met { "met" } else { "NOT MET" };
            println!(
                "{:<8} {:>9} users  aim {text}: measured {measured}: {verdict}",
                case.engine, case.users
            );
        };
        let (rate, share) = (server.rate(), server.rate() / case.floor.rate());
        aim("≥ 3,000 logins/s", &format!("{rate:.0}"), rate >= LOGINS_PER_SECOND);
        aim("≥ 60 % of the floor", &percent(share), share >= SHARE_OF_FLOOR);
        let p99 = Duration::from_micros(server.half.p99);
        aim("p99 ≤ 20 ms at half load", &format!("{} ms", millis_of(p99)), p99 <= P99_AT_HALF_LOAD);
        let idle = server.resident_idle;
        aim("idle ≤ 30 MB", &format!("{} MB", megabytes(idle)), idle <= IDLE_BYTES);
        if let Some(start) = case.start {
            aim("start ≤ 100 ms", &format!("{} ms", millis_of(start)), start <= START);
        }
    }
    for few in cases.iter().filter(|case| case.users == 0) {
        for many in cases.iter().filter(|case| case.engine == few.engine && case.users > 0) {
            compare(few, many);
        }
    }
}

/// How the figures change with the number of users: at most a fifth worse.
fn compare(few: &Case, many: &Case) {
    let line = |name: &str, before: f64, after: f64, allowed: f64| {
        let change = after / before - 1.0;
        let met = change * allowed.signum() <= allowed.abs();
        println!(
            "{:<8} {:>9} users  aim {name} within 20 % of that at 0: measured {after:.1} after {before:.1} ({:+.0} %): {}",
            many.engine,
            many.users,
            change * 100.0,
            if met { "met" } else { "NOT MET" },
        );
    };
    // A rate may not fall, the others may not rise.
    let (falling, rising) = (-CHANGE_WITH_USERS, CHANGE_WITH_USERS);
    if let (Some(before), Some(after)) = (&few.server, &many.server) {
        let float = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1000.0;
        let each = |outcome: &Outcome| outcome.each().as_secs_f64() * 1e6;
        line("returning alone (µs)", each(&before.known), each(&after.known), rising);
        line("first login alone (µs)", each(&before.first), each(&after.first), rising);
        line("logins/s", before.rate(), after.rate(), falling);
        line("p99 at most load (ms)", float(before.full.p99), float(after.full.p99), rising);
        line("p99 at half load (ms)", float(before.half.p99), float(after.half.p99), rising);
        let cpu = |m: &Measured| m.cpu.program.as_secs_f64() * 1e6;
        line("CPU per login (µs)", cpu(before), cpu(after), rising);
        let idle = |m: &Measured| megabytes_of(m.resident_idle);
        line("resident memory idle (MB)", idle(before), idle(after), rising);
    }
    if let (Some(before), Some(after)) = (few.start, many.start) {
        line("start (ms)", before.as_secs_f64() * 1000.0, after.as_secs_f64() * 1000.0, rising);
    }
    ratios(few, many);
    let rate = |case: &Case| case.floor.rate();
    note(&format!(
        "{} floor: {:.0} logins/s at {} users, {:.0} at 0",
        few.engine,
        rate(many),
        many.users,
        rate(few)
    ));
}

/// Times with many users, relative to those with none.
fn ratios(few: &Case, many: &Case) {
    let line = |program: &str, name: &str, before: Duration, after: Duration, users: usize| {
        println!(
            "{:<8} {:>9} users  {program:<6}  {:<36} {:>12}",
            many.engine,
            many.users,
            format!("{name} / at {users} users"),
            percent(after.as_secs_f64() / before.as_secs_f64()),
        );
    };
    let floors = Some(("floor", &few.floor, &many.floor));
    let servers = few.server.as_ref().zip(many.server.as_ref()).map(|(few, many)| ("server", few, many));
    for (program, before, after) in servers.into_iter().chain(floors) {
        line(program, "returning alone", before.known.each(), after.known.each(), few.users);
        line(program, "first login alone", before.first.each(), after.first.each(), few.users);
    }
    for (before, after) in few.searches.iter().zip(&many.searches) {
        let name = before.name.trim_end_matches(", ms");
        line("search", name, before.median, after.median, few.searched_users);
    }
}

/// Milliseconds with decimals, for times that may be far below one.
fn exact_millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1000.0)
}

pub(crate) fn millis(micros: u64) -> String {
    millis_of(Duration::from_micros(micros))
}

fn millis_of(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

pub(crate) fn micros(time: Duration) -> String {
    format!("{:.0}", time.as_secs_f64() * 1e6)
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1}", megabytes_of(bytes))
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes_of(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Prints the figures of counting the audit log of a pool of one size.
pub(crate) fn counted(counted: &Counted) {
    let line = |name: &str, value: String| {
        println!("{:<8} {:>9} users  {name:<46} {value:>12}", counted.engine, counted.users);
    };
    let per_login = |time: Duration| micros(time / u32::try_from(counted.logins.max(1)).unwrap_or(u32::MAX));
    line("entries in thirty days", counted.logins.to_string());
    line("counting, µs an entry", per_login(counted.time));
    line("CPU of the server meanwhile, µs an entry", per_login(counted.cpu));
    line("resident memory afterwards, MB", megabytes(counted.resident));
    for (path, median, longest) in &counted.answers {
        line(&format!("statistics{path}, median ms"), millis_of(*median));
        line(&format!("statistics{path}, longest ms"), millis_of(*longest));
        println!(
            "# at most {} ms: {}",
            STATISTICS.as_millis(),
            if *median <= STATISTICS { "met" } else { "not met" }
        );
    }
}
