//! What an attacker could make of the login of an administrator.

use hufu_testkit::on_both_engines;

use super::{BEGUN, HOME, KEY, administrator, is_home, key_of, log_in, owner, status_of, visit};
use crate::hosted::{Browser, PASSWORD, Site, has};
use crate::server::Answer;

/// Logs in as far as the address that comes back with a code.
async fn come_back(browser: &mut Browser<'_>, username: &str) -> String {
    let page = visit(browser, HOME).await;
    let values = [("account", username), ("password", PASSWORD), ("submit", "1")];
    browser.submit(&page, &values).await.header("location").to_owned()
}

/// The value of a parameter.
fn parameter<'a>(address: &'a str, name: &str) -> &'a str {
    let (_, query) = address.split_once('?').unwrap();
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

#[track_caller]
fn is_refused(answer: &Answer, browser: &Browser<'_>) {
    assert!(
        answer.status == 400 && answer.text().contains("took too long"),
        "{} {}",
        answer.status,
        answer.text()
    );
    assert!(!browser.keeps(KEY));
    has(answer, "link-login");
}

on_both_engines! {
    /// Otherwise a link would log a victim in as somebody else.
    async fn a_login_comes_back_to_the_browser_that_began_it(database) {
        let site = Site::new(database).await;
        administrator(&site, "mallory", owner()).await;
        administrator(&site, "mei", owner()).await;
        let mut attacker = site.browser();
        let link = come_back(&mut attacker, "mallory").await;
        let mut victim = site.browser();
        is_refused(&victim.open(&link).await, &victim);
        // Nor with a login that the victim has begun, whose state is another one.
        visit(&mut victim, HOME).await;
        is_refused(&victim.open(&link).await, &victim);
        let state = parameter(victim.open("/administration/login").await.header("location"), "state").to_owned();
        // Nor with the victim's own state: the code answers another challenge. It is worth nothing any more.
        let mixed = format!("/administration/callback?code={}&state={state}", parameter(&link, "code"));
        is_refused(&victim.open(&mixed).await, &victim);
        is_refused(&attacker.open(&link).await, &attacker);
        is_home(&log_in(&mut victim, "mei").await, "mei");
    }

    async fn a_code_is_good_once(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        let mut browser = site.browser();
        let link = come_back(&mut browser, "mei").await;
        let mut thief = browser.clone();
        is_home(&visit(&mut browser, &link).await, "mei");
        let key = key_of(&browser);
        // A reload says that it is over, and takes nothing.
        let reloaded = browser.open(&link).await;
        assert!(reloaded.status == 400 && browser.keeps(KEY));
        assert_eq!(status_of(&site, &key).await, 200);
        // Whoever has what the browser kept as well ends what the code opened.
        is_refused(&thief.open(&link).await, &thief);
        assert_eq!(status_of(&site, &key).await, 401);
    }

    async fn a_code_of_another_application_opens_nothing(database) {
        let site = Site::new(database).await;
        site.person("bob").await;
        administrator(&site, "mei", owner()).await;
        let mut browser = site.browser();
        let shop = browser.log_in("bob").await;
        let code = parameter(shop.header("location"), "code").to_owned();
        let begun = browser.open("/administration/login").await;
        let state = parameter(begun.header("location"), "state").to_owned();
        is_refused(&browser.open(&format!("/administration/callback?code={code}&state={state}")).await, &browser);
        for answer in ["", "?code=x", "?state=", &format!("?state={state}"), &format!("?code=x&state={state}"), &format!("?error=server_error&state={state}")] {
            is_refused(&browser.open(&format!("/administration/callback{answer}")).await, &browser);
        }
        let given_up = browser.open(&format!("/administration/callback?error=access_denied&state={state}")).await;
        assert!(given_up.status == 403 && given_up.text().contains("You cancelled"), "{}", given_up.text());
    }

    /// What the browser kept is sealed and does not last.
    async fn what_a_browser_keeps_is_sealed_and_does_not_last(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        let mut browser = site.browser();
        let link = come_back(&mut browser, "mei").await;
        let kept = browser.cookies[BEGUN].clone();
        let state = parameter(&link, "state").to_owned();
        assert!(!kept.contains(&state));
        for forged in [kept.replacen(&kept[20..21], if &kept[20..21] == "A" { "B" } else { "A" }, 1), kept[1..].to_owned(), "x".to_owned()] {
            browser.cookies.insert(BEGUN.to_owned(), forged);
            is_refused(&browser.open(&link).await, &browser);
        }
        browser.cookies.insert(BEGUN.to_owned(), kept);
        site.world.advance(site.world.node.app.limits().authorization_request_life);
        is_refused(&browser.open(&link).await, &browser);
    }

    /// There is no address to go on to.
    async fn the_login_leads_to_no_other_place(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        let mut browser = site.browser();
        let evil = "https%3A%2F%2Fevil.example";
        for name in ["next", "redirect_uri", "return_to", "back", "moved"] {
            let begun = browser.open(&format!("/administration/login?{name}={evil}")).await;
            let address = begun.header("location");
            assert!(address.starts_with("/oidc/auth?client_id=console&") && !address.contains("evil"), "{address}");
            let home = browser.open(&format!("{HOME}?{name}={evil}")).await;
            assert_eq!(home.header("location"), "/administration/login");
        }
        let to = format!("/oidc/auth?client_id=console&redirect_uri={evil}&response_type=code&scope=openid&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256");
        let refused = browser.open(&to).await;
        assert_eq!((refused.status.as_u16(), refused.header("location")), (400, ""));
    }

    /// A page of another site cannot log an administrator out.
    async fn leaving_needs_the_form_of_this_browser(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        let mut browser = site.browser();
        is_home(&log_in(&mut browser, "mei").await, "mei");
        let refused = browser.post("/administration/logout", &[("log-out", "1"), ("form_token", "x")]).await;
        assert!(refused.status == 400 || refused.status == 403, "{}", refused.status);
        is_home(&visit(&mut browser, HOME).await, "mei");
        assert_ne!(browser.open("/administration/logout").await.status, 303);
    }

    /// A logout elsewhere ends the key as well, and so does a new password.
    async fn the_key_ends_with_the_browser_session(database) {
        let site = Site::new(database).await;
        let user = administrator(&site, "mei", owner()).await;
        let mut browser = site.browser();
        is_home(&log_in(&mut browser, "mei").await, "mei");
        let key = key_of(&browser);
        let question = browser.open("/oidc/session/end").await;
        browser.submit(&question, &[("confirm", "1")]).await;
        assert_eq!(status_of(&site, &key).await, 401);
        is_home(&log_in(&mut browser, "mei").await, "mei");
        let key = key_of(&browser);
        let path = format!("/admin/v1/pools/system/users/{user}/sessions");
        let signed_out = hufu_testkit::administration::call(&site.world, Some(&key), "DELETE", &path, None).await;
        assert!(signed_out.status < 300, "{signed_out:?}");
        assert_eq!(status_of(&site, &key).await, 401);
        has(&visit(&mut browser, HOME).await, "password");
    }
}
