//! One person, one account: in every order of arrival, with simultaneous logins, and no login for disabled
//! users.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use hufu_sandbox::{AppPatch, NewUser};
use hufu_testkit::on_both_engines;
use hufu_types::UserStatus;
use serde_json::json;

use crate::client::{GET_PROFILE, GRAPHQL, Mode};
use crate::world::{ALICE_PHONE, CAFE, MEMBERS, MINI, PHONE_NUMBER, SHOP, TWO, World};

/// Binds both mini programs to the Open Platform account, or to none.
fn bind_to_open_platform(world: &World, bound: bool) {
    for app_id in [MINI, TWO] {
        let open_platform = Some(bound.then(|| "shop".to_owned()));
        world.sandbox.change_app(app_id, AppPatch { open_platform, ..AppPatch::default() }).unwrap();
    }
}

on_both_engines! {
    /// All sequences of three visits through two mini programs, with the unionid present from any visit on.
    /// Two accounts result only where both were created before any id could link them.
    async fn every_order_of_arrival_ends_in_one_account(database) {
        let world = World::new(database).await;
        let client = world.client();
        let mut conflicts = 0;
        for order in 0..8_u32 {
            let visits: Vec<&str> = (0..3).map(|i| if order >> i & 1 == 0 { MINI } else { TWO }).collect();
            for bound_from in 0..=visits.len() {
                let name = format!("person-{order}-{bound_from}");
                world.person(&name);
                bind_to_open_platform(&world, false);
                let mut accounts: HashSet<(String, &str)> = HashSet::new();
                // At the end each mini program is visited once more, so that every sequence has covered both.
                for (index, app_id) in visits.iter().copied().chain([MINI, TWO]).enumerate() {
                    if index == bound_from {
                        bind_to_open_platform(&world, true);
                    }
                    let connection = if app_id == MINI { "shop-mini" } else { "shop-two" };
                    let body =
                        json!({ "code": world.code(app_id, &name), "extIdpConnidentifier": connection });
                    let user = client.post(crate::client::AUTH, body).await.user();
                    assert_eq!(user.data["unionid"].is_string(), index >= bound_from);
                    accounts.insert((user.id, app_id));
                }
                let (before, after) = visits.split_at(bound_from);
                let before: HashSet<&str> = before.iter().copied().collect();
                let next = after.first().copied().unwrap_or(MINI);
                let apart = before.len() == 2 || (before.len() == 1 && !before.contains(next));
                let users: HashSet<&String> = accounts.iter().map(|(user, _)| user).collect();
                assert_eq!(users.len(), if apart { 2 } else { 1 }, "{visits:?}, unionid from {bound_from}");
                assert_eq!(accounts.len(), 2, "whoever comes through one mini program stays the same");
                conflicts += i64::from(apart);
            }
        }
        assert_eq!(
            world.rows("identity_conflicts").await,
            conflicts,
            "each pair of accounts is recorded once"
        );
    }

    /// Lesson 7.
    async fn thirty_first_logins_at_the_same_instant_make_one_user(database) {
        let world = World::new(database).await;
        let other_node = world.another_node().await;
        world.person("bob");
        let before = world.rows("users").await;
        let logins = (0..30).map(|index| {
            let client = if index % 2 == 0 { world.client() } else { world.client_of(&other_node) };
            let (app_id, connection) = if index % 4 < 2 { (MINI, "shop-mini") } else { (TWO, "shop-two") };
            let body = json!({ "code": world.code(app_id, "bob"), "extIdpConnidentifier": connection });
            async move { client.post(crate::client::AUTH, body).await.user() }
        });
        let users = join_all(logins).await;
        assert_eq!(users.iter().map(|user| &user.id).collect::<HashSet<_>>().len(), 1);
        assert_eq!(users.iter().filter(|user| user.data["newlyCreated"] == true).count(), 1);
        assert_eq!(world.rows("users").await, before + 1);
        assert_eq!(world.rows("identities").await, 3, "two openids and one unionid");
        assert_eq!(world.rows("sessions").await, 30);
        let last = world.client().log_in(MINI, "bob").await;
        assert_eq!(last.data["loginsCount"], 31, "no login was lost");
    }

    /// Lesson 8, with each of the proofs that a mini program sends.
    async fn who_is_switched_off_gets_no_token_in_any_mode(database) {
        let world = World::new(database).await;
        world.person("bob");
        let client = world.client();
        let v2 = client.log_in(MINI, "bob").await;
        // The number is saved to bob's account, so that it identifies him as well.
        client.try_log_in(Mode::Phone, MINI, "bob").await.data();
        let v3 = client.log_in_v3(MINI, "bob").await;
        assert_eq!(v3.user(), v2.id);
        let phone_codes = world.calls(PHONE_NUMBER);

        for status in [UserStatus::Suspended, UserStatus::Archived] {
            world.set_status(SHOP, &v2.id, status).await;
            world.advance(Duration::from_secs(6));
            for mode in Mode::ALL {
                let answer = world.stores_nothing(client.try_log_in(mode, MINI, "bob")).await;
                answer.refused(2005);
                assert!(!answer.to_string().contains("token"), "{mode:?}: {answer}");
            }
            client.refresh(&v3.refresh).await.oauth_error("invalid_grant");
            world.node.app.refresh_config().await.unwrap();
        }
        assert_eq!(world.calls(PHONE_NUMBER), phone_codes, "no phone code was spent on it");

        world.set_status(SHOP, &v2.id, UserStatus::Activated).await;
        for mode in Mode::ALL {
            assert_eq!(client.try_log_in(mode, MINI, "bob").await.logged_in(), v2.id, "{mode:?}");
        }
    }

    async fn who_is_switched_off_is_out_at_once_where_the_change_is_announced(database) {
        let world = World::new(database).await;
        world.person("bob");
        let tokens = world.client().log_in_v3(MINI, "bob").await;
        let user = world.client().log_in(MINI, "bob").await;
        let with_access = world.nobody().bearer(&tokens.access);
        let with_user_token = world.nobody().bearer(&user.token);
        with_access.get(GET_PROFILE).await.data();
        with_user_token.get(GET_PROFILE).await.data();
        world.set_status(SHOP, &user.id, UserStatus::Suspended).await;
        // The version of the configuration changes, which every node notices.
        world.node.app.refresh_config().await.unwrap();
        with_access.get(GET_PROFILE).await.refused(2020);
        with_user_token.get(GET_PROFILE).await.refused(2020);
        with_user_token.update_user(json!({ "nickname": "Bob" })).await.refused(2020);
    }

    async fn people_of_another_pool_get_no_token(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.client().log_in(MINI, "bob").await;
        for mode in Mode::ALL {
            let (path, body) = mode.request(&world, MINI, "bob");
            world.stores_nothing(world.cafe().post(path, body)).await.refused(2207);
        }
    }

    async fn a_login_only_connection_refuses_strangers_and_lets_the_known_in(database) {
        let world = World::new(database).await;
        world.person("bob");
        let members = |mode: Mode| {
            let (path, mut body) = mode.request(&world, MEMBERS, "bob");
            body["extIdpConnidentifier"] = "shop-members".into();
            let client = world.client();
            async move { client.post(path, body).await }
        };
        for mode in Mode::ALL {
            let message = world.stores_nothing(members(mode)).await.refused(2004);
            assert!(message.contains("existing accounts"), "{message}");
        }
        assert_eq!(world.calls(PHONE_NUMBER), 0, "no phone code was spent on a refused login");

        let known = world.client().log_in(TWO, "bob").await;
        for mode in Mode::ALL {
            assert_eq!(members(mode).await.logged_in(), known.id, "{mode:?}");
        }
    }

    async fn a_number_lets_a_known_person_through_a_login_only_connection(database) {
        let world = World::new(database).await;
        let phone = Some(ALICE_PHONE.to_owned());
        world.person_with(NewUser { name: Some("alice".to_owned()), phone, ..NewUser::default() });
        let (path, mut body) = Mode::V2Phone.request(&world, MEMBERS, "alice");
        body["extIdpConnidentifier"] = "shop-members".into();
        let user = world.client().post(path, body).await.user();
        assert_eq!(
            (user.data["username"].as_str(), user.data["newlyCreated"].as_bool()),
            (Some("alice"), Some(false))
        );
    }

    /// Lesson 12, with what a mini program brings and what people choose here.
    async fn nicknames_of_every_script(database) {
        let world = World::new(database).await;
        let emoji = "👩‍👩‍👧‍👦".repeat(64);
        let long = "名".repeat(256);
        let names = [
            "小明",
            "محمد بن سلمان",
            "Łukasz",
            "Ольга",
            "ひかり",
            "안녕",
            "नमस्ते",
            "ᚠᛇᚻ",
            "𠮷野家",
            "O'Brien \"; DROP TABLE users; --",
            "\u{202e}reversed\u{202c}",
            "\u{200f}مرحبا",
            "a\u{0301}",
            "<script>alert(1)</script>",
            "null",
            "undefined",
            &emoji,
            &long,
        ];
        for (index, name) in names.into_iter().enumerate() {
            let person = format!("person-{index}");
            world.person_with(NewUser {
                name: Some(person.clone()),
                nickname: Some(name.chars().take(200).collect()),
                ..NewUser::default()
            });
            let code = world.code(MINI, &person);
            let sealed = world.sealed(MINI, &code, hufu_sandbox::DataKind::UserInfo);
            let body = json!({ "code": code, "iv": sealed.iv, "encryptedData": sealed.encrypted_data });
            let user = world.client().post(crate::client::AUTH, body).await.user();
            let expected: String = name.chars().take(200).collect();
            assert_eq!(user.data["nickname"], expected, "from WeChat");

            let client = world.nobody().bearer(&user.token);
            let changed = client.update_user(json!({ "nickname": name })).await.data();
            assert_eq!(changed["updateUser"]["nickname"], name);
            assert_eq!(client.get(GET_PROFILE).await.data()["nickname"], name);
            assert!(user.data["username"].is_null(), "a nickname is no login name");
        }

        world.person("nobody in particular");
        let user = world.client().log_in(MINI, "nobody in particular").await;
        assert!(user.data["nickname"].is_null(), "nothing was told");
        let client = world.nobody().bearer(&user.token);
        assert_eq!(client.update_user(json!({ "nickname": "" })).await.data()["updateUser"]["nickname"], "");
        client.update_user(json!({ "nickname": "a\u{0}b" })).await.refused(2231);
        client.update_user(json!({ "nickname": "x".repeat(1001) })).await.refused(2231);
        let half_a_pair = br#"{"query":"mutation{updateUser(input:{nickname:\"\\ud83d\"}){id token}}"}"#;
        let answer =
            client.send(axum::http::Method::POST, GRAPHQL, "application/json", half_a_pair.to_vec()).await;
        answer.refused(2231);
    }

    async fn the_same_number_in_two_pools_is_two_people(database) {
        let world = World::new(database).await;
        let phone = Some(ALICE_PHONE.to_owned());
        world.person_with(NewUser { name: Some("alice".to_owned()), phone, ..NewUser::default() });
        let shop = world.client().try_log_in(Mode::V2Phone, MINI, "alice").await.user();
        let cafe = world.cafe().try_log_in(Mode::V2Phone, crate::world::CAFE_MINI, "alice").await.user();
        assert_ne!(shop.id, cafe.id);
        assert_eq!((&shop.data["userPoolId"], &cafe.data["userPoolId"]), (&json!(SHOP), &json!(CAFE)));
        assert_eq!(shop.data["username"], "alice");
        assert!(cafe.data["username"].is_null() && cafe.data["newlyCreated"] == true);
    }
}
