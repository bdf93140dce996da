//! WeChat takes an app out of service.

use std::time::Duration;

use hufu_sandbox::{AppPatch, AppState};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::MINI;

use super::ways::{ACCOUNT, LAUNCHED, MOBILE, Mode, WEBSITE};
use super::{Outcome, Shop};

fn set_state(shop: &Shop, app_id: &str, state: AppState) {
    shop.site
        .world
        .sandbox
        .change_app(app_id, AppPatch { state: Some(state), ..AppPatch::default() })
        .unwrap();
}

/// How often a connection has become unavailable, and available again.
async fn changes(shop: &Shop) -> (usize, usize) {
    let audit = shop.site.world.audit().await;
    let count = |action: &str| audit.iter().filter(|event| event.action == action).count();
    (count("connection.unavailable"), count("connection.restored"))
}

/// The `errcode` of the line in the operator's log of a login that says this of its connection. The line has WeChat's request id.
#[track_caller]
fn told(outcome: &Outcome, mode: Mode, text: &str) -> i64 {
    let of_connection = format!("connection={}", mode.connection());
    let said = |line: &&str| line.contains(&of_connection) && line.contains(text);
    let line = outcome.log.lines().find(said);
    let line = line.unwrap_or_else(|| panic!("{mode:?}: the operator is not told '{text}': {}", outcome.log));
    assert!(line.trim_start().starts_with("ERROR") && line.contains("rid="), "{line}");
    let (_, rest) = line.split_once(" errcode=").unwrap_or_else(|| panic!("{mode:?}: no errcode: {line}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Fails unless the audit log says of a connection that it is closed and why, and of each login that WeChat refused what it
/// answered.
async fn entries_say_why(shop: &Shop, mode: Mode, errcode: i64) {
    let (audit, id) = (shop.site.world.audit().await, shop.connection(mode));
    let of_connection: Vec<_> = audit.iter().filter(|event| event.connection.as_ref() == Some(&id)).collect();
    let closed = of_connection.iter().find(|event| event.action == "connection.unavailable");
    let closed = closed.unwrap_or_else(|| panic!("{mode:?}: no entry of the outage"));
    let details = &closed.details;
    assert_eq!((&details["errcode"], &details["connection"]), (&errcode.into(), &mode.connection().into()));
    assert!(details["rid"].as_str().is_some_and(|rid| rid.len() >= 20), "{details}");
    assert_eq!(closed.actor_kind, "system", "{closed:?}");
    if mode.sends_a_code() {
        let refused = of_connection
            .iter()
            .filter(|event| event.action == "login" && event.details["errcode"] == errcode);
        let codes: Vec<_> = refused.map(|event| event.code).collect();
        assert_eq!(codes, [2408; 3], "{mode:?}");
    }
}

on_both_engines! {
    /// Lesson 19: an app that is banned closes its own ways in, which is noticed whether it shows at a login or where a QR code
    /// is made. All other ways go on, and its own come back by themselves.
    async fn an_app_that_wechat_bans_closes_its_own_ways_alone(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        world.person("mei");
        for mode in Mode::ALL {
            shop.log_in(mode, "mei").await.id();
        }
        for app_id in [MINI, MOBILE, LAUNCHED, WEBSITE, ACCOUNT] {
            let (own, others): (Vec<_>, Vec<_>) = Mode::ALL.into_iter().partition(|mode| mode.app_id() == app_id);
            let before = changes(&shop).await;
            // People who are on their way when it happens.
            let mut under_way = Vec::new();
            for mode in own.iter().filter(|mode| mode.sends_a_code()) {
                for _ in 0..4 {
                    under_way.push((*mode, shop.begin(*mode, "mei").await));
                }
            }
            set_state(&shop, app_id, AppState::Banned);
            for mode in &own {
                let mut errcode = 0;
                let mut on_their_way = under_way.iter().filter(|(of, _)| of == mode);
                for attempt in 0..4 {
                    let before = world.sandbox.calls(0).len();
                    let outcome = match on_their_way.next() {
                        Some((_, begun)) => shop.finish(begun).await,
                        None => shop.log_in(*mode, "mei").await,
                    };
                    outcome.is_refused(2408);
                    if attempt < 3 {
                        errcode = told(&outcome, *mode, "errcode=");
                    }
                    if attempt == 2 {
                        assert_eq!(told(&outcome, *mode, "WeChat has taken the app of this connection out of service"), errcode);
                    }
                    // After three answers WeChat is not asked any more.
                    assert_eq!(world.sandbox.calls(0).len() > before, attempt < 3, "{mode:?}: {outcome:?}");
                    // What was refused just now is not asked again for some seconds.
                    world.advance(Duration::from_secs(6));
                }
                entries_say_why(&shop, *mode, errcode).await;
            }
            for mode in others {
                shop.log_in(mode, "mei").await.id();
            }
            let closed = changes(&shop).await;
            assert_eq!((closed.0 - before.0, closed.1 - before.1), (own.len(), 0), "{app_id}");

            set_state(&shop, app_id, AppState::Ok);
            world.advance(Duration::from_secs(600));
            world.node.app.run_due_jobs().await;
            for mode in &own {
                shop.log_in(*mode, "mei").await.id();
            }
            assert_eq!(changes(&shop).await.1 - closed.1, own.len(), "{app_id}");
        }
    }
}
