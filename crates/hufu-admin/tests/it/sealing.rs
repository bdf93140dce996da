//! The sealing key is changed while nodes serve.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hufu_app::KeySource;
use hufu_app::sealing_key::change::{ChangeError, check_unused, reseal, seals, use_key};
use hufu_app::sealing_key::{SealingKeyError, load_sealing_key};
use hufu_protocol::sealing::SealingKey;
use hufu_testkit::administration::{call, key};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::{AdminRole, SystemRandom};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::client::{AUTH, Client};
use crate::world::{MINI, NOW, Node, SHOP, World};

/// The key of the tests, and another one.
const OLD: [u8; 32] = [7; 32];
const NEW: [u8; 32] = [9; 32];

fn source(keys: &[[u8; 32]]) -> KeySource {
    // Both keys are one byte, again and again.
    let text = |key: &[u8; 32]| format!("{:02x}", key[0]).repeat(key.len());
    KeySource::Given(keys.iter().map(text).collect::<Vec<_>>().join(",").into())
}

fn id(key: [u8; 32]) -> String {
    SealingKey::from_bytes(key).key_id()
}

async fn load(world: &World, keys: &[[u8; 32]]) -> Result<SealingKey, SealingKeyError> {
    load_sealing_key(world.node.app.store(), &source(keys), &SystemRandom).await
}

async fn refresh(node: &Node, keys: &[[u8; 32]]) {
    node.app.refresh_sealing_key(&source(keys), &mut None).await.unwrap();
}

/// What a key seals that does not end by itself.
async fn lasting(world: &World, keys: &[[u8; 32]], key: [u8; 32]) -> i64 {
    let sealing = load(world, keys).await.unwrap();
    let all = seals(world.node.app.store(), &sealing).await.unwrap();
    let of_key = all.into_iter().find(|seals| seals.key == id(key)).unwrap();
    of_key.lasting.into_iter().map(|(_, count)| count).sum()
}

/// Gives a connection another secret, which the node seals.
async fn change_secret(node: &Node, key: &str, secret: &str) {
    let body = json!({ "fields": { "appSecret": secret } }).to_string();
    let request = Request::patch(format!("/admin/v1/pools/{SHOP}/connections/shop-two"))
        .header("authorization", format!("Bearer {key}"))
        .body(Body::from(body))
        .unwrap();
    assert_eq!(node.router.clone().oneshot(request).await.unwrap().status(), 200);
}

/// Sends a code, and returns it.
async fn code_to(world: &World, client: &Client<'_>, phone: &str) -> String {
    client.post("/api/v3/send-sms", json!({ "phoneNumber": phone, "channel": "CHANNEL_LOGIN" })).await.data();
    world.node.app.run_due_jobs().await;
    world.outbox().list().into_iter().find_map(|message| message.code).unwrap()
}

