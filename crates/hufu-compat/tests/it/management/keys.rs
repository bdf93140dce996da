//! Making, replacing and ending management keys.

use std::time::Duration;

use hufu_app::administration::{AdminCaller, PageRequest};
use hufu_testkit::administration::{call, key};
use hufu_testkit::on_both_engines;
use hufu_types::{AdminRole, PoolId};
use serde_json::json;

use super::{BackEnd, made, shop};
use crate::world::{CAFE, SHOP, World};

on_both_engines! {
    async fn a_key_is_replaced_without_an_interruption(database) {
        let world = World::new(database).await;
        let first = shop(&world).await;
        world.advance_hufu(Duration::from_millis(1));
        let (_, secret) = made(&world, SHOP, AdminRole::Owner, false).await;
        let second = BackEnd::with(world.nobody(), SHOP, &secret);
        let tokens = [first.token().await, second.token().await];
        for token in &tokens {
            world.nobody().bearer(token).get("/api/v3/list-users?page=1").await.data();
        }
        // At most two go on: a third ends the first at once.
        world.advance_hufu(Duration::from_millis(1));
        let (_, secret) = made(&world, SHOP, AdminRole::Owner, false).await;
        let third = BackEnd::with(world.nobody(), SHOP, &secret);
        first.get("list-users?page=1").await.refused(2720);
        second.get("list-users?page=1").await.data();
        third.get("list-users?page=1").await.data();
        world.advance_hufu(Duration::from_secs(24 * 3600));
        let tomorrow = "Mon, 16 Jun 2025 15:06:40 GMT";
        for (back_end, code) in [(&second, 2720), (&third, 200)] {
            let signed =
                back_end.sign_at("GET", "/api/v3/list-users?page=1", None, Some(tomorrow), Some("n".to_owned()));
            back_end.send(&signed).await.code_is(code);
        }
    }

    async fn a_key_ends(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, Some(SHOP)).await;
        let path = format!("/admin/v1/pools/{SHOP}/management-keys");
        let ends = world.node.app.now().plus(Duration::from_secs(60)).to_iso();
        let made = call(&world, Some(&owner), "POST", &path, Some(json!({ "expiresAt": ends }))).await.is(201);
        assert_eq!(made["expiresAt"], json!(ends));
        let secret = made["secret"].as_str().unwrap();
        world.secret(secret);
        let back_end = BackEnd::with(world.nobody(), SHOP, secret);
        let token = back_end.token().await;
        let with_token = world.nobody().bearer(&token);
        back_end.get("list-users?page=1").await.data();
        with_token.get("/api/v3/list-users?page=1").await.data();
        world.advance_hufu(Duration::from_secs(61));
        back_end.get("list-users?page=1").await.refused(2720);
        with_token.get("/api/v3/list-users?page=1").await.refused(2720);
        // Without a time it is a year.
        let made = call(&world, Some(&owner), "POST", &path, Some(json!({}))).await.is(201);
        world.secret(made["secret"].as_str().unwrap());
        let year = world.node.app.now().plus(Duration::from_secs(365 * 24 * 3600)).to_iso();
        assert_eq!(made["expiresAt"], json!(year));
    }

    async fn administrators_make_list_and_end_them(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, Some(SHOP)).await;
        let manager = key(&world, AdminRole::Manager, Some(SHOP)).await;
        let keys = |pool: &str| format!("/admin/v1/pools/{pool}/management-keys");
        let body = || Some(json!({}));
        call(&world, Some(&manager), "POST", &keys(SHOP), body()).await.is(403);
        call(&world, Some(&owner), "POST", &keys(CAFE), body()).await.is(404);
        call(&world, Some(&owner), "POST", &keys(SHOP), Some(json!({ "role": "king" }))).await.is(422);
        let made = call(&world, Some(&owner), "POST", &keys(SHOP), body()).await.is(201);
        let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
        world.secret(secret);
        let listed = call(&world, Some(&owner), "GET", &keys(SHOP), None).await.is(200);
        assert!(listed["keys"][0]["id"] == id && listed["keys"][0].get("secret").is_none());
        let back_end = BackEnd::with(world.nobody(), SHOP, secret);
        let bob = back_end.create("bob").await;
        // The audit log names the key.
        let events = world.audit().await;
        let created = events.iter().find(|event| event.action == "user.created" && event.user == Some(bob.clone()));
        let created = created.unwrap();
        assert_eq!((created.actor_kind.as_str(), created.actor_id.as_deref()), ("management_key", Some(id)));
        let one = format!("{}/{id}", keys(SHOP));
        call(&world, Some(&manager), "DELETE", &one, None).await.is(403);
        call(&world, Some(&owner), "DELETE", &one, None).await.is(204);
        call(&world, Some(&owner), "DELETE", &one, None).await.is(404);
        back_end.get("list-users?page=1").await.refused(2720);
    }

    async fn a_key_does_what_its_role_may(database) {
        let world = World::new(database).await;
        let (_, secret) = made(&world, SHOP, AdminRole::Auditor, true).await;
        let back_end = BackEnd::with(world.nobody(), SHOP, &secret);
        back_end.get("list-users?page=1").await.data();
        back_end.post("create-user", json!({ "username": "bob" })).await.refused(2442);
        back_end.get("list-applications?page=1").await.refused(2442);
    }

    async fn the_secret_is_sealed(database) {
        let world = World::new(database).await;
        let (_, secret) = made(&world, SHOP, AdminRole::Owner, true).await;
        let list = hufu_store::management_keys::ListManagementKeys {
            pool: PoolId::parse(SHOP).unwrap(),
            now: world.node.app.now(),
        };
        let stored = world.node.app.store().read(list).await.unwrap();
        let holds = |part: &str| stored[0].secret.windows(part.len()).any(|bytes| bytes == part.as_bytes());
        assert!(!holds(&secret) && !holds(&secret[4..20]));
        let (by, pool) = (AdminCaller::command_line(), PoolId::parse(SHOP).unwrap());
        let keys = world.node.app.management_keys(&by, &pool, &PageRequest::default()).await.unwrap().rows;
        assert!(!format!("{keys:?}").contains(&secret));
    }
}
