//! The calls of official accounts, and where each kind of app may ask for tokens from.

use axum::http::Method;
use hufu_sandbox::{AppKind, Delivery};
use serde_json::{Value, json};

use crate::support::{Answer, SECRET, SERVICE, SHOP, SUBSCRIPTION, WEBSITE, World, encoded, read_qr_code};

fn world() -> World {
    let world = World::new();
    world.add(WEBSITE, AppKind::Website);
    world.add(SERVICE, AppKind::ServiceAccount);
    world.add(SUBSCRIPTION, AppKind::SubscriptionAccount);
    world
}

async fn create(world: &World, token: &str, body: Value) -> Answer {
    world.post(&format!("/api/cgi-bin/qrcode/create?access_token={token}"), body).await
}

fn text_scene(seconds: u64, scene: &str) -> Value {
    json!({
        "expire_seconds": seconds,
        "action_name": "QR_STR_SCENE",
        "action_info": { "scene": { "scene_str": scene } },
    })
}

async fn user(world: &World, token: &str, openid: &str) -> Answer {
    world.get(&format!("/api/cgi-bin/user/info?access_token={token}&openid={openid}&lang=zh_CN")).await
}

#[tokio::test]
async fn a_qr_code_is_a_ticket_and_the_ticket_a_picture() {
    let world = world();
    let token = world.token(SERVICE).await;
    let made = create(&world, &token, text_scene(120, "abc")).await;
    assert_eq!((made.errcode(), made.label()), (0, "application/json; encoding=utf-8"));
    let made = made.json();
    assert!(made.get("errcode").is_none());
    assert_eq!(made["expire_seconds"], 120);
    let (ticket, url) = (made["ticket"].as_str().unwrap(), made["url"].as_str().unwrap());
    assert!(ticket.starts_with("gQ") && url.starts_with("http://weixin.qq.com/q/"), "{made}");

    let picture = world.get(&format!("/mp/cgi-bin/showqrcode?ticket={}", encoded(ticket))).await;
    assert_eq!((picture.status.as_u16(), picture.label()), (200, "image/jpg"));
    assert_eq!(read_qr_code(&picture.bytes), url);
    assert_eq!(world.get("/mp/cgi-bin/showqrcode?ticket=wrong").await.status, 404);
    assert_eq!(world.get("/mp/cgi-bin/showqrcode").await.status, 404);

    let forever = json!({ "action_name": "QR_LIMIT_SCENE", "action_info": { "scene": { "scene_id": 7 } } });
    let made = create(&world, &token, forever).await.json();
    assert!(made.get("expire_seconds").is_none(), "{made}");
    let plain =
        json!({ "action_name": "QR_SCENE", "action_info": { "scene": { "scene_id": 4_294_967_295_u32 } } });
    assert_eq!(create(&world, &token, plain).await.json()["expire_seconds"], 60, "by default");
}

#[tokio::test]
async fn a_wrong_qr_code_is_refused() {
    let world = world();
    let token = world.token(SERVICE).await;
    let scene = |name: &str, scene: Value| json!({ "action_name": name, "action_info": { "scene": scene } });
    let cases = [
        (scene("QR_STR", json!({ "scene_str": "a" })), 40052),
        (json!({}), 40052),
        (scene("QR_STR_SCENE", json!({ "scene_str": "" })), 40053),
        (scene("QR_STR_SCENE", json!({ "scene_str": "a".repeat(65) })), 40053),
        (scene("QR_STR_SCENE", json!({ "scene_id": 1 })), 40053),
        (scene("QR_SCENE", json!({ "scene_id": 0 })), 40053),
        (scene("QR_SCENE", json!({ "scene_id": 4_294_967_296_u64 })), 40053),
        (scene("QR_LIMIT_SCENE", json!({ "scene_id": 100_001 })), 40053),
        (json!({ "action_name": "QR_LIMIT_STR_SCENE" }), 40053),
        (text_scene(0, "a"), 40035),
        (text_scene(2_592_001, "a"), 40035),
    ];
    for (body, code) in cases {
        assert_eq!(create(&world, &token, body.clone()).await.errcode(), code, "{body}");
    }
    let path = format!("/api/cgi-bin/qrcode/create?access_token={token}");
    assert_eq!(world.call(Method::POST, &path, "scene=1").await.errcode(), 47001);
    assert_eq!(world.get(&path).await.errcode(), 43002);
    assert_eq!(create(&world, "", text_scene(60, "a")).await.errcode(), 41001);
    assert_eq!(create(&world, "unknown", text_scene(60, "a")).await.errcode(), 40014);
    for app in [SUBSCRIPTION, SHOP] {
        let token = world.token(app).await;
        assert_eq!(create(&world, &token, text_scene(60, "a")).await.errcode(), 48001, "{app}");
    }
    let fault = json!({ "path": "/cgi-bin/qrcode/create", "app_id": SERVICE, "errcode": 45009 });
    world.control(Method::POST, "/faults", fault).await;
    assert_eq!(create(&world, &token, text_scene(60, "a")).await.errcode(), 45009);
    world.control(Method::PATCH, &format!("/apps/{SERVICE}"), json!({ "state": "banned" })).await;
    assert_eq!(create(&world, &token, text_scene(60, "a")).await.errcode(), 48004);
}

