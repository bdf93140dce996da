//! Addresses with too many failed logins. They are not blocked, because thousands of people may share one
//! address. Instead, their calls to WeChat are limited to a few at a time, and their failures are answered
//! with "too often".

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hufu_store::rates::{self, Hit, Limit};
use hufu_types::refusal::Code;
use hufu_types::{Action, PoolId, UserId};
use moka::sync::Cache;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::network_of;
use crate::events::Trace;
use crate::origin::{RecordRefusal, code_of};
use crate::{App, Limits, Refusal};

/// Maximum number of addresses that a node remembers.
const REMEMBERED: u64 = 100_000;

/// Lanes that limit concurrent WeChat calls for addresses with too many recent failures.
pub(crate) struct Failures {
    lanes: Cache<String, Arc<Semaphore>>,
    width: usize,
    /// How many refusals per address this node has recorded recently.
    written: Cache<String, Arc<AtomicI64>>,
    most_written: i64,
}

impl Failures {
    pub(crate) fn new(limits: &Limits) -> Self {
        let lanes = Cache::builder().max_capacity(REMEMBERED).time_to_live(limits.failure_window).build();
        let written = Cache::builder().max_capacity(REMEMBERED).time_to_live(limits.failure_window).build();
        Self { lanes, width: limits.failure_lane, written, most_written: limits.login_failures_per_ip }
    }

    /// Counts a refusal about to be recorded. Returns how many more may be recorded for this address; a
    /// negative number means that the limit is exceeded.
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

/// Why a login failed.
pub(crate) struct LoginFailure {
    pub(crate) refusal: Refusal,
    /// The account concerned, if known.
    pub(crate) user: Option<UserId>,
    /// Whether a unit of work has already recorded it in the audit log.
    pub(crate) is_recorded: bool,
}

impl From<Refusal> for LoginFailure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, user: None, is_recorded: false }
    }
}

impl App {
    /// Waits for a place in the lane of this address. Addresses without a lane do not wait.
    pub(crate) async fn enter_lane(&self, pool: &PoolId, ip: Option<&str>) -> Option<OwnedSemaphorePermit> {
        if self.failures.lanes.entry_count() == 0 {
            return None;
        }
        let lane = self.failures.lanes.get(&Failures::key(pool, ip?))?;
        lane.acquire_owned().await.ok()
    }

    /// Counts a failure if it could be the result of guessing.
    pub(crate) async fn count_failure(&self, pool: &PoolId, ip: Option<&str>, refusal: Refusal) -> Refusal {
        let Some(Limit { name, most, window }) = self.guesses(pool, ip, &refusal) else { return refusal };
        let hit = Hit { name: name.clone(), amount: 1, window, now: self.now() };
        match self.write(hit).await {
            Ok(hits) if hits > most => self.slow_down(name),
            Ok(_) => refusal,
            Err(failed) => failed,
        }
    }

    /// Records in the audit log why a login failed, and counts the failure if it could be the result of
    /// guessing.
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
        let details = match refusal.source_as().and_then(hufu_wechat::Error::errcode) {
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

    /// The bucket that counts failures of this address that could be the result of guessing.
    fn guesses(&self, pool: &PoolId, ip: Option<&str>, refusal: &Refusal) -> Option<Limit> {
        let guessed = matches!(
            refusal.code(),
            Code::CodeInvalid | Code::CodeUsed | Code::PhoneCodeInvalid | Code::DataUndecryptable
        );
        ip.filter(|_| guessed).map(|ip| Limit {
            name: Failures::key(pool, ip),
            most: self.limits.login_failures_per_ip,
            window: self.limits.failure_window,
        })
    }

    fn slow_down(&self, lane: String) -> Refusal {
        self.failures.lanes.get_with(lane, || Arc::new(Semaphore::new(self.failures.width)));
        let wait = rates::wait(self.limits.failure_window, self.now());
        Code::TooOften.retry_after(wait).because("failed logins from this address")
    }
}
