//! How often the log tells of messages that are refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hufu_types::{ConnectionId, Timestamp};

/// When the log last told of a refused message of a connection, and how many were refused since.
#[derive(Debug, Default)]
pub(crate) struct RefusedMessages(Mutex<HashMap<ConnectionId, (Timestamp, u64)>>);

impl RefusedMessages {
    /// Counts a refused message. If the log has told of none for as long as `pause`: how many others there were since.
    pub(super) fn note(&self, connection: &ConnectionId, now: Timestamp, pause: Duration) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match told.get_mut(connection) {
            Some((at, others)) if now < at.plus(pause) => {
                *others = others.saturating_add(1);
                None
            }
            _ => told.insert(connection.clone(), (now, 0)).map_or(Some(0), |(_, others)| Some(others)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_while_is_told_of_each_connection() {
        let (told, pause) = (RefusedMessages::default(), Duration::from_secs(60));
        let [one, other] = ["one", "other"].map(|id| ConnectionId::parse(id).unwrap());
        let at = |seconds: i64| Timestamp(seconds * 1000);
        assert_eq!(told.note(&one, at(0), pause), Some(0));
        for second in 0..60 {
            assert_eq!(told.note(&one, at(second), pause), None);
        }
        assert_eq!(told.note(&other, at(59), pause), Some(0), "another one has its own");
        assert_eq!(told.note(&one, at(60), pause), Some(60));
        assert_eq!(told.note(&one, at(61), pause), None);
        assert_eq!(told.note(&one, at(120), pause), Some(1));
    }
}
