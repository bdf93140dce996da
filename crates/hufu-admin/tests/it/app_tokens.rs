//! App tokens: all nodes share one, and so do the owner's other services.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hufu_sandbox::{AppPatch, AppState, Fault};
use hufu_testkit::administration::{call, key};
use hufu_testkit::{TestDatabase, on_both_engines, raw};
use hufu_types::AdminRole;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::client::{Answer, PHONE};
use crate::world::{CAFE, MINI, NOW, Node, Plan, SHOP, World};

/// Fetches an app token.
const FETCH: &str = "/cgi-bin/stable_token";
/// A call that needs one.
const NUMBER: &str = "/wxa/business/getuserphonenumber";
const LIFE: Duration = Duration::from_secs(7200);

fn path(connection: &str) -> String {
    format!("/admin/v1/pools/{SHOP}/connections/{connection}/app-token")
}

/// A world with somebody who has a phone number, and two more nodes.
async fn three_nodes(database: TestDatabase) -> (World, [Node; 2]) {
    let world = World::new(database).await;
    world.person("bob");
    let others = [world.another_node().await, world.another_node().await];
    (world, others)
}

async fn number(world: &World, node: &Node) -> Answer {
    let code = world.phone_code(MINI, "bob");
    world.client_of(node).post(PHONE, json!({ "code": code })).await
}

/// Many people get their numbers at once, on all nodes.
async fn crowd(world: &World, others: &[Node; 2]) {
    let nodes = [&world.node, &others[0], &others[1]];
    let requests = (0..30).map(|n| number(world, nodes[n % 3]));
    for answer in futures::future::join_all(requests).await {
        answer.data();
    }
}

/// Waits until a renewal that is under way has been stored.
async fn renewed(world: &World) {
    let life = NOW.plus(LIFE).0;
    let stored = format!("SELECT COUNT(*) FROM app_tokens WHERE held_until = 0 AND expires_at > {life}");
    let begin = std::time::Instant::now();
    while raw::number(world.database(), &stored).await == 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "it is not renewed");
        tokio::task::yield_now().await;
    }
}

fn faults(world: &World, path: &str, errcode: i32) {
    let fault =
        Fault { path: Some(path.to_owned()), errcode: Some(errcode), count: 1000, ..Fault::default() };
    world.sandbox.add_fault(fault).unwrap();
}

async fn token(world: &World, key: &str, query: &str) -> Value {
    let got = call(world, Some(key), "GET", &format!("{}{query}", path("shop-mini")), None).await.is(200);
    world.secret(got["accessToken"].as_str().unwrap());
    got
}

