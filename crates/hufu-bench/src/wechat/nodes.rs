//! Three nodes behind a proxy that sends each request to the next one: issue, event and browser are on different nodes.
//! One node is killed in the middle. Everybody whose login began logs in, and nobody twice.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::Case;
use super::proxy;
use super::pushes::{Event, Signer};
use super::world::{APPLICATION, SAFE};
use crate::codes::Person;
use crate::database::Database;
use crate::server::Server;
use crate::sheet::SERVER;
use crate::world::forwarded;

/// How many people log in at a time.
const AT_ONCE: usize = 64;
/// How long a client waits before it tries again what failed.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a client tries.
const TRIES: usize = 50;

impl Case<'_> {
    /// Logs everybody in, and kills a node once a third of them is.
    pub(super) fn nodes(&mut self, server: &Server, database: &Database<'_>) -> Result<()> {
        let people = self.runtime.block_on(self.account.followers(self.options.people))?;
        let [users_before, sessions_before, _] = self.runtime.block_on(database.count())?;
        let (second, third) = (server.another("second")?, server.another("third")?);
        let (first, second, mut killed) = (server.start()?, second.start()?, third.start()?);
        let nodes = vec![first.1, second.1, killed.1];
        let begin = Instant::now();
        let clients = self.runtime.block_on(Clients::start(nodes))?;
        let third = people.len() / 3;
        let logins = async {
            let logins = people.iter().enumerate().map(|(number, person)| clients.log_in(number, person));
            stream::iter(logins).buffer_unordered(AT_ONCE).collect::<Vec<Result<()>>>().await
        };
        let kill = async {
            while clients.done.load(Ordering::Relaxed) < third {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            killed.0.kill()
        };
        let (logins, kill) = self.runtime.block_on(async { futures::join!(logins, kill) });
        kill?;
        let time = begin.elapsed();
        let failed: Vec<anyhow::Error> = logins.into_iter().filter_map(Result::err).collect();
        if let Some(error) = failed.first() {
            crate::report::note(&format!("a login failed: {error:#}"));
        }
        let [users, sessions, _] = self.runtime.block_on(database.count())?;
        let (users, sessions) = (users - users_before, sessions - sessions_before);
        first.0.terminate()?;
        second.0.terminate()?;

        let done = clients.done.load(Ordering::Relaxed);
        let again = clients.scanned_again.load(Ordering::Relaxed);
        let sheet = &mut self.sheet;
        let rate = f64::from(u32::try_from(done)?) / time.as_secs_f64();
        sheet.figure(SERVER, "logins at three nodes, one killed, logins/s", &format!("{rate:.0}"));
        let retried = clients.retried.load(Ordering::Relaxed);
        sheet.figure(SERVER, "requests that were not answered, and sent again", &retried.to_string());
        sheet.figure(SERVER, "people who had to scan again", &again.to_string());
        sheet.figure(
            SERVER,
            "people, logins, users, sessions",
            &format!("{} {done} {users} {sessions}", people.len()),
        );
        let lost = people.len() - done + again;
        sheet.aim("one node of three killed: no login lost", lost.to_string(), lost == 0);
        let people = i64::try_from(people.len())?;
        let doubled = (users - people).abs() + (sessions - people).abs();
        sheet.aim("one node of three killed: none doubled", doubled.to_string(), doubled == 0);
        Ok(())
    }
}

/// Browsers, and WeChat, which try again what was not answered.
struct Clients {
    http: reqwest::Client,
    base: String,
    done: AtomicUsize,
    retried: AtomicUsize,
    scanned_again: AtomicUsize,
}

impl Clients {
    async fn start(nodes: Vec<SocketAddr>) -> Result<Clients> {
        let proxy = proxy::start(nodes).await?;
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
        let (done, retried, scanned_again) = Default::default();
        Ok(Clients { http, base: format!("http://{proxy}"), done, retried, scanned_again })
    }

