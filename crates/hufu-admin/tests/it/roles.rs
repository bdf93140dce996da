//! Administrators with roles in many pools.

use hufu_testkit::administration::{call, call_if, key, users};
use hufu_testkit::on_both_engines;
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::world::{CAFE, EMPTY, SHOP, World};

pub(crate) const ADMINISTRATORS: &str = "/admin/v1/administrators";

/// Makes an administrator and logs them in. Returns their id and the key of the login.
pub(crate) async fn administrator(
    world: &World,
    owner: &str,
    username: &str,
    roles: Value,
) -> (String, String) {
    let new = json!({ "username": username, "roles": roles });
    let made = call(world, Some(owner), "POST", ADMINISTRATORS, Some(new)).await.is(201);
    let session = first_login(world, &made).await;
    assert_eq!(session["administrator"]["roles"], made["roles"]);
    (made["id"].as_str().unwrap().to_owned(), session["key"].as_str().unwrap().to_owned())
}

/// Makes an owner of all pools, so that there is one, whoever goes.
pub(crate) async fn one_who_stays(world: &World, owner: &str) {
    administrator(world, owner, "stays", json!([{ "role": "owner" }])).await;
}

/// The password of everybody after the first login.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The first login of an administrator who was just made, with [`PASSWORD`] from now on.
pub(crate) async fn first_login(world: &World, made: &Value) -> Value {
    let password = made["password"].as_str().unwrap();
    world.secret(password);
    world.secret(PASSWORD);
    let login = json!({ "username": made["username"], "password": password, "newPassword": PASSWORD });
    let session = call(world, None, "POST", "/admin/v1/sessions", Some(login)).await.is(201);
    world.secret(session["key"].as_str().unwrap());
    session
}

/// Makes an access key. Returns its text.
pub(crate) async fn made_key(world: &World, by: &str, wish: Value) -> String {
    let made = call(world, Some(by), "POST", "/admin/v1/keys", Some(wish)).await.is(201);
    let key = made["key"].as_str().unwrap().to_owned();
    world.secret(&key);
    key
}

