//! The endpoints of OpenID Connect and the login page, each compared with something in the same run: a bare
//! handler, Argon2 alone, or the npm package `oidc-provider`.
//!
//! Start reading with [`Case::run`]. [`world`] is the application and the requests, [`browser`] a browser,
//! [`Load`] the load.

mod browser;
pub(crate) mod hashing;
mod part;
mod peer;
pub(crate) mod plain;
mod world;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use tokio::runtime::Runtime;

use crate::database::{Database, Engine};
use crate::generator::{Arrival, Generator, this_program};
use crate::load::{Figures, Load, Watched};
use crate::postgres::Postgres;
use crate::process::{self, Process, hufu_beside_this_program};
use crate::report::{megabytes, millis, percent};
use crate::requests::{Order, Template};
use crate::server::Server;
use crate::sheet::{SERVER, Sheet, exact_micros};
use crate::world::World;
use crate::{machine, report};
use browser::{Browser, Form};
use part::Part;
use peer::{Missing, Peer};
use world::Client;

/// The aims, for two cores.
const SHARE_OF_PLAIN: f64 = 0.90;
const READS_PER_SECOND: f64 = 20_000.0;
const PAGE_CPU: Duration = Duration::from_millis(1);
const PAGE_BYTES: usize = 50_000;
const MORE_THAN_ARGON2: f64 = 0.10;
const IDLE_BYTES: u64 = 25_000_000;
const TIMES_OWN_TOKEN: f64 = 5.0;
const TIMES_EXCHANGE: f64 = 8.0;
const TIMES_REFRESH: f64 = 8.0;

/// Longer, and the codes would end before the last one is exchanged.
const MOST_SECONDS: f64 = 20.0;
/// Nothing listens there, since nothing here calls WeChat.
const NO_WECHAT: &str = "http://127.0.0.1:9";
/// Wrong passwords that are prepared, each for another account and from another address.
const TRIES: usize = 20_000;
/// How much longer they go on than what is measured meanwhile, in seconds.
const AROUND: f64 = 0.4;

const DISCOVERY: &str = "/oidc/.well-known/openid-configuration";
const JWKS: &str = "/oidc/.well-known/jwks.json";

#[derive(Args)]
pub(crate) struct Options {
    /// The database engines to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    engines: Vec<Engine>,
    /// What to measure.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "documents,own-token,codes,login-page,passwords"
    )]
    parts: Vec<Part>,
    /// The length of each timed part, in seconds: at most 20, because codes must not end before they are used.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// The number of connections of the generator, and of the users and browsers.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// The number of connections that try passwords while something else is measured.
    #[arg(long, default_value_t = 32)]
    guessing: usize,
    /// The release build of the server's program. Default: the one beside this program.
    #[arg(long, default_value_os_t = hufu_beside_this_program(), hide_default_value = true)]
    hufu: PathBuf,
    /// A folder `node_modules` that contains the package oidc-provider, to compare with.
    #[arg(long)]
    node_modules: Option<PathBuf>,
    /// The program of Node.js.
    #[arg(long, default_value = "node")]
    node: String,
    /// Use this PostgreSQL server, such as postgres://USER:PASSWORD@HOST:PORT, instead of a private one. Its
    /// user must be allowed to create databases.
    #[arg(long)]
    postgres: Option<String>,
    /// The folder for the databases, on the disk to be measured. Default: the system's temporary folder.
    #[arg(long)]
    folder: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        options.connections > 0 && options.guessing > 0 && options.seconds > 0.0,
        "there is nothing to measure"
    );
    ensure!(options.seconds <= MOST_SECONDS, "at most {MOST_SECONDS} s, because a code lives for a minute");
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("hufu-bench-").tempdir_in(&parent)?;
    report::note(&machine::describe(folder.path())?);
    report::note(&format!(
        "{} connections, {} s for each part, after a warm-up of a quarter of that",
        options.connections, options.seconds
    ));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let load = Load {
        folder: folder.path(),
        connections: options.connections,
        seconds: options.seconds,
        started: Cell::new(0),
    };
    let peer = measure_peer(options, &load, &runtime)?;
    for engine in &options.engines {
        let postgres = engine.server(options.postgres.as_deref(), folder.path())?;
        let database = Database::of(postgres.as_ref(), folder.path());
        runtime.block_on(database.create())?;
        let server = Server::prepare(&options.hufu, folder.path(), &database, &World::default(), NO_WECHAT)?
            .behind_a_proxy()
            .with_busy_browsers();
        let file = folder.path().join("oidc.toml");
        std::fs::write(&file, world::apply_file(options.connections))?;
        server.apply(&file)?;
        let mut case = Case {
            options,
            load: &load,
            runtime: &runtime,
            peer: peer.as_ref(),
            sheet: Sheet::new(engine.name()),
        };
        case.run(&server, postgres.as_ref())?;
        case.sheet.print_aims();
        runtime.block_on(database.remove())?;
    }
    Ok(())
}

