//! The load generator: phones that log in over kept-alive connections.
//!
//! It shares the machine with what it measures, so it must be cheap. It uses one thread, writes requests in
//! advance, and searches responses for proof of a login instead of parsing them. Any other response ends the
//! run.
//!
//! Without a rate, the loop is closed: each connection sends its next login when the last one has been
//! answered. With a rate, the loop is open: logins are due at fixed times, even if earlier ones are still
//! waiting. Latency is measured from the time when a login was due, so a server that stalls is charged for
//! every login that it delayed.
//!
//! The generator prints `begin` when the timed part begins, and `end` with the figures as JSON when it ends.
//! Then it waits until its standard input is closed, so that its CPU time can be read.

use std::cell::{Cell, RefCell};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::histogram::Histogram;
use crate::http::{Answer, CODE_LENGTH, LoginRequest};
use crate::world::World;

/// The run fails if there is no response for this long.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(crate) struct Options {
    /// The address of the server.
    #[arg(long)]
    target: String,
    /// A file of login codes, one per line. Each is used once, in this order.
    #[arg(long)]
    codes: PathBuf,
    /// The number of connections.
    #[arg(long)]
    connections: usize,
    /// The length of the timed part. It ends sooner if the codes are used up.
    #[arg(long)]
    seconds: f64,
    /// Logins due per second. Without it, as many as possible.
    #[arg(long)]
    rate: Option<f64>,
    #[command(flatten)]
    world: World,
}

/// The result of a phase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Logins completed within the timed part.
    pub(crate) logins: u64,
    /// All completed logins, including those in flight at the end of the timed part.
    pub(crate) answered: u64,
    /// The length of the timed part.
    pub(crate) seconds: f64,
    /// Whether the codes were used up before the time.
    pub(crate) used_up: bool,
    /// Latencies in microseconds.
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

pub(crate) fn generate(options: &Options) -> Result<()> {
    let codes = std::fs::read_to_string(&options.codes).context("the file of codes")?;
    let codes: Vec<&str> = codes.lines().collect();
    ensure!(codes.iter().all(|code| code.len() == CODE_LENGTH), "a login code has {CODE_LENGTH} characters");
    ensure!(!codes.is_empty() && options.connections > 0, "there is nothing to do");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(drive(options, &codes))?;
    say(&format!("end {}", serde_json::to_string(&outcome)?))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// What the connections share. They all run in one task, so cells suffice.
pub(crate) struct Shared {
    /// How many things there are to send.
    count: usize,
    /// Whether it begins anew when all were sent.
    repeats: bool,
    taken: Cell<usize>,
    /// The time between two due logins, in an open loop.
    interval: Option<Duration>,
    begin: Instant,
    end: Instant,
    in_time: Cell<u64>,
    answered: Cell<u64>,
    last_answer: Cell<Instant>,
    used_up: Cell<bool>,
    latencies: RefCell<Histogram>,
}

async fn drive(options: &Options, codes: &[&str]) -> Result<Outcome> {
    let streams = connect(&options.target, options.connections).await?;
    say("begin")?;
    let shared = Shared::begin(codes.len(), false, options.seconds, options.rate);
    let request = LoginRequest::new(&options.target, &options.world);
    try_join_all(streams.into_iter().map(|stream| phone(stream, request.clone(), codes, &shared))).await?;
    Ok(shared.outcome())
}

/// Opens this many connections.
pub(crate) async fn connect(target: &str, connections: usize) -> Result<Vec<TcpStream>> {
    let connect = || async {
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        Ok::<_, anyhow::Error>(stream)
    };
    try_join_all((0..connections).map(|_| connect())).await.context("connecting")
}

/// One connection that sends login after login.
async fn phone(
    mut stream: TcpStream,
    mut request: LoginRequest,
    codes: &[&str],
    shared: &Shared,
) -> Result<()> {
    let mut buffer = Vec::with_capacity(16 * 1024);
    while let Some((index, due)) = shared.next() {
        if let Some(due) = due {
            sleep_until(due).await;
        }
        let since = due.unwrap_or_else(Instant::now);
        let code = codes.get(index).copied().unwrap_or_default();
        let answer = exchange(&mut stream, request.with_code(code), &mut buffer).await?;
        answer.check_login(&buffer)?;
        shared.answered(since);
    }
    Ok(())
}

/// Sends a request and waits for the response.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> Result<Answer> {
    let exchange = async {
        stream.write_all(request).await?;
        read_answer(stream, buffer).await
    };
    timeout(TIMEOUT, exchange).await.context("the server did not respond")?
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Answer> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection in the middle of an exchange");
        }
        if let Some(answer) = Answer::read(buffer)?
            && buffer.len() >= answer.length
        {
            ensure!(buffer.len() == answer.length, "received more than one response");
            return Ok(answer);
        }
    }
}

impl Shared {
    /// The timed part begins now.
    pub(crate) fn begin(count: usize, repeats: bool, seconds: f64, rate: Option<f64>) -> Shared {
        let begin = Instant::now();
        Shared {
            count,
            repeats,
            taken: Cell::new(0),
            interval: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            begin,
            end: begin + Duration::from_secs_f64(seconds),
            in_time: Cell::new(0),
            answered: Cell::new(0),
            last_answer: Cell::new(begin),
            used_up: Cell::new(false),
            latencies: RefCell::new(Histogram::default()),
        }
    }

    /// The number of what is sent next and, in an open loop, the time when it is due. `None` once the time or
    /// the things to send have run out.
    pub(crate) fn next(&self) -> Option<(usize, Option<Instant>)> {
        let index = self.taken.get();
        let due = self.interval.map(|interval| {
            let nanos = interval.as_nanos().saturating_mul(u128::try_from(index).unwrap_or(u128::MAX));
            self.begin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        });
        if due.unwrap_or_else(Instant::now) >= self.end {
            return None;
        }
        if index >= self.count && !self.repeats {
            self.used_up.set(true);
            return None;
        }
        self.taken.set(index + 1);
        Some((index % self.count.max(1), due))
    }

    pub(crate) fn answered(&self, since: Instant) {
        let now = Instant::now();
        self.latencies.borrow_mut().record(now - since);
        self.answered.set(self.answered.get() + 1);
        if now <= self.end {
            self.in_time.set(self.in_time.get() + 1);
            self.last_answer.set(now);
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let latencies = self.latencies.borrow();
        let micros = |parts| u64::try_from(latencies.per_mille(parts).as_micros()).unwrap_or(u64::MAX);
        let end = if self.used_up.get() { self.last_answer.get() } else { self.end };
        Outcome {
            logins: self.in_time.get(),
            answered: self.answered.get(),
            seconds: (end - self.begin).as_secs_f64(),
            used_up: self.used_up.get(),
            p50: micros(500),
            p99: micros(990),
            p999: micros(999),
            max: micros(1000),
        }
    }
}

/// Prints a line for the parent process.
pub(crate) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
