//! Native apps: logins by a code from the WeChat app.

mod binding;
mod launching;
mod user_info;

use hufu_app::doctor::Severity;
use hufu_sandbox::{AppKind, Fault, NewApp, NewUser};
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::ConnectionId;
use serde_json::{Value, json};

use crate::client::{Answer, SIGNIN, signin};
use crate::world::{FILE, MINI, World, secret_of};

/// The mobile app at WeChat.
const MOBILE: &str = "wx00000000000000c1";
/// The application of the shop that uses it.
const SHOP_PHONE: &str = "6560c0ffee00000000000005";
const AUTH_BY_CODE: &str = "/api/v2/ecConn/wechatMobile/authByCode";
const ACCESS_TOKEN: &str = "/sns/oauth2/access_token";
const USER_INFO: &str = "/sns/userinfo";

/// The standard world with a mobile app of the shop's Open Platform account.
async fn world(database: TestDatabase) -> World {
    let world = World::new(database).await;
    world.secret(&secret_of(MOBILE));
    let app = NewApp {
        app_id: Some(MOBILE.to_owned()),
        secret: Some(secret_of(MOBILE).as_str().into()),
        open_platform: Some("shop".to_owned()),
        kind: AppKind::Mobile,
        ..NewApp::default()
    };
    world.sandbox.add_app(app).unwrap();
    world.reconfigure(&file("")).await;
    for name in ["bob", "stranger"] {
        world.person(name);
    }
    world
}

