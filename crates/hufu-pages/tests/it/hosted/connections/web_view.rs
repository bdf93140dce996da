//! A login page in a mini program's web-view: the way back into the mini program, which opens the web-view again with a code.

use hufu_testkit::world::{MINI, SHOP, SHOP_WEB};
use hufu_testkit::{TestDatabase, on_both_engines};

use super::{IN_WECHAT, file, is_refused, link, site};
use crate::hosted::{Site, authorization, has_code};
use crate::server::Answer;

const IN_WEB_VIEW: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50(0x18003230) NetType/WIFI Language/zh_CN miniProgram/wx00000000000000a1";

/// The shop's website with a mini program that has a page for web-views.
async fn with_page(database: TestDatabase, page: &str) -> Site {
    // It is large, and so would the futures of these tests be.
    let site = Box::pin(site(database)).await;
    let fields = format!("fields = {{ app_id = \"{MINI}\", app_secret = \"secret-of-{MINI}\"");
    let file = file("");
    assert!(file.contains(&fields), "{file}");
    let with = format!("{fields}, web_view_page = \"{page}\"");
    let uses = ("\"shop-two\", \"shop-pc\"", "\"shop-two\", \"shop-mini\", \"shop-pc\"");
    site.world.reconfigure(&file.replacen(&fields, &with, 1).replacen(uses.0, uses.1, 1)).await;
    site
}

/// The page of the mini program that the page leads to.
#[track_caller]
fn page_of(answer: &Answer) -> String {
    let text = answer.text();
    let (_, rest) = text.split_once("data-page=\"").unwrap_or_else(|| panic!("{}: {text}", answer.status));
    rest.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&")
}

fn callback(code: &str, state: &str) -> String {
    format!("/connection/social/shop-mini/{SHOP}/callback?code={code}&state={state}")
}

on_both_engines! {
    async fn a_page_in_a_web_view_leads_into_the_mini_program_and_a_code_leads_back(database) {
        let site = with_page(database, "pages/login/index").await;
        let mut browser = site.browser();
        browser.user_agent = IN_WEB_VIEW;
        // Nothing starts by itself, and what works in WeChat's browser is there too.
        let page = browser.follow(&authorization("")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        link(&page, "shop-h5");
        let out = browser.open(&link(&page, "shop-mini")).await;
        assert_eq!((out.status.as_u16(), out.header("cache-control")), (200, "no-store"), "{}", out.text());
        assert!(out.text().contains("/assets/web-view."), "{}", out.text());
        assert!(!out.header("content-security-policy").contains("weixin"), "no script of another host");
        let to = page_of(&out);
        let state = to.strip_prefix("/pages/login/index?state=").unwrap_or_else(|| panic!("{to}")).to_owned();
        assert!(state.len() <= 128 && state.bytes().all(|b| b.is_ascii_alphanumeric()), "{state}");

        let code = site.world.code(MINI, "mei");
        let arrived = browser.open(&callback(&code, &state)).await;
        has_code(&arrived);
        assert!(browser.keeps("__Host-hufu"));
        let mei = site.world.client().referer(MINI).log_in(MINI, "mei").await;
        assert_eq!(site.world.rows("users").await, 2, "alice, and {} by both ways", mei.id);
    }

    async fn the_code_logs_in_the_browser_that_left_and_once(database) {
        let site = with_page(database, "/pages/login/index?from=web").await;
        let start = async |browser: &mut crate::hosted::Browser<'_>| {
            browser.user_agent = IN_WEB_VIEW;
            let out = browser.open(&format!("/connections/social/shop-mini?app_id={SHOP_WEB}")).await;
            let to = page_of(&out);
            to.strip_prefix("/pages/login/index?from=web&state=").unwrap_or_else(|| panic!("{to}")).to_owned()
        };
        // Somebody sends their own page of the mini program to a victim, whose code opens nothing of theirs.
        let mut attacker = site.browser();
        let state = start(&mut attacker).await;
        let code = site.world.code(MINI, "mei");
        let mut victim = site.browser();
        victim.user_agent = IN_WEB_VIEW;
        let refused = victim.open(&callback(&code, &state)).await;
        is_refused(&victim, &refused, "2551");
        assert_eq!(site.world.exchanges(), 0, "the code is not spent");

        let own = start(&mut victim).await;
        let arrived = victim.open(&callback(&code, &own)).await;
        assert!(arrived.status.is_redirection() && victim.keeps("__Host-hufu"), "{}", arrived.text());
        // Another code for the same start, and the same code for another start.
        let again = victim.open(&callback(&site.world.code(MINI, "bob"), &own)).await;
        assert!(again.status == 400 && again.text().contains("2553"), "{}", again.text());
        site.world.advance(std::time::Duration::from_secs(61));
        let state = start(&mut attacker).await;
        let replayed = attacker.open(&callback(&code, &state)).await;
        assert!(replayed.status.is_client_error() && !attacker.keeps("__Host-hufu"), "{}", replayed.text());
    }

    async fn elsewhere_the_way_is_not_offered_and_without_a_page_there_is_none(database) {
        let site = with_page(database, "pages/login/index").await;
        for agent in ["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone) Mobile/15E148"] {
            let mut browser = site.browser();
            browser.user_agent = agent;
            let page = browser.begin().await;
            assert!(!page.text().contains("data-connection=\"shop-mini\""), "{agent}");
        }
        let mut browser = site.browser();
        browser.user_agent = IN_WECHAT;
        let started = browser.follow(&authorization("")).await;
        assert!(started.header("location").ends_with("#wechat_redirect"), "WeChat's own browser starts at once");

        site.world.reconfigure(&file("").replacen("\"shop-two\", \"shop-pc\"", "\"shop-two\", \"shop-mini\", \"shop-pc\"", 1)).await;
        let mut browser = site.browser();
        browser.user_agent = IN_WEB_VIEW;
        let started = browser.follow(&authorization("")).await;
        assert!(started.header("location").ends_with("#wechat_redirect"), "so does a web-view without a page");
        let refused = browser.open(&format!("/connections/social/shop-mini?app_id={SHOP_WEB}")).await;
        assert!(refused.status.is_client_error(), "{}", refused.text());
    }
}
