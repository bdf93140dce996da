//! `GET /sns/jscode2session`.

use axum::http::Method;
use hufu_sandbox::{AppPatch, AppState, Options, UserPatch};
use serde_json::json;

use crate::support::{ALONE, SECRET, SHOP, SHOP_ALSO, World};

const PATH: &str = "/api/sns/jscode2session";

#[tokio::test]
async fn a_code_becomes_an_openid_a_session_key_and_a_unionid_without_errcode() {
    let world = World::new();
    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    assert_eq!(code.len(), 32);
    assert!(code.starts_with('0') && code.bytes().all(|b| b.is_ascii_alphanumeric()), "{code}");

    let answer = world.login(SHOP, &code).await;
    assert_eq!(answer.label(), "text/plain");
    let body = answer.json();
    assert!(body.get("errcode").is_none() && body.get("errmsg").is_none());
    let session_key = body["session_key"].as_str().unwrap();
    assert!(session_key.len() == 24 && session_key.ends_with("=="), "{session_key}");
    for id in ["openid", "unionid"] {
        let id = body[id].as_str().unwrap();
        assert!(id.len() == 28 && id.starts_with('o'), "{id}");
    }
    assert!(world.log_in(ALONE, "alice").await.get("unionid").is_none(), "this app is bound to no account");
}

#[tokio::test]
async fn each_check_comes_before_the_next() {
    let world = World::new();
    let used = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    world.login(SHOP, &used).await;
    let queries = [
        ("", 41002, "appid missing"),
        ("appid=&secret=x", 41002, "appid missing"),
        ("appid=wx9999999999999999", 40013, "invalid appid"),
        ("appid=nonsense&secret=x", 40013, "invalid appid"),
        ("appid=APP", 41004, "appsecret missing"),
        ("appid=APP&secret=wrong", 40125, "invalid appsecret"),
        ("appid=APP&secret=SECRET", 40002, "invalid grant_type"),
        ("appid=APP&secret=SECRET&grant_type=client_credential&js_code=x", 40002, "invalid grant_type"),
        ("appid=APP&secret=SECRET&grant_type=authorization_code", 41008, "missing code"),
        ("appid=APP&secret=SECRET&grant_type=authorization_code&js_code=x", 40029, "invalid code"),
        ("appid=APP&secret=SECRET&grant_type=authorization_code&js_code=USED", 40163, "code been used"),
    ];
    for (query, errcode, text) in queries {
        let query = query.replace("APP", SHOP).replace("SECRET", SECRET).replace("USED", &used);
        let answer = world.get(&format!("{PATH}?{query}")).await;
        assert_eq!(answer.errcode(), errcode, "{query}");
        assert_eq!(answer.label(), "text/plain");
        let errmsg = answer.json()["errmsg"].as_str().unwrap().to_owned();
        let (before, rid) = errmsg.split_once(", rid: ").expect("a request id");
        assert_eq!(before, text);
        let groups: Vec<&str> = rid.split('-').collect();
        assert!(groups.len() == 3 && groups.iter().all(|group| group.len() == 8), "{rid}");
        assert_eq!(groups[0], format!("{:08x}", crate::support::START_MS / 1000));
    }
}

#[tokio::test]
async fn parameters_count_only_in_the_query() {
    let world = World::new();
    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    let query = format!("appid={SHOP}&secret={SECRET}&js_code={code}&grant_type=authorization_code");
    let answer = world.call(Method::POST, PATH, query.clone()).await;
    assert_eq!(answer.errcode(), 41002);
    let json =
        json!({ "appid": SHOP, "secret": SECRET, "js_code": code, "grant_type": "authorization_code" });
    assert_eq!(world.post(PATH, json).await.errcode(), 41002);
    assert_eq!(world.call(Method::POST, &format!("{PATH}?{query}"), "").await.errcode(), 0);
}

