//! What an access token opens: each endpoint of the account needs a scope.

use axum::http::Method;
use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use crate::client::{BIND, Client, GET_PROFILE, GRAPHQL, SIGNIN, UPDATE_PROFILE};
use crate::world::{MINI, World};

/// Every endpoint that reads or changes the account of the token, with a body that asks for nothing possible.
fn endpoints() -> Vec<(Method, &'static str, Value)> {
    let get = |path| (Method::GET, path, Value::Null);
    let post = |path, body| (Method::POST, path, body);
    let delete = |path| (Method::DELETE, path, Value::Null);
    let graphql = |query: &str| (Method::POST, GRAPHQL, json!({ "query": query }));
    let id = "6560c0ffee00000000000099";
    vec![
        post(BIND, json!({ "code": "x" })),
        get("/api/v2/users/me"),
        get("/api/v2/users/me/security-level"),
        get("/api/v2/users/me/applications/allowed"),
        get(GET_PROFILE),
        post(UPDATE_PROFILE, json!({ "nickname": "Bob" })),
        post("/api/v3/update-password", json!({ "newPassword": "a good long password" })),
        post("/api/v3/bind-phone", json!({})),
        post("/api/v3/bind-email", json!({})),
        post("/api/v3/verify-update-phone-request", json!({})),
        post("/api/v3/update-phone", json!({})),
        post("/api/v3/verify-update-email-request", json!({})),
        post("/api/v3/update-email", json!({})),
        post("/api/v3/verify-delete-account-request", json!({})),
        post("/api/v3/delete-account", json!({})),
        get("/api/v3/get-identities"),
        post("/api/v3/unlink-extidp", json!({})),
        get("/api/v3/get-security-info"),
        get("/api/v3/me"),
        post("/api/v3/me/profile", json!({ "nickname": "Bob" })),
        post("/api/v3/me/username", json!({ "username": "bob" })),
        post("/api/v3/me/login-names/unbind", json!({})),
        post("/api/v3/me/deletion", json!({})),
        get("/api/v3/me/identities"),
        post("/api/v3/me/identities", json!({ "code": "x" })),
        post("/api/v3/me/identities/qr-code", json!({})),
        post("/api/v3/me/identities/qr-code/bind", json!({ "random": "x" })),
        delete("/api/v3/me/identities/0123"),
        get("/api/v3/me/sessions"),
        delete("/api/v3/me/sessions"),
        delete("/api/v3/me/sessions/0123"),
        get("/api/v3/me/activity"),
        get("/api/v3/me/export"),
        get("/api/v3/me/merges"),
        post("/api/v3/me/merges", json!({ "token": "x" })),
        post("/api/v3/me/merges/preview", json!({ "token": "x" })),
        delete("/api/v3/me/merges/6560c0ffee00000000000099"),
        graphql("{ user { id } }"),
        graphql(&format!("{{ udv(targetType: USER, targetId: \"{id}\") {{ key }} }}")),
        graphql("mutation { updateUser(input: { nickname: \"Bob\" }) { id } }"),
        graphql("mutation { refreshToken { token } }"),
        graphql(&format!(
            "mutation {{ setUdv(targetType: USER, targetId: \"{id}\", key: \"k\", value: \"1\") {{ key }} }}"
        )),
        graphql(&format!(
            "mutation {{ removeUdv(targetType: USER, targetId: \"{id}\", key: \"k\") {{ key }} }}"
        )),
        graphql(&format!(
            "mutation {{ setUdvBatch(targetType: USER, targetId: \"{id}\", udvList: []) {{ key }} }}"
        )),
        graphql("mutation { updatePassword(newPassword: \"a good long password\") { id } }"),
        graphql("mutation { updatePhone(phone: \"13912345678\", phoneCode: \"1\") { id } }"),
        graphql("mutation { updateEmail(email: \"bob@example.com\", emailCode: \"1\") { id } }"),
        graphql("mutation { bindPhone(phone: \"13912345678\", phoneCode: \"1\") { id } }"),
        graphql("mutation { bindEmail(email: \"bob@example.com\", emailCode: \"1\") { id } }"),
        graphql("mutation { unbindPhone { id } }"),
        graphql("mutation { unbindEmail { id } }"),
    ]
}

/// An access token with this scope.
async fn token(world: &World, scope: &str) -> String {
    let body = json!({
        "connection": "wechat_mini_program_code",
        "wechatMiniProgramCodePayload": { "code": world.code(MINI, "bob"), "iv": "", "encryptedData": "" },
        "options": { "scope": scope },
    });
    let answer = world.client().referer(MINI).post(SIGNIN, body).await.data();
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn ask(client: &Client<'_>, (method, path, body): (Method, &'static str, Value)) -> u64 {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let answer = client.send(method, path, "application/json", body).await;
    let json = answer.json();
    if path == GRAPHQL && json.get("errors").is_none() { 200 } else { answer.code() }
}

on_both_engines! {
    /// A token for `openid` opens nothing of the account, on any surface. The scopes that the published
    /// clients ask for if they are told none open all of it.
    async fn an_endpoint_needs_its_scope(database) {
        let world = World::new(database).await;
        world.person("bob");
        for scope in ["openid", "openid phone email offline_access"] {
            let client = world.client().bearer(&token(&world, scope).await);
            for endpoint in endpoints() {
                let (name, body) = (endpoint.1, endpoint.2.to_string());
                let code = world.stores_nothing(ask(&client, endpoint)).await;
                assert_eq!(code, 2470, "{scope}: {name} {body}");
            }
        }
        for endpoint in endpoints() {
            let client = world.client().bearer(&token(&world, "").await);
            let (name, body) = (endpoint.1, endpoint.2.to_string());
            assert_ne!(ask(&client, endpoint).await, 2470, "{name} {body}");
        }
    }

    /// What is not about the account needs no scope, and the refusal names the one that is missing.
    async fn a_token_for_openid_says_who_it_is(database) {
        let world = World::new(database).await;
        world.person("bob");
        let client = world.client().bearer(&token(&world, "openid").await);
        let refused = client.get(GET_PROFILE).await;
        assert!(refused.refused(2470).contains("profile"));
        assert_eq!(refused.json()["statusCode"], 403);
        let status = client.graphql("{ checkLoginStatus { status } }", json!({})).await.data();
        assert_eq!(status["checkLoginStatus"]["status"], true);
        client.get("/api/v3/get-application-enabled-extidps").await.data();
        client.get("/api/v2/logout").await.data_or_nothing();
        client.get(GET_PROFILE).await.refused(2020);
    }

    /// A user token, as the v2 clients have, opens everything, and so do both tokens of a merge only together.
    async fn a_user_token_has_every_scope(database) {
        let world = World::new(database).await;
        for name in ["bob", "carol"] {
            world.person(name);
        }
        let user = world.client().log_in(MINI, "carol").await;
        let client = world.client().bearer(&user.token);
        client.get("/api/v3/me").await.data();
        let body = json!({ "token": token(&world, "openid").await });
        client.post("/api/v3/me/merges", body).await.refused(2470);
    }
}
