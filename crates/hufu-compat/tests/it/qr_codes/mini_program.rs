//! The code of a mini program: whoever scans it confirms in the login mini program, and the browser logs in.

use std::net::IpAddr;
use std::time::Duration;

use hufu_sandbox::{Fault, NewApp};
use hufu_testkit::{TestDatabase, on_both_engines, raw};
use serde_json::{Value, json};

use super::{Code, GENE, bob, check, phone as phone_of_app, take};
use crate::client::{Answer, Client, SIGNIN, signin};
use crate::world::{FILE, MINI, Plan, SHOP, SHOP_WEB, World, secret_of};

/// The instance's own login mini program, of another Open Platform account than the shop's.
pub(super) const LOGIN: &str = "wx00000000000000e1";
const CODE_IMAGE: &str = "/wxa/getwxacodeunlimit";

/// The standard file with two connections of the shop's website: one with the shop's mini program, one with the
/// instance's. `more` are further lines of both.
fn file(more: &str) -> &'static str {
    let connection = |identifier: &str, fields: &str| {
        format!(
            "
  [[user_pool.connection]]
  identifier = \"{identifier}\"
  type = \"wechat:miniprogram:qrconnect\"
  open_platform = \"shop\"
  {more}
  fields = {{ {fields} }}"
        )
    };
    let own = connection("shop-scan", &format!("app_id = \"{MINI}\", app_secret = \"secret-of-{MINI}\""));
    let instance = connection("shop-scan-ours", "");
    let first = "\n  [[user_pool.application]]\n  id = \"6560c0ffee00000000000003\"";
    let file = FILE.replacen(first, &format!("{own}{instance}{first}"), 1);
    let list = "connections = [\"shop-two\", \"shop-mini\"]";
    let uses = "connections = [\"shop-two\", \"shop-scan\", \"shop-scan-ours\"]";
    Box::leak(file.replacen(list, uses, 1).into_boxed_str())
}

async fn world_of(plan: Plan, database: TestDatabase) -> World {
    let world = Box::pin(plan.build(database)).await;
    let app = NewApp {
        app_id: Some(LOGIN.to_owned()),
        secret: Some(secret_of(LOGIN).as_str().into()),
        open_platform: Some("shop".to_owned()),
        ..NewApp::default()
    };
    world.secret(&secret_of(LOGIN));
    world.sandbox.add_app(app).unwrap();
    for name in ["mei", "eve"] {
        world.person(name);
    }
    world
}

pub(super) async fn world(database: TestDatabase) -> World {
    world_of(Plan::new().file(file("")).default_mini_program(LOGIN), database).await
}

pub(super) fn website(world: &World) -> Client<'_> {
    world.nobody().app(SHOP_WEB)
}

/// A new code of a connection.
pub(super) async fn new_code(client: &Client<'_>, identifier: &str) -> Code {
    let config = client.world.node.app.config();
    let pool = hufu_types::PoolId::parse(SHOP).unwrap();
    let connections = config.connections(&pool);
    let id = connections.iter().find(|found| found.identifier.as_str() == identifier).unwrap().id.to_string();
    let data = client.post(GENE, json!({ "scene": "WXAPP_AUTH", "extIdpConnId": id })).await.data();
    let random = data["random"].as_str().unwrap().to_owned();
    client.world.secret(&random);
    let url = data["url"].as_str().unwrap();
    let scene = url.rsplit('/').next().unwrap().strip_suffix(".png").unwrap().to_owned();
    let picture = client.get(url.strip_prefix("https://id.example.com").unwrap()).await;
    assert!(picture.headers["content-type"].to_str().unwrap().starts_with("image/"), "{picture}");
    Code { random, scene }
}

/// The mini program tells who opened it.
pub(super) async fn grant(phone: &Client<'_>, app_id: &str, name: &str, scene: &str) -> Answer {
    let code = phone.world.code(app_id, name);
    let query = format!("alias=wxapp&code={code}&random={scene}&enableFetchPhone=true&&useSelfWxapp=false");
    phone.get(&format!("/oauth/wxapp/grant/?{query}")).await
}

pub(super) async fn redirect(phone: &Client<'_>, scene: &str, body: Value) -> Answer {
    phone.post(&format!("/oauth/wxapp/redirect?random={scene}"), body).await
}

