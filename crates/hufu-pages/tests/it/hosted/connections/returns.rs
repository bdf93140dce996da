//! Logins that a published client begins at a connection: they return with `code`, `message` and `data`.

use hufu_sandbox::NewUser;
use hufu_testkit::on_both_engines;
use hufu_testkit::world::SHOP_WEB;
use serde_json::{Value, json};

use super::super::{BACK, has};
use super::{Answer, Browser, IN_WECHAT, Site, WEBSITE, back, file, is_refused, site_with, value};

const CALLBACK: &str = "https://static.example.com/done?from=wechat";
const EXTRAS: &str = "callback = [\"https://static.example.com/done?from=wechat\"]";

/// What `getUserInfo` of `@authing/weixin-official-account` makes of the address it is on.
#[derive(Debug)]
struct Read {
    ok: bool,
    message: String,
    user: Option<Value>,
}

fn read(answer: &Answer) -> Read {
    let location = answer.header("location");
    let query = location.split_once('?').expect("a query").1;
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
    let get = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    Read {
        ok: get("code").unwrap().parse::<u32>().unwrap() == 200,
        message: get("message").unwrap(),
        user: get("data").map(|data| serde_json::from_str(&data).unwrap()),
    }
}

async fn log_in(site: &Site, browser: &mut Browser<'_>, more: &str) -> Answer {
    let started = browser.open(&format!("/connections/social/shop-pc?app_id={SHOP_WEB}{more}")).await;
    assert_eq!(started.status, 303, "{}", started.text());
    let state = value(started.header("location"), "state");
    browser.open(&back("shop-pc", &format!("code={}&state={state}", site.world.code(WEBSITE, "mei")))).await
}

/// A login of the person `preview` on a page in WeChat.
async fn through_the_page(site: &Site, browser: &mut Browser<'_>, more: &str) -> Answer {
    let started = browser.open(&format!("/connections/social/shop-h5?app_id={SHOP_WEB}{more}")).await;
    let returns = site.world.sandbox.authorize(started.header("location"), "preview", true).unwrap().unwrap();
    browser.open(&returns).await
}

fn to(address: &str) -> String {
    format!("&{}", serde_urlencoded::to_string([("redirect_url", address)]).unwrap())
}

