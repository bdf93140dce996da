//! Webhooks: from an event to the receiver, and back.

use std::collections::HashSet;
use std::time::Duration;

use hufu_app::administration::PageRequest;
use hufu_app::connect::signature;
use hufu_app::webhooks::{DeliveryState, WebhookChange};
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::refusal::Code;
use hufu_types::{Action, Clock as _, DeliveryId, WebhookId};
use secrecy::{ExposeSecret as _, SecretString};

use crate::events::{Answer, NOW, Receiver, Seen, World, command, new, pool};

fn verifies(seen: &Seen, secret: &SecretString) -> bool {
    let at = seen.header("webhook-timestamp").parse().unwrap();
    let secret = secret.expose_secret().as_bytes();
    signature::verify(secret, seen.header("webhook-id"), at, &seen.body, seen.header("webhook-signature"))
}

impl World {
    async fn states(&self, webhook: &WebhookId) -> Vec<(DeliveryState, i64)> {
        let page = self.app.deliveries(&command(), &pool(), webhook, None, None, 100).await.unwrap();
        page.deliveries.iter().map(|delivery| (delivery.state, delivery.attempts)).collect()
    }

    async fn only_delivery(&self, webhook: &WebhookId) -> hufu_app::webhooks::Delivery {
        let page = self.app.deliveries(&command(), &pool(), webhook, None, None, 100).await.unwrap();
        assert_eq!(page.deliveries.len(), 1);
        self.app.delivery(&command(), &pool(), &page.deliveries[0].id).await.unwrap()
    }

    async fn later(&self, seconds: u64) -> usize {
        self.clock.advance(Duration::from_secs(seconds));
        self.app.run_due_jobs().await
    }
}

