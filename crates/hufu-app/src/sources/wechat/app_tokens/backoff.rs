//! How long nobody fetches an app token after a fetch failed. A wrong secret or a used-up quota is not to be asked about
//! with every request; when an administrator has changed something, they do not wait.

use std::time::Duration;

use hufu_types::Timestamp;
use hufu_wechat::{Class, Error};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A failed fetch, as its row remembers it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) retry_at: Timestamp,
    pub(super) errcode: Option<i64>,
    pub(super) rid: Option<String>,
}

impl Failure {
    /// The failure after which so many others had failed before.
    pub(super) fn of(error: &Error, failures: i64, now: Timestamp) -> Self {
        Self {
            retry_at: now.plus(pause(error, failures)),
            errcode: error.errcode(),
            rid: error.rid().map(str::to_owned),
        }
    }
}

/// The first failure is not waited for, unless it says how long it lasts.
fn pause(error: &Error, failures: i64) -> Duration {
    let is_quota = error.class() == Class::Limit || matches!(error.errcode(), Some(89506 | 89507));
    let Some(doublings) = failures.checked_sub(i64::from(!is_quota)).filter(|n| *n >= 0) else {
        return Duration::ZERO;
    };
    let (first, longest) = match (error.errcode(), error.class()) {
        // The quota of the minute, and of the day.
        (Some(45011), _) => (MINUTE, MINUTE),
        (Some(45009), _) => (10 * MINUTE, HOUR),
        // The administrator of the account has refused this address; WeChat blocks it for an hour or a day.
        (Some(89506 | 89507), _) => (HOUR, HOUR),
        (_, Class::Limit | Class::AppDown) => (MINUTE, 10 * MINUTE),
        (_, Class::Retry) => (SECOND, 30 * SECOND),
        // The secret or the allow-list of addresses is wrong.
        _ => (30 * SECOND, 10 * MINUTE),
    };
    let doublings = u32::try_from(doublings.min(16)).unwrap_or_default();
    first.saturating_mul(1 << doublings).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_secret_and_a_quota_wait_longer_than_a_busy_wechat() {
        for (errcode, failures, seconds) in [
            (-1, 0, 0),
            (-1, 1, 1),
            (-1, 4, 8),
            (-1, i64::MAX, 30),
            (45011, 0, 60),
            (45011, 9, 60),
            (45009, 0, 600),
            (45009, 9, 3600),
            (40125, 0, 0),
            (40125, 1, 30),
            (40001, 2, 60),
            (40164, 9, 600),
            (50007, 1, 60),
            (89507, 0, 3600),
        ] {
            let error = Error::remembered(errcode, None);
            assert_eq!(pause(&error, failures), Duration::from_secs(seconds), "{errcode} {failures}");
        }
    }
}
