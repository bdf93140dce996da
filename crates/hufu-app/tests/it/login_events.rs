//! What a login writes to the audit log and for webhooks: either together with the login, or not at all.

use std::sync::Arc;

use hufu_app::events::Subscriber;
use hufu_app::login::{Login, LoginOutcome};
use hufu_app::people::identities::{Bind, BindOutcome};
use hufu_store::audit::{AuditEvent, AuditFilter, ListEvents};
use hufu_store::{Store, StoreError};
use hufu_testkit::raw;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::resolution::PhoneUse;
use hufu_types::{Action, WebhookId};
use serde_json::Value as Json;

use crate::support::{
    APP, NOW, OTHER_APP, Variant as _, application, arrival, connection, log_in, login, migrated, openid,
    phone, pool, recent, seconds, trace, unionid, unit,
};

unit! {
    Write RolledBack { login: Login } -> (), |this, tx| {
        let outcome = this.login.run(tx).await?;
        assert!(matches!(outcome, LoginOutcome::LoggedIn(_)));
        Err(StoreError::Corrupt { column: "as the test wants" })
    }
}

/// The audit log, oldest first.
async fn events(store: &Store) -> Vec<AuditEvent> {
    let all = ListEvents { pool: pool(), filter: AuditFilter::default(), before: None, limit: 100 };
    let mut events = store.read(all).await.unwrap();
    events.reverse();
    events
}

/// The actions recorded after the first `before` entries, oldest first.
async fn actions_after(store: &Store, before: usize) -> Vec<String> {
    events(store).await.into_iter().skip(before).map(|event| event.action).collect()
}

async fn count(database: &TestDatabase, table: &str) -> i64 {
    raw::number(database, &format!("SELECT COUNT(*) FROM {table}")).await
}

/// A login to whose events these webhooks subscribe.
fn watched(login: Login, wanted: &[(&str, &[Action])]) -> Login {
    let mut login = login;
    login.plan.trace.subscribers = wanted
        .iter()
        .map(|(id, actions)| Subscriber {
            webhook: WebhookId::parse(id).unwrap(),
            actions: actions.iter().copied().map(Into::into).collect(),
        })
        .collect::<Arc<[_]>>();
    login
}

