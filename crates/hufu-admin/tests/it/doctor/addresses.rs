//! Domains, verification files and the address for messages: WeChat cannot be asked for what is set there, but what is served
//! at `public_url` can be looked at.

use hufu_testkit::receiver::Receiver;
use hufu_testkit::{TestDatabase, on_both_engines};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{check, check_in, find, names, with_others};
use crate::world::{FILE, Plan, TWO, World};

/// A mini program with login pages in its web-view.
const WEB_VIEW: &str = "  fields = { app_id = \"wx00000000000000a1\", app_secret = \"secret-of-wx00000000000000a1\", web_view_page = \"pages/login/index\" }\n";
/// WeChat's file for the business domain of a mini program.
const BUSINESS_FILE: &str =
    "  verification_file = { name = \"QUxp4PS6fh.txt\", content = \"c636e427fa1d442771a93ff2885d6c15\" }\n";
/// The menu in which a mini program's business domain is set.
const BUSINESS_MENU: &str = "微信公众平台 › 小程序 › 开发管理 › 开发设置 › 业务域名";
/// The menu in which the domain of an official account's web pages is set.
const WEBPAGE_MENU: &str = "微信公众平台 › 设置与开发 › 账号设置 › 功能设置 › 网页授权域名";

/// The standard file, in which `shop-mini` has these lines in place of its fields.
fn mini_with(lines: &str) -> String {
    let fields =
        "  fields = { app_id = \"wx00000000000000a1\", app_secret = \"secret-of-wx00000000000000a1\" }\n";
    assert!(FILE.contains(fields));
    FILE.replacen(fields, lines, 1)
}

/// Adds the other connections of these tests to a file.
fn and_others(file: &str) -> String {
    let place = "  [[user_pool.application]]";
    file.replacen(place, &format!("{}{place}", super::OTHERS), 1)
}

#[track_caller]
fn is_of(finding: &Value, check: &str, severity: &str) {
    assert_eq!((&finding["check"], &finding["severity"]), (&json!(check), &json!(severity)), "{finding}");
}

#[track_caller]
fn says(finding: &Value, part: &str, texts: &[&str]) {
    let said = finding[part].as_str().unwrap();
    assert!(texts.iter().all(|text| said.contains(text)), "{finding}");
}

