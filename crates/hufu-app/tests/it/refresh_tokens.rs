//! Rotation of refresh tokens, and revocation of the family if a token is reused.

use hufu_app::login::{Admission, LoggedIn};
use hufu_app::people::status::SetStatus;
use hufu_app::tokens::{RevokeToken, RevokedToken, Rotate, Rotation};
use hufu_store::Store;
use hufu_store::refresh_tokens;
use hufu_store::sessions::GetSession;
use hufu_testkit::raw;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::{ApplicationId, ScopeSet, SessionRules, Timestamp, UserStatus};

use crate::support::{
    APP, Held, NOW, Variant as _, application, hash, log_in, login, migrated, openid, other_pool, pool,
    seconds, trace, unit,
};

const DAY: u64 = 86_400;

/// A login that issues the refresh token `first`.
async fn begin(store: &Store) -> LoggedIn {
    log_in(store, login(openid(APP, "o1"), None).with_refresh_token(hash("first"))).await
}

fn rotation(presented: &str, successor: &str, now: Timestamp) -> Rotate {
    Rotate {
        client_auth: None,
        key: None,
        pool: pool(),
        application: application(),
        presented: hash(presented),
        resources: Vec::new(),
        successor: hash(successor),
        expires_at: now.plus(seconds(30 * DAY)),
        grace: seconds(30),
        admission: Admission::default(),
        rules: SessionRules { idle: seconds(30 * DAY), life: seconds(365 * DAY) },
        trace: trace(now),
    }
}

/// Revokes the token `first`.
fn revocation() -> RevokeToken {
    let token = RevokedToken::Refresh(hash("first"));
    RevokeToken { pool: pool(), application: application(), token, trace: trace(NOW) }
}

async fn rotate(store: &Store, presented: &str, successor: &str, now: Timestamp) -> Rotation {
    store.write(rotation(presented, successor, now)).await.unwrap()
}

fn is_rotated(rotation: &Rotation) -> bool {
    matches!(rotation, Rotation::Rotated { .. })
}

/// The number of tokens that have not been used.
async fn unused(database: &TestDatabase) -> i64 {
    raw::number(database, "SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NULL").await
}

