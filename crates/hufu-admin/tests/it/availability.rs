//! A mini program that WeChat takes out of service: its connection is marked as unavailable, on all nodes, until WeChat
//! serves it again.

use std::time::Duration;

use hufu_sandbox::{AppPatch, AppState, Fault};
use hufu_testkit::administration::{call, key};
use hufu_testkit::on_both_engines;
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::client::{Answer, DECRYPT, Mode, PHONE};
use crate::world::{MEMBERS, MINI, Node, SHOP, TWO, World};

const PROBE: Duration = Duration::from_secs(600);
const FETCH: &str = "/cgi-bin/stable_token";

fn set_state(world: &World, app: &str, state: AppState) {
    world.sandbox.change_app(app, AppPatch { state: Some(state), ..AppPatch::default() }).unwrap();
}

/// Somebody tries to log in from their own network.
async fn attempt(world: &World, node: &Node, app: &str, network: u8) -> Answer {
    let client = world.client_of(node).from([198, 51, network, 7]);
    client.try_log_in(Mode::V2Code, app, "bob").await
}

/// The `availability` of a connection, as administrators see it.
async fn availability(world: &World, connection: &str) -> Value {
    let owner = key(world, AdminRole::Owner, None).await;
    let path = format!("/admin/v1/pools/{SHOP}/connections/{connection}");
    call(world, Some(&owner), "GET", &path, None).await.is(200)["availability"].clone()
}

/// How often this happened.
async fn events(world: &World, action: &str) -> usize {
    world.audit().await.iter().filter(|event| event.action == action).count()
}

async fn refused_three(world: &World, app: &str, code: u64) {
    for network in 1..=3 {
        attempt(world, &world.node, app, network).await.refused(code);
    }
}