on_both_engines! {
    /// What somebody may do is decided by their role in the pool of the route, and nowhere else.
    async fn a_role_counts_in_its_pool(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let roles = json!([{ "role": "owner", "pool": CAFE }, { "role": "support", "pool": SHOP }]);
        let (_, mei) = administrator(&world, &owner, "mei", roles).await;
        let status = async |method: &str, path: &str, body: Option<Value>| {
            call(&world, Some(&mei), method, path, body).await.status
        };
        let new = || Some(json!({ "username": "kim" }));
        assert_eq!(status("POST", &users(CAFE), new()).await, 201);
        assert_eq!(status("GET", &users(SHOP), None).await, 200);
        assert_eq!(status("POST", &users(SHOP), new()).await, 403);
        assert_eq!(status("GET", &users(EMPTY), None).await, 404);
        assert_eq!(status("GET", &users("system"), None).await, 404);
        for (pool, expected) in [(CAFE, 200), (SHOP, 403), (EMPTY, 404)] {
            assert_eq!(status("GET", &format!("/admin/v1/pools/{pool}"), None).await, expected, "{pool}");
            let path = format!("/admin/v1/pools/{pool}/management-keys");
            assert_eq!(status("GET", &path, None).await, expected, "{pool}");
        }
        let pools = call(&world, Some(&mei), "GET", "/admin/v1/pools", None).await.is(200);
        let ids: Vec<_> = pools["pools"].as_array().unwrap().iter().map(|pool| &pool["id"]).collect();
        assert_eq!(ids, [SHOP, CAFE]);
        // A key is made where they may make one, and for what they may there.
        let wish = |pool: Option<&str>| Some(json!({ "name": "x", "role": "auditor", "pool": pool }));
        for (pool, expected) in [(Some(CAFE), 201), (Some(SHOP), 403), (Some(EMPTY), 404), (None, 403)] {
            let reply = call(&world, Some(&mei), "POST", "/admin/v1/keys", wish(pool)).await;
            world.secret(reply.body["key"].as_str().unwrap_or_default());
            assert_eq!(reply.status, expected, "{pool:?}");
        }
        let of_shop = call(&world, Some(&owner), "POST", "/admin/v1/keys", wish(Some(SHOP))).await.is(201);
        world.secret(of_shop["key"].as_str().unwrap());
        let keys = call(&world, Some(&mei), "GET", "/admin/v1/keys", None).await.is(200);
        let pools: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| &key["pool"]).collect();
        assert_eq!(pools, [CAFE]);
        let theirs = format!("/admin/v1/keys/{}", of_shop["id"].as_str().unwrap());
        assert_eq!(status("DELETE", &theirs, None).await, 404);
        // Two roles in one pool: whichever allows it.
        let both = json!([{ "role": "auditor" }, { "role": "owner", "pool": SHOP }]);
        let (_, lee) = administrator(&world, &owner, "lee", both).await;
        call(&world, Some(&lee), "POST", &users(SHOP), new()).await.is(201);
        call(&world, Some(&lee), "GET", &users(CAFE), None).await.is(200);
        call(&world, Some(&lee), "POST", &users(CAFE), Some(json!({ "username": "zoe" }))).await.is(403);
        call(&world, Some(&lee), "GET", &users("system"), None).await.is(403);
    }

    /// An owner of one pool manages the administrators of that pool, and does not see which other roles they have.
    async fn an_owner_of_a_pool_manages_the_roles_there(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let roles = json!([{ "role": "manager", "pool": CAFE }, { "role": "owner", "pool": SHOP }]);
        let (mei, _) = administrator(&world, &owner, "mei", roles).await;
        let (lee, _) = administrator(&world, &owner, "lee", json!([{ "role": "auditor", "pool": SHOP }])).await;
        let (_, zoe) = administrator(&world, &owner, "zoe", json!([{ "role": "owner", "pool": CAFE }])).await;
        let listed = call(&world, Some(&zoe), "GET", ADMINISTRATORS, None).await.is(200);
        let seen = |name: &str, listed: &Value| {
            listed["administrators"].as_array().unwrap().iter().find(|one| one["username"] == name).cloned()
        };
        assert_eq!(seen("mei", &listed).unwrap()["roles"], json!([{ "role": "manager", "pool": CAFE }]));
        assert!(seen("lee", &listed).is_none() && !listed.to_string().contains(SHOP), "{listed}");
        let of_mei = format!("{ADMINISTRATORS}/{mei}");
        let auditor = |pool: Option<&str>| Some(json!({ "role": "auditor", "pool": pool }));
        let changed = call(&world, Some(&zoe), "PUT", &of_mei, auditor(Some(CAFE))).await.is(200);
        assert_eq!(changed["roles"], json!([{ "role": "auditor", "pool": CAFE }]));
        for (pool, status) in [(Some(SHOP), 404), (Some(EMPTY), 404), (Some("system"), 404), (None, 403)] {
            call(&world, Some(&zoe), "PUT", &of_mei, auditor(pool)).await.is(status);
            let new = json!({ "username": "eve", "role": "auditor", "pool": pool });
            call(&world, Some(&zoe), "POST", ADMINISTRATORS, Some(new)).await.is(status);
        }
        call(&world, Some(&zoe), "PUT", &format!("{ADMINISTRATORS}/{lee}"), auditor(Some(CAFE))).await.is(404);
        call(&world, Some(&zoe), "DELETE", &format!("{of_mei}?pool={SHOP}"), None).await.is(404);
        call(&world, Some(&zoe), "DELETE", &of_mei, None).await.is(200);
        call(&world, Some(&zoe), "DELETE", &of_mei, None).await.is(404);
        let listed = call(&world, Some(&owner), "GET", ADMINISTRATORS, None).await.is(200);
        assert_eq!(seen("mei", &listed).unwrap()["roles"], json!([{ "role": "owner", "pool": SHOP }]));
        // Bad roles: none, two for a pool, both ways of saying it, and what is no role.
        for bad in [
            json!({}),
            json!({ "roles": [] }),
            json!({ "roles": [{ "role": "owner" }, { "role": "auditor" }] }),
            json!({ "role": "owner", "roles": [{ "role": "owner" }] }),
            json!({ "roles": [{ "role": "king" }] }),
        ] {
            call(&world, Some(&owner), "PUT", &of_mei, Some(bad)).await.is(422);
        }
    }

    /// Of two who change the same administrator, the one who has not seen the other's change is refused.
    async fn two_owners_change_one_administrator(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (mei, _) = administrator(&world, &owner, "mei", json!([{ "role": "support", "pool": CAFE }])).await;
        let path = format!("{ADMINISTRATORS}/{mei}");
        let listed = call(&world, Some(&owner), "GET", ADMINISTRATORS, None).await.is(200);
        let seen = format!("\"{}\"", listed["administrators"][0]["revision"].as_str().unwrap());
        let to = |role: &str| Some(json!({ "role": role, "pool": CAFE }));
        let both = futures::future::join_all(
            ["auditor", "manager"].map(|role| call_if(&world, Some(&owner), "PUT", &path, to(role), Some(&seen))),
        );
        let mut statuses: Vec<_> = both.await.into_iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        let stale = call_if(&world, Some(&owner), "DELETE", &path, None, Some(&seen)).await.is(409);
        assert_eq!(stale["code"], 2444);
        call_if(&world, Some(&owner), "DELETE", &path, None, Some("*")).await.is(200);
    }

    /// A lesser role ends what may do more than it: keys, management keys and invitations.
    async fn a_lesser_role_ends_what_may_do_more(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (id, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner", "pool": CAFE }])).await;
        let wish = |role: &str, permissions: Value| json!({ "name": role, "role": role, "pool": CAFE, "permissions": permissions });
        let whole = made_key(&world, &mei, wish("owner", Value::Null)).await;
        let writing = made_key(&world, &mei, wish("owner", json!(["configuration.write", "users.read"]))).await;
        let reading = made_key(&world, &mei, wish("owner", json!(["users.read"]))).await;
        let lesser = made_key(&world, &mei, wish("auditor", Value::Null)).await;
        let management = format!("/admin/v1/pools/{CAFE}/management-keys");
        let made = call(&world, Some(&mei), "POST", &management, Some(json!({}))).await.is(201);
        world.secret(made["secret"].as_str().unwrap());
        let invitation = json!({ "email": "x@example.com", "role": "auditor", "pool": CAFE });
        call(&world, Some(&mei), "POST", "/admin/v1/invitations", Some(invitation)).await.is(201);
        let path = format!("{ADMINISTRATORS}/{id}");
        let to = |role: &str| Some(json!({ "role": role, "pool": CAFE }));
        call(&world, Some(&owner), "PUT", &path, to("manager")).await.is(200);
        for (key, status) in [(&whole, 401), (&writing, 401), (&reading, 200), (&lesser, 200), (&mei, 200)] {
            call(&world, Some(key), "GET", &users(CAFE), None).await.is(status);
        }
        let left = call(&world, Some(&owner), "GET", &management, None).await.is(200);
        assert_eq!(left["keys"], json!([]));
        let left = call(&world, Some(&owner), "GET", "/admin/v1/invitations", None).await.is(200);
        assert_eq!(left["invitations"], json!([]));
        for (pool, action, count) in [
            ("system", "access_key.revoked", 2),
            (CAFE, "management_key.ended", 1),
            ("system", "invitation.changed", 2),
        ] {
            let log = format!("/admin/v1/pools/{pool}/audit?action={action}");
            let log = call(&world, Some(&owner), "GET", &log, None).await.is(200);
            let events = log["events"].as_array().unwrap();
            let theirs = events.iter().filter(|event| event["details"]["createdBy"] == json!(id)).count();
            assert_eq!((events.len(), theirs > 0), (count, true), "{action}");
        }
        // What a role in all pools still allows stays, and a webhook is theirs to look at that they could not make now.
        let both = json!({ "roles": [{ "role": "auditor" }, { "role": "manager", "pool": CAFE }] });
        call(&world, Some(&owner), "PUT", &path, Some(both)).await.is(200);
        let hook = json!({ "name": "hers", "url": "https://cafe.example.com/hook" });
        let hook = call(&world, Some(&mei), "POST", &format!("/admin/v1/pools/{CAFE}/webhooks"), Some(hook)).await.is(201);
        world.secret(hook["secret"].as_str().unwrap());
        let ended = call(&world, Some(&owner), "DELETE", &format!("{path}?pool={CAFE}"), None).await.is(200);
        assert_eq!((&ended["accessKeys"], &ended["webhooks"][0]["name"]), (&json!([]), &json!("hers")));
        call(&world, Some(&lesser), "GET", &users(CAFE), None).await.is(200);
    }

    /// What somebody makes while they are dismissed is refused or ends: nothing of it is left.
    async fn what_is_made_during_a_dismissal_ends(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        one_who_stays(&world, &owner).await;
        let (id, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner" }])).await;
        let bodies = (0..36).map(|number| match number % 3 {
            0 => ("/admin/v1/keys".to_owned(), json!({ "name": "x", "role": "owner" })),
            1 => (format!("/admin/v1/pools/{CAFE}/management-keys"), json!({ "endPresent": true })),
            _ => ("/admin/v1/invitations".to_owned(), json!({ "email": format!("x{number}@example.com"), "role": "owner" })),
        });
        let making = bodies.map(|(path, body)| {
            let (world, mei) = (&world, &mei);
            async move { call(world, Some(mei), "POST", &path, Some(body)).await }
        });
        let path = format!("{ADMINISTRATORS}/{id}");
        let dismissal = call(&world, Some(&owner), "DELETE", &path, None);
        let (made, dismissed) = futures::join!(futures::future::join_all(making), dismissal);
        dismissed.is(200);
        for reply in &made {
            for secret in ["key", "secret"] {
                world.secret(reply.body[secret].as_str().unwrap_or_default());
            }
            // A key may have ended again before its maker is told of it.
            assert!([201, 401, 403, 404].contains(&reply.status), "{}", reply.body);
        }
        let left = async |path: &str| call(&world, Some(&owner), "GET", path, None).await.is(200);
        assert_eq!(left(&format!("/admin/v1/keys?createdBy={id}")).await["keys"], json!([]));
        assert_eq!(left("/admin/v1/invitations").await["invitations"], json!([]));
        let sql = "SELECT COUNT(*) FROM management_keys";
        assert_eq!(hufu_testkit::raw::number(world.database(), sql).await, 0);
        // One whose maker has no role there, however that came about, is not good.
        call(&world, Some(&owner), "PUT", &path, Some(json!({ "role": "owner", "pool": CAFE }))).await.is(200);
        let login = json!({ "username": "mei", "password": PASSWORD });
        let session = call(&world, None, "POST", "/admin/v1/sessions", Some(login)).await.is(201);
        let mei = session["key"].as_str().unwrap();
        world.secret(mei);
        let orphan = made_key(&world, mei, json!({ "name": "x", "role": "owner", "pool": CAFE })).await;
        let management = format!("/admin/v1/pools/{CAFE}/management-keys");
        let made = call(&world, Some(mei), "POST", &management, Some(json!({}))).await.is(201);
        world.secret(made["secret"].as_str().unwrap());
        call(&world, Some(&orphan), "GET", &users(CAFE), None).await.is(200);
        assert_eq!(left(&management).await["keys"].as_array().unwrap().len(), 1);
        hufu_testkit::raw::execute(world.database(), "DELETE FROM administrators").await;
        call(&world, Some(&orphan), "GET", &users(CAFE), None).await.is(401);
        assert_eq!(left(&management).await["keys"], json!([]));
    }

    /// Dismissed in one pool, somebody goes on in the others; what they made for that pool alone ends.
    async fn a_dismissal_in_one_pool(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let roles = json!([{ "role": "owner", "pool": CAFE }, { "role": "owner", "pool": SHOP }]);
        let (id, mei) = administrator(&world, &owner, "mei", roles).await;
        let mut made = Vec::new();
        for pool in [CAFE, SHOP] {
            let wish = json!({ "name": "x", "role": "auditor", "pool": pool });
            let key = call(&world, Some(&mei), "POST", "/admin/v1/keys", Some(wish)).await.is(201);
            let key = key["key"].as_str().unwrap().to_owned();
            world.secret(&key);
            let path = format!("/admin/v1/pools/{pool}/management-keys");
            let management = call(&world, Some(&mei), "POST", &path, Some(json!({}))).await.is(201);
            world.secret(management["secret"].as_str().unwrap());
            made.push((pool, key, path));
        }
        let path = format!("{ADMINISTRATORS}/{id}?pool={SHOP}");
        let ended = call(&world, Some(&owner), "DELETE", &path, None).await.is(200);
        assert_eq!(ended["accessKeys"].as_array().unwrap().len(), 1, "{ended}");
        assert_eq!(ended["managementKeys"][0]["pool"], SHOP);
        call(&world, Some(&mei), "GET", &users(SHOP), None).await.is(404);
        call(&world, Some(&mei), "GET", &users(CAFE), None).await.is(200);
        for (pool, key, path) in made {
            let goes_on = pool == CAFE;
            let status = call(&world, Some(&key), "GET", &users(pool), None).await.status;
            assert_eq!(status, if goes_on { 200 } else { 401 }, "{pool}");
            let left = call(&world, Some(&owner), "GET", &path, None).await.is(200);
            assert_eq!(left["keys"].as_array().unwrap().len(), usize::from(goes_on), "{pool}");
        }
        call(&world, Some(&owner), "DELETE", &format!("{ADMINISTRATORS}/{id}"), None).await.is(200);
        call(&world, Some(&mei), "GET", "/admin/v1/pools", None).await.is(401);
    }
}
