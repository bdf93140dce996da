//! Checks of connections: what each answer of WeChat is said to mean.

use hufu_sandbox::{AppKind, AppPatch, AppState, Fault, NewApp};
use hufu_testkit::administration::{call, call_with, key};
use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::world::{MINI, Plan, SHOP, TWO, World};

mod addresses;

const FETCH: &str = "/cgi-bin/stable_token";
const CODE: &str = "/sns/jscode2session";
const PICTURE: &str = "/wxa/getwxacodeunlimit";
const FOLLOWER: &str = "/cgi-bin/user/info";
const SNS: &str = "/sns/oauth2/access_token";
const NUMBER: &str = "/wxa/business/getuserphonenumber";

/// Checks a connection of the shop.
async fn check(world: &World, connection: &str) -> Value {
    check_in("zh-CN", world, connection).await
}

/// The same, for somebody who reads this language. Whatever is found says all that it has to say, in that language.
async fn check_in(language: &str, world: &World, connection: &str) -> Value {
    let owner = key(world, AdminRole::Owner, None).await;
    let path = format!("/admin/v1/pools/{SHOP}/connections/{connection}/check");
    let headers = [("x-authing-lang", language)];
    let checked = call_with(world, Some(&owner), "POST", &path, None, &headers).await.is(200);
    for finding in checked["findings"].as_array().unwrap() {
        let [message, breaks, mend] = ["message", "breaks", "mend"].map(|part| finding[part].as_str());
        let is_chinese = message.unwrap().contains(['，', '。', '：']);
        assert_eq!(is_chinese, language == "zh-CN", "{finding}");
        let severity = finding["severity"].as_str().unwrap();
        assert_eq!(mend.is_some(), severity != "ok" || finding["finding"] == "phone-fine", "{finding}");
        assert!(breaks.is_some() || matches!(severity, "ok" | "note"), "{finding}");
        // A placeholder that nothing took the place of.
        assert!(![message, breaks, mend].iter().flatten().any(|said| said.contains('{')), "{finding}");
    }
    checked
}

/// The finding of this name.
#[track_caller]
fn find<'f>(checked: &'f Value, name: &str) -> &'f Value {
    let all = checked["findings"].as_array().unwrap();
    all.iter()
        .find(|finding| finding["finding"] == name)
        .unwrap_or_else(|| panic!("no {name} in {checked:#}"))
}

