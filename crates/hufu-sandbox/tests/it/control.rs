//! The control API: who may use it, and what it returns.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use hufu_sandbox::Options;
use serde_json::{Value, json};

use crate::support::{SECRET, SHOP, START_MS, World};

async fn status(world: &World, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
}

#[tokio::test]
async fn only_under_a_name_of_this_machine() {
    let world = World::with(Options { control_hosts: vec!["sandbox".to_owned()], ..Options::default() });
    let hosts = [
        ("localhost", 200),
        ("localhost:3100", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1:3100", 200),
        ("[::1]:3100", 200),
        ("[::1]", 200),
        ("sandbox:3100", 200),
        ("evil.example", 403),
        ("localhost.evil.example:3100", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.0.0.1:3100", 403),
        ("localhost:80@evil.example", 403),
        ("::1", 403),
        ("", 403),
    ];
    for (host, expected) in hosts {
        for path in ["/__sandbox/apps", "/"] {
            assert_eq!(status(&world, path, &[("host", host)]).await, expected, "{host} {path}");
        }
    }
    assert_eq!(status(&world, "/__sandbox/apps", &[]).await, 403, "no Host at all");
    assert_eq!(status(&world, "/api/sns/jscode2session", &[("host", "api.weixin.qq.com")]).await, 200);
}

#[tokio::test]
async fn only_from_this_machine_unless_a_name_was_given() {
    let world = World::with(Options { control_hosts: vec!["sandbox".to_owned()], ..Options::default() });
    for (peer, host, expected) in [
        ("127.0.0.1:4000", "localhost:3100", 200),
        ("[::1]:4000", "127.0.0.1:3100", 200),
        ("[::ffff:127.0.0.1]:4000", "127.0.0.1:3100", 200),
        ("192.0.2.7:4000", "localhost:3100", 403),
        ("[2001:db8::7]:4000", "[::1]:3100", 403),
        ("192.0.2.7:4000", "sandbox:3100", 200),
    ] {
        for path in ["/__sandbox/apps", "/"] {
            let peer: SocketAddr = peer.parse().unwrap();
            let mut request = Request::builder().uri(path).header("host", host).body(Body::empty()).unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
            assert_eq!(world.send(request).await.status.as_u16(), expected, "{peer} {host} {path}");
        }
    }
}

/// What leads away from this machine is chosen when the sandbox starts.
#[tokio::test]
async fn only_the_start_lets_the_sandbox_call_other_machines() {
    let host = Some("http://hufu:3000".to_owned());
    let options = Options { login_mini_program_host: host, push_anywhere: true, ..Options::default() };
    let world = World::with(options);
    let set = async |settings: Value| world.post("/__sandbox/settings", settings).await.status.as_u16();
    assert_eq!(
        set(json!({ "login_mini_program_host": "http://[::1]:3000", "push_anywhere": false })).await,
        200
    );
    assert_eq!(set(json!({ "login_mini_program_host": "http://other:3000" })).await, 400);
    assert_eq!(
        set(json!({ "login_mini_program_host": "http://hufu:3000/", "push_anywhere": true })).await,
        200
    );
    let shown = world.control(Method::GET, "/settings", json!({})).await;
    assert_eq!(
        (&shown["login_mini_program_host"], &shown["push_anywhere"]),
        (&json!("http://hufu:3000"), &json!(true))
    );
}

#[tokio::test]
async fn no_page_of_another_site() {
    let world = World::new();
    let host = ("host", "127.0.0.1:3100");
    let cases = [
        (vec![host, ("origin", "http://127.0.0.1:3100")], 200),
        (vec![host, ("sec-fetch-site", "same-origin")], 200),
        (vec![host, ("sec-fetch-site", "none")], 200),
        (vec![host, ("origin", "http://127.0.0.1:3000")], 403),
        (vec![host, ("origin", "https://127.0.0.1:3100")], 403),
        (vec![host, ("origin", "http://evil.example")], 403),
        (vec![host, ("origin", "null")], 403),
        (vec![host, ("sec-fetch-site", "same-site")], 403),
        (vec![host, ("sec-fetch-site", "cross-site")], 403),
    ];
    for (headers, expected) in cases {
        assert_eq!(status(&world, "/__sandbox/log", &headers).await, expected, "{headers:?}");
    }
    let link = [host, ("sec-fetch-site", "cross-site")];
    assert_eq!(status(&world, "/", &link).await, 200, "links may lead to the page");
}

#[tokio::test]
async fn apps_are_made_replaced_and_changed() {
    let world = World::new();
    let made = world.post("/__sandbox/apps", json!({})).await;
    assert_eq!(made.status, 201);
    let app = made.json();
    assert!(app["app_id"].as_str().unwrap().starts_with("wx") && app["secret"].as_str().unwrap().len() == 32);
    assert_eq!((&app["kind"], &app["state"]), (&json!("miniprogram"), &json!("ok")));

    let again = json!({ "app_id": app["app_id"], "secret": "another", "kind": "miniprogram" });
    let again = world.post("/__sandbox/apps", again).await;
    assert_eq!((again.status.as_u16(), &again.json()["secret"]), (200, &json!("another")));
    let listed = world.control(Method::GET, "/apps", json!({})).await;
    assert_eq!(listed["apps"].as_array().unwrap().len(), 4);

    let path = format!("/apps/{SHOP}");
    let changed = world.control(Method::PATCH, &path, json!({ "state": "frozen" })).await;
    assert_eq!((&changed["state"], &changed["open_platform"]), (&json!("frozen"), &json!("shop")));
    let refused = [
        json!({ "app_id": "wx1" }),
        json!({ "app_id": "wxABCDEF0123456789" }),
        json!({ "secret": "" }),
        json!({ "secret": "two words" }),
        json!({ "kind": "corp" }),
        json!({ "unknown": 1 }),
    ];
    for body in refused {
        assert_eq!(world.post("/__sandbox/apps", body.clone()).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn people_are_made_replaced_and_changed() {
    let world = World::new();
    let body = json!({
        "name": "小明", "phone": "13800000009", "country_code": "86",
        "nickname": "明 🐯", "avatar_url": "https://thirdwx.qlogo.cn/x/132", "risky": false,
    });
    let made = world.post("/__sandbox/users", body).await;
    assert_eq!(made.status, 201);
    let person = made.json();
    assert_eq!(person["ids"].as_array().unwrap().len(), 3);
    let path = "/users/%E5%B0%8F%E6%98%8E";
    let changed = world.control(Method::PATCH, path, json!({ "phone": "" })).await;
    assert_eq!((&changed["phone"], &changed["nickname"]), (&json!(""), &json!("明 🐯")));
    assert_eq!((&changed["ids"], &changed["language"]), (&person["ids"], &json!("zh_CN")));
    let changed = world.control(Method::PATCH, path, json!({ "language": "en" })).await;
    assert_eq!((&changed["language"], &changed["nickname"]), (&json!("en"), &json!("明 🐯")));

    let fresh = world.control(Method::POST, "/users", json!({})).await;
    assert!(fresh["name"].as_str().unwrap().starts_with("person-"));
    let refused = [
        json!({ "phone": "+8613800000000" }),
        json!({ "country_code": "" }),
        json!({ "language": "English, please" }),
        json!({ "name": "x".repeat(65) }),
        json!({ "openid": "oChosen" }),
    ];
    for body in refused {
        assert_eq!(world.post("/__sandbox/users", body.clone()).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn codes_for_one_person_for_somebody_new_and_for_many() {
    let world = World::new();
    let one = world.control(Method::POST, "/codes", json!({ "app_id": SHOP, "user": "alice" })).await;
    assert_eq!((&one["user"], &one["expires_in"]), (&json!("alice"), &json!(300)));
    let login = world.login(SHOP, one["code"].as_str().unwrap()).await.json();
    assert_eq!((&login["openid"], &login["unionid"]), (&one["openid"], &one["unionid"]));

    for body in [json!({ "app_id": SHOP }), json!({ "app_id": SHOP, "user": "new" })] {
        let fresh = world.control(Method::POST, "/codes", body).await;
        let name = fresh["user"].as_str().unwrap();
        assert_eq!(world.log_in(SHOP, name).await["openid"], fresh["openid"], "somebody new can come again");
    }
    let many =
        world.control(Method::POST, "/codes", json!({ "app_id": SHOP, "user": "bob", "count": 3 })).await;
    assert_eq!(many["codes"].as_array().unwrap().len(), 3);

    let refused = [
        (json!({ "app_id": "wx9999999999999999" }), 404),
        (json!({ "app_id": SHOP, "user": "nobody" }), 404),
        (json!({ "app_id": SHOP, "count": 100_001 }), 400),
        (json!({ "app_id": SHOP, "fresh_users": 1_000_001 }), 400),
        (json!({ "app_id": SHOP, "fresh_users": 1, "user": "bob" }), 400),
        (json!({ "app_id": SHOP, "user": 7 }), 400),
    ];
    for (body, expected) in refused {
        assert_eq!(world.post("/__sandbox/codes", body.clone()).await.status, expected, "{body}");
    }
}

#[tokio::test]
async fn codes_are_bounded_and_expired_ones_make_room() {
    let world = World::with(Options { max_codes: 1000, ..Options::default() });
    let all = json!({ "app_id": SHOP, "fresh_users": 1000 });
    world.control(Method::POST, "/codes", all.clone()).await;
    assert_eq!(world.post("/__sandbox/codes", json!({ "app_id": SHOP })).await.status, 409);
    world.advance(300);
    world.control(Method::POST, "/codes", all).await;
    let log = world.control(Method::GET, "/log", json!({})).await;
    assert_eq!(log["live_codes"], 1000);
}

#[tokio::test]
async fn the_clock_goes_forward() {
    let world = World::new();
    let clock = world.control(Method::POST, "/clock", json!({ "advance_seconds": 90 })).await;
    assert_eq!(clock["now"], START_MS / 1000 + 90);
    assert_eq!(world.control(Method::GET, "/clock", json!({})).await, clock);
    for body in [json!({ "advance_seconds": -1 }), json!({ "advance_seconds": 1e12 }), json!({})] {
        assert_eq!(world.post("/__sandbox/clock", body.clone()).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn the_log_has_calls_and_no_secrets() {
    let world = World::with(Options { log_capacity: 4, ..Options::default() });
    let login = world.log_in(SHOP, "alice").await;
    let token = world.token(SHOP).await;
    assert_eq!(world.token_errcode(&token).await, 40029);
    world.get(&format!("/api/sns/jscode2session?appid={SECRET}&secret={SHOP}")).await;
    let log = world.control(Method::GET, "/log", json!({})).await;
    let calls: Vec<(Value, Value, Value)> = log["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (call["path"].clone(), call["app_id"].clone(), call["errcode"].clone()))
        .collect();
    let expected = [
        (json!("/sns/jscode2session"), json!(SHOP), json!(0)),
        (json!("/cgi-bin/stable_token"), json!(SHOP), json!(0)),
        (json!("/wxa/business/getuserphonenumber"), json!(SHOP), json!(40029)),
        (json!("/sns/jscode2session"), Value::Null, json!(40013)),
    ];
    assert_eq!(calls, expected);
    let text = log.to_string();
    for secret in [SECRET, &token, login["openid"].as_str().unwrap(), login["session_key"].as_str().unwrap()]
    {
        assert!(!text.contains(secret), "{secret} stands in the log");
    }
    world.get("/api/nothing").await;
    let later = world.control(Method::GET, "/log?after=4", json!({})).await;
    assert_eq!(later["calls"].as_array().unwrap().len(), 1);
    let all = world.control(Method::GET, "/log", json!({})).await;
    assert_eq!((all["calls"].as_array().unwrap().len(), &all["calls"][0]["seq"]), (4, &json!(2)));
    let one = world.control(Method::GET, "/log?limit=1", json!({})).await;
    assert_eq!(one["calls"][0]["path"], "unknown");
    world.control(Method::DELETE, "/log", json!({})).await;
    assert!(world.sandbox.calls(0).is_empty());
}
