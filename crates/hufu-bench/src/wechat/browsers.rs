//! Browsers that wait for what becomes of their QR codes, each over a connection of its own, and the followers who scan
//! some of the codes.
//!
//! It is a process of its own, and told what to do by lines of its input: `wait 1000` opens streams of events until
//! there are so many, and `scan` pushes the events of the followers at a fixed rate and waits until each browser was
//! told. The latency of a scan counts from when its event was due until its browser had read that it may log in.

use std::cell::{Cell, RefCell};
use std::io::BufRead as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use futures::future::try_join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::world;
use crate::generate::{Shared, connect, exchange, say};
use crate::world::forwarded;

/// The orders.
pub(super) const WAIT: &str = "wait";
pub(super) const SCAN: &str = "scan";
/// How many connections come from one address: there are not many more ports.
const PER_ADDRESS: usize = 20_000;
/// How many streams are opened at a time.
const AT_ONCE: usize = 256;
/// What a browser reads at a time.
const PIECE: usize = 512;
/// The run fails if browsers are not told for this long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Connections of WeChat.
const CONNECTIONS: usize = 64;

#[derive(Args)]
pub(crate) struct Options {
    /// The address of the server that the browsers wait at.
    #[arg(long)]
    target: SocketAddr,
    /// A file with the secrets of the browsers, one per line. Those that are scanned come first.
    #[arg(long)]
    secrets: PathBuf,
    /// The address of the server that WeChat pushes to.
    #[arg(long)]
    pushed_to: String,
    /// A file with one event for each of the first browsers: address, tab, body.
    #[arg(long)]
    events: PathBuf,
    /// Events per second.
    #[arg(long)]
    rate: f64,
}

/// What browsers and followers have in common.
struct Scans {
    /// Counts scans and their latencies. None before they begin.
    shared: RefCell<Option<Shared>>,
    /// When the event of each browser was due.
    due: RefCell<Vec<Option<Instant>>>,
    /// How many browsers still have to be told.
    left: Cell<usize>,
    told: Notify,
    failed: Cell<usize>,
}

pub(crate) fn wait(options: &Options) -> Result<()> {
    let secrets = std::fs::read_to_string(&options.secrets).context("the file of secrets")?;
    let secrets: Vec<&str> = secrets.lines().collect();
    let events = std::fs::read_to_string(&options.events).context("the file of events")?;
    let events: Vec<&str> = events.lines().collect();
    let (sender, mut orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let scans = Rc::new(Scans {
        shared: RefCell::default(),
        due: RefCell::new(vec![None; events.len()]),
        left: Cell::new(events.len()),
        told: Notify::new(),
        failed: Cell::new(0),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(async {
        let mut open = 0;
        while let Some(order) = orders.recv().await {
            match order.split_once(' ') {
                Some((WAIT, count)) => {
                    let count: usize = count.parse()?;
                    ensure!(count <= secrets.len(), "there are {} secrets", secrets.len());
                    while open < count {
                        let next = (open + AT_ONCE).min(count);
                        let places = open..next;
                        let secrets = secrets.iter().take(next).skip(open);
                        let opening =
                            places.zip(secrets).map(|(at, secret)| stream(options.target, at, secret));
                        for (place, stream) in (open..next).zip(try_join_all(opening).await?) {
                            tokio::task::spawn_local(browser(stream, place, Rc::clone(&scans)));
                        }
                        open = next;
                    }
                    ensure!(scans.failed.get() == 0, "{} streams were closed", scans.failed.get());
                    say("open")?;
                }
                _ if order == SCAN => scan(options, &events, &scans).await?,
                _ => bail!("there is no order {order:?}"),
            }
        }
        Ok(())
    }))
}

/// Opens the stream of a browser. Its first event has been read.
async fn stream(target: SocketAddr, place: usize, secret: &str) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(2 + place / PER_ADDRESS).context("more browsers than addresses")?;
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into())?;
    let mut stream = socket.connect(target).await.context("connecting")?;
    let request = format!(
        "GET /api/v2/qrcode/events?random={secret} HTTP/1.1\r\nhost: {target}\r\naccept: text/event-stream\r\n\
         x-forwarded-for: {}\r\n\r\n",
        forwarded(place)
    );
    stream.write_all(request.as_bytes()).await?;
    let mut begun = Vec::with_capacity(1024);
    let read = async {
        while !contains(&begun, b"\"status\":0") {
            if stream.read_buf(&mut begun).await? == 0 || begun.len() > 8192 {
                let shown: String = String::from_utf8_lossy(&begun).chars().take(1500).collect();
                bail!("expected a stream of events, and received {shown}");
            }
        }
        Ok(())
    };
    timeout(TIMEOUT, read).await.context("a stream does not begin")??;
    Ok(stream)
}

/// A browser that reads until it may log in.
async fn browser(mut stream: TcpStream, place: usize, scans: Rc<Scans>) {
    // The end of the piece before stays, since an event can come in two pieces.
    let mut bytes = Vec::with_capacity(PIECE);
    loop {
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return scans.failed.set(scans.failed.get() + 1),
            Ok(_) if contains(&bytes, b"\"status\":2") => break,
            Ok(_) => drop(bytes.drain(..bytes.len().saturating_sub(16))),
        }
    }
    let due = scans.due.borrow().get(place).copied().flatten();
    if let (Some(due), Some(shared)) = (due, scans.shared.borrow().as_ref()) {
        shared.answered(due);
    }
    scans.left.set(scans.left.get().saturating_sub(1));
    scans.told.notify_one();
}

/// Pushes the events, and waits until each browser was told.
async fn scan(options: &Options, events: &[&str], scans: &Scans) -> Result<()> {
    let template = world::push();
    let requests: Vec<Vec<u8>> =
        events.iter().map(|event| template.fill(&options.pushed_to, event)).collect();
    let streams = connect(&options.pushed_to, CONNECTIONS).await?;
    let seconds = 2.0 * (TIMEOUT.as_secs_f64() + f64::from(u32::try_from(events.len())?) / options.rate);
    *scans.shared.borrow_mut() = Some(Shared::begin(events.len(), false, seconds, Some(options.rate)));
    try_join_all(streams.into_iter().map(|mut stream| {
        let (requests, template) = (&requests, &template);
        async move {
            let mut buffer = Vec::with_capacity(4096);
            loop {
                let next = scans.shared.borrow().as_ref().and_then(Shared::next);
                let Some((index, Some(due))) = next else { return Ok::<_, anyhow::Error>(()) };
                if let Some(place) = scans.due.borrow_mut().get_mut(index) {
                    *place = Some(due);
                }
                sleep_until(due).await;
                let request = requests.get(index).context("there is no such event")?;
                let answer = exchange(&mut stream, request, &mut buffer).await?;
                answer.check(&buffer, template.status, &template.proof)?;
            }
        }
    }))
    .await?;
    let told = async {
        while scans.left.get() > 0 {
            scans.told.notified().await;
        }
    };
    let all = timeout(TIMEOUT, told).await;
    ensure!(all.is_ok(), "{} browsers were not told that they may log in", scans.left.get());
    let outcome = scans.shared.borrow().as_ref().map(Shared::outcome).context("there were no scans")?;
    say(&format!("end {}", serde_json::to_string(&outcome)?))
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
