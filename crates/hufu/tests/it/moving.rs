//! `hufu import authing`: a pool moves in, is interrupted, moves in again, and its people log in as who they were.

use std::process::Command;

use hufu_store::{Read, Store, StoreError, Tx};
use hufu_testkit::authing::{Authing, Content, KEY_ID, KEY_SECRET, RECORDED, Trouble};
use hufu_testkit::{TestDatabase, on_both_engines};
use serde_json::{Value, json};

use crate::support::{APP_ID, APPLICATION, Instance, POOL, Process, Ran, TIMEOUT};

/// The pool that the other one moves into, where a name is taken, and another pool, where an id is.
const POOLS: &str = r#"
[[user_pool]]
id = "6560c0ffee00000000000001"
name = "Shop"
  [[user_pool.user]]
  username = "taken"
[[user_pool]]
id = "6560c0ffee00000000000011"
name = "Cafe"
  [[user_pool.application]]
  id = "6560c0ffee00000000000006"
  name = "Cafe"
  type = "spa"
  connections = []
"#;

const ALICE: &str = "6229ffaxxxxxxxxcade3e3d9";
const BOB: &str = "6229ffaxxxxxxxxcade3e3da";
/// A hash by bcrypt and its password, from the tests of crypt_blowfish (Openwall).
const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
const PASSWORD: &str = "U*U";
/// The website that was recorded.
const WEB: &str = "6560c0ffee00000000000003";
const USERS: &str = "/api/v3/list-users";
const TOLD: &str = "New client secret of 6560c0ffee00000000000003, shown only here: ";

async fn instance(database: TestDatabase) -> Instance {
    let instance = Instance::empty(database).await;
    instance.run(&["migrate"]).await.succeeded();
    instance.write("pools.toml", POOLS);
    instance.run(&["apply", "pools.toml"]).await.succeeded();
    instance.write("secret", &format!("{KEY_SECRET}\n"));
    instance
}

/// What was recorded, with the ids that alice and bob have at the simulated WeChat.
fn content(instance: &Instance) -> Content {
    let people = instance.sandbox.users();
    let ids = |name: &str| {
        let person = people.iter().find(|person| person.name == name).unwrap();
        let ids = person.ids.iter().find(|ids| ids.app_id == APP_ID).unwrap();
        (ids.openid.clone(), ids.unionid.clone().unwrap())
    };
    let ((openid, unionid), (_, of_bob)) = (ids("alice"), ids("bob"));
    Content::recorded(&[
        ("OPENID_OF_ALICE", openid.as_str()),
        ("UNIONID_OF_ALICE", unionid.as_str()),
        ("UNIONID_OF_BOB", of_bob.as_str()),
    ])
}

/// Users of the other system, each with an OpenID.
fn crowd(count: usize) -> Vec<Value> {
    let user = |n: usize| {
        json!({
            "userId": format!("user-{n}"), "username": format!("name-{n}"), "status": "Activated",
            "createdAt": "2022-07-03T02:20:30.000Z", "gender": "U", "emailVerified": false, "phoneVerified": false,
            "identities": [{
                "identityId": "i", "extIdpId": "62f20932716fbcc10d9660e1", "provider": "wechat", "type": "openid",
                "userIdInIdp": format!("o-{n}"), "userInfoInIdp": {}, "originConnIds": ["62f20932716fbcc10d9660a1"],
            }],
            "customData": {},
        })
    };
    (1..=count).map(user).collect()
}

