//! Every management call with the ids of another pool.

use axum::http::Method;
use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use super::{BackEnd, shop};
use crate::world::{CAFE, CAFE_APP, CAFE_MINI, SHOP, World};

/// The rows of the router.
const SOURCE: &str = include_str!("../../../src/management/mod.rs");
/// Those of the v2 client.
const SOURCES_OF_V2: [&str; 3] = [
    include_str!("../../../src/management/v2.rs"),
    include_str!("../../../src/management/v2/pool.rs"),
    include_str!("../../../src/management/v2/sources.rs"),
];
/// What no answer to a stranger may have in it.
const PRIVATE: [&str; 4] = ["Eve of the cafe", "cafe.example.com", "cafe-mini", CAFE];

/// Calls that name nothing of a pool.
const NAMELESS: &[&str] = &["get-management-token", "get-webhook-event-list", "get-security-settings"];

pub(super) fn served() -> Vec<(&'static str, bool)> {
    let rows = SOURCE.lines().filter_map(|line| line.trim().strip_prefix("(\""));
    let rows = rows.filter_map(|row| row.split_once("\", "));
    rows.map(|(name, methods)| (name, methods.starts_with("get("))).collect()
}

/// The paths of the v2 client's REST calls, and their methods.
fn served_of_v2() -> Vec<(&'static str, Vec<Method>)> {
    let rows = SOURCES_OF_V2.into_iter().flat_map(str::lines);
    let rows = rows.filter_map(|line| line.trim().strip_prefix(".route(\"")?.split_once("\", "));
    let all = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    rows.map(|(path, methods)| {
        let is_there = |method: &Method| methods.contains(&format!("{}(", method.as_str().to_lowercase()));
        (path, all.iter().filter(|method| is_there(method)).cloned().collect())
    })
    .collect()
}

/// What the v2 client asks for by GraphQL, of a user, a connection and an application.
fn asked_by_v2(user: &str, connection: &str) -> Vec<(String, Value)> {
    let data = "key value";
    let told = "id userPoolId nickname identities { connectionId }";
    let operations = vec![
        ("query($id: String!) { user(id: $id) { TOLD } }", json!({ "id": user })),
        ("query { users(limit: 50) { list { TOLD } } }", json!({})),
        ("query { archivedUsers { list { TOLD } } }", json!({})),
        ("query { searchUser(query: \"eve\") { list { TOLD } } }", json!({})),
        ("query { findUser(username: \"eve\") { TOLD } }", json!({})),
        (
            "query($identity: FindUserByIdentityInput) { findUser(identity: $identity) { TOLD } }",
            json!({ "identity": { "identifier": connection, "userIdInIdp": "x", "provider": "wechat" } }),
        ),
        ("query($id: String!) { udv(targetType: USER, targetId: $id) { DATA } }", json!({ "id": user })),
        (
            "query($ids: [String!]!) { udfValueBatch(targetType: USER, targetIds: $ids) { data { DATA } } }",
            json!({ "ids": [user] }),
        ),
        ("query { udf(targetType: USER) { key label } }", json!({})),
        (
            "mutation($id: String!) { updateUser(id: $id, input: { nickname: \"mine\" }) { TOLD } }",
            json!({ "id": user }),
        ),
        ("mutation($id: String!) { deleteUser(id: $id) { code } }", json!({ "id": user })),
        ("mutation($ids: [String!]!) { deleteUsers(ids: $ids) { code } }", json!({ "ids": [user] })),
        (
            "mutation($id: String!) { setUdv(targetType: USER, targetId: $id, key: \"k\", value: \"1\") { DATA } }",
            json!({ "id": user }),
        ),
        (
            "mutation($id: String!) { removeUdv(targetType: USER, targetId: $id, key: \"k\") { DATA } }",
            json!({ "id": user }),
        ),
        (
            "mutation($input: [SetUdfValueBatchInput!]!) { setUdfValueBatch(targetType: USER, input: $input) { code } }",
            json!({ "input": [{ "targetId": user, "key": "k", "value": "1" }] }),
        ),
        (
            "mutation($user: CreateUserInput!, $identity: CreateUserIdentityInput) { createUser(userInfo: $user, \
             identity: $identity) { TOLD } }",
            json!({ "user": { "username": "mine" }, "identity": { "connectionId": connection, "userIdInIdp": "o-2" } }),
        ),
    ];
    let written = |text: &str| text.replace("TOLD", told).replace("DATA", data);
    operations.into_iter().map(|(text, variables)| (written(text), variables)).collect()
}

/// Fails if the answer to a call has in it what is the cafe's.
#[track_caller]
fn says_nothing_of_the_cafe(call: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(PRIVATE.iter().all(|private| !text.contains(private)), "{call}: {text}");
}

