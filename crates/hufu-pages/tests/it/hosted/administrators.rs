//! Administrators, who log in by the hosted pages of the application `console`.

mod attacks;
mod doors;
mod links;
mod sign_up;

use std::time::Duration;

use hufu_app::administration::AdminCaller;
use hufu_testkit::administration::call;
use hufu_testkit::world::{CAFE, Plan, SHOP};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::{AdminRole, PoolId, PoolRole, UserId};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{Browser, PASSWORD, Site, has, has_not};
use crate::samples::well_formed;
use crate::server::Answer;

const HOME: &str = "/administration";
const KEY: &str = "__Host-hufu-administration";
const BEGUN: &str = "__Host-hufu-administration-login";
const MINUTE: Duration = Duration::from_secs(60);

fn owner() -> Vec<PoolRole> {
    vec![PoolRole { pool: None, role: AdminRole::Owner }]
}

/// Makes an administrator whose password somebody else knows. Returns the id and the password.
async fn made(site: &Site, username: &str, roles: Vec<PoolRole>) -> (UserId, String) {
    let app = &site.world.node.app;
    let by = AdminCaller::command_line();
    let (administrator, password) = app.create_administrator(&by, username, roles).await.unwrap();
    site.world.secret(password.expose_secret());
    (administrator.user, password.expose_secret().to_owned())
}

/// Makes an administrator with [`PASSWORD`].
async fn administrator(site: &Site, username: &str, roles: Vec<PoolRole>) -> UserId {
    let (user, password) = made(site, username, roles).await;
    let app = &site.world.node.app;
    let new = Some(PASSWORD.into());
    let login = app.log_in_administrator(username, password.into(), new, &hufu_app::Origin::default()).await;
    site.world.secret(login.unwrap().key.expose_secret());
    user
}

/// Follows redirects for as long as they lead to this server.
async fn walk(browser: &mut Browser<'_>, mut answer: Answer) -> Answer {
    while answer.status == 303 {
        let next = answer.header("location").to_owned();
        assert!(next.starts_with('/') || next.starts_with("https://id.example.com/"), "{next}");
        answer = browser.open(&next).await;
    }
    answer
}

async fn visit(browser: &mut Browser<'_>, address: &str) -> Answer {
    let answer = browser.open(address).await;
    walk(browser, answer).await
}

async fn fill_in(browser: &mut Browser<'_>, page: &Answer, username: &str, password: &str) -> Answer {
    let values = [("account", username), ("password", password), ("submit", "1")];
    let answer = browser.submit(page, &values).await;
    walk(browser, answer).await
}

/// Logs in with [`PASSWORD`]. Returns the page at the end.
async fn log_in(browser: &mut Browser<'_>, username: &str) -> Answer {
    let page = visit(browser, HOME).await;
    has(&page, "password");
    fill_in(browser, &page, username, PASSWORD).await
}

#[track_caller]
fn is_home(page: &Answer, username: &str) {
    assert!(
        page.status == 200 && page.text().contains(&format!("logged in as {username}.")),
        "{}",
        page.text()
    );
}

/// The status of a call of the API with the key that a browser has.
async fn status_of(site: &Site, key: &str) -> u16 {
    call(&site.world, Some(key), "GET", "/admin/v1/pools", None).await.status
}

fn key_of(browser: &Browser<'_>) -> String {
    browser.cookies.get(KEY).cloned().unwrap_or_default()
}

