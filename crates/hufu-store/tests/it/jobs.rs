//! The job queue.

use std::collections::HashSet;

use hufu_store::jobs::{Claim, End, EndJob, Job, NewJob, enqueue};
use hufu_store::{Store, StoreError};
use hufu_testkit::on_both_engines;
use hufu_types::{JobId, SystemRandom, Timestamp};

use crate::support::{NOW, migrated, open, pool, seconds, unit};

unit! { Write Enqueue { job: NewJob, fail: bool } -> (), |this, tx| {
    enqueue(tx, &this.job).await?;
    if this.fail { Err(StoreError::Stopped) } else { Ok(()) }
} }

async fn put(store: &Store, kind: &'static str, run_at: Timestamp) -> JobId {
    let id = JobId::generate(NOW, &SystemRandom);
    let job = NewJob { id: id.clone(), kind, pool: pool(), payload: b"what".to_vec(), run_at };
    store.write(Enqueue { job, fail: false }).await.unwrap();
    id
}

fn claim(kind: &'static str, now: Timestamp, limit: i64) -> Claim {
    Claim { kind, now, until: now.plus(seconds(60)), node: "node".to_owned(), limit }
}

async fn take(store: &Store, now: Timestamp) -> Vec<Job> {
    store.write(claim("a", now, 100)).await.unwrap()
}

async fn end(store: &Store, job: &Job, end: End) -> bool {
    store.write(EndJob { id: job.id.clone(), attempts: job.attempts, end }).await.unwrap()
}

on_both_engines! {
    async fn jobs_are_taken_when_due_by_kind_and_in_order(database) {
        let store = migrated(&database).await;
        let late = put(&store, "a", NOW.plus(seconds(2))).await;
        let second = put(&store, "a", NOW).await;
        let first = put(&store, "a", NOW.minus(seconds(1))).await;
        put(&store, "b", NOW).await;

        let taken = store.write(claim("a", NOW, 1)).await.unwrap();
        assert_eq!(taken.iter().map(|job| &job.id).collect::<Vec<_>>(), [&first]);
        assert_eq!((taken[0].kind.as_str(), taken[0].payload.as_slice(), taken[0].attempts), ("a", &b"what"[..], 1));
        assert_eq!((&taken[0].pool, taken[0].run_at), (&pool(), NOW.minus(seconds(1))));
        assert_eq!(take(&store, NOW).await[0].id, second);
        assert!(take(&store, NOW).await.is_empty(), "what is taken or not yet due is left alone");
        assert_eq!(take(&store, NOW.plus(seconds(2))).await[0].id, late);
    }

    async fn a_job_goes_with_the_deed_that_is_rolled_back(database) {
        let store = migrated(&database).await;
        let id = JobId::generate(NOW, &SystemRandom);
        let job = NewJob { id, kind: "a", pool: pool(), payload: Vec::new(), run_at: NOW };
        store.write(Enqueue { job, fail: true }).await.unwrap_err();
        assert!(take(&store, NOW).await.is_empty());
    }

    async fn a_job_of_a_node_that_died_is_taken_up_by_another(database) {
        let store = migrated(&database).await;
        let id = put(&store, "a", NOW).await;
        let dead = take(&store, NOW).await.remove(0);
        assert!(take(&store, NOW.plus(seconds(60))).await.is_empty(), "as long as the lease runs it is not");

        let alive = take(&store, NOW.plus(seconds(61))).await.remove(0);
        assert_eq!((&alive.id, alive.attempts), (&id, 2));
        // The first node was only slow, but its result no longer counts.
        for of_dead in [End::Done, End::RetryAt(NOW), End::Postponed(NOW)] {
            assert!(!end(&store, &dead, of_dead).await);
        }
        assert!(take(&store, NOW.plus(seconds(62))).await.is_empty());
        assert!(end(&store, &alive, End::Done).await);
        assert!(take(&store, NOW.plus(seconds(3600))).await.is_empty(), "it is gone");
        assert!(!end(&store, &alive, End::Done).await);
    }

    async fn a_job_is_tried_again_or_put_off(database) {
        let store = migrated(&database).await;
        put(&store, "a", NOW).await;
        let job = take(&store, NOW).await.remove(0);
        assert!(end(&store, &job, End::RetryAt(NOW.plus(seconds(5)))).await);
        assert!(take(&store, NOW.plus(seconds(4))).await.is_empty());
        let again = take(&store, NOW.plus(seconds(5))).await.remove(0);
        assert_eq!(again.attempts, 2);
        assert!(end(&store, &again, End::Postponed(NOW.plus(seconds(6)))).await);
        assert_eq!(take(&store, NOW.plus(seconds(6))).await[0].attempts, 2, "being put off is no attempt");
    }

    async fn two_nodes_never_take_one_job(database) {
        let stores = [migrated(&database).await, open(&database).await];
        for _ in 0..200 {
            put(&stores[0], "a", NOW).await;
        }
        let takers = (0..16).map(|taker| {
            let store = stores[taker % 2].clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                // A claim that selects the same rows as another claim gets fewer jobs than there are.
                for _ in 0..60 {
                    taken.extend(store.write(claim("a", NOW, 7)).await.unwrap().into_iter().map(|job| job.id));
                }
                taken
            })
        });
        let taken = futures::future::join_all(takers).await;
        let taken: Vec<JobId> = taken.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(taken.len(), 200);
        assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 200);
    }
}
