//! The operations that change one object of the configuration, each in its own unit of work.

use hufu_app::configuration::{
    Change, Operation, Outcome, PutApplication, PutConnection, PutPool, PutSender, Rejection, RemoveSender,
    Sender, WantedConnection,
};
use hufu_app::events::Trace;
use hufu_store::audit::{AuditFilter, ListEvents};
use hufu_store::config::StoredConnection;
use hufu_store::senders::SenderKind;
use hufu_store::versions::ReadVersions;
use hufu_testkit::on_both_engines;
use hufu_types::{
    Application, ApplicationId, ApplicationKind, ConnectionId, ConnectionSettings, PoolId, PoolSettings,
    TokenLifetimes,
};
use serde_json::json;

use super::world::{APPLICATION, POOL, World, application, connection, pool};

fn shop() -> PoolId {
    PoolId::parse(POOL).unwrap()
}

impl World {
    /// Runs an operation as a unit of work.
    pub(super) async fn change<O: Operation>(&self, operation: O) -> Outcome<O::Object> {
        let trace = Trace::of_command(self.clock.now(), &*self.random);
        self.store.write(Change { operation, trace }).await.unwrap()
    }

    async fn version(&self) -> i64 {
        self.store.read(ReadVersions).await.unwrap().configuration
    }

    fn put(&self, id: &ConnectionId, connection: WantedConnection, expected: Option<i64>) -> PutConnection {
        let (sealing, random) = (self.sealing.clone(), self.random.clone());
        PutConnection {
            pool: shop(),
            id: id.clone(),
            connection,
            expected,
            knows_of_new_app: false,
            sealing,
            random,
        }
    }

    async fn shop_mini(&self) -> StoredConnection {
        let connections = self.config().await.connections;
        connections.into_iter().find(|c| c.identifier.as_str() == "shop-mini").unwrap()
    }
}

/// The existing connection, with or without settings.
fn like(stored: &StoredConnection, settings: Option<ConnectionSettings>) -> WantedConnection {
    WantedConnection {
        identifier: stored.identifier.clone(),
        kind: stored.kind,
        display_name: stored.display_name.clone(),
        login_only: stored.login_only,
        enabled: stored.enabled,
        open_platform: stored.open_platform.clone(),
        association: stored.association.clone(),
        settings,
        extras: stored.extras.clone(),
    }
}

/// A different secret for the same app.
fn secret() -> ConnectionSettings {
    let mut settings = ConnectionSettings::default();
    settings.set("app_id", "wx0123456789abcdef");
    settings.set("app_secret", "another-secret");
    settings
}

fn renamed(name: &str, expected: Option<i64>) -> PutPool {
    PutPool { id: shop(), name: Some(name.to_owned()), settings: None, expected }
}

fn revision<T>(outcome: &Outcome<T>) -> i64 {
    match outcome {
        Outcome::Done { now: Some(now), .. } => now.revision,
        _ => panic!("not done"),
    }
}

