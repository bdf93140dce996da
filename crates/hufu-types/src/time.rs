//! Points in time, as the database stores them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds since the Unix epoch, as used by JWT claims and by WeChat.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time plus `duration`; saturates at the maximum.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This time minus `duration`; saturates at the minimum.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is since an earlier time. Zero if that is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
    }

    /// ISO 8601 with milliseconds and `Z`, the format that the published clients expect.
    pub fn to_iso(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(|_| String::new(), |t| format!("{t:.3}"))
    }

    /// The time of a header such as `Date` (RFC 9110 section 5.6.7). `None` if it is none.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
        Some(Self(at.as_millisecond()))
    }

    /// The time of RFC 3339 text. `None` if it is none.
    pub fn parse_iso(text: &str) -> Option<Self> {
        text.parse().ok().map(|at: jiff::Timestamp| Self(at.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_always_has_milliseconds() {
        assert_eq!(Timestamp(0).to_iso(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(1_700_000_000_120).to_iso(), "2023-11-14T22:13:20.120Z");
        assert_eq!(Timestamp(i64::MAX).to_iso(), "");
    }

    #[test]
    fn dates_of_headers_are_read() {
        let date = Timestamp::parse_http_date("Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(date, Some(Timestamp(1_700_000_000_000)));
        assert!(["", "now", "1700000000"].iter().all(|text| Timestamp::parse_http_date(text).is_none()));
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp(i64::MAX).plus(Duration::from_secs(1)), Timestamp(i64::MAX));
        assert_eq!(Timestamp(1500).seconds(), 1);
        assert_eq!(Timestamp(-1).seconds(), -1);
        assert_eq!(Timestamp(5000).minus(Duration::from_secs(2)), Timestamp(3000));
    }
}
