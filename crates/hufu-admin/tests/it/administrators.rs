//! `/admin/v1`: administrators' own accounts, conflicting names, files of users, and the page of
//! documentation about it.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use hufu_app::administration::AdminCaller;
use hufu_testkit::administration::{call, create, found, key, users};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::{AdminRole, Permission, PoolId, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::administration::TABLE;
use crate::client::{SIGNIN, claims, signin};
use crate::roles::{PASSWORD, first_login, one_who_stays};
use crate::world::{CAFE, FILE, MINI, NOW, Plan, SHOP, World};

/// Sends a file. Returns the status and the body.
pub(crate) async fn send(world: &World, key: &str, query: &str, kind: &str, file: &[u8]) -> (u16, String) {
    let request = Request::post(format!("/admin/v1/pools/{SHOP}/imports?{query}"))
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", kind);
    let answer =
        world.node.router.clone().oneshot(request.body(Body::from(file.to_vec())).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 22).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn text(world: &World, key: &str, path: &str) -> String {
    let request = Request::get(path).header("authorization", format!("Bearer {key}"));
    let answer = world.node.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 22).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

on_both_engines! {
    /// A new password, a logout and a suspension end an administrator's logins.
    async fn logins_of_administrators_end(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let new = json!({ "username": "mei", "role": "manager" });
        let made = call(&world, Some(&owner), "POST", "/admin/v1/administrators", Some(new)).await.is(201);
        let (id, given) = (made["id"].as_str().unwrap(), made["password"].as_str().unwrap());
        world.secret(given);
        let account = format!("{}/{id}", users("system"));
        let log_in = async |body: Value| call(&world, None, "POST", "/admin/v1/sessions", Some(body)).await;
        let works = async |login: &str| call(&world, Some(login), "GET", &users(SHOP), None).await.status == 200;
        let with = |password: &str| json!({ "username": "mei", "password": password });
        let login = async |password: &str| {
            let session = log_in(with(password)).await.is(201);
            let login = session["key"].as_str().unwrap().to_owned();
            world.secret(&login);
            login
        };

        // Whoever made the account knows its password, too: it is good for getting another one.
        assert_eq!(log_in(with(given)).await.is(403)["code"], 2449);
        first_login(&world, &made).await;
        log_in(with(given)).await.is(401);
        let first = PASSWORD;
        let mei = login(first).await;
        assert!(works(&mei).await);
        call(&world, Some(&owner), "DELETE", &format!("{account}/sessions"), None).await.is(200);
        assert!(!works(&mei).await);

        let mei = login(first).await;
        for operation in ["disable", "enable"] {
            call(&world, Some(&owner), "POST", &format!("{account}/{operation}"), None).await.is(200);
        }
        assert!(!works(&mei).await, "what ended does not begin again");

        let mei = login(first).await;
        let wish = json!({ "password": "a word for a while", "mustReset": true });
        call(&world, Some(&owner), "POST", &format!("{account}/password"), Some(wish)).await.is(200);
        assert!(!works(&mei).await);
        log_in(with(first)).await.is(401);
        // This password was set by someone else. It must be replaced before it can be used.
        let told = log_in(with("a word for a while")).await.is(403);
        assert_eq!(told["code"], 2449);
        let replaced = |new: &str| json!({ "username": "mei", "password": "a word for a while", "newPassword": new });
        log_in(replaced("a word for a while")).await.is(422);
        log_in(replaced("12345678")).await.is(422);
        let session = log_in(replaced("another long word")).await.is(201);
        world.secret(session["key"].as_str().unwrap());
        assert!(works(&login("another long word").await).await);
        log_in(with("a word for a while")).await.is(401);
    }

    /// The owner of one pool can appoint administrators for that pool only.
    async fn an_owner_of_a_pool_appoints_nobody_elses(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let of_cafe = key(&world, AdminRole::Owner, Some(CAFE)).await;
        let new = json!({ "username": "mei", "role": "auditor" });
        let made = call(&world, Some(&owner), "POST", "/admin/v1/administrators", Some(new)).await.is(201);
        world.secret(made["password"].as_str().unwrap());
        let path = format!("/admin/v1/administrators/{}", made["id"].as_str().unwrap());
        let wish = || Some(json!({ "role": "auditor", "pool": CAFE }));
        call(&world, Some(&of_cafe), "PUT", &path, wish()).await.is(404);
        call(&world, Some(&owner), "DELETE", &path, None).await.is(200);
        call(&world, Some(&of_cafe), "PUT", &path, wish()).await.is(404);
        call(&world, Some(&owner), "PUT", &path, wish()).await.is(200);
        call(&world, Some(&of_cafe), "PUT", &path, wish()).await.is(200);
    }

    /// One address cannot lock the administrators out.
    async fn guesses_lock_their_address_first(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let new = json!({ "username": "mei", "role": "auditor" });
        let made = call(&world, Some(&owner), "POST", "/admin/v1/administrators", Some(new)).await.is(201);
        first_login(&world, &made).await;
        let password = PASSWORD;
        let log_in = async |ip: [u8; 4], password: &str| {
            let body = json!({ "username": "mei", "password": password }).to_string();
            let client = world.nobody().from(ip);
            let answer = client.send(Method::POST, "/admin/v1/sessions", "application/json", body.into()).await;
            answer.status.as_u16()
        };
        let (near, far) = ([203, 0, 113, 7], [198, 51, 100, 9]);
        let codes = futures::future::join_all((0..30).map(|_| log_in(near, "wrong"))).await;
        assert!(codes.contains(&429) && !codes.contains(&201));
        assert_eq!(log_in(near, password).await, 429);
        assert_eq!(log_in(far, password).await, 201);
    }

    /// Failures from many addresses refuse an administrator's name everywhere but where they logged in before. Who is
    /// refused is told how long to wait.
    async fn strangers_lock_no_administrator_out(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let new = json!({ "username": "mei", "role": "auditor" });
        let made = call(&world, Some(&owner), "POST", "/admin/v1/administrators", Some(new)).await.is(201);
        first_login(&world, &made).await;
        let password = PASSWORD;
        let log_in = async |ip: [u8; 4], password: &str| {
            let body = json!({ "username": "mei", "password": password }).to_string();
            let client = world.nobody().from(ip);
            client.send(Method::POST, "/admin/v1/sessions", "application/json", body.into()).await
        };
        let (home, elsewhere) = ([203, 0, 113, 7], [192, 0, 2, 1]);
        assert_eq!(log_in(home, password).await.status, 201);
        for stranger in 0..10 {
            for _ in 0..10 {
                assert_eq!(log_in([198, 51, 100, stranger], "wrong").await.status, 401);
            }
        }
        let refused = log_in(elsewhere, password).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (429, 1002));
        let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=900).contains(&seconds), "{seconds}");
        assert!(refused.json()["message"].as_str().unwrap().contains(&format!(" {seconds} ")), "{refused}");
        assert_eq!(log_in(home, password).await.status, 201);
        // From there, too, only so many tries are looked at.
        for _ in 0..10 {
            assert_eq!(log_in(home, "wrong").await.status, 401);
        }
        assert_eq!(log_in(home, password).await.status, 429);
        world.advance(std::time::Duration::from_secs(seconds));
        assert_eq!(log_in(elsewhere, password).await.status, 201);
    }

    /// A name is only given up to a change that succeeds.
    async fn a_refused_change_takes_nothing(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let row = br#"{"username":"bob","email":"shared@example.com","emailVerified":false}"#;
        assert_eq!(send(&world, &owner, "", "application/x-ndjson", row).await.0, 202);
        world.node.app.wait_for_imports().await;
        let bobs = call(&world, Some(&owner), "GET", &format!("{}?q=bob", users(SHOP)), None).await.is(200);
        let bobs = format!("{}/{}", users(SHOP), bobs["users"][0]["id"].as_str().unwrap());
        let update = json!({ "email": "shared@example.com" });
        let refused = json!({ "email": "shared@example.com", "phone": "+8613912340000", "username": "carol" });
        call(&world, Some(&owner), "POST", &users(SHOP), Some(refused)).await.is(409);
        let kept = call(&world, Some(&owner), "GET", &bobs, None).await.is(200);
        assert_eq!(kept["email"], "shared@example.com");
        let carol = create(&world, &owner, json!({ "username": "carol" })).await;
        call(&world, Some(&owner), "PATCH", &format!("{}/{carol}", users(SHOP)), Some(update)).await.is(200);
        let kept = call(&world, Some(&owner), "GET", &bobs, None).await.is(200);
        assert_eq!(kept["email"], Value::Null);
    }

    /// Custom fields that users cannot see are in none of their tokens.
    async fn invisible_fields_are_in_no_token(database) {
        let world = World::new(database).await;
        let fields = "custom_fields = [{ key = \"size\", type = \"string\" }, { key = \"note\", type = \"string\", visible = false }]";
        let settings = format!("name = \"Shop\"\n  [user_pool.settings]\n  {fields}");
        world.reconfigure(&FILE.replacen("name = \"Shop\"", &settings, 1)).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let noted = json!({ "customData": { "size": "M", "note": "difficult" } });
        let path = format!("{}/{}", users(SHOP), bob.id);
        call(&world, Some(&owner), "PATCH", &path, Some(noted)).await.is(200);
        let payload = json!({ "code": world.code(MINI, "bob"), "iv": "", "encryptedData": "" });
        let mut body = signin("wechat_mini_program_code", "wechatMiniProgramCodePayload", &payload);
        body["options"]["scope"] = "openid offline_access extended_fields".into();
        let tokens = world.client().post(SIGNIN, body).await.tokens();
        assert_eq!(claims(&tokens.id)["extended_fields"], json!({ "size": "M" }));
        let seen = call(&world, Some(&owner), "GET", &path, None).await.is(200);
        assert_eq!(seen["customData"]["note"], "difficult");
    }

    /// The id of a merged account leads to the account that it was merged into.
    async fn old_ids_lead_to_the_survivor(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let one = create(&world, &owner, json!({ "username": "one", "phone": "+8613800004444" })).await;
        let two = create(&world, &owner, json!({ "username": "two", "phone": "+8613800003333" })).await;
        let merges = format!("{}/{one}/merges", users(SHOP));
        let wish = |merged: &str| Some(json!({ "merged": merged }));
        call(&world, Some(&owner), "POST", &merges, wish(&one)).await.is(409);
        let preview = json!({ "merged": two, "dryRun": true });
        call(&world, Some(&owner), "POST", &merges, Some(preview)).await.is(200);
        call(&world, Some(&owner), "POST", &merges, wish(&two)).await.is(201);
        let old = format!("{}/{two}", users(SHOP));
        let got = call(&world, Some(&owner), "GET", &old, None).await.is(200);
        assert_eq!((&got["id"], &got["mergedFrom"]), (&json!(one), &json!(two)));
        call(&world, Some(&owner), "PATCH", &old, Some(json!({ "username": "x" }))).await.is(409);
        assert_eq!(got["merged"][0]["username"], "two");
        let unbind = |user: &str| format!("{}/{user}/unbind-merged-name", users(SHOP));
        for (user, name, status) in [
            (&one, json!({ "username": "one" }), 404),
            (&two, json!({ "phone": "+8613800003333" }), 409),
            (&one, json!({}), 422),
            (&one, json!({ "username": "two", "phone": "+8613800003333" }), 422),
            (&one, json!({ "phone": "+8613800003333" }), 204),
            (&one, json!({ "phone": "+8613800003333" }), 404),
        ] {
            call(&world, Some(&owner), "POST", &unbind(user), Some(name)).await.is(status);
        }
        create(&world, &owner, json!({ "username": "three", "phone": "+8613800003333" })).await;
        let list = call(&world, Some(&owner), "GET", &merges, None).await.is(200);
        let id = list["merges"][0]["id"].as_str().unwrap();
        let undo = format!("/admin/v1/pools/{SHOP}/merges/{id}/undo");
        call(&world, Some(&owner), "POST", &undo, None).await.is(200);
        let got = call(&world, Some(&owner), "GET", &old, None).await.is(200);
        assert_eq!((&got["id"], &got["username"]), (&json!(two), &json!("two")));
        call(&world, Some(&owner), "POST", &undo, None).await.is(409);
    }

    /// A file is imported over HTTP row by row, with progress, and exported again.
    async fn files_come_in_and_go_out(database) {
        let world = World::new(database).await;
        let manager = key(&world, AdminRole::Manager, Some(SHOP)).await;
        let csv = "username,phone,openid,connection\r\n\
                   kim,+8613800002222,o-kim,shop-mini\r\n\
                   kim,,,\r\n\
                   lee,,,\r\n\
                   bad name@,,,\r\n";
        let (status, checked) = send(&world, &manager, "dryRun=true", "text/csv", csv.as_bytes()).await;
        let checked: Value = serde_json::from_str(&checked).unwrap();
        assert_eq!((status, &checked["created"], &checked["refused"]), (200, &json!(2), &json!(2)));
        assert_eq!(checked["refusals"][0]["row"], 2);
        assert!(found(&world, &manager, "q=kim", 10).await.is_empty());

        let (status, began) = send(&world, &manager, "fileName=users.csv", "text/csv; charset=utf-8", csv.as_bytes()).await;
        assert_eq!(status, 202, "{began}");
        let began: Value = serde_json::from_str(&began).unwrap();
        world.node.app.wait_for_imports().await;
        let path = format!("/admin/v1/pools/{SHOP}/imports/{}", began["id"].as_str().unwrap());
        let import = call(&world, Some(&manager), "GET", &path, None).await.is(200);
        assert_eq!((&import["state"], &import["rows"], &import["created"]), (&json!("finished"), &json!(4), &json!(2)));
        let report = text(&world, &manager, &format!("{path}/report")).await;
        assert!(report.starts_with("row,reason\r\n2,") && report.lines().count() == 3, "{report}");
        let list = call(&world, Some(&manager), "GET", &format!("/admin/v1/pools/{SHOP}/imports?limit=1"), None).await.is(200);
        assert_eq!((&list["imports"][0]["fileName"], &list["next"]), (&json!("users.csv"), &began["id"]));

        // The second time all users exist already.
        let (_, again) = send(&world, &manager, "onExisting=skip", "text/csv", csv.as_bytes()).await;
        let again: Value = serde_json::from_str(&again).unwrap();
        world.node.app.wait_for_imports().await;
        let path = format!("/admin/v1/pools/{SHOP}/imports/{}", again["id"].as_str().unwrap());
        let import = call(&world, Some(&manager), "GET", &path, None).await.is(200);
        assert_eq!((&import["skipped"], &import["created"]), (&json!(3), &json!(0)));

        let out = text(&world, &manager, &format!("/admin/v1/pools/{SHOP}/export")).await;
        assert!(out.contains("\"username\":\"kim\"") && !out.contains("passwordHash"), "{out}");
        assert_eq!(out.lines().count(), 3, "alice, kim and lee");
        let out = text(&world, &manager, &format!("/admin/v1/pools/{SHOP}/export?format=json")).await;
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap().as_array().unwrap().len(), 3);
        let log = format!("/admin/v1/pools/{SHOP}/audit?action=users.imported,users.exported");
        let log = call(&world, Some(&manager), "GET", &log, None).await.is(200);
        assert_eq!(log["events"].as_array().unwrap().len(), 3, "an import that made nobody is no entry");
    }

    /// One import of each pool at a time: the slot is taken before the file is received, and no pool waits for another.
    async fn an_import_takes_the_slot_of_its_pool_before_the_file_is_there(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let by = AdminCaller::command_line();
        let slot = world.node.app.begin_import(&by, &PoolId::parse(SHOP).unwrap()).await.unwrap();
        let file = b"username\r\nkim\r\n";
        let (status, told) = send(&world, &owner, "", "text/csv", file).await;
        assert_eq!((status, told.contains("2452")), (409, true), "{told}");
        let elsewhere = world.node.app.begin_import(&by, &PoolId::parse(CAFE).unwrap()).await.unwrap();
        drop((slot, elsewhere));
        assert_eq!(send(&world, &owner, "", "text/csv", file).await.0, 202);
        world.node.app.wait_for_imports().await;
    }

    /// The files of all imports on a node have a limit together, and one that is refused gives its room back.
    async fn files_of_all_imports_are_bounded_together(database) {
        let plan = Plan::new().limits(|limits| limits.import_spool_bytes = 1000);
        let world = plan.build(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let mut of_cafe =
            world.node.app.begin_import(&AdminCaller::command_line(), &PoolId::parse(CAFE).unwrap()).await.unwrap();
        of_cafe.reserve(900).unwrap();
        let file = format!("username\r\n{}", "kim\r\n".repeat(40));
        for _ in 0..2 {
            let (status, told) = send(&world, &owner, "", "text/csv", file.as_bytes()).await;
            assert_eq!((status, told.contains("2454")), (503, true), "{told}");
        }
        drop(of_cafe);
        assert_eq!(send(&world, &owner, "", "text/csv", file.as_bytes()).await.0, 202);
        world.node.app.wait_for_imports().await;
    }

    /// An import can be cancelled, once; its state and the audit log say so.
    async fn an_import_is_cancelled(database) {
        let world = World::new(database).await;
        let manager = key(&world, AdminRole::Manager, Some(SHOP)).await;
        let id = "0".repeat(24);
        let stopped = format!(
            "INSERT INTO imports (pool_id, id, fingerprint, file_name, rows_done, created, skipped, refused, started_at,
                updated_at, failure) VALUES ('{SHOP}', '{id}', 'x', 'users.csv', 500, 400, 0, 100, 1, 1, 'the node was stopped')"
        );
        raw::execute(world.database(), &stopped).await;
        let path = format!("/admin/v1/pools/{SHOP}/imports/{id}");
        let import = call(&world, Some(&manager), "GET", &path, None).await.is(200);
        assert_eq!(import["state"], "stopped");
        let support = key(&world, AdminRole::Support, Some(SHOP)).await;
        call(&world, Some(&support), "DELETE", &path, None).await.is(403);
        let import = call(&world, Some(&manager), "DELETE", &path, None).await.is(200);
        assert_eq!((&import["state"], &import["rows"]), (&json!("cancelled"), &json!(500)));
        assert_eq!(call(&world, Some(&manager), "GET", &path, None).await.is(200)["state"], "cancelled");
        assert_eq!(call(&world, Some(&manager), "DELETE", &path, None).await.is(409)["code"], 2455);
        let unknown = format!("/admin/v1/pools/{SHOP}/imports/{}", "1".repeat(24));
        call(&world, Some(&manager), "DELETE", &unknown, None).await.is(404);
        let log = format!("/admin/v1/pools/{SHOP}/audit?action=users.import_cancelled");
        let log = call(&world, Some(&manager), "GET", &log, None).await.is(200);
        assert_eq!((log["events"].as_array().unwrap().len(), &log["events"][0]["details"]["created"]), (1, &json!(400)));
    }

    /// A dismissed administrator keeps nothing: their logins end, and the keys that they made, directly or with such a key.
    async fn keys_of_a_dismissed_administrator_end(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        one_who_stays(&world, &owner).await;
        let new = json!({ "username": "mei", "role": "owner" });
        let made = call(&world, Some(&owner), "POST", "/admin/v1/administrators", Some(new)).await.is(201);
        let mei = made["id"].as_str().unwrap();
        let session = first_login(&world, &made).await;
        let login = session["key"].as_str().unwrap();
        let make = async |by: &str, name: &str, expires_at: Value| {
            let wish = json!({ "name": name, "role": "owner", "expiresAt": expires_at });
            call(&world, Some(by), "POST", "/admin/v1/keys", Some(wish)).await
        };
        let text = |made: &Value| {
            let text = made["key"].as_str().unwrap().to_owned();
            world.secret(&text);
            text
        };
        let first = make(login, "first", Value::Null).await.is(201);
        let year = Timestamp(NOW.0 + 365 * 86_400_000).to_iso();
        assert_eq!((&first["createdBy"], &first["expiresAt"]), (&json!(mei), &json!(year)));
        let first = text(&first);
        let second = make(&first, "second", json!(Timestamp(NOW.0 + 1000).to_iso())).await.is(201);
        assert_eq!(second["createdBy"], mei, "a key answers with its maker");
        let second = text(&second);
        let told = make(login, "forever", json!("2999-01-01T00:00:00Z")).await.is(422);
        assert!(told["message"].as_str().unwrap().contains("expiresAt"), "{told}");
        let mut management = Vec::new();
        for (by, pool) in [(login, SHOP), (&first, CAFE), (&owner, CAFE)] {
            let path = format!("/admin/v1/pools/{pool}/management-keys");
            let made = call(&world, Some(by), "POST", &path, Some(json!({}))).await.is(201);
            world.secret(made["secret"].as_str().unwrap());
            management.push((path, made["id"].clone(), made["createdBy"].as_str() == Some(mei)));
        }
        assert_eq!(management.iter().map(|(_, _, hers)| *hers).collect::<Vec<_>>(), [true, true, false]);

        // Keys of earlier versions never expire. They go on, and are shown so.
        raw::execute(world.database(), "UPDATE access_keys SET expires_at = NULL WHERE name = 'test'").await;
        let listed = call(&world, Some(&owner), "GET", "/admin/v1/keys", None).await.is(200);
        let mut listed: Vec<_> = listed["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| (key["name"].as_str().unwrap(), key["createdBy"].as_str(), key["expiresAt"].is_null()))
            .collect();
        listed.sort_unstable();
        assert_eq!(listed, [("first", Some(mei), false), ("second", Some(mei), false), ("test", None, true)]);

        let works = async |key: &str| call(&world, Some(key), "GET", &users(SHOP), None).await.status == 200;
        assert!(works(login).await && works(&first).await && works(&second).await);
        call(&world, Some(&owner), "DELETE", &format!("/admin/v1/administrators/{mei}"), None).await.is(200);
        assert!(!works(login).await && !works(&first).await && !works(&second).await && works(&owner).await);
        let log = "/admin/v1/pools/system/audit?action=access_key.revoked";
        let log = call(&world, Some(&owner), "GET", log, None).await.is(200);
        let ended: Vec<_> = log["events"].as_array().unwrap().iter().map(|event| &event["details"]["createdBy"]).collect();
        assert_eq!(ended, [mei, mei]);
        // So do the management keys, whose pools' logs say it.
        for (path, id, hers) in &management {
            let listed = call(&world, Some(&owner), "GET", path, None).await.is(200);
            let lives = listed["keys"].as_array().unwrap().iter().any(|key| key["id"] == *id);
            assert_eq!(lives, !hers, "{path}");
            let log = path.replace("management-keys", "audit?action=management_key.ended");
            let log = call(&world, Some(&owner), "GET", &log, None).await.is(200);
            let events: Vec<_> = log["events"].as_array().unwrap().iter().map(|event| &event["details"]).collect();
            let hers_ended = management.iter().filter(|(of, _, hers)| of == path && *hers).map(|(_, id, _)| id);
            let wanted: Vec<_> = hers_ended.map(|id| json!({ "key": id, "createdBy": mei })).collect();
            assert_eq!(events, wanted.iter().collect::<Vec<_>>());
        }
    }

    /// The format of a file is what the parameter, the content type or the file's name says; a refusal tells all three.
    async fn the_format_of_a_file_is_said_in_three_ways(database) {
        let world = World::new(database).await;
        let manager = key(&world, AdminRole::Manager, Some(SHOP)).await;
        let file = b"username\r\nkim\r\n";
        let form = "application/x-www-form-urlencoded";
        for (query, kind) in [
            ("dryRun=true&format=csv", form),
            ("dryRun=true&fileName=users.CSV", form),
            ("dryRun=true", "text/csv"),
            ("dryRun=true&format=csv&fileName=users.json", "application/json"),
            ("dryRun=true&fileName=users.csv", "application/octet-stream"),
        ] {
            let (status, told) = send(&world, &manager, query, kind, file).await;
            assert_eq!(status, 200, "{query} {kind}: {told}");
        }
        for query in ["dryRun=true", "dryRun=true&fileName=users.xlsx"] {
            let (status, told) = send(&world, &manager, query, form, file).await;
            assert_eq!(status, 422, "{told}");
            for way in ["format=csv", "fileName", "text/csv", "application/x-ndjson"] {
                assert!(told.contains(way), "{told}");
            }
        }
    }

    /// An unknown field is refused with its name and the fields that there are.
    async fn an_unknown_field_is_refused_by_name(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let kim = create(&world, &owner, json!({ "username": "kim" })).await;
        let kim = format!("{}/{kim}", users(SHOP));
        for (method, path, body, field, known) in [
            ("PATCH", kim.as_str(), json!({ "usernam": "x" }), "usernam", "username"),
            ("PATCH", &kim, json!({ "profile": { "nick": "x" } }), "profile.nick", "givenName"),
            ("POST", &users(SHOP), json!({ "username": "lee", "mail": "x" }), "mail", "email"),
            ("POST", "/admin/v1/keys", json!({ "name": "x", "role": "owner", "expires": "x" }), "expires", "expiresAt"),
            ("PUT", "/admin/v1/administrators/x", json!({ "rolle": "owner" }), "rolle", "role"),
        ] {
            let told = call(&world, Some(&owner), method, path, Some(body)).await.is(422);
            let message = told["message"].as_str().unwrap();
            assert!(message.contains(field) && message.contains(known), "{told}");
        }
        for bad in ["javascript:alert(1)", "data:text/html,x"] {
            let change = json!({ "profile": { "website": bad } });
            call(&world, Some(&owner), "PATCH", &kim, Some(change)).await.is(422);
        }
    }

    /// Files that are invalid as a whole are refused before anything is written.
    async fn unfit_files_are_refused(database) {
        let world = World::new(database).await;
        let manager = key(&world, AdminRole::Manager, Some(SHOP)).await;
        for (query, kind, file, status, code) in [
            ("", "text/csv", &b"usrname\r\nx\r\n"[..], 422, 2450),
            ("", "text/csv", b"username\r\n\xc4\xe3\r\n", 422, 2450),
            ("", "text/plain", b"username\r\nx\r\n", 422, 2231),
            ("format=xls", "text/csv", b"username\r\nx\r\n", 422, 2231),
            ("onExisting=merge", "text/csv", b"username\r\nx\r\n", 422, 2231),
        ] {
            let (got, body) = send(&world, &manager, query, kind, file).await;
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((got, body["code"].as_u64()), (status, Some(code)), "{body}");
        }
        let list = call(&world, Some(&manager), "GET", &format!("/admin/v1/pools/{SHOP}/imports"), None).await.is(200);
        assert_eq!(list["imports"], json!([]));
        let auditor = key(&world, AdminRole::Auditor, Some(SHOP)).await;
        assert_eq!(send(&world, &auditor, "", "text/csv", b"username\r\nx\r\n").await.0, 403);
    }
}