/// Measures the package `oidc-provider`, or says why not.
fn measure_peer(options: &Options, load: &Load<'_>, runtime: &Runtime) -> Result<Option<Peer>> {
    let modules = options.node_modules.as_deref();
    let version = match peer::version(&options.node, modules) {
        Ok(version) => version,
        Err(missing) => {
            let why = match missing {
                Missing::NotAsked => "--node-modules names no folder with it".to_owned(),
                Missing::NotThere(folder) => format!("it is not in {}", folder.display()),
                Missing::NoNode(error) => error,
            };
            report::note(&format!("not compared with the npm package oidc-provider: {why}"));
            return Ok(None);
        }
    };
    let modules = modules.unwrap_or(Path::new("."));
    let peer = peer::measure(load, runtime, &options.node, modules, version)?;
    report::note(&format!("oidc-provider {}, one process, everything in memory", peer.version));
    let sheet = Sheet::new("memory");
    sheet.load(PEER, "discovery", "request", &peer.discovery);
    sheet.load(PEER, "client_credentials", "token", &peer.own_token);
    sheet.load(PEER, "exchange", "token", &peer.exchange);
    sheet.load(PEER, "refresh", "token", &peer.refresh);
    Ok(Some(peer))
}

const PEER: &str = "oidc-provider";
const HUFU: Client = Client { token_path: "/oidc/token" };

/// What is compared with the peer: its name, the figures, those of the peer, and how many times as much is the aim.
type Compared = (&'static str, Figures, fn(&Peer) -> &Figures, f64);

/// The measurement on one engine.
struct Case<'o> {
    options: &'o Options,
    load: &'o Load<'o>,
    runtime: &'o Runtime,
    peer: Option<&'o Peer>,
    sheet: Sheet,
}

