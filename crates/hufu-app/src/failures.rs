//! Addresses that fail to log in too often. They are not shut out, since thousands of people may stand behind
//! one address: what they send to WeChat goes through a narrow lane, and their failures are told "too often".

use std::sync::Arc;

use hufu_store::rates::Hit;
use hufu_types::PoolId;
use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::network_of;
use crate::{App, Limits, Refusal};

/// Addresses that a node keeps in mind at most.
const REMEMBERED: u64 = 100_000;

/// The lanes of addresses that failed too often of late.
pub(crate) struct Failures {
    lanes: Cache<String, Arc<Semaphore>>,
    width: usize,
}

impl Failures {
    pub(crate) fn new(limits: &Limits) -> Self {
        let lanes = Cache::builder().max_capacity(REMEMBERED).time_to_live(limits.failure_window).build();
        Self { lanes, width: limits.failure_lane }
    }

    fn key(pool: &PoolId, ip: &str) -> String {
        format!("login_failure:{pool}:{}", network_of(ip))
    }
}

impl App {
    /// A place in the lane of an address, where it has one; all others pass at once.
    pub(crate) async fn pass(&self, pool: &PoolId, ip: Option<&str>) -> Option<OwnedSemaphorePermit> {
        if self.failures.lanes.entry_count() == 0 {
            return None;
        }
        let lane = self.failures.lanes.get(&Failures::key(pool, ip?))?;
        lane.acquire_owned().await.ok()
    }

    /// Counts a failure that a guess could be the reason of.
    pub(crate) async fn count_failure(&self, pool: &PoolId, ip: Option<&str>, refusal: Refusal) -> Refusal {
        let guessed =
            matches!(refusal, Refusal::CodeInvalid(_) | Refusal::CodeUsed(_) | Refusal::PhoneCodeInvalid(_));
        let Some(ip) = ip.filter(|_| guessed) else { return refusal };
        let name = Failures::key(pool, ip);
        let hit = Hit { name: name.clone(), amount: 1, window: self.limits.failure_window, now: self.now() };
        match self.write(hit).await {
            Ok(hits) if hits > self.limits.login_failures_per_ip => {
                self.failures.lanes.get_with(name, || Arc::new(Semaphore::new(self.failures.width)));
                Refusal::TooOften("failed logins from this address")
            }
            Ok(_) => refusal,
            Err(failed) => failed,
        }
    }
}
