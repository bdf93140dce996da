//! What is no valid signature or token.

use std::time::Duration;

use hufu_testkit::on_both_engines;
use hufu_types::AdminRole;
use serde_json::json;

use super::{BackEnd, DATE, Signed, made, shop};
use crate::client::{GET_PROFILE, UPDATE_PROFILE};
use crate::world::{CAFE, MINI, Plan, SHOP, World};

const LIST: &str = "/api/v3/list-users?limit=10&page=1";

on_both_engines! {
    async fn a_request_is_answered_once(database) {
        let world = World::new(database).await;
        let back_end = shop(&world).await;
        let list = back_end.sign("GET", LIST, None);
        back_end.send(&list).await.data();
        back_end.send(&list).await.refused(2722);
        let create = back_end.sign("POST", "/api/v3/create-user", Some(json!({ "username": "bob" })));
        back_end.send(&create).await.data();
        back_end.send(&create).await.refused(2722);
        // A change is not repeated on another node either.
        let other = world.another_node().await;
        let there = BackEnd::with(world.client_of(&other).without("x-authing-app-id"), SHOP, "");
        there.send(&create).await.refused(2722);
    }

    async fn a_request_is_answered_near_its_date(database) {
        let world = World::new(database).await;
        let back_end = shop(&world).await;
        let sign = |date, nonce: Option<&str>| {
            back_end.sign_at("GET", LIST, None, date, nonce.map(str::to_owned))
        };
        for fresh in ["Sun, 15 Jun 2025 15:01:40 GMT", "Sun, 15 Jun 2025 15:11:40 GMT"] {
            back_end.send(&sign(Some(fresh), Some("1"))).await.data();
        }
        for stale in ["Sun, 15 Jun 2025 15:01:39 GMT", "Sun, 15 Jun 2025 15:11:41 GMT"] {
            let answer = back_end.send(&sign(Some(stale), Some("2"))).await;
            assert!(answer.refused(2721).contains(" 300 "), "{answer}");
            assert!(!answer.headers.contains_key("retry-after"), "waiting does not help");
        }
        for (date, nonce) in [(None, Some("3")), (Some(DATE), None), (Some("now"), Some("4"))] {
            back_end.send(&sign(date, nonce)).await.refused(2720);
        }
        // What was noted is forgotten when it could not be brought again.
        back_end.create("bob").await;
        assert_eq!(world.rows("management_signatures").await, 1);
        world.advance(Duration::from_secs(3600));
        world.node.app.sweep().await.unwrap();
        assert_eq!(world.rows("management_signatures").await, 0);
    }

    async fn nothing_of_a_signed_request_can_be_changed(database) {
        let world = World::new(database).await;
        let back_end = shop(&world).await;
        let cafe = BackEnd::of(&world, CAFE).await;
        let bob = back_end.create("bob").await;
        let body = json!({ "userId": bob, "nickname": "Bob" });
        let signed = back_end.sign("POST", "/api/v3/update-user", Some(body.clone()));
        let changed = |change: &dyn Fn(&mut Signed)| {
            let mut signed = signed.clone();
            change(&mut signed);
            signed
        };
        let of_cafe = cafe.sign("POST", "/api/v3/update-user", Some(body.clone())).authorization;
        let as_shop = of_cafe.replace(CAFE, SHOP);
        let forged = [
            changed(&|signed| signed.body = Some(json!({ "userId": bob, "nickname": "Eve" }))),
            changed(&|signed| signed.body = Some(json!({ "userId": bob, "nickname": "Bob", "status": "Suspended" }))),
            changed(&|signed| signed.path = "/api/v3/create-user".to_owned()),
            changed(&|signed| signed.method = "GET"),
            changed(&|signed| signed.nonce = Some("f".repeat(32))),
            changed(&|signed| signed.date = Some("Sun, 15 Jun 2025 15:06:41 GMT")),
            changed(&|signed| signed.authorization.clone_from(&as_shop)),
            changed(&|signed| signed.authorization = format!("authing {SHOP}:")),
            changed(&|signed| signed.authorization = format!("authing {SHOP}:AAAA")),
            changed(&|signed| signed.authorization = format!("authing system:{}", "A".repeat(28))),
            changed(&|signed| signed.authorization = "authing nobody:AAAA".to_owned()),
            changed(&|signed| signed.authorization = String::new()),
        ];
        for (place, forged) in forged.iter().enumerate() {
            // `GET update-user` is no call.
            let code = if forged.method == "GET" { 405 } else { 2720 };
            let answer = back_end.send(forged).await;
            assert_eq!(answer.code(), code, "{place}: {answer}");
        }
        // A header that these clients sign cannot be slipped in.
        let more = BackEnd::with(world.nobody().app("another"), SHOP, "");
        more.send(&signed).await.refused(2720);
        // In its own pool the cafe's request finds nobody.
        cafe.post("update-user", body).await.refused(2443);
        assert_eq!(back_end.get(&format!("get-user?userId={bob}")).await.data()["nickname"], json!(null));
        back_end.send(&signed).await.data();
    }

    async fn a_token_is_good_for_this_and_for_its_pool(database) {
        let world = World::new(database).await;
        let back_end = shop(&world).await;
        let cafe = BackEnd::of(&world, CAFE).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let token = back_end.token().await;
        world.secret(&token);
        let get_bob = format!("/api/v3/get-user?userId={}", bob.id);
        let with = |token: &str| world.nobody().bearer(token);
        assert_eq!(with(&token).get(&get_bob).await.data()["userId"], bob.id.as_str());
        with(&token).pool(CAFE).get(&get_bob).await.refused(2020);
        let of_cafe = cafe.token().await;
        with(&of_cafe).get(&get_bob).await.refused(2443);
        // Users' calls do not take it, and these take no token of a user.
        for (path, body) in [(UPDATE_PROFILE, json!({ "nickname": "x" })), ("/api/v3/gene-qrcode", json!({}))] {
            assert_ne!(with(&token).post(path, body).await.code(), 200, "{path}");
        }
        with(&token).get(GET_PROFILE).await.refused(2020);
        with(&token).get("/api/v3/me").await;
        let tokens = world.client().log_in_v3(MINI, "bob").await;
        for other in [&bob.token, &tokens.access, &tokens.id] {
            with(other).get(LIST).await.refused(2720);
            with(other).graphql("{ users { totalCount } }", json!({})).await.refused(2720);
        }
        let (head, rest) = token.split_once('.').unwrap();
        let (payload, _) = rest.split_once('.').unwrap();
        let signature = of_cafe.rsplit_once('.').unwrap().1;
        for forged in [format!("{token}x"), format!("{head}.{payload}."), format!("{head}.{payload}.{signature}")] {
            with(&forged).get(LIST).await.refused(2720);
        }
        // It ends in time, and with its key.
        world.advance(Duration::from_secs(2 * 3600 + 120));
        with(&token).get(LIST).await.refused(2720);
        let token = back_end.token().await;
        with(&token).get(LIST).await.data();
        made(&world, SHOP, AdminRole::Owner, true).await;
        with(&token).get(LIST).await.refused(2720);
    }

    async fn guesses_are_counted_by_network(database) {
        let world = Plan::new().limits(|limits| limits.admin_key_failures = 3).build(database).await;
        let back_end = shop(&world).await;
        let guess = json!({ "accessKeyId": SHOP, "accessKeySecret": "hfm_guess" });
        for code in [2720, 2720, 2720, 1002, 1002] {
            world.nobody().post("/api/v3/get-management-token", guess.clone()).await.refused(code);
        }
        let wrong = BackEnd::with(world.nobody(), SHOP, "hfm_guess");
        wrong.get("list-users?page=1").await.refused(1002);
        world.nobody().from([198, 51, 100, 1]).post("/api/v3/get-management-token", guess).await.refused(2720);
        // Who has the key is not slowed.
        back_end.get("list-users?page=1").await.data();
        let refused = world.audit().await.into_iter().filter(|event| event.code == 2720);
        assert!(refused.clone().all(|event| event.actor_kind == "management_key"));
        assert_eq!(refused.count(), 4);
    }
}
