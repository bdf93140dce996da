//! When a certificate is renewed, and when an order that failed is tried again.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use hufu_app::Limits;
use hufu_types::Timestamp;

use crate::tls::x509::Validity;

/// How many times as long each wait is as the one before.
const LONGER: u32 = 10;

/// Where in a span of time something is done, so that not everybody does it at one moment: so many of 65,536 parts
/// after its beginning. It is a hash, because then it is the same on each node and after each start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) u16);

impl Place {
    pub(super) fn of(what: &[u8]) -> Self {
        let hash = digest(&SHA256, what);
        let (first, second) = (hash.as_ref().first(), hash.as_ref().get(1));
        Self(u16::from_be_bytes([first.copied().unwrap_or_default(), second.copied().unwrap_or_default()]))
    }

    fn within(self, span: Duration) -> Duration {
        let millis = span.as_millis().saturating_mul(u128::from(self.0)) >> 16;
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

/// When an authority would like a certificate renewed (RFC 9773 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

/// When a certificate is renewed: when its authority would like it, but with a sixth of its life left at least; or else
/// when two thirds of its life are over, or somewhat later.
pub(super) fn renewal(validity: Validity, window: Option<Window>, place: Place) -> Timestamp {
    let Validity { from, until } = validity;
    let life = until.since(from);
    match window {
        Some(Window { start, end }) => start.plus(place.within(end.since(start))).min(until.minus(life / 6)),
        None => from.plus(life / 3 * 2).plus(place.within(life / 30)),
    }
}

/// How long to wait after so many orders that failed, one after the other. Authorities count what they refuse, and
/// recommend waits that grow tenfold; one that does not answer counts nothing. Whoever says how long is believed.
pub(super) fn pause(
    limits: &Limits,
    failures: u32,
    was_reached: bool,
    retry_after: Option<Duration>,
    place: Place,
) -> Duration {
    let tens = if was_reached { LONGER.saturating_pow(failures.saturating_sub(1)) } else { 1 };
    let pause = limits.acme_retry_first.saturating_mul(tens).min(limits.acme_retry_longest);
    let pause = pause.max(retry_after.unwrap_or_default());
    pause.saturating_add(place.within(pause / 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const BEGIN: Timestamp = Timestamp(1_800_000_000_000);

    fn life(days: u32) -> Validity {
        Validity { from: BEGIN, until: BEGIN.plus(DAY * days) }
    }

    #[test]
    fn two_thirds_of_a_life() {
        assert_eq!(renewal(life(90), None, Place(0)), BEGIN.plus(DAY * 60));
        let last = renewal(life(90), None, Place(u16::MAX));
        assert!(last > BEGIN.plus(DAY * 62) && last < BEGIN.plus(DAY * 63), "{last:?}");
        assert_eq!(renewal(life(6), None, Place(0)), BEGIN.plus(DAY * 4));
    }

    #[test]
    fn the_authority_knows_better_within_reason() {
        let window = |from, to| Some(Window { start: BEGIN.plus(DAY * from), end: BEGIN.plus(DAY * to) });
        assert_eq!(renewal(life(90), window(40, 42), Place(0)), BEGIN.plus(DAY * 40));
        assert_eq!(renewal(life(90), window(40, 42), Place(1 << 15)), BEGIN.plus(DAY * 41));
        assert_eq!(renewal(life(90), window(0, 0), Place(7)), BEGIN, "at once");
        assert_eq!(renewal(life(90), window(100, 200), Place(7)), BEGIN.plus(DAY * 75), "not after its end");
        // A window that ends before it begins.
        assert_eq!(renewal(life(90), window(42, 40), Place(7)), BEGIN.plus(DAY * 42));
    }

    #[test]
    fn waits_grow_until_a_day() {
        let limits = Limits::default();
        let pauses: Vec<u64> =
            (1..=6).map(|failures| pause(&limits, failures, true, None, Place(0)).as_secs() / 60).collect();
        assert_eq!(pauses, [1, 10, 100, 1000, 1440, 1440], "minutes");
        assert_eq!(pause(&limits, u32::MAX, true, None, Place(0)), DAY);
        assert_eq!(pause(&limits, 5, false, None, Place(0)), limits.acme_retry_first, "it counts nothing");
        let week = Some(DAY * 7);
        assert_eq!(pause(&limits, 1, true, week, Place(0)), DAY * 7);
        assert_eq!(pause(&limits, 1, true, Some(Duration::ZERO), Place(0)), limits.acme_retry_first);
        let late = pause(&limits, 1, true, week, Place(u16::MAX));
        assert!(late > DAY * 7 && late < DAY * 8, "{late:?}");
    }

    #[test]
    fn places_differ() {
        assert_ne!(Place::of(b"one"), Place::of(b"other"));
        assert_eq!(Place::of(b"one"), Place::of(b"one"));
    }
}
