//! Lists of `/admin/v1` in pages: each goes on after the last row of the one before it.

use std::collections::BTreeSet;
use std::time::Duration;

use hufu_testkit::administration::{call, create, key, users};
use hufu_testkit::on_both_engines;
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::administrators::send;
use crate::roles::{administrator, made_key};
use crate::world::{CAFE, EMPTY, MINI, SHOP, World};

/// The ids of all pages of a list with this many rows a page.
async fn ids(world: &World, by: &str, path: &str, member: &str, limit: usize) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    let join = if path.contains('?') { '&' } else { '?' };
    loop {
        let page =
            call(world, Some(by), "GET", &format!("{path}{join}limit={limit}{cursor}"), None).await.is(200);
        let rows = page[member].as_array().unwrap();
        ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else {
            assert!(rows.len() <= limit && page["next"].is_null(), "{page}");
            return ids;
        };
        assert_eq!(rows.len(), limit, "{path}: a page that is not the last is full");
        cursor = format!("&cursor={next}");
    }
}

/// Checks that a list is the same whole and in pages, and that what is no page is refused. Returns the ids.
async fn check(world: &World, by: &str, path: &str, member: &str, count: usize) -> Vec<String> {
    let all = ids(world, by, path, member, 100).await;
    assert_eq!(all.len(), count, "{path}");
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), count, "{path}: {all:?}");
    for limit in [1, 2, count] {
        assert_eq!(ids(world, by, path, member, limit.max(1)).await, all, "{path}, {limit} a page");
    }
    let join = if path.contains('?') { '&' } else { '?' };
    for bad in [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=x",
        "cursor=WyIAIl0",
        "cursor=WyJhIiwiYiIsImMiXQ",
        "page=2",
    ] {
        let told = call(world, Some(by), "GET", &format!("{path}{join}{bad}"), None).await.is(422);
        assert_eq!(told["code"], 2231, "{path} {bad}");
    }
    all
}

async fn invite(world: &World, by: &str, email: String, pool: &str) {
    let new = json!({ "email": email, "role": "auditor", "pool": pool });
    call(world, Some(by), "POST", "/admin/v1/invitations", Some(new)).await.is(201);
}