on_both_engines! {
    async fn a_crowd_on_three_nodes_costs_one_fetch_while_a_token_lives(database) {
        let (world, others) = three_nodes(database).await;
        crowd(&world, &others).await;
        assert_eq!(world.calls(FETCH), 1);
        // Until its last five minutes there would be no other token.
        world.advance(LIFE.checked_sub(Duration::from_secs(300)).unwrap());
        crowd(&world, &others).await;
        assert_eq!(world.calls(FETCH), 1);
        // Then it is renewed behind their backs, once.
        world.advance(Duration::from_secs(80));
        crowd(&world, &others).await;
        renewed(&world).await;
        world.advance(Duration::from_secs(230));
        crowd(&world, &others).await;
        assert_eq!(world.calls(FETCH), 2);
        // After a night without anybody, all of them find it ended.
        world.advance(LIFE * 5);
        crowd(&world, &others).await;
        assert_eq!(world.calls(FETCH), 3);
        assert_eq!(world.calls(NUMBER), 150, "no call was made twice");
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM app_tokens").await, 1);
    }

    /// Lesson 6.
    async fn what_another_service_has_ended_heals_in_one_retry(database) {
        let (world, others) = three_nodes(database).await;
        crowd(&world, &others).await;
        world.sandbox.discard_tokens(MINI).unwrap();
        crowd(&world, &others).await;
        assert_eq!(world.calls(FETCH), 2, "one fetch for all nodes");
        let healing = world.calls(NUMBER) - 60;
        assert!((3..=30).contains(&healing), "each call that was refused was made once more: {healing}");
        crowd(&world, &others).await;
        assert_eq!((world.calls(FETCH), world.calls(NUMBER)), (2, 90 + healing));
    }

    async fn an_app_that_nobody_used_for_days_is_served_by_one_fetch_again(database) {
        let (world, others) = three_nodes(database).await;
        // All nodes know fences and refused tokens of the row before.
        for _ in 0..3 {
            crowd(&world, &others).await;
            world.sandbox.discard_tokens(MINI).unwrap();
            crowd(&world, &others).await;
        }
        world.advance(Duration::from_secs(3 * 24 * 60 * 60));
        world.node.app.sweep().await.unwrap();
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM app_tokens").await, 0);
        let before = world.calls(FETCH);
        for _ in 0..3 {
            crowd(&world, &others).await;
        }
        assert_eq!(world.calls(FETCH), before + 1);
        // The nodes keep it in memory as well.
        raw::execute(world.database(), "DELETE FROM app_tokens").await;
        crowd(&world, &others).await;
        assert_eq!(world.calls(FETCH), before + 1);
    }

    async fn a_token_that_wechat_keeps_refusing_is_not_fetched_for_every_call(database) {
        let (world, _) = three_nodes(database).await;
        for errcode in [40001, 40014, 42001] {
            world.sandbox.clear_faults();
            world.advance(Duration::from_secs(60));
            let before = world.calls(FETCH);
            faults(&world, NUMBER, errcode);
            for _ in 0..10 {
                number(&world, &world.node).await.refused(2407);
            }
            assert!(world.calls(FETCH) - before <= 2, "{errcode}");
        }
        world.sandbox.clear_faults();
        number(&world, &world.node).await.data();
    }

    async fn a_used_up_quota_is_not_asked_again(database) {
        let (world, others) = three_nodes(database).await;
        for (errcode, pause) in [(45011, 60), (45009, 600)] {
            world.advance(LIFE);
            let before = world.calls(FETCH);
            faults(&world, FETCH, errcode);
            for node in [&world.node, &others[0], &others[1], &world.node] {
                number(&world, node).await.refused(1002);
            }
            assert_eq!(world.calls(FETCH), before + 1, "{errcode}");
            world.sandbox.clear_faults();
            number(&world, &others[0]).await.refused(1002);
            world.advance(Duration::from_secs(pause));
            number(&world, &others[0]).await.data();
            assert_eq!(world.calls(FETCH), before + 2, "{errcode}");
        }
    }

    async fn a_wrong_secret_is_not_tried_with_every_request(database) {
        let (world, others) = three_nodes(database).await;
        let state = |state| {
            world.sandbox.change_app(MINI, AppPatch { state: Some(state), ..AppPatch::default() }).unwrap();
        };
        state(AppState::SecretReset);
        for node in [&world.node, &others[0], &others[1], &world.node, &others[0]] {
            number(&world, node).await.refused(2407);
        }
        assert_eq!(world.calls(FETCH), 2, "a hiccup is forgiven once");
        // An administrator who mends it does not wait.
        state(AppState::Ok);
        let owner = key(&world, AdminRole::Owner, None).await;
        let check = format!("/admin/v1/pools/{SHOP}/connections/shop-mini/check");
        call(&world, Some(&owner), "POST", &check, None).await.is(200);
        number(&world, &others[1]).await.data();
        assert_eq!(world.calls(FETCH), 3);
    }

    async fn a_token_that_cannot_be_renewed_is_used_to_its_last_minute(database) {
        let (world, others) = three_nodes(database).await;
        crowd(&world, &others).await;
        faults(&world, FETCH, 40164);
        for seconds in [7000, 100, 39] {
            world.advance(Duration::from_secs(seconds));
            crowd(&world, &others).await;
        }
        world.advance(Duration::from_secs(1));
        // A renewal that began a moment ago may still answer with the old one.
        let mut answer = number(&world, &world.node).await;
        for _ in 0..100 {
            if answer.code() != 200 {
                break;
            }
            answer = number(&world, &world.node).await;
        }
        answer.refused(2407);
        world.sandbox.clear_faults();
        world.advance(Duration::from_secs(600));
        crowd(&world, &others).await;
    }

    async fn a_node_that_dies_while_it_fetches_is_waited_for_a_few_seconds(database) {
        let plan = Plan::new().limits(|limits| limits.request_budget = Duration::from_millis(400));
        let world = plan.build(database).await;
        world.person("bob");
        number(&world, &world.node).await.data();
        world.advance(LIFE);
        // It took the lease, and was never heard of again.
        let until = NOW.plus(LIFE).plus(Duration::from_secs(6)).0;
        let lease = format!("UPDATE app_tokens SET fence = fence + 1, holder = 'gone', held_until = {until}");
        raw::execute(world.database(), &lease).await;
        number(&world, &world.node).await.refused(408);
        assert_eq!(world.calls(FETCH), 1, "two would fetch at once");
        let other = world.another_node().await;
        world.advance(Duration::from_secs(6));
        number(&world, &other).await.data();
        number(&world, &world.node).await.data();
        assert_eq!(world.calls(FETCH), 2);
    }

    async fn the_owners_other_services_get_the_same_token(database) {
        let (world, others) = three_nodes(database).await;
        let owner = key(&world, AdminRole::Owner, Some(SHOP)).await;
        let got = token(&world, &owner, "").await;
        assert_eq!((got["expiresIn"].as_u64(), got["expiresAt"].as_str()), (Some(7200), Some("2025-06-15T17:06:40.000Z")));
        crowd(&world, &others).await;
        world.advance(Duration::from_secs(60));
        let again = token(&world, &owner, "?refresh=false").await;
        assert_eq!((&again["accessToken"], again["expiresIn"].as_u64()), (&got["accessToken"], Some(7140)));
        assert_eq!(world.calls(FETCH), 1);

        // It has leaked.
        let new = token(&world, &owner, "?refresh=true").await;
        assert!(new["accessToken"] != got["accessToken"] && new["expiresIn"] == 7200);
        crowd(&world, &others).await;
        assert_eq!(world.calls(FETCH), 2);
        let refresh = format!("{}?refresh=true", path("shop-mini"));
        call(&world, Some(&owner), "GET", &refresh, None).await.is(429);
        assert_eq!(token(&world, &owner, "").await["accessToken"], new["accessToken"]);
        for _ in 0..9 {
            world.advance(Duration::from_secs(30));
            token(&world, &owner, "?refresh=true").await;
        }
        world.advance(Duration::from_secs(30));
        call(&world, Some(&owner), "GET", &refresh, None).await.is(429);

        let audit = world.audit().await;
        let count = |action: &str| audit.iter().filter(|event| event.action == action).count();
        assert_eq!((count("app_token.read"), count("app_token.refreshed")), (3, 10));
        assert!(audit.iter().all(|event| event.actor_kind != "system"));
    }

    async fn an_app_token_is_the_owners_alone(database) {
        let world = World::new(database).await;
        for role in [AdminRole::Manager, AdminRole::Support, AdminRole::Auditor] {
            let key = key(&world, role, None).await;
            call(&world, Some(&key), "GET", &path("shop-mini"), None).await.is(403);
            call(&world, Some(&key), "GET", &format!("{}?refresh=true", path("shop-mini")), None).await.is(403);
        }
        call(&world, None, "GET", &path("shop-mini"), None).await.is(401);
        let owner = key(&world, AdminRole::Owner, None).await;
        call(&world, Some(&owner), "GET", &path("cafe-mini"), None).await.is(404);
        call(&world, Some(&owner), "GET", &format!("{}?refresh=x", path("shop-mini")), None).await.is(422);
        assert_eq!(world.calls(FETCH), 0);

        let request = Request::get(path("shop-mini")).header("authorization", format!("Bearer {owner}"));
        let answer = world.node.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body: Value =
            serde_json::from_slice(&axum::body::to_bytes(answer.into_body(), 4096).await.unwrap()).unwrap();
        let token = body["accessToken"].as_str().unwrap();
        world.secret(token);
        // It is sealed: longer than the token itself, and without it.
        let length = i64::try_from(token.len()).unwrap();
        let sealed = format!("SELECT COUNT(*) FROM app_tokens WHERE LENGTH(token) > {length}");
        assert_eq!(raw::number(world.database(), &sealed).await, 1);
    }

    /// An AppID is public. Whoever writes that of another pool into a connection must not take from its owner the refresh of a
    /// token that has leaked.
    async fn anothers_app_id_takes_none_of_its_refreshes(database) {
        let world = World::new(database).await;
        let (guess, own) = ("a-guess-at-the-secret", "app_id = \"wx00000000000000b1\", app_secret = \"secret-of-wx00000000000000b1\"");
        world.reconfigure_with(own, &format!("app_id = \"{MINI}\", app_secret = \"{guess}\"")).await;
        let stranger = key(&world, AdminRole::Owner, Some(CAFE)).await;
        let refresh = format!("/admin/v1/pools/{CAFE}/connections/cafe-mini/app-token?refresh=true");
        for _ in 0..10 {
            assert_eq!(call(&world, Some(&stranger), "GET", &refresh, None).await.is(503)["code"], 2407);
            world.advance(Duration::from_secs(30));
        }
        call(&world, Some(&stranger), "GET", &refresh, None).await.is(429);
        let owner = key(&world, AdminRole::Owner, Some(SHOP)).await;
        token(&world, &owner, "?refresh=true").await;
    }

    async fn a_new_secret_asks_anew(database) {
        let world = World::new(database).await;
        world.person("bob");
        number(&world, &world.node).await.data();
        let secret = "another-secret-of-the-mini-program";
        world.secret(secret);
        world.sandbox.change_app(MINI, AppPatch { secret: Some(secret.into()), ..AppPatch::default() }).unwrap();
        world.reconfigure_with("secret-of-wx00000000000000a1", secret).await;
        number(&world, &world.node).await.data();
        assert_eq!(world.calls(FETCH), 2);
    }
}
