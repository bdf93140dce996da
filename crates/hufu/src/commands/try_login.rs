//! `hufu try`: a complete mini program login in the terminal that shows each step.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value yields null for a missing key")]
#![expect(clippy::disallowed_types, reason = "a body that is sent, not one that is received")]

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::demo;
use crate::output::say;

/// Log in as a mini program would, against `hufu dev`, and show each step.
#[derive(Args)]
pub(crate) struct Try {
    /// The URL of the server.
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    host: String,
    /// The URL of the WeChat sandbox.
    #[arg(long, default_value = "http://127.0.0.1:3100")]
    sandbox: String,
    /// The id of the application.
    #[arg(long, default_value = demo::APPLICATION)]
    app_id: String,
    /// The mini program's AppID in the sandbox.
    #[arg(long, default_value = demo::APP_ID)]
    wechat_app_id: String,
    /// Who logs in: the name of a person in the sandbox, or `new` for a new person.
    #[arg(long, default_value = "bob")]
    person: String,
}

impl Try {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let http = Http(Client::builder(TokioExecutor::new()).build_http());

        say!("1. wx.login()   {} opens the mini program {} in the sandbox", self.person, self.wechat_app_id);
        let seen =
            http.get(&format!("{}/__sandbox/log", self.sandbox)).await.context("is `hufu dev` running?")?;
        let last_seen = last_call(&seen).map_or(0, |call| call["seq"].as_u64().unwrap_or(0));
        let body = json!({ "app_id": self.wechat_app_id, "user": self.person });
        let drawn = http.post(&format!("{}/__sandbox/codes", self.sandbox), &[], &body).await?;
        let code = drawn["code"].as_str().with_context(|| format!("the sandbox returned {drawn}"))?;
        say!("   code         {code}\n");

        say!("2. loginByCode(code)   POST {}/connections/social/wechat-miniprogram/auth", self.host);
        let url = format!("{}/connections/social/wechat-miniprogram/auth", self.host);
        let headers = [("x-authing-app-id", self.app_id.as_str()), ("x-authing-lang", "en-US")];
        let mut answer = http.post(&url, &headers, &json!({ "code": code })).await?;
        if let Some(flow) = answer["data"]["flowId"].as_str() {
            let actions = answer["data"]["actions"].as_array().cloned().unwrap_or_default();
            let names: Vec<_> = actions.iter().map(text).collect();
            say!("   waits        {} (code {})", text(&answer["message"]), answer["code"]);
            say!("   it can continue with {}: docs/login-flow.md", names.join(", "));
            if !actions.contains(&json!("create")) {
                bail!("this login does not create an account; continue it as docs/login-flow.md says");
            }
            say!("   create       POST {}/api/v3/login-flows/{flow}", self.host);
            let step = json!({ "action": "create", "key": answer["data"]["key"] });
            answer = http.post(&format!("{}/api/v3/login-flows/{flow}", self.host), &headers, &step).await?;
        }
        if answer["code"] != 200 {
            bail!("the server refused: {} (code {})", text(&answer["message"]), answer["code"]);
        }

        let calls = http.get(&format!("{}/__sandbox/log", self.sandbox)).await?;
        match last_call(&calls).filter(|call| call["seq"].as_u64().unwrap_or(0) > last_seen) {
            Some(call) => say!(
                "   exchange     the server asked WeChat: {} for {} → {}\n",
                text(&call["path"]),
                text(&call["app_id"]),
                if call["errcode"] == 0 {
                    "openid, unionid, session key".to_owned()
                } else {
                    format!("errcode {}", call["errcode"])
                }
            ),
            None => say!("   exchange     (the sandbox's log shows none)\n"),
        }

        let user = &answer["data"];
        let logins = user["loginsCount"].as_i64().unwrap_or(0);
        let found = if user["newlyCreated"] == true { "created now" } else { "found" };
        say!("3. The account  {found}: this is login number {logins}");
        for (label, field) in [
            ("id", "id"),
            ("pool", "userPoolId"),
            ("nickname", "nickname"),
            ("phone", "phone"),
            ("openid", "openid"),
            ("unionid", "unionid"),
            ("since", "createdAt"),
        ] {
            say!(
                "   {label:<12} {}",
                if user[field].is_null() { "–".to_owned() } else { text(&user[field]) }
            );
        }

        let token = text(&user["token"]);
        say!("\n4. The token    stored and sent by the SDK ({} bytes, JWT)", token.len());
        let mut parts = token.split('.');
        for label in ["header", "claims"] {
            let part = parts.next().context("the token is not a JWT")?;
            let decoded: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?;
            say!("   {label:<12} {decoded}");
        }
        say!("   keys         {}/oidc/.well-known/jwks.json", self.host);

        say!("\n5. The token in use   checkLoginStatus");
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("x-authing-app-id", self.app_id.as_str())];
        let query = "query { checkLoginStatus { code status message exp } }";
        let status =
            http.post(&format!("{}/graphql/v2", self.host), &headers, &json!({ "query": query })).await?;
        say!("   answer       {}", status["data"]["checkLoginStatus"]);
        say!(
            "\nRun it again, and it finds the same account. With --person new, it creates one for a new person."
        );
        Ok(ExitCode::SUCCESS)
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn last_call(log: &Value) -> Option<&Value> {
    log["calls"].as_array().or_else(|| log.as_array())?.last()
}

struct Http(Client<HttpConnector, Full<Bytes>>);

impl Http {
    async fn get(&self, url: &str) -> anyhow::Result<Value> {
        self.send("GET", url, &[], Full::default()).await
    }

    async fn post(&self, url: &str, headers: &[(&str, &str)], body: &Value) -> anyhow::Result<Value> {
        self.send("POST", url, headers, Full::from(body.to_string())).await
    }

    async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Full<Bytes>,
    ) -> anyhow::Result<Value> {
        let mut request =
            hyper::Request::builder().method(method).uri(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer =
            self.0.request(request.body(body)?).await.with_context(|| format!("{url} does not respond"))?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        serde_json::from_slice(&bytes).with_context(|| format!("{url} returned {status} without JSON"))
    }
}