on_both_engines! {
    async fn whoever_scans_confirms_in_the_mini_program_and_the_browser_logs_in(database) {
        let world = world(database).await;
        let (browser, second) = (website(&world), world.another_node().await);
        let code = new_code(&browser, "shop-scan").await;
        let phone = Client::of(&world, &second).from([198, 51, 100, 9]);

        let params = phone.get(&format!("/api/v2/wechat-miniprogram-config/launch-params?qrcodeId={}", code.scene)).await;
        let params = params.data();
        assert_eq!((&params["userpool"]["id"], &params["app"]["id"]), (&json!(SHOP), &json!(SHOP_WEB)));
        assert_eq!((&params["extIdpConnIdentifier"], &params["app"]["name"]), (&json!("shop-scan"), &json!("Shop website")));

        redirect(&phone, &code.scene, json!({})).await.refused(2571);
        let granted = grant(&phone, MINI, "mei", &code.scene).await.data();
        assert!(granted["openid"].is_string() && granted["unionid"].is_string(), "{granted}");
        assert!(granted["sessionKey"].as_str().unwrap().starts_with("hfs_"), "WeChat's own key stays here");
        assert_eq!(check(&browser, &code.random).await["status"], 1);

        let app = phone.clone().app(SHOP_WEB);
        let exists = async || {
            let body = json!({ "code": world.code(MINI, "mei"), "encryptedData": "", "iv": "", "extIdpConnidentifier": "shop-scan" });
            app.post("/api/v3/wechat-miniprogram/checkExistsUser", body).await.data()
        };
        assert_eq!(exists().await, json!({ "hasBindUser": false, "hasBindPhone": false }));
        let payload = json!({
            "wxLoginInfo": { "code": world.code(MINI, "mei"), "iv": "", "encryptedData": "" },
            "wxPhoneInfo": { "code": world.phone_code(MINI, "mei") },
        });
        let mut body = signin("wechat_mini_program_code_and_phone", "wechatMiniProgramCodeAndPhonePayload", &payload);
        body["extIdpConnidentifier"] = "shop-scan".into();
        let tokens = app.post(SIGNIN, body).await.tokens();
        assert_eq!(exists().await, json!({ "hasBindUser": true, "hasBindPhone": true }));

        let helper = async |path: &str, body: Value| {
            let mut body = body;
            body["extIdpConnidentifier"] = "shop-scan".into();
            app.post(&format!("/api/v3/{path}"), body).await
        };
        let shown = helper("get-wechat-miniprogram-phone", json!({ "code": world.phone_code(MINI, "mei") })).await.data();
        assert!(shown["phone_info"]["purePhoneNumber"].is_string(), "{shown}");
        let (code_of, sealed) = (world.code(MINI, "mei"), json!({ "iv": "AAAA", "encryptedData": "AAAA" }));
        let body = json!({ "code": code_of, "iv": sealed["iv"], "encryptedData": sealed["encryptedData"] });
        assert_ne!(helper("decrypt-wechat-miniprogram-data", body).await.code(), 2405, "the connection is found");

        // What is posted is not believed: the person is who scanned.
        let posted = json!({ "sub": "somebody", "openid": granted["openid"], "unionid": "u", "nickname": "Eve" });
        redirect(&phone, &code.scene, posted).await.data_or_nothing();
        let confirmed = check(&browser, &code.random).await;
        assert_eq!(confirmed["status"], 2);
        let user = take(&browser, &confirmed["ticket"]).await.user();
        assert_eq!(user.id, tokens.user());
        assert_eq!(user.data["openid"], granted["openid"]);
        redirect(&phone, &code.scene, json!({})).await.refused(2572);
    }

    async fn whoever_sees_the_picture_or_scans_second_confirms_nothing(database) {
        let world = world(database).await;
        let browser = website(&world);
        let code = new_code(&browser, "shop-scan").await;
        let phone = world.nobody().from([198, 51, 100, 9]);
        let onlooker = world.nobody().from([192, 0, 2, 66]);
        let granted = grant(&phone, MINI, "mei", &code.scene).await.data();
        redirect(&onlooker, &code.scene, json!({})).await.refused(2573);
        redirect(&onlooker, &code.scene, json!({ "openid": "a-guess" })).await.refused(2573);
        // Who shows the picture may be in the network of whoever scans it.
        for body in [json!({}), json!({ "openid": "" }), json!({ "openid": null }), json!({ "openid": "a-guess" })] {
            redirect(&phone, &code.scene, body).await.refused(2573);
        }
        grant(&onlooker, MINI, "eve", &code.scene).await.refused(2573);
        assert_eq!(check(&browser, &code.random).await["status"], 1);
        // The phone may have changed its network.
        let moved = world.nobody().from("2001:db8::7".parse::<IpAddr>().unwrap());
        redirect(&moved, &code.scene, json!({ "openid": granted["openid"] })).await.data_or_nothing();
        assert_eq!(check(&browser, &code.random).await["status"], 2);

        // The calls of other kinds of codes do not work with this one, and the other way round.
        let own = browser.post(GENE, json!({ "scene": "APP_AUTH" })).await.data();
        let scene = own["url"].as_str().unwrap().rsplit('/').next().unwrap().strip_suffix(".png").unwrap().to_owned();
        grant(&phone, MINI, "mei", &scene).await.refused(2241);
        redirect(&phone, &scene, json!({})).await.refused(2241);
        let bob = bob(&world).await;
        phone_of_app(&world.client(), &bob, "scanned", &code.scene).await.refused(2241);
    }

    async fn the_mini_program_of_the_instance_joins_nobody_of_the_pool(database) {
        let world = world(database).await;
        let browser = website(&world);
        // The same UnionID at WeChat, but another account there as far as the pool knows.
        let in_app = world.client().referer(MINI).log_in(MINI, "mei").await;
        let mut users = Vec::new();
        for _ in 0..2 {
            let code = new_code(&browser, "shop-scan-ours").await;
            let granted = grant(&browser, LOGIN, "mei", &code.scene).await.data();
            redirect(&browser, &code.scene, json!({ "openid": granted["openid"] })).await.data_or_nothing();
            let ticket = check(&browser, &code.random).await["ticket"].clone();
            users.push(take(&browser, &ticket).await.user().id);
        }
        assert_eq!(users[0], users[1]);
        assert_ne!(users[0], in_app.id);
        let code = new_code(&browser, "shop-scan").await;
        let granted = grant(&browser, MINI, "mei", &code.scene).await.data();
        redirect(&browser, &code.scene, json!({ "openid": granted["openid"] })).await.data_or_nothing();
        let ticket = check(&browser, &code.random).await["ticket"].clone();
        assert_eq!(take(&browser, &ticket).await.user().id, in_app.id, "the pool's own one does");
    }

    async fn without_a_mini_program_there_is_no_code(database) {
        let world = world_of(Plan::new().file(file("")), database).await;
        let browser = website(&world);
        let config = world.node.app.config();
        let pool = hufu_types::PoolId::parse(SHOP).unwrap();
        let id = config.connections(&pool).iter().find(|c| c.identifier.as_str() == "shop-scan-ours").unwrap().id.to_string();
        browser.post(GENE, json!({ "scene": "WXAPP_AUTH", "extIdpConnId": id })).await.refused(2577);
        browser.post("/api/v3/gene-qrcode", json!({ "type": "WECHAT_MINIPROGRAM", "extIdpConnId": id })).await.refused(2577);
        // The first one that the application has is taken if none is named.
        browser.post(GENE, json!({ "scene": "WXAPP_AUTH" })).await.data();
        world.client().post(GENE, json!({ "scene": "WXAPP_AUTH" })).await.refused(2405);
        browser.post(GENE, json!({ "scene": "WECHATMP_AUTH" })).await.refused(2405);
        browser.post(GENE, json!({ "scene": "WXAPP_AUTH", "extIdpConnId": "shop-mini" })).await.refused(2579);
        browser.post(GENE, json!({ "scene": "WXAPP_AUTH", "extIdpConnId": "nonsense" })).await.refused(2402);
    }

    async fn a_browser_hears_why_the_login_is_refused(database) {
        let world = world_of(Plan::new().file(file("login_only = true")), database).await;
        let browser = website(&world);
        let code = new_code(&browser, "shop-scan").await;
        let granted = grant(&browser, MINI, "eve", &code.scene).await.data();
        redirect(&browser, &code.scene, json!({ "openid": granted["openid"] })).await.refused(2004);
        let failed = check(&browser, &code.random).await;
        assert_eq!((&failed["status"], &failed["scannedResult"]["apiCode"]), (&json!(5), &json!(2004)));
        assert!(failed.get("ticket").is_none() && failed["scannedResult"]["message"].is_string(), "{failed}");
    }

    async fn wechat_draws_each_code_once_and_what_it_refuses_is_told(database) {
        let world = world(database).await;
        let browser = website(&world);
        new_code(&browser, "shop-scan").await;
        new_code(&browser, "shop-scan").await;
        assert_eq!(world.calls(CODE_IMAGE), 2);
        let fault = Fault { path: Some(CODE_IMAGE.to_owned()), errcode: Some(45009), count: 1, ..Fault::default() };
        world.sandbox.add_fault(fault).unwrap();
        browser.post(GENE, json!({ "scene": "WXAPP_AUTH" })).await.refused(1002);
        // For some seconds, the others are refused without a call.
        browser.post(GENE, json!({ "scene": "WXAPP_AUTH" })).await.refused(1002);
        assert_eq!(world.calls(CODE_IMAGE), 3);
        world.advance(Duration::from_secs(600));
        browser.post(GENE, json!({ "scene": "WXAPP_AUTH" })).await.data();
        assert_eq!(world.calls(CODE_IMAGE), 4);
    }

    async fn a_picture_costs_one_call_however_often_it_is_looked_at(database) {
        let plan = Plan::new().file(file("")).default_mini_program(LOGIN).limits(|limits| limits.qr_pictures = 1);
        let world = world_of(plan, database).await;
        let nodes = [world.another_node().await, world.another_node().await];
        let mut codes = Vec::new();
        for _ in 0..5 {
            codes.push(new_code(&website(&world), "shop-scan").await);
        }
        let looked = async |client: &Client<'_>, code: &Code| client.get(&format!("/api/v2/qrcode/{}.png", code.scene)).await;
        let first = looked(&website(&world), &codes[0]).await.bytes;
        for node in &nodes {
            let stranger = world.client_of(node).from([198, 51, 100, 7]);
            for _ in 0..4 {
                for code in &codes {
                    assert_eq!(looked(&stranger, code).await.headers["content-type"], "image/jpeg");
                }
            }
            assert_eq!(looked(&stranger, &codes[0]).await.bytes, first);
        }
        assert_eq!((world.calls(CODE_IMAGE), world.calls("/cgi-bin/stable_token")), (5, 1));
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM qr_pictures").await, 5);
        world.advance(Duration::from_secs(121));
        looked(&website(&world), &codes[0]).await.refused(2570);
        world.node.app.sweep().await.unwrap();
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM qr_pictures").await, 0);
    }

    async fn codes_that_cost_a_call_are_counted_for_networks_and_connections(database) {
        let plan = Plan::new().file(file("")).default_mini_program(LOGIN).limits(|limits| {
            (limits.qr_wechat_codes_per_ip, limits.qr_wechat_codes_per_connection) = (3, 5);
        });
        let world = world_of(plan, database).await;
        let (browser, another) = (website(&world), website(&world).from([198, 51, 100, 7]));
        let order = json!({ "scene": "WXAPP_AUTH" });
        for _ in 0..3 {
            browser.post(GENE, order.clone()).await.data();
        }
        browser.post(GENE, order.clone()).await.refused(1002);
        for _ in 0..2 {
            another.post(GENE, order.clone()).await.data();
        }
        another.post(GENE, order.clone()).await.refused(1002);
        assert_eq!(world.calls(CODE_IMAGE), 5);
        browser.post(GENE, json!({ "scene": "APP_AUTH" })).await.data();
        world.advance(Duration::from_secs(5 * 60));
        browser.post(GENE, order.clone()).await.refused(1002);
        world.advance(Duration::from_secs(60 * 60));
        browser.post(GENE, order.clone()).await.data();
        assert_eq!(world.calls(CODE_IMAGE), 6);
    }
}
