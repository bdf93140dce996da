//! `POST /wxa/business/getuserphonenumber`.

use axum::http::Method;
use hufu_sandbox::{AppPatch, AppState, NewUser, UserPatch};
use serde_json::json;

use crate::support::{SHOP, SHOP_ALSO, START_MS, World};

#[tokio::test]
async fn a_phone_code_becomes_a_number_once() {
    let world = World::new();
    let token = world.token(SHOP).await;
    let code = world.sandbox.phone_code(SHOP, Some("alice")).unwrap();
    assert!(code.len() == 64 && code.bytes().all(|b| b.is_ascii_hexdigit()), "{code}");
    let answer = world.phone_number(&token, json!({ "code": code })).await;
    let expected = json!({
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": "13800000001",
            "purePhoneNumber": "13800000001",
            "countryCode": "86",
            "watermark": { "timestamp": START_MS / 1000, "appid": SHOP },
        },
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(world.phone_number(&token, json!({ "code": code })).await.errcode(), 40029);
}

#[tokio::test]
async fn wrong_codes_and_wrong_requests() {
    let world = World::new();
    let (token, other) = (world.token(SHOP).await, world.token(SHOP_ALSO).await);
    let code = world.sandbox.phone_code(SHOP, Some("alice")).unwrap();
    let openid = world.log_in(SHOP, "bob").await["openid"].clone();
    let path = format!("/api/wxa/business/getuserphonenumber?access_token={token}");

    assert_eq!(world.get(&path).await.errcode(), 43002);
    assert_eq!(world.call(Method::POST, &path, "").await.errcode(), 44002);
    assert_eq!(world.call(Method::POST, &path, format!("code={code}")).await.errcode(), 47001);
    assert_eq!(world.phone_number(&token, json!({})).await.errcode(), 40029);
    assert_eq!(world.phone_number(&token, json!({ "code": "0".repeat(64) })).await.errcode(), 40029);
    assert_eq!(world.phone_number(&other, json!({ "code": code })).await.errcode(), 40013);
    assert_eq!(world.phone_number(&token, json!({ "code": code, "openid": openid })).await.errcode(), 40003);
    let login_code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    assert_eq!(world.phone_number(&token, json!({ "code": login_code })).await.errcode(), 40029);

    let openid = world.log_in(SHOP, "alice").await["openid"].clone();
    let answer = world.phone_number(&token, json!({ "code": code, "openid": openid })).await;
    assert_eq!(answer.errcode(), 0, "no refusal spent the code");

    let code = world.sandbox.phone_code(SHOP, Some("alice")).unwrap();
    world.advance(300);
    assert_eq!(world.phone_number(&token, json!({ "code": code })).await.errcode(), 40029);
}

#[tokio::test]
async fn what_an_app_may_not() {
    let world = World::new();
    let token = world.token(SHOP).await;
    let patches = [
        (AppPatch { phone_permission: Some(false), ..AppPatch::default() }, 48001),
        (AppPatch { state: Some(AppState::Frozen), ..AppPatch::default() }, 50002),
        (AppPatch { state: Some(AppState::Banned), ..AppPatch::default() }, 48004),
    ];
    for (patch, errcode) in patches {
        world.sandbox.change_app(SHOP, patch).unwrap();
        assert_eq!(world.token_errcode(&token).await, errcode);
    }
}

#[tokio::test]
async fn the_country_code_may_be_a_number_and_foreign_numbers_carry_it() {
    let world = World::new();
    let token = world.token(SHOP).await;
    let patch = AppPatch { country_code_as_number: Some(true), ..AppPatch::default() };
    world.sandbox.change_app(SHOP, patch).unwrap();
    let foreign = UserPatch {
        phone: Some("51234567".to_owned()),
        country_code: Some("852".to_owned()),
        ..UserPatch::default()
    };
    world.sandbox.change_user("bob", foreign).unwrap();
    let code = world.sandbox.phone_code(SHOP, Some("bob")).unwrap();
    let info = world.phone_number(&token, json!({ "code": code })).await.json()["phone_info"].clone();
    assert_eq!(info["countryCode"], 852);
    assert_eq!(info["purePhoneNumber"], "51234567");
    assert_eq!(info["phoneNumber"], "85251234567");
}

#[tokio::test]
async fn the_person_of_a_login_code_shares_their_phone() {
    let world = World::new();
    let login_code = world.sandbox.fresh_login_codes(SHOP, 1).unwrap().remove(0);
    let made =
        world.control(Method::POST, "/phone-codes", json!({ "app_id": SHOP, "code": login_code })).await;
    let openid = world.login(SHOP, &login_code).await.json()["openid"].clone();
    let token = world.token(SHOP).await;
    let answer = world.phone_number(&token, json!({ "code": made["code"], "openid": openid })).await.json();
    assert_eq!(answer["phone_info"]["purePhoneNumber"], made["phone"]);

    let nobody = NewUser { name: Some("carol".to_owned()), phone: Some(String::new()), ..NewUser::default() };
    world.sandbox.add_user(nobody).unwrap();
    assert!(world.sandbox.phone_code(SHOP, Some("carol")).is_err(), "carol has no phone");
}
