//! An instance with one pool, and a webhook receiver on this machine.

use std::sync::{Arc, Mutex};

use hufu_app::events::{Event, Trace};
use hufu_app::webhooks::{NewWebhook, Webhook};
use hufu_app::{AdminCaller, App, Limits, Parts, apply};
use hufu_store::{StoreError, Tx, Write};
use hufu_testkit::{Base, TestDatabase, outgoing_to_this_machine};
use hufu_types::{Action, Clock as _, EventId, PoolId, SystemRandom, TestClock, Timestamp, UserId};
use secrecy::SecretString;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) const NOW: Timestamp = Timestamp(1_750_000_000_000);

pub(super) fn pool() -> PoolId {
    PoolId::parse("shop").unwrap()
}

/// The administrator.
pub(super) fn command() -> AdminCaller {
    AdminCaller::command_line()
}

pub(super) struct World {
    pub(super) app: Arc<App>,
    pub(super) clock: Arc<TestClock>,
    pub(super) base: Base,
}

impl World {
    /// An instance that may send requests to this machine.
    pub(super) async fn new(database: TestDatabase) -> Self {
        Self::with(database, true, |_| {}).await
    }

    pub(super) async fn with(
        database: TestDatabase,
        allow_private: bool,
        change: impl FnOnce(&mut Limits),
    ) -> Self {
        let base = Base::new(database, NOW, SystemRandom).await;
        let text = "[[user_pool]]\nid = \"shop\"\nname = \"Shop\"\n";
        base.apply(text, apply::Options { prune: false, new_apps: false, dry_run: false }).await;
        let mut limits = Limits::default();
        change(&mut limits);
        let mut parts = Parts { limits, ..base.parts() };
        if allow_private {
            parts.outgoing = outgoing_to_this_machine();
        }
        let clock = base.clock.clone();
        Self { app: App::start(parts).await.unwrap(), clock, base }
    }

    /// Another server process on the same database.
    pub(super) async fn another_node(&self) -> Arc<App> {
        let (store, limits) = (self.base.open().await, self.app.limits().clone());
        let parts = Parts { store, limits, outgoing: outgoing_to_this_machine(), ..self.base.parts() };
        App::start(parts).await.unwrap()
    }

    pub(super) async fn webhook(&self, url: &str, events: &[&str]) -> (Webhook, SecretString) {
        self.app.create_webhook(&command(), &pool(), new(url, events)).await.unwrap()
    }

    /// Records an event of a user, as a use case does.
    pub(super) async fn happen(&self, action: Action, user: &str) {
        self.app.store().write(self.happens(action, user)).await.unwrap();
    }

    pub(super) fn happens(&self, action: Action, user: &str) -> Happens {
        let at = self.clock.now();
        let mut trace = Trace::of_command(at, &SystemRandom);
        trace.actor = None;
        trace.ip = Some("203.0.113.9".to_owned());
        trace.user_agent = Some("=cmd()".to_owned());
        trace.subscribers = self.app.config().subscribers(&pool());
        Happens { trace, action, user: UserId::parse(user).unwrap() }
    }
}

pub(super) fn new(url: &str, events: &[&str]) -> NewWebhook {
    NewWebhook {
        name: "Shop".to_owned(),
        url: url.to_owned(),
        events: events.iter().map(|&name| name.to_owned()).collect(),
        enabled: true,
    }
}

/// An event of a user.
pub(super) struct Happens {
    pub(super) trace: Trace,
    action: Action,
    user: UserId,
}

impl Write for Happens {
    type Out = EventId;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<EventId, StoreError> {
        let event = Event::of(self.action, &self.user).with(json!({ "by": "test" }));
        self.trace.recorder().record(tx, &pool(), event).await?;
        Ok(self.trace.first.clone())
    }
}

/// A request as received.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
            .unwrap_or_default()
    }

    pub(super) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A webhook receiver. It gives the prepared responses one by one, then 200.
#[derive(Clone, Default)]
pub(super) struct Receiver {
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Mutex<std::collections::VecDeque<Answer>>>,
}

#[derive(Clone, Copy)]
pub(super) enum Answer {
    Status(u16, &'static str),
    Redirect,
    /// Closes the connection instead.
    Break,
}

impl Receiver {
    /// Starts serving, and returns the URL.
    pub(super) async fn serve() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Self::default();
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiver = serving.clone();
                tokio::spawn(async move { receiver.answer(stream).await });
            }
        });
        (receiver, url)
    }

    pub(super) fn then(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    async fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut bytes = Vec::new();
        let head = loop {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
            bytes.extend_from_slice(&buffer[..count]);
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
        };
        let mut seen = Seen {
            head: String::from_utf8(bytes[..head].to_vec()).unwrap(),
            body: bytes.split_off(head + 4),
        };
        let length: usize = seen.header("content-length").parse().unwrap();
        while seen.body.len() < length {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).await.ok()?;
            seen.body.extend_from_slice(&buffer[..count]);
        }
        self.seen.lock().unwrap().push(seen);
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Status(200, "thanks"));
        let answer = match answer {
            Answer::Break => return None,
            Answer::Redirect => {
                "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    .to_owned()
            }
            Answer::Status(status, body) => {
                format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
            }
        };
        stream.write_all(answer.as_bytes()).await.ok()
    }
}