on_both_engines! {
    /// The server is asked at its own address, as WeChat asks it.
    async fn files_and_the_message_address_are_served_where_wechat_looks_for_them(database) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public_url = format!("http://{}", listener.local_addr().unwrap());
        let world = with_others(Plan::new().public_url(&public_url), database).await;
        let router = world.node.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        world.reconfigure(&and_others(&mini_with(&format!("{BUSINESS_FILE}{WEB_VIEW}")))).await;

        for (connection, check, name, path) in [
            ("shop-mini", "verification", "verification-file-fine", "/QUxp4PS6fh.txt"),
            ("shop-page", "verification", "verification-file-fine", "/MP_verify_0123456789abcdef.txt"),
            ("shop-qr", "messages", "message-url-fine", "/connections/social/shop-qr/"),
        ] {
            for language in ["zh-CN", "en-US"] {
                let checked = check_in(language, &world, connection).await;
                let finding = find(&checked, name);
                is_of(finding, check, "ok");
                says(finding, "message", &[&format!("{public_url}{path}")]);
            }
        }
    }

    /// A proxy in front that answers these paths itself.
    async fn files_and_the_message_address_that_something_else_answers(database) {
        let proxy = Receiver::start().await;
        let public_url = proxy.uri.trim_end_matches('/');
        let world = with_others(Plan::new().public_url(public_url), database).await;
        world.reconfigure(&and_others(&mini_with(&format!("{BUSINESS_FILE}{WEB_VIEW}")))).await;
        for status in [200, 302, 404] {
            proxy.answer(status);
            for language in ["zh-CN", "en-US"] {
                for (connection, file, menu) in [
                    ("shop-mini", "/QUxp4PS6fh.txt", BUSINESS_MENU),
                    ("shop-page", "/MP_verify_0123456789abcdef.txt", WEBPAGE_MENU),
                ] {
                    let checked = check_in(language, &world, connection).await;
                    let finding = find(&checked, "verification-file-other");
                    is_of(finding, "verification", "error");
                    says(finding, "message", &[&format!("{public_url}{file}"), &status.to_string()]);
                    says(finding, "mend", &["127.0.0.1", menu]);
                    assert_eq!(checked["severity"], "error");
                }
                let checked = check_in(language, &world, "shop-qr").await;
                let finding = find(&checked, "message-url-other");
                is_of(finding, "messages", "error");
                says(finding, "message", &[&format!("{public_url}/connections/social/shop-qr/"), &status.to_string()]);
            }
        }
    }

    /// Pages in a browser are WeChat's business over http too, and then anybody in between reads along.
    async fn browsers_over_http_are_warned_of_until_public_url_is_https(database) {
        let mut world = with_others(Plan::new().public_url("http://id.example.com"), database).await;
        for (connection, to_set) in [("shop-pc", "website-domain-set"), ("shop-page", "webpage-domain-set")] {
            for (language, breaks) in [("zh-CN", "冒充他人"), ("en-US", "log in as somebody else")] {
                let checked = check_in(language, &world, connection).await;
                let finding = find(&checked, "domain-in-plain-text");
                is_of(finding, "domains", "warning");
                says(finding, "message", &["http://id.example.com"]);
                says(finding, "breaks", &[breaks]);
                says(finding, "mend", &["https", "public_url"]);
                // The domain may be set at WeChat all the same.
                find(&checked, to_set);
                assert!(!names(&checked).contains(&"domain-not-https"), "{checked}");
            }
        }
        // A mini program does not even ask over http: that is an error of another name.
        let checked = check(&world, "shop-mini").await;
        is_of(find(&checked, "domain-not-https"), "domains", "error");
        assert!(!names(&checked).contains(&"domain-in-plain-text"), "{checked}");

        // The operator serves the same instance over https.
        world.serve_at("https://id.example.com").await;
        for connection in ["shop-pc", "shop-page", "shop-mini"] {
            let checked = check(&world, connection).await;
            let all = names(&checked);
            assert!(!all.contains(&"domain-in-plain-text") && !all.contains(&"domain-not-https"), "{checked}");
        }
    }

    /// The host and WeChat's menu are named, to be compared with what is set there.
    async fn the_business_domain_of_a_mini_program_with_pages_in_a_web_view(database) {
        let world = World::new(database).await;
        for language in ["zh-CN", "en-US"] {
            // Whether it shows pages in a web-view, only the mini program knows.
            world.reconfigure(FILE).await;
            let checked = check_in(language, &world, "shop-mini").await;
            let finding = find(&checked, "business-domain-optional");
            is_of(finding, "domains", "note");
            says(finding, "message", &["id.example.com", "web-view"]);
            says(finding, "mend", &["id.example.com", BUSINESS_MENU]);
            assert!(!names(&checked).iter().any(|name| name.starts_with("verification")), "{checked}");

            world.reconfigure(&mini_with(WEB_VIEW)).await;
            let checked = check_in(language, &world, "shop-mini").await;
            let finding = find(&checked, "business-domain-set");
            is_of(finding, "domains", "note");
            says(finding, "message", &["id.example.com", "web-view"]);
            says(finding, "mend", &["id.example.com", BUSINESS_MENU]);
            assert!(!finding["mend"].as_str().unwrap().contains("https://"), "a host alone: {finding}");
            let file = find(&checked, "verification-file-none");
            is_of(file, "verification", "note");
            says(file, "message", &["id.example.com"]);
            says(file, "mend", &[BUSINESS_MENU, "verification_file"]);
            assert!(!names(&checked).contains(&"business-domain-optional"), "{checked}");

            // Who has the file sets the domain, whatever it is for.
            let fields = WEB_VIEW.replace(", web_view_page = \"pages/login/index\"", "");
            world.reconfigure(&mini_with(&format!("{BUSINESS_FILE}{fields}"))).await;
            let checked = check_in(language, &world, "shop-mini").await;
            is_of(find(&checked, "business-domain-set"), "domains", "note");
            is_of(find(&checked, "address-unreachable"), "verification", "warning");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_official_account_without_its_verification_file() {
    let world = with_others(Plan::new(), TestDatabase::sqlite()).await;
    let file = and_others(FILE);
    let line = file.lines().find(|line| line.contains("MP_verify_")).unwrap();
    world.reconfigure(&file.replacen(&format!("{line}\n"), "", 1)).await;
    for language in ["zh-CN", "en-US"] {
        let checked = check_in(language, &world, "shop-page").await;
        let finding = find(&checked, "verification-file-none");
        is_of(finding, "verification", "note");
        says(finding, "message", &["id.example.com"]);
        says(finding, "mend", &[WEBPAGE_MENU, "verification_file"]);
    }
}

/// WeChat looks for a business domain's file at the host alone, by https.
#[tokio::test(flavor = "multi_thread")]
async fn a_public_url_that_cannot_be_a_business_domain() {
    for (public_url, obstacle, requests) in [
        ("http://id.example.com", "domain-not-https", false),
        ("https://id.example.com:8443", "domain-with-port", true),
        ("https://203.0.113.9", "domain-is-address", false),
    ] {
        let world = Plan::new().public_url(public_url).build(TestDatabase::sqlite()).await;
        world.reconfigure(&mini_with(WEB_VIEW)).await;
        let checked = check(&world, "shop-mini").await;
        is_of(find(&checked, obstacle), "domains", "error");
        assert!(!names(&checked).contains(&"business-domain-set"), "{public_url}: {checked}");
        assert_eq!(names(&checked).contains(&"server-domain-set"), requests, "{public_url}: {checked}");
        check_in("en-US", &world, "shop-mini").await;
    }
    let world = Plan::new().public_url("http://localhost:3000").build(TestDatabase::sqlite()).await;
    let checked = check(&world, "shop-mini").await;
    is_of(find(&checked, "domain-is-local"), "domains", "warning");
    assert!(!names(&checked).iter().any(|name| name.ends_with("domain-set")), "{checked}");
}

/// Mini programs that only scan or are launched have no pages in web-views.
#[tokio::test(flavor = "multi_thread")]
async fn a_mini_program_that_confirms_codes_needs_no_business_domain() {
    let world = Plan::new().default_mini_program(TWO).build(TestDatabase::sqlite()).await;
    let kinds = [("qrconnect", ""), ("app-launch", "mobile_app_id = \"wx00000000000000d1\"")];
    let connections = kinds.map(|(kind, fields)| {
        format!("  [[user_pool.connection]]\n  identifier = \"shop-{kind}\"\n  type = \"wechat:miniprogram:{kind}\"\n  fields = {{ {fields} }}\n")
    });
    let place = "  [[user_pool.application]]";
    world.reconfigure(&FILE.replacen(place, &format!("{}{place}", connections.concat()), 1)).await;
    for connection in ["shop-qrconnect", "shop-app-launch"] {
        let checked = check(&world, connection).await;
        find(&checked, "server-domain-set");
        let mut all = names(&checked).into_iter();
        assert!(
            !all.any(|name| name.starts_with("business") || name.starts_with("verification")),
            "{checked}"
        );
    }
}