impl Case<'_> {
    fn run(&mut self, server: &Server, postgres: Option<&Postgres>) -> Result<()> {
        let (process, address) = server.start()?;
        std::thread::sleep(Duration::from_secs(2));
        let idle = process::resident(process.id())?;
        self.sheet.figure(SERVER, "resident memory idle, MB", &megabytes(idle));
        self.sheet.aim("idle ≤ 25 MB", format!("{} MB", megabytes(idle)), idle <= IDLE_BYTES);

        let target = address.to_string();
        let browser = Browser::new(&target)?;
        let database = postgres.and_then(Postgres::process);
        let watched = Watched { target, program: process.id(), database };
        let options = self.options;
        let has = |part| options.parts.contains(&part);
        let mut compared: Vec<Compared> = Vec::new();
        if has(Part::Documents) {
            self.documents(&watched, &browser)?;
        }
        let mut a_tenth = 1.0;
        if has(Part::OwnToken) || has(Part::Passwords) {
            let own_token =
                self.repeat(&watched, "client_credentials", "token", &HUFU.own_token(), &nothing())?;
            a_tenth = (own_token.rate() / 10.0).max(1.0);
            compared.push(("client_credentials", own_token, |peer| &peer.own_token, TIMES_OWN_TOKEN));
        }
        let (mut forms, mut cookies) = (Vec::new(), Vec::new());
        if has(Part::Codes) || has(Part::Passwords) {
            (forms, cookies) = self.runtime.block_on(self.browsers(&browser))?;
        }
        if has(Part::Codes) {
            let (exchange, refresh) = self.codes(&watched, &cookies)?;
            compared.push(("exchange", exchange, |peer| &peer.exchange, TIMES_EXCHANGE));
            compared.push(("refresh", refresh, |peer| &peer.refresh, TIMES_REFRESH));
        }
        if has(Part::LoginPage) {
            self.login_page(&watched, &browser)?;
        }
        if has(Part::Passwords) {
            self.passwords(&watched, &forms)?;
            self.guessing(&watched, &browser, &forms, a_tenth)?;
        }

        self.sheet.figure(
            SERVER,
            "resident memory afterwards, MB",
            &megabytes(process::resident(process.id())?),
        );
        process.terminate()?;
        if let Some(peer) = self.peer {
            for (what, figures, of_peer, least) in compared {
                let times = figures.rate() / of_peer(peer).rate();
                self.sheet.times(SERVER, &format!("{what}, times oidc-provider"), times, least);
            }
        }
        Ok(())
    }

    /// Requests that can be repeated.
    fn repeat(
        &self,
        watched: &Watched,
        what: &str,
        unit: &str,
        template: &Template,
        values: &[String],
    ) -> Result<Figures> {
        let figures = self.load.measure(watched, template, values, Order::Repeat)?;
        self.sheet.load(SERVER, what, unit, &figures);
        Ok(figures)
    }

    /// Discovery and the public keys, beside a bare handler that sends the same bytes.
    fn documents(&mut self, watched: &Watched, browser: &Browser) -> Result<()> {
        let answers = self.runtime.block_on(browser.copy(&[DISCOVERY, JWKS]))?;
        let file = self.load.folder.join("answers.json");
        std::fs::write(&file, serde_json::to_string(&answers)?)?;
        let mut plain =
            Process::start("the bare handler", this_program()?.arg("plain").arg("--answers").arg(file))?;
        let beside = Watched { target: plain.address()?.to_string(), program: plain.id(), database: None };
        for (what, path) in [("discovery", DISCOVERY), ("JWKS", JWKS)] {
            let template = Template::get(path);
            let figures = self.repeat(watched, what, "request", &template, &nothing())?;
            let bare = self.load.measure(&beside, &template, &nothing(), Order::Repeat)?;
            self.sheet.load("bare", what, "request", &bare);
            let name = format!("{what}, server / bare handler, requests/s");
            self.sheet.share(SERVER, &name, figures.rate() / bare.rate(), SHARE_OF_PLAIN);
        }
        Ok(())
    }

    /// A browser for each connection: its form, and its cookies once somebody is logged in there.
    async fn browsers(&self, browser: &Browser) -> Result<(Vec<Form>, Vec<String>)> {
        let (mut forms, mut cookies) = (Vec::new(), Vec::new());
        for number in 0..self.load.connections {
            let form = browser.form().await?;
            cookies.push(browser.log_in(&form, &world::user(number)).await?);
            forms.push(form);
        }
        Ok((forms, cookies))
    }

    /// Codes for browsers that are logged in, their exchange, refresh tokens, and what access tokens are for.
    /// Returns exchange and refresh.
    fn codes(&mut self, watched: &Watched, cookies: &[String]) -> Result<(Figures, Figures)> {
        let silent = self.repeat(watched, "silent authorization", "code", &world::silent(), cookies)?;
        let exchange = self.load.measure(watched, &HUFU.exchange(), &silent.kept, Order::Once)?;
        self.sheet.load(SERVER, "exchange", "token", &exchange);
        let last = exchange.kept.split_at(exchange.kept.len().saturating_sub(self.load.connections * 2)).1;
        let refresh = self.load.measure(watched, &HUFU.refresh(), last, Order::Chain)?;
        self.sheet.load(SERVER, "refresh", "token", &refresh);
        // One for each session, as far as there are as many.
        let userinfo = self.repeat(watched, "userinfo", "request", &world::userinfo(), last)?;
        let introspection =
            self.repeat(watched, "introspection", "request", &Client::introspection(), last)?;
        for (what, figures) in [("userinfo", &userinfo), ("introspection", &introspection)] {
            let rate = figures.rate();
            self.sheet.aim(
                format!("{what} ≥ 20,000 requests/s"),
                format!("{rate:.0}"),
                rate >= READS_PER_SECOND,
            );
        }
        Ok((exchange, refresh))
    }

    /// The login page: what it costs the server, and what a first visit loads.
    fn login_page(&mut self, watched: &Watched, browser: &Browser) -> Result<()> {
        let path = self.runtime.block_on(browser.login_path())?;
        let figures = self.repeat(watched, "login page", "page", &world::login_page(), &[path])?;
        let cpu = figures.cpu.program;
        self.sheet.aim("CPU ≤ 1 ms per login page", format!("{} µs", exact_micros(cpu)), cpu <= PAGE_CPU);
        let sizes = self.runtime.block_on(browser.first_visit())?;
        for (path, size) in &sizes {
            self.sheet.figure(SERVER, &format!("first visit, {path}, bytes"), &size.to_string());
        }
        let all: usize = sizes.iter().map(|(_, size)| size).sum();
        self.sheet.figure(SERVER, "first visit, everything, bytes", &all.to_string());
        self.sheet.aim("first visit of the login page < 50 kB", format!("{all} bytes"), all < PAGE_BYTES);
        Ok(())
    }

    /// Logins by password, beside Argon2 alone. Each comes from another address, because one network gets only
    /// a part of the threads that hash.
    fn passwords(&mut self, watched: &Watched, forms: &[Form]) -> Result<()> {
        let (alone, cpu_alone) = self.argon2()?;
        self.sheet.figure("argon2", "hashes/s", &format!("{alone:.1}"));
        self.sheet.figure("argon2", "CPU per hash, µs", &exact_micros(cpu_alone));
        let users = forms.iter().enumerate();
        let values: Vec<String> =
            users.map(|(number, form)| world::submission(number, form, &world::user(number))).collect();
        let figures = self.repeat(watched, "password login", "login", &world::login(), &values)?;
        let rate = figures.rate() / alone;
        let name = "password login, server / Argon2 alone, logins/s";
        self.sheet.share(SERVER, name, rate, 1.0 - MORE_THAN_ARGON2);
        let cpu = figures.cpu.program.as_secs_f64() / cpu_alone.as_secs_f64();
        let name = "password login, server / Argon2 alone, CPU";
        self.sheet.figure(SERVER, name, &percent(cpu));
        self.sheet.aim(format!("{name} ≤ 110 %"), percent(cpu), cpu <= 1.0 + MORE_THAN_ARGON2);
        Ok(())
    }

    /// Argon2 alone, on as many threads as the server uses: hashes per second, and CPU time of one.
    fn argon2(&self) -> Result<(f64, Duration)> {
        let threads = std::thread::available_parallelism()?.get().min(hashing::MOST_THREADS);
        let mut command = this_program()?;
        command.args(["argon2", "--threads", &threads.to_string()]);
        let mut hashing = Generator::start(command.args(["--seconds", &self.load.seconds.to_string()]))?;
        let before = process::cpu(hashing.process().id())?;
        let outcome = hashing.outcome()?;
        let used = process::cpu(hashing.process().id())?.saturating_sub(before);
        hashing.finish()?;
        Ok((outcome.rate(), used / u32::try_from(outcome.answered)?))
    }

    /// Tokens at a fixed rate, without and with many wrong passwords meanwhile, each for another account and
    /// from another address.
    fn guessing(&mut self, watched: &Watched, browser: &Browser, forms: &[Form], rate: f64) -> Result<()> {
        let form = self.runtime.block_on(browser.form())?;
        let refused = self.runtime.block_on(browser.refused_status(&form))?;
        let wrong = world::login().answered(refused, "");
        let values: Vec<String> = (0..TRIES)
            .zip(forms.iter().cycle())
            .map(|(number, form)| world::submission(number + 1000, form, &format!("nobody-{number}")))
            .collect();
        let template = HUFU.own_token();
        let without = self.load.at_rate(watched, &template, &nothing(), rate)?;
        let seconds = self.load.seconds + 2.0 * AROUND;
        let arrival = Arrival::Closed(self.options.guessing);
        let guessing = self.load.begin(&watched.target, &wrong, &values, Order::Repeat, arrival, seconds)?;
        std::thread::sleep(Duration::from_secs_f64(AROUND));
        let with = self.load.at_rate(watched, &template, &nothing(), rate)?;
        let guessed = guessing.outcome()?;
        let sheet = &self.sheet;
        sheet.figure(SERVER, "client_credentials at a tenth, tokens/s", &format!("{:.0}", without.rate()));
        sheet.figure(SERVER, "client_credentials at a tenth, p99, ms", &millis(without.outcome.p99));
        sheet.figure(SERVER, "passwords tried meanwhile, 1/s", &format!("{:.1}", guessed.rate()));
        sheet.figure(SERVER, "client_credentials meanwhile, tokens/s", &format!("{:.0}", with.rate()));
        sheet.figure(SERVER, "client_credentials meanwhile, p99, ms", &millis(with.outcome.p99));
        let p99 = |figures: &Figures| Duration::from_micros(figures.outcome.p99.max(1)).as_secs_f64();
        sheet.figure(SERVER, "p99 meanwhile / without", &percent(p99(&with) / p99(&without)));
        Ok(())
    }
}

/// The only value of requests without parts.
fn nothing() -> [String; 1] {
    [String::new()]
}
