//! The first login of a native app that asks: `authByCodeIdentity`, and the calls that go on with it.

use hufu_sandbox::AppPatch;
use hufu_testkit::{TestDatabase, on_both_engines};
use serde_json::{Value, json};

use super::{MOBILE, SHOP_PHONE, file, world};
use crate::client::{Answer, SCOPE, claims};
use crate::login_flows::shop_with;
use crate::world::{ALICE_PHONE, MINI, World};

const PASSWORD: &str = "a good long password";
const ASKING: &str = "association = { mode = \"ask\" }";

/// A shop whose native app asks people at their first login.
async fn asking(database: TestDatabase, settings: &str) -> World {
    let world = world(database).await;
    world.reconfigure(&shop_with(&file(settings), "")).await;
    world
}

async fn call(world: &World, name: &str, body: Value) -> Answer {
    world.nobody().app(SHOP_PHONE).post(&format!("/api/v2/ecConn/wechatMobile/{name}"), body).await
}

async fn by_identity(world: &World, name: &str) -> Answer {
    let body = json!({
        "connId": world.connection(MOBILE), "code": world.code(MOBILE, name), "appId": SHOP_PHONE,
        "options": { "scope": SCOPE, "context": {} },
    });
    call(world, "authByCodeIdentity", body).await
}

/// The handle of a login that waits, told as the clients understand it.
async fn waiting(world: &World, name: &str, code: u64) -> Value {
    let answer = by_identity(world, name).await;
    answer.refused(code);
    let data = answer.json()["data"].clone();
    assert!(data["methods"].is_array() && data["accounts"].is_array() && data["key"].is_string(), "{answer}");
    data
}

/// A token set without an envelope: a `code` in it would be taken for a refusal.
#[track_caller]
fn bare_tokens(answer: &Answer) -> String {
    let json = answer.json();
    assert_eq!(answer.status, 200, "{answer}");
    assert!(json.get("code").is_none() && json.get("statusCode").is_none(), "{answer}");
    assert!(json["scope"].as_str().is_some_and(|scope| scope.contains("openid")), "{answer}");
    answer.tokens().user()
}

async fn sms_code(world: &World, phone: &str) -> String {
    world.nobody().app(SHOP_PHONE).post("/api/v2/sms/send", json!({ "phone": phone })).await.data();
    world.node.app.run_due_jobs().await;
    world.outbox().list()[0].code.clone().unwrap()
}

