//! Webhooks and deliveries.

use std::sync::Arc;

use hufu_app::events::{Event, Subscriber, Trace};
use hufu_app::webhooks::{
    CreateWebhook, DeleteWebhook, Ping, RecordAttempt, Replay, ReplayFailed, Replayed, UpdateWebhook,
    WebhookUpdate,
};
use hufu_store::config::ReadConfig;
use hufu_store::deliveries::{
    self, Attempt, DeliveryState, GetDelivery, ListDeliveries, PING, ReadOutgoing, WEBHOOK_JOB,
};
use hufu_store::jobs::{Claim, Job};
use hufu_store::webhooks::{GetWebhook, ListWebhooks, Webhook};
use hufu_store::{Store, StoreError};
use hufu_testkit::on_both_engines;
use hufu_testkit::raw;
use hufu_types::{
    Action, DeliveryId, EventName, JobId, SystemRandom, TestRandom, Timestamp, UserId, WebhookId,
};
use serde_json::{Value as Json, json};

use crate::support::{NOW, migrated, other_pool, pool, seconds, unit};

unit! { Write Happens { trace: Trace, actions: Vec<Action>, fail: bool } -> (), |this, tx| {
    let alice = UserId::parse("alice").unwrap();
    let mut events = this.trace.recorder();
    for action in &this.actions {
        events.record(tx, &pool(), Event::of(*action, &alice).with(json!({ "by": "test" }))).await?;
    }
    if this.fail { Err(StoreError::Stopped) } else { Ok(()) }
} }
// Records an undo that was done, and one that was refused.
unit! { Write Undoes { trace: Trace } -> (), |this, tx| {
    let alice = UserId::parse("alice").unwrap();
    let mut events = this.trace.recorder();
    for code in [0, 2465] {
        let undone = Event { code, ..Event::of(Action::MergeUndone, &alice) };
        events.record(tx, &pool(), undone).await?;
    }
    Ok(())
} }
unit! { Write Sweep { before: Timestamp, limit: i64 } -> u64, |this, tx| deliveries::sweep(tx, this.before, this.limit).await }

fn webhook(id: &str) -> Webhook {
    Webhook {
        id: WebhookId::parse(id).unwrap(),
        name: "Shop".to_owned(),
        url: "https://shop.example.com/hook?token=geheim".to_owned(),
        actions: vec![Action::Login.into(), Action::UserCreated.into()],
        enabled: true,
        failures: 0,
        created_by: None,
        is_orphan: false,
        created_at: NOW,
        updated_at: NOW,
        revision: 1,
    }
}

fn trace() -> Trace {
    Trace::of_command(NOW, &SystemRandom)
}

fn create(webhook: Webhook) -> CreateWebhook {
    CreateWebhook { pool: pool(), webhook, secret: b"sealed".to_vec(), most: 3, trace: trace() }
}

fn update(id: &str, update: WebhookUpdate) -> UpdateWebhook {
    let mut trace = trace();
    trace.at = NOW.plus(seconds(1));
    UpdateWebhook { pool: pool(), id: WebhookId::parse(id).unwrap(), update, expected: None, trace }
}

async fn list(store: &Store) -> Vec<Webhook> {
    store.read(ListWebhooks { pool: pool(), after: String::new(), limit: 100 }).await.unwrap()
}

async fn version(store: &Store) -> i64 {
    store.read(ReadConfig).await.unwrap().version
}

/// Records events for the current subscribers.
async fn happen(store: &Store, at: Timestamp, actions: &[Action]) {
    store.write(happens(store, at, actions, false).await).await.unwrap();
}

async fn happens(store: &Store, at: Timestamp, actions: &[Action], fail: bool) -> Happens {
    let config = store.read(ReadConfig).await.unwrap();
    let subscribers: Vec<Subscriber> =
        config.subscribers.into_iter().map(|(_, subscriber)| subscriber).collect();
    let trace = Trace { subscribers: Arc::from(subscribers), ..Trace::of_command(at, &SystemRandom) };
    Happens { trace, actions: actions.to_vec(), fail }
}

