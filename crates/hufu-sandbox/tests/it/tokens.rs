//! `POST /cgi-bin/stable_token` and `GET /cgi-bin/token`.

use axum::http::Method;
use hufu_sandbox::Options;
use serde_json::{Value, json};

use crate::support::{SECRET, SHOP, SHOP_ALSO, World};

/// A valid token lets the call go on to check its code.
const WORKS: i64 = 40029;

async fn normal_token(world: &World) -> Value {
    let query = format!("grant_type=client_credential&appid={SHOP}&secret={SECRET}");
    world.get(&format!("/api/cgi-bin/token?{query}")).await.json()
}

fn text(answer: &Value) -> String {
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn the_stable_token_stays_and_its_time_shrinks() {
    let world = World::new();
    let answer = world.stable_token(SHOP, false).await;
    assert_eq!(answer.label(), "application/json; encoding=utf-8");
    let first = answer.json();
    assert_eq!(first["expires_in"], 7200);
    assert!(first.get("errcode").is_none());
    world.advance(1000);
    let later = world.stable_token(SHOP, false).await.json();
    assert_eq!((text(&later), &later["expires_in"]), (text(&first), &json!(6200)));
}

#[tokio::test]
async fn in_the_last_five_minutes_the_old_and_the_new_token_both_work() {
    let world = World::new();
    let old = world.token(SHOP).await;
    world.advance(6899);
    let last = world.stable_token(SHOP, false).await.json();
    assert_eq!((text(&last), &last["expires_in"]), (old.clone(), &json!(301)));
    world.advance(1);
    let new = world.stable_token(SHOP, false).await.json();
    assert_ne!(text(&new), old);
    assert_eq!(new["expires_in"], 7200);
    assert_eq!(world.token_errcode(&old).await, WORKS);
    assert_eq!(world.token_errcode(&text(&new)).await, WORKS);
    world.advance(300);
    assert_eq!(world.token_errcode(&old).await, 42001);
    assert_eq!(world.token_errcode(&text(&new)).await, WORKS);
}

#[tokio::test]
async fn a_forced_refresh_ends_the_old_token_at_once_but_not_twice_in_thirty_seconds() {
    let world = World::new();
    let old = world.token(SHOP).await;
    let forced = text(&world.stable_token(SHOP, true).await.json());
    assert_ne!(forced, old);
    assert_eq!(world.token_errcode(&old).await, 40001);
    world.advance(29);
    assert_eq!(text(&world.stable_token(SHOP, true).await.json()), forced);
    world.advance(1);
    assert_ne!(text(&world.stable_token(SHOP, true).await.json()), forced);
    assert_eq!(world.token_errcode(&forced).await, 40001);
}

#[tokio::test]
async fn twenty_forced_refreshes_a_day_of_beijing() {
    let world = World::new();
    for _ in 0..20 {
        assert_eq!(world.stable_token(SHOP, true).await.errcode(), 0);
        world.advance(30);
    }
    let token = world.token(SHOP).await;
    assert_eq!(world.stable_token(SHOP, true).await.errcode(), 45009);
    assert_eq!(world.token_errcode(&token).await, WORKS, "a refused refresh ends nothing");
    world.advance(12 * 3600);
    assert_eq!(world.stable_token(SHOP, true).await.errcode(), 0, "the next day has begun");
}

#[tokio::test]
async fn each_normal_token_leaves_the_one_before_five_minutes() {
    let world = World::new();
    let (first, second) = (text(&normal_token(&world).await), text(&normal_token(&world).await));
    assert_ne!(first, second);
    world.advance(299);
    assert_eq!(world.token_errcode(&first).await, WORKS);
    world.advance(1);
    assert_eq!(world.token_errcode(&first).await, 40001, "it is not the latest any more");
    assert_eq!(world.token_errcode(&second).await, WORKS);
    world.advance(7200);
    assert_eq!(world.token_errcode(&second).await, 42001);
}

#[tokio::test]
async fn the_two_kinds_leave_each_other_alone() {
    let world = World::new();
    let (stable, normal) = (world.token(SHOP).await, text(&normal_token(&world).await));
    world.stable_token(SHOP, true).await;
    assert_eq!(world.token_errcode(&normal).await, WORKS);
    assert_eq!(world.token_errcode(&stable).await, 40001);
    let stable = world.token(SHOP).await;
    normal_token(&world).await;
    world.advance(400);
    assert_eq!(world.token_errcode(&stable).await, WORKS);
}

#[tokio::test]
async fn the_normal_token_has_a_daily_quota() {
    let world = World::with(Options { daily_token_limit: 3, ..Options::default() });
    for _ in 0..3 {
        normal_token(&world).await;
    }
    assert_eq!(normal_token(&world).await["errcode"], 45009);
    world.advance(86_400);
    assert!(normal_token(&world).await.get("errcode").is_none());
}

#[tokio::test]
async fn a_token_thrown_away_by_another_service_is_not_the_latest() {
    let world = World::new();
    let (token, other) = (world.token(SHOP).await, world.token(SHOP_ALSO).await);
    world.control(Method::POST, "/tokens/discard", json!({ "app_id": SHOP })).await;
    assert_eq!(world.token_errcode(&token).await, 40001);
    assert_eq!(world.token_errcode(&other).await, WORKS);
    let next = world.token(SHOP).await;
    assert_ne!(next, token);
    assert_eq!(world.token_errcode(&next).await, WORKS);
}

#[tokio::test]
async fn wrong_requests_for_tokens() {
    let world = World::new();
    let stable = "/api/cgi-bin/stable_token";
    assert_eq!(world.get(stable).await.errcode(), 43002);
    let form = format!("grant_type=client_credential&appid={SHOP}&secret={SECRET}");
    assert_eq!(world.call(Method::POST, stable, form.clone()).await.errcode(), 47001);
    let bodies = [
        (json!({}), 41002),
        (json!({ "appid": "wx9999999999999999" }), 40013),
        (json!({ "appid": SHOP }), 41004),
        (json!({ "appid": SHOP, "secret": "wrong" }), 40125),
        (json!({ "appid": SHOP, "secret": SECRET }), 40002),
        (json!({ "appid": SHOP, "secret": SECRET, "grant_type": "authorization_code" }), 40002),
        (json!({ "appid": 7 }), 47001),
    ];
    for (body, errcode) in bodies {
        assert_eq!(world.post(stable, body.clone()).await.errcode(), errcode, "{body}");
    }
    let queries = [("", 41002), ("appid=wx9999999999999999", 40013), ("appid=wx0000000000000001", 41004)];
    for (query, errcode) in queries {
        assert_eq!(world.get(&format!("/api/cgi-bin/token?{query}")).await.errcode(), errcode, "{query}");
    }
}

#[tokio::test]
async fn missing_unknown_and_foreign_tokens() {
    let world = World::new();
    let path = "/api/wxa/business/getuserphonenumber";
    assert_eq!(world.post(path, json!({ "code": "x" })).await.errcode(), 41001);
    assert_eq!(world.token_errcode("97_unknown").await, 40014);
}
