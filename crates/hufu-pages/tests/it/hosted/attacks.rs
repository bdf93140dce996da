//! What an attacker could make of a login in a browser.

use std::time::Duration;

use hufu_app::{AccountName, LoginAnswer, LoginOptions, Origin};
use hufu_testkit::world::SHOP_WEB;
use hufu_testkit::{on_both_engines, raw};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::Code;
use secrecy::SecretString;

use super::{BACK, Browser, PASSWORD, Site, authorization, has, has_code};
use crate::server::Answer;

/// The value of a hidden field.
fn hidden(page: &Answer, name: &str) -> String {
    let text = page.text();
    let (_, rest) = text.split_once(&format!("name=\"{name}\" value=\"")).expect(name);
    rest.split('"').next().unwrap().to_owned()
}

/// Logs one more account in to the browser.
async fn adds(browser: &mut Browser<'_>, username: &str) -> Answer {
    browser.site.world.advance(Duration::from_secs(1));
    let page = browser.follow(&authorization("&prompt=login")).await;
    browser.submit(&page, &[("account", username), ("password", PASSWORD), ("submit", "1")]).await
}

fn refused_with(answer: &Answer, error: &str) {
    let location = answer.header("location");
    assert!(location.starts_with(&format!("{BACK}?error={error}&")), "{location} {}", answer.text());
}

async fn number(site: &Site, table: &str) -> i64 {
    raw::number(site.world.database(), &format!("SELECT COUNT(*) FROM {table}")).await
}

