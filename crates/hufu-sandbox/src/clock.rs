//! The sandbox's own time, which the control API can move forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the sandbox's clock starts, and whether it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockStart {
    /// Starts at the current time and runs.
    #[default]
    Now,
    /// Starts at this Unix time in milliseconds and moves only when advanced. For tests that need exact
    /// times.
    StandingAt(i64),
}

/// Unix time in milliseconds.
pub(crate) type Millis = i64;

pub(crate) struct Clock {
    running_since: Option<Instant>,
    base: AtomicI64,
}

impl Clock {
    pub(crate) fn new(start: ClockStart) -> Clock {
        match start {
            ClockStart::Now => {
                Clock { running_since: Some(Instant::now()), base: AtomicI64::new(wall_clock()) }
            }
            ClockStart::StandingAt(ms) => Clock { running_since: None, base: AtomicI64::new(ms) },
        }
    }

    pub(crate) fn now(&self) -> Millis {
        let ran = self.running_since.map_or(0, |since| since.elapsed().as_millis());
        self.base.load(Ordering::Relaxed).saturating_add(i64::try_from(ran).unwrap_or(i64::MAX))
    }

    pub(crate) fn advance(&self, ms: i64) {
        self.base.fetch_add(ms, Ordering::Relaxed);
    }
}

#[expect(clippy::disallowed_methods, reason = "the only place where the sandbox reads the wall clock")]
fn wall_clock() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
