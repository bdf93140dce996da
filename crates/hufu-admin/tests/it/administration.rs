//! `/admin/v1`: permissions, users from creation to deletion, and search.

use std::collections::BTreeSet;
use std::time::Duration;

use hufu_testkit::administration::{call, call_if, create, found, key, users};
use hufu_testkit::on_both_engines;
use hufu_types::{AdminRole, Permission};
use serde_json::{Value, json};

use self::RecentLogin::{Always, InSystem, Never, WithSecret};
use crate::client::GET_PROFILE;
use crate::roles::{PASSWORD, first_login, one_who_stays};
use crate::world::{CAFE, MINI, NOW, SHOP, World};

/// When a route needs a recent login of an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecentLogin {
    Never,
    Always,
    /// In the pool of the administrators, where it comes to the same as changing administrators.
    InSystem,
    /// If a client secret is made or set by it.
    WithSecret,
}

/// Every documented route, with the roles that may use it, and when it needs a recent login.
pub(crate) const TABLE: &[(&str, &str, &str, RecentLogin)] = &[
    ("GET", "/admin/v1/keys", "owner", Never),
    ("POST", "/admin/v1/keys", "owner", Always),
    ("DELETE", "/admin/v1/keys/{key}", "owner", Always),
    ("GET", "/admin/v1/administrators", "owner", Never),
    ("POST", "/admin/v1/administrators", "owner", Always),
    ("PUT", "/admin/v1/administrators/{user}", "owner", Always),
    ("DELETE", "/admin/v1/administrators/{user}", "owner", Always),
    ("GET", "/admin/v1/limits", "owner manager", Never),
    ("GET", "/admin/v1/signing-keys", "owner manager", Never),
    ("GET", "/admin/v1/invitations", "owner", Never),
    ("POST", "/admin/v1/invitations", "owner", Always),
    ("DELETE", "/admin/v1/invitations/{invitation}", "owner", Always),
    ("GET", "/admin/v1/pools", "owner manager support auditor", Never),
    ("POST", "/admin/v1/pools", "owner", Never),
    ("GET", "/admin/v1/pools/{pool}", "owner manager", Never),
    ("PATCH", "/admin/v1/pools/{pool}", "owner", Never),
    ("GET", "/admin/v1/pools/{pool}/open-platforms", "owner manager", Never),
    ("GET", "/admin/v1/pools/{pool}/scopes", "owner manager", Never),
    ("GET", "/admin/v1/pools/{pool}/scopes/{scope}", "owner manager", Never),
    ("PUT", "/admin/v1/pools/{pool}/scopes/{scope}", "owner", Never),
    ("DELETE", "/admin/v1/pools/{pool}/scopes/{scope}", "owner", Never),
    ("GET", "/admin/v1/pools/{pool}/agreements", "owner manager", Never),
    ("GET", "/admin/v1/pools/{pool}/agreements/{agreement}", "owner manager", Never),
    ("PUT", "/admin/v1/pools/{pool}/agreements/{agreement}", "owner", Never),
    ("DELETE", "/admin/v1/pools/{pool}/agreements/{agreement}", "owner", Never),
    ("GET", "/admin/v1/pools/{pool}/custom-fields", "owner manager", Never),
    ("GET", "/admin/v1/pools/{pool}/custom-fields/{field}", "owner manager", Never),
    ("PUT", "/admin/v1/pools/{pool}/custom-fields/{field}", "owner", Never),
    ("DELETE", "/admin/v1/pools/{pool}/custom-fields/{field}", "owner", Never),
    ("GET", "/admin/v1/pools/{pool}/senders", "owner manager", Never),
    ("GET", "/admin/v1/pools/{pool}/senders/{channel}", "owner manager", Never),
    ("PATCH", "/admin/v1/pools/{pool}/senders/{channel}", "owner", Always),
    ("DELETE", "/admin/v1/pools/{pool}/senders/{channel}", "owner", Always),
    ("POST", "/admin/v1/pools/{pool}/senders/{channel}/test", "owner", InSystem),
    ("GET", "/admin/v1/pools/{pool}/templates", "owner manager", Never),
    ("PATCH", "/admin/v1/pools/{pool}/templates", "owner", Never),
    ("POST", "/admin/v1/pools/{pool}/templates/preview", "owner manager", Never),
    ("DELETE", "/admin/v1/pools/{pool}", "owner", Always),
    ("POST", "/admin/v1/pools/{pool}/switch-off", "owner", Never),
    ("POST", "/admin/v1/pools/{pool}/switch-on", "owner", Never),
    ("POST", "/admin/v1/pools/{pool}/restore", "owner", Never),
    ("GET", "/admin/v1/pools/{pool}/management-keys", "owner", Never),
    ("POST", "/admin/v1/pools/{pool}/management-keys", "owner", Always),
    ("DELETE", "/admin/v1/pools/{pool}/management-keys/{key}", "owner", Always),
    ("GET", "/admin/v1/pools/{pool}/applications", "owner manager", Never),
    ("POST", "/admin/v1/pools/{pool}/applications", "owner", WithSecret),
    ("GET", "/admin/v1/pools/{pool}/applications/{application}", "owner manager", Never),
    ("PATCH", "/admin/v1/pools/{pool}/applications/{application}", "owner", WithSecret),
    ("DELETE", "/admin/v1/pools/{pool}/applications/{application}", "owner", Never),
    ("POST", "/admin/v1/pools/{pool}/applications/{application}/secrets", "owner", Always),
    ("DELETE", "/admin/v1/pools/{pool}/applications/{application}/secrets/{secret}", "owner", Never),
    ("GET", "/admin/v1/pools/{pool}/connections", "owner manager", Never),
    ("POST", "/admin/v1/pools/{pool}/connections", "owner", Never),
    ("GET", "/admin/v1/pools/{pool}/connections/{connection}", "owner manager", Never),
    ("PATCH", "/admin/v1/pools/{pool}/connections/{connection}", "owner", Never),
    ("DELETE", "/admin/v1/pools/{pool}/connections/{connection}", "owner", Never),
    ("POST", "/admin/v1/pools/{pool}/connections/{connection}/check", "owner", InSystem),
    ("GET", "/admin/v1/pools/{pool}/connections/{connection}/app-token", "owner", Always),
    ("GET", "/admin/v1/pools/{pool}/connections/{connection}/relay", "owner manager", Never),
    ("POST", "/admin/v1/pools/{pool}/batch/users", "owner manager support", InSystem),
    ("POST", "/admin/v1/pools/{pool}/batch/applications", "owner", Never),
    ("POST", "/admin/v1/pools/{pool}/batch/connections", "owner", Never),
    ("GET", "/admin/v1/pools/{pool}/users", "owner manager support auditor", Never),
    ("POST", "/admin/v1/pools/{pool}/users", "owner manager", InSystem),
    ("GET", "/admin/v1/pools/{pool}/users/{user}", "owner manager support auditor", Never),
    ("PATCH", "/admin/v1/pools/{pool}/users/{user}", "owner manager", InSystem),
    ("DELETE", "/admin/v1/pools/{pool}/users/{user}", "owner manager", InSystem),
    ("POST", "/admin/v1/pools/{pool}/users/{user}/password", "owner manager", InSystem),
    ("POST", "/admin/v1/pools/{pool}/users/{user}/unbind-merged-name", "owner manager", InSystem),
    ("POST", "/admin/v1/pools/{pool}/users/{user}/disable", "owner manager support", InSystem),
    ("POST", "/admin/v1/pools/{pool}/users/{user}/enable", "owner manager support", InSystem),
    ("POST", "/admin/v1/pools/{pool}/users/{user}/archive", "owner manager", InSystem),
    ("POST", "/admin/v1/pools/{pool}/users/{user}/cancel-deletion", "owner manager", InSystem),
    ("GET", "/admin/v1/pools/{pool}/users/{user}/identities", "owner manager support auditor", Never),
    ("POST", "/admin/v1/pools/{pool}/users/{user}/identities", "owner manager", InSystem),
    (
        "DELETE",
        "/admin/v1/pools/{pool}/users/{user}/identities/{identity}",
        "owner manager support",
        InSystem,
    ),
    ("GET", "/admin/v1/pools/{pool}/users/{user}/sessions", "owner manager support auditor", Never),
    ("DELETE", "/admin/v1/pools/{pool}/users/{user}/sessions", "owner manager support", InSystem),
    ("DELETE", "/admin/v1/pools/{pool}/users/{user}/sessions/{session}", "owner manager support", InSystem),
    ("GET", "/admin/v1/pools/{pool}/users/{user}/merges", "owner manager support auditor", Never),
    ("POST", "/admin/v1/pools/{pool}/users/{user}/merges", "owner manager", InSystem),
    ("POST", "/admin/v1/pools/{pool}/merges/{merge}/undo", "owner manager", InSystem),
    (
        "GET",
        "/admin/v1/pools/{pool}/applications/{application}/users",
        "owner manager support auditor",
        Never,
    ),
    ("PUT", "/admin/v1/pools/{pool}/applications/{application}/users/{user}", "owner manager", InSystem),
    ("DELETE", "/admin/v1/pools/{pool}/applications/{application}/users/{user}", "owner manager", InSystem),
    ("GET", "/admin/v1/pools/{pool}/conflicts", "owner manager support auditor", Never),
    ("GET", "/admin/v1/pools/{pool}/imports", "owner manager", Never),
    ("POST", "/admin/v1/pools/{pool}/imports", "owner manager", InSystem),
    ("GET", "/admin/v1/pools/{pool}/imports/{import}", "owner manager", Never),
    ("DELETE", "/admin/v1/pools/{pool}/imports/{import}", "owner manager", InSystem),
    ("GET", "/admin/v1/pools/{pool}/imports/{import}/report", "owner manager", Never),
    ("GET", "/admin/v1/pools/{pool}/export", "owner manager", Always),
    ("GET", "/admin/v1/pools/{pool}/audit", "owner manager auditor", Never),
    ("GET", "/admin/v1/pools/{pool}/audit/export", "owner manager auditor", Always),
    ("GET", "/admin/v1/pools/{pool}/audit/{event}", "owner manager auditor", Never),
    ("GET", "/admin/v1/pools/{pool}/statistics", "owner manager auditor", Never),
    ("GET", "/admin/v1/pools/{pool}/statistics/logins", "owner manager auditor", Never),
    ("GET", "/admin/v1/pools/{pool}/statistics/connections", "owner manager auditor", Never),
    ("GET", "/admin/v1/pools/{pool}/statistics/waiting", "owner manager auditor", Never),
    ("GET", "/admin/v1/pools/{pool}/webhooks", "owner manager", Never),
    ("POST", "/admin/v1/pools/{pool}/webhooks", "owner manager", Always),
    ("GET", "/admin/v1/pools/{pool}/webhooks/{webhook}", "owner manager", Never),
    ("PATCH", "/admin/v1/pools/{pool}/webhooks/{webhook}", "owner manager", Always),
    ("DELETE", "/admin/v1/pools/{pool}/webhooks/{webhook}", "owner manager", Always),
    ("POST", "/admin/v1/pools/{pool}/webhooks/{webhook}/ping", "owner manager", InSystem),
    ("GET", "/admin/v1/pools/{pool}/webhooks/{webhook}/deliveries", "owner manager", Never),
    ("POST", "/admin/v1/pools/{pool}/webhooks/{webhook}/replay-failed", "owner manager", InSystem),
    ("GET", "/admin/v1/pools/{pool}/deliveries/{delivery}", "owner manager", Never),
    ("POST", "/admin/v1/pools/{pool}/deliveries/{delivery}/replay", "owner manager", InSystem),
];