/// The standard file with the connection and its application. `settings` are further lines of the connection.
fn file(settings: &str) -> String {
    let added = format!(
        "
  [[user_pool.connection]]
  identifier = \"shop-phone\"
  type = \"wechat:mobile\"
  open_platform = \"shop\"
  {settings}
  fields = {{ app_id = \"{MOBILE}\", app_secret = \"secret-of-{MOBILE}\" }}
  [[user_pool.application]]
  id = \"{SHOP_PHONE}\"
  name = \"Shop phone app\"
  type = \"native\"
  connections = [\"shop-phone\"]
  [[user_pool.user]]
  username = \"alice\""
    );
    FILE.replacen("\n  [[user_pool.user]]\n  username = \"alice\"", &added, 1)
}

fn v3(code: &str) -> Value {
    signin("wechat", "wechatPayload", &json!({ "code": code }))
}

async fn by_code(world: &World, code: &str) -> Answer {
    let body = json!({ "connId": world.connection(MOBILE), "code": code });
    world.nobody().app(SHOP_PHONE).post(AUTH_BY_CODE, body).await
}

on_both_engines! {
    async fn a_code_is_a_login_on_both_calls_and_one_account_with_the_mini_program(database) {
        let world = world(database).await;
        let named = NewUser {
            name: Some("mei".to_owned()),
            nickname: Some("小美".to_owned()),
            avatar_url: Some("https://thirdwx.qlogo.cn/mmopen/mei/132".to_owned()),
            ..NewUser::default()
        };
        world.person_with(named);
        let first = by_code(&world, &world.code(MOBILE, "mei")).await;
        let user = first.user();
        assert_eq!(first.data()["newlyCreated"], true);
        assert_eq!(first.data()["nickname"], "小美");
        assert_eq!(first.data()["photo"], "https://thirdwx.qlogo.cn/mmopen/mei/132");
        assert_eq!(first.data()["registerSource"], json!(["wechat:mobile"]));

        let client = world.nobody().app(SHOP_PHONE);
        let again = client.post(SIGNIN, v3(&world.code(MOBILE, "mei"))).await.tokens();
        assert_eq!(again.user(), user.id, "the same person by the other call");
        let in_mini_program = world.client().referer(MINI).log_in(MINI, "mei").await;
        assert_eq!(in_mini_program.id, user.id, "the UnionID joins them");
        assert_eq!(world.rows("identities").await, 3, "two OpenIDs and a UnionID");
    }

    /// What the SDKs for Android and iOS read of `public-config` before they call WeChat's own SDK and this server: each
    /// member by its name, and no other setting of the connection.
    async fn public_config_has_what_the_mobile_sdks_read_of_the_connection(database) {
        let world = world(database).await;
        let config = world.nobody().get(&format!("/api/v2/applications/{SHOP_PHONE}/public-config")).await.json();
        let all = config["data"]["ecConnections"].as_array().unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        let id = world.connection(MOBILE);
        for (pointer, read) in [
            // `connId` of the calls.
            ("/id", id.as_str()),
            // By which the SDKs find the connection.
            ("/type", "wechat:mobile"),
            ("/provider", "wechat"),
            // The AppID that they register with WeChat's SDK: one reads this, another one that.
            ("/fields/appId", MOBILE),
            ("/fields/clientID", MOBILE),
            // `extIdpConnidentifier` of the calls of v3.
            ("/identifier", "shop-phone"),
        ] {
            assert_eq!(all[0].pointer(pointer), Some(&json!(read)), "{pointer}: {}", all[0]);
        }
        assert!(all[0]["displayName"].is_string(), "{}", all[0]);
        let names = |of: &Value| of.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&all[0]), ["displayName", "fields", "id", "identifier", "provider", "type"]);
        assert_eq!(names(&all[0]["fields"]), ["appId", "clientID"], "nothing else of its settings is anybody's business");

        // A login with what was read.
        let body = json!({ "connId": all[0]["id"], "code": world.code(all[0]["fields"]["appId"].as_str().unwrap(), "bob") });
        let user = world.nobody().app(SHOP_PHONE).post(AUTH_BY_CODE, body).await.user();
        let mut body = v3(&world.code(MOBILE, "bob"));
        body["extIdpConnidentifier"] = all[0]["identifier"].clone();
        assert_eq!(world.nobody().app(SHOP_PHONE).post(SIGNIN, body).await.tokens().user(), user.id);
    }

    async fn the_same_code_is_the_same_login(database) {
        let world = world(database).await;
        let code = world.code(MOBILE, "bob");
        let first = by_code(&world, &code).await.user();
        let second = by_code(&world, &code).await.user();
        assert_eq!(first.id, second.id);
        assert_eq!((world.calls(ACCESS_TOKEN), world.calls(USER_INFO)), (1, 1));
        assert_eq!(world.rows("sessions").await, 1);
        world.advance(std::time::Duration::from_secs(61));
        by_code(&world, &code).await.refused(2206);
    }

    async fn a_nickname_is_not_worth_a_failed_login(database) {
        let world = world(database).await;
        let fault = Fault { path: Some(USER_INFO.to_owned()), errcode: Some(-1), count: 9, ..Fault::default() };
        world.sandbox.add_fault(fault).unwrap();
        let answer = by_code(&world, &world.code(MOBILE, "bob")).await;
        answer.user();
        assert_eq!(answer.data()["nickname"], Value::Null);
    }

    async fn what_wechat_refuses_is_refused_and_stores_nothing_but_the_entry(database) {
        let world = world(database).await;
        for (errcode, code) in [(40029, 2207), (40163, 2206), (40125, 2407), (50002, 1001), (45011, 1002)] {
            let fault = Fault { path: Some(ACCESS_TOKEN.to_owned()), errcode: Some(errcode), count: 1, ..Fault::default() };
            world.sandbox.add_fault(fault).unwrap();
            by_code(&world, &world.code(MOBILE, "bob")).await.refused(code);
        }
        assert_eq!(world.rows("sessions").await, 0);
        assert_eq!(world.audit().await.iter().filter(|event| event.action.as_str() == "login").count(), 5);
        by_code(&world, &world.code(MINI, "bob")).await.refused(2207);
    }

    async fn a_connection_is_used_by_its_own_calls_alone(database) {
        let world = world(database).await;
        let phone = || world.nobody().app(SHOP_PHONE);
        let code = || world.code(MOBILE, "bob");
        // By id: a connection of another kind, of another pool, an unknown one, and none.
        for (id, refused) in [(world.connection(MINI), 2409), ("nonsense".to_owned(), 2402), (String::new(), 2231)] {
            let body = json!({ "connId": id, "code": code() });
            world.stores_nothing(phone().post(AUTH_BY_CODE, body)).await.refused(refused);
        }
        let body = json!({ "connId": world.connection(MOBILE), "code": code() });
        world.stores_nothing(world.cafe().post(AUTH_BY_CODE, body.clone())).await.refused(2402);
        world.stores_nothing(world.client().post(AUTH_BY_CODE, body)).await.refused(2404);
        let body = json!({ "connId": world.connection(MOBILE) });
        world.stores_nothing(phone().post(AUTH_BY_CODE, body)).await.refused(2231);

        // By identifier: a mini program login through this connection, and its login through a mini program's
        // connection.
        let mut body = v3(&code());
        body["extIdpConnidentifier"] = "shop-mini".into();
        world.stores_nothing(phone().post(SIGNIN, body)).await.refused(2409);
        let mut body = json!({ "code": code(), "extIdpConnidentifier": "shop-phone" });
        world.stores_nothing(phone().post(crate::client::AUTH, body.clone())).await.refused(2409);
        body = v3(&code());
        world.stores_nothing(world.client().post(SIGNIN, body)).await.refused(2405);
        let unserved = signin("alipay", "alipayPayload", &json!({ "code": "x" }));
        world.stores_nothing(phone().post(SIGNIN, unserved)).await.refused(2231);
    }

    async fn strangers_are_refused_where_the_connection_makes_no_accounts(database) {
        let world = world(database).await;
        world.reconfigure(&file("login_only = true")).await;
        by_code(&world, &world.code(MOBILE, "stranger")).await.refused(2004);
    }

    async fn a_first_login_that_asks_waits(database) {
        let world = world(database).await;
        world.reconfigure(&file("association = { mode = \"ask\" }")).await;
        let answer = by_code(&world, &world.code(MOBILE, "stranger")).await;
        answer.refused(1641);
        let data = answer.json()["data"].clone();
        let step = json!({ "key": data["key"], "action": "create" });
        let path = format!("/api/v3/login-flows/{}", data["flowId"].as_str().unwrap());
        let done = world.nobody().app(SHOP_PHONE).post(&path, step).await;
        assert_eq!(done.data()["nickname"], Value::Null);
        let known = by_code(&world, &world.code(MOBILE, "stranger")).await;
        assert_eq!(known.logged_in(), done.data()["id"].as_str().unwrap());
        assert_eq!(world.rows("users").await, 2, "alice and the stranger");
    }

    async fn a_connection_is_checked_at_its_source(database) {
        let world = world(database).await;
        let config = world.node.app.config();
        let connection = |id: String| config.connection(&ConnectionId::parse(&id).unwrap()).unwrap().clone();
        for (app_id, path) in [(MOBILE, ACCESS_TOKEN), (MINI, "/cgi-bin/stable_token")] {
            let connection = connection(world.connection(app_id));
            let checked = world.node.app.check_connection(&connection).await.unwrap();
            assert!(checked.findings.iter().any(|finding| finding.key == "credentials-fine"), "{checked:?}");
            let fault = Fault { path: Some(path.to_owned()), errcode: Some(40125), count: 1, ..Fault::default() };
            world.sandbox.add_fault(fault).unwrap();
            let checked = world.node.app.check_connection(&connection).await.unwrap();
            let said = checked.findings.iter().find(|finding| finding.key == "secret-wrong").unwrap();
            assert_eq!((said.severity, said.errcode), (Severity::Error, Some(40125)));
        }
    }
}
