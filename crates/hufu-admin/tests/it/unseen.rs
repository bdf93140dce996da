//! `/admin/v1`: nobody overwrites what they have not seen. Whoever comes late is told what the object is now.

use hufu_testkit::administration::{call, call_if, key};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::{CAFE, SHOP, World};
use hufu_types::AdminRole;
use serde_json::json;

use crate::roles::{ADMINISTRATORS, administrator};

on_both_engines! {
    async fn whoever_has_seen_a_user_may_change_them(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let users = format!("/admin/v1/pools/{SHOP}/users");
        let made = call(&world, Some(&owner), "POST", &users, Some(json!({ "username": "zoe" }))).await;
        let first = made.tag.clone().unwrap();
        let one = format!("{users}/{}", made.is(201)["id"].as_str().unwrap());
        let tag = async || call(&world, Some(&owner), "GET", &one, None).await.tag.unwrap();
        let mut seen = vec![first];
        for route in ["/password", "/disable", "/enable", "/archive"] {
            let path = format!("{one}{route}");
            let send = |tag: String| {
                let (world, owner, path) = (&world, &owner, &path);
                async move { call_if(world, Some(owner), "POST", path, Some(json!({})), Some(&tag)).await }
            };
            let last = seen.last().unwrap().clone();
            let done = send(last.clone()).await.is(200);
            world.secret(done["password"].as_str().unwrap_or_default());
            let now = tag().await;
            assert!(!seen.contains(&now), "{route} changes the revision");
            let late = send(last).await.is(409);
            assert_eq!((&late["code"], &late["present"]["id"]), (&json!(2444), &json!(one.rsplit('/').next())));
            seen.push(now);
        }
        for late in &seen[..seen.len() - 1] {
            call_if(&world, Some(&owner), "DELETE", &one, None, Some(late)).await.is(409);
        }
        call_if(&world, Some(&owner), "DELETE", &one, None, Some("nonsense")).await.is(422);
        call_if(&world, Some(&owner), "DELETE", &one, None, seen.last().map(String::as_str)).await.is(204);
    }

    /// The revision of an administrator is that of all roles which the caller sees, also for a dismissal in one pool.
    async fn a_dismissal_in_one_pool_goes_by_what_was_seen(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let roles = json!([{ "role": "manager", "pool": CAFE }, { "role": "auditor", "pool": SHOP }]);
        let (mei, _) = administrator(&world, &owner, "mei", roles).await;
        let listed = call(&world, Some(&owner), "GET", ADMINISTRATORS, None).await.is(200);
        let seen = format!("\"{}\"", listed["administrators"][0]["revision"].as_str().unwrap());
        let of_mei = format!("{ADMINISTRATORS}/{mei}");
        let (at_shop, at_cafe) = (format!("{of_mei}?pool={SHOP}"), format!("{of_mei}?pool={CAFE}"));
        call_if(&world, Some(&owner), "DELETE", &at_shop, None, Some(&seen)).await.is(200);
        let late = call_if(&world, Some(&owner), "DELETE", &at_cafe, None, Some(&seen)).await.is(409);
        assert_eq!(late["present"]["roles"], json!([{ "role": "manager", "pool": CAFE }]));
        let seen = format!("\"{}\"", late["present"]["revision"].as_str().unwrap());
        call_if(&world, Some(&owner), "DELETE", &at_cafe, None, Some(&seen)).await.is(200);
    }
}
