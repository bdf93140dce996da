//! A client that sends the requests of the published clients.

use std::net::{IpAddr, SocketAddr};

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_sandbox::DataKind;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::logs;
use crate::world::{Node, World};

/// v2: log in with a code of `wx.login`.
pub const AUTH: &str = "/connections/social/wechat-miniprogram/auth";
/// v2: log in with a sealed phone number.
pub const AUTH_BY_PHONE: &str = "/connections/social/wechat-miniprogram/auth-by-phone";
/// v2: decrypt a phone number.
pub const GET_PHONE: &str = "/connections/social/wechat-miniprogram/getphone";
/// v2: bind a WeChat identity.
pub const BIND: &str = "/connections/social/wechat-miniprogram/bind";
/// v2: GraphQL.
pub const GRAPHQL: &str = "/graphql/v2";
/// v2: the public key that encrypts passwords.
pub const WELL_KNOWN: &str = "/api/v2/.well-known";
/// v2: log out.
pub const LOGOUT: &str = "/api/v2/logout";
/// v2: upload an image.
pub const UPLOAD: &str = "/api/v2/upload";
/// v3: log in from a mobile app or mini program.
pub const SIGNIN: &str = "/api/v3/signin-by-mobile";
/// v3: the public keys that encrypt passwords.
pub const SYSTEM: &str = "/api/v3/system";
/// v3: the profile.
pub const GET_PROFILE: &str = "/api/v3/get-profile";
/// v3: change the profile.
pub const UPDATE_PROFILE: &str = "/api/v3/update-profile";
/// v3: the number of a phone code.
pub const PHONE: &str = "/api/v3/get-wechat-miniprogram-phone";
/// v3: decrypt data from WeChat.
pub const DECRYPT: &str = "/api/v3/decrypt-wechat-miniprogram-data";
/// OAuth 2: the token endpoint.
pub const TOKEN: &str = "/oidc/token";
/// OAuth 2: revocation.
pub const REVOCATION: &str = "/oidc/token/revocation";
/// OpenID Connect: the public keys.
pub const JWKS: &str = "/oidc/.well-known/jwks.json";

/// All scopes that a login can request.
pub const SCOPE: &str = "openid profile username email phone offline_access";

/// Sends requests with the configured headers and address.
#[derive(Clone)]
#[must_use]
pub struct Client<'w> {
    /// The world that the client belongs to.
    pub world: &'w World,
    node: &'w Node,
    headers: HeaderMap,
    ip: IpAddr,
}

impl<'w> Client<'w> {
    /// A client of a node that names no application and requests English.
    pub fn of(world: &'w World, node: &'w Node) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("x-authing-lang", HeaderValue::from_static("en-US"));
        Self { world, node, headers, ip: IpAddr::from([203, 0, 113, 7]) }
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// Adds a header beside those of the same name.
    pub fn header_again(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    /// Removes a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Names an application.
    pub fn app(self, id: &str) -> Self {
        self.header("x-authing-app-id", id)
    }

    /// Names a pool.
    pub fn pool(self, id: &str) -> Self {
        self.header("x-authing-userpool-id", id)
    }

    /// Adds a bearer token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends the `Referer` of the mini program with this AppID.
    pub fn referer(self, app_id: &str) -> Self {
        self.header("referer", &format!("https://servicewechat.com/{app_id}/12/page-frame.html"))
    }

    /// Sends from this address.
    pub fn from(mut self, ip: impl Into<IpAddr>) -> Self {
        self.ip = ip.into();
        self
    }

    /// Sends a request. An empty content type is not sent.
    pub async fn send(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(header::HOST, HeaderValue::from_static("id.example.com"));
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        }
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(self.ip, 40_000)));
        let response = self.node.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let answer = Answer { status: parts.status, headers: parts.headers, bytes };
        answer.note_secrets(self.world);
        answer
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, "application/json", body.to_string().into_bytes()).await
    }

    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "application/json", Vec::new()).await
    }

    /// Posts a form. The values must not need escaping.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let body = fields.join("&").into_bytes();
        self.send(Method::POST, path, "application/x-www-form-urlencoded", body).await
    }

    /// Posts a file as the clients do.
    pub async fn upload(&self, bytes: &[u8]) -> Answer {
        self.upload_as("file", bytes).await
    }

    /// Posts a file in a field with this name.
    pub async fn upload_as(&self, field: &str, bytes: &[u8]) -> Answer {
        let head = format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"avatar.png\"\r\n\
             Content-Type: image/png\r\n\r\n"
        );
        let body = [head.as_bytes(), bytes, b"\r\n--frontier--\r\n"].concat();
        self.send(Method::POST, UPLOAD, "multipart/form-data; boundary=frontier", body).await
    }

    /// Sends a GraphQL document.
    pub async fn graphql(&self, query: &str, variables: Value) -> Answer {
        self.post(GRAPHQL, json!({ "query": query, "variables": variables })).await
    }

    /// Changes the profile as the v2 clients do.
    pub async fn update_user(&self, input: Value) -> Answer {
        let mutation =
            "mutation ($input: UpdateUserInput!) { updateUser(input: $input) { id nickname photo token } }";
        self.graphql(mutation, json!({ "input": input })).await
    }

    /// Refreshes as the mini program clients do, with the application only in the header.
    pub async fn refresh(&self, token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("redirect_uri", ""), ("refresh_token", token)];
        self.form(TOKEN, &fields).await
    }

    /// Sends only a `wx.login` code, as the v2 clients do.
    pub async fn send_code(&self, code: &str) -> Answer {
        self.post(AUTH, json!({ "code": code })).await
    }

    /// Logs a person in with a code from the mini program with this AppID, as the v2 clients do.
    pub async fn log_in(&self, app_id: &str, name: &str) -> User {
        self.try_log_in(Mode::V2Code, app_id, name).await.user()
    }

    /// Logs a person in with a code and every scope, as the v3 clients do.
    pub async fn log_in_v3(&self, app_id: &str, name: &str) -> Tokens {
        self.try_log_in(Mode::Code, app_id, name).await.tokens()
    }

    /// Tries to log a person in from the mini program with this AppID.
    pub async fn try_log_in(&self, mode: Mode, app_id: &str, name: &str) -> Answer {
        let (path, body) = mode.request(self.world, app_id, name);
        self.clone().referer(app_id).post(path, body).await
    }
}

