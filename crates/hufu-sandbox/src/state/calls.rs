//! The latest calls, for the page and for tests: the endpoint, the app, and the result. Codes, secrets,
//! tokens and openids are not recorded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde::{Serialize, Serializer};

use super::lock;
use crate::clock::Millis;

/// One call of a WeChat endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Counts up from 1 without gaps.
    pub seq: u64,
    /// The sandbox's time in Unix milliseconds.
    pub at: i64,
    /// WeChat's name of the endpoint, or `unknown` for all others. What somebody does in the phone begins with
    /// `phone `, what WeChat pushes with `push `.
    pub path: &'static str,
    /// The app, if the call named one.
    #[serde(serialize_with = "as_text")]
    pub app_id: Option<Arc<str>>,
    /// WeChat's code, 0 for success. Absent if the response was not JSON.
    pub errcode: Option<i32>,
    /// The HTTP status. Absent if the connection was closed instead.
    pub http_status: Option<u16>,
    /// Whether an injected fault affected it.
    pub fault: bool,
    /// Who did it, if it was done in the phone or pushed because of somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

pub(crate) struct CallLog {
    ring: Mutex<Ring>,
    capacity: usize,
}

struct Ring {
    calls: VecDeque<Call>,
    next: u64,
}

impl CallLog {
    pub(crate) fn new(capacity: usize) -> CallLog {
        CallLog { ring: Mutex::new(Ring { calls: VecDeque::new(), next: 1 }), capacity: capacity.max(1) }
    }

    pub(crate) fn record(
        &self,
        at: Millis,
        path: &'static str,
        app_id: Option<Arc<str>>,
        (errcode, http_status): (Option<i32>, Option<u16>),
        fault: bool,
    ) {
        self.push(Call { seq: 0, at, path, app_id, errcode, http_status, fault, user: None });
    }

    /// Records what a person did in the phone, or what was pushed because of them.
    pub(crate) fn record_act(
        &self,
        at: Millis,
        path: &'static str,
        app_id: Option<Arc<str>>,
        user: &str,
        outcome: (Option<i32>, Option<u16>),
    ) {
        let (errcode, http_status) = outcome;
        let user = Some(user.to_owned());
        self.push(Call { seq: 0, at, path, app_id, errcode, http_status, fault: false, user });
    }

    fn push(&self, call: Call) {
        let mut ring = lock(&self.ring);
        let seq = ring.next;
        ring.next += 1;
        if ring.calls.len() >= self.capacity {
            ring.calls.pop_front();
        }
        ring.calls.push_back(Call { seq, ..call });
    }

    /// At most `limit` of the latest calls after number `after`, oldest first.
    pub(crate) fn after(&self, after: u64, limit: usize) -> Vec<Call> {
        let ring = lock(&self.ring);
        let latest = ring.calls.iter().rev().take_while(|call| call.seq > after).take(limit);
        let mut calls: Vec<Call> = latest.cloned().collect();
        calls.reverse();
        calls
    }

    /// The number of the latest call.
    pub(crate) fn last(&self) -> u64 {
        lock(&self.ring).next - 1
    }

    pub(crate) fn clear(&self) {
        lock(&self.ring).calls.clear();
    }
}

#[expect(clippy::ref_option, reason = "serde's serialize_with passes a reference")]
fn as_text<S: Serializer>(app_id: &Option<Arc<str>>, to: S) -> Result<S::Ok, S::Error> {
    app_id.as_deref().serialize(to)
}
