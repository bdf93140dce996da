//! Owners who dismiss each other at once, and the last owner of all pools, whom nobody dismisses but the command line.

use futures::future::join_all;
use hufu_app::Origin;
use hufu_app::administration::{AdminCaller, StatusChange};
use hufu_testkit::administration::{Reply, call, key, users};
use hufu_testkit::on_both_engines;
use hufu_types::{AdminRole, PoolId, UserId};
use serde_json::{Value, json};

use crate::roles::{PASSWORD, administrator};
use crate::world::{CAFE, World};

const ADMINISTRATORS: &str = "/admin/v1/administrators";

/// An owner of all pools: the id, and the key of a login.
async fn owner_of_all(world: &World, by: &str, name: &str) -> (String, String) {
    administrator(world, by, name, json!([{ "role": "owner" }])).await
}

/// The usernames of the owners of all pools who can log in.
async fn owners(world: &World, by: &str) -> Vec<String> {
    let listed = call(world, Some(by), "GET", ADMINISTRATORS, None).await.is(200);
    let is_one = |one: &&Value| {
        let role = |role: &Value| role["role"] == "owner" && role["pool"].is_null();
        one["status"] == "Activated" && one["roles"].as_array().unwrap().iter().any(role)
    };
    let found = listed["administrators"].as_array().unwrap().iter().filter(is_one);
    let mut names: Vec<_> = found.map(|one| one["username"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn refused(reply: Reply, status: u16, code: u32) {
    assert_eq!(reply.is(status)["code"], code);
}

on_both_engines! {
    /// One of them wins. The other is refused, since they may not any more.
    async fn two_owners_dismiss_each_other(database) {
        let world = World::new(database).await;
        let root = key(&world, AdminRole::Owner, None).await;
        let other = world.another_node().await;
        let mut refusals = 0;
        for round in 0..8 {
            let (one, ones) = owner_of_all(&world, &root, &format!("one{round}")).await;
            let (two, twos) = owner_of_all(&world, &root, &format!("two{round}")).await;
            let dismiss = |by: &str, whom: &str| {
                let (by, path) = (by.to_owned(), format!("{ADMINISTRATORS}/{whom}"));
                let world = &world;
                async move { call(world, Some(&by), "DELETE", &path, None).await }
            };
            let both = futures::join!(dismiss(&ones, &two), dismiss(&twos, &one));
            let mut statuses = [both.0.status, both.1.status];
            statuses.sort_unstable();
            // Whoever comes so late that they have no role any more has no login either.
            assert!(statuses == [200, 401] || statuses == [200, 403], "{statuses:?}");
            for reply in [&both.0, &both.1] {
                if reply.status == 403 {
                    assert_eq!(reply.body["code"], 2442);
                    refusals += 1;
                }
            }
            let left = owners(&world, &root).await;
            assert_eq!(left.len(), 1, "{left:?}");
            let winner = if left[0].starts_with("one") { &ones } else { &twos };
            assert_eq!(call(&world, Some(winner), "GET", &users(CAFE), None).await.status, 200);
            // Nor does the other node lose the last one.
            let id = if left[0].starts_with("one") { &one } else { &two };
            let by = other.app.authenticate_admin(Some(winner), Origin::default()).await.unwrap();
            let gone = other.app.dismiss_administrator(&by, &UserId::parse(id).unwrap(), None, None).await;
            assert_eq!(gone.unwrap_err().number(), 2761);
            // For the next round, there is nobody.
            let system = PoolId::system();
            let command = AdminCaller::command_line();
            world.node.app.dismiss_administrator(&command, &UserId::parse(id).unwrap(), None, None).await.unwrap();
            assert_eq!(owners(&world, &root).await, Vec::<String>::new());
            world.node.app.delete_user(&command, &system, &UserId::parse(id).unwrap()).await.unwrap();
        }
        assert!(refusals <= 8);
    }

    /// Of several who go at once by different ways, one stays.
    async fn one_owner_stays_whatever_happens_at_once(database) {
        let world = World::new(database).await;
        let root = key(&world, AdminRole::Owner, None).await;
        let second = key(&world, AdminRole::Owner, None).await;
        for round in 0..4 {
            let mut ids = Vec::new();
            for number in 0..4 {
                ids.push(owner_of_all(&world, &root, &format!("owner{round}-{number}")).await.0);
            }
            let user = |id: &str| format!("{}/{id}", users("system"));
            let role = |id: &str| format!("{ADMINISTRATORS}/{id}");
            let ways = [
                ("DELETE", role(&ids[0]), None),
                ("PUT", role(&ids[1]), Some(json!({ "roles": [{ "role": "owner", "pool": CAFE }, { "role": "manager" }] }))),
                ("POST", format!("{}/disable", user(&ids[2])), None),
                ("DELETE", user(&ids[3]), None),
            ];
            let calls = ways.iter().enumerate().map(|(number, (method, path, body))| {
                let (world, by) = (&world, if number % 2 == 0 { &root } else { &second });
                async move { call(world, Some(by), method, path, body.clone()).await }
            });
            let replies = join_all(calls).await;
            let kept: Vec<_> = replies.iter().enumerate().filter(|(_, reply)| reply.status == 409).collect();
            assert_eq!(kept.len(), 1, "{replies:?}");
            assert_eq!(kept[0].1.body["code"], 2761, "{replies:?}");
            assert!(replies.iter().all(|reply| [200, 204, 409].contains(&reply.status)), "{replies:?}");
            assert_eq!(owners(&world, &root).await, [format!("owner{round}-{}", kept[0].0)]);
            let command = AdminCaller::command_line();
            let last = UserId::parse(&ids[kept[0].0]).unwrap();
            world.node.app.change_status(&command, &PoolId::system(), &last, StatusChange::Disable).await.unwrap();
            assert_eq!(owners(&world, &root).await, Vec::<String>::new());
        }
    }

    /// The last owner of all pools is none any more only where the command line says so.
    async fn the_last_owner_stays(database) {
        let world = World::new(database).await;
        let root = key(&world, AdminRole::Owner, None).await;
        let (id, mei) = owner_of_all(&world, &root, "mei").await;
        // Owners of a pool and lesser administrators of all do not count.
        administrator(&world, &root, "lee", json!([{ "role": "owner", "pool": CAFE }])).await;
        let (kim, _) = administrator(&world, &root, "kim", json!([{ "role": "manager" }])).await;
        let (path, user) = (format!("{ADMINISTRATORS}/{id}"), format!("{}/{id}", users("system")));
        let manager = || Some(json!({ "role": "manager" }));
        let of_cafe = || Some(json!({ "role": "owner", "pool": CAFE }));
        let merging = format!("{}/{kim}/merges", users("system"));
        for by in [&root, &mei] {
            let send = async |method: &str, path: &str, body: Option<Value>| call(&world, Some(by), method, path, body).await;
            refused(send("DELETE", &path, None).await, 409, 2761);
            refused(send("PUT", &path, manager()).await, 409, 2761);
            refused(send("PUT", &path, of_cafe()).await, 409, 2761);
            refused(send("POST", &format!("{user}/disable"), None).await, 409, 2761);
            refused(send("POST", &format!("{user}/archive"), None).await, 409, 2761);
            refused(send("DELETE", &user, None).await, 409, 2761);
            refused(send("POST", &merging, Some(json!({ "merged": id }))).await, 409, 2761);
            let batch = json!({ "operation": "disable", "users": [id] });
            let told = send("POST", "/admin/v1/pools/system/batch/users", Some(batch)).await.is(200);
            assert_eq!(told["failed"][0]["code"], 2761, "{told}");
            // More roles beside it, and the same again, take nothing.
            let more = json!({ "roles": [{ "role": "owner" }, { "role": "support", "pool": CAFE }] });
            send("PUT", &path, Some(more)).await.is(200);
            send("DELETE", &format!("{path}?pool={CAFE}"), None).await.is(200);
        }
        assert_eq!(owners(&world, &root).await, ["mei"]);
        call(&world, Some(&mei), "GET", &users(CAFE), None).await.is(200);

        // Somebody who is disabled is no other one; once they are enabled, they are.
        let (other, _) = owner_of_all(&world, &root, "zoe").await;
        let zoe = format!("{}/{other}", users("system"));
        call(&world, Some(&root), "POST", &format!("{zoe}/disable"), None).await.is(200);
        refused(call(&world, Some(&root), "DELETE", &path, None).await, 409, 2761);
        call(&world, Some(&root), "DELETE", &format!("{ADMINISTRATORS}/{other}"), None).await.is(200);
        call(&world, Some(&root), "POST", &format!("{zoe}/enable"), None).await.is(200);
        refused(call(&world, Some(&root), "DELETE", &path, None).await, 409, 2761);
        call(&world, Some(&root), "PUT", &format!("{ADMINISTRATORS}/{other}"), Some(json!({ "role": "owner" }))).await.is(200);
        call(&world, Some(&mei), "PUT", &path, manager()).await.is(200);
        assert_eq!(owners(&world, &root).await, ["zoe"]);
        let zoe = UserId::parse(&other).unwrap();
        let command = AdminCaller::command_line();
        world.node.app.dismiss_administrator(&command, &zoe, None, None).await.unwrap();
        assert_eq!(owners(&world, &root).await, Vec::<String>::new());
    }

    /// An account that is another's now has no roles, and nothing that it made or logged in with.
    async fn who_is_merged_away_is_dismissed(database) {
        let world = World::new(database).await;
        let root = key(&world, AdminRole::Owner, None).await;
        let (kim, kims) = owner_of_all(&world, &root, "kim").await;
        let (lee, lees) = owner_of_all(&world, &root, "lee").await;
        let made = call(&world, Some(&lees), "POST", "/admin/v1/keys", Some(json!({ "name": "x", "role": "manager" }))).await.is(201);
        let made = made["key"].as_str().unwrap();
        for own in [&lees, made] {
            call(&world, Some(own), "GET", &users(CAFE), None).await.is(200);
        }
        let merging = format!("{}/{kim}/merges", users("system"));
        call(&world, Some(&kims), "POST", &merging, Some(json!({ "merged": lee }))).await.is(201);
        assert_eq!(owners(&world, &root).await, ["kim"]);
        for own in [&lees, made] {
            call(&world, Some(own), "GET", &users(CAFE), None).await.is(401);
        }
        let login = json!({ "username": "lee", "password": PASSWORD });
        call(&world, None, "POST", "/admin/v1/sessions", Some(login)).await.is(401);
    }

    /// What somebody does who is disabled while the call is under way is refused.
    async fn a_disabled_owner_makes_nobody_an_owner(database) {
        let world = World::new(database).await;
        let root = key(&world, AdminRole::Owner, None).await;
        owner_of_all(&world, &root, "stays").await;
        for round in 0..4 {
            let (id, mei) = owner_of_all(&world, &root, &format!("mei{round}")).await;
            let appointing = (0..6).map(|number| {
                let (world, mei) = (&world, &mei);
                let new = json!({ "username": format!("new{round}-{number}"), "role": "owner", "pool": CAFE });
                async move { call(world, Some(mei), "POST", ADMINISTRATORS, Some(new)).await }
            });
            let disable = format!("{}/{id}/disable", users("system"));
            let (made, disabled) =
                futures::join!(join_all(appointing), call(&world, Some(&root), "POST", &disable, None));
            disabled.is(200);
            for reply in made {
                world.secret(reply.body["password"].as_str().unwrap_or_default());
                assert!([201, 401, 403].contains(&reply.status), "{}", reply.body);
            }
            let new = json!({ "username": "late", "role": "owner", "pool": CAFE });
            call(&world, Some(&mei), "POST", ADMINISTRATORS, Some(new)).await.is(401);
            let login = json!({ "username": format!("mei{round}"), "password": PASSWORD });
            call(&world, None, "POST", "/admin/v1/sessions", Some(login)).await.is(401);
        }
    }
}
