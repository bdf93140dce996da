//! Openids and unionids.

use axum::http::Method;
use hufu_sandbox::{AppPatch, NewUser, Options, Sandbox};
use serde_json::json;

use crate::support::{ALONE, SECRET, SHOP, SHOP_ALSO, World};

#[tokio::test]
async fn apps_of_one_open_platform_account_share_a_unionid_and_no_openid() {
    let world = World::new();
    let other = hufu_sandbox::NewApp {
        app_id: Some("wx0000000000000004".to_owned()),
        secret: Some(SECRET.into()),
        open_platform: Some("other".to_owned()),
        ..Default::default()
    };
    world.sandbox.add_app(other).unwrap();
    let shop = world.log_in(SHOP, "alice").await;
    let also = world.log_in(SHOP_ALSO, "alice").await;
    let elsewhere = world.log_in("wx0000000000000004", "alice").await;
    let alone = world.log_in(ALONE, "alice").await;
    assert_eq!(shop["unionid"], also["unionid"]);
    assert_ne!(shop["unionid"], elsewhere["unionid"]);
    assert!(alone.get("unionid").is_none());
    let openids = [&shop, &also, &elsewhere, &alone].map(|answer| answer["openid"].as_str().unwrap());
    let distinct: std::collections::HashSet<_> = openids.into_iter().collect();
    assert_eq!(distinct.len(), 4);
    assert_ne!(shop["unionid"], world.log_in(SHOP, "bob").await["unionid"]);
}

#[tokio::test]
async fn an_app_that_moves_keeps_its_openids_and_changes_its_unionids() {
    let world = World::new();
    let before = world.log_in(SHOP, "alice").await;
    world.control(Method::PATCH, &format!("/apps/{SHOP}"), json!({ "open_platform": "bought" })).await;
    let after = world.log_in(SHOP, "alice").await;
    assert_eq!(before["openid"], after["openid"]);
    assert_ne!(before["unionid"], after["unionid"]);
    world.control(Method::PATCH, &format!("/apps/{SHOP}"), json!({ "open_platform": null })).await;
    assert!(world.log_in(SHOP, "alice").await.get("unionid").is_none());
    world.control(Method::PATCH, &format!("/apps/{SHOP}"), json!({ "open_platform": "shop" })).await;
    assert_eq!(
        world.log_in(SHOP, "alice").await["unionid"],
        before["unionid"],
        "moving back brings them back"
    );
}

#[tokio::test]
async fn ids_follow_from_names_in_every_sandbox() {
    let world = World::new();
    let again = Sandbox::new(Options::default());
    let patch = AppPatch { secret: Some("another".into()), ..AppPatch::default() };
    let app = hufu_sandbox::NewApp {
        app_id: Some(SHOP.to_owned()),
        open_platform: Some("shop".to_owned()),
        ..Default::default()
    };
    again.add_app(app).unwrap();
    again.change_app(SHOP, patch).unwrap();
    let alice = again.add_user(NewUser { name: Some("alice".to_owned()), ..NewUser::default() }).unwrap();
    let answer = world.log_in(SHOP, "alice").await;
    assert_eq!(answer["openid"], alice.ids[0].openid);
    assert_eq!(answer["unionid"].as_str(), alice.ids[0].unionid.as_deref());
}

#[tokio::test]
async fn fresh_people_are_all_different() {
    let world = World::new();
    let body = json!({ "app_id": SHOP, "fresh_users": 50 });
    let codes = world.control(Method::POST, "/codes", body).await;
    let codes = codes["codes"].as_array().unwrap().clone();
    assert_eq!(codes.len(), 50);
    let mut openids = std::collections::HashSet::new();
    for code in &codes {
        openids.insert(world.login(SHOP, code.as_str().unwrap()).await.json()["openid"].to_string());
    }
    assert_eq!(openids.len(), 50);
}
