//! `GET /wxa/checksession` and `GET /wxa/resetusersessionkey`.

use axum::http::Method;
use hufu_sandbox::Options;
use hufu_wechat::SessionKey;
use hufu_wechat::crypto::session_signature;
use serde_json::{Value, json};

use crate::support::{SHOP, World};

fn query(token: &str, openid: &str, signature: &str) -> String {
    format!("access_token={token}&openid={openid}&signature={signature}&sig_method=hmac_sha256")
}

fn signed(token: &str, login: &Value) -> String {
    let key = SessionKey::parse(login["session_key"].as_str().unwrap()).unwrap();
    query(token, login["openid"].as_str().unwrap(), &session_signature(&key, b""))
}

#[tokio::test]
async fn only_the_current_session_key_checks() {
    let world = World::new();
    let token = world.token(SHOP).await;
    let old = signed(&token, &world.log_in(SHOP, "alice").await);
    let check = |query: String| format!("/api/wxa/checksession?{query}");
    let good = world.get(&check(old.clone())).await;
    assert_eq!(good.json(), json!({ "errcode": 0, "errmsg": "ok" }));
    let new = signed(&token, &world.log_in(SHOP, "alice").await);
    assert_eq!(world.get(&check(old)).await.errcode(), 87009);
    assert_eq!(world.get(&check(new.clone())).await.errcode(), 0);
    assert_eq!(world.get(&check(new.replace("hmac_sha256", "md5"))).await.errcode(), 87008);
    assert_eq!(world.get(&check(new.replace(&token, "97_x"))).await.errcode(), 40014);
    assert_eq!(world.get(&check(new.replace("access_token", "token"))).await.errcode(), 41001);
    assert_eq!(world.call(Method::POST, &check(new), "").await.errcode(), 43001);
}

#[tokio::test]
async fn people_without_a_session() {
    let world = World::new();
    let token = world.token(SHOP).await;
    let bob = world.control(Method::POST, "/codes", json!({ "app_id": SHOP, "user": "bob" })).await;
    let check = |openid: &str| format!("/api/wxa/checksession?{}", query(&token, openid, "00"));
    assert_eq!(world.get(&check(bob["openid"].as_str().unwrap())).await.errcode(), 87007);
    assert_eq!(world.get(&check(&format!("o{}", "x".repeat(27)))).await.errcode(), 40003);
    assert_eq!(world.get(&check("short")).await.errcode(), 40003);
}

#[tokio::test]
async fn a_reset_makes_a_new_key_by_get_and_by_post() {
    let world = World::new();
    let token = world.token(SHOP).await;
    let login = world.log_in(SHOP, "alice").await;
    let first = signed(&token, &login);
    let reset = world.get(&format!("/api/wxa/resetusersessionkey?{first}")).await.json();
    assert_eq!((&reset["errcode"], &reset["openid"]), (&json!(0), &login["openid"]));
    assert_ne!(reset["session_key"], login["session_key"]);
    assert_eq!(world.get(&format!("/api/wxa/checksession?{first}")).await.errcode(), 87009);

    let second = signed(&token, &reset);
    assert_eq!(world.get(&format!("/api/wxa/checksession?{second}")).await.errcode(), 0);
    let key = SessionKey::parse(reset["session_key"].as_str().unwrap()).unwrap();
    let body = json!({
        "openid": login["openid"],
        "signature": session_signature(&key, b""),
        "sig_method": "hmac_sha256",
    });
    let posted = world.post(&format!("/api/wxa/resetusersessionkey?access_token={token}"), body).await;
    assert_eq!(posted.errcode(), 0, "{}", posted.text);
    assert_eq!(world.get(&format!("/api/wxa/checksession?{second}")).await.errcode(), 87009);
}

#[tokio::test]
async fn beyond_the_capacity_the_oldest_session_is_forgotten() {
    let world = World::with(Options { max_sessions: 16, ..Options::default() });
    let token = world.token(SHOP).await;
    let alice = signed(&token, &world.log_in(SHOP, "alice").await);
    for code in world.sandbox.fresh_login_codes(SHOP, 500).unwrap() {
        assert_eq!(world.login(SHOP, &code).await.errcode(), 0);
    }
    assert_eq!(world.get(&format!("/api/wxa/checksession?{alice}")).await.errcode(), 87007);
}
