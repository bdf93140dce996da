//! Addresses that fail to log in too often. They are not shut out, since thousands of people may stand behind
//! one address: what they send to WeChat goes through a narrow lane, and their failures are told "too often".

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hufu_store::rates::{Hit, Limit};
use hufu_types::refusal::Code;
use hufu_types::{Action, PoolId, UserId};
use moka::sync::Cache;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::network_of;
use crate::events::Trace;
use crate::origin::{RecordRefusal, code_of};
use crate::sources::wechat::wechat_error;
use crate::{App, Limits, Refusal};

/// Addresses that a node keeps in mind at most.
const REMEMBERED: u64 = 100_000;

/// The lanes of addresses that failed too often of late.
pub(crate) struct Failures {
    lanes: Cache<String, Arc<Semaphore>>,
    width: usize,
    /// How many refusals of an address this node has written of late.
    written: Cache<String, Arc<AtomicI64>>,
    most_written: i64,
}

impl Failures {
    pub(crate) fn new(limits: &Limits) -> Self {
        let lanes = Cache::builder().max_capacity(REMEMBERED).time_to_live(limits.failure_window).build();
        let written = Cache::builder().max_capacity(REMEMBERED).time_to_live(limits.failure_window).build();
        Self { lanes, width: limits.failure_lane, written, most_written: limits.login_failures_per_ip }
    }

    /// Counts a refusal that is to be written: how many more of the address are, below zero where it is too many.
    pub(crate) fn remaining_records(&self, pool: &PoolId, ip: Option<&str>) -> i64 {
        let Some(ip) = ip else { return 0 };
        let key = format!("{pool}:{}", network_of(ip));
        let written = self.written.get_with(key, Arc::default).fetch_add(1, Ordering::Relaxed);
        self.most_written.saturating_sub(written).saturating_sub(1)
    }

    fn key(pool: &PoolId, ip: &str) -> String {
        format!("login_failure:{pool}:{}", network_of(ip))
    }
}

/// Why somebody is not logged in.
pub(crate) struct LoginFailure {
    pub(crate) refusal: Refusal,
    /// Whose account it is, where that is known.
    pub(crate) user: Option<UserId>,
    /// Whether a unit has written it to the audit log.
    pub(crate) is_recorded: bool,
}

impl From<Refusal> for LoginFailure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, user: None, is_recorded: false }
    }
}

impl App {
    /// A place in the lane of an address, where it has one; all others pass at once.
    pub(crate) async fn enter_lane(&self, pool: &PoolId, ip: Option<&str>) -> Option<OwnedSemaphorePermit> {
        if self.failures.lanes.entry_count() == 0 {
            return None;
        }
        let lane = self.failures.lanes.get(&Failures::key(pool, ip?))?;
        lane.acquire_owned().await.ok()
    }

    /// Counts a failure that a guess could be the reason of.
    pub(crate) async fn count_failure(&self, pool: &PoolId, ip: Option<&str>, refusal: Refusal) -> Refusal {
        let Some(Limit { name, most, window }) = self.guesses(pool, ip, &refusal) else { return refusal };
        let hit = Hit { name: name.clone(), amount: 1, window, now: self.now() };
        match self.write(hit).await {
            Ok(hits) if hits > most => self.slow_down(name),
            Ok(_) => refusal,
            Err(failed) => failed,
        }
    }

    /// Writes to the audit log why somebody is not logged in, and counts what a guess could be the reason of.
    pub(crate) async fn refuse_login(
        &self,
        pool: &PoolId,
        trace: Trace,
        method: &'static str,
        failure: LoginFailure,
    ) -> Refusal {
        let LoginFailure { refusal, user, is_recorded } = failure;
        if is_recorded {
            return self.count_failure(pool, trace.ip.as_deref(), refusal).await;
        }
        let Some(code) = code_of(&refusal) else { return refusal };
        let guesses = self.guesses(pool, trace.ip.as_deref(), &refusal);
        let lane = guesses.as_ref().map(|limit| limit.name.clone());
        let left = match &guesses {
            Some(_) => 0,
            None => self.failures.remaining_records(pool, trace.ip.as_deref()),
        };
        let details = match wechat_error(&refusal).and_then(hufu_wechat::Error::errcode) {
            Some(errcode) => json!({ "by": method, "errcode": errcode }),
            None => json!({ "by": method }),
        };
        let action = Action::Login;
        let unit = RecordRefusal { pool: pool.clone(), trace, action, user, code, details, guesses, left };
        if !unit.must_be_recorded() {
            return refusal;
        }
        match (self.write(unit).await, lane) {
            (Ok(..0), Some(lane)) => self.slow_down(lane),
            (Ok(_), _) => refusal,
            (Err(failed), _) => failed,
        }
    }

    /// Where failures of an address are counted that a guess could be the reason of.
    fn guesses(&self, pool: &PoolId, ip: Option<&str>, refusal: &Refusal) -> Option<Limit> {
        let guessed = matches!(refusal.code(), Code::CodeInvalid | Code::CodeUsed | Code::PhoneCodeInvalid);
        ip.filter(|_| guessed).map(|ip| Limit {
            name: Failures::key(pool, ip),
            most: self.limits.login_failures_per_ip,
            window: self.limits.failure_window,
        })
    }

    fn slow_down(&self, lane: String) -> Refusal {
        self.failures.lanes.get_with(lane, || Arc::new(Semaphore::new(self.failures.width)));
        Code::TooOften.because("failed logins from this address")
    }
}