async fn deliveries_of(store: &Store, id: &str, state: Option<DeliveryState>) -> Vec<deliveries::Delivery> {
    let webhook = WebhookId::parse(id).unwrap();
    store.read(ListDeliveries { pool: pool(), webhook, state, before: None, limit: 100 }).await.unwrap()
}

async fn take(store: &Store, now: Timestamp) -> Vec<Job> {
    let node = "node".to_owned();
    store
        .write(Claim { kind: WEBHOOK_JOB, now, until: now.plus(seconds(60)), node, limit: 100 })
        .await
        .unwrap()
}

fn attempt(id: &DeliveryId, state: DeliveryState) -> RecordAttempt {
    let next = (state == DeliveryState::Pending).then(|| NOW.plus(seconds(5)));
    let attempt = Attempt { sent: true, state, next, status: Some(500), response: "oh".to_owned() };
    RecordAttempt { pool: pool(), id: id.clone(), attempt, now: NOW.plus(seconds(1)) }
}

async fn details(database: &hufu_testkit::TestDatabase) -> Vec<Json> {
    let sql = "SELECT details FROM audit_events WHERE action = 'webhook.changed' ORDER BY id";
    raw::texts(database, sql).await.iter().map(|row| serde_json::from_str(&row[0]).unwrap()).collect()
}