#[tokio::test]
async fn a_code_lives_five_minutes() {
    let world = World::new();
    let codes = [0; 2].map(|_| world.sandbox.login_code(SHOP, Some("alice")).unwrap());
    world.advance(299);
    assert_eq!(world.login(SHOP, &codes[0]).await.errcode(), 0);
    assert_eq!(world.login(SHOP, &codes[0]).await.errcode(), 40163);
    world.advance(1);
    assert_eq!(world.login(SHOP, &codes[1]).await.errcode(), 40029);
    assert_eq!(
        world.login(SHOP, &codes[0]).await.errcode(),
        40029,
        "a used code is forgotten when its life ends"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_exchanges_at_once_one_succeeds() {
    let world = std::sync::Arc::new(World::new());
    for _ in 0..20 {
        let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let (world, code) = (std::sync::Arc::clone(&world), code.clone());
                tokio::spawn(async move { world.login(SHOP, &code).await.errcode() })
            })
            .collect();
        let mut errcodes = Vec::new();
        for call in calls {
            errcodes.push(call.await.unwrap());
        }
        errcodes.sort_unstable();
        assert_eq!(errcodes, [0, 40163, 40163, 40163, 40163, 40163, 40163, 40163]);
    }
}

#[tokio::test]
async fn a_code_of_another_app_is_unknown_and_stays_good_in_its_own() {
    let world = World::new();
    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    assert_eq!(world.login(SHOP_ALSO, &code).await.errcode(), 40029);
    assert_eq!(world.login(SHOP, &code).await.errcode(), 0);
    assert_eq!(world.login(SHOP_ALSO, &code).await.errcode(), 40029);
}

#[tokio::test]
async fn a_phone_code_is_no_login_code() {
    let world = World::new();
    let code = world.sandbox.phone_code(SHOP, Some("alice")).unwrap();
    assert_eq!(world.login(SHOP, &code).await.errcode(), 40029);
}

#[tokio::test]
async fn a_high_risk_person_is_refused_and_the_code_not_spent() {
    let world = World::new();
    let risky = |risky| UserPatch { risky: Some(risky), ..UserPatch::default() };
    world.sandbox.change_user("bob", risky(true)).unwrap();
    let code = world.sandbox.login_code(SHOP, Some("bob")).unwrap();
    assert_eq!(world.login(SHOP, &code).await.errcode(), 40226);
    world.sandbox.change_user("bob", risky(false)).unwrap();
    assert_eq!(world.login(SHOP, &code).await.errcode(), 0);
}

#[tokio::test]
async fn one_person_logs_in_a_hundred_times_a_minute() {
    let world = World::new();
    for _ in 0..100 {
        world.log_in(SHOP, "alice").await;
    }
    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    assert_eq!(world.login(SHOP, &code).await.errcode(), 45011);
    world.log_in(SHOP, "bob").await;
    world.log_in(SHOP_ALSO, "alice").await;
    world.advance(60);
    assert_eq!(world.login(SHOP, &code).await.errcode(), 0, "the next minute is a new one");
}

#[tokio::test]
async fn the_minute_quota_can_be_switched_off() {
    let world = World::with(Options { per_minute_code_limit: None, ..Options::default() });
    for _ in 0..150 {
        world.log_in(SHOP, "alice").await;
    }
}

#[tokio::test]
async fn each_login_makes_a_new_session_key_for_the_same_openid() {
    let world = World::new();
    let (first, second) = (world.log_in(SHOP, "alice").await, world.log_in(SHOP, "alice").await);
    assert_eq!(first["openid"], second["openid"]);
    assert_ne!(first["session_key"], second["session_key"]);
}

#[tokio::test]
async fn an_app_in_trouble_answers_its_own_code() {
    let world = World::new();
    let cases = [
        (AppState::Frozen, 50002, 50007),
        (AppState::Banned, 48004, 50004),
        (AppState::SecretFrozen, 40243, 40243),
        (AppState::SecretReset, 40125, 40125),
        (AppState::Deleted, 40013, 40013),
    ];
    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    for (state, login, token) in cases {
        world.sandbox.change_app(SHOP, AppPatch { state: Some(state), ..AppPatch::default() }).unwrap();
        assert_eq!(world.login(SHOP, &code).await.errcode(), login, "{state:?}");
        assert_eq!(world.stable_token(SHOP, false).await.errcode(), token, "{state:?}");
    }
    world.sandbox.change_app(SHOP, AppPatch { state: Some(AppState::Ok), ..AppPatch::default() }).unwrap();
    assert_eq!(world.login(SHOP, &code).await.errcode(), 0, "none of them spent the code");
}

#[tokio::test]
async fn other_paths_are_invalid_urls() {
    let world = World::new();
    for path in ["/api", "/api/", "/api/sns/nothing", "/open/connect/elsewhere", "/mp/cgi-bin/elsewhere"] {
        assert_eq!(world.get(path).await.errcode(), 40066, "{path}");
    }
    assert_eq!(world.get("/elsewhere").await.status, 404);
}