/// docs/administration.md lists every route and every permission, with the roles.
#[test]
fn the_page_names_every_route_and_permission() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/administration.md"))
        .unwrap();
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
        inner.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = page.lines().filter(|line| line.starts_with('|')).map(cells).collect();
    let routes: BTreeSet<_> = rows
        .iter()
        .filter(|row| row.len() == 4 && row[1].starts_with("/admin/v1/"))
        .map(|row| (row[0].as_str(), row[1].as_str(), row[3].as_str()))
        .collect();
    let others = [
        ("GET", "/admin/v1/openapi.json", "no key"),
        ("GET", "/admin/v1/docs", "no key"),
        ("POST", "/admin/v1/sessions", "no key"),
        ("DELETE", "/admin/v1/sessions/current", "a login's key"),
        ("POST", "/admin/v1/invitations/accept", "no key"),
    ];
    let table = TABLE.iter().map(|(method, path, roles, _)| (*method, *path, *roles));
    assert_eq!(routes, table.chain(others).collect());
    for permission in Permission::ALL {
        let roles: Vec<_> =
            AdminRole::ALL.iter().filter(|role| role.may(*permission)).map(|role| role.as_str()).collect();
        let row = rows.iter().find(|row| row.len() == 3 && row[0] == permission.as_str());
        assert_eq!(row.map(|row| row[2].as_str()), Some(roles.join(" ").as_str()), "{}", permission.as_str());
    }
}
