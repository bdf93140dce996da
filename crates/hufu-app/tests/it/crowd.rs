//! Many parallel first logins: ten for each of a thousand people create a thousand users.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hufu_app::login::{LoggedIn, LoginOutcome};
use hufu_store::{Store, StoreError};
use hufu_testkit::on_both_engines;
use hufu_testkit::raw;
use hufu_types::UserId;

use crate::support::{login, migrated, openid, unionid};

const PEOPLE: usize = 1000;
const ARRIVALS: usize = 10_000;
/// How many logins run in parallel.
const AT_ONCE: usize = 500;
/// Apps of one Open Platform account.
const APPS: [&str; 3] = ["wx00000000000000a1", "wx00000000000000a2", "wx00000000000000a3"];

/// A person's login through one of the apps. Retries if the queue is full.
async fn arrive(store: &Store, person: usize, app: &str) -> LoggedIn {
    loop {
        let arrival = login(openid(app, &format!("o{person}")), Some(unionid(&format!("u{person}"))));
        match store.write(arrival).await {
            Ok(LoginOutcome::LoggedIn(done)) => return *done,
            Err(StoreError::Overloaded) => tokio::task::yield_now().await,
            other => panic!("not logged in: {other:?}"),
        }
    }
}

on_both_engines! {
    async fn ten_thousand_first_logins_of_a_thousand_people_make_a_thousand_users(database) {
        let store = migrated(&database).await;
        let next = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (store, next) = (store.clone(), next.clone());
                tokio::spawn(async move {
                    let mut done = Vec::new();
                    loop {
                        let arrival = next.fetch_add(1, Ordering::Relaxed);
                        if arrival >= ARRIVALS {
                            return done;
                        }
                        // The ten logins of one person are consecutive, so that they race.
                        let (person, app) = (arrival / (ARRIVALS / PEOPLE), APPS[arrival % APPS.len()]);
                        done.push((person, arrive(&store, person, app).await));
                    }
                })
            })
            .collect();
        let mut users: HashMap<usize, UserId> = HashMap::new();
        let (mut logins, mut created) = (0, 0);
        for client in clients {
            for (person, done) in client.await.unwrap() {
                assert_eq!(users.entry(person).or_insert_with(|| done.user.id.clone()), &done.user.id);
                assert!(done.conflict.is_none());
                logins += 1;
                created += usize::from(done.newly_created);
            }
        }
        assert_eq!((logins, created, users.len()), (ARRIVALS, PEOPLE, PEOPLE));
        for (expected, sql) in [
            (PEOPLE, "SELECT COUNT(*) FROM users"),
            (PEOPLE, "SELECT COUNT(*) FROM users WHERE logins_count = 10"),
            (PEOPLE * (APPS.len() + 1), "SELECT COUNT(*) FROM identities"),
            (PEOPLE, "SELECT COUNT(DISTINCT user_id) FROM identities WHERE kind = 'unionid'"),
            (0, "SELECT COUNT(*) FROM identity_conflicts"),
            (ARRIVALS, "SELECT COUNT(*) FROM sessions"),
            (ARRIVALS, "SELECT COUNT(*) FROM audit_events WHERE action = 'login'"),
            (PEOPLE, "SELECT COUNT(*) FROM audit_events WHERE action = 'user.created'"),
            (PEOPLE * (APPS.len() - 1), "SELECT COUNT(*) FROM audit_events WHERE action = 'identity.bound'"),
        ] {
            assert_eq!(raw::number(&database, sql).await, i64::try_from(expected).unwrap(), "{sql}");
        }
    }
}