on_both_engines! {
    async fn a_login_says_who_came_from_where_and_through_what(database) {
        let store = migrated(&database).await;
        let done = log_in(&store, login(openid(APP, "o1"), Some(unionid("u1")))).await;
        let found = events(&store).await;
        let actions: Vec<_> = found.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(actions, ["user.created", "login"]);
        for event in &found {
            assert_eq!((event.code, event.at), (0, NOW));
            assert_eq!((event.actor_kind.as_str(), event.actor_id.as_deref()), ("user", Some(done.user.id.as_str())));
            assert_eq!(event.user.as_deref(), Some(done.user.id.as_str()));
            assert_eq!(event.application.as_deref(), Some(application().as_str()));
            assert_eq!(event.connection.as_deref(), Some(connection().as_str()));
            assert_eq!((event.ip.as_deref(), event.user_agent.as_deref()), (Some("203.0.113.9"), Some("a test")));
            assert_eq!(event.details["by"], "wechat:miniprogram:default");
        }
        assert_eq!(found[1].details["session"], done.session.as_str());
    }

    async fn each_deed_of_a_login_stands_for_itself(database) {
        let store = migrated(&database).await;
        log_in(&store, login(openid(APP, "o1"), Some(unionid("u1")))).await;
        log_in(&store, login(openid(APP, "o1"), None).at(NOW.plus(seconds(1)))).await;
        assert_eq!(actions_after(&store, 2).await, ["login"], "who comes again is only logged in");
        log_in(&store, login(openid(OTHER_APP, "x1"), Some(unionid("u1"))).at(NOW.plus(seconds(2)))).await;
        assert_eq!(actions_after(&store, 3).await, ["identity.bound", "login"]);

        let other = log_in(&store, login(openid(APP, "o2"), None).at(NOW.plus(seconds(3)))).await.user.id;
        let both = log_in(&store, login(openid(APP, "o2"), Some(unionid("u1"))).at(NOW.plus(seconds(4)))).await;
        assert_eq!(both.user.id, other);
        assert_eq!(actions_after(&store, 7).await, ["identity.conflict", "login"]);
        let conflict = events(&store).await.swap_remove(7);
        assert_eq!(conflict.details["kind"], "openid_unionid");
        assert_eq!(conflict.user.as_deref(), Some(other.as_str()));

        let bind = Bind {
            pool: pool(),
            user: other,
            connection: connection(),
            proof: arrival(openid(OTHER_APP, "x2"), None),
            exchange: None,
            recent: recent(),
            trace: trace(NOW.plus(seconds(5))),
        };
        assert_eq!(store.write(bind).await.unwrap(), BindOutcome::Bound);
        assert_eq!(actions_after(&store, 9).await, ["way_in.added", "identity.bound"]);
        let bound: Vec<_> = events(&store).await.into_iter().filter(|event| event.action == "identity.bound").collect();
        for event in bound {
            let after = serde_json::json!([{ "realm": format!("wechat:{OTHER_APP}"), "kind": "openid", "value": "x***" }]);
            assert_eq!(event.details["after"], after);
        }

        let log = raw::texts(&database, "SELECT details FROM audit_events").await.concat().concat();
        for id in ["o1", "o2", "x1", "x2", "u1"] {
            assert!(!log.contains(&format!("\"{id}\"")), "an id of WeChat stands in the log: {log}");
        }
    }

    /// An unverified number moves to the user who proves it. The audit log of both accounts shows why.
    async fn a_number_that_is_taken_is_told_of_the_account_that_had_it(database) {
        let store = migrated(&database).await;
        let lurker = log_in(&store, login(openid(APP, "o1"), None)).await.user.id;
        let number = phone(7);
        let put = format!(
            "UPDATE users SET phone = '{}', phone_proof = 'none' WHERE id = '{}'", number.as_str(), lurker.as_str()
        );
        raw::execute(&database, &put).await;
        let owner = login(openid(APP, "o2"), None).with_phone(number.clone(), PhoneUse::LogIn).at(NOW.plus(seconds(1)));
        let owner = log_in(&store, owner).await;
        assert!(owner.newly_created, "a number that nobody vouches for leads nowhere");
        assert_eq!(owner.user.vouched_phone(), Some(&number));
        let found = events(&store).await.split_off(2);
        let logged: Vec<_> = found.iter().map(|event| (event.action.as_str(), event.user.as_deref())).collect();
        let (lurker, owner) = (Some(lurker.as_str()), Some(owner.user.id.as_str()));
        assert_eq!(logged, [("phone.unbound", lurker), ("user.created", owner), ("login", owner)]);
    }

    async fn a_login_that_is_rolled_back_leaves_nothing(database) {
        let store = migrated(&database).await;
        log_in(&store, login(openid(APP, "o1"), None)).await;
        let tables = ["users", "identities", "sessions", "identity_conflicts", "audit_events", "webhook_deliveries", "jobs"];
        let mut before = Vec::new();
        for table in tables {
            before.push(count(&database, table).await);
        }
        for arrival in [login(openid(APP, "o2"), Some(unionid("u2"))), login(openid(APP, "o1"), Some(unionid("u1")))] {
            let login = watched(arrival, &[("all", &[])]);
            store.write(RolledBack { login }).await.unwrap_err();
        }
        for (table, before) in tables.into_iter().zip(before) {
            assert_eq!(count(&database, table).await, before, "{table}");
        }
    }

    async fn webhooks_hear_of_what_they_want_to_know_and_nobody_else_does(database) {
        let store = migrated(&database).await;
        log_in(&store, login(openid(APP, "o1"), None)).await;
        assert_eq!((count(&database, "webhook_deliveries").await, count(&database, "jobs").await), (0, 0));

        let wanted: [(&str, &[Action]); 3] =
            [("all", &[]), ("logins", &[Action::Login]), ("merges", &[Action::UsersMerged])];
        let done = log_in(&store, watched(login(openid(APP, "o2"), None), &wanted)).await;
        let mut heard = raw::texts(&database, "SELECT webhook_id, action FROM webhook_deliveries ORDER BY id").await;
        heard.sort();
        assert_eq!(heard, [["all", "login"], ["all", "user.created"], ["logins", "login"]]);
        let delivered = "SELECT COUNT(*) FROM webhook_deliveries d JOIN jobs j ON j.id = d.id AND j.pool_id = d.pool_id
            JOIN audit_events e ON e.pool_id = d.pool_id AND e.id = d.event_id AND e.action = d.action
            WHERE d.state = 'pending' AND j.kind = 'webhook'";
        assert_eq!(raw::number(&database, delivered).await, 3, "each is of its event, and a job sends it");
        assert_eq!(count(&database, "jobs").await, 3);

        let bodies = raw::texts(&database, "SELECT body FROM webhook_deliveries WHERE webhook_id = 'logins'").await;
        let body: Json = serde_json::from_str(&bodies[0][0]).unwrap();
        assert_eq!((&body["type"], &body["data"]["userId"]), (&"login".into(), &done.user.id.as_str().into()));
        assert!(body["id"].is_string() && body["time"].is_string() && body["poolId"] == pool().as_str());
    }
}