on_both_engines! {
    async fn keys_are_listed_in_pages(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let roles = json!([{ "role": "owner", "pool": CAFE }, { "role": "owner", "pool": EMPTY }]);
        let (id, mei) = administrator(&world, &owner, "mei", roles).await;
        for number in 0..9 {
            let pool = [CAFE, SHOP, EMPTY][number % 3];
            made_key(&world, &owner, json!({ "name": format!("key {number}"), "role": "auditor", "pool": pool })).await;
            world.advance(Duration::from_millis(1));
        }
        for number in 0..3 {
            made_key(&world, &mei, json!({ "name": format!("hers {number}"), "role": "auditor", "pool": CAFE })).await;
            world.advance(Duration::from_millis(1));
        }
        let path = "/admin/v1/keys";
        // The login of mei is no key in the list, the owner's key is.
        let all = check(&world, &owner, path, "keys", 13).await;
        let of_mei = check(&world, &mei, path, "keys", 9).await;
        assert!(of_mei.iter().all(|id| all.contains(id)));
        let hers = check(&world, &owner, &format!("{path}?createdBy={id}"), "keys", 3).await;
        assert_eq!(hers, all[10..], "in the order of creation");
        check(&world, &mei, &format!("{path}?createdBy=6560c0ffee00000000000099"), "keys", 0).await;

        // What is made and revoked between two pages moves none of the others.
        let first = call(&world, Some(&owner), "GET", &format!("{path}?limit=5"), None).await.is(200);
        call(&world, Some(&owner), "DELETE", &format!("{path}/{}", all[2]), None).await.is(204);
        made_key(&world, &owner, json!({ "name": "late", "role": "auditor" })).await;
        let next = first["next"].as_str().unwrap();
        let rest = call(&world, Some(&owner), "GET", &format!("{path}?limit=100&cursor={next}"), None).await.is(200);
        let rest: Vec<_> = rest["keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect();
        assert_eq!(rest.len(), 9);
        assert_eq!(rest[..8], all[5..]);

        // Without a cursor and a limit, the first 20.
        for number in 0..10 {
            made_key(&world, &owner, json!({ "name": format!("more {number}"), "role": "auditor" })).await;
        }
        let page = call(&world, Some(&owner), "GET", path, None).await.is(200);
        assert_eq!((page["keys"].as_array().unwrap().len(), page["next"].is_string()), (20, true));
    }

    async fn administrators_are_listed_in_pages_with_all_their_roles(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let path = "/admin/v1/administrators";
        for number in 0..7 {
            let roles = match number % 3 {
                0 => json!([{ "role": "auditor" }, { "role": "manager", "pool": SHOP }, { "role": "owner", "pool": CAFE }]),
                1 => json!([{ "role": "support", "pool": SHOP }]),
                _ => json!([{ "role": "support", "pool": CAFE }, { "role": "manager", "pool": EMPTY }]),
            };
            let new = json!({ "username": format!("admin{number}"), "roles": roles });
            let made = call(&world, Some(&owner), "POST", path, Some(new)).await.is(201);
            world.secret(made["password"].as_str().unwrap());
        }
        check(&world, &owner, path, "administrators", 7).await;
        let page = call(&world, Some(&owner), "GET", &format!("{path}?limit=7"), None).await.is(200);
        let counts: Vec<_> = page["administrators"].as_array().unwrap().iter().map(|one| one["roles"].as_array().unwrap().len()).collect();
        let mut sorted = counts;
        sorted.sort_unstable();
        assert_eq!(sorted, [1, 1, 2, 2, 3, 3, 3]);
        for (pools, seen) in [(&[SHOP][..], 5), (&[CAFE], 5), (&[EMPTY], 2), (&[EMPTY, SHOP], 7)] {
            let roles: Vec<_> = pools.iter().map(|pool| json!({ "role": "owner", "pool": pool })).collect();
            let name = format!("owner{}{}", pools.len(), &pools[0][22..]);
            let (id, theirs) = administrator(&world, &owner, &name, json!(roles)).await;
            // They see themselves, too.
            check(&world, &theirs, path, "administrators", seen + 1).await;
            let page = call(&world, Some(&theirs), "GET", path, None).await.is(200);
            for role in page["administrators"].as_array().unwrap().iter().flat_map(|one| one["roles"].as_array().unwrap()) {
                assert!(pools.iter().any(|pool| role["pool"] == json!(pool)), "{role}");
            }
            call(&world, Some(&owner), "DELETE", &format!("{path}/{id}"), None).await.is(200);
        }
    }

    async fn invitations_are_listed_in_pages(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (_, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner", "pool": CAFE }])).await;
        for number in 0..6 {
            invite(&world, &owner, format!("x{number}@example.com"), [CAFE, SHOP][number % 2]).await;
            world.advance(Duration::from_millis(1));
        }
        let path = "/admin/v1/invitations";
        let all = check(&world, &owner, path, "invitations", 6).await;
        let of_cafe = check(&world, &mei, path, "invitations", 3).await;
        assert_eq!(of_cafe, [&all[0], &all[2], &all[4]].map(String::clone));
        // One that is on no first page is withdrawn as well, and only within reach.
        call(&world, Some(&mei), "DELETE", &format!("{path}/{}", all[5]), None).await.is(404);
        call(&world, Some(&mei), "DELETE", &format!("{path}/{}", all[4]), None).await.is(204);
        call(&world, Some(&mei), "DELETE", &format!("{path}/{}", all[4]), None).await.is(404);
        call(&world, Some(&owner), "DELETE", &format!("{path}/not%20an%20id"), None).await.is(404);
        assert_eq!(ids(&world, &mei, path, "invitations", 1).await, of_cafe[..2]);
    }

    async fn the_lists_of_a_pool_are_in_pages(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let hooks = format!("/admin/v1/pools/{SHOP}/webhooks");
        for number in 0..5 {
            let new = json!({ "name": format!("hook {number}"), "url": "https://shop.example.com/hook" });
            let made = call(&world, Some(&owner), "POST", &hooks, Some(new)).await.is(201);
            world.secret(made["secret"].as_str().unwrap());
        }
        check(&world, &owner, &hooks, "webhooks", 5).await;
        let keys = format!("/admin/v1/pools/{SHOP}/management-keys");
        let mut made = Vec::new();
        for _ in 0..2 {
            let key = call(&world, Some(&owner), "POST", &keys, Some(json!({}))).await.is(201);
            world.secret(key["secret"].as_str().unwrap());
            made.insert(0, key["id"].as_str().unwrap().to_owned());
            world.advance(Duration::from_millis(1));
        }
        assert_eq!(check(&world, &owner, &keys, "keys", 2).await, made, "latest first");
        for (list, count) in [("webhooks", 0), ("management-keys", 0)] {
            let member = if list == "webhooks" { list } else { "keys" };
            check(&world, &owner, &format!("/admin/v1/pools/{CAFE}/{list}"), member, count).await;
        }
    }

    async fn imports_and_deliveries_are_in_pages(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let hooks = format!("/admin/v1/pools/{SHOP}/webhooks");
        let hook = json!({ "name": "x", "url": "https://shop.example.com/hook", "events": ["user.created"] });
        let hook = call(&world, Some(&owner), "POST", &hooks, Some(hook)).await.is(201);
        world.secret(hook["secret"].as_str().unwrap());
        let mut began = Vec::new();
        for number in 0..4 {
            create(&world, &owner, json!({ "username": format!("created{number}") })).await;
            let file = format!("username\r\nimported{number}\r\n");
            let (status, told) = send(&world, &owner, "", "text/csv", file.as_bytes()).await;
            assert_eq!(status, 202, "{told}");
            let told: Value = serde_json::from_str(&told).unwrap();
            began.insert(0, told["id"].as_str().unwrap().to_owned());
            world.node.app.wait_for_imports().await;
            world.advance(Duration::from_secs(1));
        }
        let deliveries = format!("{hooks}/{}/deliveries", hook["id"].as_str().unwrap());
        for (path, member) in [(format!("/admin/v1/pools/{SHOP}/imports"), "imports"), (deliveries, "deliveries")] {
            let all = ids(&world, &owner, &path, member, 100).await;
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 4, "{path}: {all:?}");
            for limit in [1, 3, 4] {
                assert_eq!(ids(&world, &owner, &path, member, limit).await, all, "{path}, {limit} a page");
            }
            if member == "imports" {
                assert_eq!(all, began, "latest first");
            }
            call(&world, Some(&owner), "GET", &format!("{path}?cursor=x%20y"), None).await.is(422);
        }
    }

    /// Conflicts have no ids: each is one kind of two accounts.
    async fn conflicts_are_in_pages(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let mut expected = BTreeSet::new();
        for number in 0..5 {
            let name = format!("person{number}");
            let person = world.person(&name);
            let known = person.ids.iter().find(|ids| ids.app_id == MINI).unwrap();
            let mut accounts = Vec::new();
            for (kind, value) in [("openid", &known.openid), ("unionid", known.unionid.as_ref().unwrap())] {
                let user = create(&world, &owner, json!({ "username": format!("{kind}{number}") })).await;
                let wish = json!({ "connection": "shop-mini", "kind": kind, "value": value });
                call(&world, Some(&owner), "POST", &format!("{}/{user}/identities", users(SHOP)), Some(wish)).await.is(201);
                accounts.push(user);
            }
            let chosen = world.client().log_in(MINI, &name).await.id;
            accounts.sort_by_key(|account| *account != chosen);
            expected.insert(accounts);
        }
        let path = format!("/admin/v1/pools/{SHOP}/conflicts");
        let pages = async |limit: usize| {
            let (mut found, mut cursor, mut count) = (Vec::new(), String::new(), 0);
            loop {
                let page = call(&world, Some(&owner), "GET", &format!("{path}?limit={limit}{cursor}"), None).await.is(200);
                count += 1;
                let rows = page["conflicts"].as_array().unwrap();
                found.extend(rows.iter().cloned());
                let Some(next) = page["next"].as_str() else {
                    assert!(rows.len() <= limit && page["next"].is_null(), "{page}");
                    return (found, count);
                };
                assert_eq!(rows.len(), limit, "a page that is not the last is full");
                cursor = format!("&cursor={next}");
            }
        };
        let (all, _) = pages(100).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of = |conflict: &Value| vec![text(&conflict["chosenUser"]), text(&conflict["otherUser"])];
        assert_eq!((all.len(), all.iter().map(of).collect::<BTreeSet<_>>()), (5, expected));
        for (limit, count) in [(1, 5), (2, 3), (4, 2), (5, 1)] {
            assert_eq!(pages(limit).await, (all.clone(), count), "{limit} a page");
        }
        // One that is settled between two pages moves none of the others.
        let first = call(&world, Some(&owner), "GET", &format!("{path}?limit=2"), None).await.is(200);
        let gone = format!("{}/{}", users(SHOP), text(&all[0]["otherUser"]));
        call(&world, Some(&owner), "DELETE", &gone, None).await.is(204);
        let rest = format!("{path}?limit=100&cursor={}", text(&first["next"]));
        let rest = call(&world, Some(&owner), "GET", &rest, None).await.is(200);
        assert_eq!(rest["conflicts"].as_array().unwrap()[..], all[2..]);
        assert_eq!(pages(3).await.0, all[1..]);
        for bad in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=WyIAIl0", "cursor=WyJhIiwiYiJd", "page=2"] {
            let told = call(&world, Some(&owner), "GET", &format!("{path}?{bad}"), None).await.is(422);
            assert_eq!(told["code"], 2231, "{bad}");
        }
        let other = format!("/admin/v1/pools/{CAFE}/conflicts?limit=1");
        assert_eq!(call(&world, Some(&owner), "GET", &other, None).await.is(200), json!({ "conflicts": [], "next": null }));
    }

    async fn the_lists_of_a_user_are_in_pages(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        world.person("bob");
        let mut bob = String::new();
        for _ in 0..4 {
            bob = world.client().log_in(MINI, "bob").await.id;
            world.advance(Duration::from_secs(1));
        }
        let sessions = format!("{}/{bob}/sessions", users(SHOP));
        check(&world, &owner, &sessions, "sessions", 4).await;
        let page = call(&world, Some(&owner), "GET", &format!("{sessions}?limit=3"), None).await.is(200);
        let times: Vec<_> = page["sessions"].as_array().unwrap().iter().map(|one| one["createdAt"].as_str().unwrap()).collect();
        assert!(times.is_sorted_by(|one, other| one > other), "{times:?}");

        let survivor = create(&world, &owner, json!({ "username": "one" })).await;
        let merges = format!("{}/{survivor}/merges", users(SHOP));
        for number in 0..3 {
            let other = create(&world, &owner, json!({ "externalId": format!("other{number}") })).await;
            call(&world, Some(&owner), "POST", &merges, Some(json!({ "merged": other }))).await.is(201);
        }
        check(&world, &owner, &merges, "merges", 3).await;
    }

    /// Lists that are part of a pool's settings have no pages: so many there are, and no more.
    async fn lists_of_settings_are_bounded(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let pool = format!("/admin/v1/pools/{EMPTY}");
        for (member, most, item) in [
            ("customFields", 100, json!({ "type": "string" })),
            ("agreements", 64, json!({ "version": 1, "title": "Terms" })),
            ("scopes", 64, json!({})),
        ] {
            let named = |number: usize| {
                let mut item = item.clone();
                let key = match member {
                    "customFields" => "key",
                    "agreements" => "id",
                    _ => "name",
                };
                item[key] = format!("item{number}").into();
                item
            };
            let settings = |count: usize| {
                let items: Vec<Value> = (0..count).map(named).collect();
                Some(json!({ "settings": { member: items } }))
            };
            call(&world, Some(&owner), "PATCH", &pool, settings(most)).await.is(200);
            let told = call(&world, Some(&owner), "PATCH", &pool, settings(most + 1)).await.is(422);
            let problem = &told["problems"][0];
            assert_eq!(problem["field"], format!("settings.{member}"), "{told}");
            assert!(problem["reason"].as_str().unwrap().contains(&format!("at most {most}")), "{told}");
        }
    }
}