on_both_engines! {
    async fn a_known_person_gets_tokens_and_reads_the_account(database) {
        let world = asking(database, "").await;
        let answer = by_identity(&world, "bob").await;
        let user = bare_tokens(&answer);
        let again = by_identity(&world, "bob").await;
        assert_eq!(bare_tokens(&again), user);
        // The clients go on with the id token.
        let me = world.nobody().app(SHOP_PHONE).bearer(&again.tokens().id).get("/api/v2/users/me").await.data();
        assert_eq!(me["id"], user.as_str());
        assert_eq!(claims(&again.tokens().access)["aud"], SHOP_PHONE);
    }

    async fn a_stranger_registers_or_binds_an_account_by_its_password(database) {
        let world = asking(database, ASKING).await;
        let bob = waiting(&world, "bob", 1641).await;
        let create = json!({ "action": "create-federation-account", "key": bob["key"] });
        let created = bare_tokens(&call(&world, "register", create.clone()).await);
        assert_eq!(bare_tokens(&by_identity(&world, "bob").await), created);
        call(&world, "register", create).await.refused(2206);

        let data = waiting(&world, "stranger", 1641).await;
        let by = |account: &str, password: &str| json!({
            "action": "bind-identity-by-password", "key": data["key"], "account": account, "password": password,
        });
        // The clients know one key: they try again with it.
        for account in ["anna", "anna@example.com", "13700000000"] {
            call(&world, "byAccount", by(account, "not her password")).await.refused(2333);
        }
        let anna = bare_tokens(&call(&world, "byAccount", by("anna@example.com", PASSWORD)).await);
        assert_eq!(bare_tokens(&by_identity(&world, "stranger").await), anna);
        assert_eq!(world.rows("users").await, 3, "alice, anna and bob");
    }

    async fn a_key_is_good_for_so_many_tries(database) {
        let world = asking(database, ASKING).await;
        let data = waiting(&world, "stranger", 1641).await;
        let tries = hufu_app::Limits::default().flow_tries;
        let mut codes = Vec::new();
        for nth in 0..=tries {
            let body = json!({
                "key": data["key"], "account": format!("nobody{nth}"), "password": "not a password of anybody",
            });
            codes.push(call(&world, "byAccount", body).await.code());
        }
        assert!(codes[..codes.len() - 1].iter().all(|code| *code == 2333), "{codes:?}");
        assert_eq!(codes.last(), Some(&2206), "{codes:?}");
    }

    async fn a_stranger_binds_an_account_by_a_code(database) {
        let world = asking(database, ASKING).await;
        let data = waiting(&world, "stranger", 1641).await;
        let by_phone = |code: &str| json!({
            "action": "bind-identity-by-phone-code", "key": data["key"], "phoneCountryCode": "+86",
            "phone": ALICE_PHONE, "code": code,
        });
        // The clients send codes for no purpose in particular.
        let code = sms_code(&world, ALICE_PHONE).await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        call(&world, "byPhoneCode", by_phone(wrong)).await.refused(2001);
        let alice = bare_tokens(&call(&world, "byPhoneCode", by_phone(&code)).await);
        assert_eq!(bare_tokens(&by_identity(&world, "stranger").await), alice);

        let data = waiting(&world, "bob", 1641).await;
        let send = json!({ "email": "anna@example.com", "scene": "VERIFY_CODE" });
        world.nobody().app(SHOP_PHONE).post("/api/v2/email/send", send).await.data();
        world.node.app.run_due_jobs().await;
        let code = world.outbox().list().into_iter().find_map(|message| message.code).unwrap();
        let by_email = json!({
            "action": "bind-identity-by-email-code", "key": data["key"], "email": "anna@example.com", "code": code,
        });
        let anna = bare_tokens(&call(&world, "byEmailCode", by_email).await);
        assert_ne!(anna, alice);
        assert_eq!(world.rows("users").await, 2);
    }

    async fn where_nobody_registers_an_account_can_only_be_bound(database) {
        let world = asking(database, &format!("login_only = true\n  {ASKING}")).await;
        let data = waiting(&world, "stranger", 1640).await;
        assert_eq!(data["mayCreate"], false);
        call(&world, "register", json!({ "key": data["key"] })).await.refused(2031);
        let body = json!({ "key": data["key"], "account": "anna", "password": PASSWORD });
        bare_tokens(&call(&world, "byAccount", body).await);
        assert_eq!(world.rows("users").await, 2, "alice and anna");
    }

    async fn a_person_with_two_accounts_chooses_one(database) {
        let world = asking(database, "").await;
        let first = bare_tokens(&by_identity(&world, "bob").await);
        // The mobile app leaves the Open Platform account, and comes back: two accounts of one person.
        world.sandbox.change_app(MOBILE, AppPatch { open_platform: Some(None), ..AppPatch::default() }).unwrap();
        let stranger = world.client().log_in(MINI, "stranger").await.id;
        let other = bare_tokens(&by_identity(&world, "stranger").await);
        assert_ne!(other, stranger, "without a UnionID it is somebody else");
        let back = AppPatch { open_platform: Some(Some("shop".to_owned())), ..AppPatch::default() };
        world.sandbox.change_app(MOBILE, back).unwrap();
        world.reconfigure(&shop_with(&file("association = { conflict = \"choose\" }"), "")).await;
        let data = waiting(&world, "stranger", 2921).await;
        let ids: Vec<&str> = data["accounts"].as_array().unwrap().iter().filter_map(|a| a["id"].as_str()).collect();
        assert!(ids.contains(&stranger.as_str()) && ids.contains(&other.as_str()), "{data}");
        for wrong in ["nonsense", first.as_str()] {
            let body = json!({ "key": data["key"], "accountId": wrong });
            call(&world, "byAccountId", body).await.refused(2417);
        }
        // One of the clients calls it `account`.
        let body = json!({ "action": "bind-identity-by-selection", "key": data["key"], "account": other });
        assert_eq!(bare_tokens(&call(&world, "select", body).await), other);
    }

    async fn requests_that_the_clients_never_send(database) {
        let world = asking(database, ASKING).await;
        let key = waiting(&world, "stranger", 1641).await["key"].clone();
        for (name, body, code) in [
            ("register", json!({}), 2231),
            ("register", json!({ "key": "nonsense" }), 2206),
            ("byAccount", json!({ "key": key }), 2231),
            ("byAccount", json!({ "key": key, "account": "anna" }), 2231),
            ("byPhoneCode", json!({ "key": key, "phone": ALICE_PHONE }), 2231),
            ("byPhoneCode", json!({ "key": key, "phone": "x", "code": "123456" }), 2231),
            ("byEmailCode", json!({ "key": key, "email": "x", "code": "123456" }), 2231),
            ("select", json!({ "key": key }), 2231),
            ("select", json!({ "key": key, "accountId": "6560c0ffee00000000000099" }), 2231),
            ("nothing", json!({ "key": key }), 404),
        ] {
            call(&world, name, body).await.refused(code);
        }
        // A login through another source, by name: there is none.
        let path = "/api/v2/ecConn/wechatwork/register";
        world.nobody().app(SHOP_PHONE).post(path, json!({ "key": key })).await.refused(404);
        // Another application cannot go on with it.
        let path = "/api/v2/ecConn/wechatMobile/register";
        world.client().post(path, json!({ "key": key })).await.refused(2206);
        bare_tokens(&call(&world, "register", json!({ "key": key })).await);
    }
}
