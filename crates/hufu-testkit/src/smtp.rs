//! A server that plays a mail server (RFC 5321) well enough for one message per connection.
//!
//! The tests of `hufu-connect` include this file, since this crate is built upon that one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

/// How the server behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Its first line.
    pub greeting: &'static str,
    /// The `AUTH` mechanisms it offers; empty for none.
    pub mechanisms: &'static str,
    /// Its reply to `RCPT TO`.
    pub recipient: &'static str,
    /// Its reply to the right password.
    pub welcome: &'static str,
    /// Its reply at the end of a message.
    pub taken: &'static str,
    /// Whether it never replies.
    pub silent: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            greeting: "220 mail.test ESMTP",
            mechanisms: "",
            recipient: "250 2.1.5 ok",
            welcome: "235 2.7.0 welcome",
            taken: "250 2.0.0 queued",
            silent: false,
        }
    }
}

/// What arrived.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The commands, in upper case up to the first space.
    pub commands: Vec<String>,
    /// The username and password that the client sent.
    pub credentials: Option<(String, String)>,
    /// The messages, with line endings as received.
    pub messages: Vec<String>,
}

/// The server, on this machine, until it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Its port.
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts one.
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let log = Arc::clone(&seen);
        let connections = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let talk = Conversation::new(stream, behaviour.clone(), Arc::clone(&log));
                tokio::spawn(talk.hold());
            }
        });
        Self { port, seen, connections, task }
    }

    /// What arrived until now.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Server {
    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Conversation {
    lines: Lines<BufReader<OwnedReadHalf>>,
    answers: OwnedWriteHalf,
    behaviour: Behaviour,
    seen: Arc<Mutex<Seen>>,
}

impl Conversation {
    fn new(stream: TcpStream, behaviour: Behaviour, seen: Arc<Mutex<Seen>>) -> Self {
        let (from, answers) = stream.into_split();
        Self { lines: BufReader::new(from).lines(), answers, behaviour, seen }
    }

    async fn say(&mut self, line: &str) {
        // Ignores errors, because the client may be gone.
        let _ = self.answers.write_all(format!("{line}\r\n").as_bytes()).await;
    }

    async fn hear(&mut self) -> Option<String> {
        self.lines.next_line().await.ok().flatten()
    }

    async fn hold(mut self) {
        if self.behaviour.silent {
            while self.hear().await.is_some() {}
            return;
        }
        self.say(self.behaviour.greeting).await;
        while let Some(line) = self.hear().await {
            let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let command = command.to_uppercase();
            self.seen.lock().unwrap().commands.push(format!("{command} {rest}").trim().to_owned());
            match command.as_str() {
                "EHLO" => {
                    self.say("250-mail.test").await;
                    if !self.behaviour.mechanisms.is_empty() {
                        self.say(&format!("250-AUTH {}", self.behaviour.mechanisms)).await;
                    }
                    self.say("250 8BITMIME").await;
                }
                "AUTH" => self.authenticate(rest).await,
                "MAIL" => self.say("250 2.1.0 ok").await,
                "RCPT" => self.say(self.behaviour.recipient).await,
                "DATA" => self.take().await,
                "QUIT" => return self.say("221 bye").await,
                _ => self.say("502 what?").await,
            }
        }
    }

    async fn authenticate(&mut self, how: &str) {
        let text = |line: &str| String::from_utf8(STANDARD.decode(line).unwrap()).unwrap();
        let pair = if let Some(initial) = how.strip_prefix("PLAIN ") {
            // RFC 4616: an empty authorization identity, then username and password.
            let plain = text(initial);
            let (_, rest) = plain.split_once('\0').unwrap();
            let (username, password) = rest.split_once('\0').unwrap();
            (username.to_owned(), password.to_owned())
        } else {
            assert_eq!(how, "LOGIN");
            self.say(&format!("334 {}", STANDARD.encode("Username:"))).await;
            let username = text(&self.hear().await.unwrap());
            self.say(&format!("334 {}", STANDARD.encode("Password:"))).await;
            (username, text(&self.hear().await.unwrap()))
        };
        self.seen.lock().unwrap().credentials = Some(pair);
        self.say(self.behaviour.welcome).await;
    }

    async fn take(&mut self) {
        self.say("354 go on").await;
        let mut message = String::new();
        while let Some(line) = self.hear().await {
            if line == "." {
                self.seen.lock().unwrap().messages.push(message);
                return self.say(self.behaviour.taken).await;
            }
            message.push_str(&line);
            message.push_str("\r\n");
        }
    }
}
