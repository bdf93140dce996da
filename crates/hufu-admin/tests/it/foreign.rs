//! `/admin/v1`: ids of another pool are not found, at every route of the OpenAPI document that has one.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::{Body, to_bytes};
use axum::http::Request;

use hufu_testkit::administration::{call, key};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::{CAFE, CAFE_APP, CAFE_MINI, MINI, SHOP, SHOP_APP, World};
use hufu_types::AdminRole;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::shop::at;

/// The parameters that name something in their pool rather than being its id, and the methods that make it there.
const NAMES: [(&str, &[&str]); 4] =
    [("scope", &["PUT"]), ("agreement", &["PUT"]), ("field", &["PUT"]), ("channel", &["PATCH", "POST"])];

/// A body that the route can read.
fn body_for(method: &str, path: &str) -> Option<Value> {
    Some(match path.rsplit('/').next().unwrap() {
        "identities" => json!({ "connection": "cafe-mini", "kind": "openid", "value": "o-1" }),
        "merges" => json!({ "merged": "nobody" }),
        "unbind-merged-name" => json!({ "username": "nobody" }),
        _ => json!({}),
    })
    .filter(|_| method != "GET")
}

/// What belongs to another object of the same path, and not only to the pool.
const BELONGING: [&str; 3] = ["session", "identity", "secret"];

/// The members of bodies and the parameters of queries that name an object of the pool.
const NAMING: [(&str, &str, &str); 16] = [
    ("GET", "/users", "q"),
    ("GET", "/audit", "userId"),
    ("GET", "/audit", "actor"),
    ("GET", "/audit", "applicationId"),
    ("GET", "/audit", "connectionId"),
    ("GET", "/audit/export", "userId"),
    ("GET", "/audit/export", "actor"),
    ("GET", "/audit/export", "applicationId"),
    ("GET", "/audit/export", "connectionId"),
    ("GET", "/statistics/logins", "applicationId"),
    ("GET", "/statistics/logins", "connectionId"),
    ("POST", "/users/{user}/identities", "connection"),
    ("POST", "/users/{user}/merges", "merged"),
    ("POST", "/applications", "connections"),
    ("PATCH", "/applications/{application}", "connections"),
    ("POST", "/batch/connections", "connections"),
];

/// The same, of those that are tried last because they switch off what they name.
const NAMING_LAST: [(&str, &str, &str); 2] =
    [("POST", "/batch/applications", "applications"), ("POST", "/batch/users", "users")];

/// Whether a member or a parameter of a route of a pool names an object of the pool.
fn is_naming(path: &str, name: &str) -> bool {
    let of_other_systems = ["externalId", "softwareId"].contains(&name) || path.starts_with("/senders/");
    let named =
        ["q", "actor", "merged", "user", "users", "application", "applications", "connection", "connections"];
    named.contains(&name) || (name.ends_with("Id") && !of_other_systems)
}

/// All of those in the OpenAPI document.
fn naming(document: &Value) -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(rest) = path.strip_prefix("/admin/v1/pools/{pool}") else { continue };
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let parameters = parameters.filter(|it| it["in"] == "query").map(|it| text(&it["name"]));
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let schema = match schema["$ref"].as_str() {
                Some(at) => &document["components"]["schemas"][at.rsplit('/').next().unwrap()],
                None => schema,
            };
            let members =
                schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
            for name in parameters.chain(members).filter(|name| is_naming(rest, name)) {
                found.insert((method.to_uppercase(), rest.to_owned(), name));
            }
        }
    }
    found
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

fn parameters(path: &str) -> Vec<&str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
}

/// A path with these ids.
pub(crate) fn filled(path: &str, ids: &BTreeMap<&'static str, String>) -> String {
    parameters(path).into_iter().fold(path.to_owned(), |path, name| {
        // A new parameter needs something of its kind in `ids`.
        let id = ids.get(name).unwrap_or_else(|| panic!("nothing is made for {{{name}}} of {path}"));
        path.replace(&format!("{{{name}}}"), id)
    })
}

/// Logs somebody in to a pool. Returns the ids of the user, their session and their identity.
async fn somebody(world: &World, owner: &str, pool: &str, name: &str) -> [String; 3] {
    let user = match pool {
        SHOP => world.client().log_in(MINI, name).await.id,
        _ => world.cafe().log_in(CAFE_MINI, name).await.id,
    };
    let first = async |of: &str| {
        let path = format!("/admin/v1/pools/{pool}/users/{user}/{of}");
        text(&call(world, Some(owner), "GET", &path, None).await.is(200)[of][0]["id"])
    };
    [user.clone(), first("sessions").await, first("identities").await]
}

