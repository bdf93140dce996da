//! Rate-limit buckets.

use hufu_store::rates::{self, Hit};
use hufu_testkit::on_both_engines;
use hufu_types::Timestamp;

use crate::support::{migrated, seconds, unit};

unit! { Write Sweep { now: Timestamp } -> u64, |this, tx| rates::sweep(tx, this.now).await }

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

    async fn windows_that_are_over_are_swept(database) {
        let store = migrated(&database).await;
        store.write(hit("a", 1, START)).await.unwrap();
        store.write(hit("a", 1, START.plus(seconds(60)))).await.unwrap();
        assert_eq!(store.write(Sweep { now: START.plus(seconds(60)) }).await.unwrap(), 0);
        assert_eq!(store.write(Sweep { now: START.plus(seconds(61)) }).await.unwrap(), 1);
        assert_eq!(store.write(hit("a", 1, START.plus(seconds(60)))).await.unwrap(), 2);
    }
}
