//! WeChat takes an app out of service.

use std::time::Duration;

use hufu_sandbox::{AppPatch, AppState};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::MINI;

use super::Shop;
use super::ways::{ACCOUNT, LAUNCHED, MOBILE, Mode, WEBSITE};

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
                let mut on_their_way = under_way.iter().filter(|(of, _)| of == mode);
                for attempt in 0..4 {
                    let before = world.sandbox.calls(0).len();
                    let outcome = match on_their_way.next() {
                        Some((_, begun)) => shop.finish(begun).await,
                        None => shop.log_in(*mode, "mei").await,
                    };
                    outcome.is_refused(2408);
                    // After three answers WeChat is not asked any more.
                    assert_eq!(world.sandbox.calls(0).len() > before, attempt < 3, "{mode:?}: {outcome:?}");
                    // What was refused just now is not asked again for some seconds.
                    world.advance(Duration::from_secs(6));
                }
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