/// The ways to log in, by the proof and by the client that sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// v2: a login code.
    V2Code,
    /// v2: a login code and a sealed number, which can prove the account.
    V2Phone,
    /// v3: a login code.
    Code,
    /// v3: a login code and a sealed number.
    Phone,
    /// v3: a login code and a phone code.
    CodeAndPhone,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 5] = [Self::V2Code, Self::V2Phone, Self::Code, Self::Phone, Self::CodeAndPhone];

    /// The path and body of the call, with new codes from WeChat for this person.
    pub fn request(self, world: &World, app_id: &str, name: &str) -> (&'static str, Value) {
        let code = world.code(app_id, name);
        self.request_with(world, app_id, name, &code)
    }

    /// The path and body of the call, with this login code.
    pub fn request_with(self, world: &World, app_id: &str, name: &str, code: &str) -> (&'static str, Value) {
        let sealed_phone = || {
            let sealed = world.sealed(app_id, code, DataKind::Phone);
            json!({ "code": code, "iv": sealed.iv, "encryptedData": sealed.encrypted_data })
        };
        let plain = json!({ "code": code, "iv": "", "encryptedData": "" });
        match self {
            Self::V2Code => (AUTH, json!({ "code": code })),
            Self::V2Phone => (AUTH_BY_PHONE, sealed_phone()),
            Self::Code => {
                (SIGNIN, signin("wechat_mini_program_code", "wechatMiniProgramCodePayload", &plain))
            }
            Self::Phone => {
                let payload = sealed_phone();
                (SIGNIN, signin("wechat_mini_program_phone", "wechatMiniProgramPhonePayload", &payload))
            }
            Self::CodeAndPhone => {
                let phone = json!({ "code": world.phone_code(app_id, name) });
                let payload = json!({ "wxLoginInfo": plain, "wxPhoneInfo": phone });
                let name = "wechatMiniProgramCodeAndPhonePayload";
                (SIGNIN, signin("wechat_mini_program_code_and_phone", name, &payload))
            }
        }
    }
}

/// The body of a v3 login with every scope.
pub fn signin(connection: &str, name: &str, payload: &Value) -> Value {
    json!({ "connection": connection, name: payload, "options": { "scope": SCOPE } })
}

/// The result of a v2 login.
#[derive(Clone, Debug)]
pub struct User {
    /// The user's id.
    pub id: String,
    /// The user token.
    pub token: String,
    /// The data of the whole response.
    pub data: Value,
}

/// The result of a v3 login.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The id token.
    pub id: String,
    /// The refresh token.
    pub refresh: String,
}

impl Tokens {
    fn of(data: &Value) -> Self {
        let token =
            |name: &str| data[name].as_str().unwrap_or_else(|| panic!("no {name}: {data}")).to_owned();
        assert!(data["expires_in"].is_u64() && data["expire_in"] == data["expires_in"], "{data}");
        assert_eq!(data["token_type"], "Bearer");
        Self { access: token("access_token"), id: token("id_token"), refresh: token("refresh_token") }
    }

    /// The user.
    pub fn user(&self) -> String {
        claims(&self.access)["sub"].as_str().unwrap().to_owned()
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {self}"))
    }

    /// The data of a success in the envelope of v2 and v3, or of a GraphQL response without errors.
    pub fn data(&self) -> Value {
        let json = self.json();
        assert_eq!(self.status, 200, "{self}");
        assert_eq!(self.headers["cache-control"], "no-store", "{self}");
        if json.get("code").is_some() {
            assert!(
                json["code"] == 200 && json["statusCode"] == 200 && json.get("apiCode").is_none(),
                "{self} {}",
                self.log()
            );
        } else {
            assert!(json.get("errors").is_none() && json["data"].is_object(), "{self}");
        }
        json["data"].clone()
    }

