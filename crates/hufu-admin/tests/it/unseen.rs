//! `/admin/v1`: nobody overwrites what they have not seen. What changes an object that has a revision takes `If-Match`, and
//! whoever comes late is told what the object is now, as it is shown, and what they sent, without secrets.

use std::collections::{BTreeMap, BTreeSet};

use hufu_testkit::administration::{call, call_if, key};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::{CAFE, SHOP, World};
use hufu_types::AdminRole;
use serde_json::{Map, Value, json};

use crate::administration::{TABLE, body_for};
use crate::foreign::{filled, ids};
use crate::roles::{ADMINISTRATORS, administrator};

/// Routes below an object that leave its revision alone, and why.
const OTHERWISE: [(&str, &str, &str); 10] = [
    ("POST", "/admin/v1/pools/{pool}/batch/users", "each user has a revision of its own"),
    ("POST", "/admin/v1/pools/{pool}/batch/applications", "each application has a revision of its own"),
    ("POST", "/admin/v1/pools/{pool}/batch/connections", "each connection has a revision of its own"),
    ("POST", "/admin/v1/pools/{pool}/senders/{channel}/test", "sends a message"),
    ("POST", "/admin/v1/pools/{pool}/templates/preview", "shows a message"),
    ("POST", "/admin/v1/pools/{pool}/connections/{connection}/check", "asks WeChat"),
    ("POST", "/admin/v1/pools/{pool}/webhooks/{webhook}/ping", "sends an event"),
    ("POST", "/admin/v1/pools/{pool}/webhooks/{webhook}/replay-failed", "sends events"),
    ("POST", "/admin/v1/pools/{pool}/users/{user}/unbind-merged-name", "changes the account that was merged"),
    ("POST", "/admin/v1/pools/{pool}/merges/{merge}/undo", "is about two users"),
];

/// The schema of what a route answers.
fn schema<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let operation = &document["paths"][path][method.to_lowercase()];
    resolved(document, &operation["responses"]["200"]["content"]["application/json"]["schema"])
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let name = schema["$ref"].as_str()?.rsplit('/').next()?;
    Some(&document["components"]["schemas"][name])
}

/// What is shown of an object, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    /// At this path.
    Alone(String),
    /// In the list at this path.
    Listed(String, String),
}

/// The object that a route is about, if it has a revision: what is shown at the longest part of its path that shows
/// something, or an element of the list there.
fn object(document: &Value, path: &str) -> Option<Shown> {
    let is_revised = |schema: &Value| {
        // The revision of a user is when they were changed last.
        let properties = &schema["properties"];
        properties["revision"].is_object()
            || (properties["updatedAt"].is_object() && properties["mustReset"].is_object())
    };
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let mut above: Vec<&str> = ends.map(|end| &path[..end]).collect();
    above.reverse();
    let (at, schema) = above.iter().find_map(|at| Some((*at, schema(document, "GET", at)?)))?;
    let lists: Vec<_> =
        schema["properties"].as_object()?.iter().filter(|(_, it)| it["items"].is_object()).collect();
    match lists.as_slice() {
        [(name, list)] if schema["properties"]["next"].is_object() => {
            let element = resolved(document, &list["items"]).is_some_and(is_revised);
            (element && path != at).then(|| Shown::Listed(at.to_owned(), (*name).clone()))
        }
        _ => is_revised(schema).then(|| Shown::Alone(at.to_owned())),
    }
}

/// A body that the route takes. Nothing comes of it.
fn sent(method: &str, path: &str) -> Value {
    match path.rsplit('/').next().unwrap() {
        "{agreement}" => json!({ "version": 2, "title": { "zh-CN": "条款", "en": "Terms" } }),
        "{field}" => json!({ "type": "number" }),
        "{pool}" if method == "DELETE" => json!({ "name": "Shop" }),
        "{pool}" => json!({ "name": "Mine", "settings": { "scopes": [{ "name": "x" }] } }),
        "{connection}" => json!({
            "displayName": "Mine",
            "fields": { "appId": "wx00000000000000c1", "relay": { "url": "https://a.example/" } },
        }),
        "{channel}" => json!({ "provider": "smtp", "host": "mail.example.com" }),
        "{application}" => json!({ "name": "Mine", "branding": { "title": { "zh-CN": "我的" } } }),
        "{webhook}" => json!({ "name": "Mine", "newSecret": true }),
        "templates" => json!({ "templates": { "login": { "zh-CN": { "sms": "{code}" } } } }),
        "{user}" if method == "PATCH" => {
            json!({ "profile": { "nickname": null }, "customData": { "a": [1] } })
        }
        _ => body_for(method, path).unwrap_or_default(),
    }
}

