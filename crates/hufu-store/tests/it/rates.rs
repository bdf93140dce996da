//! Rate-limit buckets.

use hufu_store::rates::{self, Hit, Limit};
use hufu_testkit::on_both_engines;
use hufu_types::Timestamp;

use crate::support::{migrated, seconds, unit};

unit! { Write Sweep { now: Timestamp } -> u64, |this, tx| rates::sweep(tx, this.now).await }

unit! { Write Take { most: i64 } -> Option<i64>, |this, tx| limit(this.most).take(tx, START).await }
unit! { Write TakeOwn { most: i64 } -> Option<i64>, |this, tx| limit(this.most).take_own(tx, START).await }
unit! { Write TakeBack {} -> (), |_this, tx| limit(7).take_back(tx, START).await }
unit! { Write Mark { until: Timestamp } -> (), |this, tx| rates::mark(tx, "known", this.until).await }
unit! { Write IsMarked { now: Timestamp } -> bool, |this, tx| rates::is_marked(tx, "known", this.now).await }

fn limit(most: i64) -> Limit {
    Limit { name: "a".to_owned(), most, window: seconds(60) }
}

/// The start of a one-minute window.
const START: Timestamp = Timestamp(1_750_000_020_000);

fn hit(name: &str, amount: i64, now: Timestamp) -> Hit {
    Hit { name: name.to_owned(), amount, window: seconds(60), now }
}

on_both_engines! {
    async fn hits_are_counted_by_name_and_window(database) {
        let store = migrated(&database).await;
        for (name, amount, at, hits) in [
            ("a", 1, 0, 1),
            ("a", 1, 59_999, 2),
            ("b", 1, 59_999, 1),
            ("a", 5, 30_000, 7),
            ("a", 1, 60_000, 1),
            ("a", 1, -1, 1),
        ] {
            assert_eq!(store.write(hit(name, amount, Timestamp(START.0 + at))).await.unwrap(), hits, "{name} {at}");
        }
    }

    async fn no_hit_is_lost_among_many(database) {
        let store = migrated(&database).await;
        let hits = futures::future::join_all((0..100).map(|_| store.write(hit("a", 1, START)))).await;
        let mut hits: Vec<i64> = hits.into_iter().map(Result::unwrap).collect();
        hits.sort_unstable();
        assert_eq!(hits, (1..=100).collect::<Vec<_>>());
    }

    /// Of many who come at once, as many are counted as there is room for, and the others change nothing.
    async fn no_more_are_taken_than_there_is_room_for(database) {
        let store = migrated(&database).await;
        let taken = futures::future::join_all((0..100).map(|_| store.write(Take { most: 7 }))).await;
        let mut left: Vec<i64> = taken.into_iter().filter_map(Result::unwrap).collect();
        left.sort_unstable();
        assert_eq!(left, (0..7).collect::<Vec<_>>());
        store.write(TakeBack {}).await.unwrap();
        assert_eq!(store.write(Take { most: 7 }).await.unwrap(), Some(0));
        assert_eq!(store.write(Take { most: 7 }).await.unwrap(), None);
        for _ in 0..9 {
            store.write(TakeBack {}).await.unwrap();
        }
        assert_eq!(store.write(Take { most: 7 }).await.unwrap(), Some(6), "a bucket is never below empty");
        assert_eq!(store.write(Take { most: 0 }).await.unwrap(), None);
    }

    async fn a_bucket_of_ones_own_counts_as_every_other(database) {
        let store = migrated(&database).await;
        let taken = futures::future::join_all((0..100).map(|_| store.write(TakeOwn { most: 7 }))).await;
        let mut left: Vec<i64> = taken.into_iter().filter_map(Result::unwrap).collect();
        left.sort_unstable();
        assert_eq!(left, (0..7).collect::<Vec<_>>());
        assert_eq!(store.write(Take { most: 8 }).await.unwrap(), Some(0));
        assert_eq!(store.write(TakeOwn { most: 8 }).await.unwrap(), None);
        assert_eq!(store.write(TakeOwn { most: 0 }).await.unwrap(), None);
    }

    async fn a_mark_lasts_as_long_as_it_says_and_is_renewed(database) {
        let store = migrated(&database).await;
        let after = |n: u64| START.plus(seconds(n));
        assert!(!store.write(IsMarked { now: START }).await.unwrap());
        for start in [0, 30] {
            store.write(Mark { until: after(start + 60) }).await.unwrap();
            assert!(store.write(IsMarked { now: after(start + 59) }).await.unwrap());
        }
        assert!(store.write(IsMarked { now: after(89) }).await.unwrap());
        assert!(!store.write(IsMarked { now: after(90) }).await.unwrap());
    }

    async fn windows_that_are_over_are_swept(database) {
        let store = migrated(&database).await;
        store.write(hit("a", 1, START)).await.unwrap();
        store.write(hit("a", 1, START.plus(seconds(60)))).await.unwrap();
        assert_eq!(store.write(Sweep { now: START.plus(seconds(60)) }).await.unwrap(), 0);
        assert_eq!(store.write(Sweep { now: START.plus(seconds(61)) }).await.unwrap(), 1);
        assert_eq!(store.write(hit("a", 1, START.plus(seconds(60)))).await.unwrap(), 2);
    }
}

#[test]
fn a_window_says_when_it_ends() {
    for (at, left) in [(0, 60_000), (1, 59_999), (59_999, 1), (60_000, 60_000), (-1, 1)] {
        assert_eq!(limit(1).wait(Timestamp(START.0 + at)).as_millis(), left, "{at}");
    }
}
