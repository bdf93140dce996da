//! The sender for development. Messages stay in memory, to be shown in the terminal and on a page.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use hufu_types::{Clock, Timestamp};
use secrecy::ExposeSecret;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::{Mail, Mailer, SendError, Sms, SmsSender};

/// How many messages are kept; older ones are dropped.
pub const CAPACITY: usize = 200;

/// How a message would have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// As mail.
    Email,
    /// As a text message.
    Sms,
}

/// A message that was not actually sent.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Counts from 1.
    pub number: u64,
    /// How it would have been sent.
    pub channel: Channel,
    /// The e-mail address or phone number.
    pub to: String,
    /// The subject; only for mail.
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// The code contained in the text.
    pub code: Option<String>,
    /// When it was created.
    pub at: Timestamp,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, channel, at, .. } = self;
        f.debug_struct("Message")
            .field("number", number)
            .field("channel", channel)
            .field("at", at)
            .finish_non_exhaustive()
    }
}

/// The messages of this process; clones share one outbox.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    stored: Mutex<Stored>,
    news: broadcast::Sender<Message>,
}

#[derive(Default)]
struct Stored {
    messages: VecDeque<Message>,
    last: u64,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbox")
    }
}

impl Outbox {
    /// An empty outbox.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let news = broadcast::Sender::new(CAPACITY);
        Self(Arc::new(Shared { clock, stored: Mutex::default(), news }))
    }

    /// The kept messages, newest first.
    pub fn list(&self) -> Vec<Message> {
        let kept = self.0.stored.lock().unwrap_or_else(PoisonError::into_inner);
        kept.messages.iter().rev().cloned().collect()
    }

    /// Receives every message from now on. A receiver that falls behind by more than [`CAPACITY`] messages is
    /// informed how many it missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Message> {
        self.0.news.subscribe()
    }

    fn put(&self, channel: Channel, to: &str, subject: Option<&str>, text: &str, code: Option<&str>) {
        let mut kept = self.0.stored.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        let message = Message {
            number: kept.last,
            channel,
            to: to.to_owned(),
            subject: subject.map(str::to_owned),
            text: text.to_owned(),
            code: code.map(str::to_owned),
            at: self.0.clock.now(),
        };
        if kept.messages.len() == CAPACITY {
            kept.messages.pop_front();
        }
        kept.messages.push_back(message.clone());
        // Sent under the lock, so that receivers get messages in order. There may be no receiver.
        let _ = self.0.news.send(message);
    }
}

impl Mailer for Outbox {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), SendError>> {
        let code = mail.code.as_ref().map(ExposeSecret::expose_secret);
        self.put(Channel::Email, mail.to.as_str(), Some(&mail.subject), &mail.text, code);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl SmsSender for Outbox {
    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<(), SendError>> {
        let code = sms.code.as_ref().map(ExposeSecret::expose_secret);
        self.put(Channel::Sms, sms.to.as_str(), None, &sms.text, code);
        Box::pin(std::future::ready(Ok(())))
    }

    fn has_template(&self, _: &Sms) -> bool {
        true
    }
}