on_both_engines! {
    /// Whoever began it through the API would get what somebody else proves on the page.
    async fn a_login_of_the_api_does_not_go_on_on_a_page(database) {
        let site = Site::new(database).await;
        site.person("mallory").await;
        let settings = "name = \"Shop\"\n  [user_pool.settings]\n  required_fields = [\"phone\"]\n";
        site.world.reconfigure_with("name = \"Shop\"\n", settings).await;
        let app = &site.world.node.app;
        let (name, password) = (AccountName::Any("mallory".to_owned()), SecretString::from(PASSWORD));
        let options = LoginOptions::from(RequestedTokens::UserToken);
        let begun = app.log_in_by_password(&site.application(), name, password, options, &Origin::default()).await;
        let LoginAnswer::Waiting(view) = begun.unwrap() else { panic!("it waits for a number") };
        let mut victim = site.browser();
        victim.begin().await;
        let page = victim.open(&format!("/login/continue?app_id={SHOP_WEB}&flow={}", view.handle)).await;
        assert!(page.status == 400 && page.text().contains("This login has expired"), "{}", page.text());
    }

    async fn a_consent_is_for_the_account_that_the_page_showed(database) {
        let site = Site::new(database).await;
        site.person("alice2").await;
        site.person("bob").await;
        site.change(|application| application.login.consent = true).await;
        let mut browser = site.browser();
        let answer = browser.log_in("alice2").await;
        browser.go(answer).await;
        let answer = adds(&mut browser, "bob").await;
        let of_bob = browser.go(answer).await;
        has(&of_bob, "allow");
        // Bob leaves in another tab. Then somebody presses the button.
        let accounts = browser.open("/accounts").await;
        let bob = hidden(&of_bob, "account");
        browser.submit(&accounts, &[("leave", &bob)]).await;
        let answer = browser.submit(&of_bob, &[("allow", "1")]).await;
        assert!(answer.header("location").starts_with("/accounts?"), "{}", answer.header("location"));
        assert_eq!((number(&site, "consents").await, number(&site, "authorization_codes").await), (0, 0));
        // An account that never was.
        let page = browser.follow(&authorization("")).await;
        let (token, request) = (hidden(&page, "form_token"), hidden(&page, "request"));
        let made_up = [("form_token", token.as_str()), ("request", &request), ("account", "nobody"), ("allow", "1")];
        let answer = browser.post("/consent", &made_up).await;
        assert!(answer.header("location").starts_with("/accounts?"), "{}", answer.text());
        has_code(&browser.submit(&page, &[("allow", "1")]).await);
        assert_eq!(number(&site, "consents").await, 1);
    }

    async fn nobody_is_answered_for_another_user(database) {
        let site = Site::new(database).await;
        site.person("alice2").await;
        site.person("bob").await;
        let mut browser = site.browser();
        has_code(&browser.log_in("alice2").await);
        let alice = raw::texts(site.world.database(), "SELECT id FROM users WHERE username = 'alice2'").await.concat().concat();
        has_code(&adds(&mut browser, "bob").await);
        let names = |user: &str| format!("&claims=%7B%22id_token%22%3A%7B%22sub%22%3A%7B%22value%22%3A%22{user}%22%7D%7D%7D");
        has_code(&browser.open(&authorization(&format!("&prompt=none{}", names(&alice)))).await);
        refused_with(&browser.open(&authorization(&format!("&prompt=none{}", names("nobody")))).await, "login_required");
        // Another one logs in than the client named.
        site.world.advance(Duration::from_secs(1));
        let page = browser.follow(&authorization(&format!("&prompt=login{}", names(&alice)))).await;
        let answer = browser.submit(&page, &[("account", "bob"), ("password", PASSWORD), ("submit", "1")]).await;
        refused_with(&answer, "login_required");
        let essential = "&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue%2C%22values%22%3A%5B%222%22%5D%7D%7D%7D";
        refused_with(&browser.open(&authorization(essential)).await, "unmet_authentication_requirements");
    }

    async fn the_cookie_of_an_earlier_login_is_worth_nothing(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let mut browser = site.browser();
        has_code(&browser.log_in("bob").await);
        let mut copied = site.browser();
        copied.cookies = browser.cookies.clone();
        has_code(&copied.open(&authorization("&prompt=none")).await);
        has_code(&adds(&mut browser, "bob").await);
        assert_ne!(copied.cookies, browser.cookies, "each login has a secret of its own");
        refused_with(&copied.open(&authorization("&prompt=none")).await, "login_required");
        has_code(&browser.open(&authorization("&prompt=none")).await);
        assert_eq!(number(&site, "browser_sessions").await, 1);
        assert_eq!(number(&site, "sessions WHERE browser_session_id IS NOT NULL").await, 1);
    }

    async fn who_did_not_want_to_stay_logged_in_does_not(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let kept = |answer: &Answer| {
            let cookies = answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
            let own: Vec<_> = cookies.filter(|cookie| cookie.starts_with("__Host-hufu=")).collect();
            assert!(own.iter().all(|cookie| cookie.contains("; HttpOnly; SameSite=None; Secure")), "{own:?}");
            own.iter().any(|cookie| cookie.contains("Max-Age"))
        };
        let mut browser = site.browser();
        assert!(!kept(&browser.log_in("bob").await));
        let page = browser.follow(&authorization("&prompt=select_account")).await;
        let account = page.text().split_once("name=\"account\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
        let chosen = browser.submit(&page, &[("account", &account)]).await;
        has_code(&chosen);
        assert!(!kept(&chosen));
        let mut other = site.browser();
        let page = other.begin().await;
        let values = [("account", "bob"), ("password", PASSWORD), ("keep", "1"), ("submit", "1")];
        assert!(kept(&other.submit(&page, &values).await));
    }

    async fn applications_with_consent_are_entered_on_pages_alone(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        site.change(|application| application.login.consent = true).await;
        let app = &site.world.node.app;
        let (name, password) = (AccountName::Any("bob".to_owned()), SecretString::from(PASSWORD));
        let options = LoginOptions::from(RequestedTokens::UserToken);
        let refused = app.log_in_by_password(&site.application(), name, password, options, &Origin::default()).await;
        assert!(refused.unwrap_err().is(Code::ConsentNeeded));
    }

    async fn whoever_only_looks_is_granted_nothing(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        let mut browser = site.browser();
        has_code(&browser.log_in("bob").await);
        let before = number(&site, "authorization_codes").await;
        assert_eq!(browser.send("HEAD", &authorization(""), String::new()).await.status, 200);
        assert_eq!(number(&site, "authorization_codes").await, before);
    }
}
