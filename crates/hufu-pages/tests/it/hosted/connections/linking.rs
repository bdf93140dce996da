//! Binding a WeChat by an address that an application sends the person to.

use std::time::Duration;

use hufu_testkit::client::{Client, User};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::{SHOP_WEB, TWO};

use super::{ACCESS_TOKEN, WEBSITE, back, has, is_refused, site, start, value};
use crate::hosted::{Browser, Site};
use crate::server::Answer;

const GENERATE: &str = "/api/v3/generate-link-extidp-url";

async fn logged_in(site: &Site, name: &str) -> User {
    site.world.nobody().app(SHOP_WEB).referer(TWO).log_in(TWO, name).await
}

/// The address that the application gets for its user.
async fn address(client: &Client<'_>) -> String {
    let data =
        client.get(&format!("{GENERATE}?ext_idp_conn_identifier=shop-pc&app_id={SHOP_WEB}")).await.data();
    data["url"].as_str().unwrap().to_owned()
}

/// Leaves by an address, and comes back from WeChat as this person.
async fn come_back(browser: &mut Browser<'_>, site: &Site, address: &str, name: &str) -> Answer {
    let left = browser.open(address).await;
    assert_eq!(left.status, 303, "{}", left.text());
    let state = value(left.header("location"), "state");
    let query = format!("code={}&state={state}", site.world.code(WEBSITE, name));
    browser.open(&back("shop-pc", &query)).await
}

