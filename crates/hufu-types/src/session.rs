//! How long sessions live.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

const DAY: u64 = 24 * 60 * 60;

/// How long the sessions of a pool live, whatever renews them. What comes first counts, and the lifetimes of
/// the application besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionRules {
    /// For how long after its last use. Uses are recorded only once in a while.
    #[serde(with = "lifetime")]
    pub idle: Duration,
    /// For how long after the login.
    #[serde(with = "lifetime")]
    pub life: Duration,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { idle: Duration::from_secs(14 * DAY), life: Duration::from_secs(90 * DAY) }
    }
}

impl SessionRules {
    /// The latest time at which a session of this login can end.
    pub fn latest_end(&self, login: Timestamp) -> Timestamp {
        login.plus(self.life)
    }

    /// When a session ends if it is not used any more.
    pub fn end(&self, login: Timestamp, last_used: Timestamp, expires_at: Timestamp) -> Timestamp {
        expires_at.min(self.latest_end(login)).min(last_used.plus(self.idle))
    }
}

/// Lifetimes as text: a number with a unit, such as `14d`.
pub mod lifetime {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use super::DAY;

    /// Reads a number with a unit, from one minute to ten years of 365 days.
    ///
    /// # Errors
    /// What the text must be.
    pub fn parse(text: &str) -> Result<Duration, &'static str> {
        const RULE: &str =
            "a duration is a number with d, h, m or s, such as \"14d\", from 1 minute to 10 years";
        let unit_seconds = match text.chars().last() {
            Some('d') => DAY,
            Some('h') => 60 * 60,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(RULE),
        };
        let digits = text.get(..text.len() - 1).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let number: Option<u64> = digits.and_then(|digits| digits.parse().ok());
        let seconds = number.and_then(|number| number.checked_mul(unit_seconds)).ok_or(RULE)?;
        if (60..=3650 * DAY).contains(&seconds) { Ok(Duration::from_secs(seconds)) } else { Err(RULE) }
    }

    /// A duration in the largest unit that divides it evenly.
    pub fn print(duration: Duration) -> String {
        let seconds = duration.as_secs();
        let units = [(DAY, 'd'), (60 * 60, 'h'), (60, 'm')];
        match units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit)) {
            Some((unit, letter)) => format!("{}{letter}", seconds / unit),
            None => format!("{seconds}s"),
        }
    }

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&print(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_ends_a_session() {
        let rules = SessionRules::default();
        let day = |n: i64| Timestamp(n * 24 * 60 * 60 * 1000);
        assert_eq!(rules.end(day(0), day(0), day(3)), day(3));
        assert_eq!(rules.end(day(0), day(1), day(100)), day(15));
        assert_eq!(rules.end(day(0), day(80), day(100)), day(90));
    }

    #[test]
    fn lifetimes_are_read_and_printed() {
        let rules: SessionRules = serde_json::from_str(r#"{"idle":"36h"}"#).unwrap();
        assert_eq!(serde_json::to_string(&rules).unwrap(), r#"{"idle":"36h","life":"90d"}"#);
        for wrong in ["\"59s\"", "\"14\"", "\"d\"", "\"3651d\"", "14"] {
            assert!(
                serde_json::from_str::<SessionRules>(&format!("{{\"idle\":{wrong}}}")).is_err(),
                "{wrong}"
            );
        }
    }
}
