//! `GET /sns/oauth2/access_token` and `GET /sns/userinfo`: logins of mobile apps.

use axum::http::Method;
use hufu_sandbox::{AppKind, NewApp, UserPatch};
use serde_json::{Value, json};

use crate::support::{SECRET, SHOP, World};

const MOBILE: &str = "wx0000000000000009";

fn world() -> World {
    let world = World::new();
    let app = NewApp {
        app_id: Some(MOBILE.to_owned()),
        secret: Some(SECRET.into()),
        open_platform: Some("shop".to_owned()),
        kind: AppKind::Mobile,
        ..NewApp::default()
    };
    world.sandbox.add_app(app).unwrap();
    world
}

async fn exchange(world: &World, app_id: &str, code: &str) -> crate::support::Answer {
    let path = format!(
        "/api/sns/oauth2/access_token?appid={app_id}&secret={SECRET}&code={code}&grant_type=authorization_code"
    );
    world.get(&path).await
}

async fn user_info(world: &World, token: &str, openid: &str) -> crate::support::Answer {
    world.get(&format!("/api/sns/userinfo?access_token={token}&openid={openid}&lang=zh_CN")).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_becomes_a_token_and_the_token_a_nickname() {
    let world = world();
    let code = world.sandbox.login_code(MOBILE, Some("alice")).unwrap();
    let answer = exchange(&world, MOBILE, &code).await;
    assert_eq!((answer.errcode(), answer.label()), (0, "text/plain"));
    let body = answer.json();
    assert_eq!((&body["expires_in"], &body["scope"]), (&json!(7200), &json!("snsapi_userinfo")));
    let in_mini_program = world.log_in(SHOP, "alice").await;
    assert_eq!(body["unionid"], in_mini_program["unionid"], "one Open Platform account");
    assert_ne!(body["openid"], in_mini_program["openid"], "another app");

    let (token, openid) = (text(&body["access_token"]), text(&body["openid"]));
    let info = user_info(&world, &token, &openid).await.json();
    assert_eq!((&info["nickname"], &info["sex"]), (&json!("ALICE"), &json!(0)));
    assert_eq!((&info["openid"], &info["unionid"]), (&body["openid"], &body["unionid"]));
}

#[tokio::test]
async fn a_code_works_once_and_for_its_own_app() {
    let world = world();
    let code = world.sandbox.login_code(MOBILE, Some("alice")).unwrap();
    assert_eq!(exchange(&world, SHOP, &code).await.errcode(), 40013, "a mini program has no such call");
    assert_eq!(exchange(&world, MOBILE, &code).await.errcode(), 0);
    assert_eq!(exchange(&world, MOBILE, &code).await.errcode(), 40163);
    let of_mini_program = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    assert_eq!(exchange(&world, MOBILE, &of_mini_program).await.errcode(), 40029);
    let of_mobile = world.sandbox.login_code(MOBILE, Some("alice")).unwrap();
    assert_eq!(world.login(MOBILE, &of_mobile).await.errcode(), 40013, "nor a mobile app jscode2session");

    world.sandbox.change_user("bob", UserPatch { risky: Some(true), ..UserPatch::default() }).unwrap();
    let risky = world.sandbox.login_code(MOBILE, Some("bob")).unwrap();
    assert_eq!(exchange(&world, MOBILE, &risky).await.errcode(), 50002);
}

#[tokio::test]
async fn each_check_comes_before_the_next() {
    let world = world();
    let queries = [
        ("", 41002),
        ("appid=wx9999999999999999", 40013),
        ("appid=APP", 41004),
        ("appid=APP&secret=wrong", 40125),
        ("appid=APP&secret=SECRET", 40002),
        ("appid=APP&secret=SECRET&grant_type=authorization_code", 41008),
        ("appid=APP&secret=SECRET&grant_type=authorization_code&code=x", 40029),
    ];
    for (query, errcode) in queries {
        let query = query.replace("APP", MOBILE).replace("SECRET", SECRET);
        let answer = world.get(&format!("/api/sns/oauth2/access_token?{query}")).await;
        assert_eq!(answer.errcode(), errcode, "{query}");
    }
}

#[tokio::test]
async fn a_users_token_speaks_of_that_user_for_two_hours() {
    let world = world();
    let code = world.sandbox.login_code(MOBILE, Some("alice")).unwrap();
    let body = exchange(&world, MOBILE, &code).await.json();
    let (token, openid) = (text(&body["access_token"]), text(&body["openid"]));
    assert_eq!(user_info(&world, "", &openid).await.errcode(), 41001);
    assert_eq!(user_info(&world, "unknown", &openid).await.errcode(), 40001);
    assert_eq!(user_info(&world, &token, "oXXXXXXXXXXXXXXXXXXXXXXXXXXX").await.errcode(), 40003);
    let app_token = world.token(SHOP).await;
    assert_eq!(
        user_info(&world, &app_token, &openid).await.errcode(),
        40001,
        "an app's token opens nothing here"
    );
    assert_ne!(world.token_errcode(&token).await, 40029, "nor a user's token a call of the app");

    let frozen = json!({ "state": "frozen" });
    world.control(Method::PATCH, &format!("/apps/{MOBILE}"), frozen).await;
    assert_eq!(user_info(&world, &token, &openid).await.errcode(), 50002);
    world.control(Method::PATCH, &format!("/apps/{MOBILE}"), json!({ "state": "ok" })).await;
    world.advance(7200);
    assert_eq!(user_info(&world, &token, &openid).await.errcode(), 42001);
}