on_both_engines! {
    async fn the_page_names_account_and_wechat_and_its_form_binds(database) {
        let site = site(database).await;
        let bob = logged_in(&site, "bob").await;
        let own = site.world.nobody().app(SHOP_WEB).bearer(&bob.token);
        let mut browser = site.browser();
        let asked = come_back(&mut browser, &site, &address(&own).await, "bob").await;
        assert_eq!((asked.status.as_u16(), asked.header("cache-control")), (200, "no-store"), "{}", asked.text());
        assert!(asked.text().contains("bob 小美 😀") && asked.text().contains("***"), "{}", asked.text());
        assert_eq!(site.world.rows("identities").await, 2, "nothing is bound yet");
        assert!(!browser.keeps("__Host-hufu"), "nobody is logged in");

        let done = browser.submit(&asked, &[("bind", "1")]).await;
        assert!(done.status == 200 && done.text().contains("WeChat is linked"), "{}", done.text());
        assert_eq!(site.world.rows("identities").await, 3);
        let actions: Vec<String> = site.world.audit().await.into_iter().map(|event| event.action).collect();
        for action in ["identity.bound", "way_in.added"] {
            assert_eq!(actions.iter().filter(|one| *one == action).count(), 1, "{action}: {actions:?}");
        }
        let again = browser.submit(&asked, &[("bind", "1")]).await;
        is_refused(&browser, &again, "2650");
        // The published clients send their token in the place of the id token.
        let client = site.world.nobody();
        let path = format!("{GENERATE}?ext_idp_conn_identifier=shop-pc&app_id={SHOP_WEB}&id_token={}", bob.token);
        assert!(client.get(&path).await.data()["url"].as_str().unwrap().contains("&link="));
        client.get(&format!("{GENERATE}?ext_idp_conn_identifier=shop-pc&app_id={SHOP_WEB}")).await.refused(2020);
    }

    async fn a_stranger_is_asked_and_gets_nothing_without_saying_so(database) {
        let site = site(database).await;
        let attacker = logged_in(&site, "mei").await;
        let own = site.world.nobody().app(SHOP_WEB).bearer(&attacker.token);
        // Somebody opens what was sent to them, and reads whose account that is.
        let mut victim = site.browser();
        let asked = come_back(&mut victim, &site, &address(&own).await, "bob").await;
        has(&asked, "bind");
        let given_up = victim.submit(&asked, &[("cancel", "1")]).await;
        assert!(given_up.text().contains("Nothing was linked"), "{}", given_up.text());
        assert_eq!(site.world.rows("identities").await, 2);
        // The form is of this browser and of this server's page.
        let mut other = site.browser();
        other.begin().await;
        let forged = other.submit(&asked, &[("bind", "1")]).await;
        assert!(forged.status.is_client_error(), "{}", forged.text());
        let unasked = victim.post("/link", &[("app_id", SHOP_WEB), ("question", "x"), ("bind", "1")]).await;
        assert!(unasked.status.is_client_error(), "{}", unasked.text());
        assert_eq!(site.world.rows("identities").await, 2);
        // What is another account's stays there.
        logged_in(&site, "bob").await;
        let asked = come_back(&mut victim, &site, &address(&own).await, "bob").await;
        let taken = victim.submit(&asked, &[("bind", "1")]).await;
        is_refused(&victim, &taken, "2213");
    }

    async fn an_address_is_of_one_use_and_of_a_recent_login(database) {
        let site = site(database).await;
        let bob = logged_in(&site, "bob").await;
        let own = site.world.nobody().app(SHOP_WEB).bearer(&bob.token);
        let once = address(&own).await;
        let mut browser = site.browser();
        assert_eq!(browser.head(&once).await.status, 200, "whoever does not read the answer spends nothing");
        assert_eq!(browser.open(&once).await.status, 303);
        let again = browser.open(&once).await;
        is_refused(&browser, &again, "2650");
        let late = address(&own).await;
        site.world.advance(Duration::from_secs(5 * 60));
        let refused = browser.open(&late).await;
        is_refused(&browser, &refused, "2650");
        // Asked for lately, answered too late.
        site.world.advance(Duration::from_secs(9 * 60));
        let asked = come_back(&mut browser, &site, &address(&own).await, "bob").await;
        site.world.advance(Duration::from_secs(2 * 60));
        let refused = browser.submit(&asked, &[("bind", "1")]).await;
        is_refused(&browser, &refused, "2460");
        own.get(&format!("{GENERATE}?ext_idp_conn_identifier=shop-pc")).await.refused(2460);
        assert_eq!(site.world.rows("identities").await, 2);
        for query in ["", "link=x", "id_token=x&ext_idp_conn_identifier=shop-pc"] {
            let refused = browser.open(&format!("/link?app_id={SHOP_WEB}&{query}")).await;
            is_refused(&browser, &refused, "2650");
        }
    }

    async fn an_id_token_says_whose_account_is_meant_and_no_more(database) {
        let site = site(database).await;
        let bob = site.world.nobody().app(SHOP_WEB).referer(TWO).log_in_v3(TWO, "bob").await;
        let path = format!("?ext_idp_conn_identifier=shop-pc&app_id={SHOP_WEB}&id_token={}", bob.id);
        let url = site.world.nobody().get(&format!("{GENERATE}{path}")).await.data()["url"].as_str().unwrap().to_owned();
        let mut browser = site.browser();
        // Whoever has found one has no way in.
        for address in [url.clone(), format!("/link{path}")] {
            let refused = browser.open(&address).await;
            is_refused(&browser, &refused, "2651");
        }
        let sent_on = site.world.nobody().get(&format!("/api/v3/link-extidp{path}")).await;
        assert_eq!((sent_on.status.as_u16(), sent_on.headers["location"].to_str().unwrap()), (303, &*format!("/link{path}")));
        assert_eq!(site.world.calls(ACCESS_TOKEN), 0);
        // Who is logged in to the browser has one.
        let state = start(&mut browser, "shop-pc").await;
        let code = site.world.code(WEBSITE, "bob");
        browser.open(&back("shop-pc", &format!("code={code}&state={state}"))).await;
        assert!(browser.keeps("__Host-hufu"));
        let asked = come_back(&mut browser, &site, &url, "bob").await;
        let done = browser.submit(&asked, &[("bind", "1")]).await;
        assert!(done.text().contains("WeChat is linked"), "{}", done.text());
    }
}
