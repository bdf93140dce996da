//! Encrypted data and its signature.

use std::time::Duration;

use axum::http::Method;
use hufu_sandbox::UserPatch;
use hufu_wechat::crypto::verify_raw_data;
use hufu_wechat::wire::{PhoneData, UserInfoData};
use hufu_wechat::{DataError, SessionKey, open_user_data};
use serde_json::{Value, json};

use crate::support::{SHOP, SHOP_ALSO, START_MS, World};

const NOW: i64 = START_MS / 1000;
const FRESH: Duration = Duration::from_secs(300);

fn key(login: &Value) -> SessionKey {
    SessionKey::parse(login["session_key"].as_str().unwrap()).unwrap()
}

fn open<T: serde::de::DeserializeOwned>(key: &SessionKey, sealed: &Value) -> Result<T, DataError> {
    let text = |name: &str| sealed[name].as_str().unwrap();
    open_user_data(key, text("iv"), text("encryptedData"), SHOP, NOW, FRESH)
}

#[tokio::test]
async fn data_for_an_unused_code_opens_with_the_key_that_its_exchange_yields() {
    let world = World::new();
    let code = world.sandbox.login_code(SHOP, Some("alice")).unwrap();
    let body = json!({ "app_id": SHOP, "code": code, "kind": "user_info" });
    let sealed = world.control(Method::POST, "/encrypted-data", body).await;
    let login = world.login(SHOP, &code).await.json();
    let info: UserInfoData = open(&key(&login), &sealed).unwrap();
    assert_eq!(info.open_id.as_deref(), login["openid"].as_str());
    assert_eq!(info.union_id.as_deref(), login["unionid"].as_str());
    assert_eq!(info.nick_name.as_deref(), Some("ALICE"));

    let raw_data = sealed["rawData"].as_str().unwrap();
    assert!(verify_raw_data(raw_data, &key(&login), sealed["signature"].as_str().unwrap()));
    let raw: Value = serde_json::from_str(raw_data).unwrap();
    assert_eq!(raw["nickName"], "ALICE");
    assert!(raw.get("openId").is_none() && raw.get("watermark").is_none(), "rawData is the public part");
}

#[tokio::test]
async fn data_for_a_person_is_under_the_key_of_the_latest_login() {
    let world = World::new();
    let body = json!({ "app_id": SHOP, "user": "alice", "kind": "phone" });
    let refused = world.post("/__sandbox/encrypted-data", body.clone()).await;
    assert_eq!(refused.status, 409, "alice has not logged in yet");

    let old = world.log_in(SHOP, "alice").await;
    let new = world.log_in(SHOP, "alice").await;
    let sealed = world.control(Method::POST, "/encrypted-data", body).await;
    assert!(matches!(
        open::<PhoneData>(&key(&old), &sealed),
        Err(DataError::Decrypt(_) | DataError::WrongShape)
    ));
    let phone: PhoneData = open(&key(&new), &sealed).unwrap();
    assert_eq!(phone.pure_phone_number.as_deref(), Some("13800000001"));
    assert!(sealed.get("rawData").is_none(), "phone data has no public part");
}

#[tokio::test]
async fn watermarks_can_be_wrong_or_old() {
    let world = World::new();
    let login = world.log_in(SHOP, "alice").await;
    let with = |key: &str, value: Value| {
        let mut body = json!({ "app_id": SHOP, "user": "alice" });
        body[key] = value;
        body
    };
    let foreign = with("watermark_app_id", json!(SHOP_ALSO));
    let sealed = world.control(Method::POST, "/encrypted-data", foreign).await;
    assert_eq!(open::<UserInfoData>(&key(&login), &sealed).err(), Some(DataError::OtherApp));
    let old = with("age_seconds", json!(301));
    let sealed = world.control(Method::POST, "/encrypted-data", old).await;
    assert_eq!(open::<UserInfoData>(&key(&login), &sealed).err(), Some(DataError::Stale));
}

#[tokio::test]
async fn without_a_nickname_people_are_wechat_users() {
    let world = World::new();
    let code = world.sandbox.fresh_login_codes(SHOP, 1).unwrap().remove(0);
    let sealed = world.sandbox.sealed_data(SHOP, &code, hufu_sandbox::DataKind::UserInfo).unwrap();
    assert!(sealed.raw_data.unwrap().contains("微信用户"));
    let none = UserPatch { phone: Some(String::new()), ..UserPatch::default() };
    world.sandbox.change_user("bob", none).unwrap();
    let code = world.sandbox.login_code(SHOP, Some("bob")).unwrap();
    assert!(world.sandbox.sealed_data(SHOP, &code, hufu_sandbox::DataKind::Phone).is_err());
    assert!(world.sandbox.sealed_data(SHOP_ALSO, &code, hufu_sandbox::DataKind::UserInfo).is_err());
}