/// Makes a website. Returns its id and that of its secret.
async fn website(world: &World, owner: &str, pool: &str) -> [String; 2] {
    let new = json!({ "name": "Web", "type": "web", "tokenAuth": "client_secret_basic" });
    let path = format!("/admin/v1/pools/{pool}/applications");
    let made = call(world, Some(owner), "POST", &path, Some(new)).await.is(201);
    world.secret(made["secret"].as_str().unwrap());
    [text(&made["id"]), text(&made["secrets"][0]["id"])]
}

/// What belongs to others in the same pool, by the name of the parameter.
async fn ids_of_others(world: &World, owner: &str, pool: &str) -> BTreeMap<&'static str, String> {
    let [_, session, identity] = somebody(world, owner, pool, "eve").await;
    let [_, secret] = website(world, owner, pool).await;
    BTreeMap::from([("session", session), ("identity", identity), ("secret", secret)])
}

/// Something of each kind in a pool, by the name of the parameter. The user is bob, whom WeChat has to know.
pub(crate) async fn ids(world: &World, owner: &str, pool: &str) -> BTreeMap<&'static str, String> {
    let at = |rest: &str| format!("/admin/v1/pools/{pool}{rest}");
    let send = async |method: &str, path: &str, body: Value| {
        let reply = call(world, Some(owner), method, &at(path), Some(body)).await;
        assert!(reply.status < 300, "{method} {path}: {}", reply.body);
        reply.body
    };
    let get = async |path: &str| call(world, Some(owner), "GET", &at(path), None).await.is(200);
    let mut ids = BTreeMap::new();
    let [user, session, identity] = somebody(world, owner, pool, "bob").await;
    ids.insert("session", session);
    ids.insert("identity", identity);
    let other = text(&send("POST", "/users", json!({ "username": "zoe" })).await["id"]);
    send("POST", &format!("/users/{user}/merges"), json!({ "merged": other })).await;
    ids.insert("merge", text(&get(&format!("/users/{user}/merges")).await["merges"][0]["id"]));
    ids.insert("user", user);
    let [application, secret] = website(world, owner, pool).await;
    ids.insert("application", application);
    ids.insert("secret", secret);
    ids.insert("connection", text(&get("/connections").await["connections"][0]["id"]));
    let hook = send(
        "POST",
        "/webhooks",
        json!({ "name": "x", "url": "https://example.com/", "events": ["user.created"] }),
    )
    .await;
    world.secret(hook["secret"].as_str().unwrap());
    ids.insert("webhook", text(&hook["id"]));
    send("POST", &format!("/webhooks/{}/ping", text(&hook["id"])), json!({})).await;
    let deliveries = get(&format!("/webhooks/{}/deliveries", text(&hook["id"]))).await;
    ids.insert("delivery", text(&deliveries["deliveries"][0]["id"]));
    let made = send("POST", "/imports?format=jsonl&fileName=a.jsonl", json!({ "username": "imp" })).await;
    ids.insert("import", text(&made["id"]));
    ids.insert("event", text(&get("/audit").await["events"][0]["id"]));
    let key = send("POST", "/management-keys", json!({})).await;
    world.secret(key["secret"].as_str().unwrap());
    ids.insert("key", text(&key["id"]));
    send("PUT", "/scopes/loyalty", json!({})).await;
    ids.insert("scope", "loyalty".to_owned());
    send("PUT", "/agreements/terms", json!({ "version": 1, "title": "Terms" })).await;
    ids.insert("agreement", "terms".to_owned());
    send("PUT", "/custom-fields/size", json!({ "type": "string" })).await;
    ids.insert("field", "size".to_owned());
    send("PATCH", "/senders/email", json!({ "provider": "outbox" })).await;
    ids.insert("channel", "email".to_owned());
    ids
}

/// All that could have been changed in a pool by mistake.
async fn seen(world: &World, owner: &str, pool: &str, ids: &BTreeMap<&'static str, String>) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        "/users/{user}",
        "/users/{user}/sessions",
        "/users/{user}/identities",
        "/users/{user}/merges",
        "/applications/{application}",
        "/applications/{application}/users",
        "/connections",
        "/webhooks",
    ] {
        let path = format!("/admin/v1/pools/{pool}{}", filled(path, ids));
        seen.push(call(world, Some(owner), "GET", &path, None).await.is(200));
    }
    seen
}