on_both_engines! {
    async fn a_revision_rises_with_each_change_and_with_no_other(database) {
        let world = World::with_example(database).await;
        let version = world.version().await;
        assert_eq!(revision(&world.change(renamed("Store", Some(1))).await), 2);
        assert_eq!(revision(&world.change(renamed("Store", Some(2))).await), 2, "nothing to change");
        assert_eq!(world.version().await, version + 1, "what changes nothing disturbs no node");
        assert_eq!(revision(&world.change(renamed("Shop", None)).await), 3);
        let stored = world.shop_mini().await;
        let put = world.put(&stored.id, WantedConnection { login_only: true, ..like(&stored, None) }, Some(1));
        assert_eq!(revision(&world.change(put).await), 2, "each object has its own");
    }

    async fn who_knows_an_older_revision_overwrites_nothing(database) {
        let world = World::with_example(database).await;
        world.change(renamed("Store", Some(1))).await;
        let before = world.everything().await;
        let Outcome::Conflict { expected: 1, now: Some(now) } = world.change(renamed("Mall", Some(1))).await else {
            panic!("a conflict")
        };
        assert_eq!((now.revision, now.value.name.as_str()), (2, "Store"), "both versions are in the answer");
        let new = PutPool { name: Some("New".to_owned()), expected: Some(0), ..renamed("", None) };
        assert!(matches!(world.change(new).await, Outcome::Conflict { expected: 0, now: Some(_) }));
        assert_eq!(world.everything().await, before);
    }

    async fn of_many_at_once_with_one_revision_one_wins(database) {
        let world = World::with_example(database).await;
        let names: Vec<String> = (0..8).map(|n| format!("Store {n}")).collect();
        let puts = names.iter().map(|name| world.change(renamed(name, Some(1))));
        let outcomes = futures::future::join_all(puts).await;
        let done = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Done { .. })).count();
        let conflicts =
            outcomes.iter().filter(|o| matches!(o, Outcome::Conflict { now: Some(now), .. } if now.revision == 2));
        assert_eq!((done, conflicts.count()), (1, 7));
    }

    async fn settings_that_are_not_given_stay(database) {
        let world = World::with_example(database).await;
        let stored = world.shop_mini().await;
        let changed = WantedConnection { enabled: false, ..like(&stored, None) };
        let Outcome::Done { now: Some(now), changed } = world.change(world.put(&stored.id, changed, None)).await else {
            panic!("done")
        };
        assert_eq!(changed, ["enabled"]);
        assert_eq!(now.value, StoredConnection { enabled: false, ..stored.clone() });
        let app = secret();
        let put = world.put(&stored.id, WantedConnection { enabled: false, ..like(&stored, Some(app.clone())) }, Some(2));
        assert!(matches!(world.change(put.clone()).await, Outcome::Done { changed, .. } if changed == ["app_secret"]));
        assert!(matches!(world.change(PutConnection { expected: None, ..put }).await, Outcome::Done { changed, .. } if changed.is_empty()));
        assert_ne!(world.shop_mini().await.settings, stored.settings);
    }

    async fn what_cannot_be_is_not_written(database) {
        let world = World::with_example(database).await;
        world.apply("[[user_pool]]\nid = \"other\"\nname = \"Other\"").await;
        let stored = world.shop_mini().await;
        let before = world.everything().await;
        let (new, like) = (ConnectionId::parse("new").unwrap(), like(&stored, None));
        let rejected = world.change(world.put(&new, like.clone(), Some(0))).await;
        assert!(matches!(rejected, Outcome::Rejected(Rejection::IdentifierTaken)));
        let other = WantedConnection { identifier: hufu_types::Identifier::parse("other").unwrap(), ..like };
        assert!(matches!(world.change(world.put(&new, other.clone(), None)).await, Outcome::Rejected(Rejection::Settings(_))));
        assert!(matches!(world.change(world.put(&stored.id, other, None)).await, Outcome::Rejected(Rejection::Fixed(..))));

        let application = world.application(APPLICATION).await;
        let put = |change: fn(&mut Application)| {
            let mut application = application.clone();
            change(&mut application);
            world.change(PutApplication { application, expected: None })
        };
        let elsewhere = put(|a| a.pool = PoolId::parse("other").unwrap());
        assert!(matches!(elsewhere.await, Outcome::Rejected(Rejection::NoConnection(_))));
        let elsewhere = put(|a| { a.pool = PoolId::parse("other").unwrap(); a.connections.clear(); });
        assert!(matches!(elsewhere.await, Outcome::Rejected(Rejection::ApplicationIdTaken(pool)) if pool == shop()));
        let of_api = put(|a| a.kind = ApplicationKind::Api);
        assert!(matches!(of_api.await, Outcome::Rejected(Rejection::ConnectionUnusable(..))));
        let short = put(|a| a.lifetimes.session = std::time::Duration::from_secs(1));
        assert!(matches!(short.await, Outcome::Rejected(Rejection::SessionTooShort)));
        let nowhere = put(|a| { a.pool = PoolId::parse("nowhere").unwrap(); a.id = ApplicationId::parse("new").unwrap(); a.connections.clear(); });
        assert!(matches!(nowhere.await, Outcome::Rejected(Rejection::NoPool)));

        let settings = Some(PoolSettings { audit_days: 0, ..PoolSettings::default() });
        let put = PutPool { settings, ..renamed("Shop", None) };
        assert!(matches!(world.change(put).await, Outcome::Rejected(Rejection::Settings(problems)) if problems.len() == 1));
        let nameless = PutPool { id: PoolId::parse("new").unwrap(), name: None, settings: None, expected: None };
        assert!(matches!(world.change(nameless).await, Outcome::Rejected(Rejection::NoName)));
        assert_eq!(world.everything().await, before);
    }

    async fn a_pool_has_one_default_application(database) {
        let world = World::with_example(database).await;
        world.apply(&pool(&[connection("shop-mini"), application("web", "")])).await;
        let web = Application { is_default: true, ..world.application("web").await };
        world.change(PutApplication { application: web, expected: None }).await;
        assert!(world.application("web").await.is_default && !world.application(APPLICATION).await.is_default);
        let stale = Application { lifetimes: TokenLifetimes::default(), ..world.application(APPLICATION).await };
        let stale = world.change(PutApplication { application: stale, expected: Some(1) }).await;
        assert!(matches!(stale, Outcome::Conflict { expected: 1, .. }), "losing the default is a change");
    }

    async fn senders_are_put_and_removed(database) {
        let world = World::with_example(database).await;
        let put = |settings: serde_json::Value, expected| PutSender {
            pool: shop(),
            sender: Sender::Sms(serde_json::from_value(settings).unwrap()),
            expected,
            sealing: world.sealing.clone(),
            random: world.random.clone(),
        };
        let outbox = json!({ "provider": "outbox" });
        let first = revision(&world.change(put(outbox.clone(), Some(0))).await);
        let version = world.version().await;
        assert_eq!(revision(&world.change(put(outbox.clone(), Some(first))).await), first);
        assert_eq!(world.version().await, version);
        let stale = world.change(put(outbox.clone(), Some(first - 1))).await;
        assert!(matches!(stale, Outcome::Conflict { .. }));
        let remove = |expected| RemoveSender { pool: shop(), kind: SenderKind::Sms, expected };
        assert!(matches!(world.change(remove(Some(first + 1))).await, Outcome::Conflict { .. }));
        assert!(matches!(world.change(remove(Some(first))).await, Outcome::Done { now: None, .. }));
        let again = revision(&world.change(put(outbox, Some(0))).await);
        assert!(again > first, "who knew the one that was taken away does not overwrite the new one");
    }

    async fn the_audit_log_says_what_changed_and_no_secret(database) {
        let world = World::with_example(database).await;
        let stored = world.shop_mini().await;
        let app = secret();
        world.change(world.put(&stored.id, like(&stored, Some(app)), None)).await;
        let list = ListEvents { pool: shop(), filter: AuditFilter::default(), before: None, limit: 1 };
        let event = world.store.read(list).await.unwrap().remove(0);
        let details = json!({ "object": "connection", "id": "shop-mini", "changed": ["app_secret"], "revision": 2 });
        assert_eq!((event.action.as_str(), event.details), ("configuration.changed", details));
    }
}