fn arguments<'a>(api: &'a Authing, more: &[&'a str]) -> Vec<&'a str> {
    let own = [
        "import",
        "authing",
        "--pool",
        POOL,
        "--host",
        &api.uri,
        "--access-key",
        KEY_ID,
        "--access-key-secret-file",
        "secret",
    ];
    [&own, more].concat()
}

async fn import(instance: &Instance, api: &Authing, more: &[&str]) -> Ran {
    instance.run(&arguments(api, more)).await
}

struct Count;

#[derive(Debug, PartialEq, Eq)]
struct Found {
    rows_done: i64,
    /// Imports that have something to tell.
    told: i64,
    users: i64,
    identities: i64,
    connections: i64,
    applications: i64,
}

impl Read for Count {
    type Out = Found;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Found, StoreError> {
        let mut counts = Vec::new();
        for sql in [
            "SELECT COALESCE(MAX(rows_done), 0) FROM imports",
            "SELECT COUNT(DISTINCT import_id) FROM import_notes",
            "SELECT COUNT(*) FROM users",
            "SELECT COUNT(*) FROM identities",
            "SELECT COUNT(*) FROM connections",
            "SELECT COUNT(*) FROM applications WHERE pool_id = '6560c0ffee00000000000001'",
        ] {
            counts.push(tx.optional(sql, &[], |row| row.get(0)).await?.unwrap_or_default());
        }
        let [rows_done, told, users, identities, connections, applications] = counts[..] else {
            panic!("six counts")
        };
        Ok(Found { rows_done, told, users, identities, connections, applications })
    }
}

async fn count(instance: &Instance) -> Found {
    let store = Store::open(&instance.database_url().parse().unwrap()).await.unwrap();
    let found = store.read(Count).await.unwrap();
    store.close().await;
    found
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

fn report(instance: &Instance, name: &str) -> String {
    std::fs::read_to_string(instance.path(name)).unwrap()
}

/// What every report of the recorded pool says.
const FINDINGS: [&str; 24] = [
    "field,card,卡号,differs,setting_without_counterpart,isUnique: ",
    "connection,62f20932716fbcc10d9660a2,pc,differs,setting_without_counterpart,challengeBindingMethods: ",
    "connection,62f20932716fbcc10d9660a2,pc,differs,setting_without_counterpart,fields.syncProfile: ",
    "connection,62f20932716fbcc10d9660a8,old,refused,fields_not_told,",
    "connection,62f20932716fbcc10d9660b1,钉钉,not_taken,source_not_supported,",
    "source,62f20932716fbcc10d9660e3,公司 SSO,not_taken,source_empty,",
    "application,6560c0ffee00000000000002,小店小程序,differs,setting_without_counterpart,oidcConfig.id_token_signed_",
    "application,6560c0ffee00000000000002,小店小程序,differs,setting_without_counterpart,loginConfig.defaultLoginMethod: ",
    "application,6560c0ffee00000000000002,小店小程序,differs,setting_without_counterpart,registerConfig.defaultRegisterMethod: ",
    "application,6560c0ffee00000000000003,小店网站,differs,redirect_uri_refused,redirect_uris: https://*.shop.",
    "application,6560c0ffee00000000000003,小店网站,differs,redirect_uri_refused,redirect_uris: http://shop.",
    "application,6560c0ffee00000000000003,小店网站,differs,connection_unusable,",
    "application,6560c0ffee00000000000003,小店网站,differs,connection_missing,",
    "application,6560c0ffee00000000000003,小店网站,differs,protocol_not_supported,samlProviderEnabled",
    "application,6560c0ffee00000000000003,小店网站,differs,setting_without_counterpart,oidcConfig.grant_types: pass",
    "application,6560c0ffee00000000000004,旧系统,not_taken,application_not_supported,",
    "application,6560c0ffee00000000000005,Jira,not_taken,application_not_supported,",
    "application,6560c0ffee00000000000006,别家的应用,refused,id_taken,",
    "user,6229ffaxxxxxxxxcade3e3da,,differs,field_not_valid,photo: ",
    "user,6229ffaxxxxxxxxcade3e3da,,differs,field_not_valid,`level`",
    "user,6229ffaxxxxxxxxcade3e3da,,differs,identity_not_supported,",
    "user,6229ffaxxxxxxxxcade3e3da,,differs,identity_without_connection,",
    "user,6229ffaxxxxxxxxcade3e3db,,differs,status_differs,",
    "user,6229ffaxxxxxxxxcade3e3dd,,refused,username_taken,",
];

on_both_engines! {
    async fn a_pool_moves_in_and_its_people_log_in_as_who_they_were(database) {
        let instance = instance(database).await;
        let api = Authing::start(content(&instance)).await;
        let before = count(&instance).await;

        let dry = import(&instance, &api, &["--dry-run", "--report", "dry.csv"]).await;
        assert_eq!(dry.code, Some(2), "{dry:?}");
        let tallies = |made: &str| {
            [
                format!("custom fields 3 {made}, 0 there already\n"),
                format!("sources       0 {made}, 0 there already, 1 not taken\n"),
                format!("connections   7 {made}, 0 there already, 1 refused, 1 not taken\n"),
                format!("applications  2 {made}, 0 there already, 1 refused, 2 not taken\n"),
                format!("users         4 {made}, 0 there already, 1 refused\n"),
            ]
            .concat()
        };
        has(&dry.out, &[&tallies("would be created"), "1 user: username_taken", "Dry run: nothing was changed.\n"]);
        has(&report(&instance, "dry.csv").replace('"', ""), &FINDINGS);
        assert_eq!(count(&instance).await, before, "a dry run writes nothing");

        let ran = import(&instance, &api, &["--report", "report.csv"]).await;
        assert_eq!(ran.code, Some(2), "{ran:?}");
        has(&ran.out, &[&tallies("created"), "gives no password hashes"]);
        let report = report(&instance, "report.csv").replace('"', "");
        has(&report, &FINDINGS);
        has(&report, &["connection,62f20932716fbcc10d9660a5,account,created,,"]);
        assert!(!report.contains("alice") && !report.contains("5ec2e7"), "nothing about people, and no secrets: {report}");
        let found = count(&instance).await;
        assert_eq!((found.users, found.connections, found.applications), (before.users + 4, 7, 2));
        // Alice's OpenID and UnionID, and bob's UnionID.
        assert_eq!((found.identities, found.rows_done), (3, 5));

        let server = instance.serve().await;
        for (person, id) in [("alice", ALICE), ("bob", BOB)] {
            let user = server.client.log_in_from(APP_ID, &instance.code(Some(person))).await.data();
            assert_eq!(user["id"], id, "{user}");
        }
        let alice = server.client.log_in_from(APP_ID, &instance.code(Some("alice"))).await.data();
        assert_eq!(
            [&alice["username"], &alice["email"], &alice["phone"], &alice["nickname"], &alice["externalId"]],
            ["alice", "alice@example.com", "13800000001", "阿丽", "10010"].map(Value::from).each_ref()
        );
        assert!(server.client.log_in_from(APP_ID, &instance.code(None)).await.data()["id"] != ALICE);
        server.stop().await;

        let after = count(&instance).await;
        let again = import(&instance, &api, &["--report", "again.csv"]).await;
        assert_eq!(again.code, Some(2), "{again:?}");
        has(&again.out, &[
            "connections   0 created, 7 there already, 1 refused",
            "users         0 created, 4 there already, 1 refused",
            "Nothing was changed: whatever can come is there already.\n",
        ]);
        assert_eq!(count(&instance).await, after, "a second move changes nothing");
        assert_eq!(after.told, 1, "what the first one told is not kept");
        let exported = instance.run(&["export", "--pool", POOL, "--format", "jsonl"]).await;
        let exported = exported.succeeded();
        has(exported, &[r#""level":3"#, r#""createdAt":"2022-07-03T02:20:30.000Z""#, r#""status":"Archived""#]);
    }

    /// The hash of a password and the secret of an application are what they were: who has them needs no new ones.
    async fn passwords_and_secrets_go_on(database) {
        let instance = instance(database).await;
        let mut content = content(&instance);
        content.users[0]["password"] = HASH.into();
        let mini = &mut content.applications[0];
        assert_eq!(mini["appId"], APPLICATION);
        mini["loginConfig"]["enabledBasicLoginMethods"] = json!(["PHONE_CODE", "USERNAME_PASSWORD"]);
        let web = &mut content.applications[1];
        assert_eq!(web["appId"], WEB);
        web["oidcConfig"]["grant_types"].as_array_mut().unwrap().push("client_credentials".into());
        let secret = content.secrets[WEB].clone();
        let api = Authing::start(content).await;
        let ran = import(&instance, &api, &["--report", "report.csv"]).await;
        has(&ran.out, &["applications  2 created", "users         4 created"]);
        assert!(!ran.out.contains(TOLD), "the secret is kept: {}", ran.out);

        let server = instance.serve().await;
        let client = &server.client;
        let log_in = async |password: &str| {
            let payload = json!({ "username": "alice", "password": password });
            client.post("/api/v3/signin", &json!({ "connection": "PASSWORD", "passwordPayload": payload })).await
        };
        assert_eq!(log_in("U*V").await.code(), 2333, "another password is none of hers");
        let token = log_in(PASSWORD).await.token();
        assert_eq!(client.profile(&token).await.data()["userId"], ALICE);
        // Her hash is one of ours by now, of the same password.
        assert_eq!(client.profile(&log_in(PASSWORD).await.token()).await.data()["userId"], ALICE);

        let tokens = async |secret: &str| {
            let fields = [("grant_type", "client_credentials"), ("client_id", WEB), ("client_secret", secret)];
            client.post_form("/oidc/token", &fields).await
        };
        let (status, told) = tokens(&secret).await;
        assert_eq!((status, &told["token_type"]), (200, &json!("Bearer")), "{told}");
        assert!(told["access_token"].is_string(), "{told}");
        let (status, told) = tokens(&secret.replace('0', "1")).await;
        assert_eq!((status, &told["error"]), (401, &json!("invalid_client")), "{told}");
        server.stop().await;
    }

    async fn what_troubles_an_api_has_do_no_harm(database) {
        let instance = instance(database).await;
        let mut content = content(&instance);
        content.users = crowd(130);
        let api = Authing::start(content).await;
        let busy = |status| Some(Trouble::Status(status, Some(0)));
        api.trouble("/api/v3/get-custom-fields", [busy(429), Some(Trouble::Code(429)), busy(503)]);
        api.trouble("/api/v3/get-management-token", [busy(502)]);
        // Once without a word about when to come back: it takes a second.
        api.trouble("/api/v3/list-ext-idp", [Some(Trouble::Status(500, None))]);
        api.trouble(USERS, [None, Some(Trouble::TokenEnds), busy(500)]);
        let ran = import(&instance, &api, &["--auth", "token"]).await;
        has(&ran.out, &["users         130 created, 0 there already\n"]);
        let tokens = api.take_calls().iter().filter(|call| call.contains("get-management-token")).count();
        assert_eq!(tokens, 3, "one that failed, the first, and the one after it had ended");
        assert_eq!(count(&instance).await.identities, 130);
    }

    async fn a_page_that_is_too_large_comes_in_parts(database) {
        let instance = instance(database).await;
        let config = report(&instance, crate::support::CONFIG);
        instance.write(crate::support::CONFIG, &format!("{config}[limits]\nimport_answer_bytes = 60000\n"));
        let mut content = content(&instance);
        content.users = crowd(55);
        // Longer than an answer may be, by itself.
        content.users[52]["nickname"] = "x".repeat(70_000).into();
        let api = Authing::start(content).await;
        api.trouble(USERS, [Some(Trouble::Large(70_000)), Some(Trouble::Large(70_000))]);
        let ran = import(&instance, &api, &["--only", "connections,users"]).await;
        has(&ran.out, &["users         54 created, 0 there already, 1 refused\n", "not_valid, for example: the user is longer"]);
        assert!(api.take_calls().contains(&format!("{USERS} 53/1")));
        assert_eq!(count(&instance).await.rows_done, 55);
    }

    async fn what_nobody_can_read_is_taken_as_the_safer(database) {
        let instance = instance(database).await;
        let user = |id: &str, more: Value| {
            let mut user = json!({ "userId": id, "username": id, "emailVerified": true, "phoneVerified": true });
            user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            user
        };
        let identities = crowd(1)[0]["identities"].clone();
        let mut content = content(&instance);
        content.users = vec![
            user("user-a", json!({ "status": "Activated", "emailVerified": "TRUE", "email": "a@example.com" })),
            user("user-b", json!({
                "status": "Activated", "email": "b@example.com", "emailVerified": "perhaps", "phone": "13800000031",
                "phoneVerified": { "at": 1 }, "phoneProof": "code", "customData": { "phoneVerified": [[[[[[[[1]]]]]]]] },
            })),
            user("user-c", json!({
                "status": "Activated", "mergedInto": "user-a", "deleteAfter": "2020-01-01T00:00:00Z",
                "agreements": { "terms": "1" }, "identities": identities,
            })),
            user("user-d", json!({ "status": "Activated", "blocked": "TRUE" })),
            user("user-e", json!({ "status": "Activated", "blocked": 1 })),
            user("user-f", json!({ "blocked": "perhaps" })),
            user("user-g", json!({ "status": "Locked" })),
            user("user-h", json!({ "status": 7 })),
            user("user-i", json!({ "status": "Activated", "isDeleted": "yes" })),
            user("user-j", json!({ "status": "Activated", "blocked": "no", "isDeleted": 0 })),
            user("user-k", json!({ "status": "Activated", "phone": "13800000032", "phoneCountryCode": ["1"] })),
        ];
        content.applications.push(json!({ "appId": "6560c0ffee00000000000009", "appName": "\u{1b}[2J", "appType": "\u{1b}]0;x\u{7}" }));
        let api = Authing::start(content).await;
        let ran = import(&instance, &api, &["--report", "report.csv"]).await;
        has(&ran.out, &["users         11 created, 0 there already\n"]);
        let report = report(&instance, "report.csv").replace('"', "");
        has(&report, &[
            "user,user-b,,differs,field_not_valid,emailVerified: ",
            "user,user-b,,differs,field_not_valid,phoneVerified: ",
            "user,user-b,,differs,field_without_counterpart,phoneProof: ",
            "user,user-c,,differs,field_without_counterpart,mergedInto: ",
            "user,user-c,,differs,field_without_counterpart,deleteAfter: ",
            "user,user-c,,differs,field_without_counterpart,agreements: ",
            "user,user-d,,differs,status_differs,blocked: ",
            "user,user-g,,differs,status_differs,status: ",
            "user,user-i,,differs,status_differs,isDeleted: ",
            "application,6560c0ffee00000000000009,[2J,not_taken,application_not_supported,there are no applications of type ]0;x here",
        ]);
        assert!(!ran.out.contains('\u{1b}') && !report.contains('\u{1b}'), "{}", ran.out);
        let exported = instance.run(&["export", "--pool", POOL, "--format", "jsonl"]).await;
        let users: Vec<Value> =
            exported.succeeded().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |id: &str| users.iter().find(|user| user["id"] == id).unwrap();
        assert_eq!((&of("user-a")["emailVerified"], &of("user-b")["emailVerified"]), (&json!(true), &json!(false)));
        assert_eq!((&of("user-b")["phoneProof"], &of("user-k")["phone"]), (&json!("none"), &Value::Null));
        let merged = of("user-c");
        assert_eq!((&merged["mergedInto"], &merged["deleteAfter"]), (&Value::Null, &Value::Null));
        assert_eq!(merged["identities"][0]["value"], "o-1", "{merged}");
        for (id, status) in [
            ("user-a", "Activated"), ("user-c", "Activated"), ("user-d", "Suspended"), ("user-e", "Suspended"),
            ("user-f", "Suspended"), ("user-g", "Suspended"), ("user-h", "Suspended"), ("user-i", "Archived"),
            ("user-j", "Activated"),
        ] {
            assert_eq!(of(id)["status"], status, "{id}");
        }
    }

    async fn secrets_are_told_before_anything_can_stop_the_move(database) {
        let instance = instance(database).await;
        let mut content = content(&instance);
        content.secrets.clear();
        let api = Authing::start(content).await;
        let dry = import(&instance, &api, &["--dry-run"]).await;
        assert!(!dry.out.contains(TOLD), "a dry run makes none: {}", dry.out);
        api.trouble(USERS, [Some(Trouble::Code(403))]);
        let stopped = import(&instance, &api, &[]).await;
        assert_eq!(stopped.code, Some(1), "{stopped:?}");
        has(&stopped.err, &["does not accept the access key"]);
        has(&stopped.out, &[TOLD]);
        assert_eq!(count(&instance).await.applications, 2);
        let again = import(&instance, &api, &[]).await;
        assert!(!again.out.contains(TOLD), "it is there already: {}", again.out);
    }

    async fn an_api_that_never_ends_is_left(database) {
        let instance = instance(database).await;
        let config = report(&instance, crate::support::CONFIG);
        instance.write(crate::support::CONFIG, &format!("{config}[limits]\nimport_answer_bytes = 60000\n"));
        let mut content = content(&instance);
        content.users = crowd(50);
        let api = Authing::start(content).await;
        let only = ["--only", "users"];

        // Behind the last user it answers with too much, and there is nobody whom that could be.
        api.trouble(USERS, [None].into_iter().chain([Some(Trouble::Longer(70_000)); 3]));
        let ran = import(&instance, &api, &only).await;
        has(&ran.out, &["users         50 created, 0 there already\n"]);

        api.trouble(USERS, [Some(Trouble::Longer(70_000)); 80]);
        let ran = import(&instance, &api, &["--only", "users", "--dry-run"]).await;
        has(ran.failed(), &["the answer to /api/v3/list-users is longer than 60000 bytes"]);
        let api = Authing::start(Content { users: crowd(120), ..Content::default() }).await;
        api.trouble(USERS, [None, Some(Trouble::Page(1))]);
        let ran = import(&instance, &api, &only).await;
        has(ran.failed(), &["list-users is not this API: its pages are all the same"]);

        api.trouble("/api/v3/list-ext-idp", [Some(Trouble::CountsMore)]);
        let ran = import(&instance, &api, &only).await;
        has(ran.failed(), &["it lists fewer than its totalCount"]);
        api.trouble("/api/v3/list-applications", [Some(Trouble::CountsMore)]);
        let ran = import(&instance, &api, &["--only", "applications"]).await;
        has(ran.failed(), &["it lists fewer than its totalCount"]);
        api.change(|content| content.sources = (0..1001).map(|n| json!({ "id": n.to_string() })).collect());
        let ran = import(&instance, &api, &only).await;
        has(ran.failed(), &["list-ext-idp lists more than 1000, "]);
        api.change(|content| {
            content.sources.clear();
            content.applications = (0..10_001).map(|n| json!({ "appId": n.to_string() })).collect();
        });
        let ran = import(&instance, &api, &["--only", "applications"]).await;
        has(ran.failed(), &["list-applications lists more than 10000, "]);
        assert_eq!(count(&instance).await.applications, 0);
    }

    async fn somebody_who_leaves_meanwhile_makes_nobody_vanish(database) {
        let instance = instance(database).await;
        let mut content = content(&instance);
        content.users = crowd(450);
        let api = Authing::start(content).await;
        let before = count(&instance).await.users;
        // In a list that counts, within a batch.
        api.trouble(USERS, [None, None, None, Some(Trouble::Leaves(10))]);
        let ran = import(&instance, &api, &["--report", "report.csv"]).await;
        has(&ran.out, &["so it was read from its beginning", "users         449 created, 0 there already\n"]);
        assert!(!ran.out.contains("once more"), "{}", ran.out);
        assert_eq!(count(&instance).await.users, before + 449);

        // Somebody who comes at the same time hides it from who counts: after the first batch.
        let more = |n: usize| crowd(n).split_off(450);
        api.change(|content| content.users = more(900));
        api.trouble(USERS, std::iter::repeat_n(None, 4).chain([Some(Trouble::Replaced(10))]));
        let ran = import(&instance, &api, &[]).await;
        has(&ran.out, &["so it was read from its beginning", "users         251 created, 199 there already\n"]);
        assert_eq!(count(&instance).await.users, before + 449 + 451);

        // It is read again once: after that, it is said that somebody may be missing. A list that ends too early is read again
        // too, and is an error if it does so every time.
        api.change(|content| content.users = more(600));
        api.trouble(USERS, [None, None, Some(Trouble::Leaves(10)), None, None, Some(Trouble::Leaves(10))]);
        let ran = import(&instance, &api, &[]).await;
        assert_eq!(ran.code, Some(2), "{ran:?}");
        has(&ran.out, &["so it was read from its beginning", "once more"]);
        api.change(|content| content.users = crowd(20));
        api.trouble(USERS, [Some(Trouble::CountsMore)]);
        let ran = import(&instance, &api, &[]).await;
        has(&ran.out, &["so it was read from its beginning", "users         1 created, 19 there already\n"]);
        api.trouble(USERS, [Some(Trouble::CountsMore); 2]);
        has(import(&instance, &api, &[]).await.failed(), &["its pages are shorter than they were asked for"]);
    }

    async fn a_move_goes_on_after_somebody_who_cannot_be_read(database) {
        let instance = instance(database).await;
        let config = report(&instance, crate::support::CONFIG);
        instance.write(crate::support::CONFIG, &format!("{config}[limits]\nimport_answer_bytes = 60000\n"));
        let mut content = content(&instance);
        content.users = crowd(220);
        content.users[199]["nickname"] = "x".repeat(70_000).into();
        let api = Authing::start(content).await;
        // Three pages, and the fourth in 5 parts of 10, the last of them in 10 parts.
        let stop = std::iter::repeat_n(None, 3 + 1 + 5 + 10).chain([Some(Trouble::Code(403))]);
        api.trouble(USERS, stop);
        import(&instance, &api, &[]).await.failed();
        assert_eq!(count(&instance).await.rows_done, 200);
        let ran = import(&instance, &api, &[]).await;
        has(&ran.out, &["Resumed after user 200, ", "users         219 created, 0 there already, 1 refused\n"]);
        assert!(!ran.out.contains("from its beginning"), "{}", ran.out);
    }

    async fn a_move_that_is_killed_goes_on_where_it_was(database) {
        const ALL: i64 = 2_500;
        let instance = instance(database).await;
        let mut content = content(&instance);
        content.users = crowd(usize::try_from(ALL).unwrap());
        // One whose name an earlier one has, and one with a password of a kind that nobody knows.
        content.users[1200]["username"] = "name-7".into();
        content.users[20]["password"] = "0123456789abcdef".into();
        let api = Authing::start(content).await;
        let before = count(&instance).await.users;
        let arguments = arguments(&api, &["--report", "report.csv"]);
        let mut done = 0;
        for kill in 1..=3 {
            let mut import = Process::start(&mut instance.command(&arguments));
            let begun = std::time::Instant::now();
            let store = Store::open(&instance.database_url().parse().unwrap()).await.unwrap();
            while store.read(Count).await.unwrap().rows_done < done + 400 {
                assert!(begun.elapsed() < TIMEOUT, "the move does not get on");
                tokio::task::yield_now().await;
            }
            import.kill();
            store.close().await;
            let found = count(&instance).await;
            let refused = i64::from(found.rows_done > 1200);
            assert_eq!((found.users - before, found.identities), (found.rows_done - refused, found.users - before), "kill {kill}");
            done = found.rows_done;
        }
        api.take_calls();
        let ran = instance.run(&arguments).await;
        assert!(done < ALL, "it was killed before its end");
        has(&ran.out, &[&format!("Resumed after user {done}, "), &format!("users         {} created, 0 there already, 1 refused\n", ALL - 1)]);
        let first = api.take_calls().into_iter().find(|call| call.starts_with(USERS)).unwrap();
        assert_eq!(first, format!("{USERS} {}/50", (done - 1) / 50 + 1), "what is done is not asked for again");
        assert_eq!(count(&instance).await.identities, ALL - 1);
        has(&report(&instance, "report.csv"), &[
            "user,user-1201,,refused,username_taken,",
            "user,user-21,,differs,password_scheme_unknown,",
        ]);
    }

    async fn a_list_that_has_changed_since_is_read_from_its_beginning(database) {
        let instance = instance(database).await;
        let mut content = content(&instance);
        content.users = crowd(450);
        let api = Authing::start(content).await;
        let stop = || std::iter::repeat_n(None, 5).chain([Some(Trouble::Code(403))]);
        api.trouble(USERS, stop());
        let stopped = import(&instance, &api, &[]).await;
        has(stopped.failed(), &["does not accept the access key", "403"]);
        assert_eq!(count(&instance).await.rows_done, 200);
        // Somebody who came already is removed there, and everybody after them moves up.
        api.change(|content| drop(content.users.remove(10)));
        let ran = import(&instance, &api, &[]).await;
        has(&ran.out, &["so it was read from its beginning", "users         250 created, 199 there already\n"]);
        assert_eq!(count(&instance).await.identities, 450);

        api.trouble(USERS, stop());
        import(&instance, &api, &[]).await.failed();
        let ran = import(&instance, &api, &["--start-over"]).await;
        has(&ran.out, &["users         0 created, 449 there already\n", "Nothing was changed"]);
        assert!(!ran.out.contains("Resumed"), "{}", ran.out);
    }

    async fn what_is_in_the_way_is_reported_and_left(database) {
        let instance = instance(database).await;
        instance.write("way.toml", r#"
[[user_pool]]
id = "6560c0ffee00000000000001"
name = "Shop"
  [[user_pool.connection]]
  identifier = "mini"
  type = "wechat:miniprogram:default"
  fields = { app_id = "wx00000000000000ff", app_secret = "5ec2e7005ec2e7005ec2e7005ec2e7ff" }
  [[user_pool.connection]]
  identifier = "old"
  type = "wechat:pc"
  open_platform = "old"
  fields = { app_id = "wx00000000000000a8", app_secret = "5ec2e7005ec2e7005ec2e7005ec2e7a8" }
  [user_pool.settings]
  custom_fields = [{ key = "level", type = "string" }]
"#);
        instance.run(&["apply", "way.toml"]).await.succeeded();
        let api = Authing::start(content(&instance)).await;
        let ran = import(&instance, &api, &["--report", "report.json"]).await;
        assert_eq!(ran.code, Some(2), "{ran:?}");
        let report: Value = serde_json::from_str(&report(&instance, "report.json")).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let outcome = |kind: &str, id: &str| {
            let found = findings.iter().find(|finding| finding["kind"] == kind && finding["id"] == id).unwrap();
            (found["outcome"].as_str().unwrap().to_owned(), found["reason"].as_str().unwrap().to_owned())
        };
        let refused = |reason: &str| ("refused".to_owned(), reason.to_owned());
        assert_eq!(outcome("field", "level"), refused("field_taken"));
        assert_eq!(outcome("connection", "62f20932716fbcc10d9660a1"), refused("identifier_taken"));
        // One of which the API tells no fields is taken for the one that is there.
        assert_eq!(outcome("connection", "62f20932716fbcc10d9660a8").0, "left");
        assert_eq!(report["tallies"]["connection"], json!({ "created": 6, "left": 1, "refused": 1, "not_taken": 1 }));
        assert_eq!((&report["dry_run"], &report["tallies"]["user"]["created"]), (&json!(false), &json!(4)));
        // Alice's UnionID came through another connection as well, bob's through any; his OpenID is of the old site.
        // Alice's OpenID is of no connection here.
        assert_eq!(outcome("user", ALICE).1, "identity_without_connection");
        assert_eq!(count(&instance).await.identities, 4);
    }

    async fn files_say_the_same_as_the_api(database) {
        let instance = instance(database).await;
        let [users, applications, sources, fields] = RECORDED;
        for (name, text) in
            [("users.json", users), ("applications.json", applications), ("sources.json", sources), ("fields.json", fields)]
        {
            instance.write(name, text);
        }
        let hash = HASH;
        instance.write("more.csv", &format!(
            "userId,username,phone,phoneVerified,password,openid,connection\r\ncsv-1,erin,13800000009,true,{hash},o-erin,mini\r\n\
             csv-2,frank,not a number,,plain,,\r\n"
        ));
        let arguments = [
            "import", "authing", "--pool", POOL, "--file", "fields.json", "--file", "sources.json", "--file",
            "applications.json", "--file", "users.json", "--file", "more.csv", "--report", "report.csv",
        ];
        let ran = instance.run(&arguments).await;
        has(&ran.out, &["connections   7 created", "applications  2 created", "users         6 created, 0 there already, 1 refused"]);
        assert!(!ran.out.contains("gives no password hashes"), "{}", ran.out);
        let report = report(&instance, "report.csv").replace('"', "");
        has(&report, &FINDINGS);
        has(&report, &[
            "user,csv-2,,differs,password_scheme_unknown,",
            "user,csv-2,,differs,field_not_valid,phone: ",
            // Files tell no secrets of applications.
            "application,6560c0ffee00000000000003,小店网站,differs,secret_made,",
        ]);
        has(&ran.out, &["New client secret of 6560c0ffee00000000000003, shown only here: "]);
        let exported = instance.run(&["export", "--pool", POOL, "--format", "jsonl", "--with-hashes"]).await;
        let erin = exported.succeeded().lines().find(|line| line.contains("csv-1")).unwrap().to_owned();
        has(&erin, &[hash, "+8613800000009", "o-erin"]);
        let again = instance.run(&arguments).await;
        has(&again.out, &["users         0 created, 6 there already, 1 refused", "Nothing was changed"]);
    }

    async fn another_hufu_moves_in_through_its_own_api(database) {
        let from = Instance::ready(TestDatabase::sqlite()).await;
        from.write("users.jsonl", concat!(
            r#"{"id":"hufu-1","username":"alice","email":"alice@example.com","identities":[{"connection":"shop-mini","type":"openid","value":"o-1"}],"customData":{"k":1}}"#, "\n",
            r#"{"id":"hufu-2","phone":"+8613800000002","identities":[{"connection":"shop-mini","type":"unionid","value":"u-2"}]}"#, "\n",
        ));
        from.run(&["import", "users.jsonl", "--pool", POOL]).await.succeeded();
        let key = from.run(&["admin", "management-key", "--pool", POOL, "--role", "manager"]).await;
        let key = key.succeeded().trim().to_owned();
        let server = from.serve().await;

        // The API tells no AppSecrets, so that connections are there before.
        let to = Instance::ready(database).await;
        to.run(&["migrate"]).await.succeeded();
        let host = format!("http://{}", server.address);
        let arguments =
            ["import", "authing", "--pool", POOL, "--host", &host, "--access-key", POOL, "--report", "report.csv"];
        for auth in ["signature", "token"] {
            let mut command: Command = to.command(&[&arguments[..], &["--auth", auth]].concat());
            command.env("HUFU_IMPORT_ACCESS_KEY_SECRET", &key);
            let ran = Process::start(&mut command).finish().await;
            let users = if auth == "signature" { "2 created, 0" } else { "0 created, 2" };
            has(&ran.out, &[&format!("users         {users} there already\n"), "connections   0 created, 1 there already\n"]);
        }
        let exported = to.run(&["export", "--pool", POOL, "--format", "jsonl"]).await;
        has(exported.succeeded(), &[r#""id":"hufu-1""#, r#""value":"o-1""#, r#""value":"u-2""#, r#""k":1"#]);
        server.stop().await;
    }
}

#[tokio::test]
async fn mistakes_are_told_and_nothing_is_sent_in_the_open() {
    let instance = instance(TestDatabase::sqlite()).await;
    let api = Authing::start(Content::default()).await;
    instance.write("wrong", "0000000000000000000000000000000000000000");
    instance.write("empty", "\n");
    let base = ["import", "authing", "--pool", POOL];
    let key = ["--access-key", KEY_ID];
    let told = |more: &[&str]| {
        let arguments = [&base[..], more].concat();
        instance.command(&arguments)
    };
    for (more, reason) in [
        (
            [&key[..], &["--host", &api.uri, "--access-key-secret-file", "wrong"]].concat(),
            "does not accept the access key",
        ),
        ([&key[..], &["--host", &api.uri, "--access-key-secret-file", "empty"]].concat(), "is empty"),
        ([&key[..], &["--host", &api.uri]].concat(), "HUFU_IMPORT_ACCESS_KEY_SECRET"),
        (
            [&key[..], &["--host", "http://api.authing.cn", "--access-key-secret-file", "secret"]].concat(),
            "http is for this machine alone",
        ),
        (vec!["--file", "absent.json"], "absent.json"),
        (vec!["--file", "secret"], ".json, .jsonl or .csv"),
    ] {
        let ran = Process::start(&mut told(&more)).finish().await;
        has(ran.failed(), &[reason]);
        assert!(!ran.err.contains("0000000000") && !ran.err.contains(KEY_SECRET), "{ran:?}");
    }
    let ran = instance.run(&["import", "authing", "--pool", "nobody", "--file", "absent.json"]).await;
    has(ran.failed(), &["no such user pool"]);
    assert_eq!(count(&instance).await.users, 1);
}