on_both_engines! {
    /// A refused undo does not send the webhook of a done one: it is an event with a name of its own.
    async fn a_refused_action_is_another_event_than_a_done_one(database) {
        let store = migrated(&database).await;
        let refused = EventName::parse("users.merge_undone.refused").unwrap();
        for (id, actions) in [("all", vec![]), ("done", vec![Action::MergeUndone.into()]), ("refused", vec![refused])] {
            assert!(store.write(create(Webhook { actions: actions.clone(), ..webhook(id) })).await.unwrap());
            let read = store.read(GetWebhook(pool(), WebhookId::parse(id).unwrap())).await.unwrap().unwrap();
            assert_eq!(read.actions, actions);
        }
        let Happens { trace, .. } = happens(&store, NOW, &[], false).await;
        store.write(Undoes { trace }).await.unwrap();
        let mut heard = raw::texts(&database, "SELECT webhook_id, action FROM webhook_deliveries").await;
        heard.sort();
        let (done, refused) = ("users.merge_undone", "users.merge_undone.refused");
        assert_eq!(heard, [["all", done], ["all", refused], ["done", done], ["refused", refused]]);
        for body in raw::texts(&database, "SELECT body FROM webhook_deliveries").await {
            let body: Json = serde_json::from_str(&body[0]).unwrap();
            assert_eq!(body["type"] == refused, body["data"]["code"] == 2465, "{body}");
        }
    }

    async fn a_webhook_is_made_changed_and_deleted(database) {
        let store = migrated(&database).await;
        let before = version(&store).await;
        assert!(store.write(create(webhook("a"))).await.unwrap());
        assert_eq!(list(&store).await, [webhook("a")]);
        assert_eq!(version(&store).await, before + 1, "nodes look again");
        let subscribers = store.read(ReadConfig).await.unwrap().subscribers;
        let expected = Subscriber { webhook: webhook("a").id, actions: vec![Action::Login.into(), Action::UserCreated.into()] };
        assert_eq!(subscribers, [(pool(), expected)]);

        assert!(store.write(update("a", WebhookUpdate::default())).await.unwrap().unwrap().is_some());
        assert_eq!(version(&store).await, before + 1, "what changes nothing disturbs nobody");
        let off = WebhookUpdate { enabled: Some(false), actions: Some(vec![]), ..WebhookUpdate::default() };
        let changed = store.write(update("a", off)).await.unwrap().unwrap().unwrap();
        assert!(!changed.enabled && changed.actions.is_empty() && changed.updated_at > NOW);
        assert_eq!(store.read(GetWebhook(pool(), changed.id.clone())).await.unwrap(), Some(changed.clone()));
        assert_eq!(version(&store).await, before + 2);
        assert!(store.read(ReadConfig).await.unwrap().subscribers.is_empty());

        let delete = |pool| DeleteWebhook { pool, id: changed.id.clone(), expected: None, trace: trace() };
        assert!(!store.write(delete(other_pool())).await.unwrap().unwrap());
        assert!(store.write(delete(pool())).await.unwrap().unwrap());
        assert!(!store.write(delete(pool())).await.unwrap().unwrap());
        assert!(store.write(update("a", WebhookUpdate::default())).await.unwrap().unwrap().is_none());
        assert!(list(&store).await.is_empty());
        assert_eq!(version(&store).await, before + 3);

        let details = details(&database).await;
        assert_eq!(details.len(), 3, "each change has an entry: {details:?}");
        assert!(details.iter().any(|d| d["before"].is_null() && d["after"]["host"] == "https://shop.example.com"));
        assert!(!format!("{details:?}").contains("geheim"), "an address may hold a secret");
    }

    async fn a_pool_has_so_many_webhooks(database) {
        let store = migrated(&database).await;
        for id in ["a", "b", "c"] {
            assert!(store.write(create(webhook(id))).await.unwrap());
        }
        assert!(!store.write(create(webhook("d"))).await.unwrap());
        assert!(store.write(CreateWebhook { pool: other_pool(), ..create(webhook("d")) }).await.unwrap());
        assert_eq!(list(&store).await.len(), 3);
    }

    async fn a_new_secret_leaves_the_old_one_for_a_while(database) {
        let store = migrated(&database).await;
        store.write(create(webhook("a"))).await.unwrap();
        let until = NOW.plus(seconds(86_400));
        let secret = Some((b"second".to_vec(), until));
        store.write(update("a", WebhookUpdate { secret, ..WebhookUpdate::default() })).await.unwrap().unwrap().unwrap();
        happen(&store, NOW, &[Action::Login]).await;
        let delivery = deliveries_of(&store, "a", None).await.remove(0);
        let to = store.read(ReadOutgoing(pool(), delivery.id)).await.unwrap().unwrap().to.unwrap();
        assert_eq!((to.secret.as_slice(), to.previous), (&b"second"[..], Some((b"sealed".to_vec(), until))));
        assert!(details(&database).await.iter().any(|d| d["secretReplaced"] == true));
    }

    async fn an_event_goes_to_whoever_wants_it(database) {
        let store = migrated(&database).await;
        store.write(create(webhook("some"))).await.unwrap();
        store.write(create(Webhook { actions: vec![], ..webhook("all") })).await.unwrap();
        store.write(create(Webhook { enabled: false, ..webhook("off") })).await.unwrap();
        happen(&store, NOW, &[Action::Login, Action::Logout]).await;

        assert_eq!(deliveries_of(&store, "some", None).await.len(), 1);
        assert_eq!(deliveries_of(&store, "off", None).await.len(), 0);
        let all = deliveries_of(&store, "all", None).await;
        assert_eq!(all.iter().map(|d| d.action.as_str()).collect::<Vec<_>>(), ["logout", "login"]);
        assert_eq!(take(&store, NOW).await.len(), 3, "one job each");

        let login = &all[1];
        assert_eq!((login.state, login.attempts, login.next_attempt_at), (DeliveryState::Pending, 0, Some(NOW)));
        let body: Json = serde_json::from_str(&login.body).unwrap();
        assert_eq!(body["id"], login.event.as_str());
        assert_eq!((&body["type"], &body["time"], &body["poolId"]), (&json!("login"), &json!(NOW.to_iso()), &json!(pool().as_str())));
        assert_eq!((&body["data"]["userId"], &body["data"]["code"]), (&json!("alice"), &json!(0)));
        assert_eq!((&body["data"]["actor"]["kind"], &body["data"]["details"]["by"]), (&json!("command"), &json!("test")));
        let same_event = deliveries_of(&store, "some", None).await.remove(0);
        assert_eq!(same_event.event, login.event);
        assert_ne!(same_event.id, login.id);
    }

    async fn a_delivery_goes_with_the_deed_that_is_rolled_back(database) {
        let store = migrated(&database).await;
        store.write(create(webhook("a"))).await.unwrap();
        let unit = happens(&store, NOW, &[Action::Login], true).await;
        store.write(unit).await.unwrap_err();
        assert!(deliveries_of(&store, "a", None).await.is_empty());
        assert!(take(&store, NOW).await.is_empty());
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM audit_events WHERE action = 'login'").await, 0);
    }

    async fn attempts_are_kept_and_failures_counted(database) {
        let store = migrated(&database).await;
        store.write(create(webhook("a"))).await.unwrap();
        happen(&store, NOW, &[Action::Login, Action::Login, Action::Login]).await;
        let ids: Vec<DeliveryId> = deliveries_of(&store, "a", None).await.into_iter().map(|d| d.id).collect();

        assert_eq!(store.write(attempt(&ids[0], DeliveryState::Pending)).await.unwrap(), 0);
        let first = store.read(GetDelivery(pool(), ids[0].clone())).await.unwrap().unwrap();
        assert_eq!((first.attempts, first.state, first.response_status), (1, DeliveryState::Pending, Some(500)));
        assert_eq!((first.next_attempt_at, first.last_attempt_at), (Some(NOW.plus(seconds(5))), Some(NOW.plus(seconds(1)))));
        assert_eq!(first.response.as_deref(), Some("oh"));
        assert!(store.read(GetDelivery(other_pool(), ids[0].clone())).await.unwrap().is_none());

        assert_eq!(store.write(attempt(&ids[0], DeliveryState::Failed)).await.unwrap(), 1);
        assert_eq!(store.write(attempt(&ids[0], DeliveryState::Failed)).await.unwrap(), 0, "it is over");
        assert_eq!(store.write(attempt(&ids[1], DeliveryState::Failed)).await.unwrap(), 2);
        assert_eq!(list(&store).await[0].failures, 2);
        store.write(attempt(&ids[2], DeliveryState::Delivered)).await.unwrap();
        assert_eq!(list(&store).await[0].failures, 0);
        assert!(store.read(ReadOutgoing(pool(), ids[2].clone())).await.unwrap().is_none(), "it has arrived");

        let count = async |state| deliveries_of(&store, "a", Some(state)).await.len();
        assert_eq!(count(DeliveryState::Failed).await, 2);
        assert_eq!(count(DeliveryState::Delivered).await, 1);
        assert_eq!(count(DeliveryState::Pending).await, 0);
        let before = Some(ids[0].clone());
        let page = ListDeliveries { pool: pool(), webhook: webhook("a").id, state: None, before, limit: 1 };
        let page = store.read(page).await.unwrap();
        assert_eq!(page.iter().map(|d| &d.id).collect::<Vec<_>>(), [&ids[1]], "the next older one");
    }

    async fn deliveries_are_sent_again_under_their_id(database) {
        let store = migrated(&database).await;
        store.write(create(webhook("a"))).await.unwrap();
        for n in 0..4 {
            happen(&store, NOW.plus(seconds(n)), &[Action::Login]).await;
        }
        take(&store, NOW.plus(seconds(10))).await;
        let mut ids: Vec<DeliveryId> = deliveries_of(&store, "a", None).await.into_iter().map(|d| d.id).collect();
        ids.reverse();
        let replay = |id: &DeliveryId, pool| {
            let job = JobId::generate(NOW, &SystemRandom);
            Replay { pool, id: id.clone(), job, now: NOW.plus(seconds(20)) }
        };
        assert_eq!(store.write(replay(&ids[0], pool())).await.unwrap(), Replayed::Waiting);
        for id in &ids {
            store.write(attempt(id, DeliveryState::Failed)).await.unwrap();
        }
        assert_eq!(store.write(replay(&ids[0], other_pool())).await.unwrap(), Replayed::Unknown);
        assert_eq!(store.write(replay(&ids[0], pool())).await.unwrap(), Replayed::Queued);
        assert_eq!(store.write(replay(&ids[0], pool())).await.unwrap(), Replayed::Waiting);
        let jobs = take(&store, NOW.plus(seconds(20))).await;
        assert_eq!((jobs.len(), jobs[0].payload.as_slice(), jobs[0].attempts), (1, ids[0].as_str().as_bytes(), 1));

        let replay_failed = |since, jobs| ReplayFailed {
            pool: pool(),
            webhook: webhook("a").id,
            since: NOW.plus(seconds(since)),
            jobs: (0..jobs).map(|_| JobId::generate(NOW, &SystemRandom)).collect(),
            now: NOW.plus(seconds(30)),
        };
        assert_eq!(store.write(replay_failed(2, 1)).await.unwrap(), 1);
        assert_eq!(store.write(replay_failed(2, 5)).await.unwrap(), 1);
        assert_eq!(store.write(replay_failed(2, 5)).await.unwrap(), 0);
        assert_eq!(take(&store, NOW.plus(seconds(30))).await.len(), 2);
        let failed = deliveries_of(&store, "a", Some(DeliveryState::Failed)).await;
        assert_eq!(failed.iter().map(|d| &d.id).collect::<Vec<_>>(), [&ids[1]], "the one before `since`");
    }

    async fn a_ping_goes_to_its_webhook_alone(database) {
        let store = migrated(&database).await;
        store.write(create(Webhook { enabled: false, ..webhook("a") })).await.unwrap();
        let ping = |pool, seed| {
            let id = DeliveryId::generate(NOW, &TestRandom::new(seed));
            Ping { pool, webhook: webhook("a").id, id, now: NOW }
        };
        assert!(!store.write(ping(other_pool(), 1)).await.unwrap());
        assert!(store.write(ping(pool(), 2)).await.unwrap());
        let delivery = deliveries_of(&store, "a", None).await.remove(0);
        assert_eq!(delivery.action, PING);
        assert_eq!(take(&store, NOW).await.len(), 1);
        let outgoing = store.read(ReadOutgoing(pool(), delivery.id)).await.unwrap().unwrap();
        assert!(!outgoing.to.unwrap().enabled);
    }

    async fn what_was_to_go_to_a_webhook_that_is_gone_has_no_destination(database) {
        let store = migrated(&database).await;
        store.write(create(webhook("a"))).await.unwrap();
        happen(&store, NOW, &[Action::Login]).await;
        let delete = DeleteWebhook { pool: pool(), id: webhook("a").id, expected: None, trace: trace() };
        store.write(delete).await.unwrap().unwrap();
        let delivery = deliveries_of(&store, "a", None).await.remove(0);
        assert!(store.read(ReadOutgoing(pool(), delivery.id)).await.unwrap().unwrap().to.is_none());
    }

    async fn old_deliveries_are_forgotten_in_bounded_steps(database) {
        let store = migrated(&database).await;
        store.write(create(webhook("a"))).await.unwrap();
        for n in 0..4 {
            happen(&store, NOW.plus(seconds(n)), &[Action::Login]).await;
        }
        let before = NOW.plus(seconds(3));
        assert_eq!(store.write(Sweep { before, limit: 2 }).await.unwrap(), 2);
        assert_eq!(store.write(Sweep { before, limit: 2 }).await.unwrap(), 1);
        assert_eq!(store.write(Sweep { before, limit: 2 }).await.unwrap(), 0);
        assert_eq!(deliveries_of(&store, "a", None).await.len(), 1);
    }
}