on_both_engines! {
    async fn with_the_switch_it_returns_the_user(database) {
        let site = site_with(database, &format!("{EXTRAS}\n  return_user = true")).await;
        for address in [BACK, CALLBACK] {
            let mut browser = site.browser();
            let returned = log_in(&site, &mut browser, &to(address)).await;
            assert!(returned.header("location").starts_with(address), "{}", returned.header("location"));
            assert_eq!(returned.header("cache-control"), "no-store");
            let read = read(&returned);
            assert!(read.ok && read.message == "OK", "{read:?}");
            let user = read.user.unwrap();
            assert_eq!(user["nickname"], "mei 小美 😀");
            assert!(user["openid"].is_string() && user["unionid"].is_string() && user["phone"].is_null(), "{user}");
            let token = user["token"].as_str().unwrap();
            site.world.secret(token);
            let me = site.world.nobody().app(SHOP_WEB).bearer(token).get("/api/v2/users/me").await;
            assert_eq!(me.data()["id"], user["id"]);
        }
        // Without an address it is the connection's first.
        let returned = log_in(&site, &mut site.browser(), "").await;
        assert!(returned.header("location").starts_with(CALLBACK), "{}", returned.header("location"));
    }

    async fn without_the_switch_it_returns_a_ticket_that_is_good_once(database) {
        let site = site_with(database, EXTRAS).await;
        let returned = log_in(&site, &mut site.browser(), &to(CALLBACK)).await;
        let data = read(&returned).user.unwrap();
        assert_eq!(data.as_object().unwrap().len(), 1, "a ticket alone: {data}");
        let ticket = data["ticket"].as_str().unwrap();
        let redeem = async || {
            site.world.nobody().app(SHOP_WEB).post("/api/v2/qrcode/userinfo", json!({ "ticket": ticket })).await
        };
        let user = redeem().await;
        assert_eq!(user.data()["nickname"], "mei 小美 😀");
        let token = user.data()["token"].as_str().unwrap().to_owned();
        let me = async || site.world.nobody().app(SHOP_WEB).bearer(&token).get("/api/v2/users/me").await;
        assert_eq!(me().await.data()["id"], user.data()["id"]);
        let again = redeem().await;
        assert!(again.json()["code"] != 200, "{}", again.json());
        assert!(me().await.json()["code"] != 200, "a second use ends what the first one opened");
    }

    async fn a_refusal_has_no_data(database) {
        let site = site_with(database, &format!("{EXTRAS}\n  login_only = true")).await;
        let mut browser = site.browser();
        let unknown = read(&log_in(&site, &mut browser, &to(BACK)).await);
        assert!(!unknown.ok && unknown.user.is_none() && !unknown.message.is_empty(), "{unknown:?}");
        let started = browser.open(&format!("/connections/social/shop-pc?app_id={SHOP_WEB}{}", to(BACK))).await;
        let state = value(started.header("location"), "state");
        let denied = browser.open(&back("shop-pc", &format!("state={state}"))).await;
        assert_eq!(value(denied.header("location"), "code"), "2552");
        assert!(!denied.header("location").contains("data="));
    }

    /// Lesson 11: the virtual user of a snapshot page is nobody. Whoever began the login is told that it was refused, with what
    /// the person has to do, and gets neither a user nor a ticket.
    async fn a_snapshot_user_returns_as_a_refusal_that_says_what_to_do(database) {
        let site = site_with(database, EXTRAS).await;
        site.world.person_with(NewUser { name: Some("preview".to_owned()), snapshot: true, ..NewUser::default() });
        for more in ["return_user = true", "return_user = false"] {
            site.world.reconfigure(&file(&format!("{EXTRAS}\n  {more}"))).await;
            for (language, said) in [("en", "Use full service"), ("zh-CN", "使用完整服务")] {
                for address in [BACK, CALLBACK] {
                    let mut browser = site.browser();
                    (browser.user_agent, browser.language) = (IN_WECHAT, language);
                    let returned = site.world.stores_nothing(through_the_page(&site, &mut browser, &to(address))).await;
                    let location = returned.header("location");
                    assert!(returned.status == 303 && location.starts_with(address), "{} {location}", returned.status);
                    assert_eq!(value(location, "code"), "2412");
                    let read = read(&returned);
                    assert!(!read.ok && read.user.is_none() && read.message.contains(said), "{read:?}");
                    assert!(!location.contains("data=") && !location.contains("ticket"), "{location}");
                    assert!(!browser.keeps("__Host-hufu"), "nobody is logged in");
                }
            }
            // A page that opened a window reads the same.
            let mut browser = site.browser();
            browser.user_agent = IN_WECHAT;
            let told = message_of_refusal(&through_the_page(&site, &mut browser, "&from_guard=1").await);
            assert_eq!((&told["code"], &told["statusCode"]), (&json!(2412), &json!(403)));
            assert!(told["data"].is_null() && !browser.keeps("__Host-hufu"), "{told}");
        }
        // The same person on the whole page is somebody.
        site.world.sandbox.change_user("preview", serde_json::from_str(r#"{ "snapshot": false }"#).unwrap()).unwrap();
        let mut browser = site.browser();
        browser.user_agent = IN_WECHAT;
        assert!(read(&through_the_page(&site, &mut browser, &to(BACK)).await).ok);
    }

    async fn only_addresses_that_are_registered_to_the_letter(database) {
        let site = site_with(database, EXTRAS).await;
        for address in ["https://static.example.com/done", "https://evil.example.com/", &format!("{BACK}/"), "javascript:alert(1)"] {
            let mut browser = site.browser();
            let refused = browser.open(&format!("/connections/social/shop-pc?app_id={SHOP_WEB}{}", to(address))).await;
            is_refused(&browser, &refused, "2554");
        }
        // People agree on a page to what the application gets, and a user's token is more than that.
        site.change(|application| application.login.consent = true).await;
        let mut browser = site.browser();
        let refused = browser.open(&format!("/connections/social/shop-pc?app_id={SHOP_WEB}{}", to(BACK))).await;
        is_refused(&browser, &refused, "2497");
    }

    async fn a_window_tells_the_page_that_opened_it(database) {
        let site = site_with(database, "").await;
        let mut browser = site.browser();
        let told = log_in(&site, &mut browser, "&from_guard=1").await;
        assert_eq!(told.status, 200, "{}", told.text());
        let message = message(&told);
        assert_eq!((&message["code"], &message["event"]), (&json!(200), &json!({ "source": "authing", "eventType": "socialLogin" })));
        assert!(message["data"]["token"].is_string(), "{message}");
        site.world.secret(message["data"]["token"].as_str().unwrap());
        assert!(told.text().contains("data-opener=\"https://shop.example.com\""), "only the application's pages: {}", told.text());
        let started = browser.open(&format!("/connections/social/shop-pc?app_id={SHOP_WEB}&from_guard=1")).await;
        let state = value(started.header("location"), "state");
        let denied = message_of_refusal(&browser.open(&back("shop-pc", &format!("state={state}"))).await);
        assert_eq!((&denied["code"], &denied["apiCode"], &denied["statusCode"]), (&json!(2552), &json!(2552), &json!(403)));
    }

    async fn a_login_that_has_to_wait_returns_in_the_end(database) {
        let site = site_with(database, &format!("{EXTRAS}\n  association = {{ mode = \"ask\" }}")).await;
        let mut browser = site.browser();
        let waits = log_in(&site, &mut browser, &to(BACK)).await;
        let page = browser.go(waits).await;
        has(&page, "create");
        let given_up = browser.submit(&page, &[("cancel", "1")]).await;
        assert_eq!(value(given_up.header("location"), "code"), "2555");
        let waits = log_in(&site, &mut browser, &to(BACK)).await;
        let page = browser.go(waits).await;
        let created = read(&browser.submit(&page, &[("create", "1")]).await);
        assert!(created.ok && created.user.unwrap()["ticket"].is_string());
    }
}

#[track_caller]
fn message(page: &Answer) -> Value {
    let text = page.text();
    let (_, rest) = text.split_once("name=\"message\" value=\"").unwrap_or_else(|| panic!("{text}"));
    let text = rest.split("\">").next().unwrap();
    let text =
        text.replace("&#34;", "\"").replace("&quot;", "\"").replace("&#38;", "&").replace("&amp;", "&");
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn message_of_refusal(page: &Answer) -> Value {
    let message = message(page);
    assert!(message.get("data").is_none(), "{message}");
    serde_json::from_str(message["message"].as_str().unwrap()).unwrap()
}
