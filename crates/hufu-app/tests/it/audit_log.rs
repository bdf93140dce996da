//! The audit log: writing entries together with changes, and finding them.

use std::sync::Arc;

use hufu_app::events::{Actor, Event, Trace};
use hufu_store::audit::{AuditFilter, DeleteEvents, GetEvent, ListEvents, Outcome};
use hufu_store::{Store, StoreError, all_statements};
use hufu_testkit::raw;
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::{
    Action, ActorKind, ApplicationId, ConnectionId, EventId, PoolId, SystemRandom, Timestamp, UserId,
};
use serde_json::json;

use crate::support::{NOW, migrated, other_pool, pool, seconds, unit};

unit! { Write Record { pool: PoolId, trace: Trace, action: Action, code: u32, user: Option<UserId>, fail: bool } -> (),
    |this, tx| {
        let details = json!({ "before": { "name": "A" }, "after": { "name": "B" } });
        let event = Event { action: this.action, code: this.code, user: this.user.as_ref(), details };
        this.trace.recorder().record(tx, &this.pool, event).await?;
        if this.fail { Err(StoreError::Stopped) } else { Ok(()) }
    }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn trace(at: Timestamp) -> Trace {
    Trace {
        actor: None,
        application: Some(ApplicationId::parse("app").unwrap()),
        connection: Some(ConnectionId::parse("mini").unwrap()),
        ip: Some("203.0.113.9".to_owned()),
        user_agent: Some("phone".to_owned()),
        request_id: Some("request".to_owned()),
        at,
        first: EventId::generate(at, &SystemRandom),
        subscribers: Arc::default(),
    }
}

fn login(at: Timestamp, name: &str) -> Record {
    Record {
        pool: pool(),
        trace: trace(at),
        action: Action::Login,
        code: 0,
        user: Some(user(name)),
        fail: false,
    }
}

/// The times of the entries that a filter finds, in seconds after [`NOW`].
async fn found(store: &Store, filter: AuditFilter) -> Vec<i64> {
    let events = store.read(ListEvents { pool: pool(), filter, before: None, limit: 100 }).await.unwrap();
    events.iter().map(|event| (event.at.0 - NOW.0) / 1000).collect()
}

on_both_engines! {
    async fn an_entry_says_who_what_from_where_and_through_what(database) {
        let store = migrated(&database).await;
        let unit = login(NOW, "alice");
        let id = unit.trace.first.clone();
        store.write(unit).await.unwrap();
        let event = store.read(GetEvent(pool(), id.clone())).await.unwrap().unwrap();
        assert_eq!((event.id, event.at, event.action.as_str(), event.code), (id.clone(), NOW, "login", 0));
        assert_eq!((event.actor_kind.as_str(), event.actor_id.as_deref()), ("user", Some("alice")));
        assert_eq!((event.user.as_deref(), event.application.as_deref()), (Some("alice"), Some("app")));
        assert_eq!((event.connection.as_deref(), event.ip.as_deref()), (Some("mini"), Some("203.0.113.9")));
        assert_eq!((event.user_agent.as_deref(), event.request_id.as_deref()), (Some("phone"), Some("request")));
        assert_eq!(event.details["after"]["name"], "B");

        assert!(store.read(GetEvent(other_pool(), id)).await.unwrap().is_none(), "it is of its pool alone");
    }

    async fn an_entry_goes_with_the_deed_that_is_rolled_back(database) {
        let store = migrated(&database).await;
        store.write(Record { fail: true, ..login(NOW, "alice") }).await.unwrap_err();
        assert!(found(&store, AuditFilter::default()).await.is_empty());
    }

    async fn every_filter_finds_its_own(database) {
        let store = migrated(&database).await;
        let at = |n: u64| NOW.plus(seconds(n));
        let write = async |unit: Record| store.write(unit).await.unwrap();
        write(login(at(1), "alice")).await;
        write(login(at(2), "bob")).await;
        write(Record { action: Action::PhoneBound, ..login(at(3), "alice") }).await;
        write(Record { code: 2005, ..login(at(4), "alice") }).await;
        let mut by_key = login(at(5), "alice");
        by_key.action = Action::UserDisabled;
        by_key.trace.actor = Some(Actor { kind: ActorKind::AccessKey, id: Some("key".to_owned()) });
        by_key.trace.application = None;
        by_key.trace.connection = Some(ConnectionId::own());
        by_key.trace.ip = Some("2001:db8::1".to_owned());
        write(by_key).await;
        write(Record { user: None, code: 2404, ..login(at(6), "x") }).await;
        write(Record { pool: other_pool(), ..login(at(7), "alice") }).await;

        let any = AuditFilter::default;
        let alice = || AuditFilter { user: Some(user("alice")), ..any() };
        for (filter, expected) in [
            (any(), vec![6, 5, 4, 3, 2, 1]),
            (alice(), vec![5, 4, 3, 1]),
            (AuditFilter { user: Some(user("nobody")), ..any() }, vec![]),
            (AuditFilter { actions: vec![Action::Login], ..any() }, vec![6, 4, 2, 1]),
            (AuditFilter { actions: vec![Action::PhoneBound, Action::UserDisabled], ..any() }, vec![5, 3]),
            (AuditFilter { actions: vec![Action::Logout], ..any() }, vec![]),
            (AuditFilter { actor: Some("key".to_owned()), ..any() }, vec![5]),
            (AuditFilter { actor: Some("bob".to_owned()), ..any() }, vec![2]),
            (AuditFilter { application: Some(ApplicationId::parse("app").unwrap()), ..any() }, vec![6, 4, 3, 2, 1]),
            (AuditFilter { connection: Some(ConnectionId::own()), ..any() }, vec![5]),
            (AuditFilter { ip: Some("2001:db8::1".to_owned()), ..any() }, vec![5]),
            (AuditFilter { outcome: Some(Outcome::Done), ..any() }, vec![5, 3, 2, 1]),
            (AuditFilter { outcome: Some(Outcome::Refused), ..any() }, vec![6, 4]),
            (AuditFilter { outcome: Some(Outcome::Code(2005)), ..any() }, vec![4]),
            (AuditFilter { from: Some(at(3)), ..any() }, vec![6, 5, 4, 3]),
            (AuditFilter { to: Some(at(3)), ..any() }, vec![2, 1]),
            (AuditFilter { from: Some(at(2)), to: Some(at(4)), ..any() }, vec![3, 2]),
            (AuditFilter { from: Some(Timestamp(i64::MIN)), to: Some(Timestamp(i64::MAX)), ..any() }, vec![6, 5, 4, 3, 2, 1]),
            (AuditFilter { from: Some(at(2)), to: Some(at(5)), ..alice() }, vec![4, 3]),
            (AuditFilter { actions: vec![Action::Login], outcome: Some(Outcome::Done), ..alice() }, vec![1]),
            (AuditFilter { actor: Some("key".to_owned()), ip: Some("2001:db8::1".to_owned()), ..alice() }, vec![5]),
        ] {
            assert_eq!(found(&store, filter.clone()).await, expected, "{filter:?}");
        }
    }

    async fn pages_follow_one_another_without_gap_or_overlap(database) {
        let store = migrated(&database).await;
        for n in 0..10 {
            // Several entries have the same time.
            store.write(login(NOW.plus(seconds(n / 4)), if n % 2 == 0 { "alice" } else { "bob" })).await.unwrap();
        }
        for (filter, all) in [
            (AuditFilter::default(), 10),
            (AuditFilter { user: Some(user("alice")), ..AuditFilter::default() }, 5),
        ] {
            let mut ids: Vec<EventId> = Vec::new();
            loop {
                let list = ListEvents { pool: pool(), filter: filter.clone(), before: ids.last().cloned(), limit: 3 };
                let page = store.read(list).await.unwrap();
                if page.is_empty() { break }
                ids.extend(page.into_iter().map(|event| event.id));
            }
            assert_eq!(ids.len(), all);
            assert!(ids.is_sorted_by(|a, b| a > b));
        }
    }

    async fn the_oldest_are_forgotten_in_bounded_steps(database) {
        let store = migrated(&database).await;
        for n in 0..5 {
            store.write(login(NOW.plus(seconds(n)), "alice")).await.unwrap();
        }
        store.write(Record { pool: other_pool(), ..login(NOW, "alice") }).await.unwrap();
        let forget = |before: u64, limit| DeleteEvents { pool: pool(), before: NOW.plus(seconds(before)), limit };
        assert_eq!(store.write(forget(0, 10)).await.unwrap(), 0);
        assert_eq!(store.write(forget(3, 2)).await.unwrap(), 2);
        assert_eq!(found(&store, AuditFilter::default()).await, [4, 3, 2]);
        assert_eq!(store.write(forget(3, 2)).await.unwrap(), 1);
        assert_eq!(store.write(forget(3, 2)).await.unwrap(), 0);
        assert_eq!(found(&store, AuditFilter::default()).await, [4, 3]);
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM audit_events").await, 3, "another pool's stays");
    }
}

/// Queries by time or user use an index, however many entries there are.
#[tokio::test]
async fn time_and_user_are_found_by_an_index() {
    let database = TestDatabase::sqlite();
    migrated(&database).await.close().await;
    let connection = raw::sqlite(&database);
    for (start, ending, expected) in [
        ("FROM audit_events", "$11", "USING PRIMARY KEY (pool_id=? AND id>? AND id<?)"),
        ("FROM audit_events", "user_id = $13", "USING INDEX audit_events_user (user_id=? AND id>? AND id<?)"),
        (
            "FROM webhook_deliveries",
            "state = $4",
            "USING INDEX webhook_deliveries_webhook (webhook_id=? AND id<?)",
        ),
        (
            "FROM webhook_deliveries",
            "state = 'failed'",
            "USING INDEX webhook_deliveries_failed (webhook_id=? AND id<?)",
        ),
    ] {
        let wanted = |sql: &&str| {
            sql.contains(start)
                && sql.contains(ending)
                && sql.contains("DESC")
                && (ending != "$11" || !sql.contains("$13"))
        };
        let statements = all_statements();
        let sql = statements.iter().map(|(_, sql)| *sql).find(wanted).unwrap_or_else(|| panic!("{ending}"));
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = plan.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get::<_, String>(3).unwrap());
        }
        assert!(steps.len() == 1 && steps[0].contains(expected), "{steps:?}\n{sql}");
    }
}
