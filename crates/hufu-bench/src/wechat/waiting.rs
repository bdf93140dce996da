//! Browsers that wait on one node while followers' scans arrive at another, and browsers that ask.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::browsers;
use super::pushes::Signer;
use super::world::{self, SAFE, Scanner};
use super::{ASKED_SECONDS, Case, SCAN_TO_BROWSER, WAITING_BROWSERS, WAITING_BYTES};
use crate::generate::Outcome;
use crate::generator::this_program;
use crate::load::Watched;
use crate::process::{self, Process};
use crate::report::{self, megabytes, millis};
use crate::requests::Order;
use crate::sheet::SERVER;
use crate::world::forwarded;

/// File descriptors that the server and the generator need for everything but the browsers.
const OTHER_DESCRIPTORS: usize = 400;
/// How long the browsers wait before memory is read: longer than between two signs of life of the server.
const QUIET: Duration = Duration::from_secs(17);

/// A QR code: the secret of its browser, and its scene.
struct Code {
    secret: String,
    scene: String,
}

impl Case<'_> {
    /// Asks for this many QR codes, each from another address.
    fn codes(&self, node: &Watched, what: &str, scanner: Scanner, count: usize) -> Result<Vec<Code>> {
        let addresses: Vec<String> = (0..count).map(forwarded).collect();
        let figures = self.load.each(node, &world::issue(scanner), &addresses)?;
        self.sheet.load(SERVER, what, "code", &figures);
        figures
            .kept
            .iter()
            .map(|kept| {
                let (secret, file) = kept.split_once('\t').context("a code without a scene")?;
                let scene = file.strip_suffix(".png").context("a picture has another name")?;
                Ok(Code { secret: secret.to_owned(), scene: scene.to_owned() })
            })
            .collect()
    }

    /// Streams of events, and scans.
    pub(super) fn streams(&mut self, node: &Watched, other: &Watched) -> Result<()> {
        let scans = self.options.scans;
        let room = process::most_descriptors()?.saturating_sub(OTHER_DESCRIPTORS);
        let browsers = self.options.browsers.min(room);
        ensure!(browsers > scans, "there are fewer browsers than scans, or no room for them");
        if browsers < self.options.browsers {
            report::note(&format!("a process may have {room} connections here, so so many browsers wait"));
        }
        let followers = self.runtime.block_on(self.account.followers(scans))?;
        let scanned = self.codes(node, "QR codes of the official account", Scanner::Follower, scans)?;
        let others = self.codes(node, "QR codes of the pool's app", Scanner::App, browsers - scans)?;
        let mut signer = Signer::new(SAFE)?;
        let events = scanned.iter().zip(&followers);
        let events =
            events.map(|(code, person)| Ok(signer.event(&person.openid, "SCAN", &code.scene)?.values()));
        let events = events.collect::<Result<Vec<String>>>()?;
        let secrets: Vec<&str> = scanned.iter().chain(&others).map(|code| code.secret.as_str()).collect();
        let file = |name: &str| self.load.folder.join(name);
        std::fs::write(file("secrets"), secrets.join("\n"))?;
        std::fs::write(file("events"), events.join("\n"))?;

        let mut command = this_program()?;
        command.args(["browsers", "--target", &node.target, "--pushed-to", &other.target]);
        command.arg("--secrets").arg(file("secrets")).arg("--events").arg(file("events"));
        command.args(["--rate", &self.options.scans_per_second.to_string()]);
        let mut waiting = Process::start("browsers", &mut process::with_most_descriptors(&command))?;
        let half = browsers / 2;
        let few = resident_with(&mut waiting, node, half)?;
        let many = resident_with(&mut waiting, node, browsers)?;
        let before = process::cpu(node.program)?;
        std::thread::sleep(QUIET);
        let quiet = process::cpu(node.program)?.saturating_sub(before);
        let many = process::resident(node.program)?.max(many);
        let per_browser = per(many.saturating_sub(few), browsers - half);
        let whole = if browsers >= WAITING_BROWSERS {
            many
        } else {
            many + extrapolated(per_browser, WAITING_BROWSERS - browsers)
        };
        let sheet = &self.sheet;
        sheet.figure(SERVER, &format!("resident with {half} browsers, MB"), &megabytes(few));
        sheet.figure(SERVER, &format!("resident with {browsers} browsers, MB"), &megabytes(many));
        sheet.figure(SERVER, "bytes per browser that waits", &format!("{per_browser:.0}"));
        let share = quiet.as_secs_f64() / QUIET.as_secs_f64() * 1000.0;
        sheet.figure(SERVER, &format!("CPU while {browsers} browsers wait, ms/s"), &format!("{share:.0}"));
        let how = if browsers >= WAITING_BROWSERS { "" } else { ", by the line through the two" };
        let name = format!("resident with 100,000 browsers{how}, MB");
        sheet.figure(SERVER, &name, &megabytes(whole));
        self.sheet.aim(format!("{name} ≤ 800"), megabytes(whole), whole <= WAITING_BYTES);

        waiting.tell(browsers::SCAN)?;
        let line = waiting.line()?;
        let outcome: Outcome =
            serde_json::from_str(line.strip_prefix("end ").context("the scans do not end")?)?;
        waiting.finish()?;
        let sheet = &mut self.sheet;
        sheet.figure(SERVER, "scans/s", &format!("{:.0}", outcome.rate()));
        sheet.figure(SERVER, "scan to browser, p50, ms", &millis(outcome.p50));
        sheet.figure(SERVER, "scan to browser, p99, ms", &millis(outcome.p99));
        sheet.figure(SERVER, "scan to browser, longest, ms", &millis(outcome.max));
        let met = Duration::from_micros(outcome.p99) <= SCAN_TO_BROWSER;
        let text = format!("scan to browser, p99 ≤ 1 s, with {browsers} browsers");
        sheet.aim(text, format!("{} ms", millis(outcome.p99)), met);
        Ok(())
    }

    /// Browsers that ask again and again, as published clients do.
    pub(super) fn questions(&mut self, node: &Watched) -> Result<()> {
        let codes = self.codes(node, "QR codes for browsers that ask", Scanner::App, self.options.asking)?;
        let secrets: Vec<String> = codes.into_iter().map(|code| code.secret).collect();
        // The first question of each reads its code from the database.
        let before = process::resident(node.program)?;
        let first = self.load.each(node, &world::check(), &secrets)?;
        self.sheet.load(SERVER, "first questions about codes", "question", &first);
        let figures = self.load.measure(node, &world::check(), &secrets, Order::Repeat)?;
        self.sheet.load(SERVER, "questions about codes", "question", &figures);
        let asked = per(secrets.len().try_into()?, 1) / figures.rate();
        let after = process::resident(node.program)?;
        self.sheet.figure(
            SERVER,
            &format!("each of {} codes asked about every, s", secrets.len()),
            &format!("{asked:.1}"),
        );
        if asked < ASKED_SECONDS {
            let bytes = per(after.saturating_sub(before), secrets.len());
            self.sheet.figure(SERVER, "bytes per browser that asks", &format!("{bytes:.0}"));
        }
        Ok(())
    }
}

/// The memory of the node once this many browsers wait there.
fn resident_with(waiting: &mut Process, node: &Watched, browsers: usize) -> Result<u64> {
    waiting.tell(&format!("{} {browsers}", browsers::WAIT))?;
    ensure!(waiting.line()? == "open", "the browsers do not wait");
    std::thread::sleep(Duration::from_secs(1));
    process::resident(node.program)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for the reader")]
fn per(bytes: u64, count: usize) -> f64 {
    bytes as f64 / count.max(1) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a figure for the reader"
)]
fn extrapolated(bytes: f64, count: usize) -> u64 {
    (bytes * count as f64) as u64
}