    /// A person scans a code, and their browser logs in.
    async fn log_in(&self, number: usize, person: &Person) -> Result<()> {
        for attempt in 0..TRIES {
            let wanted = json!({ "scene": "WECHATMP_AUTH" });
            let issued =
                self.post(number, "/api/v2/qrcode/gene", "application/json", &wanted.to_string()).await?;
            let code: Value = serde_json::from_str(&issued)?;
            let text = |pointer| code.pointer(pointer).and_then(Value::as_str).context("no code");
            let (secret, url) = (text("/data/random")?, text("/data/url")?);
            let scene =
                url.rsplit('/').next().and_then(|file| file.strip_suffix(".png")).context("no scene")?;
            let mut signer = Signer::new(SAFE)?.after(number * TRIES + attempt);
            let event = signer.event(&person.openid, "SCAN", scene)?;
            let (stream, read, last) = Default::default();
            let mut browser = Browser { clients: self, number, secret, stream, read, last };
            ensure!(browser.status().await? == 0, "a new code was scanned already");
            self.scan(number, &event).await?;
            while browser.status().await? != 2 {}
            let ticket = browser.last.get("ticket").context("no ticket")?;
            let body = json!({ "ticket": ticket }).to_string();
            let answer = self.post(number, "/api/v2/qrcode/userinfo", "application/json", &body).await?;
            if answer.contains("\"token\":\"ey") {
                self.done.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            self.scanned_again.fetch_add(1, Ordering::Relaxed);
        }
        bail!("somebody does not get in")
    }

    async fn scan(&self, number: usize, event: &Event) -> Result<()> {
        let answer = self.post(number, &event.path, "text/xml", &event.body).await?;
        ensure!(answer == "success", "an event was answered with {answer}");
        Ok(())
    }

    /// Sends a request until it is answered.
    async fn post(&self, number: usize, path: &str, content_type: &str, body: &str) -> Result<String> {
        for _ in 0..TRIES {
            let request = self.http.post(format!("{}{path}", self.base)).header("content-type", content_type);
            let request =
                request.header("x-authing-app-id", APPLICATION).header("x-forwarded-for", forwarded(number));
            let answered = async {
                let answer = request.body(body.to_owned()).send().await?.error_for_status()?;
                answer.text().await
            };
            if let Ok(text) = answered.await {
                return Ok(text);
            }
            self.retried.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
        bail!("{path} is never answered")
    }
}

/// A browser with its stream of events, which it opens again when it breaks.
struct Browser<'c> {
    clients: &'c Clients,
    number: usize,
    secret: &'c str,
    stream: Option<reqwest::Response>,
    read: String,
    last: Value,
}

impl Browser<'_> {
    /// The status in the next event.
    async fn status(&mut self) -> Result<i64> {
        for _ in 0..TRIES {
            if let Some(event) = self.next() {
                self.last = serde_json::from_str(&event)?;
                return self.last.get("status").and_then(Value::as_i64).context("an event without a status");
            }
            if self.read_more().await.is_err() {
                (self.stream, self.read) = (None, String::new());
                self.clients.retried.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        }
        bail!("a browser is never told")
    }

    /// The data of an event that was read.
    fn next(&mut self) -> Option<String> {
        while let Some((event, rest)) = self.read.split_once("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
            self.read = rest.to_owned();
            if data.is_some() {
                return data;
            }
        }
        None
    }

    async fn read_more(&mut self) -> Result<()> {
        if self.stream.is_none() {
            let address = format!("{}/api/v2/qrcode/events?random={}", self.clients.base, self.secret);
            let request = self.clients.http.get(address).header("x-forwarded-for", forwarded(self.number));
            self.stream = Some(request.send().await?.error_for_status()?);
        }
        let stream = self.stream.as_mut().context("there is no stream")?;
        let piece = stream.chunk().await?.context("the stream has ended")?;
        self.read.push_str(&String::from_utf8_lossy(&piece));
        Ok(())
    }
}
