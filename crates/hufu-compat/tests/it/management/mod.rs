//! The calls of the published management clients. Here requests are signed by hand; tests/management has the clients.

mod attacks;
mod docs;
mod keys;
mod pools;
mod users;

use aws_lc_rs::hmac;
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hufu_app::administration::{AdminCaller, ManagementKey, ManagementKeyRequest};
use hufu_types::{AdminRole, PoolId};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::world::{SHOP, World};

/// The time of the world, as a header.
pub(crate) const DATE: &str = "Sun, 15 Jun 2025 15:06:40 GMT";

/// Makes the management key of a pool.
pub(crate) async fn made(
    world: &World,
    pool: &str,
    role: AdminRole,
    ends_present: bool,
) -> (ManagementKey, String) {
    let (by, pool) = (AdminCaller::command_line(), PoolId::parse(pool).unwrap());
    let request = ManagementKeyRequest { role, expires_at: None, ends_present };
    let (key, secret) = world.node.app.create_management_key(&by, &pool, request).await.unwrap();
    world.secret(secret.expose_secret());
    (key, secret.expose_secret().to_owned())
}

/// A back end with a pool's management key, which signs as `authing-node-sdk` does.
pub(crate) struct BackEnd<'w> {
    client: Client<'w>,
    pool: String,
    secret: String,
    calls: std::cell::Cell<u32>,
}

/// A request, signed.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) date: Option<&'static str>,
    pub(crate) nonce: Option<String>,
    pub(crate) authorization: String,
}

impl<'w> BackEnd<'w> {
    pub(crate) async fn of(world: &'w World, pool: &str) -> Self {
        let (_, secret) = made(world, pool, AdminRole::Owner, true).await;
        Self::with(world.nobody(), pool, &secret)
    }

    pub(crate) fn with(client: Client<'w>, pool: &str, secret: &str) -> Self {
        Self { client, pool: pool.to_owned(), secret: secret.to_owned(), calls: std::cell::Cell::new(0) }
    }

    fn nonce(&self) -> String {
        self.calls.set(self.calls.get() + 1);
        format!("{:032x}", self.calls.get())
    }

    /// Signs a request. The values of the query are plain.
    pub(crate) fn sign(&self, method: &'static str, path: &str, body: Option<Value>) -> Signed {
        self.sign_at(method, path, body, Some(DATE), Some(self.nonce()))
    }

    /// The same with this date and nonce.
    pub(crate) fn sign_at(
        &self,
        method: &'static str,
        path: &str,
        body: Option<Value>,
        date: Option<&'static str>,
        nonce: Option<String>,
    ) -> Signed {
        let date_line = date.map(|date| format!("date:{date}\n")).unwrap_or_default();
        let nonce_line = nonce.as_ref().map(|nonce| format!("x-authing-signature-nonce:{nonce}\n"));
        let (route, query) = path.split_once('?').unwrap_or((path, ""));
        let mut values: Vec<String> = match &body {
            Some(body) => body.as_object().unwrap().iter().map(written).collect(),
            None => query.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect(),
        };
        values.sort();
        let resource =
            if values.is_empty() { route.to_owned() } else { format!("{route}?{}", values.join("&")) };
        let lang_line = "x-authing-lang:en-US\n";
        let text = format!("{method}\n{date_line}{lang_line}{}{resource}", nonce_line.unwrap_or_default());
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.secret.as_bytes());
        let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        let authorization = format!("authing {}:{signature}", self.pool);
        Signed { method, path: path.to_owned(), body, date, nonce, authorization }
    }

    /// Sends a signed request.
    pub(crate) async fn send(&self, signed: &Signed) -> Answer {
        let mut client = self.client.clone().header("authorization", &signed.authorization);
        for (name, value) in [("date", signed.date), ("x-authing-signature-nonce", signed.nonce.as_deref())] {
            if let Some(value) = value {
                client = client.header(name, value);
            }
        }
        let body = signed.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let method: Method = signed.method.parse().unwrap();
        client.send(method, &signed.path, "application/json", body).await
    }

    /// `POST /api/v3/{call}`
    pub(crate) async fn post(&self, call: &str, body: Value) -> Answer {
        self.send(&self.sign("POST", &format!("/api/v3/{call}"), Some(body))).await
    }

    /// `GET /api/v3/{call}`
    pub(crate) async fn get(&self, call: &str) -> Answer {
        self.send(&self.sign("GET", &format!("/api/v3/{call}"), None)).await
    }

    /// Creates a user. Returns the id.
    pub(crate) async fn create(&self, username: &str) -> String {
        let made = self.post("create-user", json!({ "username": username })).await.data();
        made["userId"].as_str().unwrap().to_owned()
    }

    /// A token for the key.
    pub(crate) async fn token(&self) -> String {
        let body = json!({ "accessKeyId": self.pool, "accessKeySecret": self.secret });
        let got = self.client.post("/api/v3/get-management-token", body).await.data();
        got["access_token"].as_str().unwrap().to_owned()
    }
}

fn written((name, value): (&String, &Value)) -> String {
    match value {
        Value::String(text) => format!("{name}={text}"),
        value => format!("{name}={value}"),
    }
}

/// The shop's back end.
pub(crate) async fn shop(world: &World) -> BackEnd<'_> {
    BackEnd::of(world, SHOP).await
}