/// How many rows a list or an export has.
async fn rows(world: &World, owner: &str, path: &str) -> usize {
    let request = Request::get(path).header("authorization", format!("Bearer {owner}"));
    let request = request.body(Body::empty()).unwrap();
    let answer = world.node.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let bytes = to_bytes(answer.into_body(), 1 << 22).await.unwrap();
    if path.contains("/export") {
        return std::str::from_utf8(&bytes).unwrap().lines().count();
    }
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    let lists: Vec<_> = body.as_object().unwrap().values().filter_map(Value::as_array).collect();
    assert_eq!(lists.len(), 1, "{path}: {body}");
    lists[0].len()
}

on_both_engines! {
    async fn ids_of_another_pool_are_not_found(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        world.person("bob");
        let ids = ids(&world, &owner, CAFE).await;
        let document = call(&world, None, "GET", "/admin/v1/openapi.json", None).await.is(200);
        let (mut count, mut found) = (0, Vec::new());
        for (path, methods) in document["paths"].as_object().unwrap() {
            let Some(rest) = path.strip_prefix("/admin/v1/pools/{pool}/") else { continue };
            let names = parameters(rest);
            let Some(last) = names.last() else { continue };
            let fill = |pool: &str| format!("/admin/v1/pools/{pool}/{}", filled(rest, &ids));
            for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
                if NAMES.iter().any(|(name, making)| name == last && making.contains(&method.as_str())) {
                    continue;
                }
                let reply = call(&world, Some(&owner), &method, &fill(SHOP), body_for(&method, path)).await;
                if reply.status == 200 && path.ends_with("/deliveries") {
                    // Those of a webhook that is gone are still listed, so an unknown one has none.
                    assert_eq!(reply.body["deliveries"], json!([]), "{path}");
                    continue;
                }
                if reply.status != 404 || reply.body["code"] == 404 {
                    found.push(format!("{method} {path}: {} {}", reply.status, reply.body));
                }
                count += 1;
                // In its own pool it is there, or this would prove nothing.
                let is_log = ["app-token", "report"].iter().any(|it| path.ends_with(it));
                if method == "GET" && !is_log && !path.ends_with("/relay") {
                    let own = call(&world, Some(&owner), "GET", &fill(CAFE), None).await;
                    assert_eq!(own.status, 200, "{path}: {}", own.body);
                }
            }
        }
        assert_eq!(found, Vec::<String>::new());
        assert!(count > 45, "{count}");
    }

    /// Beside ids of the own pool, one of another pool is not found, nor what belongs to somebody else in the own one.
    async fn one_foreign_id_among_own_ones_is_not_found(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        world.person("bob");
        world.person("eve");
        // Before there is an agreement that a login would wait for.
        let of_others = ids_of_others(&world, &owner, SHOP).await;
        let own = ids(&world, &owner, SHOP).await;
        let foreign = ids(&world, &owner, CAFE).await;
        let before = [seen(&world, &owner, SHOP, &own).await, seen(&world, &owner, CAFE, &foreign).await];
        let document = call(&world, None, "GET", "/admin/v1/openapi.json", None).await.is(200);
        let (mut tried, mut found) = (BTreeSet::new(), Vec::new());
        for (path, methods) in document["paths"].as_object().unwrap() {
            let Some(rest) = path.strip_prefix("/admin/v1/pools/{pool}/") else { continue };
            let names = parameters(rest);
            if names.len() < 2 {
                continue;
            }
            assert!(names.len() == 2, "{path} has more ids: try them in twos as well");
            for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
                for &name in &names {
                    let other = BELONGING.contains(&name).then(|| &of_others[name]);
                    for id in [Some(&foreign[name]), other].into_iter().flatten() {
                        let mut mixed = own.clone();
                        *mixed.get_mut(name).unwrap() = id.clone();
                        let to = at(&format!("/{}", filled(rest, &mixed)));
                        let reply = call(&world, Some(&owner), &method, &to, body_for(&method, path)).await;
                        if reply.status != 404 || reply.body["code"] == 404 {
                            found.push(format!("{method} {path} with another {name}: {} {}", reply.status, reply.body));
                        }
                        tried.insert((method.clone(), rest.to_owned(), name));
                    }
                }
            }
        }
        assert_eq!(found, Vec::<String>::new());
        assert!(tried.len() >= 10, "{tried:?}");
        let after = [seen(&world, &owner, SHOP, &own).await, seen(&world, &owner, CAFE, &foreign).await];
        assert_eq!(after, before);
        // They are there for whoever names them rightly.
        let user = &own["user"];
        for path in [
            format!("/users/{user}/sessions/{}", own["session"]),
            format!("/applications/{}/users/{user}", own["application"]),
        ] {
            call(&world, Some(&owner), "DELETE", &at(&path), None).await.is(204);
        }
        let path = at(&format!("/users/{user}/identities/{}", own["identity"]));
        call(&world, Some(&owner), "DELETE", &path, None).await.is(200);
    }

    /// What a body or a query names is looked for in the pool alone: one of another pool is the same as none.
    async fn what_a_body_or_a_query_names_is_of_the_pool(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let document = call(&world, None, "GET", "/admin/v1/openapi.json", None).await.is(200);
        let all = || NAMING.into_iter().chain(NAMING_LAST);
        let table = all().map(|(method, path, name)| (method.to_owned(), path.to_owned(), name.to_owned()));
        assert_eq!(naming(&document), table.collect());

        world.person("bob");
        world.person("eve");
        let with_more = async |pool: &str, application: &str, identifier: &str| {
            // Before there is an agreement that a login would wait for.
            let [other, ..] = somebody(&world, &owner, pool, "eve").await;
            let mut ids = ids(&world, &owner, pool).await;
            ids.insert("other user", other);
            ids.insert("used application", application.to_owned());
            let path = format!("/admin/v1/pools/{pool}/connections/{identifier}");
            let connection = call(&world, Some(&owner), "GET", &path, None).await.is(200);
            ids.insert("connection", text(&connection["id"]));
            ids.insert("identifier", identifier.to_owned());
            let path = format!("/admin/v1/pools/{pool}/users/{}/identities", ids["user"]);
            let identities = call(&world, Some(&owner), "GET", &path, None).await.is(200);
            let mut identities = identities["identities"].as_array().unwrap().iter();
            let openid = identities.find(|it| it["kind"] == "openid").unwrap();
            ids.insert("openid", text(&openid["value"]));
            ids
        };
        let own = with_more(SHOP, SHOP_APP, "shop-mini").await;
        let foreign = with_more(CAFE, CAFE_APP, "cafe-mini").await;
        world.node.app.count_statistics().await.unwrap();
        let before = seen(&world, &owner, CAFE, &foreign).await;
        for (method, path, name) in all() {
            let kinds: &[&str] = match name {
                "q" | "userId" | "actor" | "users" => &["user"],
                "merged" => &["other user"],
                "applications" => &["application"],
                "applicationId" => &["used application"],
                "connectionId" => &["connection"],
                "connections" if path.starts_with("/applications") => &["identifier"],
                "connection" | "connections" => &["connection", "identifier"],
                _ => panic!("{path}: {name}"),
            };
            for kind in kinds {
                let to = at(&filled(path, &own));
                if method == "GET" {
                    let exact = if name == "q" { "match=exact&" } else { "" };
                    let rows = async |id: &str| rows(&world, &owner, &format!("{to}?{exact}{name}={id}")).await;
                    assert!(rows(&own[kind]).await > 0, "{path} {name}");
                    assert_eq!(rows(&foreign[kind]).await, 0, "{path} {name}");
                    continue;
                }
                let body = |id: &str| match path.rsplit('/').next().unwrap() {
                    "identities" => json!({ name: id, "kind": "openid", "value": own["openid"] }),
                    "merges" => json!({ name: id, "dryRun": false }),
                    "applications" if path == "/applications" => json!({ "name": "x", "type": "spa", name: [id] }),
                    _ if path.starts_with("/batch") => json!({ "operation": "disable", name: [id] }),
                    _ => json!({ name: [id] }),
                };
                let send = async |id: &str| {
                    let reply = call(&world, Some(&owner), method, &to, Some(body(id))).await;
                    (reply.status, reply.body)
                };
                let (status, mut told) = send(&foreign[kind]).await;
                let (as_unknown, mut unknown) = send("nobody").await;
                for body in [&mut told, &mut unknown] {
                    body["requestId"].take();
                    if let Some(id) = body.pointer_mut("/failed/0/id") {
                        id.take();
                    }
                }
                assert_eq!((status, &told), (as_unknown, &unknown), "{method} {path} {name}");
                let is_refused = status >= 400 || (told["done"] == json!([]) && told["failed"][0]["code"].is_u64());
                assert!(is_refused, "{method} {path} {name}: {told}");
                let (status, done) = send(&own[kind]).await;
                assert!(status < 300 && done["failed"].as_array().is_none_or(Vec::is_empty), "{method} {path}: {done}");
            }
        }
        assert_eq!(seen(&world, &owner, CAFE, &foreign).await, before);
    }
}
