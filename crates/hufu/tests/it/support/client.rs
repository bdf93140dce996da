//! An HTTP client that sends the requests of the published clients.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use super::instance::APPLICATION;
use super::process::TIMEOUT;

/// Sends requests for the application.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

/// A response of the server.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) request_id: String,
    pub(crate) text: String,
}

impl Answer {
    /// The JSON; null if there is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The code in the envelope.
    pub(crate) fn code(&self) -> u64 {
        self.json()["code"].as_u64().unwrap_or_else(|| panic!("no code: {self:?}"))
    }

    /// The data of a success.
    #[track_caller]
    pub(crate) fn data(&self) -> Value {
        assert_eq!((self.status, self.code()), (200, 200), "{self:?}");
        self.json()["data"].take()
    }

    /// The user token of a v2 login, or the access token of a v3 login.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        let data = self.data();
        let token = data["token"].as_str().or(data["access_token"].as_str());
        token.unwrap_or_else(|| panic!("no token: {self:?}")).to_owned()
    }
}

impl Client {
    pub(crate) fn of(base: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(TIMEOUT);
        Self { http: http.build().unwrap(), base: base.to_owned() }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .header("x-authing-app-id", APPLICATION)
            .header("x-authing-lang", "en-US")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        sent(self.request(Method::GET, path)).await.unwrap()
    }

    /// Sends a GET under another host name.
    pub(crate) async fn get_as(&self, host: &str, path: &str) -> Answer {
        sent(self.request(Method::GET, path).header("host", host)).await.unwrap()
    }

    /// Sends a GET with an access key; returns the status.
    pub(crate) async fn get_with(&self, path: &str, key: &str) -> u16 {
        self.request(Method::GET, path).bearer_auth(key).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, body).await.unwrap()
    }

    /// Posts with a bearer token.
    pub(crate) async fn post_with(&self, path: &str, token: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        sent(request.bearer_auth(token).body(body.to_string())).await.unwrap()
    }

    /// Posts a form, whose values must not need escaping, as a relying party does.
    pub(crate) async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.http.post(format!("{}{path}", self.base));
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(fields.join("&"));
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    async fn try_post(&self, path: &str, body: &Value) -> reqwest::Result<Answer> {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        sent(request.body(body.to_string())).await
    }

    /// Logs in with a code from `wx.login`, as the v2 clients do.
    pub(crate) async fn log_in(&self, code: &str) -> Answer {
        self.try_log_in(code).await.unwrap()
    }

    pub(crate) async fn try_log_in(&self, code: &str) -> reqwest::Result<Answer> {
        self.try_post("/connections/social/wechat-miniprogram/auth", &json!({ "code": code })).await
    }

    /// Logs in as the v2 clients do, from the mini program with this AppID.
    pub(crate) async fn log_in_from(&self, app_id: &str, code: &str) -> Answer {
        let request = self.request(Method::POST, "/connections/social/wechat-miniprogram/auth");
        let request =
            request.header("referer", format!("https://servicewechat.com/{app_id}/1/page-frame.html"));
        let request = request.header("content-type", "application/json");
        sent(request.body(json!({ "code": code }).to_string())).await.unwrap()
    }

    /// Logs in with a code from `wx.login`, as the v3 clients do, with every scope.
    pub(crate) async fn log_in_v3(&self, code: &str) -> Answer {
        self.try_log_in_v3(code).await.unwrap()
    }

    pub(crate) async fn try_log_in_v3(&self, code: &str) -> reqwest::Result<Answer> {
        let body = json!({
            "connection": "wechat_mini_program_code",
            "wechatMiniProgramCodePayload": { "code": code, "iv": "", "encryptedData": "" },
            "options": { "scope": "openid profile username email phone offline_access" },
        });
        self.try_post("/api/v3/signin-by-mobile", &body).await
    }

    /// Whether a user token or access token is accepted.
    pub(crate) async fn is_logged_in(&self, token: &str) -> bool {
        let query = json!({ "query": "{ checkLoginStatus { status } }" });
        let request = self.request(Method::POST, "/graphql/v2").header("content-type", "application/json");
        let answer = sent(request.bearer_auth(token).body(query.to_string())).await.unwrap();
        let status = answer.json()["data"]["checkLoginStatus"]["status"].as_bool();
        status.unwrap_or_else(|| panic!("no status: {answer:?}"))
    }

    /// The profile of the user of an access token.
    pub(crate) async fn profile(&self, token: &str) -> Answer {
        sent(self.request(Method::GET, "/api/v3/get-profile").bearer_auth(token)).await.unwrap()
    }

    /// Exchanges a refresh token for new tokens.
    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        let request = self.request(Method::POST, "/oidc/token");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        sent(request.body(format!("grant_type=refresh_token&redirect_uri=&refresh_token={token}")))
            .await
            .unwrap()
    }
}

async fn sent(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let request_id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok());
    let request_id = request_id.unwrap_or_default().to_owned();
    Ok(Answer { status: response.status().as_u16(), request_id, text: response.text().await? })
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token.
pub(crate) fn header_of(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
