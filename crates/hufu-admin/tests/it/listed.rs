//! Applications that let only those log in whom they list.

use hufu_testkit::administration::{call, key};
use hufu_testkit::on_both_engines;
use hufu_types::{Access, AdminRole};
use serde_json::{Value, json};

use crate::client::{GET_PROFILE, Mode};
use crate::world::{CAFE, MINI, SHOP, SHOP_APP, SHOP_WEB, World};

/// A world whose mini program lets only listed users log in, and a key of the shop.
async fn listing(database: hufu_testkit::TestDatabase) -> (World, String) {
    let world = World::new(database).await;
    world.person("bob");
    world.person("carol");
    // Bob has an account before the list is used.
    world.client().log_in(MINI, "bob").await;
    world.change_application(SHOP_APP, |application| application.login.access = Access::Listed).await;
    let manager = key(&world, AdminRole::Manager, Some(SHOP)).await;
    (world, manager)
}

fn list(application: &str) -> String {
    format!("/admin/v1/pools/{SHOP}/applications/{application}/users")
}

async fn id_of(world: &World, manager: &str, position: usize) -> String {
    let path = format!("/admin/v1/pools/{SHOP}/users?limit=100");
    let users = call(world, Some(manager), "GET", &path, None).await.is(200);
    let ids: Vec<_> =
        users["users"].as_array().unwrap().iter().filter(|user| user["username"].is_null()).collect();
    ids[position]["id"].as_str().unwrap().to_owned()
}

on_both_engines! {
    async fn only_listed_users_log_in(database) {
        let (world, manager) = listing(database).await;
        let bob = id_of(&world, &manager, 0).await;
        world.client().try_log_in(Mode::V2Code, MINI, "bob").await.refused(2540);
        let put = format!("{}/{bob}", list(SHOP_APP));
        call(&world, Some(&manager), "PUT", &put, None).await.is(204);
        call(&world, Some(&manager), "PUT", &put, None).await.is(204);
        let listed = call(&world, Some(&manager), "GET", &list(SHOP_APP), None).await.is(200);
        assert_eq!(listed, json!({ "users": [bob], "next": null }));
        let user = world.client().log_in(MINI, "bob").await;
        let client = world.client().bearer(&user.token);
        client.get(GET_PROFILE).await.data();
        // Off the list, the session ends, and there is no other.
        call(&world, Some(&manager), "DELETE", &put, None).await.is(204);
        client.get(GET_PROFILE).await.refused(2020);
        world.client().try_log_in(Mode::V2Code, MINI, "bob").await.refused(2540);
        let refused = call(&world, Some(&manager), "GET", &format!("/admin/v1/pools/{SHOP}/audit?userId={bob}&action=login&outcome=refused"), None).await.is(200);
        assert_eq!(refused["events"].as_array().map(|events| events.iter().map(|event| event["code"].clone()).collect::<Vec<_>>()), Some(vec![json!(2540), json!(2540)]));
    }

    async fn nobody_gets_an_account_by_logging_in_to_it(database) {
        let (world, manager) = listing(database).await;
        let count = async || {
            let users = call(&world, Some(&manager), "GET", &format!("/admin/v1/pools/{SHOP}/users?limit=100"), None).await.is(200);
            users["users"].as_array().map(Vec::len)
        };
        let before = count().await;
        world.client().try_log_in(Mode::V2Code, MINI, "carol").await.refused(2031);
        assert_eq!(count().await, before);
        // Another application of the pool is open.
        world.nobody().app(SHOP_WEB).log_in(MINI, "carol").await;
        world.client().try_log_in(Mode::V2Code, MINI, "carol").await.refused(2540);
    }

    async fn lists_are_kept_apart(database) {
        let (world, manager) = listing(database).await;
        let bob = id_of(&world, &manager, 0).await;
        let other = format!("{}/{bob}", list(SHOP_WEB));
        call(&world, Some(&manager), "PUT", &other, None).await.is(204);
        world.client().try_log_in(Mode::V2Code, MINI, "bob").await.refused(2540);
        for (method, path, status) in [
            ("PUT", format!("{}/{bob}", list("nothing")), 404),
            ("PUT", format!("{}/nobody", list(SHOP_APP)), 404),
            ("PUT", put_in(CAFE, &bob), 404),
            ("GET", list("6560c0ffee00000000000012"), 404),
        ] {
            call(&world, Some(&manager), method, &path, None).await.is(status);
        }
        let support = key(&world, AdminRole::Support, Some(SHOP)).await;
        call(&world, Some(&support), "PUT", &other, None).await.is(403);
        assert_eq!(call(&world, Some(&support), "GET", &list(SHOP_WEB), None).await.is(200)["users"], json!([bob]));
        // An erased user is on no list.
        call(&world, Some(&manager), "DELETE", &format!("/admin/v1/pools/{SHOP}/users/{bob}"), None).await.is(204);
        assert_eq!(call(&world, Some(&manager), "GET", &list(SHOP_WEB), None).await.is(200)["users"], json!([]));
    }

    async fn a_list_is_read_in_pages(database) {
        let (world, manager) = listing(database).await;
        let mut expected = Vec::new();
        for number in 0..5 {
            let body = json!({ "username": format!("user{number}") });
            let made = call(&world, Some(&manager), "POST", &format!("/admin/v1/pools/{SHOP}/users"), Some(body)).await.is(201);
            let id = made["id"].as_str().unwrap().to_owned();
            call(&world, Some(&manager), "PUT", &format!("{}/{id}", list(SHOP_APP)), None).await.is(204);
            expected.push(id);
        }
        expected.sort_unstable();
        let (mut read, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = call(&world, Some(&manager), "GET", &format!("{}?limit=2{cursor}", list(SHOP_APP)), None).await.is(200);
            read.extend(page["users"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()));
            match &page["next"] {
                Value::String(next) => cursor = format!("&cursor={next}"),
                _ => break,
            }
        }
        assert_eq!(read, expected);
    }
}

fn put_in(pool: &str, user: &str) -> String {
    format!("/admin/v1/pools/{pool}/applications/{SHOP_APP}/users/{user}")
}