on_both_engines! {
    /// From the page to the login, back with a code, to the API, and out again.
    async fn an_administrator_logs_in_and_out_by_the_pages(database) {
        let site = Site::new(database).await;
        let user = administrator(&site, "mei", vec![PoolRole { pool: Some(PoolId::parse(SHOP).unwrap()), role: AdminRole::Manager }]).await;
        let mut browser = site.browser();
        let first = browser.open(HOME).await;
        assert_eq!((first.status.as_u16(), first.header("location")), (303, "/administration/login"));
        let begun = browser.open("/administration/login").await;
        let address = begun.header("location").to_owned();
        for part in ["/oidc/auth?client_id=console&", "&response_type=code&", "&state=", "&nonce=", "&code_challenge=", "&code_challenge_method=S256"] {
            assert!(address.contains(part), "{address}");
        }
        let set = begun.header("set-cookie");
        assert!(set.starts_with(BEGUN) && set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{set}");
        let page = visit(&mut browser, &address).await;
        has(&page, "account");
        has_not(&page, "link-register");
        has_not(&page, "keep");
        let values = [("account", "mei"), ("password", PASSWORD), ("submit", "1")];
        let answer = browser.submit(&page, &values).await;
        assert!(answer.header("location").starts_with("https://id.example.com/administration/callback?code="));
        let back = browser.open(answer.header("location")).await;
        assert_eq!((back.status.as_u16(), back.header("location")), (303, HOME), "{}", back.text());
        let set: Vec<_> = back.headers.get_all("set-cookie").iter().map(|one| one.to_str().unwrap()).collect();
        assert!(set[0].starts_with(&format!("{KEY}=hfk_")) && set[0].ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{set:?}");
        assert!(set[1].starts_with(&format!("{BEGUN}=; Max-Age=0;")), "{set:?}");
        for language in ["en", "zh-CN", "zh-TW", "ja"] {
            browser.language = language;
            let page = browser.open(HOME).await;
            well_formed(&page.text(), language);
            assert!(page.status == 200 && page.text().contains("mei") && page.text().contains(SHOP), "{}", page.text());
            assert!(!page.text().contains(CAFE) && !page.text().contains('⟦'), "{}", page.text());
        }
        browser.language = "en";
        let home = browser.open(HOME).await;
        is_home(&home, "mei");
        assert!(home.text().contains("manager") && home.text().contains("https://id.example.com/admin/v1"), "{}", home.text());

        // The key is that of a login of the API, where a cookie is nothing.
        let key = key_of(&browser);
        assert_eq!(status_of(&site, &key).await, 200);
        let cookie = format!("{KEY}={key}");
        let by_cookie = hufu_testkit::administration::call_with(&site.world, None, "GET", "/admin/v1/pools", None, &[("cookie", &cookie)]).await;
        assert_eq!(by_cookie.status, 401);
        let entries = raw::texts(site.world.database(), "SELECT user_id, details FROM audit_events WHERE action = 'login' AND details LIKE '%_by_:_browser_,%'").await;
        assert!(entries.len() == 1 && entries[0][0] == user.as_str() && !entries[0][1].contains(&key), "{entries:?}");

        let left = browser.submit(&home, &[]).await;
        assert_eq!((left.status.as_u16(), left.header("location")), (303, "/signed-out"));
        assert!(!browser.keeps(KEY) && !browser.keeps("__Host-hufu"));
        assert_eq!(status_of(&site, &key).await, 401);
        let page = visit(&mut browser, HOME).await;
        has(&page, "password");
        assert_eq!(raw::number(site.world.database(), "SELECT COUNT(*) FROM browser_sessions").await, 0);
    }

    /// The browser session lives no longer than the login: it is no way around the idle limit, nor around the absolute one.
    async fn a_login_ends_idle_and_in_any_case_and_nobody_is_logged_in_again_silently(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        let mut browser = site.browser();
        is_home(&log_in(&mut browser, "mei").await, "mei");
        site.world.advance(MINUTE * 29);
        is_home(&visit(&mut browser, HOME).await, "mei");
        site.world.advance(MINUTE * 30);
        has(&visit(&mut browser, HOME).await, "password");
        assert!(!browser.keeps(KEY));

        is_home(&log_in(&mut browser, "mei").await, "mei");
        for _ in 0..24 {
            site.world.advance(MINUTE * 29);
            // A key of the same browser session lives no longer.
            is_home(&visit(&mut browser, "/administration/login").await, "mei");
        }
        site.world.advance(MINUTE * 23);
        is_home(&visit(&mut browser, "/administration/login").await, "mei");
        site.world.advance(MINUTE);
        has(&visit(&mut browser, HOME).await, "password");
    }

    /// What calls for a recent login needs the password again: an old browser session is none.
    async fn a_browser_session_is_no_recent_login(database) {
        let site = Site::new(database).await;
        administrator(&site, "mei", owner()).await;
        let mut browser = site.browser();
        let home = log_in(&mut browser, "mei").await;
        has(&home, "link-again");
        let make = json!({ "name": "x", "role": "auditor" });
        let makes = async |key: &str| call(&site.world, Some(key), "POST", "/admin/v1/keys", Some(make.clone())).await;
        makes(&key_of(&browser)).await.is(201);
        site.world.advance(MINUTE * 15);
        assert_eq!(makes(&key_of(&browser)).await.is(403)["code"], 2743);
        let old = key_of(&browser);
        let home = visit(&mut browser, "/administration/login").await;
        is_home(&home, "mei");
        assert!(key_of(&browser) != old && home.text().contains("Over."), "{}", home.text());
        assert_eq!(status_of(&site, &old).await, 401, "the browser has one login");
        assert_eq!(makes(&key_of(&browser)).await.is(403)["code"], 2743);
        let page = visit(&mut browser, "/administration/login?again=1").await;
        has(&page, "password");
        is_home(&fill_in(&mut browser, &page, "mei", PASSWORD).await, "mei");
        makes(&key_of(&browser)).await.is(201);
    }

    async fn somebody_without_a_role_is_told_what_to_do(database) {
        let site = Site::new(database).await;
        let user = administrator(&site, "mei", owner()).await;
        let by = AdminCaller::command_line();
        let mut browser = site.browser();
        is_home(&log_in(&mut browser, "mei").await, "mei");
        let key = key_of(&browser);
        site.world.node.app.dismiss_administrator(&by, &user, None, None).await.unwrap();
        // The cookie of somebody who was dismissed opens nothing, nor does the browser session get a key.
        assert_eq!(status_of(&site, &key).await, 401);
        let page = visit(&mut browser, HOME).await;
        assert!(page.status == 200 && page.text().contains("You have no role yet") && page.text().contains("invite you"), "{}", page.text());
        assert!(!browser.keeps(KEY));
        assert_eq!(raw::number(site.world.database(), "SELECT COUNT(*) FROM access_keys").await, 0);
        for language in ["en", "zh-CN", "zh-TW", "ja"] {
            browser.language = language;
            well_formed(&browser.open("/administration/no-role").await.text(), language);
        }
        has(&page, "log-out");
        let left = browser.submit(&page, &[]).await;
        assert_eq!(left.header("location"), "/signed-out");
        browser.language = "en";
        has(&visit(&mut browser, HOME).await, "password");
        let mut other = site.browser();
        assert!(log_in(&mut other, "mei").await.text().contains("You have no role yet"));
    }

    async fn a_password_that_somebody_else_set_is_replaced_on_the_page(database) {
        let site = Site::new(database).await;
        let (_, password) = made(&site, "mei", owner()).await;
        let mut browser = site.browser();
        let page = visit(&mut browser, HOME).await;
        let page = fill_in(&mut browser, &page, "mei", &password).await;
        has(&page, "new-password");
        assert!(!browser.keeps(KEY));
        let answer = browser.submit(&page, &[("new-password", PASSWORD), ("submit", "1")]).await;
        is_home(&walk(&mut browser, answer).await, "mei");
        let mut other = site.browser();
        is_home(&log_in(&mut other, "mei").await, "mei");
    }

    async fn an_account_that_is_switched_off_gets_no_further(database) {
        let site = Site::new(database).await;
        let user = administrator(&site, "mei", owner()).await;
        let mut browser = site.browser();
        is_home(&log_in(&mut browser, "mei").await, "mei");
        raw::execute(site.world.database(), &format!("UPDATE users SET status = 'Suspended' WHERE pool_id = 'system' AND id = '{user}'")).await;
        let page = visit(&mut browser, HOME).await;
        has(&page, "password");
        let refused = fill_in(&mut browser, &page, "mei", PASSWORD).await;
        assert!(refused.status == 403 && !browser.keeps(KEY), "{} {}", refused.status, refused.text());
    }

    /// The limits of administrators hold on the pages as by the API, and count together.
    async fn guesses_on_the_pages_and_by_the_api_count_together(database) {
        let plan = Plan::new().limits(|limits| (limits.admin_failures, limits.admin_account_failures) = (4, 6));
        let site = Site::of(plan.build(database).await).await;
        administrator(&site, "mei", owner()).await;
        let by_api = async |password: &str, ip: &str| {
            let origin = hufu_app::Origin { ip: Some(ip.to_owned()), ..hufu_app::Origin::default() };
            site.world.node.app.log_in_administrator("mei", password.into(), None, &origin).await.map(drop)
        };
        let by_page = async |username: &str, password: &str, ip: [u8; 4]| {
            let mut browser = Browser { ip: Some(ip), ..site.browser() };
            let page = visit(&mut browser, HOME).await;
            fill_in(&mut browser, &page, username, password).await
        };
        // Right ones are taken back.
        for _ in 0..5 {
            is_home(&by_page("mei", PASSWORD, [192, 0, 2, 1]).await, "mei");
        }
        for _ in 0..2 {
            let wrong = by_page("mei", "wrong", [192, 0, 2, 1]).await;
            assert!(wrong.status == 400 && !wrong.text().contains("tries left"), "{} {}", wrong.status, wrong.text());
            by_api("wrong", "192.0.2.1").await.unwrap_err();
        }
        let locked = by_page("mei", PASSWORD, [192, 0, 2, 1]).await;
        assert_eq!(locked.status, 429, "{}", locked.text());
        assert!(by_api(PASSWORD, "192.0.2.1").await.unwrap_err().is(hufu_types::refusal::Code::TooOften));
        // Nor are other names looked at from there.
        assert_eq!(by_page("lee", "wrong", [192, 0, 2, 1]).await.status, 429);
        // From elsewhere two more are looked at, which fill the bucket of the account.
        for ip in [2, 3] {
            assert_eq!(by_page("mei", "wrong", [198, 51, 100, ip]).await.status, 400);
        }
        assert_ne!(by_page("mei", PASSWORD, [198, 51, 100, 4]).await.status, 200);
        by_api(PASSWORD, "198.51.100.5").await.unwrap_err();
        site.world.advance(MINUTE * 15);
        is_home(&by_page("mei", PASSWORD, [192, 0, 2, 1]).await, "mei");
    }
}
