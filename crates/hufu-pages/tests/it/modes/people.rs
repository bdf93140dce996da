//! Who may log in, whom they are called, and how often one code works, in all seven ways.

use std::time::Duration;

use hufu_sandbox::{AppPatch, NewUser, UserPatch};
use hufu_testkit::administration::{call, key};
use hufu_testkit::world::{CAFE_MINI, SHOP, SHOP_WEB, World};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::{AdminRole, UserStatus};

use super::Shop;
use super::ways::{Mode, file};

/// The number of people's sessions.
async fn sessions(world: &World) -> i64 {
    world.rows("sessions").await
}

/// Tries each of the ways, all of which must be refused with one of these codes, and store nothing.
async fn all_refused(shop: &Shop, person: &str, codes: &[u64]) {
    let world = &shop.site.world;
    for mode in Mode::ALL {
        let before = sessions(world).await;
        let outcome = shop.log_in(mode, person).await;
        assert!(outcome.user.is_none() && codes.contains(&outcome.code), "{mode:?}: {outcome:?}");
        assert!(!outcome.sentence.is_empty() && !outcome.sentence.contains("token"), "{mode:?}: {outcome:?}");
        assert_eq!(sessions(world).await, before, "{mode:?}");
    }
}

on_both_engines! {
    /// Lesson 8: an account that is switched off, or that its owner has deleted, gets no token in any of the ways.
    async fn who_is_switched_off_gets_no_token_in_any_mode(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        world.person("mei");
        let user = shop.log_in(Mode::Pc, "mei").await.id().to_owned();
        for mode in Mode::ALL {
            assert_eq!(shop.log_in(mode, "mei").await.id(), user, "{mode:?}");
        }
        for status in [UserStatus::Suspended, UserStatus::Archived, UserStatus::Deactivated] {
            world.set_status(SHOP, &user, status).await;
            all_refused(&shop, "mei", &[2005]).await;
        }
        // Also at a QR code, which keeps of a phone's refusal the number alone.
        let soon = world.node.app.now().plus(Duration::from_secs(24 * 60 * 60)).0;
        raw::execute(world.database(), &format!("UPDATE users SET delete_after = {soon} WHERE id = '{user}'")).await;
        all_refused(&shop, "mei", &[2413]).await;
        raw::execute(world.database(), &format!("UPDATE users SET delete_after = NULL WHERE id = '{user}'")).await;
        assert_eq!(sessions(world).await, 0, "and the logins of before are over");
        world.set_status(SHOP, &user, UserStatus::Activated).await;
        for mode in Mode::ALL {
            assert_eq!(shop.log_in(mode, "mei").await.id(), user, "{mode:?}");
        }
    }

    /// Lesson 8: nor does a login that was under way when the account was switched off.
    async fn who_is_switched_off_in_the_middle_of_a_login_gets_no_token(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        for mode in Mode::ALL {
            let name = format!("{mode:?}");
            world.person(&name);
            let user = shop.log_in(mode, &name).await.id().to_owned();
            let begun = shop.begin(mode, &name).await;
            world.set_status(SHOP, &user, UserStatus::Suspended).await;
            let before = sessions(world).await;
            shop.finish(&begun).await.is_refused(2005);
            assert_eq!(sessions(world).await, before, "{mode:?}");
        }
    }

    /// Lesson 8: an account that an administrator has deleted is nobody's any more, and another pool's account opens nothing
    /// here, though WeChat gives both pools the same UnionID.
    async fn who_is_deleted_or_of_another_pool_gets_no_token_in_any_mode(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        let login_only = file("login_only = true").replacen("open_platform = \"cafe\"", "open_platform = \"shop\"", 1);
        for name in ["mei", "bob"] {
            world.person(name);
        }
        let user = shop.log_in(Mode::Pc, "mei").await.id().to_owned();
        let owner = key(world, AdminRole::Owner, None).await;
        call(world, Some(&owner), "DELETE", &format!("/admin/v1/pools/{SHOP}/users/{user}"), None).await.is(204);
        let at_wechat = AppPatch { open_platform: Some(Some("shop".to_owned())), ..AppPatch::default() };
        world.sandbox.change_app(CAFE_MINI, at_wechat).unwrap();
        world.reconfigure(&login_only).await;
        let of_cafe = world.cafe().log_in(CAFE_MINI, "bob").await;
        let users = world.rows("users").await;
        for person in ["mei", "bob"] {
            all_refused(&shop, person, &[2004]).await;
        }
        assert_eq!(world.rows("users").await, users);
        // Its token is none here.
        world.nobody().app(SHOP_WEB).bearer(&of_cafe.token).get("/api/v2/users/me").await.refused(2020);
        assert_eq!(world.cafe().log_in(CAFE_MINI, "bob").await.id, of_cafe.id, "who is at home in the cafe goes on");
    }

    /// Lesson 9: WeChat's apps send a code twice. Within its minute it is one login, at once or one after another; later it is
    /// refused. A ticket of a QR code, which no app sends twice, works once.
    async fn the_same_code_twice_is_one_login_in_every_mode(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        for mode in Mode::ALL {
            let name = format!("{mode:?}");
            world.person(&name);
            let begun = shop.begin(mode, &name).await;
            let (calls, before) = (world.sandbox.calls(0).len(), world.rows("logins").await);
            let (first, second, third) = tokio::join!(shop.finish(&begun), shop.finish(&begun), shop.finish(&begun));
            let again = shop.finish(&begun).await;
            let all = [first, second, third, again];
            let logged_in: Vec<_> = all.iter().filter_map(|outcome| outcome.user.as_ref()).collect();
            if mode.sends_a_code() {
                assert_eq!(logged_in.len(), 4, "{mode:?}: {all:?}");
                let exchanges = world.sandbox.calls(0)[calls..].iter().filter(|call| {
                    call.path.ends_with("/jscode2session") || call.path.ends_with("/access_token")
                }).count();
                assert_eq!(exchanges, 1, "{mode:?}");
            } else {
                assert_eq!(logged_in.len(), 1, "{mode:?}: {all:?}");
            }
            assert!(logged_in.iter().all(|(id, _)| *id == logged_in[0].0), "{mode:?}: {all:?}");
            assert_eq!(world.rows("logins").await, before + 1, "{mode:?}");
            world.advance(Duration::from_secs(61));
            let late = shop.finish(&begun).await;
            assert!(late.user.is_none() && late.code != 0, "{mode:?}: {late:?}");
            assert_eq!(world.rows("logins").await, before + 1, "{mode:?}");
        }
    }

    /// Lesson 12: people may be called anything, several may be called the same, and nobody's nickname is a login name.
    async fn nicknames_of_every_script_in_every_mode_that_brings_one(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        let emoji = "😀".repeat(64);
        let names = ["小明", "小明", "alice", "Ольга", "محمد", "\u{202e}txet\u{202c}", "\u{200f}مرحبا", "𠮷野家", "' OR 1=1; --", "<b>&amp;", "null", &emoji, ""];
        for mode in [Mode::Mobile, Mode::Pc, Mode::Webpage] {
            for (index, nickname) in names.into_iter().enumerate() {
                let name = format!("{mode:?}-{index}");
                world.person_with(NewUser { name: Some(name.clone()), nickname: Some(nickname.to_owned()), ..NewUser::default() });
                let outcome = shop.log_in(mode, &name).await;
                let (_, token) = outcome.user.as_ref().unwrap_or_else(|| panic!("{mode:?} {nickname}: {outcome:?}"));
                let me = world.nobody().bearer(token).get("/api/v2/users/me").await.data();
                let expected = Some(nickname).filter(|nickname| !nickname.is_empty());
                assert_eq!(me["nickname"].as_str(), expected, "{mode:?}");
                assert!(me["username"].is_null(), "{mode:?}: {me}");
                // Whoever logs in again is who they were, whatever they are called now.
                let renamed = UserPatch { nickname: Some("somebody else".to_owned()), ..UserPatch::default() };
                world.sandbox.change_user(&name, renamed).unwrap();
                assert_eq!(shop.log_in(mode, &name).await.id(), outcome.id());
            }
        }
        assert_eq!(world.rows("users").await, 1 + 3 * i64::try_from(names.len()).unwrap(), "alice, and nobody was joined by a name");
    }
}
