//! What people change of themselves is seen by administrators: each change has another revision than the one before, however
//! soon it comes after it. The clock of these tests stands still.

use hufu_testkit::administration::{call, call_if, key};
use hufu_testkit::on_both_engines;
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::client::Client;
use crate::ways_in::{bind_email, bind_phone};
use crate::world::{MINI, SHOP, World};

const PASSWORD: &str = "a good long password";

/// The steps by which somebody changes themselves, in an order in which each is possible.
const STEPS: [&str; 11] = [
    "update-profile",
    "update-profile again",
    "updateUser",
    "me/profile",
    "custom data",
    "me/username",
    "bind-email",
    "bind-phone",
    "update-password",
    "unbindEmail",
    "deletion",
];

async fn step(client: &Client<'_>, name: &str) {
    let post = async |path: &str, body: Value| client.post(path, body).await.data_or_nothing();
    match name {
        "update-profile" => post("/api/v3/update-profile", json!({ "nickname": "One" })).await,
        "update-profile again" => post("/api/v3/update-profile", json!({ "nickname": "Two" })).await,
        "updateUser" => drop(client.update_user(json!({ "nickname": "Three" })).await.data()),
        "me/profile" => post("/api/v3/me/profile", json!({ "nickname": "Four" })).await,
        "custom data" => post("/api/v3/update-profile", json!({ "customData": { "level": 3 } })).await,
        "me/username" => post("/api/v3/me/username", json!({ "username": "bob" })).await,
        "bind-email" => bind_email(client, "bob@example.com").await,
        "bind-phone" => bind_phone(client, "13912345678").await,
        "update-password" => post("/api/v3/update-password", json!({ "newPassword": PASSWORD })).await,
        "unbindEmail" => drop(client.graphql("mutation { unbindEmail { id } }", json!({})).await.data()),
        _ => post("/api/v3/me/deletion", json!({ "password": PASSWORD })).await,
    }
}

on_both_engines! {
    async fn two_changes_within_a_millisecond_are_two_revisions(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let mut client = world.client().bearer(&bob.token);
        let path = format!("/admin/v1/pools/{SHOP}/users/{}", bob.id);
        let seen = async || {
            let reply = call(&world, Some(&owner), "GET", &path, None).await;
            let tag = reply.tag.clone().unwrap();
            (tag, reply.is(200)["updatedAt"].as_str().unwrap().to_owned())
        };
        let mut before = seen().await;
        for name in STEPS {
            step(&client, name).await;
            let now = seen().await;
            // The times are written so that their order is that of the texts.
            assert!(now.1 > before.1, "{name}: {} after {}", now.1, before.1);
            let change = Some(json!({ "customData": { "seen": name } }));
            let late = call_if(&world, Some(&owner), "PATCH", &path, change, Some(&before.0)).await.is(409);
            assert_eq!((&late["code"], &late["present"]["updatedAt"]), (&json!(2444), &json!(now.1)), "{name}");
            before = now;
            if name == "update-password" {
                client = world.client().bearer(&world.client().log_in(MINI, "bob").await.token);
                assert_eq!(seen().await, before, "a login alone is no change");
            }
        }
    }
}