on_both_engines! {
    /// Lesson 19.
    async fn a_frozen_mini_program_is_refused_at_once_until_it_is_back(database) {
        let world = World::new(database).await;
        let other = world.another_node().await;
        world.person("bob");
        world.client().log_in(MINI, "bob").await;
        assert_eq!(availability(&world, "shop-mini").await, json!({ "available": true }));

        set_state(&world, MINI, AppState::Frozen);
        refused_three(&world, MINI, 2408).await;
        assert_eq!(events(&world, "connection.unavailable").await, 1);
        let shown = availability(&world, "shop-mini").await;
        assert_eq!((&shown["available"], &shown["errcode"], &shown["reason"]), (&json!(false), &json!(50002), &json!("app-frozen")));
        assert_eq!(shown["since"], "2025-06-15T15:06:40.000Z");
        assert!(shown["rid"].is_string());

        // WeChat is not asked any more, on no node.
        other.app.refresh_config().await.unwrap();
        let before = world.exchanges();
        for node in [&world.node, &other] {
            let sentence = attempt(&world, node, MINI, 9).await.refused(2408);
            assert!(sentence.contains("shop-mini is unavailable"), "{sentence}");
        }
        let client = world.client().referer(MINI);
        client.post(PHONE, json!({ "code": "x" })).await.refused(2408);
        let sealed = json!({ "code": world.code(MINI, "bob"), "iv": "AAAA", "encryptedData": "AAAA" });
        client.post(DECRYPT, sealed).await.refused(2408);
        assert_eq!(world.exchanges(), before);
        assert_eq!(world.calls(FETCH), 0);
        // The other ways to log in go on.
        world.client().log_in(TWO, "bob").await;

        // WeChat is asked every ten minutes, by one node.
        assert_eq!(world.node.app.run_due_jobs().await, 0);
        for round in 1..=2 {
            world.advance(PROBE);
            assert_eq!(world.node.app.run_due_jobs().await + other.app.run_due_jobs().await, 1);
            assert_eq!(world.calls(FETCH), round);
            attempt(&world, &world.node, MINI, 1).await.refused(2408);
        }
        set_state(&world, MINI, AppState::Ok);
        world.advance(PROBE);
        assert_eq!(other.app.run_due_jobs().await, 1);
        assert_eq!(events(&world, "connection.restored").await, 1);
        attempt(&world, &other, MINI, 1).await.user();
        world.node.app.refresh_config().await.unwrap();
        attempt(&world, &world.node, MINI, 1).await.user();
        assert_eq!(availability(&world, "shop-mini").await, json!({ "available": true }));
        world.advance(PROBE);
        assert_eq!(world.node.app.run_due_jobs().await, 0, "nobody asks any more");
    }

    /// Whether WeChat serves its app is no change of a connection: it is sent back as it was seen before that, and after it.
    async fn a_connection_is_edited_as_it_was_seen(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        world.person("bob");
        let path = format!("/admin/v1/pools/{SHOP}/connections/shop-mini");
        let before = call(&world, Some(&owner), "GET", &path, None).await.is(200);
        set_state(&world, MINI, AppState::Frozen);
        refused_three(&world, MINI, 2408).await;
        let after = call(&world, Some(&owner), "GET", &path, None).await.is(200);
        assert_eq!((&before["availability"]["available"], &after["availability"]["available"]), (&json!(true), &json!(false)));
        for seen in [before, after.clone()] {
            assert_eq!(call(&world, Some(&owner), "PATCH", &path, Some(seen)).await.is(200), after);
        }
        let wrong = json!({ "availability": "always" });
        call(&world, Some(&owner), "PATCH", &path, Some(wrong)).await.is(422);
    }

    async fn an_app_whose_logins_are_refused_is_not_restored_because_it_gets_tokens(database) {
        let world = World::new(database).await;
        world.person("bob");
        let owner = key(&world, AdminRole::Owner, None).await;
        let check = format!("/admin/v1/pools/{SHOP}/connections/shop-mini/check");
        let path = Some("/sns/jscode2session".to_owned());
        let fault = Fault { path, errcode: Some(48004), count: 1000, ..Fault::default() };
        world.sandbox.add_fault(fault).unwrap();
        refused_three(&world, MINI, 2408).await;
        for round in 1..=3 {
            world.advance(PROBE);
            assert_eq!(world.node.app.run_due_jobs().await, 1);
            assert_eq!(world.calls(FETCH), 2 * round - 1, "there are app tokens");
            call(&world, Some(&owner), "POST", &check, None).await.is(200);
            assert_eq!(availability(&world, "shop-mini").await["errcode"], 48004, "{round}");
        }
        assert_eq!((events(&world, "connection.unavailable").await, events(&world, "connection.restored").await), (1, 0));
        world.sandbox.clear_faults();
        world.advance(PROBE);
        assert_eq!(world.node.app.run_due_jobs().await, 1);
        assert_eq!(availability(&world, "shop-mini").await, json!({ "available": true }));
    }

    async fn every_answer_that_the_app_is_gone_counts(database) {
        let world = World::new(database).await;
        world.person("bob");
        for (app, identifier, state, code) in [
            (MINI, "shop-mini", AppState::Banned, 2408),
            // Its id is unknown to WeChat now; it was not before.
            (TWO, "shop-two", AppState::Deleted, 2407),
        ] {
            world.client().log_in(app, "bob").await;
            set_state(&world, app, state);
            refused_three(&world, app, code).await;
            attempt(&world, &world.node, app, 4).await.refused(2408);
            assert_eq!(availability(&world, identifier).await["available"], false);
        }
        assert_eq!(events(&world, "connection.unavailable").await, 2);
    }

    async fn an_app_id_that_never_worked_is_a_mistake_in_the_settings(database) {
        let world = World::new(database).await;
        world.person("bob");
        set_state(&world, MEMBERS, AppState::Deleted);
        for network in 1..=6 {
            attempt(&world, &world.node, MEMBERS, network).await.refused(2407);
        }
        assert_eq!(availability(&world, "shop-members").await["available"], true);
    }

    async fn a_deleted_app_is_known_to_have_worked_after_a_restart(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.client().log_in(MINI, "bob").await;
        let fresh = world.another_node().await;
        set_state(&world, MINI, AppState::Deleted);
        for network in 1..=3 {
            attempt(&world, &fresh, MINI, network).await.refused(2407);
        }
        attempt(&world, &fresh, MINI, 4).await.refused(2408);
    }

    async fn one_person_alone_and_answers_long_ago_mark_nothing(database) {
        let world = World::new(database).await;
        world.person("bob");
        set_state(&world, MINI, AppState::Frozen);
        for _ in 0..6 {
            attempt(&world, &world.node, MINI, 1).await.refused(2408);
        }
        // Somebody else got in meanwhile.
        set_state(&world, MINI, AppState::Ok);
        attempt(&world, &world.node, MINI, 2).await.user();
        set_state(&world, MINI, AppState::Frozen);
        attempt(&world, &world.node, MINI, 3).await.refused(2408);
        attempt(&world, &world.node, MINI, 4).await.refused(2408);
        world.advance(Duration::from_secs(300));
        attempt(&world, &world.node, MINI, 5).await.refused(2408);
        attempt(&world, &world.node, MINI, 5).await.refused(2408);
        assert_eq!(availability(&world, "shop-mini").await["available"], true);
        attempt(&world, &world.node, MINI, 6).await.refused(2408);
        assert_eq!(availability(&world, "shop-mini").await["available"], false);
    }

    async fn checking_a_connection_that_works_again_takes_the_mark_off(database) {
        let world = World::new(database).await;
        world.person("bob");
        set_state(&world, MINI, AppState::Frozen);
        refused_three(&world, MINI, 2408).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let check = format!("/admin/v1/pools/{SHOP}/connections/shop-mini/check");
        let found = call(&world, Some(&owner), "POST", &check, None).await.is(200);
        let names: Vec<_> = found["findings"].as_array().unwrap().iter().map(|f| f["finding"].clone()).collect();
        assert!(names.contains(&json!("out-of-service")), "{found}");
        set_state(&world, MINI, AppState::Ok);
        call(&world, Some(&owner), "POST", &check, None).await.is(200);
        attempt(&world, &world.node, MINI, 1).await.user();
        // The next outage has a job of its own, and the old job ends.
        world.advance(Duration::from_secs(60));
        set_state(&world, MINI, AppState::Frozen);
        refused_three(&world, MINI, 2408).await;
        world.advance(PROBE);
        assert_eq!(world.node.app.run_due_jobs().await, 2);
        world.advance(PROBE);
        assert_eq!(world.node.app.run_due_jobs().await, 1);
    }

    async fn webhooks_are_told(database) {
        let world = World::new(database).await;
        world.person("bob");
        let owner = key(&world, AdminRole::Owner, None).await;
        let body = json!({
            "name": "operators", "url": "https://hooks.example.com/hufu",
            "events": ["connection.unavailable", "connection.restored"],
        });
        let hooks = format!("/admin/v1/pools/{SHOP}/webhooks");
        let made = call(&world, Some(&owner), "POST", &hooks, Some(body)).await.is(201);
        world.secret(made["secret"].as_str().unwrap());
        set_state(&world, MINI, AppState::Frozen);
        refused_three(&world, MINI, 2408).await;
        let path = format!("{hooks}/{}/deliveries", made["id"].as_str().unwrap());
        let sent = call(&world, Some(&owner), "GET", &path, None).await.is(200);
        let sent = sent["deliveries"].as_array().unwrap();
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert_eq!(sent[0]["event"], "connection.unavailable");

        // And when WeChat serves it again.
        set_state(&world, MINI, AppState::Ok);
        world.advance(PROBE);
        world.node.app.run_due_jobs().await;
        let sent = call(&world, Some(&owner), "GET", &path, None).await.is(200);
        let events: Vec<_> = sent["deliveries"].as_array().unwrap().iter().map(|it| it["event"].as_str().unwrap()).collect();
        assert_eq!(events.len(), 2, "{events:?}");
        assert!(events.contains(&"connection.restored"), "{events:?}");
    }
}
