//! Users by management calls, where the clients' own tests do not look.

use std::time::Duration;

use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use super::{BackEnd, shop};
use crate::world::{MINI, Plan, World};

fn names(page: &Value) -> Vec<String> {
    let list = page["list"].as_array().unwrap().iter();
    list.map(|user| user["username"].as_str().unwrap_or("-").to_owned()).collect()
}

on_both_engines! {
    async fn every_page_of_a_list_is_reached(database) {
        let world = Plan::new().limits(|limits| limits.management_list_reach = 4).build(database).await;
        let back_end = shop(&world).await;
        let before = back_end.get("list-users?page=1&limit=50").await.data()["totalCount"].as_u64().unwrap();
        for number in 0..9 {
            world.advance_hufu(Duration::from_secs(1));
            back_end.create(&format!("user-{number}")).await;
        }
        let total = before + 9;
        let page = async |number: u32| back_end.get(&format!("list-users?limit=2&page={number}")).await;
        let mut seen = Vec::new();
        for number in 1..=u32::try_from(total.div_ceil(2)).unwrap() {
            let found = page(number).await.data();
            assert_eq!(found["totalCount"], total, "page {number}");
            seen.extend(names(&found));
        }
        let expected: Vec<String> = (0..9).rev().map(|number| format!("user-{number}")).collect();
        assert_eq!(seen[..9], expected[..], "newest first, nobody twice and nobody missing");
        assert_eq!(seen.len(), usize::try_from(total).unwrap());
        // Another node remembers nothing, and goes no further than the limit.
        let other = world.another_node().await;
        let there = BackEnd::with(world.client_of(&other).without("x-authing-app-id"), crate::world::SHOP, "");
        let far = back_end.sign("GET", "/api/v3/list-users?limit=2&page=5", None);
        there.send(&far).await.refused(2726);
        let near = back_end.sign("GET", "/api/v3/list-users?limit=2&page=3", None);
        assert_eq!(names(&there.send(&near).await.data()), ["user-4", "user-3"]);
    }

    async fn what_a_client_vouches_for_is_said(database) {
        let world = World::new(database).await;
        let back_end = shop(&world).await;
        let email = "bob@example.com";
        let unverified = json!({ "email": email, "emailVerified": false });
        back_end.post("create-user", unverified).await.refused(2724);
        let made = back_end.post("create-user", json!({ "email": email })).await.data();
        assert_eq!(made["emailVerified"], true);
        for field in ["otp", "tenantIds", "departmentIds"] {
            back_end.post("create-user", json!({ "username": "x", field: ["1"] })).await.refused(2724);
        }
    }

    async fn a_user_who_is_kicked_is_logged_out(database) {
        let world = World::new(database).await;
        let back_end = shop(&world).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let apps = back_end.get(&format!("get-user-loggedin-apps?userId={}", bob.id)).await.data();
        let app = apps[0]["appId"].as_str().unwrap().to_owned();
        let history = back_end.get(&format!("get-user-login-history?userId={}", bob.id)).await.data();
        assert_eq!(history["list"][0]["appId"], app.as_str());
        back_end.post("kick-users", json!({ "userId": bob.id, "appIds": ["another"] })).await.data();
        world.nobody().bearer(&bob.token).graphql("{ user { id } }", json!({})).await.data();
        back_end.post("kick-users", json!({ "userId": bob.id, "appIds": [app] })).await.data();
        world.nobody().bearer(&bob.token).graphql("{ user { id } }", json!({})).await.refused(2020);
    }

    async fn an_identity_source_may_have_several_connections(database) {
        let world = World::new(database).await;
        let back_end = shop(&world).await;
        let source = back_end.post("create-ext-idp", json!({ "name": "WeChat", "type": "wechat" })).await.data();
        let source = source["id"].as_str().unwrap();
        let bob = back_end.create("bob").await;
        let link = |source: &str| json!({ "userId": bob, "extIdpId": source, "userIdInIdp": "o-bob", "type": "openid" });
        back_end.post("link-identity", link(source)).await.refused(2730);
        let mut connections = Vec::new();
        for (identifier, app_id) in [("one", "wx00000000000000c1"), ("two", "wx00000000000000c2")] {
            let made = json!({
                "extIdpId": source, "type": "wechat:miniprogram:default", "identifier": identifier,
                "displayName": identifier, "fields": { "clientID": app_id, "clientSecret": "secret-of-it" },
            });
            let made = back_end.post("create-ext-idp-conn", made).await.data();
            assert!(!made.to_string().contains("secret-of-it"), "{made}");
            connections.push(made["id"].as_str().unwrap().to_owned());
            if connections.len() == 1 {
                back_end.post("link-identity", link(source)).await.data();
            }
        }
        back_end.post("link-identity", link(source)).await.refused(2730);
        let found = back_end.get(&format!("get-ext-idp?id={source}")).await.data();
        assert_eq!(found["connections"].as_array().unwrap().len(), 2);
        let identities = back_end.get(&format!("get-user-identities?userId={bob}")).await.data();
        assert_eq!(identities[0]["originConnIds"][0], connections[0].as_str());
        // Those that apply made are sources by themselves, which take no further connections.
        let listed = back_end.get("list-ext-idp").await.data();
        let own = listed["list"].as_array().unwrap().iter().find(|one| one["id"] != source).unwrap();
        let more = json!({
            "extIdpId": own["id"], "type": "wechat:miniprogram:default", "identifier": "three",
            "fields": { "appId": "wx00000000000000c3", "appSecret": "s" },
        });
        back_end.post("create-ext-idp-conn", more).await.refused(2730);
        back_end.post("delete-ext-idp", json!({ "id": source })).await.data();
        back_end.get(&format!("get-ext-idp?id={source}")).await.refused(2728);
    }
}