fn names(checked: &Value) -> Vec<&str> {
    checked["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["finding"].as_str().unwrap())
        .collect()
}

fn fault(world: &World, path: &str, errcode: i32) {
    let fault = Fault { path: Some(path.to_owned()), errcode: Some(errcode), count: 100, ..Fault::default() };
    world.sandbox.add_fault(fault).unwrap();
}

fn set_state(world: &World, state: AppState) {
    world.sandbox.change_app(MINI, AppPatch { state: Some(state), ..AppPatch::default() }).unwrap();
}

on_both_engines! {
    async fn a_sound_mini_program(database) {
        let world = World::new(database).await;
        world.person("bob");
        let fresh = check(&world, "shop-mini").await;
        find(&fresh, "unionid-unknown");
        world.client().log_in(MINI, "bob").await;
        let checked = check(&world, "shop-mini").await;
        for name in [
            "credentials-fine", "app-token-fine", "connection-used", "kind-of-app-fine", "published-fine", "unionid-fine", "phone-fine",
        ] {
            assert_eq!(find(&checked, name)["severity"], "ok");
        }
        let domain = find(&checked, "server-domain-set");
        assert_eq!(domain["severity"], "note");
        assert!(domain["mend"].as_str().unwrap().ends_with("https://id.example.com"), "{domain}");
        assert!(find(&checked, "app-token-fine")["message"].as_str().unwrap().contains("120"), "{checked}");
        assert_ne!(checked["severity"], "error");
    }

    async fn what_is_wrong_with_app_id_or_secret(database) {
        let world = World::new(database).await;
        for (state, name, errcode) in [
            (AppState::SecretReset, "secret-wrong", 40125),
            (AppState::SecretFrozen, "secret-frozen", 40243),
            (AppState::Frozen, "app-frozen", 50007),
            (AppState::Banned, "app-banned", 50004),
            (AppState::Deleted, "app-unknown", 40013),
        ] {
            set_state(&world, state);
            let checked = check(&world, "shop-mini").await;
            let finding = find(&checked, name);
            assert_eq!((&finding["errcode"], &finding["severity"]), (&json!(errcode), &json!("error")));
            assert_eq!(finding["check"], "credentials");
            assert!(finding["rid"].is_string() && finding["breaks"].is_string() && finding["mend"].is_string(), "{finding}");
            assert_eq!(checked["severity"], "error");
            // What cannot be known without a token is not said.
            assert!(!names(&checked).iter().any(|name| name.starts_with("phone") || name.starts_with("published")), "{checked}");
        }
        set_state(&world, AppState::Ok);
        assert_ne!(check(&world, "shop-mini").await["severity"], "error");
    }

    async fn what_else_wechat_may_have_against_it(database) {
        let world = World::new(database).await;
        for (path, errcode, name, severity) in [
            (FETCH, 40001, "secret-wrong", "error"),
            (FETCH, 61024, "third-party-platform", "error"),
            (FETCH, 89503, "ip-to-confirm", "error"),
            (FETCH, 89507, "ip-rejected", "error"),
            (FETCH, 45009, "quota-of-the-day", "warning"),
            (FETCH, 45011, "quota-of-the-minute", "warning"),
            (FETCH, 99_999, "unknown-error", "error"),
            (CODE, 40013, "kind-of-app-wrong", "error"),
            (CODE, 45063, "kind-of-app-wrong", "error"),
            (NUMBER, 48001, "phone-not-permitted", "warning"),
            (NUMBER, 45009, "quota-of-the-day", "warning"),
            (PICTURE, 41030, "published-not", "warning"),
            (PICTURE, 85079, "published-not", "warning"),
        ] {
            world.sandbox.clear_faults();
            fault(&world, path, errcode);
            let checked = check(&world, "shop-mini").await;
            let finding = find(&checked, name);
            assert_eq!((&finding["errcode"], &finding["severity"]), (&json!(errcode), &json!(severity)), "{name}");
        }
    }

    async fn switched_off_and_unused(database) {
        let world = World::new(database).await;
        let checked = check(&world, "shop-spare").await;
        assert_eq!(find(&checked, "connection-unused")["severity"], "warning");
        let checked = check(&world, "shop-mini").await;
        assert!(find(&checked, "connection-used")["message"].as_str().unwrap().contains("Shop mini program"));
        assert!(!names(&checked).contains(&"connection-off"), "{checked}");
        let identifier = "identifier = \"shop-mini\"\n";
        world.reconfigure_with(identifier, &format!("{identifier}  enabled = false\n")).await;
        let checked = check(&world, "shop-mini").await;
        let finding = find(&checked, "connection-off");
        assert_eq!((&finding["check"], &finding["severity"]), (&json!("connection"), &json!("warning")));
        check_in("en-US", &world, "shop-mini").await;
    }

    /// The address is the one that WeChat saw, wherever this machine believes to be.
    async fn an_address_that_is_not_on_the_allow_list_is_named(database) {
        let world = World::new(database).await;
        let allow = |address: &str| {
            let patch = AppPatch { ip_allow: Some(vec![address.parse().unwrap()]), ..AppPatch::default() };
            world.sandbox.change_app(MINI, patch).unwrap();
        };
        allow("203.0.113.9");
        for language in ["zh-CN", "en-US"] {
            let checked = check_in(language, &world, "shop-mini").await;
            let finding = find(&checked, "ip-not-listed");
            assert_eq!((&finding["check"], &finding["severity"]), (&json!("credentials"), &json!("error")));
            assert_eq!(finding["errcode"], 40164);
            for part in ["message", "mend"] {
                let said = finding[part].as_str().unwrap();
                assert!(said.contains("127.0.0.1") && !said.contains("203.0.113.9"), "{said}");
            }
            let mend = finding["mend"].as_str().unwrap();
            assert!(mend.contains("IP 白名单") && mend.contains("微信公众平台 › 小程序 › 开发管理 › 开发设置"), "{mend}");
        }
        allow("127.0.0.1");
        assert_ne!(check(&world, "shop-mini").await["severity"], "error");
    }

    async fn a_page_that_the_published_mini_program_does_not_have(database) {
        let world = Plan::new().default_mini_program(TWO).build(database).await;
        let scan = "  [[user_pool.connection]]\n  identifier = \"shop-scan\"\n  type = \"wechat:miniprogram:qrconnect\"\n  fields = { page = \"pages/scan/index\" }\n";
        let place = "  [[user_pool.application]]";
        world.reconfigure(&crate::world::FILE.replacen(place, &format!("{scan}{place}"), 1)).await;
        let publish = |pages: &[&str]| {
            let pages = Some(pages.iter().map(|page| (*page).to_owned()).collect());
            world.sandbox.change_app(TWO, AppPatch { pages, ..AppPatch::default() }).unwrap();
        };
        publish(&["pages/index/index"]);
        for language in ["zh-CN", "en-US"] {
            let checked = check_in(language, &world, "shop-scan").await;
            let finding = find(&checked, "page-unpublished");
            assert_eq!((&finding["check"], &finding["severity"]), (&json!("published"), &json!("warning")));
            assert_eq!(finding["errcode"], 41030);
            assert!(finding["mend"].as_str().unwrap().contains("版本管理"), "{finding}");
        }
        publish(&["pages/index/index", "pages/scan/index"]);
        let checked = check(&world, "shop-scan").await;
        assert_eq!(find(&checked, "published-fine")["severity"], "ok");
        assert!(!names(&checked).contains(&"page-unpublished"), "{checked}");
        set_state(&world, AppState::Unreleased);
        let checked = check(&world, "shop-mini").await;
        assert_eq!(find(&checked, "published-not")["severity"], "warning");
    }

    /// Each connection has a limit of its own, but the mini program that they share belongs to the server.
    async fn checks_of_the_servers_own_mini_program_are_counted_together(database) {
        let plan = Plan::new().default_mini_program(TWO).limits(|limits| limits.connection_checks = 2);
        let world = plan.build(database).await;
        let scan = |identifier: &str| {
            format!("  [[user_pool.connection]]\n  identifier = \"{identifier}\"\n  type = \"wechat:miniprogram:qrconnect\"\n  fields = {{}}\n")
        };
        let place = "  [[user_pool.application]]";
        let both = format!("{}{}{place}", scan("shop-scan"), scan("shop-scan-too"));
        world.reconfigure(&crate::world::FILE.replacen(place, &both, 1)).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let path = |connection: &str| format!("/admin/v1/pools/{SHOP}/connections/{connection}/check");
        for connection in ["shop-scan", "shop-scan-too"] {
            call(&world, Some(&owner), "POST", &path(connection), None).await.is(200);
        }
        call(&world, Some(&owner), "POST", &path("shop-scan"), None).await.is(429);
        call(&world, Some(&owner), "POST", &path("shop-mini"), None).await.is(200);
    }

    async fn an_app_without_an_open_platform_account(database) {
        let world = World::new(database).await;
        world.person("bob");
        let none = AppPatch { open_platform: Some(None), ..AppPatch::default() };
        world.sandbox.change_app(MINI, none).unwrap();
        world.client().log_in(MINI, "bob").await;
        assert_eq!(find(&check(&world, "shop-mini").await, "unionid-missing")["severity"], "warning");
    }
}

/// A website, a page in WeChat and a QR code, each of an app of its own.
const OTHERS: &str = r#"
  [[user_pool.connection]]
  identifier = "shop-pc"
  type = "wechat:pc"
  fields = { app_id = "wx00000000000000c1", app_secret = "secret-of-wx00000000000000c1" }
  [[user_pool.connection]]
  identifier = "shop-page"
  type = "wechat:webpage-authorization"
  verification_file = { name = "MP_verify_0123456789abcdef.txt", content = "0123456789abcdef" }
  fields = { app_id = "wx00000000000000c2", app_secret = "secret-of-wx00000000000000c2" }
  [[user_pool.connection]]
  identifier = "shop-qr"
  type = "wechatmp-qrcode"
  fields = { app_id = "wx00000000000000c2", app_secret = "secret-of-wx00000000000000c2", original_id = "gh_0123456789ab", token = "shoptoken", encryption = "plain" }
"#;

async fn with_others(plan: Plan, database: TestDatabase) -> World {
    let world = plan.build(database).await;
    for (app_id, kind) in
        [("wx00000000000000c1", AppKind::Website), ("wx00000000000000c2", AppKind::ServiceAccount)]
    {
        let secret = crate::world::secret_of(app_id);
        world.secret(&secret);
        let app = NewApp {
            app_id: Some(app_id.to_owned()),
            secret: Some(secret.as_str().into()),
            kind,
            ..NewApp::default()
        };
        world.sandbox.add_app(app).unwrap();
    }
    let place = "  [[user_pool.application]]";
    let file = crate::world::FILE.replacen(place, &format!("{OTHERS}{place}"), 1);
    world.reconfigure(&file).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn websites_pages_and_qr_codes() {
    let world = with_others(Plan::new(), TestDatabase::sqlite()).await;
    let pc = check(&world, "shop-pc").await;
    assert_eq!(find(&pc, "kind-of-app-fine")["severity"], "ok");
    let domain = find(&pc, "website-domain-set")["mend"].as_str().unwrap();
    assert!(domain.ends_with("id.example.com") && !domain.contains("https"), "{domain}");

    let page = check(&world, "shop-page").await;
    for name in ["credentials-fine", "kind-of-app-fine", "webpage-domain-set"] {
        find(&page, name);
    }
    // Nobody serves that domain here.
    let file = find(&page, "address-unreachable");
    assert_eq!((&file["check"], &file["severity"]), (&json!("verification"), &json!("warning")));
    assert!(
        file["message"].as_str().unwrap().contains("https://id.example.com/MP_verify_0123456789abcdef.txt")
    );

    let code = check(&world, "shop-qr").await;
    for name in ["credentials-fine", "app-token-fine", "kind-of-app-fine", "address-unreachable"] {
        find(&code, name);
    }
    let url = find(&code, "message-url-set")["message"].as_str().unwrap();
    let address = format!("https://id.example.com/connections/social/shop-qr/{SHOP}/events");
    assert!(url.contains(&address) && url.contains("明文模式"), "{url}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_websites_pages_and_qr_codes() {
    let world = with_others(Plan::new(), TestDatabase::sqlite()).await;
    for (connection, path, errcode, name) in [
        ("shop-pc", SNS, 40125, "secret-wrong"),
        ("shop-pc", SNS, 40013, "kind-of-app-wrong"),
        ("shop-page", SNS, 40125, "secret-wrong"),
        ("shop-qr", FETCH, 40164, "ip-not-listed"),
        ("shop-qr", FOLLOWER, 48001, "followers-not-permitted"),
        ("shop-qr", FOLLOWER, 40013, "kind-of-app-wrong"),
    ] {
        world.sandbox.clear_faults();
        fault(&world, path, errcode);
        let checked = check(&world, connection).await;
        let finding = find(&checked, name);
        assert_eq!(
            (&finding["errcode"], &finding["severity"]),
            (&json!(errcode), &json!("error")),
            "{connection}"
        );
        // It is mended where an app of this kind is set up.
        let menu = if connection == "shop-pc" { "网站应用" } else { "设置与开发" };
        let mend = finding["mend"].as_str().unwrap();
        assert!(name == "kind-of-app-wrong" || mend.contains(menu), "{connection}: {mend}");
    }
    let owner = key(&world, AdminRole::Owner, None).await;
    world.sandbox.clear_faults();
    let token = |connection: &str| format!("/admin/v1/pools/{SHOP}/connections/{connection}/app-token");
    let got = call(&world, Some(&owner), "GET", &token("shop-qr"), None).await.is(200);
    world.secret(got["accessToken"].as_str().unwrap());
    let same = call(&world, Some(&owner), "GET", &token("shop-page"), None).await.is(200);
    assert_eq!(got["accessToken"], same["accessToken"], "one app, one token");
    assert_eq!(call(&world, Some(&owner), "GET", &token("shop-pc"), None).await.is(409)["code"], 2590);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wechat_out_of_reach_is_said_to_be() {
    let (world, _address) = Plan::new().build_unreachable(TestDatabase::sqlite()).await;
    let checked = check(&world, "shop-mini").await;
    let finding = find(&checked, "unreachable");
    assert!(finding["mend"].as_str().unwrap().contains("127.0.0.1"), "{finding}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_mobile_app_in_a_mini_programs_connection() {
    let world = World::new(TestDatabase::sqlite()).await;
    let app = NewApp {
        app_id: Some(MINI.to_owned()),
        secret: Some(crate::world::secret_of(MINI).as_str().into()),
        kind: AppKind::Mobile,
        ..NewApp::default()
    };
    world.sandbox.add_app(app).unwrap();
    let checked = check(&world, "shop-mini").await;
    let finding = find(&checked, "kind-of-app-wrong");
    assert_eq!((&finding["check"], &finding["severity"]), (&json!("kind-of-app"), &json!("error")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_check_and_not_all_day_long() {
    let world = Plan::new().limits(|limits| limits.connection_checks = 2).build(TestDatabase::sqlite()).await;
    let path = format!("/admin/v1/pools/{SHOP}/connections/shop-mini/check");
    let manager = key(&world, AdminRole::Manager, None).await;
    call(&world, Some(&manager), "POST", &path, None).await.is(403);
    let owner = key(&world, AdminRole::Owner, None).await;
    let unknown = format!("/admin/v1/pools/{SHOP}/connections/nothing/check");
    call(&world, Some(&owner), "POST", &unknown, None).await.is(404);
    call(&world, Some(&owner), "POST", &path, None).await.is(200);
    call(&world, Some(&owner), "POST", &path, None).await.is(200);
    call(&world, Some(&owner), "POST", &path, None).await.is(429);
}
