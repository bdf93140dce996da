//! The QR code of a connection as a tab of the login page, without script: the page is opened again and again.

use std::time::Duration;

use hufu_sandbox::Fault;
use hufu_testkit::client::Answer as Called;
use hufu_testkit::world::{FILE, MINI, SHOP_WEB, World};
use hufu_testkit::{TestDatabase, on_both_engines};
use serde_json::{Value, json};

use super::{BACK, Browser, Site, authorization, has, has_code};
use crate::server::Answer;

/// The standard file, with the shop's website showing the code of a mini program. `methods` are its ways to log in.
fn file(methods: &str, more: &str) -> String {
    let connection = format!(
        "
  [[user_pool.connection]]
  identifier = \"shop-scan\"
  type = \"wechat:miniprogram:qrconnect\"
  display_name = \"Scan with WeChat\"
  open_platform = \"shop\"
  {more}
  fields = {{ app_id = \"{MINI}\", app_secret = \"secret-of-{MINI}\" }}"
    );
    let first = "\n  [[user_pool.application]]\n  id = \"6560c0ffee00000000000003\"";
    let file = FILE.replacen(first, &format!("{connection}{first}"), 1);
    let list = "connections = [\"shop-two\", \"shop-mini\"]";
    let uses = format!(
        "connections = [\"shop-two\", \"shop-scan\"]\n  redirect_uris = [\"{BACK}\"]\n  [user_pool.application.login]\n  \
         methods = [{methods}]"
    );
    file.replacen(list, &uses, 1)
}

async fn site(database: TestDatabase, methods: &str, more: &str) -> Site {
    let site = Site::of(World::new(database).await).await;
    site.world.reconfigure(&file(methods, more)).await;
    site.world.person("mei");
    site
}

const BOTH: &str = "\"password\", \"shop-scan\"";

/// The value of an attribute of the page.
#[track_caller]
fn attribute(page: &Answer, name: &str) -> String {
    let text = page.text();
    let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name}: {text}"));
    rest.split('"').next().unwrap().replace("&amp;", "&")
}

/// The address to open next, the secret in it, and the scene of the picture.
struct Shown {
    next: String,
    secret: String,
    scene: String,
}

fn shown(page: &Answer) -> Shown {
    assert_eq!(attribute(page, "data-state"), "created");
    let next = attribute(page, "data-next");
    let secret = next.split("&qr=").nth(1).unwrap().to_owned();
    let text = page.text();
    let (_, rest) = text.split_once("src=\"/api/v2/qrcode/").unwrap();
    Shown { next, secret, scene: rest.split(".png").next().unwrap().to_owned() }
}

/// The link of the tab.
async fn open_tab(browser: &mut Browser<'_>) -> Answer {
    let page = browser.begin().await;
    let text = page.text();
    let (before, _) =
        text.split_once("\" data-connection=\"shop-scan\"").unwrap_or_else(|| panic!("no tab: {text}"));
    let address = before.rsplit("href=\"").next().unwrap().replace("&amp;", "&");
    browser.open(&address).await
}

async fn grant(world: &World, scene: &str) -> Called {
    let code = world.code(MINI, "mei");
    world.nobody().get(&format!("/oauth/wxapp/grant/?alias=wxapp&code={code}&random={scene}")).await
}

async fn confirm(world: &World, scene: &str, granted: &Value) -> Called {
    let body = json!({ "openid": granted["openid"] });
    world.nobody().post(&format!("/oauth/wxapp/redirect?random={scene}"), body).await
}

async fn check(world: &World, secret: &str) -> Value {
    world.nobody().get(&format!("/api/v2/qrcode/check?random={secret}")).await.data()
}

on_both_engines! {
    async fn a_phone_logs_the_browser_in(database) {
        let site = site(database, BOTH, "").await;
        let mut browser = site.browser();
        let page = open_tab(&mut browser).await;
        let code = shown(&page);
        let text = page.text();
        assert!(text.contains(&format!("<noscript><meta http-equiv=\"refresh\" content=\"3;url={}\"></noscript>", code.next.replace('&', "&amp;"))), "{text}");
        assert_eq!(attribute(&page, "data-events"), format!("/api/v2/qrcode/events?random={}", code.secret));
        let again = browser.open(&code.next).await;
        assert_eq!(shown(&again).scene, code.scene, "the same code while it waits");

        let granted = grant(&site.world, &code.scene).await.data();
        let scanned = browser.open(&code.next).await;
        assert_eq!(attribute(&scanned, "data-state"), "scanned");
        confirm(&site.world, &code.scene, &granted).await.data_or_nothing();
        let done = browser.follow(&code.next).await;
        has_code(&done);
        assert!(browser.keeps("__Host-hufu"));
        // Once: the same address shows another code.
        let mut page = browser.open(&code.next).await;
        if page.status == 303 {
            page = browser.follow(&code.next).await;
        }
        assert_eq!(attribute(&page, "data-state"), "expired");
    }

    /// Lesson 4.
    async fn the_secret_of_another_browser_is_worth_nothing(database) {
        let site = site(database, BOTH, "").await;
        let (mut victim, mut thief) = (site.browser(), site.browser());
        let code = shown(&open_tab(&mut victim).await);
        thief.begin().await;
        assert_ne!(shown(&thief.open(&code.next).await).scene, code.scene, "it gets a code of its own");
        let granted = grant(&site.world, &code.scene).await.data();
        confirm(&site.world, &code.scene, &granted).await.data_or_nothing();
        assert_ne!(shown(&thief.open(&code.next).await).scene, code.scene);
        assert!(!thief.keeps("__Host-hufu"));
        // Nor by the calls of clients.
        let state = check(&site.world, &code.secret).await;
        assert!(state["status"] == 2 && state.get("ticket").is_none(), "{state}");
        let ticket = site.world.node.app.login_ticket(&code.secret);
        let client = site.world.nobody().app(SHOP_WEB);
        client.post("/api/v2/qrcode/userinfo", json!({ "ticket": ticket.expose() })).await.refused(2575);
        has_code(&victim.follow(&code.next).await);
    }

    async fn a_code_that_is_over_is_replaced(database) {
        let site = site(database, BOTH, "").await;
        let mut browser = site.browser();
        let code = shown(&open_tab(&mut browser).await);
        site.world.advance(Duration::from_secs(121));
        let late = browser.open(&code.next).await;
        assert_eq!(attribute(&late, "data-state"), "expired");
        assert!(!late.text().contains("http-equiv=\"refresh\"") && !late.text().contains("data-events"));
        let text = late.text();
        let (_, rest) = text.split_once("id=\"new-code\" href=\"").unwrap();
        let again = browser.open(&rest.split('"').next().unwrap().replace("&amp;", "&")).await;
        assert_ne!(shown(&again).scene, code.scene);
    }

    async fn a_login_that_is_refused_says_why(database) {
        let site = site(database, BOTH, "login_only = true").await;
        let mut browser = site.browser();
        let code = shown(&open_tab(&mut browser).await);
        let granted = grant(&site.world, &code.scene).await.data();
        confirm(&site.world, &code.scene, &granted).await.refused(2004);
        let failed = browser.open(&code.next).await;
        assert_eq!(attribute(&failed, "data-state"), "failed");
        assert!(failed.text().contains("banner-bad"), "{}", failed.text());
        assert!(failed.text().contains("id=\"new-code\""));
    }

    async fn a_login_that_waits_goes_on_as_always(database) {
        let site = site(database, BOTH, "association = { mode = \"ask\" }").await;
        let mut browser = site.browser();
        let code = shown(&open_tab(&mut browser).await);
        let granted = grant(&site.world, &code.scene).await.data();
        confirm(&site.world, &code.scene, &granted).await.data_or_nothing();
        let question = browser.follow(&code.next).await;
        has(&question, "create");
    }

    async fn a_connection_that_wechat_does_not_serve_is_not_offered(database) {
        let site = site(database, "\"shop-scan\", \"password\"", "").await;
        let mut browser = site.browser();
        let code = shown(&browser.begin().await);
        let fault = Fault { path: Some("/sns/jscode2session".to_owned()), errcode: Some(48004), count: 100, ..Fault::default() };
        site.world.sandbox.add_fault(fault).unwrap();
        for network in 1..=3 {
            let id = site.world.code(MINI, "mei");
            let path = format!("/oauth/wxapp/grant/?alias=wxapp&code={id}&random={}", code.scene);
            site.world.nobody().from([198, 51, network, 7]).get(&path).await.refused(2408);
        }
        // The form of the password comes first, and a sentence says what is missing.
        let mut later = site.browser();
        let page = later.begin().await;
        let text = page.text();
        assert!(text.contains("name=\"method\" value=\"password\"") && !text.contains("data-connection=\"shop-scan\""), "{text}");
        assert!(text.contains("Logging in with Scan with WeChat is not possible at the moment"), "{text}");
        // By its address there is the form as well.
        let named = later.open(code.next.split("&qr=").next().unwrap()).await;
        assert!(!named.text().contains("id=\"qr\""), "{}", named.text());

        site.world.sandbox.clear_faults();
        site.world.advance(Duration::from_secs(600));
        site.world.node.app.run_due_jobs().await;
        let page = site.browser().begin().await;
        shown(&page);
        assert!(!page.text().contains("not possible at the moment"));
    }

    async fn the_code_may_come_first_and_alone(database) {
        let site = site(database, "\"shop-scan\"", "").await;
        let mut browser = site.browser();
        let page = browser.begin().await;
        // It is the first page that this browser sees, and has no form.
        let code = shown(&page);
        let granted = grant(&site.world, &code.scene).await.data();
        assert_eq!(attribute(&browser.open(&code.next).await, "data-state"), "scanned");
        confirm(&site.world, &code.scene, &granted).await.data_or_nothing();
        has_code(&browser.follow(&code.next).await);
        // A connection that has gone since leaves the page without it.
        let without = FILE.replacen("connections = [\"shop-two\", \"shop-mini\"]", &format!("connections = [\"shop-two\"]\n  redirect_uris = [\"{BACK}\"]"), 1);
        site.world.reconfigure(&without).await;
        let mut browser = site.browser();
        let page = browser.follow(&authorization("")).await;
        assert!(!page.text().contains("shop-scan"), "{}", page.text());
    }
}