#[tokio::test]
async fn a_follower_has_a_profile_without_nickname() {
    let world = world();
    let token = world.token(SERVICE).await;
    let view = world.control(Method::PATCH, "/users/alice", json!({})).await;
    let ids = view["ids"].as_array().unwrap().iter().find(|ids| ids["app_id"] == SERVICE).unwrap();
    let openid = ids["openid"].as_str().unwrap();
    let stranger = user(&world, &token, openid).await.json();
    assert_eq!(stranger, json!({ "subscribe": 0, "openid": openid, "unionid": ids["unionid"] }));

    let ticket = create(&world, &token, text_scene(60, "abc")).await.json()["ticket"].clone();
    let scan = json!({ "ticket": ticket, "user": "alice" });
    world.control(Method::POST, "/scan", scan).await;
    let follower = user(&world, &token, openid).await.json();
    assert_eq!((&follower["subscribe"], &follower["unionid"]), (&json!(1), &ids["unionid"]));
    assert_eq!((&follower["nickname"], &follower["qr_scene_str"]), (&json!(""), &json!("abc")));
    assert_eq!(follower["subscribe_scene"], "ADD_SCENE_QR_CODE");
    assert_eq!(follower["subscribe_time"], 1_749_960_000);

    world.control(Method::POST, "/unfollow", json!({ "app_id": SERVICE, "user": "alice" })).await;
    assert_eq!(user(&world, &token, openid).await.json()["subscribe"], 0);
    world.sandbox.follow(SERVICE, "alice", &Delivery::default()).await.unwrap();
    assert_eq!(user(&world, &token, openid).await.json()["subscribe_scene"], "ADD_SCENE_SEARCH");

    assert_eq!(user(&world, &token, "oXXXXXXXXXXXXXXXXXXXXXXXXXXX").await.errcode(), 40003);
    assert_eq!(user(&world, &token, "short").await.errcode(), 40003);
    assert_eq!(user(&world, &token, "").await.errcode(), 41009);
    let mini = world.token(SHOP).await;
    assert_eq!(user(&world, &mini, openid).await.errcode(), 48001);
}

#[tokio::test]
async fn only_official_accounts_have_followers() {
    let world = world();
    for (path, app, status) in [
        ("/follow", SHOP, 400),
        ("/follow", "wx9999999999999999", 404),
        ("/unfollow", SERVICE, 409),
        ("/message", SERVICE, 409),
        ("/menu", SERVICE, 409),
    ] {
        let body = json!({ "app_id": app, "user": "alice", "text": "hello", "key": "KEY" });
        let answer = world.post(&format!("/__sandbox{path}"), body).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {app}: {}", answer.text);
    }
    let twice = json!({ "app_id": SERVICE, "user": "alice" });
    assert!(world.control(Method::POST, "/follow", twice.clone()).await["push"].is_object());
    assert!(world.control(Method::POST, "/follow", twice).await["push"].is_null(), "nothing changed");
}

#[tokio::test]
async fn a_token_is_given_only_to_known_addresses() {
    let world = world();
    let path = format!("/apps/{SERVICE}");
    world.control(Method::PATCH, &path, json!({ "ip_allow": ["10.1.2.3"] })).await;
    let refused = world.stable_token(SERVICE, false).await;
    assert_eq!(refused.errcode(), 40164);
    let text = refused.json()["errmsg"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist, rid: "),
        "{text}"
    );
    let plain = format!("/api/cgi-bin/token?grant_type=client_credential&appid={SERVICE}&secret={SECRET}");
    assert_eq!(world.get(&plain).await.errcode(), 40164);
    world.control(Method::PATCH, &path, json!({ "ip_allow": ["10.1.2.3", "::ffff:127.0.0.1"] })).await;
    assert_eq!(world.stable_token(SERVICE, false).await.errcode(), 0);
}

#[tokio::test]
async fn the_address_is_that_of_the_connection() {
    let world = world();
    let path = format!("/apps/{SERVICE}");
    world.control(Method::PATCH, &path, json!({ "ip_allow": ["127.0.0.2"] })).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(world.sandbox.clone().serve(listener, std::future::pending()));
    let url = format!(
        "http://{address}/api/cgi-bin/token?grant_type=client_credential&appid={SERVICE}&secret={SECRET}"
    );
    for (from, errcode) in [("127.0.0.2", None), ("127.0.0.3", Some(40164))] {
        let from: std::net::IpAddr = from.parse().unwrap();
        let client = reqwest::Client::builder().no_proxy().local_address(from).build().unwrap();
        let text = client.get(&url).send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["errcode"].as_i64(), errcode, "{answer}");
        if errcode.is_some() {
            assert!(answer["errmsg"].as_str().unwrap().starts_with("invalid ip 127.0.0.3 ipv6"), "{answer}");
        }
    }
}

#[tokio::test]
async fn quotas_can_be_cleared_ten_times_a_month() {
    let world =
        World::with(hufu_sandbox::Options { daily_token_limit: 1, ..hufu_sandbox::Options::default() });
    world.add(SERVICE, AppKind::ServiceAccount);
    let token = world.token(SERVICE).await;
    let ips = world.get(&format!("/api/cgi-bin/getcallbackip?access_token={token}")).await.json();
    assert_eq!(ips, json!({ "ip_list": ["127.0.0.1"] }));
    let plain = format!("/api/cgi-bin/token?grant_type=client_credential&appid={SERVICE}&secret={SECRET}");
    let clear = format!("/api/cgi-bin/clear_quota?access_token={token}");
    for _ in 0..10 {
        assert_eq!(world.get(&plain).await.errcode(), 0);
        assert_eq!(world.get(&plain).await.errcode(), 45009);
        assert_eq!(world.post(&clear, json!({ "appid": SERVICE })).await.errcode(), 0);
    }
    assert_eq!(world.post(&clear, json!({ "appid": SERVICE })).await.errcode(), 48006);
    assert_eq!(world.post(&clear, json!({ "appid": SHOP })).await.errcode(), 40013);
}