on_both_engines! {
    /// Every call of the v2 client, REST and GraphQL.
    async fn the_token_of_one_pool_reaches_nothing_of_another_by_v2(database) {
        let world = World::new(database).await;
        let cafe = BackEnd::of(&world, CAFE).await;
        let eve = cafe.post("create-user", json!({ "username": "eve", "nickname": "Eve of the cafe" })).await.data();
        let eve = eve["userId"].as_str().unwrap();
        let sources = cafe.get("list-ext-idp").await.data();
        let source = sources["list"][0]["id"].as_str().unwrap();
        let of_cafe = world.nobody().bearer(&cafe.token().await);
        let before = of_cafe.get(&format!("/api/v2/extIdp/{source}")).await.data();
        let connection = before["connections"][0]["id"].as_str().unwrap();
        let token = shop(&world).await.token().await;
        let of_shop = world.nobody().bearer(&token);
        let body = json!({
            "userId": eve, "userIds": [eve], "ids": [eve], "id": eve, "appId": CAFE_APP, "extIdpId": source,
            "identifier": "cafe-mini", "userIdInIdp": "o-1", "name": "mine", "displayName": "mine", "enabled": false,
            "type": "openid", "fields": { "appId": "wx00000000000000c1", "appSecret": "s" },
        });
        let query = format!("userId={eve}&ids={eve}&appId={CAFE_APP}&app_id={CAFE_APP}&userids={eve}");
        let mut calls = 0;
        for (path, methods) in served_of_v2() {
            for (method, id) in methods.iter().flat_map(|method| [eve, CAFE_APP, source, connection, CAFE].map(|id| (method, id))) {
                let to = format!("{}?{query}", path.replace("{id}", id));
                let sent = if method == Method::GET || method == Method::DELETE { Vec::new() } else { body.to_string().into_bytes() };
                let answer = of_shop.send(method.clone(), &to, "application/json", sent).await;
                // The names that were sent are no secrets.
                let said = String::from_utf8_lossy(&answer.bytes).replace(CAFE_APP, "");
                says_nothing_of_the_cafe(&format!("{method} {to}"), said.as_bytes());
                calls += 1;
            }
        }
        assert!(calls > 100, "{calls}");
        for (text, variables) in asked_by_v2(eve, connection) {
            let answer = of_shop.graphql(&text, variables).await;
            says_nothing_of_the_cafe(&text, &answer.bytes);
        }
        let after = of_cafe.get(&format!("/api/v2/users/{eve}?with_custom_data=true")).await.data();
        assert_eq!((&after["nickname"], &after["customData"], &after["identities"]), (&json!("Eve of the cafe"), &json!([]), &json!([])));
        assert_eq!(of_cafe.get(&format!("/api/v2/extIdp/{source}")).await.data(), before);
        assert_eq!(of_cafe.get(&format!("/api/v2/applications/{CAFE_APP}")).await.data()["id"], CAFE_APP);
        // And a pool that is named beside the token has to be its own.
        of_shop.clone().pool(SHOP).get("/api/v2/userpools/detail").await.data();
        let named = of_shop.clone().pool(CAFE).get("/api/v2/userpools/detail").await;
        assert_ne!(named.code(), 200, "{named}");
    }

    async fn the_key_of_one_pool_reaches_nothing_of_another(database) {
        let world = World::new(database).await;
        let cafe = BackEnd::of(&world, CAFE).await;
        let eve = cafe.post("create-user", json!({ "username": "eve", "nickname": "Eve of the cafe" })).await.data();
        let eve = eve["userId"].as_str().unwrap();
        world.person("eve");
        world.cafe().log_in(CAFE_MINI, "eve").await;
        let hook = json!({ "name": "hook", "url": "https://cafe.example.com/hook", "events": [] });
        let hook = cafe.post("create-webhook", hook).await.data();
        let hook = hook["webhookId"].as_str().unwrap();
        let sources = cafe.get("list-ext-idp").await.data();
        let connection = sources["list"][0]["id"].as_str().unwrap();
        let back_end = shop(&world).await;
        let fields = json!({
            "userId": eve, "userIds": [eve], "targetIdentifier": eve, "appId": CAFE_APP, "appIds": [CAFE_APP],
            "id": connection, "extIdpId": connection, "webhookId": hook, "webhookIds": [hook], "name": "x",
            "userIdInIdp": "o-1", "nickname": "mine", "appName": "mine", "enabled": false, "association": true,
            "type": "openid", "displayName": "x", "identifier": "mine", "username": "eve",
            "fields": { "appId": "wx00000000000000c1", "appSecret": "s" },
            "list": [{ "key": "k", "value": "v", "userId": eve, "label": "l", "dataType": "STRING" }],
        });
        assert!(served().len() > 55);
        for (name, is_get) in served() {
            if NAMELESS.contains(&name) {
                continue;
            }
            let mut answers = Vec::new();
            if is_get {
                let ids = [("userId", eve), ("userIds", eve), ("appId", CAFE_APP), ("id", connection),
                    ("webhookId", hook), ("targetIdentifier", eve)];
                let query: Vec<String> = ids.iter().map(|(name, id)| format!("{name}={id}")).collect();
                answers.push(back_end.get(&format!("{name}?{}", query.join("&"))).await);
            } else {
                answers.push(back_end.post(name, fields.clone()).await);
            }
            for answer in answers {
                says_nothing_of_the_cafe(name, &answer.bytes);
            }
        }
        // Nothing of the cafe has changed.
        let after = cafe.get(&format!("get-user?userId={eve}")).await.data();
        assert_eq!((&after["nickname"], &after["status"]), (&Value::from("Eve of the cafe"), &"Activated".into()));
        assert_eq!(cafe.get(&format!("get-webhook?webhookId={hook}")).await.data()["enabled"], true);
        assert_eq!(cafe.get(&format!("get-application?appId={CAFE_APP}")).await.data()["appId"], CAFE_APP);
        let source = cafe.get(&format!("get-ext-idp?id={connection}")).await.data();
        assert_eq!(source["connections"][0]["enabled"], true);
        let apps = cafe.get(&format!("ext-idp-conn-apps?id={connection}")).await.data();
        assert_eq!(apps[0]["enabled"], true);
        let history = cafe.get(&format!("get-user-login-history?userId={eve}")).await.data();
        assert!(history["list"].is_array());
    }
}
