//! Phone numbers: what proves them, which account they become part of, and when a code for one is consumed.

use std::time::Duration;

use hufu_sandbox::{AppPatch, DataKind, Fault, NewUser};
use hufu_testkit::on_both_engines;
use serde_json::json;

use crate::client::{GET_PHONE, GET_PROFILE, Mode, PHONE, SIGNIN, claims, signin};
use crate::world::{ALICE_PHONE, MINI, PHONE_NUMBER, Plan, TWO, World};

fn person_with_phone(world: &World, name: &str, phone: &str) {
    let (name, phone) = (Some(name.to_owned()), Some(phone.to_owned()));
    world.person_with(NewUser { name, phone, ..NewUser::default() });
}

on_both_engines! {
    async fn v3_fills_a_number_only_where_it_is_free(database) {
        let world = World::new(database).await;
        for (index, mode) in [Mode::Phone, Mode::CodeAndPhone].into_iter().enumerate() {
            let name = format!("bob-{index}");
            let number = format!("1381234000{index}");
            person_with_phone(&world, &name, &number);
            let tokens = world.client().try_log_in(mode, MINI, &name).await.tokens();
            let id_token = claims(&tokens.id);
            assert_eq!(id_token["phone_number"], format!("+86{number}"));
            assert_eq!(id_token["phone_number_verified"], true);
            let profile = world.nobody().bearer(&tokens.access).get(GET_PROFILE).await.data();
            assert_eq!((&profile["phone"], &profile["phoneVerified"]), (&json!(number), &json!(true)));

            // The user has a new number. The login name keeps the old one.
            person_with_phone(&world, &name, &format!("1381234001{index}"));
            let again = world.client().try_log_in(mode, MINI, &name).await.tokens();
            assert_eq!(
                (again.user(), &claims(&again.id)["phone_number"]),
                (tokens.user(), &id_token["phone_number"])
            );
            assert_eq!(world.rows("identity_conflicts").await, 0);

            // This number is alice's. It leads no one else to her account, and remains hers.
            let eve = format!("eve-{index}");
            person_with_phone(&world, &eve, ALICE_PHONE);
            let tokens = world.client().try_log_in(mode, MINI, &eve).await.tokens();
            assert!(claims(&tokens.id).get("phone_number").is_none(), "{mode:?}");
            assert!(claims(&tokens.id).get("username").is_none(), "{mode:?}");
        }
    }

    async fn v2_logs_in_by_number_and_links_the_identity(database) {
        let world = World::new(database).await;
        person_with_phone(&world, "alice", ALICE_PHONE);
        let user = world.client().try_log_in(Mode::V2Phone, MINI, "alice").await.user();
        assert_eq!((&user.data["username"], &user.data["newlyCreated"]), (&json!("alice"), &json!(false)));
        assert_eq!(world.client().log_in(MINI, "alice").await.id, user.id, "the identity is linked");
        assert_eq!(world.client().log_in(TWO, "alice").await.id, user.id, "and so is the unionid");

        person_with_phone(&world, "newcomer", "13812340009");
        let user = world.client().try_log_in(Mode::V2Phone, MINI, "newcomer").await.user();
        assert_eq!((&user.data["newlyCreated"], &user.data["phone"]), (&json!(true), &json!("13812340009")));
        assert_eq!(
            (&user.data["phoneVerified"], &user.data["phoneCountryCode"]),
            (&json!(true), &json!("+86"))
        );
        assert_eq!(world.client().log_in(MINI, "newcomer").await.id, user.id);
    }

    async fn a_number_and_an_identity_of_two_accounts_move_nothing(database) {
        let world = World::new(database).await;
        person_with_phone(&world, "bob", ALICE_PHONE);
        let bob = world.client().log_in(MINI, "bob").await;
        let by_number = world.client().try_log_in(Mode::V2Phone, MINI, "bob").await.user();
        assert_eq!(
            by_number.data["username"], "alice",
            "the number was proved, and the call logs in by number"
        );
        assert_eq!(world.rows("identity_conflicts").await, 1);
        assert_eq!(world.client().log_in(MINI, "bob").await.id, bob.id);
        world.client().try_log_in(Mode::V2Phone, MINI, "bob").await.user();
        assert_eq!(world.rows("identity_conflicts").await, 1, "seen twice, recorded once");

        // Another person with the same number and mini program does not take over the account.
        let first = world.client().try_log_in(Mode::V2Phone, MINI, "bob").await.user();
        assert_eq!(first.id, by_number.id);
        let identities =
            world.nobody().bearer(&by_number.token).get(&format!("{GET_PROFILE}?withIdentities=true")).await;
        assert_eq!(identities.data()["identities"], json!([]));
    }

    async fn numbers_from_abroad(database) {
        let world = World::new(database).await;
        for as_number in [false, true] {
            let patch = AppPatch { country_code_as_number: Some(as_number), ..AppPatch::default() };
            world.sandbox.change_app(MINI, patch).unwrap();
            let name = format!("chan-{as_number}");
            let number = if as_number { "91234567" } else { "91234568" };
            world.person_with(NewUser {
                name: Some(name.clone()),
                phone: Some(number.to_owned()),
                country_code: Some("852".to_owned()),
                ..NewUser::default()
            });
            let tokens = world.client().try_log_in(Mode::CodeAndPhone, MINI, &name).await.tokens();
            assert_eq!(claims(&tokens.id)["phone_number"], format!("+852{number}"));
            let told =
                world.client().post(PHONE, json!({ "code": world.phone_code(MINI, &name) })).await.data();
            assert_eq!(told["countryCode"], "852");
            assert_eq!(told["purePhoneNumber"], number);
        }
    }

    async fn a_phone_code_of_another_person_is_refused(database) {
        let world = World::new(database).await;
        world.person("bob");
        person_with_phone(&world, "alice", ALICE_PHONE);
        let (_, mut body) = Mode::CodeAndPhone.request(&world, MINI, "bob");
        let payload = &mut body["wechatMiniProgramCodeAndPhonePayload"];
        payload["wxPhoneInfo"]["code"] = world.phone_code(MINI, "alice").into();
        let answer = world.stores_nothing(world.client().post(SIGNIN, body)).await;
        let message = answer.refused(2207);
        assert!(message.contains("phone code"), "{message}");
        let call = world.sandbox.calls(0).into_iter().find(|call| call.path == PHONE_NUMBER).unwrap();
        assert_eq!(call.errcode, Some(40003), "the code went to WeChat with bob's openid");
    }

    async fn bad_phone_codes_and_answers_log_nobody_in(database) {
        let world = World::new(database).await;
        world.person("bob");
        for (code, refusal, asked) in [
            ("unknown", 2207, true),
            ("", 2231, false),
            ("a b", 2207, false),
            (&"x".repeat(513), 2207, false),
        ] {
            let before = (world.exchanges(), world.calls(PHONE_NUMBER));
            let login = json!({ "code": world.code(MINI, "bob"), "iv": "", "encryptedData": "" });
            let payload = json!({ "wxLoginInfo": login, "wxPhoneInfo": { "code": code } });
            let body = signin(
                "wechat_mini_program_code_and_phone",
                "wechatMiniProgramCodeAndPhonePayload",
                &payload,
            );
            world.stores_nothing(world.client().post(SIGNIN, body)).await.refused(refusal);
            let calls = usize::from(asked);
            assert_eq!(
                (world.exchanges(), world.calls(PHONE_NUMBER)),
                (before.0 + calls, before.1 + calls),
                "{code}"
            );
        }
        let fault = Fault { path: Some(PHONE_NUMBER.to_owned()), count: 1, ..Fault::default() };
        for (fault, refusal) in [
            (Fault { wrong_watermark: true, ..fault.clone() }, 500),
            (Fault { http_status: Some(502), ..fault.clone() }, 1000),
            (Fault { html: true, ..fault.clone() }, 500),
            (Fault { errcode: Some(48001), ..fault.clone() }, 2407),
            (Fault { errcode: Some(45009), ..fault.clone() }, 1002),
        ] {
            world.sandbox.add_fault(fault).unwrap();
            let answer =
                world.stores_nothing(world.client().try_log_in(Mode::CodeAndPhone, MINI, "bob")).await;
            answer.refused(refusal);
        }
    }

    async fn a_number_that_wechat_confirmed_long_ago_is_refused_and_counts(database) {
        let world = Plan::new().limits(|limits| limits.login_failures_per_ip = 1).build(database).await;
        person_with_phone(&world, "alice", ALICE_PHONE);
        world.advance_hufu(Duration::from_secs(49 * 3600));
        for refusal in [2016, 1002] {
            let code = json!({ "code": world.phone_code(MINI, "alice") });
            world.client().post(PHONE, code).await.refused(refusal);
        }
    }

    async fn an_app_token_that_another_service_replaced_is_fetched_anew(database) {
        let world = World::new(database).await;
        world.person("bob");
        world.client().try_log_in(Mode::CodeAndPhone, MINI, "bob").await.tokens();
        world.sandbox.discard_tokens(MINI).unwrap();
        world.client().try_log_in(Mode::CodeAndPhone, MINI, "bob").await.tokens();
        assert_eq!(world.calls("/cgi-bin/stable_token"), 2);
    }

    async fn the_same_login_with_a_phone_code_again_is_no_error(database) {
        let world = World::new(database).await;
        person_with_phone(&world, "bob", "13812340001");
        let (_, body) = Mode::CodeAndPhone.request(&world, MINI, "bob");
        let first = world.client().post(SIGNIN, body.clone()).await.tokens();
        let second = world.client().post(SIGNIN, body).await.tokens();
        assert_eq!(crate::client::session_of(&first.access), crate::client::session_of(&second.access));
        assert_eq!(claims(&second.id)["phone_number"], "+8613812340001");
    }

    async fn asking_for_a_number_neither_registers_nor_binds(database) {
        let world = World::new(database).await;
        person_with_phone(&world, "bob", ALICE_PHONE);
        let code = world.code(MINI, "bob");
        let sealed = world.sealed(MINI, &code, DataKind::Phone);
        let body = json!({ "code": code, "iv": sealed.iv, "encryptedData": sealed.encrypted_data });
        let before = (world.rows("users").await, world.rows("identities").await);
        let told = world.client().post(GET_PHONE, body).await.data();
        assert_eq!((&told["countryCode"], &told["phoneNumber"]), (&json!("86"), &json!(ALICE_PHONE)));
        assert_eq!(told["purePhoneNumber"], ALICE_PHONE);
        assert!(told["openid"].is_string() && told["unionid"].is_string());
        let told = world.client().post(PHONE, json!({ "code": world.phone_code(MINI, "bob") })).await.data();
        assert_eq!(told["phone_info"]["purePhoneNumber"], ALICE_PHONE);
        assert_eq!(
            (world.rows("users").await, world.rows("identities").await, world.rows("sessions").await),
            (before.0, before.1, 0)
        );
    }
}
