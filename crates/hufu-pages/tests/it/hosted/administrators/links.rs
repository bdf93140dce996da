//! Links that log an administrator in to a browser, once.

use hufu_testkit::{on_both_engines, raw};
use hufu_types::refusal::Code;
use secrecy::ExposeSecret as _;

use super::{HOME, KEY, MINUTE, administrator, is_home, key_of, made, owner, status_of, visit, walk};
use crate::hosted::{Browser, Site, has};
use crate::samples::well_formed;
use crate::server::Answer;

async fn link(site: &Site, username: &str) -> String {
    let link = site.world.node.app.make_entry_link(username).await.unwrap().expose_secret().to_owned();
    site.world.secret(link.split_once("token=").unwrap().1);
    link
}

#[track_caller]
fn is_over(answer: &Answer, browser: &Browser<'_>) {
    assert!(
        answer.status == 404 && answer.text().contains("login-link"),
        "{} {}",
        answer.status,
        answer.text()
    );
    assert!(!browser.keeps(KEY));
}

on_both_engines! {
    async fn a_link_logs_in_once(database) {
        let site = Site::new(database).await;
        let (user, _) = made(&site, "mei", owner()).await;
        let address = link(&site, "mei").await;
        assert!(address.starts_with("https://id.example.com/administration/enter?token=hfe_"));
        let token = address.split_once("token=").unwrap().1.to_owned();
        let mut browser = site.browser();
        // Whoever only looks at it, as programs do that show a preview, does not use it up.
        for language in ["en", "zh-CN", "zh-TW", "ja"] {
            browser.language = language;
            let page = browser.open(&address).await;
            well_formed(&page.text(), language);
            assert!(page.status == 200 && page.text().contains("mei"), "{}", page.text());
        }
        browser.head(&address).await;
        browser.language = "en";
        let page = browser.open(&address).await;
        has(&page, "submit");
        let mut other = site.browser();
        let same = other.open(&address).await;
        assert!(!browser.keeps(KEY));
        let entered = browser.submit(&page, &[("submit", "1")]).await;
        assert_eq!((entered.status.as_u16(), entered.header("location")), (303, HOME));
        is_home(&walk(&mut browser, entered).await, "mei");
        let key = key_of(&browser);
        assert_eq!(status_of(&site, &key).await, 200);
        let entry = "SELECT user_id FROM audit_events WHERE action = 'login' AND details LIKE '%\"link\"%'";
        assert_eq!(raw::texts(site.world.database(), entry).await, [[user.to_string()]]);

        is_over(&other.submit(&same, &[("submit", "1")]).await, &other);
        is_over(&other.open(&address).await, &other);
        is_over(&other.open("/administration/enter").await, &other);
        is_over(&other.open("/administration/enter?token=hfe_x").await, &other);
        // A form of another site has no token of this browser.
        let second = link(&site, "mei").await;
        let second = second.split_once("token=").unwrap().1;
        let forged = other.post("/administration/enter", &[("token", second), ("form_token", "x")]).await;
        assert!(forged.status.is_client_error() && !other.keeps(KEY));
        assert_ne!(token, second);
        let stored = raw::texts(site.world.database(), "SELECT user_id FROM entry_links").await;
        assert_eq!(stored.len(), 1);
        // Out again: there is no browser session to come back by.
        let home = browser.open(HOME).await;
        browser.submit(&home, &[]).await;
        assert_eq!(status_of(&site, &key).await, 401);
    }

    async fn a_link_is_good_for_a_while_until_another_is_made_and_for_administrators_alone(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        let app = &site.world.node.app;
        let mut browser = site.browser();
        let first = link(&site, "mei").await;
        let second = link(&site, "mei").await;
        is_over(&browser.open(&first).await, &browser);
        let page = browser.open(&second).await;
        site.world.advance(MINUTE * 15);
        is_over(&browser.open(&second).await, &browser);
        is_over(&browser.submit(&page, &[("submit", "1")]).await, &browser);
        app.sweep().await.unwrap();
        site.world.advance(MINUTE);
        app.sweep().await.unwrap();
        assert_eq!(raw::number(site.world.database(), "SELECT COUNT(*) FROM entry_links").await, 0);

        // Somebody who was switched off, or dismissed, since.
        for change in ["UPDATE users SET status = 'Suspended' WHERE pool_id = 'system'", "DELETE FROM administrators"] {
            let address = link(&site, "mei").await;
            let page = browser.open(&address).await;
            assert_eq!(page.status, 200);
            raw::execute(site.world.database(), change).await;
            is_over(&browser.submit(&page, &[("submit", "1")]).await, &browser);
            raw::execute(site.world.database(), "UPDATE users SET status = 'Activated' WHERE pool_id = 'system'").await;
        }
        assert!(app.make_entry_link("mei").await.unwrap_err().is(Code::NoSuchAdministrator));
        assert!(app.make_entry_link("nobody").await.unwrap_err().is(Code::NoSuchAdministrator));
    }

    /// What calls for a recent login is allowed for as long as after any login, and then needs the password.
    async fn a_login_by_link_is_as_any_other(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        let address = link(&site, "mei").await;
        let mut browser = site.browser();
        let page = browser.open(&address).await;
        let entered = browser.submit(&page, &[("submit", "1")]).await;
        let home = walk(&mut browser, entered).await;
        assert!(!home.text().contains("Over."));
        site.world.advance(MINUTE * 15);
        assert!(browser.open(HOME).await.text().contains("Over."));
        site.world.advance(MINUTE * 30);
        has(&visit(&mut browser, HOME).await, "password");
    }
}