/// What stands for each secret that is sent.
const SECRET: &str = "never-to-be-repeated-0123456789";
/// Members that no change may have, which is said before anything else.
const NEVER_CHANGED: [(&str, &str); 1] = [("UserBody", "password")];

/// A value with all members of a schema that are written and never shown, and their paths.
fn secrets(document: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) -> Option<Value> {
    let name = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()).unwrap_or_default();
    let schema = resolved(document, schema).unwrap_or(schema);
    if schema["writeOnly"] == true {
        found.insert(path.to_owned());
        let named = schema["additionalProperties"].is_object();
        return Some(if named { json!({ "x-key": SECRET }) } else { SECRET.into() });
    }
    let members = schema["properties"].as_object().into_iter().flatten();
    let members = members.filter(|(member, _)| !NEVER_CHANGED.contains(&(name, member.as_str())));
    let members: Map<_, _> = members
        .filter_map(|(name, member)| {
            let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            Some((name.clone(), secrets(document, member, &at, found)?))
        })
        .collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

/// All secrets that a change may have.
const SECRETS: [(&str, &[&str]); 4] = [
    ("{application}", &["secret"]),
    ("{channel}", &["accessKeySecret", "body", "headers", "password", "secretKey", "url"]),
    (
        "{connection}",
        &["fields.aesKey", "fields.appSecret", "fields.relay.aesKey", "fields.relay.token", "fields.token"],
    ),
    ("password", &["password"]),
];