/// A body that each route can parse.
pub(crate) fn body_for(method: &str, path: &str) -> Option<Value> {
    Some(match path.rsplit('/').next().unwrap() {
        list if path.contains("/batch/") => json!({ "operation": "disable", list: ["nobody"] }),
        "keys" => json!({ "name": "x", "role": "auditor" }),
        "administrators" => json!({ "username": "x", "role": "auditor" }),
        "invitations" => json!({ "email": "x@example.com", "role": "auditor" }),
        "{user}" if method == "PUT" => json!({ "role": "auditor" }),
        "identities" => json!({ "connection": "shop-mini", "kind": "openid", "value": "o-1" }),
        "test" => json!({ "to": "nobody" }),
        "preview" => json!({ "purpose": "login", "language": "en" }),
        "merges" => json!({ "merged": "nobody" }),
        "unbind-merged-name" => json!({ "username": "nobody" }),
        "{pool}" => json!({ "name": "nobody" }),
        "webhooks" => json!({ "name": "x", "url": "https://example.com/" }),
        _ => json!({}),
    })
    .filter(|_| method != "GET")
}

/// A path with ids that do not exist.
pub(crate) fn nowhere(path: &str, pool: &str) -> String {
    let path = path.replace("{pool}", pool).replace("{channel}", "email");
    let names = [
        "key",
        "user",
        "identity",
        "session",
        "merge",
        "event",
        "webhook",
        "delivery",
        "import",
        "application",
        "secret",
        "connection",
        "scope",
        "agreement",
        "field",
        "invitation",
    ];
    names.iter().fold(path, |path, name| path.replace(&format!("{{{name}}}"), "nobody"))
}