    /// The user of a v2 login.
    #[track_caller]
    pub fn user(&self) -> User {
        let data = self.data();
        let text = |name: &str| data[name].as_str().unwrap_or_else(|| panic!("no {name}: {self}")).to_owned();
        User { id: text("id"), token: text("token"), data }
    }

    /// The tokens of a v3 login, or of `/oidc/token`.
    #[track_caller]
    pub fn tokens(&self) -> Tokens {
        let json = self.json();
        Tokens::of(if json.get("statusCode").is_some() { &json["data"] } else { &json })
    }

    /// The user's id, for any kind of login.
    #[track_caller]
    pub fn logged_in(&self) -> String {
        let data = self.data();
        data["id"].as_str().map_or_else(|| self.tokens().user(), str::to_owned)
    }

    /// The code, in any envelope.
    pub fn code(&self) -> u64 {
        let json = self.json();
        let code = match json.get("errors") {
            Some(errors) => &errors[0]["message"]["code"],
            None => &json["code"],
        };
        code.as_u64().unwrap_or_else(|| panic!("no code: {self}"))
    }

    /// Fails unless this is a refusal with this code, in the envelope that every client understands. Returns
    /// the message.
    #[track_caller]
    pub fn refused(&self, code: u64) -> String {
        let json = self.json();
        assert_eq!(self.status, 200, "{self}");
        assert_eq!(self.code(), code, "{self}");
        assert_eq!(self.headers["cache-control"], "no-store", "{self}");
        let message = if json.get("errors").is_some() {
            &json["errors"][0]["message"]["message"]
        } else {
            assert_eq!(json["apiCode"], json["code"], "{self}");
            assert!(json["statusCode"].as_u64().is_some_and(|status| status >= 400), "{self}");
            // Only a waiting login has data to continue with, and only too many requests a time to wait.
            let may_be = |data: &Value| data["flowId"].is_string() || code == 1002;
            assert!(json.get("data").is_none_or(may_be), "{self}");
            assert_eq!(json["requestId"].as_str(), Some(self.request_id()), "{self}");
            &json["message"]
        };
        let message =
            message.as_str().filter(|message| message.ends_with('.')).expect("a sentence").to_owned();
        if code == 1002 {
            // Too many requests: how long to wait is told in both ways.
            let data = json.get("errors").map_or(&json["data"], |errors| &errors[0]["message"]["data"]);
            let seconds = data["retryAfter"].as_u64().unwrap_or_else(|| panic!("for how long? {self}"));
            assert!(seconds >= 1 && message.contains(&format!(" {seconds} ")), "{self}");
        }
        message
    }

    /// Fails unless this is an OAuth error (RFC 6749 section 5.2).
    #[track_caller]
    pub fn oauth_error(&self, error: &str) {
        let json = self.json();
        assert!(self.status.is_client_error(), "{self}");
        assert_eq!(json["error"], error, "{self}");
        assert!(json["error_description"].is_string() && json.get("access_token").is_none(), "{self}");
        assert_eq!(self.headers["cache-control"], "no-store");
    }

    /// The id of the request, which identifies its log lines.
    pub fn request_id(&self) -> &str {
        self.headers["x-request-id"].to_str().unwrap()
    }

    /// The log lines of the request.
    pub fn log(&self) -> String {
        logs::of_request(self.request_id()).concat()
    }

    /// Fails unless the code is this one, in any envelope.
    #[track_caller]
    pub fn code_is(&self, code: u64) {
        assert_eq!(self.code(), code, "{self}");
    }

    /// Fails unless this is a success of a published client's call, with or without data.
    #[track_caller]
    pub fn done(&self) {
        assert_eq!((self.status.as_u16(), &self.json()["code"]), (200, &Value::from(200)), "{self}");
    }

    /// Fails unless this is a success, with or without data.
    pub fn data_or_nothing(&self) {
        assert_eq!(self.json()["code"], 200, "{self}");
    }

    /// Fails unless this is a success of the v3 clients.
    #[track_caller]
    pub fn refused_or_data(&self) {
        assert_eq!(self.json()["statusCode"], 200, "{self}");
    }

    /// Records all tokens and client secrets as secrets that must never be logged.
    fn note_secrets(&self, world: &World) {
        fn walk(value: &Value, world: &World) {
            match value {
                Value::Object(fields) => {
                    for (name, value) in fields {
                        let name = name.to_ascii_lowercase();
                        if (name.ends_with("token") || name.ends_with("secret"))
                            && let Some(text) = value.as_str()
                        {
                            world.secret(text);
                        }
                        walk(value, world);
                    }
                }
                Value::Array(items) => items.iter().for_each(|item| walk(item, world)),
                _ => {}
            }
        }
        if let Ok(json) = serde_json::from_slice(&self.bytes) {
            walk(&json, world);
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token.
pub fn header_of(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The session of a token.
pub fn session_of(token: &str) -> String {
    claims(token)["sid"].as_str().unwrap().to_owned()
}
