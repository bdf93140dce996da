//! Calls of `/admin/v1` with an access key.

use axum::body::Body;
use axum::http::{Method, Request};
use hufu_app::administration::{AccessKeyRequest, AdminCaller};
use hufu_types::{AdminRole, PoolId};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::world::{SHOP, World};

/// A response of `/admin/v1`.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The body as JSON. Null if there is none.
    pub body: Value,
    /// The `ETag`.
    pub tag: Option<String>,
}

impl Reply {
    /// Returns the body. Fails unless the response has this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

/// Sends a request with an access key.
pub async fn call(world: &World, key: Option<&str>, method: &str, path: &str, body: Option<Value>) -> Reply {
    call_if(world, key, method, path, body, None).await
}

/// The same, with the version that the caller has read in `If-Match`.
pub async fn call_if(
    world: &World,
    key: Option<&str>,
    method: &str,
    path: &str,
    body: Option<Value>,
    if_match: Option<&str>,
) -> Reply {
    let headers: Vec<_> = if_match.map(|tag| ("if-match", tag)).into_iter().collect();
    call_with(world, key, method, path, body, &headers).await
}

/// The same, with these headers.
pub async fn call_with(
    world: &World,
    key: Option<&str>,
    method: &str,
    path: &str,
    body: Option<Value>,
    headers: &[(&str, &str)],
) -> Reply {
    let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(path);
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let answer = world.node.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = answer.status();
    assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control-")));
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 22).await.unwrap();
    let body =
        if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or(Value::Null) };
    if status.is_client_error() {
        assert!(body["code"].is_u64() && body["message"].is_string(), "{path}: {body}");
    }
    Reply { status: status.as_u16(), body, tag }
}

/// Creates an access key.
pub async fn key(world: &World, role: AdminRole, pool: Option<&str>) -> String {
    let pool = pool.map(|pool| PoolId::parse(pool).unwrap());
    let request =
        AccessKeyRequest { name: "test".to_owned(), role, permissions: None, pool, expires_at: None };
    let (_, text) = world.node.app.create_access_key(&AdminCaller::command_line(), request).await.unwrap();
    world.secret(text.expose_secret());
    text.expose_secret().to_owned()
}

/// The path of a pool's users.
pub fn users(pool: &str) -> String {
    format!("/admin/v1/pools/{pool}/users")
}

/// Creates a user of the shop. Returns the id.
pub async fn create(world: &World, key: &str, body: Value) -> String {
    let made = call(world, Some(key), "POST", &users(SHOP), Some(body)).await.is(201);
    made["id"].as_str().unwrap().to_owned()
}

/// The usernames of all pages of a search.
pub async fn found(world: &World, key: &str, query: &str, limit: usize) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{}?limit={limit}&{query}{cursor}", users(SHOP));
        let page = call(world, Some(key), "GET", &path, None).await.is(200);
        let rows = page["users"].as_array().unwrap();
        assert!(rows.len() <= limit);
        names.extend(rows.iter().map(|user| user["username"].as_str().unwrap_or("-").to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
}
