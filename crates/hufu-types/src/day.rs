//! Days of the calendar in a time zone, as statistics count them.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::Timestamp;

/// The seconds of a day in UTC.
const SECONDS: i64 = 24 * 60 * 60;

/// The time zone with this name of the IANA database, spelled as it is there.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name))
}

/// A day of the calendar: the number of days since 1970-01-01. Written as `2026-01-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The day of a point in time, in this time zone.
    pub fn at(time: Timestamp, zone: &TimeZone) -> Self {
        let offset = jiff::Timestamp::from_millisecond(time.0).map(|time| zone.to_offset(time).seconds());
        Self((time.seconds().saturating_add(offset.unwrap_or_default().into())).div_euclid(SECONDS))
    }

    /// Parses `2026-01-31`, the only form.
    pub fn parse(text: &str) -> Option<Self> {
        let date: Date = text.parse().ok()?;
        let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
        Some(Self(midnight.div_euclid(SECONDS))).filter(|day| day.to_string() == text)
    }

    /// This day plus a number of days.
    #[must_use]
    pub const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0.saturating_mul(SECONDS)) {
            Ok(midnight) => write!(f, "{}", TimeZone::UTC.to_datetime(midnight).date()),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_and_read() {
        for (text, number) in [("1970-01-01", 0), ("2026-01-31", 20_484), ("1969-12-31", -1)] {
            assert_eq!((Day::parse(text), Day(number).to_string()), (Some(Day(number)), text.to_owned()));
        }
        for wrong in ["", "2026-02-30", "20260131", "2026-1-31", "2026-01-31T00:00", "+002026-01-31"] {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_its_zone() {
        let midnight = Timestamp(1_768_838_400_000);
        assert_eq!(midnight.to_iso(), "2026-01-19T16:00:00.000Z");
        for (name, before, after) in [
            ("Asia/Shanghai", "2026-01-19", "2026-01-20"),
            ("UTC", "2026-01-19", "2026-01-19"),
            ("America/New_York", "2026-01-19", "2026-01-19"),
        ] {
            let zone = zone(name).unwrap();
            let days = [Timestamp(midnight.0 - 1), midnight].map(|time| Day::at(time, &zone).to_string());
            assert_eq!(days, [before, after], "{name}");
        }
        for wrong in ["", "asia/shanghai", "Shanghai", "+08:00"] {
            assert!(zone(wrong).is_none(), "{wrong}");
        }
    }

    /// Where clocks go back, the hour that comes twice belongs to its day both times.
    #[test]
    fn clocks_that_change_move_no_day() {
        let zone = zone("Europe/Berlin").unwrap();
        let midnight: jiff::Timestamp = "2025-10-25T22:00:00Z".parse().unwrap();
        let hours = (0..25).map(|hour| Timestamp((midnight.as_second() + hour * 3600) * 1000));
        assert!(hours.map(|time| Day::at(time, &zone)).all(|day| day.to_string() == "2025-10-26"));
    }
}