on_both_engines! {
    /// The OpenAPI document, the router and the table have the same routes. Each role may do what the table
    /// says.
    async fn each_role_on_each_route(database) {
        let world = World::new(database).await;
        let described = call(&world, None, "GET", "/admin/v1/openapi.json", None).await.is(200);
        let mut routes = BTreeSet::new();
        for (path, methods) in described["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                routes.insert((method.to_uppercase(), path.clone()));
            }
        }
        let table = TABLE.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned()));
        let logins = [
            ("POST", "/admin/v1/sessions"),
            ("DELETE", "/admin/v1/sessions/current"),
            ("POST", "/admin/v1/invitations/accept"),
        ];
        let logins = logins.map(|(method, path)| (method.to_owned(), path.to_owned()));
        assert_eq!(routes, table.chain(logins).collect());

        for role in AdminRole::ALL {
            let key = key(&world, *role, None).await;
            for (method, path, roles, _) in TABLE {
                let to = nowhere(path, SHOP);
                let reply = call(&world, Some(&key), method, &to, body_for(method, path)).await;
                let may = roles.split(' ').any(|may| may == role.as_str());
                assert_eq!(reply.status != 403, may, "{role:?} {method} {path}: {}", reply.body);
                assert!(reply.status != 405 && reply.status < 500, "{method} {path}: {}", reply.body);
                let reply = call(&world, None, method, &to, body_for(method, path)).await;
                assert_eq!(reply.status, 401, "{method} {path}");
            }
        }
    }

    async fn a_key_may_do_what_it_was_made_for_and_nothing_else(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let make = async |by: &str, role: &str, permissions: Value| {
            let wish = json!({ "name": "narrow", "role": role, "permissions": permissions });
            let reply = call(&world, Some(by), "POST", "/admin/v1/keys", Some(wish)).await;
            world.secret(reply.body["key"].as_str().unwrap_or_default());
            reply
        };
        let made = make(&owner, "owner", json!(["users.read", "keys.manage", "administrators.manage"])).await.is(201);
        assert_eq!(made["permissions"], json!(["users.read", "keys.manage", "administrators.manage"]));
        let narrow = made["key"].as_str().unwrap();
        call(&world, Some(narrow), "GET", &users(SHOP), None).await.is(200);
        call(&world, Some(narrow), "POST", &users(SHOP), Some(json!({ "username": "zoe" }))).await.is(403);
        call(&world, Some(narrow), "GET", &format!("/admin/v1/pools/{SHOP}/audit"), None).await.is(403);
        call(&world, Some(narrow), "GET", &users("system"), None).await.is(403);
        // It makes no key, and no administrator, that may do more.
        make(narrow, "auditor", Value::Null).await.is(403);
        make(narrow, "owner", json!(["users.write"])).await.is(403);
        let wish = json!({ "username": "mei", "role": "auditor" });
        call(&world, Some(narrow), "POST", "/admin/v1/administrators", Some(wish)).await.is(403);
        let made = make(narrow, "auditor", json!(["users.read"])).await.is(201);
        call(&world, Some(made["key"].as_str().unwrap()), "GET", &users(SHOP), None).await.is(200);
        // Nor one that may do what nobody listed, although it may do all of it.
        let all: Vec<_> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        let made = make(&owner, "owner", json!(all)).await.is(201);
        let listed = made["key"].as_str().unwrap();
        make(listed, "owner", Value::Null).await.is(403);
        make(listed, "owner", json!(all)).await.is(201);
        call(&world, Some(listed), "GET", &users("system"), None).await.is(403);
        let wish = json!({ "username": "mei", "role": "owner" });
        call(&world, Some(listed), "POST", "/admin/v1/administrators", Some(wish)).await.is(403);
        let wish = json!({ "email": "mei@example.com", "role": "owner" });
        call(&world, Some(listed), "POST", "/admin/v1/invitations", Some(wish)).await.is(403);
        let wish = json!({ "name": "of one pool", "role": "owner", "pool": SHOP });
        let made = call(&world, Some(listed), "POST", "/admin/v1/keys", Some(wish)).await.is(201);
        world.secret(made["key"].as_str().unwrap());
        let listed = call(&world, Some(&owner), "GET", "/admin/v1/keys", None).await.is(200);
        let of = |name: &str| listed["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap().clone();
        assert_eq!(of("test")["permissions"].as_array().unwrap().len(), Permission::ALL.len());
        for wrong in [json!([]), json!(["users.fly"]), json!(["configuration.write"]), json!("users.read")] {
            make(&owner, "manager", wrong).await.is(422);
        }
    }

    /// A key limited to a pool has no access to others. A wrong, revoked or expired key is rejected.
    async fn keys_have_a_scope_and_an_end(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let cafe = key(&world, AdminRole::Owner, Some(CAFE)).await;
        for (method, path, ..) in TABLE.iter().filter(|(_, path, ..)| path.contains("{pool}")) {
            for pool in [SHOP, "system", "nosuch"] {
                let to = nowhere(path, pool);
                call(&world, Some(&cafe), method, &to, body_for(method, path)).await.is(404);
            }
        }
        let pools = call(&world, Some(&cafe), "GET", "/admin/v1/pools", None).await.is(200);
        assert_eq!(pools["pools"].as_array().unwrap().len(), 1);
        let wish = json!({ "name": "too much", "role": "owner" });
        call(&world, Some(&cafe), "POST", "/admin/v1/keys", Some(wish)).await.is(403);
        // A manager of all pools must not have access to the administrators.
        let manager = key(&world, AdminRole::Manager, None).await;
        call(&world, Some(&manager), "GET", &users("system"), None).await.is(403);

        let expires = hufu_types::Timestamp(NOW.0 + 60_000).to_iso();
        let wish = json!({ "name": "short", "role": "auditor", "pool": SHOP, "expiresAt": expires });
        let made = call(&world, Some(&owner), "POST", "/admin/v1/keys", Some(wish)).await.is(201);
        let short = made["key"].as_str().unwrap();
        world.secret(short);
        call(&world, Some(short), "GET", &users(SHOP), None).await.is(200);
        let mut wrong = short.to_owned();
        wrong.replace_range(short.len() - 1.., if short.ends_with('0') { "1" } else { "0" });
        for bad in [wrong.as_str(), "hfk_", "hfk_x_y", "nonsense"] {
            call(&world, Some(bad), "GET", &users(SHOP), None).await.is(401);
        }
        let revoked = key(&world, AdminRole::Auditor, None).await;
        let id = revoked.split('_').nth(1).unwrap();
        call(&world, Some(&owner), "DELETE", &format!("/admin/v1/keys/{id}"), None).await.is(204);
        call(&world, Some(&revoked), "GET", &users(SHOP), None).await.is(401);
        world.advance(Duration::from_secs(61));
        call(&world, Some(short), "GET", &users(SHOP), None).await.is(401);
    }

    /// Administrators log in, with a limit on guesses. A dismissal takes effect immediately.
    async fn administrators_log_in_and_are_dismissed(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let new = json!({ "username": "mei", "role": "manager" });
        let made = call(&world, Some(&owner), "POST", "/admin/v1/administrators", Some(new.clone())).await.is(201);
        call(&world, Some(&owner), "POST", "/admin/v1/administrators", Some(new)).await.is(409);
        let (id, password) = (made["id"].as_str().unwrap(), PASSWORD);
        first_login(&world, &made).await;
        let login = |password: &str| json!({ "username": "mei", "password": password });
        let log_in = async |password: &str| call(&world, None, "POST", "/admin/v1/sessions", Some(login(password))).await;
        let session = log_in(password).await.is(201);
        let mei = session["key"].as_str().unwrap();
        world.secret(mei);
        call(&world, Some(mei), "GET", &users(SHOP), None).await.is(200);
        call(&world, Some(mei), "GET", "/admin/v1/keys", None).await.is(403);
        // The role is read on every request.
        let administrator = format!("/admin/v1/administrators/{id}");
        one_who_stays(&world, &owner).await;
        let owner_role = Some(json!({ "role": "owner" }));
        call(&world, Some(&owner), "PUT", &administrator, owner_role).await.is(200);
        call(&world, Some(mei), "GET", "/admin/v1/keys", None).await.is(200);
        let off = format!("{}/{id}/disable", users("system"));
        call(&world, Some(&owner), "POST", &off, None).await.is(200);
        call(&world, Some(mei), "GET", &users(SHOP), None).await.is(401);
        log_in(password).await.is(401);
        call(&world, Some(&owner), "POST", &off.replace("disable", "enable"), None).await.is(200);
        call(&world, Some(&owner), "DELETE", &administrator, None).await.is(200);
        call(&world, Some(mei), "GET", &users(SHOP), None).await.is(401);
        let mut last = 0;
        for _ in 0..11 {
            last = log_in("wrong").await.status;
        }
        assert_eq!(last, 429);
    }

    /// A user from creation to deletion, with conflicting changes and the entries in the audit log.
    async fn a_users_life(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        call(&world, Some(&owner), "POST", &users(SHOP), Some(json!({}))).await.is(422);
        let weak = json!({ "username": "bob", "password": "12345678" });
        call(&world, Some(&owner), "POST", &users(SHOP), Some(weak)).await.is(422);
        let new = json!({
            "username": "bob", "phone": "+86 138 0000 1111", "profile": { "nickname": "Bob", "givenName": "Robert" },
            "customData": { "level": 3 }, "password": "correct horse battery", "mustReset": true,
        });
        let made = call(&world, Some(&owner), "POST", &users(SHOP), Some(new.clone())).await.is(201);
        assert_eq!(made["phone"], "+8613800001111");
        assert_eq!(made["phoneProof"], "administrator");
        assert_eq!((&made["hasPassword"], &made["mustReset"]), (&true.into(), &true.into()));
        call(&world, Some(&owner), "POST", &users(SHOP), Some(new)).await.is(409);
        let path = format!("{}/{}", users(SHOP), made["id"].as_str().unwrap());

        let tag = format!("\"{}\"", made["updatedAt"].as_str().unwrap());
        let change = || Some(json!({ "email": "Bob@Example.com", "profile": { "nickname": null } }));
        let changed = call_if(&world, Some(&owner), "PATCH", &path, change(), Some(&tag)).await.is(200);
        assert_eq!((&changed["email"], &changed["emailVerified"]), (&"bob@example.com".into(), &true.into()));
        assert_eq!(changed["profile"], json!({ "givenName": "Robert" }));
        let stale = call_if(&world, Some(&owner), "PATCH", &path, change(), Some(&tag)).await.is(409);
        assert_eq!(stale["present"], call(&world, Some(&owner), "GET", &path, None).await.is(200));
        for wrong in [
            json!({ "nonsense": 1 }),
            json!({ "email": "none" }),
            json!({ "profile": { "nosuch": "x" } }),
            json!({ "username": "a@b" }),
        ] {
            call(&world, Some(&owner), "PATCH", &path, Some(wrong)).await.is(422);
        }
        let taken = Some(json!({ "username": "alice" }));
        call(&world, Some(&owner), "PATCH", &path, taken).await.is(409);

        let identity = Some(json!({ "connection": "shop-mini", "kind": "openid", "value": "o-bob" }));
        let linked = call(&world, Some(&owner), "POST", &format!("{path}/identities"), identity).await.is(201);
        let id = linked["identities"][0]["id"].as_str().unwrap();
        let left = call(&world, Some(&owner), "DELETE", &format!("{path}/identities/{id}"), None).await.is(200);
        assert_eq!(left["identities"], json!([]));
        let password = call(&world, Some(&owner), "POST", &format!("{path}/password"), None).await.is(200);
        world.secret(password["password"].as_str().unwrap());

        for (operation, status) in [("disable", "Suspended"), ("archive", "Archived"), ("enable", "Activated")] {
            let now = call(&world, Some(&owner), "POST", &format!("{path}/{operation}"), None).await.is(200);
            assert_eq!(now["status"], status);
        }
        call(&world, Some(&owner), "POST", &format!("{path}/cancel-deletion"), None).await.is(409);
        call(&world, Some(&owner), "DELETE", &path, None).await.is(204);
        call(&world, Some(&owner), "GET", &path, None).await.is(404);
        assert!(found(&world, &owner, "q=bob", 10).await.is_empty());
        let log = format!("/admin/v1/pools/{SHOP}/audit?limit=200");
        let log = call(&world, Some(&owner), "GET", &log, None).await.is(200);
        let actions: Vec<&str> =
            log["events"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
        for action in [
            "user.created", "user.updated", "identity.bound", "identity.unbound", "password.changed", "user.disabled",
            "user.archived", "user.enabled", "user.deleted",
        ] {
            assert!(actions.contains(&action), "{action}: {actions:?}");
        }
        assert!(!log.to_string().contains("13800001111") && !log.to_string().contains("o-bob"));
    }

    /// Ending a user's sessions invalidates their tokens immediately, and so does deleting the user.
    async fn signing_out_ends_tokens(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let path = format!("{}/{}", users(SHOP), bob.id);
        let client = world.nobody().bearer(&bob.token);
        assert_eq!(client.clone().get(GET_PROFILE).await.code(), 200);
        let sessions = call(&world, Some(&owner), "GET", &format!("{path}/sessions"), None).await.is(200);
        assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
        let ended = call(&world, Some(&owner), "DELETE", &format!("{path}/sessions"), None).await.is(200);
        assert_eq!(ended["ended"], 1);
        assert_eq!(client.get(GET_PROFILE).await.code(), 2020);
        let again = world.client().log_in(MINI, "bob").await;
        call(&world, Some(&owner), "DELETE", &path, None).await.is(204);
        assert_eq!(world.nobody().bearer(&again.token).get(GET_PROFILE).await.code(), 2020);
        assert_ne!(world.client().log_in(MINI, "bob").await.id, bob.id, "nothing leads to the deleted account");
    }

    /// Every kind of search. Pages are complete and have no duplicates while users are added.
    async fn users_are_found(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        for (name, phone, nickname) in
            [("Zoe_1", "+8613700000001", "小明同学"), ("zoe2", "+8613700000002", "50%_off"), ("other", "+12025550123", "x")]
        {
            let new = json!({
                "username": name, "phone": phone, "email": format!("{name}@example.com"), "externalId": format!("ext-{name}"),
                "profile": { "nickname": nickname },
            });
            create(&world, &owner, new).await;
            world.advance(Duration::from_secs(1));
        }
        for (query, names) in [
            ("q=zoe", &["zoe2", "Zoe_1"][..]),
            ("q=ZOE_", &["Zoe_1"]),
            ("q=%2B86137", &["Zoe_1", "zoe2"]),
            ("q=1370", &["Zoe_1", "zoe2"]),
            ("q=202555", &["other"]),
            ("q=%E5%B0%8F", &["Zoe_1"]),
            ("q=%E6%98%8E%E5%90%8C%E5%AD%A6&match=substring", &["Zoe_1"]),
            ("q=0%25_&match=substring", &["zoe2"]),
            ("q=0%25x&match=substring", &[]),
            ("q=XAMPLE.c&match=substring", &["other", "zoe2", "Zoe_1"]),
            ("q=zoe2&match=exact", &["zoe2"]),
            ("q=ext-zoe2&match=exact", &["zoe2"]),
            ("q=ext-zoe&match=exact", &[]),
            ("q=zoe&status=Suspended", &[]),
            ("q=zoe&createdFrom=2030-01-01T00:00:00Z", &[]),
        ] {
            for limit in [1, 10] {
                assert_eq!(found(&world, &owner, query, limit).await, names, "{query}");
            }
        }
        for bad in ["q=zo&match=substring", "cursor=x", "limit=0", "limit=101", "match=x", "status=x", "nonsense=1"] {
            call(&world, Some(&owner), "GET", &format!("{}?{bad}", users(SHOP)), None).await.is(422);
        }

        let before = found(&world, &owner, "", 2).await;
        let first = call(&world, Some(&owner), "GET", &format!("{}?limit=2", users(SHOP)), None).await.is(200);
        create(&world, &owner, json!({ "username": "newcomer" })).await;
        let mut names: Vec<String> = first["users"].as_array().unwrap().iter()
            .map(|user| user["username"].as_str().unwrap().to_owned()).collect();
        let cursor = format!("cursor={}", first["next"].as_str().unwrap());
        let rest = call(&world, Some(&owner), "GET", &format!("{}?{cursor}", users(SHOP)), None).await.is(200);
        names.extend(rest["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()));
        assert_eq!(names, before);
    }
}
