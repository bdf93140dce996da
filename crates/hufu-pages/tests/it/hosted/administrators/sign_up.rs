//! Sign-up: whoever registers while it is on gets a pool of their own.

use hufu_app::administration::AdminCaller;
use hufu_testkit::administration::call;
use hufu_testkit::world::Plan;
use hufu_testkit::{TestDatabase, on_both_engines, raw};
use hufu_types::{AdminRole, PoolId, PoolRole, UserId};

use super::{HOME, KEY, PASSWORD, administrator, fill_in, has, is_home, key_of, owner, visit, walk};
use crate::hosted::{Browser, Site, has_not};
use crate::server::Answer;

async fn open_to_all(database: TestDatabase) -> Site {
    Site::of(Plan::new().signing_up().limits(|limits| limits.first_pools_per_ip = 2).build(database).await)
        .await
}

/// Registers with an address that a code proves, as far as the address that comes back.
async fn register(site: &Site, browser: &mut Browser<'_>, email: &str) -> Answer {
    let page = visit(browser, HOME).await;
    has(&page, "link-register");
    let text = page.text();
    let (_, rest) = text.split_once("id=\"link-register\" href=\"").unwrap();
    let page =
        browser.open(&rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")).await;
    for name in ["email", "send-code", "code", "new-password"] {
        has(&page, name);
    }
    let sent = browser.submit(&page, &[("email", email), ("send-code", "1")]).await;
    let code = site.sent_code().await;
    let values = [("email", email), ("code", code.as_str()), ("new-password", PASSWORD), ("submit", "1")];
    browser.submit(&sent, &values).await
}

/// The pools of somebody, with their roles there.
async fn roles(site: &Site, email: &str) -> Vec<Vec<String>> {
    let sql = format!(
        "SELECT p.name, a.role, p.id FROM administrators a JOIN users u ON u.id = a.user_id AND u.pool_id = 'system' JOIN pools p ON p.id = a.scope_pool WHERE u.email = '{email}'"
    );
    raw::texts(site.world.database(), &sql).await
}

async fn user(site: &Site, email: &str) -> UserId {
    let rows = raw::texts(
        site.world.database(),
        &format!("SELECT id FROM users WHERE pool_id = 'system' AND email = '{email}'"),
    )
    .await;
    UserId::parse(&rows[0][0]).unwrap()
}

on_both_engines! {
    async fn whoever_registers_owns_a_pool_of_their_own(database) {
        let site = open_to_all(database).await;
        let mut browser = site.browser();
        let answer = register(&site, &mut browser, "mei@example.com").await;
        let home = walk(&mut browser, answer).await;
        is_home(&home, "mei@example.com");
        let own = roles(&site, "mei@example.com").await;
        assert_eq!((own.len(), own[0][0].as_str(), own[0][1].as_str()), (1, "mei", "owner"));
        assert!(home.text().contains(&own[0][2]), "the node knows the pool at once: {}", home.text());
        // They own it, and nothing else.
        let pools = call(&site.world, Some(&key_of(&browser)), "GET", "/admin/v1/pools", None).await.is(200);
        assert_eq!((pools["pools"].as_array().unwrap().len(), &pools["pools"][0]["id"]), (1, &own[0][2].as_str().into()));
        let change = call(&site.world, Some(&key_of(&browser)), "PATCH", &format!("/admin/v1/pools/{}", own[0][2]), Some(serde_json::json!({ "name": "Mei's" }))).await;
        change.is(200);
        let entries = raw::texts(site.world.database(), "SELECT action FROM audit_events WHERE pool_id = 'system' AND details LIKE '%sign-up%'").await;
        assert_eq!(entries, [["administrator.changed"]]);
        let made = format!("SELECT action FROM audit_events WHERE pool_id = '{}'", own[0][2]);
        assert!(raw::texts(site.world.database(), &made).await.contains(&vec!["configuration.changed".to_owned()]));

        // Another login makes no other one.
        let mut other = site.browser();
        let page = visit(&mut other, HOME).await;
        is_home(&fill_in(&mut other, &page, "mei@example.com", PASSWORD).await, "mei@example.com");
        assert_eq!(roles(&site, "mei@example.com").await.len(), 1);

        // Nor does somebody get another one who was dismissed.
        let pool = PoolId::parse(&own[0][2]).unwrap();
        let (app, by) = (&site.world.node.app, AdminCaller::command_line());
        app.dismiss_administrator(&by, &user(&site, "mei@example.com").await, Some(&pool), None).await.unwrap();
        let page = visit(&mut browser, HOME).await;
        assert!(page.text().contains("You have no role yet") && !browser.keeps(KEY), "{}", page.text());
        assert_eq!(raw::number(site.world.database(), "SELECT COUNT(*) FROM sign_ups").await, 0);
    }

    /// Two windows that come back at once make one pool.
    async fn two_windows_make_one_pool(database) {
        let site = open_to_all(database).await;
        let mut browser = site.browser();
        let first = register(&site, &mut browser, "mei@example.com").await.header("location").to_owned();
        let mut second = browser.clone();
        let begun = second.open("/administration/login").await.header("location").to_owned();
        let second_back = second.open(&begun).await.header("location").to_owned();
        assert!(second_back.contains("code=") && second_back != first, "{second_back}");
        let (one, two) = tokio::join!(browser.open(&first), second.open(&second_back));
        assert_eq!((one.header("location"), two.header("location")), (HOME, HOME), "{} {}", one.text(), two.text());
        assert_eq!(roles(&site, "mei@example.com").await.len(), 1);
        is_home(&visit(&mut browser, HOME).await, "mei@example.com");
        is_home(&visit(&mut second, HOME).await, "mei@example.com");
    }

    async fn pools_are_made_so_often_for_one_network(database) {
        let site = open_to_all(database).await;
        let enters = async |email: &str, ip: [u8; 4]| {
            let mut browser = Browser { ip: Some(ip), ..site.browser() };
            let answer = register(&site, &mut browser, email).await;
            walk(&mut browser, answer).await
        };
        for email in ["a@example.com", "b@example.com"] {
            is_home(&enters(email, [192, 0, 2, 1]).await, email);
        }
        let late = enters("c@example.com", [192, 0, 2, 1]).await;
        assert_eq!(late.status, 429, "{}", late.text());
        assert!(roles(&site, "c@example.com").await.is_empty());
        is_home(&enters("d@example.com", [198, 51, 100, 1]).await, "d@example.com");
        // It is theirs still, a while later.
        site.world.advance(site.world.node.app.limits().first_pool_window);
        let mut browser = site.browser();
        let page = visit(&mut browser, HOME).await;
        is_home(&fill_in(&mut browser, &page, "c@example.com", PASSWORD).await, "c@example.com");
        assert_eq!(roles(&site, "c@example.com").await.len(), 1);
    }

    /// Only who registered gets a pool: not whoever an administrator made, nor who was invited since.
    async fn nobody_else_gets_a_pool_by_it(database) {
        let site = open_to_all(database).await;
        let (app, by) = (&site.world.node.app, AdminCaller::command_line());
        let lee = administrator(&site, "lee", owner()).await;
        app.dismiss_administrator(&by, &lee, None, None).await.unwrap();
        let mut browser = site.browser();
        let page = visit(&mut browser, HOME).await;
        assert!(fill_in(&mut browser, &page, "lee", PASSWORD).await.text().contains("You have no role yet"));

        // Who registered, was made an administrator before the first visit, and dismissed.
        let mut browser = site.browser();
        register(&site, &mut browser, "mei@example.com").await;
        let mei = user(&site, "mei@example.com").await;
        let role = PoolRole { pool: Some(PoolId::parse(hufu_testkit::world::SHOP).unwrap()), role: AdminRole::Auditor };
        let appointment = hufu_app::administration::Appointment { roles: vec![role], revision: None };
        app.appoint_administrator(&by, &mei, appointment).await.unwrap();
        app.dismiss_administrator(&by, &mei, None, None).await.unwrap();
        assert!(visit(&mut browser, HOME).await.text().contains("You have no role yet"));
        assert_eq!(raw::number(site.world.database(), "SELECT COUNT(*) FROM administrators").await, 0);
        assert_eq!(raw::number(site.world.database(), "SELECT COUNT(*) FROM pools WHERE name IN ('mei', 'lee')").await, 0);
    }

    /// Where no code can be sent, none is asked for.
    async fn without_a_mail_sender_an_address_is_not_proved(database) {
        let site = open_to_all(database).await;
        let parts = hufu_app::Parts { sign_up: true, ..site.world.parts() };
        let app = hufu_app::App::start(parts).await.unwrap();
        let router = hufu_web::router(app, hufu_testkit::world::web_settings(), [hufu_pages::routes(None)]);
        let site = Site { world: site.world, router };
        let mut browser = site.browser();
        visit(&mut browser, HOME).await;
        let page = browser.open("/register?app_id=console").await;
        has_not(&page, "code");
        let answer = browser.submit(&page, &[("email", "mei@example.com"), ("new-password", PASSWORD), ("submit", "1")]).await;
        assert!(answer.header("location").starts_with("https://id.example.com/administration?iss="), "{} {}", answer.status, answer.text());
        is_home(&walk(&mut browser, answer).await, "mei@example.com");
        assert_eq!(roles(&site, "mei@example.com").await.len(), 1);
    }

    /// Once it is off, nobody registers, and who did gets nothing by it.
    async fn switched_off_it_gives_nothing(database) {
        let site = open_to_all(database).await;
        let mut browser = site.browser();
        register(&site, &mut browser, "mei@example.com").await;
        let parts = hufu_app::Parts { sign_up: false, ..site.world.parts() };
        let app = hufu_app::App::start(parts).await.unwrap();
        let router = hufu_web::router(app, hufu_testkit::world::web_settings(), [hufu_pages::routes(None)]);
        let site = Site { world: site.world, router };
        let mut browser = site.browser();
        let page = visit(&mut browser, HOME).await;
        has_not(&page, "link-register");
        let page = fill_in(&mut browser, &page, "mei@example.com", PASSWORD).await;
        assert!(page.text().contains("You have no role yet"), "{}", page.text());
        assert!(roles(&site, "mei@example.com").await.is_empty());
    }
}