on_both_engines! {
    async fn what_happens_is_told_and_signed(database) {
        let world = World::new(database).await;
        let (receiver, url) = Receiver::serve().await;
        let (webhook, secret) = world.webhook(&url, &["login"]).await;
        assert!(secret.expose_secret().starts_with("hfw_"));
        world.happen(Action::Login, "alice").await;
        world.happen(Action::Logout, "alice").await;
        assert_eq!(world.app.run_due_jobs().await, 1);

        let [seen] = receiver.seen().try_into().unwrap();
        assert!(verifies(&seen, &secret));
        assert!(!verifies(&seen, &SecretString::from("hfw_other")));
        assert_eq!(seen.header("webhook-timestamp"), NOW.seconds().to_string());
        assert_eq!(seen.header("content-type"), "application/json");
        assert!(seen.header("user-agent").starts_with("Hufu/"));
        let body = seen.json();
        assert_eq!((&body["type"], &body["poolId"]), (&"login".into(), &"shop".into()));
        assert_eq!((&body["data"]["userId"], &body["data"]["actor"]["kind"]), (&"alice".into(), &"user".into()));

        let delivery = world.only_delivery(&webhook.id).await;
        assert_eq!(seen.header("webhook-id"), delivery.id.as_str());
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Delivered, 1));
        assert_eq!((delivery.response_status, delivery.response.as_deref()), (Some(200), Some("thanks")));
        assert_eq!(delivery.body.as_bytes(), seen.body);
        assert_eq!(world.later(86_400).await, 0, "that was all");
    }

    async fn a_delivery_is_retried_under_one_id_until_it_arrives(database) {
        let world = World::new(database).await;
        let (receiver, url) = Receiver::serve().await;
        let (webhook, secret) = world.webhook(&url, &[]).await;
        receiver.then(Answer::Status(500, "oh"));
        receiver.then(Answer::Break);
        receiver.then(Answer::Redirect);
        world.happen(Action::Login, "alice").await;
        let deliver = async || world.app.run_due_jobs().await;
        // Only the login: a webhook does not receive the event of its own creation.
        assert_eq!(deliver().await, 1);
        let delivery = world.only_delivery(&webhook.id).await;
        assert_eq!((delivery.state, delivery.response_status), (DeliveryState::Pending, Some(500)));
        assert!(delivery.next_attempt_at.unwrap() >= NOW.plus(Duration::from_secs(5)));
        assert_eq!(world.later(4).await, 0, "not at once");

        assert_eq!(world.later(3).await, 1);
        let broken = world.only_delivery(&webhook.id).await;
        assert_eq!((broken.state, broken.attempts, broken.response_status), (DeliveryState::Pending, 2, None));
        assert!(broken.response.unwrap().starts_with("http: "));
        assert_eq!(world.later(31).await, 1);
        assert_eq!(world.only_delivery(&webhook.id).await.response_status, Some(302), "nobody follows it");
        assert_eq!(world.later(151).await, 1);

        assert_eq!(world.states(&webhook.id).await, [(DeliveryState::Delivered, 4)]);
        let seen = receiver.seen();
        assert_eq!(seen.iter().map(|seen| seen.header("webhook-id")).collect::<HashSet<_>>().len(), 1);
        assert!(seen.iter().all(|seen| verifies(seen, &secret)), "each at its time");
        assert_eq!(seen.iter().map(|seen| seen.header("webhook-timestamp")).collect::<HashSet<_>>().len(), 4);
    }

    async fn what_is_given_up_can_be_sent_again(database) {
        let world = World::with(database, true, |limits| limits.webhook_attempts = 2).await;
        let (receiver, url) = Receiver::serve().await;
        let (webhook, _) = world.webhook(&url, &["login"]).await;
        for _ in 0..2 {
            receiver.then(Answer::Status(503, ""));
        }
        receiver.then(Answer::Status(410, "no more"));
        world.happen(Action::Login, "alice").await;
        world.app.run_due_jobs().await;
        world.later(10).await;
        assert_eq!(world.states(&webhook.id).await, [(DeliveryState::Failed, 2)]);
        world.happen(Action::Login, "bob").await;
        world.app.run_due_jobs().await;
        assert_eq!(world.states(&webhook.id).await[0], (DeliveryState::Failed, 1), "410 is final");
        assert_eq!(world.app.webhook(&command(), &pool(), &webhook.id).await.unwrap().failures, 2);

        let by = command();
        let since = world.clock.now().minus(Duration::from_secs(1));
        assert_eq!(world.app.replay_failed(&by, &pool(), &webhook.id, since).await.unwrap(), 1);
        world.app.run_due_jobs().await;
        let failed = Some(DeliveryState::Failed);
        let left = world.app.deliveries(&by, &pool(), &webhook.id, failed, None, 10).await.unwrap().deliveries;
        assert_eq!(left.len(), 1);
        world.app.replay(&by, &pool(), &left[0].id).await.unwrap();
        let again = world.app.replay(&by, &pool(), &left[0].id).await.unwrap_err();
        assert!(again.is(Code::DeliveryWaiting));
        world.app.run_due_jobs().await;
        let seen = receiver.seen();
        assert_eq!(seen.last().unwrap().header("webhook-id"), left[0].id.as_str());
        assert_eq!(seen.last().unwrap().body, left[0].body.as_bytes());
        assert!(world.states(&webhook.id).await.iter().all(|(state, _)| *state == DeliveryState::Delivered));
        assert_eq!(world.app.webhook(&by, &pool(), &webhook.id).await.unwrap().failures, 0);
        let unknown = world.app.replay(&by, &pool(), &DeliveryId::parse("x").unwrap()).await.unwrap_err();
        assert!(unknown.is(Code::NoSuchDelivery));
    }

    async fn two_nodes_deliver_each_once(database) {
        let world = World::new(database).await;
        let (receiver, url) = Receiver::serve().await;
        let (webhook, _) = world.webhook(&url, &["login"]).await;
        for n in 0..40 {
            world.happen(Action::Login, &format!("user{n}")).await;
        }
        let other = world.another_node().await;
        while world.states(&webhook.id).await.iter().any(|(state, _)| *state == DeliveryState::Pending) {
            futures::future::join(world.app.run_due_jobs(), other.run_due_jobs()).await;
            world.clock.advance(Duration::from_secs(1));
        }
        let seen = receiver.seen();
        assert_eq!(seen.len(), 40);
        assert_eq!(seen.iter().map(|seen| seen.header("webhook-id")).collect::<HashSet<_>>().len(), 40);
    }

    async fn secrets_are_replaced_without_a_gap(database) {
        let world = World::new(database).await;
        let (receiver, url) = Receiver::serve().await;
        let (webhook, old) = world.webhook(&url, &["login"]).await;
        let change = WebhookChange { new_secret: true, ..WebhookChange::default() };
        let (_, secret) = world.app.update_webhook(&command(), &pool(), &webhook.id, change).await.unwrap();
        let secret = secret.unwrap();
        world.happen(Action::Login, "alice").await;
        world.app.run_due_jobs().await;
        world.clock.advance(Duration::from_secs(86_400));
        world.happen(Action::Login, "alice").await;
        world.app.run_due_jobs().await;
        let [first, second] = receiver.seen().try_into().unwrap();
        assert!(verifies(&first, &old) && verifies(&first, &secret));
        assert!(!verifies(&second, &old) && verifies(&second, &secret), "after a day the old one is over");
    }

    async fn a_ping_arrives_even_where_nothing_else_does(database) {
        let world = World::new(database).await;
        let (receiver, url) = Receiver::serve().await;
        let (webhook, _) = world.webhook(&url, &["login"]).await;
        world.happen(Action::Login, "alice").await;
        let off = WebhookChange { enabled: Some(false), ..WebhookChange::default() };
        world.app.update_webhook(&command(), &pool(), &webhook.id, off).await.unwrap();
        world.happen(Action::Login, "bob").await;
        world.clock.advance(Duration::from_secs(1));
        let id = world.app.ping_webhook(&command(), &pool(), &webhook.id).await.unwrap();
        world.app.run_due_jobs().await;
        let [seen] = receiver.seen().try_into().unwrap();
        assert_eq!((seen.header("webhook-id"), &seen.json()["type"]), (id.as_str(), &"ping".into()));
        let states = world.states(&webhook.id).await;
        assert_eq!(states, [(DeliveryState::Delivered, 1), (DeliveryState::Failed, 0)], "bob's was never written");

        world.app.delete_webhook(&command(), &pool(), &webhook.id, None).await.unwrap();
        let gone = world.app.ping_webhook(&command(), &pool(), &webhook.id).await.unwrap_err();
        assert!(gone.is(Code::NoSuchWebhook));
        assert!(world.app.webhooks(&command(), &pool(), &PageRequest::default()).await.unwrap().rows.is_empty());
    }

    async fn a_runner_works_and_stops(database) {
        let world = World::with(database, true, |limits| limits.job_poll = Duration::from_millis(20)).await;
        let (receiver, url) = Receiver::serve().await;
        let (webhook, _) = world.webhook(&url, &["login"]).await;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(world.app.clone().run_jobs_until(async { drop(stopped.await) }));
        world.happen(Action::Login, "alice").await;
        let delivered = async {
            while world.states(&webhook.id).await != [(DeliveryState::Delivered, 1)] {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), delivered).await.unwrap();
        stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
        assert_eq!(receiver.seen().len(), 1);
    }
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused() {
    let world = World::with(TestDatabase::sqlite(), false, |_| {}).await;
    for url in [
        "https://127.0.0.1/x",
        "https://10.1.2.3/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://0x7f000001/x",
        "https://[::ffff:10.0.0.1]/x",
        "http://hook.example.com/x",
        "ftp://hook.example.com/x",
        "https://user:password@hook.example.com/x",
        "hook.example.com",
        "",
    ] {
        let refused = world.app.create_webhook(&command(), &pool(), new(url, &[])).await;
        assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::Invalid)), "{url}");
    }
    // The address behind a name is checked when something is sent.
    let (webhook, _) = world.webhook("https://localhost/x", &[]).await;
    world.app.ping_webhook(&command(), &pool(), &webhook.id).await.unwrap();
    world.app.run_due_jobs().await;
    let delivery = world.only_delivery(&webhook.id).await;
    assert_eq!(delivery.state, DeliveryState::Failed);
    assert!(delivery.response.unwrap().starts_with("address_refused: "));

    let (receiver, url) = Receiver::serve().await;
    assert!(world.app.create_webhook(&command(), &pool(), new(&url, &[])).await.is_err());
    assert!(receiver.seen().is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let world = World::with(TestDatabase::sqlite(), true, |limits| limits.webhooks_per_pool = 1).await;
    let url = "https://hook.example.com/x";
    for (wrong, message) in [
        (new(url, &["login", "nonsense"]), "The request is not valid: events has an unknown value: nonsense"),
        (
            hufu_app::webhooks::NewWebhook { name: " ".to_owned(), ..new(url, &[]) },
            "The request is not valid: name must be",
        ),
    ] {
        let refused = world.app.create_webhook(&command(), &pool(), wrong).await.unwrap_err();
        assert!(refused.to_string().starts_with(message), "{refused}");
    }
    world.webhook(url, &[]).await;
    let refused = world.app.create_webhook(&command(), &pool(), new(url, &[])).await.unwrap_err();
    assert!(refused.is(Code::TooManyWebhooks) && refused.to_string().contains(" 1 webhooks"));
}

/// The documentation of webhooks lists every event.
#[test]
fn every_event_is_on_the_page() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/webhooks.md")).unwrap();
    for action in Action::ALL {
        assert!(
            page.contains(&format!("\n| `{}` |", action.as_str())),
            "docs/webhooks.md lacks {}",
            action.as_str()
        );
    }
}