on_both_engines! {
    async fn many_at_once_are_told_apart(database) {
        let store = migrated(&database).await;
        let mut units = Vec::new();
        let mut sessions = Vec::new();
        for number in 0..24 {
            let one = login(openid(APP, &format!("o{number}")), None);
            let begun = log_in(&store, one.with_refresh_token(hash(&format!("t{number}")))).await;
            sessions.push(begun.session);
            units.push(rotation(&format!("t{number}"), &format!("s{number}"), NOW));
        }
        for number in 0..6 {
            units.push(rotation(&format!("nothing{number}"), &format!("x{number}"), NOW));
        }
        // Who comes second with a token is its client once more, and gets a successor of its own.
        units.push(rotation("t7", "again7", NOW));
        let answers = futures::future::join_all(units.into_iter().map(|unit| store.write(unit))).await;
        for (number, answer) in answers.into_iter().enumerate() {
            match answer.unwrap() {
                Rotation::Rotated { session, account, .. } => {
                    let expected = if number == 30 { 7 } else { number };
                    assert_eq!(session, sessions[expected], "{number}");
                    assert!(!account.id.as_str().is_empty(), "{number}");
                }
                Rotation::Unknown => assert!((24..30).contains(&number), "{number}"),
                other => panic!("{number}: {other:?}"),
            }
        }
        // 24 successors, one of which was replaced.
        assert_eq!(unused(&database).await, 24);
        let all = raw::number(&database, "SELECT COUNT(*) FROM refresh_tokens").await;
        assert_eq!(all, 24 + 24 + 1);
        let audited = "SELECT COUNT(*) FROM audit_events WHERE action = 'token.refreshed'";
        assert_eq!(raw::number(&database, audited).await, 25);
    }

    async fn a_token_is_exchanged_for_its_successor(database) {
        let store = migrated(&database).await;
        let begun = begin(&store).await;
        let later = NOW.plus(seconds(70 * DAY));
        let now = NOW.plus(seconds(3600));
        let rotated = rotate(&store, "first", "second", now).await;
        let Rotation::Rotated { session, details, scope, resources, .. } = rotated else { panic!("not rotated") };
        assert!(resources.is_empty());
        assert_eq!((&session, &details.user), (&begun.session, &begun.user.id));
        assert_eq!(scope, ScopeSet::parse("openid offline_access"));
        assert_eq!(details.created_at, NOW);

        // Each rotation extends the session.
        let mut at = now;
        for (presented, successor) in [("second", "third"), ("third", "fourth"), ("fourth", "fifth")] {
            at = at.plus(seconds(25 * DAY));
            assert!(is_rotated(&rotate(&store, presented, successor, at).await), "{presented}");
        }
        assert!(at > later);
        let stored = store.read(GetSession { pool: pool(), session }).await.unwrap().unwrap();
        assert_eq!(stored.expires_at, at.plus(seconds(30 * DAY)));
    }

    async fn a_lost_answer_is_given_again_while_the_successor_is_unused(database) {
        let store = migrated(&database).await;
        begin(&store).await;
        assert!(is_rotated(&rotate(&store, "first", "lost", NOW).await));
        assert!(is_rotated(&rotate(&store, "first", "lost too", NOW.plus(seconds(20))).await));
        assert!(is_rotated(&rotate(&store, "first", "kept", NOW.plus(seconds(30))).await));
        assert_eq!(unused(&database).await, 1, "what was replaced is dead");
        assert!(is_rotated(&rotate(&store, "kept", "next", NOW.plus(seconds(31))).await));
    }

    /// The owner has one successor, and somebody else has requested the other. When the replaced one is
    /// presented, both lose access.
    async fn a_replaced_successor_that_is_presented_revokes_the_family(database) {
        let store = migrated(&database).await;
        let begun = begin(&store).await;
        assert!(is_rotated(&rotate(&store, "first", "owner's", NOW).await));
        assert!(is_rotated(&rotate(&store, "first", "thief's", NOW.plus(seconds(20))).await));
        let presented = rotate(&store, "owner's", "x", NOW.plus(seconds(21))).await;
        assert!(matches!(&presented, Rotation::Reused(session) if *session == begun.session), "{presented:?}");
        assert!(matches!(rotate(&store, "thief's", "y", NOW.plus(seconds(22))).await, Rotation::Unknown));
    }

    async fn a_token_used_after_the_grace_revokes_the_family(database) {
        let store = migrated(&database).await;
        let begun = begin(&store).await;
        let other = log_in(&store, login(openid(APP, "o1"), None).with_refresh_token(hash("other device"))).await;
        assert!(is_rotated(&rotate(&store, "first", "second", NOW).await));
        assert!(is_rotated(&rotate(&store, "first", "third", NOW.plus(seconds(29))).await));
        let late = NOW.plus(seconds(30)).plus(std::time::Duration::from_millis(1));
        let reused = rotate(&store, "first", "fourth", late).await;
        assert!(matches!(&reused, Rotation::Reused(session) if *session == begun.session), "{reused:?}");
        assert!(matches!(rotate(&store, "third", "fifth", late).await, Rotation::Unknown));
        assert!(store.read(GetSession { pool: pool(), session: begun.session }).await.unwrap().is_none());
        assert!(store.read(GetSession { pool: pool(), session: other.session }).await.unwrap().is_some());
        assert!(is_rotated(&rotate(&store, "other device", "sixth", late).await), "another login is another family");
    }

    async fn a_token_used_again_after_its_successor_revokes_the_family(database) {
        let store = migrated(&database).await;
        let begun = begin(&store).await;
        assert!(is_rotated(&rotate(&store, "first", "second", NOW).await));
        assert!(is_rotated(&rotate(&store, "second", "third", NOW.plus(seconds(1))).await));
        assert!(matches!(rotate(&store, "first", "x", NOW.plus(seconds(2))).await, Rotation::Reused(_)));
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM refresh_tokens").await, 0);
        assert!(store.read(GetSession { pool: pool(), session: begun.session }).await.unwrap().is_none());
    }

    async fn what_is_not_the_callers_or_is_over_is_unknown(database) {
        let store = migrated(&database).await;
        let begun = begin(&store).await;
        let unknown = async |rotate: Rotate| matches!(store.write(rotate).await.unwrap(), Rotation::Unknown);
        let foreign = ApplicationId::parse("6560c0ffee0000000000000a").unwrap();
        assert!(unknown(Rotate { application: foreign.clone(), ..rotation("first", "x", NOW) }).await);
        assert!(unknown(Rotate { pool: other_pool(), ..rotation("first", "x", NOW) }).await);
        assert!(unknown(rotation("never issued", "x", NOW)).await);
        assert!(unknown(rotation("first", "x", NOW.plus(seconds(30 * DAY)))).await, "expired");
        let revoke = RevokeToken { application: foreign, ..revocation() };
        assert_eq!(store.write(revoke).await.unwrap(), None);
        assert!(is_rotated(&rotate(&store, "first", "second", NOW).await), "none of this did harm");

        let status = |status| SetStatus { pool: pool(), user: begun.user.id.clone(), status, trace: trace(NOW) };
        assert!(store.write(status(UserStatus::Suspended)).await.unwrap());
        assert!(unknown(rotation("second", "x", NOW)).await);
        assert!(store.write(status(UserStatus::Activated)).await.unwrap());
        assert!(unknown(rotation("second", "x", NOW)).await, "the session has ended");
    }

    async fn a_session_that_is_over_renews_nothing(database) {
        let store = migrated(&database).await;
        let mut short = login(openid(APP, "o1"), None).with_refresh_token(hash("first"));
        short.plan.session.expires_at = NOW.plus(seconds(60));
        log_in(&store, short).await;
        assert!(matches!(rotate(&store, "first", "x", NOW.plus(seconds(60))).await, Rotation::Unknown));
        assert!(is_rotated(&rotate(&store, "first", "second", NOW.plus(seconds(59))).await));
    }

    async fn a_token_can_be_revoked(database) {
        let store = migrated(&database).await;
        let begun = begin(&store).await;
        let revoke = revocation;
        assert_eq!(store.write(revoke()).await.unwrap(), Some(begun.session.clone()));
        assert!(store.read(GetSession { pool: pool(), session: begun.session }).await.unwrap().is_none());
        assert!(matches!(rotate(&store, "first", "x", NOW).await, Rotation::Unknown));
        assert_eq!(store.write(revoke()).await.unwrap(), None);
    }

    /// The second rotation sees the first, and only its successor remains valid.
    async fn two_rotations_of_one_token_leave_one_successor(database) {
        let store = migrated(&database).await;
        begin(&store).await;
        let (first, second) = race(&database, &store, rotation("first", "a", NOW), rotation("first", "b", NOW)).await;
        assert!(is_rotated(&first) && is_rotated(&second));
        assert_eq!(unused(&database).await, 1);
        assert!(is_rotated(&rotate(&store, "b", "y", NOW).await));
        assert!(matches!(rotate(&store, "a", "x", NOW).await, Rotation::Reused(_)));
    }

    /// The predecessor is presented again while the successor is being used. Only one of the two clients can
    /// be the owner.
    async fn a_used_token_that_comes_while_its_successor_is_used_revokes_the_family(database) {
        let store = migrated(&database).await;
        begin(&store).await;
        assert!(is_rotated(&rotate(&store, "first", "second", NOW).await));
        let (used, again) = race(&database, &store, rotation("second", "a", NOW), rotation("first", "b", NOW)).await;
        assert!(is_rotated(&used));
        assert!(matches!(again, Rotation::Reused(_)), "{again:?}");
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM refresh_tokens").await, 0);
    }

    /// The same in the opposite order.
    async fn a_successor_that_comes_while_it_is_replaced_revokes_the_family(database) {
        let store = migrated(&database).await;
        begin(&store).await;
        assert!(is_rotated(&rotate(&store, "first", "second", NOW).await));
        let (again, used) = race(&database, &store, rotation("first", "a", NOW), rotation("second", "b", NOW)).await;
        assert!(is_rotated(&again));
        assert!(matches!(used, Rotation::Reused(_)), "{used:?}");
        assert_eq!(unused(&database).await, 0);
    }

    async fn many_rotations_at_once_never_leave_two_families(database) {
        let store = migrated(&database).await;
        begin(&store).await;
        let rotations = (0..40).map(|n| {
            let (store, rotation) = (store.clone(), rotation("first", &format!("s{n}"), NOW));
            tokio::spawn(async move { store.write(rotation).await })
        });
        for outcome in futures::future::join_all(rotations).await {
            let rotation = outcome.unwrap().unwrap();
            assert!(is_rotated(&rotation), "{rotation:?}");
        }
        assert_eq!(unused(&database).await, 1);
    }

    /// However often its token is refreshed, a session ends: at the latest so long after the login, and so long
    /// after its last use.
    async fn a_session_with_a_refresh_token_ends(database) {
        let store = migrated(&database).await;
        begin(&store).await;
        let rules = SessionRules { idle: seconds(10 * DAY), life: seconds(25 * DAY) };
        let rotate = async |presented: &str, successor: &str, day: u64| {
            let rotate = Rotate { rules, ..rotation(presented, successor, NOW.plus(seconds(day * DAY))) };
            store.write(rotate).await.unwrap()
        };
        assert!(matches!(rotate("first", "x", 10).await, Rotation::Unknown), "not used for ten days");
        let Rotation::Rotated { session, .. } = rotate("first", "second", 9).await else { panic!("not rotated") };
        assert!(is_rotated(&rotate("second", "third", 18).await));
        let stored = store.read(GetSession { pool: pool(), session }).await.unwrap().unwrap();
        assert_eq!(stored.expires_at, NOW.plus(seconds(90 * DAY)), "nothing extends it past its life, nor shortens it");
        assert!(is_rotated(&rotate("third", "fourth", 24).await));
        let expiry = "SELECT MAX(expires_at) FROM refresh_tokens WHERE used_at IS NULL";
        assert_eq!(raw::number(&database, expiry).await, NOW.plus(seconds(25 * DAY)).0, "nor does a token outlive it");
        assert!(matches!(rotate("fourth", "fifth", 25).await, Rotation::Unknown), "its life is over");
    }

    /// A refresh, a reuse and a revocation are in the audit log, for the account.
    async fn what_happens_to_tokens_is_recorded(database) {
        let store = migrated(&database).await;
        let user = begin(&store).await.user.id;
        assert!(is_rotated(&rotate(&store, "first", "second", NOW).await));
        assert!(matches!(rotate(&store, "first", "x", NOW.plus(seconds(31))).await, Rotation::Reused(_)));
        begin(&store).await;
        store.write(revocation()).await.unwrap();
        let recorded = "SELECT action, user_id, actor_kind FROM audit_events
            WHERE action LIKE 'token.%' OR action = 'logout' ORDER BY at, id";
        let by = |action: &str| vec![action.to_owned(), user.to_string(), "user".to_owned()];
        let mut found = raw::texts(&database, recorded).await;
        found.sort();
        assert_eq!(found, [by("logout"), by("token.refreshed"), by("token.reused"), by("token.revoked")]);
    }

    async fn ended_tokens_are_swept(database) {
        unit! { Write Sweep { now: Timestamp } -> u64, |this, tx| refresh_tokens::sweep(tx, this.now).await }
        let store = migrated(&database).await;
        begin(&store).await;
        let end = NOW.plus(seconds(30 * DAY));
        assert_eq!(store.write(Sweep { now: end }).await.unwrap(), 0);
        assert_eq!(store.write(Sweep { now: end.plus(seconds(1)) }).await.unwrap(), 1);
    }
}

/// Runs `second` after `first` has done its work and before it commits.
async fn race(database: &TestDatabase, store: &Store, first: Rotate, second: Rotate) -> (Rotation, Rotation) {
    let (first, hold) = Held::new(first);
    let first = tokio::spawn({
        let store = store.clone();
        async move { store.write(first).await.unwrap() }
    });
    hold.until_worked();
    let second = tokio::spawn({
        let store = store.clone();
        async move { store.write(second).await.unwrap() }
    });
    raw::until_blocked(database, &second).await;
    hold.release();
    (first.await.unwrap(), second.await.unwrap())
}
