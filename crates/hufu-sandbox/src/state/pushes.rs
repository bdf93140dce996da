//! The messages that WeChat pushed: each attempt, and what came back.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde::Serialize;

use super::lock;

const MAX_KEPT: usize = 1_000;

/// How an attempt to push a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// `success` or an empty body: the user sees nothing.
    Acknowledged,
    /// A well-formed reply for the user.
    Replied,
    /// A body that WeChat cannot read, or that is not allowed in this mode. The user sees an error.
    Malformed,
    /// An encrypted reply whose signature does not fit. The user sees an error.
    WrongSignature,
    /// A status other than 200. WeChat sends again.
    BadStatus,
    /// No answer in time. WeChat sends again.
    Timeout,
    /// No connection, or one that broke. WeChat sends again.
    Unreachable,
    /// The receiver is not on this machine, and the sandbox may not send elsewhere.
    NotAllowed,
}

impl Verdict {
    /// Whether WeChat sends the message again.
    pub(crate) fn is_resent(self) -> bool {
        matches!(self, Verdict::BadStatus | Verdict::Timeout | Verdict::Unreachable)
    }

    /// Whether the receiver took it.
    pub fn is_ok(self) -> bool {
        matches!(self, Verdict::Acknowledged | Verdict::Replied)
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// How it ended.
    pub verdict: Verdict,
    /// The HTTP status, if there was an answer.
    pub http_status: Option<u16>,
    /// The body of the answer, at most 4,000 characters.
    pub body: String,
    /// The text of a well-formed text reply, decrypted.
    pub reply: Option<String>,
    /// How long it took, in milliseconds of real time.
    pub millis: u64,
}

/// One pushed message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Push {
    /// Counts up from 1.
    pub seq: u64,
    /// The sandbox's time in Unix milliseconds.
    pub at: i64,
    /// The app whose message it is.
    pub app_id: String,
    /// The person who caused it.
    pub user: String,
    /// The event (`subscribe`, `unsubscribe`, `SCAN`, `CLICK`, `VIEW`), or `text`.
    pub event: &'static str,
    /// The event's key, or the text.
    pub key: String,
    /// The attempts, in order. Empty if nothing was sent: the app has no receiver, or is frozen or gone.
    pub attempts: Vec<Attempt>,
}

impl Push {
    /// How the last attempt ended. `None` if nothing was sent.
    pub fn verdict(&self) -> Option<Verdict> {
        self.attempts.last().map(|attempt| attempt.verdict)
    }
}

#[derive(Default)]
pub(crate) struct Pushes {
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    pushes: VecDeque<Push>,
    last: u64,
}

impl Pushes {
    /// Records a push, and numbers it.
    pub(crate) fn record(&self, push: Push) -> Push {
        let mut ring = lock(&self.ring);
        ring.last += 1;
        let push = Push { seq: ring.last, ..push };
        if ring.pushes.len() >= MAX_KEPT {
            ring.pushes.pop_front();
        }
        ring.pushes.push_back(push.clone());
        push
    }

    /// The pushes after number `after`, oldest first.
    pub(crate) fn after(&self, after: u64) -> Vec<Push> {
        lock(&self.ring).pushes.iter().filter(|push| push.seq > after).cloned().collect()
    }

    pub(crate) fn clear(&self) {
        lock(&self.ring).pushes.clear();
    }
}