on_both_engines! {
    async fn whoever_has_not_seen_the_last_change_is_told_both_versions(database) {
        let world = World::new(database).await;
        world.secret(SECRET);
        let owner = key(&world, AdminRole::Owner, None).await;
        world.person("bob");
        let mut ids: BTreeMap<&'static str, String> = ids(&world, &owner, SHOP).await;
        ids.insert("pool", SHOP.to_owned());
        let bob = ids["user"].clone();
        let (mei, _) = administrator(&world, &owner, "mei", json!([{ "role": "manager", "pool": CAFE }])).await;
        let document = call(&world, None, "GET", "/admin/v1/openapi.json", None).await.is(200);
        let (mut wrong, mut count, mut all_secrets) = (Vec::new(), 0, BTreeMap::new());
        for (method, path, ..) in TABLE.iter().filter(|(method, ..)| *method != "GET") {
            let object = object(&document, path);
            if OTHERWISE.iter().any(|(of, at, _)| of == method && at == path) {
                assert!(object.is_some(), "{method} {path} is about nothing that has a revision");
                continue;
            }
            let Some(object) = object else { continue };
            let user = if path.starts_with(ADMINISTRATORS) { &mei } else { &bob };
            ids.insert("user", user.clone());
            let to = filled(path, &ids);
            let late = if path.contains("{user}") { "\"2000-01-01T00:00:00.000Z\"" } else { "\"987654\"" };
            let operation = &document["paths"][*path][method.to_lowercase()];
            let schema = operation.pointer("/requestBody/content/application~1json/schema");
            let wanted = schema.map(|_| sent(method, path));
            let mut body = wanted.clone();
            let mut found = BTreeSet::new();
            if let (Some(body), Some(more)) = (&mut body, schema.and_then(|it| secrets(&document, it, "", &mut found))) {
                merge(body, more);
                all_secrets.insert(path.rsplit('/').next().unwrap(), found);
            }
            let reply = call_if(&world, Some(&owner), method, &to, body, Some(late)).await;
            let present = match object {
                Shown::Alone(at) => call(&world, Some(&owner), "GET", &filled(&at, &ids), None).await.is(200),
                Shown::Listed(at, list) => {
                    let listed = call(&world, Some(&owner), "GET", &filled(&at, &ids), None).await.is(200);
                    let all = listed[&list].as_array().unwrap();
                    all.iter().find(|one| to.ends_with(one["id"].as_str().unwrap())).unwrap().clone()
                }
            };
            let told = (reply.status, &reply.body["code"], &reply.body["present"], reply.body.get("sent"));
            if told != (409, &json!(2444), &present, wanted.as_ref()) {
                wrong.push(format!("{method} {path}: {told:?}\nrather than {present} and {wanted:?}"));
            }
            if reply.body.to_string().contains(SECRET) {
                wrong.push(format!("{method} {path} repeats a secret: {}", reply.body));
            }
            if !operation.to_string().contains("\"409\"") {
                wrong.push(format!("{method} {path}: openapi.json has no 409"));
            }
            count += 1;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(count >= 25, "{count}");
        let listed = SECRETS.map(|(at, names)| (at, names.iter().map(|name| (*name).to_owned()).collect()));
        assert_eq!(all_secrets, BTreeMap::from(listed));
    }

    /// What an object has not is not repeated either: it may be a secret under a wrong name, or one that is not sent there.
    async fn what_has_no_name_is_not_repeated(database) {
        let world = World::new(database).await;
        world.secret(SECRET);
        let owner = key(&world, AdminRole::Owner, None).await;
        world.person("bob");
        let ids = ids(&world, &owner, SHOP).await;
        let at = |rest: &str| format!("/admin/v1/pools/{SHOP}{}", filled(rest, &ids));
        for (path, body, sent) in [
            (
                "/connections/{connection}",
                json!({ "displayName": "x", "appSecret": SECRET, "fields": { "app_secret": SECRET, "appId": "y" } }),
                json!({ "displayName": "x", "fields": { "appId": "y" } }),
            ),
            ("/connections/{connection}", json!({ "fields": SECRET }), json!({})),
            // Where it is shown whether a secret is set is no place for one, and an address that has one is refused.
            (
                "/connections/{connection}",
                json!({ "secrets": { "appSecret": SECRET, "aesKey": true } }),
                json!({ "secrets": { "aesKey": true } }),
            ),
            ("/senders/email", json!({ "secrets": SECRET }), json!({})),
            (
                "/connections/{connection}",
                json!({ "fields": { "relay": { "url": format!("https://me:{SECRET}@own.example.com/") } } }),
                json!({ "fields": { "relay": {} } }),
            ),
            ("/senders/email", json!({ "pasword": SECRET, "headers": SECRET }), json!({})),
            ("/applications/{application}", json!({ "clientSecret": SECRET, "secret": [SECRET] }), json!({})),
            (
                "/applications/{application}",
                json!({ "jwks": { "keys": [{ "kty": "OKP", "x": "public", "d": SECRET }] } }),
                json!({ "jwks": { "keys": [{ "kty": "OKP", "x": "public" }] } }),
            ),
        ] {
            let told = call_if(&world, Some(&owner), "PATCH", &at(path), Some(body), Some("\"987654\"")).await.is(409);
            assert_eq!(told["sent"], sent, "{path}");
            assert!(!told.to_string().contains(SECRET), "{told}");
        }
        // The secret of a webhook is made, and a password is set elsewhere: nobody is told more than that.
        for (path, member) in [("/webhooks/{webhook}", "secret"), ("/users/{user}", "password")] {
            let told = call(&world, Some(&owner), "PATCH", &at(path), Some(json!({ member: SECRET }))).await.is(422);
            assert!(told.get("sent").is_none() && !told.to_string().contains(SECRET), "{told}");
        }
    }

    /// What is refused for another reason repeats nothing, and an empty body is an empty object.
    async fn only_who_comes_late_is_told_what_they_sent(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let path = format!("/admin/v1/pools/{SHOP}/connections/shop-mini");
        let seen = call(&world, Some(&owner), "GET", &path, None).await.is(200);
        let tag = format!("\"{}\"", seen["revision"]);
        let wrong = json!({ "displayName": "Mine", "enabled": "perhaps" });
        let told = call_if(&world, Some(&owner), "PATCH", &path, Some(wrong), Some(&tag)).await.is(422);
        assert_eq!((told.get("sent"), told.get("present")), (None, None));
        let told = call_if(&world, Some(&owner), "PATCH", &path, None, Some("\"987654\"")).await.is(409);
        assert_eq!((&told["sent"], &told["present"]), (&json!({}), &seen));
        // Both of two who saw the same: one is through, the other one holds both versions beside each other.
        let change = |name: &str| Some(json!({ "displayName": name, "revision": seen["revision"] }));
        call(&world, Some(&owner), "PATCH", &path, change("Hers")).await.is(200);
        let told = call(&world, Some(&owner), "PATCH", &path, change("His")).await.is(409);
        assert_eq!((&told["present"]["displayName"], &told["sent"]["displayName"]), (&json!("Hers"), &json!("His")));
    }

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
