//! On which days a user was active, and in which periods that makes a difference.
//!
//! A period of `n` days that ends on a day has everybody who was active on one of its days. Whoever is active on a day is
//! in the periods that end on it and on the `n - 1` days after it, and is counted in those in which no other active day
//! counted them already. So a figure such as "active in thirty days" is a number per day that is read and never computed.

use hufu_store::statistics::Activity;
use hufu_types::Day;

/// The periods, in days.
pub(super) const PERIODS: [i64; 3] = [1, 7, 30];
/// How many days are remembered: more than the longest period needs on both sides.
const REMEMBERED: i64 = 62;

fn contains(activity: Activity, day: Day) -> bool {
    let before = activity.last.0 - day.0;
    (0..REMEMBERED).contains(&before) && activity.days >> before & 1 == 1
}

/// Whether there is nothing to count about this day: it is known, or too long ago to be remembered.
pub(super) fn is_known(activity: Option<Activity>, day: Day) -> bool {
    activity.is_some_and(|activity| contains(activity, day) || activity.last.0 - day.0 >= REMEMBERED)
}

/// The activity with another day.
pub(super) fn with(activity: Option<Activity>, day: Day) -> Activity {
    let Some(Activity { last, days }) = activity else { return Activity { last: day, days: 1 } };
    let later = day.0 - last.0;
    if later >= REMEMBERED {
        return Activity { last: day, days: 1 };
    }
    let all = (1 << REMEMBERED) - 1;
    if later > 0 {
        return Activity { last: day, days: (days << later | 1) & all };
    }
    Activity { last, days: (days | 1 << -later) & all }
}

/// The last days of the periods of this length that get a user by being active on `day`.
pub(super) fn gained(activity: Option<Activity>, day: Day, length: i64) -> impl Iterator<Item = Day> {
    let is_active = |day| activity.is_some_and(|activity| contains(activity, day));
    let before = (1..length).map(|days| day.plus(-days)).find(|day| is_active(*day));
    let after = (1..length).map(|days| day.plus(days)).find(|day| is_active(*day));
    let first = before.map_or(day, |before| day.max(before.plus(length)));
    let end = after.map_or(day.plus(length), |after| after.min(day.plus(length)));
    (first.0..end.0).map(Day)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In whatever order the days become known, and however often: every period has the user once.
        #[test]
        fn every_period_counts_a_user_once(days in prop::collection::vec(20_000_i64..20_060, 0..40)) {
            let mut activity = None;
            let mut counted: BTreeMap<(i64, Day), i64> = BTreeMap::new();
            for day in days.iter().copied().map(Day) {
                if is_known(activity, day) {
                    continue;
                }
                for length in PERIODS {
                    for end in gained(activity, day, length) {
                        *counted.entry((length, end)).or_default() += 1;
                    }
                }
                activity = Some(with(activity, day));
            }
            let active: BTreeSet<i64> = days.into_iter().collect();
            for length in PERIODS {
                for end in 19_990..20_100 {
                    let expected = i64::from(active.range(end - length + 1..=end).next().is_some());
                    let found = counted.get(&(length, Day(end))).copied().unwrap_or_default();
                    prop_assert_eq!(found, expected, "{} days to {}", length, end);
                }
            }
        }
    }

    #[test]
    fn days_long_ago_are_not_counted_again() {
        let activity = Some(with(None, Day(20_000)));
        assert!(is_known(activity, Day(20_000)) && !is_known(activity, Day(19_939)));
        assert!(is_known(activity, Day(19_938)), "whether it was counted is forgotten");
        assert_eq!(with(activity, Day(i64::MAX)), Activity { last: Day(i64::MAX), days: 1 });
    }
}
