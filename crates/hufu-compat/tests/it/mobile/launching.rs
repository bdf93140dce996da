//! Native apps that launch a mini program: their own, or the instance's.

use hufu_sandbox::{NewApp, NewUser};
use hufu_testkit::{TestDatabase, on_both_engines};
use serde_json::{Value, json};

use super::SHOP_PHONE;
use crate::client::{Answer, SIGNIN, signin};
use crate::world::{EXCHANGE, FILE, MINI, PHONE_NUMBER, Plan, SHOP, World, only_the_shop, secret_of};

/// The mobile app at WeChat, which launches the mini program.
const LAUNCHER: &str = "wx00000000000000c2";
/// The mini program of the connection's own, of the shop's Open Platform account.
const OWN: &str = "wx00000000000000a5";
/// The instance's mini program.
const DEFAULT: &str = "wx00000000000000d1";
const NUMBER: &str = "13812345678";
/// The secret of the application that is the back end of the app.
const BACK_END_SECRET: &str = "a-client-secret-of-the-back-end-0123456789";

fn own_fields() -> String {
    format!("app_id = \"{OWN}\", app_secret = \"secret-of-{OWN}\", original_id = \"gh_0123456789ab\"")
}

/// The standard file with the connection and its application.
fn file(fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { ", " };
    let added = format!(
        "
  [[user_pool.connection]]
  identifier = \"shop-launch\"
  type = \"wechat:miniprogram:app-launch\"
  open_platform = \"shop\"
  fields = {{ mobile_app_id = \"{LAUNCHER}\"{comma}{fields} }}
  [[user_pool.application]]
  id = \"{SHOP_PHONE}\"
  name = \"Shop phone app\"
  type = \"native\"
  connections = [\"shop-launch\"]
  [[user_pool.user]]
  username = \"alice\""
    );
    FILE.replacen("\n  [[user_pool.user]]\n  username = \"alice\"", &added, 1)
}

/// The same with the shop's pool alone.
fn shop_alone(fields: &str) -> String {
    let file = file(fields);
    let (shop, _) = file.split_once("\n[[user_pool]]\nid = \"6560c0ffee00000000000011\"").unwrap();
    shop.to_owned()
}

/// A shop whose native app launches a mini program. The instance has one if `has_default`.
async fn world(database: TestDatabase, fields: &str, has_default: bool) -> World {
    let mut plan = Plan::new();
    if has_default {
        plan = plan.default_mini_program(DEFAULT).file(only_the_shop());
    }
    let world = plan.build(database).await;
    // The operator of the instance has put its mini program into an account that happens to have the name of the shop's.
    for app_id in [OWN, DEFAULT] {
        world.secret(&secret_of(app_id));
        let app = NewApp {
            app_id: Some(app_id.to_owned()),
            secret: Some(secret_of(app_id).as_str().into()),
            open_platform: Some("shop".to_owned()),
            ..NewApp::default()
        };
        world.sandbox.add_app(app).unwrap();
    }
    world.reconfigure(&if has_default { shop_alone(fields) } else { file(fields) }).await;
    let bob = NewUser { name: Some("bob".to_owned()), phone: Some(NUMBER.to_owned()), ..NewUser::default() };
    world.person_with(bob);
    world.person("stranger");
    world
}

fn connection(world: &World) -> String {
    let config = world.node.app.config();
    let pool = hufu_types::PoolId::parse(crate::world::SHOP).unwrap();
    let found = config.connections(&pool).iter().find(|c| c.identifier.as_str() == "shop-launch");
    found.unwrap().id.to_string()
}

/// What the SDKs send after the mini program has returned.
async fn returned(world: &World, code: &str, phone_code: Option<&str>) -> Answer {
    let mut body = json!({ "connId": connection(world), "iv": "", "encryptedData": "", "code": code });
    if let Some(phone_code) = phone_code {
        body["phoneInfoCode"] = phone_code.into();
    }
    let path = "/api/v2/ecConn/wechatminiprogramapplaunch/authByCode";
    world.nobody().app(SHOP_PHONE).post(path, body).await
}

on_both_engines! {
    async fn both_codes_are_one_login(database) {
        let world = world(database, &own_fields(), false).await;
        let answer = returned(&world, &world.code(OWN, "bob"), Some(&world.phone_code(OWN, "bob"))).await;
        let user = answer.user();
        assert_eq!((&answer.data()["phone"], &answer.data()["phoneVerified"]), (&json!(NUMBER), &json!(true)));
        assert_eq!(answer.data()["registerSource"], json!(["wechat:miniprogram:app-launch"]));
        assert_eq!((world.calls(EXCHANGE), world.calls(PHONE_NUMBER)), (1, 1));
        // The UnionID joins it with the pool's other apps.
        assert_eq!(world.client().log_in(MINI, "bob").await.id, user.id);
        // Whoever declines to give the number logs in by the first code.
        let without = returned(&world, &world.code(OWN, "stranger"), None).await;
        assert_eq!(without.data()["phone"], Value::Null);
        assert_eq!(returned(&world, &world.code(OWN, "bob"), None).await.user().id, user.id);
    }

    async fn the_v3_call_goes_through_it_too(database) {
        let world = world(database, &own_fields(), false).await;
        let payload = || json!({
            "wxLoginInfo": { "code": world.code(OWN, "bob"), "encryptedData": "", "iv": "" },
            "wxPhoneInfo": { "code": world.phone_code(OWN, "bob") },
        });
        let body = || signin("wechat_mini_program_code_and_phone", "wechatMiniProgramCodeAndPhonePayload", &payload());
        let phone = world.nobody().app(SHOP_PHONE);
        let user = phone.post(SIGNIN, body()).await.tokens().user();
        let mut named = body();
        named["extIdpConnidentifier"] = "shop-launch".into();
        assert_eq!(phone.post(SIGNIN, named.clone()).await.tokens().user(), user);
        // Another application has no such connection.
        world.stores_nothing(world.client().post(SIGNIN, named)).await.refused(2404);
        // Identity first, as for every source.
        let path = "/api/v2/ecConn/wechatminiprogramapplaunch/authByCodeIdentity";
        let sent = json!({ "connId": connection(&world), "code": world.code(OWN, "bob"), "options": { "scope": "openid" } });
        let json = phone.post(path, sent).await.json();
        assert!(json["id_token"].is_string() && json.get("code").is_none(), "{json}");
    }

    async fn the_instances_mini_program_knows_nobody_of_a_pool(database) {
        let world = world(database, "", true).await;
        let known = world.client().log_in(MINI, "bob").await.id;
        let user = returned(&world, &world.code(DEFAULT, "bob"), None).await.user();
        assert_ne!(user.id, known, "its UnionIDs are none of the pool's");
        assert_eq!(returned(&world, &world.code(DEFAULT, "bob"), None).await.user().id, user.id);
    }

    async fn a_source_is_linked_by_a_code_of_the_instances_mini_program(database) {
        let world = world(database, "", true).await;
        let known = world.client().log_in(MINI, "stranger").await;
        let login = || signin("wechat_mini_program_code", "wechatMiniProgramCodePayload", &json!({ "code": world.code(DEFAULT, "bob") }));
        let phone = world.nobody().app(SHOP_PHONE);
        let bob = phone.post(SIGNIN, login()).await.tokens();
        let link = |code: String| json!({ "extIdpConnidentifier": "shop-launch", "code": code });
        let client = phone.clone().bearer(&bob.access);
        let path = "/api/v3/link-extidp";
        client.post(path, link(world.code(DEFAULT, "bob"))).await.done();
        client.post(path, link(world.code(DEFAULT, "stranger"))).await.refused(2215);
        client.post(path, link(world.code(MINI, "bob"))).await.refused(2207);
        let other = phone.clone().app(SHOP_PHONE).bearer(&known.token);
        other.post(path, link(world.code(DEFAULT, "stranger"))).await.refused(2020);

        // Several tenants share it: a code of its says of no pool that its person meant that one.
        world.reconfigure(&file("")).await;
        let exchanges = world.exchanges();
        client.post(path, link(world.code(DEFAULT, "bob"))).await.refused(2580);
        assert_eq!(world.exchanges(), exchanges, "nothing was asked of WeChat");
    }

    async fn among_several_pools_only_a_ticket_brings_a_code_of_the_instances_mini_program(database) {
        let world = world(database, "", true).await;
        let of_web = "type = \"web\"\n  connections = [\"shop-two\", \"shop-mini\"]";
        let back_end = format!("type = \"web\"\n  secret = \"{BACK_END_SECRET}\"\n  connections = [\"shop-two\", \"shop-mini\"]");
        world.secret(BACK_END_SECRET);
        world.reconfigure(&file("").replacen(of_web, &back_end, 1)).await;
        let known = world.client().log_in(MINI, "stranger").await;
        let exchanges = world.exchanges();
        // Another tenant's app may have got it from the mini program that all share.
        let code = world.code(DEFAULT, "bob");
        let message = returned(&world, &code, None).await.refused(2580);
        assert!(message.contains("app2wxapp"), "{message}");
        let phone = world.nobody().app(SHOP_PHONE);
        let payload = json!({ "wxLoginInfo": { "code": code }, "wxPhoneInfo": { "code": world.phone_code(DEFAULT, "bob") } });
        let body = signin("wechat_mini_program_code_and_phone", "wechatMiniProgramCodeAndPhonePayload", &payload);
        phone.post(SIGNIN, body).await.refused(2580);
        let body = json!({ "connId": connection(&world), "code": code });
        phone.post("/api/v2/ecConn/wechatminiprogramapplaunch/authByCodeIdentity", body).await.refused(2580);
        assert_eq!(world.exchanges(), exchanges, "nothing was asked of WeChat");
        assert_eq!(world.client().log_in(MINI, "stranger").await.id, known.id, "a pool's own go on");

        let path = format!("/oauth/app2wxapp/grant/?code={code}&userPoolId={SHOP}");
        let ticket = world.nobody().get(&path).await.data()["ticket"].clone();
        let body = json!({ "ticket": ticket, "secret": BACK_END_SECRET });
        let auth = async |pool: &str| world.nobody().post(&format!("/oauth/app2wxapp/auth/{pool}"), body.clone()).await;
        auth(crate::world::CAFE).await.refused(2480);
        auth(SHOP).await.user();
    }

    async fn an_app_of_its_own_goes_as_a_whole(database) {
        let world = world(database, &own_fields(), true).await;
        returned(&world, &world.code(DEFAULT, "bob"), None).await.refused(2207);
        // Nobody has used it. Its secret, which files may leave out, does not stay behind.
        world.reconfigure(&shop_alone("")).await;
        returned(&world, &world.code(OWN, "bob"), None).await.refused(2207);
        returned(&world, &world.code(DEFAULT, "bob"), None).await.user();
    }

    async fn without_any_mini_program_the_reason_is_told(database) {
        let world = world(database, "", false).await;
        let message = returned(&world, &world.code(OWN, "bob"), None).await.refused(2577);
        assert!(message.contains("app_id") && message.contains("mini program"), "{message}");
        assert_eq!((world.exchanges(), world.rows("users").await), (0, 1));
        let config = world.node.app.config();
        let connection = config.connection(&hufu_types::ConnectionId::parse(&connection(&world)).unwrap()).unwrap();
        let checked = world.node.app.check_connection(connection).await.unwrap();
        assert_eq!(checked.findings[0].key, "login-mini-program-missing", "{checked:?}");
    }

    async fn the_clients_read_what_to_launch(database) {
        let world = world(database, "", true).await;
        let path = format!("/api/v2/applications/{SHOP_PHONE}/public-config");
        let launched = async || {
            let json = world.nobody().get(&path).await.json();
            json["data"]["ecConnections"][0].clone()
        };
        let of_instance = launched().await;
        assert_eq!(of_instance["type"], "wechat:miniprogram:app-launch");
        let fields = json!({ "mobileAppID": LAUNCHER, "originalID": "gh_a781a791e29e" });
        assert_eq!((&of_instance["fields"], &of_instance["id"]), (&fields, &json!(connection(&world))));
        world.reconfigure(&shop_alone(&own_fields())).await;
        assert_eq!(launched().await["fields"], json!({ "mobileAppID": LAUNCHER, "originalID": "gh_0123456789ab" }));
    }

    async fn a_ticket_of_the_older_flow_is_one_login_of_a_back_end_with_a_secret(database) {
        let world = world(database, &own_fields(), false).await;
        world.secret(BACK_END_SECRET);
        let back_end = format!("type = \"web\"\n  secret = \"{BACK_END_SECRET}\"\n  connections = [\"shop-two\", \"shop-mini\"]");
        let of_web = "type = \"web\"\n  connections = [\"shop-two\", \"shop-mini\"]";
        let file = file(&own_fields());
        assert!(file.contains(of_web));
        world.reconfigure(&file.replacen(of_web, &back_end, 1)).await;

        let grant = async || {
            let (code, phone) = (world.code(OWN, "bob"), world.phone_code(OWN, "bob"));
            let path = format!(
                "/oauth/app2wxapp/grant/?alias=app2wxapp&code={code}&phoneInfoCode={phone}&userPoolId={SHOP}&&useSelfWxapp=true"
            );
            let data = world.stores_nothing(world.nobody().get(&path)).await.data();
            assert_eq!(data["expiresIn"], 120);
            let ticket = data["ticket"].as_str().unwrap().to_owned();
            assert!(!ticket.contains(&code));
            ticket
        };
        let auth = async |pool: &str, ticket: &str, secret: &str| {
            let body = json!({ "ticket": ticket, "secret": secret });
            world.nobody().post(&format!("/oauth/app2wxapp/auth/{pool}"), body).await
        };
        let ticket = grant().await;
        assert_eq!(world.exchanges(), 0, "nothing is asked of WeChat before the back end comes");
        auth(SHOP, &ticket, "not the secret of anything of this pool").await.refused(2480);
        auth(crate::world::CAFE, &ticket, BACK_END_SECRET).await.refused(2480);
        auth("nonsense", &ticket, BACK_END_SECRET).await.refused(2224);
        let answer = auth(SHOP, &ticket, BACK_END_SECRET).await;
        let user = answer.user();
        assert_eq!((&user.data["phone"], &user.data["registerMethod"]), (&json!(NUMBER), &json!("oauth:app2wxapp")));
        assert!(user.data["openid"].is_string() && user.data["unionid"].is_string());
        assert_eq!(crate::client::claims(&user.token)["aud"], SHOP_PHONE);
        // Once, and for two minutes.
        auth(SHOP, &ticket, BACK_END_SECRET).await.refused(2621);
        auth(SHOP, "nonsense", BACK_END_SECRET).await.refused(2621);
        let late = grant().await;
        world.advance(std::time::Duration::from_secs(121));
        auth(SHOP, &late, BACK_END_SECRET).await.refused(2621);
        let again = grant().await;
        let (one, other) = futures::join!(auth(SHOP, &again, BACK_END_SECRET), auth(SHOP, &again, BACK_END_SECRET));
        let mut codes = [one.code(), other.code()];
        codes.sort_unstable();
        assert_eq!(codes, [200, 2621]);
    }

    async fn only_a_back_end_of_the_owner_uses_a_ticket(database) {
        let world = world(database, &own_fields(), false).await;
        world.secret(BACK_END_SECRET);
        let back_end = format!("type = \"web\"\n  secret = \"{BACK_END_SECRET}\"\n  connections = [\"shop-two\", \"shop-mini\"]");
        let of_web = "type = \"web\"\n  connections = [\"shop-two\", \"shop-mini\"]";
        world.reconfigure(&file(&own_fields()).replacen(of_web, &back_end, 1)).await;
        let ticket = async || {
            let path = format!("/oauth/app2wxapp/grant/?code={}&userPoolId={SHOP}", world.code(OWN, "bob"));
            world.nobody().get(&path).await.data()["ticket"].clone()
        };
        let auth = async |ticket: &Value| {
            let body = json!({ "ticket": ticket, "secret": BACK_END_SECRET });
            world.nobody().post(&format!("/oauth/app2wxapp/auth/{SHOP}"), body).await
        };
        let waiting = ticket().await;
        // As every client that registered itself, a third party.
        world.change_application(crate::world::SHOP_WEB, |application| application.login.consent = true).await;
        auth(&waiting).await.refused(2480);
        world.change_application(crate::world::SHOP_WEB, |application| application.login.consent = false).await;
        auth(&waiting).await.user();
        // An app that has a secret of its own takes no other.
        let secrets = world.node.app.config().application(crate::world::SHOP_WEB).unwrap().secrets.clone();
        let another = hufu_types::TokenHash([7; 32]);
        world.change_application(SHOP_PHONE, |application| {
            application.client.token_auth = Some(hufu_types::TokenAuth::Post);
            application.secrets = secrets.iter().map(|of| hufu_types::ClientSecret { hash: another.clone(), ..of.clone() }).collect();
        }).await;
        auth(&ticket().await).await.refused(2480);
    }

    async fn secrets_are_not_guessed_at_the_older_call(database) {
        let plan = Plan::new().limits(|limits| limits.client_failures_per_ip = 3);
        let world = plan.build(database).await;
        let body = |nth: usize| json!({ "ticket": "x", "secret": format!("a secret that is guessed {nth}") });
        let path = format!("/oauth/app2wxapp/auth/{SHOP}");
        for nth in 0..3 {
            world.nobody().post(&path, body(nth)).await.refused(2480);
        }
        world.nobody().post(&path, body(3)).await.refused(1002);
        // An application that launches nothing has no tickets.
        let path = format!("/oauth/app2wxapp/grant/?code=0123456789&userPoolId={SHOP}");
        world.nobody().get(&path).await.refused(2405);
    }
}