on_both_engines! {
    async fn the_key_is_changed_while_nodes_log_in(database) {
        let world = World::new(database).await;
        let other = world.another_node().await;
        let store = world.node.app.store();
        for name in ["bob", "carol"] {
            world.person(name);
        }
        let owner = key(&world, AdminRole::Owner, None).await;
        let hook = json!({ "name": "hook", "url": "https://shop.example.com/hook", "events": ["user.created"] });
        let made = call(&world, Some(&owner), "POST", &format!("/admin/v1/pools/{SHOP}/webhooks"), Some(hook)).await.is(201);
        world.secret(made["secret"].as_str().unwrap());
        let keys = format!("/admin/v1/pools/{SHOP}/management-keys");
        let management = call(&world, Some(&owner), "POST", &keys, Some(json!({ "role": "auditor" }))).await.is(201);
        world.secret(management["secret"].as_str().unwrap());
        let bob = world.client().log_in(MINI, "bob").await;
        refresh(&world.node, &[OLD]).await;
        refresh(&other, &[OLD]).await;
        let before = lasting(&world, &[OLD, NEW], OLD).await;
        assert!(before >= 8, "connections, the webhook, the keys: {before}");

        // Nobody seals with a key that another node does not have.
        refresh(&world.node, &[OLD, NEW]).await;
        let both = load(&world, &[OLD, NEW]).await.unwrap();
        let early = use_key(store, &both, &SystemRandom, &id(NEW), NOW).await.unwrap_err();
        assert!(matches!(&early, ChangeError::NotEverywhere { nodes, .. } if nodes.len() == 1), "{early}");
        let unknown = use_key(store, &both, &SystemRandom, &id([1; 32]), NOW).await.unwrap_err();
        assert!(matches!(unknown, ChangeError::Unknown(_)));
        refresh(&other, &[OLD, NEW]).await;

        // What is under way over the change goes on: a code of WeChat, whose exchange one node seals, comes again to the other.
        let code = world.code(MINI, "carol");
        let again = async |node: &Node| {
            let client = world.client_of(node).referer(MINI);
            client.post(AUTH, json!({ "code": code })).await
        };
        let carol = again(&world.node).await.user().id;
        use_key(store, &both, &SystemRandom, &id(NEW), NOW).await.unwrap();
        refresh(&world.node, &[OLD, NEW]).await;
        assert_eq!(again(&other).await.user().id, carol, "the code is the same login");

        // One node seals with the new key already, the other one not yet.
        let logins = async {
            for round in 0..12 {
                let node = if round % 2 == 0 { &world.node } else { &other };
                world.client_of(node).log_in(MINI, "bob").await;
                change_secret(node, &owner, &format!("another-secret-{round}")).await;
            }
        };
        let reseals = async {
            let mut count = 0;
            for _ in 0..4 {
                count += reseal(store, &load(&world, &[OLD, NEW]).await.unwrap(), &SystemRandom, &mut |_| {}).await.unwrap();
            }
            count
        };
        let ((), resealed) = tokio::join!(logins, reseals);
        // But for the connection's secret, which a node may have replaced with the new key before its turn came.
        assert!(resealed + 1 >= u64::try_from(before).unwrap(), "{resealed} of {before}");
        refresh(&other, &[OLD, NEW]).await;
        let sealing = load(&world, &[OLD, NEW]).await.unwrap();
        reseal(store, &sealing, &SystemRandom, &mut |_| {}).await.unwrap();
        assert_eq!(reseal(store, &sealing, &SystemRandom, &mut |_| {}).await.unwrap(), 0, "nothing is left");
        assert_eq!(lasting(&world, &[OLD, NEW], OLD).await, 0);

        // The old key goes once what ends by itself has ended.
        let in_use = check_unused(store, &sealing, &id(NEW), NOW).await.unwrap_err();
        assert!(matches!(in_use, ChangeError::InUse(_)));
        let early = check_unused(store, &sealing, &id(OLD), NOW).await.unwrap_err();
        assert!(matches!(&early, ChangeError::StillSeals { lasts: false, .. }), "{early}");
        world.advance(Duration::from_secs(24 * 3600));
        world.node.app.sweep().await.unwrap();
        check_unused(store, &sealing, &id(OLD), world.node.app.now()).await.unwrap();
        for node in [&world.node, &other] {
            refresh(node, &[NEW]).await;
            assert_eq!(world.client_of(node).log_in(MINI, "bob").await.id, bob.id);
        }
        let asks = json!({ "accessKeyId": SHOP, "accessKeySecret": management["secret"] });
        let token = world.client().post("/api/v3/get-management-token", asks).await.data();
        assert!(token["access_token"].is_string(), "the secret of the management key can be opened");
        // A node that has only the old key says so, and keeps what it has.
        let wrong = other.app.refresh_sealing_key(&source(&[OLD]), &mut None).await.unwrap_err();
        assert!(matches!(&wrong, SealingKeyError::Wrong { wanted, .. } if *wanted == id(NEW)), "{wrong}");
        world.client_of(&other).log_in(MINI, "bob").await;
        let shown: Value = call(&world, Some(&owner), "GET", &format!("/admin/v1/pools/{SHOP}/webhooks"), None).await.is(200);
        assert_eq!(shown["webhooks"].as_array().unwrap().len(), 1);
    }

    async fn codes_under_way_outlive_the_change(database) {
        let world = World::new(database).await;
        let (client, store) = (world.client(), world.node.app.store());
        refresh(&world.node, &[OLD, NEW]).await;
        let code = code_to(&world, &client, "13912340000").await;
        let both = load(&world, &[OLD, NEW]).await.unwrap();
        use_key(store, &both, &SystemRandom, &id(NEW), NOW).await.unwrap();
        refresh(&world.node, &[OLD, NEW]).await;
        reseal(store, &load(&world, &[NEW, OLD]).await.unwrap(), &SystemRandom, &mut |_| {}).await.unwrap();
        refresh(&world.node, &[NEW]).await;
        let body = json!({
            "connection": "PASSCODE",
            "passCodePayload": { "phone": "13912340000", "passCode": code },
        });
        client.post("/api/v3/signin", body).await.data();
        let facts = raw::number(world.database(), "SELECT COUNT(*) FROM instance WHERE key = 'hash_key'").await;
        assert_eq!(facts, 1, "hashes have a key of their own from now on");
    }
}
