//! Races between logins: one person becomes one user, and no concurrent change is lost.

use std::collections::HashSet;

use hufu_app::login::LoginOutcome;
use hufu_app::people::identities::{Bind, BindOutcome};
use hufu_app::people::status::SetStatus;
use hufu_store::users;
use hufu_testkit::on_both_engines;
use hufu_testkit::raw;
use hufu_types::resolution::PhoneUse;
use hufu_types::{UserId, UserStatus};

use crate::support::{
    APP, Held, NOW, OTHER_APP, Variant as _, arrival, connection, log_in, login, migrated, openid, phone,
    pool, recent, trace, unionid, unit,
};

unit! {
    Write Change { user: UserId, nickname: Option<&'static str>, city: Option<&'static str> } -> (), |this, tx| {
        let mut user = users::get_locked(tx, &pool(), &this.user).await?.unwrap();
        let profile = &mut user.profile;
        profile.nickname = this.nickname.map(str::to_owned).or(profile.nickname.take());
        profile.city = this.city.map(str::to_owned).or(profile.city.take());
        users::set_profile(tx, &mut user, NOW).await.map(drop)
    }
}

on_both_engines! {
    async fn fifty_first_logins_of_one_person_make_one_user(database) {
        let store = migrated(&database).await;
        for round in 0..5 {
            let union = format!("u{round}");
            let arrivals = (0..50).map(|n| {
                let app = if n % 2 == 0 { APP } else { OTHER_APP };
                let (store, arrival) = (store.clone(), login(openid(app, &format!("o{round}")), Some(unionid(&union))));
                tokio::spawn(async move { log_in(&store, arrival).await })
            });
            let done: Vec<_> = futures::future::join_all(arrivals).await.into_iter().map(Result::unwrap).collect();
            let users: HashSet<_> = done.iter().map(|d| d.user.id.clone()).collect();
            assert_eq!(users.len(), 1);
            assert_eq!(done.iter().filter(|d| d.newly_created).count(), 1);
        }
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM users").await, 5);
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM identities").await, 15);
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM identity_conflicts").await, 0);
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM users WHERE logins_count = 50").await, 5);
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM sessions").await, 250);
    }

    async fn a_thousand_logins_of_a_hundred_people_make_a_hundred_users(database) {
        let store = migrated(&database).await;
        let arrivals = (0..1000).map(|n| {
            let person = n % 100;
            let app = if n % 3 == 0 { APP } else { OTHER_APP };
            let arrival = login(openid(app, &format!("o{person}")), Some(unionid(&format!("u{person}"))))
                .with_phone(phone(person), PhoneUse::Fill);
            let store = store.clone();
            tokio::spawn(async move { (person, log_in(&store, arrival).await.user) })
        });
        let done = futures::future::join_all(arrivals).await;
        let pairs: HashSet<_> = done.into_iter().map(Result::unwrap).map(|(person, user)| (person, user.id)).collect();
        assert_eq!(pairs.len(), 100);
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM users WHERE logins_count = 10").await, 100);
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM users WHERE phone IS NOT NULL").await, 100);
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM identities").await, 300);
    }

    /// Two people bring the same phone number in parallel. One of them gets it.
    async fn a_phone_goes_to_one_of_two_who_race_for_it(database) {
        let store = migrated(&database).await;
        let arrivals = (0..20).map(|n| {
            let arrival = login(openid(APP, &format!("o{n}")), None).with_phone(phone(n / 2), PhoneUse::Fill);
            let store = store.clone();
            tokio::spawn(async move { log_in(&store, arrival).await })
        });
        for done in futures::future::join_all(arrivals).await {
            assert!(done.unwrap().newly_created);
        }
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM users WHERE phone IS NOT NULL").await, 10);
    }

    /// Many people prove one number in parallel, for example a family's. Only one of them is bound to its
    /// account.
    async fn of_ten_who_prove_one_number_at_once_one_is_joined_to_its_account(database) {
        let store = migrated(&database).await;
        for round in 0..8 {
            let owner = login(openid(OTHER_APP, &format!("o{round}")), None).with_phone(phone(round), PhoneUse::LogIn);
            let owner = log_in(&store, owner).await.user.id;
            let arrivals = (0..10).map(|n| {
                let ids = login(openid(APP, &format!("o{round}-{n}")), Some(unionid(&format!("u{round}-{n}"))));
                let (store, arrival) = (store.clone(), ids.with_phone(phone(round), PhoneUse::LogIn));
                tokio::spawn(async move { log_in(&store, arrival).await })
            });
            let done: Vec<_> = futures::future::join_all(arrivals).await.into_iter().map(Result::unwrap).collect();
            assert!(done.iter().all(|d| d.user.id == owner), "the number leads all of them there");
            assert_eq!(done.iter().filter(|d| d.conflict.is_none()).count(), 1);
            let identities = store.read(users::GetUserWithIdentities { pool: pool(), user: owner }).await.unwrap();
            assert_eq!(identities.unwrap().1.len(), 3, "its own, and the two ids of one of the ten");
        }
    }

    async fn of_two_binds_at_once_one_wins(database) {
        let store = migrated(&database).await;
        for round in 0..8 {
            let user = log_in(&store, login(openid(OTHER_APP, &format!("o{round}")), None)).await.user.id;
            let binds = (0..4).map(|n| {
                let proof = arrival(openid(APP, &format!("x{round}-{n}")), None);
                let (user, connection) = (user.clone(), connection());
                let bind = Bind { pool: pool(), user, connection, proof, exchange: None, recent: recent(), trace: trace(NOW) };
                tokio::spawn({ let store = store.clone(); async move { store.write(bind).await.unwrap() } })
            });
            let done: Vec<_> = futures::future::join_all(binds).await.into_iter().map(Result::unwrap).collect();
            let count = |outcome| done.iter().filter(|done| **done == outcome).count();
            assert_eq!((count(BindOutcome::Bound), count(BindOutcome::HasAnother)), (1, 3), "{done:?}");

            // The same id is bound to two accounts in parallel. It leads to one of them.
            let other = log_in(&store, login(openid(OTHER_APP, &format!("p{round}")), None)).await.user.id;
            let third = log_in(&store, login(openid(OTHER_APP, &format!("q{round}")), None)).await.user.id;
            let binds = [other, third].map(|user| {
                let proof = arrival(openid(APP, &format!("y{round}")), None);
                let connection = connection();
                let bind = Bind { pool: pool(), user, connection, proof, exchange: None, recent: recent(), trace: trace(NOW) };
                tokio::spawn({ let store = store.clone(); async move { store.write(bind).await.unwrap() } })
            });
            let mut done: Vec<_> = futures::future::join_all(binds).await.into_iter().map(Result::unwrap).collect();
            done.sort_by_key(|outcome| *outcome == BindOutcome::TakenByAnother);
            assert_eq!(done, [BindOutcome::Bound, BindOutcome::TakenByAnother]);
        }
    }

    /// Filling an empty nickname never overwrites one that was written a moment earlier.
    async fn a_login_that_fills_a_profile_loses_no_change_of_another(database) {
        let store = migrated(&database).await;
        let user = log_in(&store, login(openid(APP, "o1"), None)).await.user.id;
        let (rename, hold) = Held::new(Change { user: user.clone(), nickname: Some("Bob"), city: None });
        let renaming = tokio::spawn({ let store = store.clone(); async move { store.write(rename).await } });
        hold.until_worked();

        let mut filling = login(openid(APP, "o1"), None);
        filling.resolver.proof.profile.nickname = Some("WeChat name".to_owned());
        filling.resolver.proof.profile.photo = Some("https://thirdwx.qlogo.cn/1".to_owned());
        let filling = tokio::spawn({ let store = store.clone(); async move { log_in(&store, filling).await } });
        raw::until_blocked(&database, &filling).await;
        hold.release();
        renaming.await.unwrap().unwrap();
        let filled = filling.await.unwrap().user;
        assert_eq!(filled.profile.nickname.as_deref(), Some("Bob"));
        assert!(filled.profile.photo.is_some());
        let stored = store.read(users::GetUser { pool: pool(), user }).await.unwrap().unwrap();
        assert_eq!(stored, filled);
    }

    async fn of_two_changes_of_one_profile_none_is_lost(database) {
        let store = migrated(&database).await;
        let user = log_in(&store, login(openid(APP, "o1"), None)).await.user.id;
        let (first, hold) = Held::new(Change { user: user.clone(), nickname: Some("Bob"), city: None });
        let first = tokio::spawn({ let store = store.clone(); async move { store.write(first).await } });
        hold.until_worked();
        let second = Change { user: user.clone(), nickname: None, city: Some("Shenzhen") };
        let second = tokio::spawn({ let store = store.clone(); async move { store.write(second).await } });
        raw::until_blocked(&database, &second).await;
        hold.release();
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
        let profile = store.read(users::GetUser { pool: pool(), user }).await.unwrap().unwrap().profile;
        assert_eq!((profile.nickname.as_deref(), profile.city.as_deref()), (Some("Bob"), Some("Shenzhen")));
    }

    /// An account is disabled while its user logs in. Whichever comes second sees the first.
    async fn a_login_that_waits_for_a_disabling_is_refused(database) {
        let store = migrated(&database).await;
        let user = log_in(&store, login(openid(APP, "o1"), None)).await.user.id;
        let disabling = SetStatus { pool: pool(), user, status: UserStatus::Suspended, trace: trace(NOW) };
        let (disabling, hold) = Held::new(disabling);
        let disabling = tokio::spawn({ let store = store.clone(); async move { store.write(disabling).await } });
        hold.until_worked();
        let arrival = login(openid(APP, "o1"), None);
        let arriving = tokio::spawn({ let store = store.clone(); async move { store.write(arrival).await } });
        raw::until_blocked(&database, &arriving).await;
        hold.release();
        assert!(disabling.await.unwrap().unwrap());
        assert!(matches!(arriving.await.unwrap().unwrap(), LoginOutcome::Disabled));
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM sessions").await, 0);
    }
}
