//! How long the logins of administrators are good, and for what.

use std::time::Duration;

use hufu_testkit::administration::{call, key, users};
use hufu_testkit::on_both_engines;
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::administration::{RecentLogin, TABLE, body_for, nowhere};
use crate::foreign::{filled, ids};
use crate::roles::{administrator, one_who_stays};
use crate::shop::at;
use crate::world::{CAFE, SHOP, World};

const MINUTE: Duration = Duration::from_secs(60);

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

on_both_engines! {
    /// A login ends after half an hour without a call, and after twelve hours in any case.
    async fn a_login_ends_idle_and_in_any_case(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (_, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner" }])).await;
        let (_, lee) = administrator(&world, &owner, "lee", json!([{ "role": "owner" }])).await;
        let status = async |key: &str| call(&world, Some(key), "GET", &users(SHOP), None).await.status;
        for _ in 0..24 {
            world.advance(MINUTE * 29);
            assert_eq!(status(&mei).await, 200);
        }
        assert_eq!(status(&lee).await, 401, "it was not used for long");
        let told = call(&world, Some(&lee), "GET", &users(SHOP), None).await.is(401);
        assert_eq!(told["code"], 2440);
        // Eleven hours and 36 minutes; the last call is half an hour before the end.
        world.advance(MINUTE * 23);
        assert_eq!(status(&mei).await, 200);
        world.advance(MINUTE);
        assert_eq!(status(&mei).await, 401);
        assert_eq!(status(&owner).await, 200, "a machine's key is never idle");
    }

    /// A login is idle from its last use on, not from the first of many within a minute.
    async fn uses_are_noted_by_the_minute(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (_, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner" }])).await;
        let status = async || call(&world, Some(&mei), "GET", &users(SHOP), None).await.status;
        world.advance(MINUTE);
        assert_eq!(status().await, 200);
        world.advance(MINUTE * 29 + Duration::from_millis(59_999));
        assert_eq!(status().await, 200);
        world.advance(MINUTE * 30);
        assert_eq!(status().await, 401);
    }

    /// Each route that the table of routes says needs a recent login is refused 15 minutes after it, and no other one.
    /// Keys of machines never are.
    async fn what_matters_needs_a_recent_login(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        one_who_stays(&world, &owner).await;
        let (_, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner" }])).await;
        world.person("bob");
        let ids = ids(&world, &owner, CAFE).await;
        world.advance(MINUTE * 15);
        let (_, lee) = administrator(&world, &owner, "lee", json!([{ "role": "owner" }])).await;
        // What is asked for is there as long as possible.
        let mut routes = TABLE.to_vec();
        routes.sort_by_key(|(method, path, ..)| (*method == "DELETE", path.ends_with("{pool}")));
        let ask = async |by: &str, method: &str, path: &str, pool: &str| {
            let body = body_for(method, path);
            let path = match path.split_once("{pool}") {
                Some((_, rest)) if pool == CAFE => format!("/admin/v1/pools/{pool}{}", filled(rest, &ids)),
                _ => nowhere(path, pool),
            };
            let reply = call(&world, Some(by), method, &path, body).await;
            for secret in ["key", "secret", "password", "accessToken"] {
                world.secret(reply.body[secret].as_str().unwrap_or_default());
            }
            reply
        };
        let (mut needing, mut found) = (Vec::new(), Vec::new());
        for (method, path, _, needs) in &routes {
            for pool in [CAFE, "system"].into_iter().take(if path.contains("{pool}") { 2 } else { 1 }) {
                let told = ask(&mei, method, path, pool).await;
                let is_refused = told.status == 403 && told.body["code"] == 2743;
                // Hardly anything is configured in the pool of the administrators.
                let is_nowhere = pool == "system" && told.status == 404 && told.body["code"] == 2224;
                let needs = *needs == RecentLogin::Always || (*needs == RecentLogin::InSystem && pool == "system");
                if is_refused != needs && !(needs && is_nowhere) {
                    found.push(format!("{method} {path} in {pool}: {} {}", told.status, told.body));
                }
                if is_refused {
                    assert!(text(&told.body["message"]).contains("15"), "{}", told.body);
                    needing.push((*method, *path, pool));
                }
            }
        }
        assert_eq!(found, Vec::<String>::new());
        for (method, path, pool) in needing {
            for by in [&lee, &owner] {
                let told = ask(by, method, path, pool).await;
                assert!(told.status != 401 && told.status != 403, "{method} {path} in {pool}: {}", told.body);
            }
        }
    }

    /// A recent login is needed for an application with a secret, and for a new secret, but not for anything else of it.
    async fn a_client_secret_needs_a_recent_login(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (_, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner" }])).await;
        let robot = json!({ "name": "Robot", "type": "api" });
        let page = json!({ "name": "Page", "type": "spa" });
        let mut made = Vec::new();
        for new in [&robot, &page] {
            let new = call(&world, Some(&mei), "POST", &at("/applications"), Some(new.clone())).await.is(201);
            world.secret(new["secret"].as_str().unwrap_or_default());
            made.push(text(&new["id"]));
        }
        world.advance(MINUTE * 15);
        let own = "0123456789abcdef0123456789abcdef";
        world.secret(own);
        for (method, path, _, needs) in TABLE {
            if *needs != RecentLogin::WithSecret {
                continue;
            }
            let (with, without) = match *method {
                "POST" => (robot.clone(), page.clone()),
                _ => (json!({ "secret": own }), json!({ "name": "Renamed" })),
            };
            let path = path.replace("{pool}", SHOP).replace("{application}", &made[0]);
            let send = async |by: &str, body: &Value| {
                let reply = call(&world, Some(by), method, &path, Some(body.clone())).await;
                world.secret(reply.body["secret"].as_str().unwrap_or_default());
                reply
            };
            assert_eq!(send(&mei, &with).await.is(403)["code"], 2743, "{method} {path}");
            assert!(send(&mei, &without).await.status < 300, "{method} {path}");
            assert!(send(&owner, &with).await.status < 300, "{method} {path}");
        }
        // A page that becomes confidential would get its first secret.
        let path = at(&format!("/applications/{}", made[1]));
        let change = json!({ "tokenAuth": "client_secret_basic" });
        let web = json!({ "type": "web" });
        call(&world, Some(&mei), "PATCH", &path, Some(json!({ "name": "Renamed" }))).await.is(200);
        for change in [change, web] {
            let told = call(&world, Some(&mei), "PATCH", &path, Some(change.clone())).await.is(403);
            assert_eq!(told["code"], 2743, "{change}");
        }
    }

    /// What somebody made who was dismissed is shown as theirs, so that it can be looked at.
    async fn what_a_dismissed_person_made_is_shown(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (id, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner", "pool": SHOP }])).await;
        let hooks = format!("/admin/v1/pools/{SHOP}/webhooks");
        let hook = json!({ "name": "hers", "url": "https://shop.example.com/hook" });
        let made = call(&world, Some(&mei), "POST", &hooks, Some(hook)).await.is(201);
        world.secret(made["secret"].as_str().unwrap());
        assert_eq!((&made["createdBy"], &made["createdByDismissed"]), (&json!(id), &json!(false)));
        let wish = json!({ "name": "x", "role": "auditor", "pool": SHOP });
        let key = call(&world, Some(&mei), "POST", "/admin/v1/keys", Some(wish)).await.is(201);
        world.secret(key["key"].as_str().unwrap());
        for (by, count) in [(id.as_str(), 1), ("nobody", 0)] {
            let listed = call(&world, Some(&owner), "GET", &format!("/admin/v1/keys?createdBy={by}"), None).await.is(200);
            assert_eq!(listed["keys"].as_array().unwrap().len(), count, "{by}");
        }
        let applications = format!("/admin/v1/pools/{SHOP}/applications");
        let made_secret = async |by: &str, method: &str, path: &str, body: Option<Value>| {
            let made = call(&world, Some(by), method, path, body).await.is(201);
            world.secret(made["secret"].as_str().unwrap());
            made
        };
        let web = json!({ "name": "Web", "type": "web" });
        let web = made_secret(&owner, "POST", &applications, Some(web)).await;
        let web = format!("{applications}/{}", web["id"].as_str().unwrap());
        let with_hers = made_secret(&mei, "POST", &format!("{web}/secrets"), None).await;
        let by = |application: &Value| -> Vec<Value> {
            let secrets = application["secrets"].as_array().unwrap().iter();
            secrets.map(|secret| json!([secret["createdBy"], secret["createdByDismissed"]])).collect()
        };
        assert_eq!(by(&with_hers), [json!([id, false]), json!([null, false])]);
        let hers = with_hers["secrets"][0]["id"].clone();
        let seen = call(&world, Some(&owner), "GET", &web, None).await.is(200);
        // One that she chooses herself is hers as well.
        let chosen = json!({ "name": "Chosen", "type": "web", "secret": "a-secret-that-somebody-chose-0001" });
        let chosen = call(&world, Some(&mei), "POST", &applications, Some(chosen)).await.is(201);
        assert_eq!(by(&chosen), [json!([id, false])]);
        let path = format!("/admin/v1/administrators/{id}");
        let ended = call(&world, Some(&owner), "DELETE", &path, None).await.is(200);
        let of = |application: &Value, secret: &Value| json!({ "pool": SHOP, "application": application, "id": secret });
        let mut secrets = vec![of(&with_hers["id"], &hers), of(&chosen["id"], &chosen["secrets"][0]["id"])];
        secrets.sort_by_key(|secret| secret["application"].as_str().unwrap().to_owned());
        assert_eq!(ended, json!({
            "accessKeys": [key["id"]],
            "managementKeys": [],
            "webhooks": [{ "pool": SHOP, "id": made["id"], "name": "hers" }],
            "clientSecrets": secrets,
        }));
        let listed = call(&world, Some(&owner), "GET", &applications, None).await.is(200);
        let listed = listed["applications"].as_array().unwrap();
        let listed = listed.iter().find(|one| one["id"] == with_hers["id"]).unwrap();
        assert_eq!(by(listed), [json!([id, true]), json!([null, false])]);
        // The application itself is as it was seen, and can be sent back.
        call(&world, Some(&owner), "PATCH", &web, Some(seen)).await.is(200);
        // It goes on with another one.
        let hers = format!("{web}/secrets/{}", hers.as_str().unwrap());
        call(&world, Some(&owner), "DELETE", &hers, None).await.is(204);
        let left = call(&world, Some(&owner), "GET", &web, None).await.is(200);
        assert_eq!(by(&left), [json!([null, false])]);
        // Whoever manages another pool does not hear of it when they dismiss the same person there.
        let again = json!({ "role": "support", "pool": CAFE });
        call(&world, Some(&owner), "PUT", &path, Some(again)).await.is(200);
        let (_, lee) = administrator(&world, &owner, "lee", json!([{ "role": "owner", "pool": CAFE }])).await;
        let ended = call(&world, Some(&lee), "DELETE", &path, None).await.is(200);
        assert_eq!(ended, json!({ "accessKeys": [], "managementKeys": [], "webhooks": [], "clientSecrets": [] }));
        let listed = call(&world, Some(&owner), "GET", &hooks, None).await.is(200);
        let webhook = &listed["webhooks"][0];
        assert_eq!((&webhook["createdBy"], &webhook["createdByDismissed"]), (&json!(id), &json!(true)));
    }

    /// What somebody made who was dismissed can be sent back as it was seen, before that and after it.
    async fn what_a_dismissed_person_made_is_edited_as_it_was_seen(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let (id, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner", "pool": SHOP }])).await;
        let pool = "/admin/v1/pools/{pool}";
        let mut kinds = Vec::new();
        for (list, one, new) in [
            ("webhooks", "{webhook}", json!({ "name": "hers", "url": "https://shop.example.com/hook" })),
            ("applications", "{application}", json!({ "name": "hers", "type": "web" })),
        ] {
            let path = format!("/admin/v1/pools/{SHOP}/{list}");
            let made = call(&world, Some(&mei), "POST", &path, Some(new)).await.is(201);
            world.secret(made["secret"].as_str().unwrap());
            let path = format!("{path}/{}", made["id"].as_str().unwrap());
            let seen = call(&world, Some(&owner), "GET", &path, None).await.is(200);
            kinds.push((format!("{pool}/{list}/{one}"), path, seen));
        }
        // Whatever shows it and can be changed.
        let document = call(&world, None, "GET", "/admin/v1/openapi.json", None).await.is(200);
        let shows = |operation: &Value| {
            let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            let name = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()).unwrap_or_default();
            document["components"]["schemas"][name].to_string().contains("createdByDismissed")
        };
        let paths = document["paths"].as_object().unwrap().iter();
        let changed = paths.filter(|(_, methods)| shows(&methods["get"]) && (methods["patch"].is_object() || methods["put"].is_object()));
        let mut expected: Vec<_> = kinds.iter().map(|(path, ..)| path).collect();
        expected.sort();
        assert_eq!(changed.map(|(path, _)| path).collect::<Vec<_>>(), expected);

        call(&world, Some(&owner), "DELETE", &format!("/admin/v1/administrators/{id}"), None).await.is(200);
        for (_, path, before) in kinds {
            let after = call(&world, Some(&owner), "GET", &path, None).await.is(200);
            assert!(!before.to_string().contains("\"createdByDismissed\":true"), "{before}");
            assert!(after.to_string().contains("\"createdByDismissed\":true"), "{after}");
            for seen in [&before, &after] {
                let same = call(&world, Some(&owner), "PATCH", &path, Some(seen.clone())).await.is(200);
                assert_eq!(same, after, "nothing was changed");
            }
            let mut edited = before;
            edited["name"] = "ours".into();
            let now = call(&world, Some(&owner), "PATCH", &path, Some(edited.clone())).await.is(200);
            assert_eq!((&now["name"], now["revision"].as_i64()), (&json!("ours"), after["revision"].as_i64().map(|it| it + 1)));
            // Somebody else's revision is still seen first.
            let told = call(&world, Some(&owner), "PATCH", &path, Some(edited)).await.is(409);
            assert_eq!((&told["present"], &told["sent"]["name"]), (&now, &json!("ours")));
        }
        // What nobody writes cannot be written in passing.
        let hook = format!("/admin/v1/pools/{SHOP}/webhooks");
        let listed = call(&world, Some(&owner), "GET", &hook, None).await.is(200);
        let seen = &listed["webhooks"][0];
        let path = format!("{hook}/{}", seen["id"].as_str().unwrap());
        for member in ["id", "createdBy", "createdAt"] {
            let mut other = seen.clone();
            other[member] = "other".into();
            let told = call(&world, Some(&owner), "PATCH", &path, Some(other)).await.is(422);
            assert!(told["message"].as_str().unwrap().contains(member), "{told}");
        }
    }
}
