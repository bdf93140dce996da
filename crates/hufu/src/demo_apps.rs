//! The demonstration's mini program and phone app. They run in the sandbox's phone, and do what a real one does: hand
//! what WeChat gave them to the server, by the calls of the published clients, and what the server answered to their
//! own back end, which is behind the start page.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use hufu_pages::dev::{Call, REPORTS};
use hufu_sandbox::{Handed, Outcome, Program, Step, What};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::demo;
use crate::surroundings::Surroundings;

/// What the apps want to know.
const SCOPE: &str = "openid profile phone";

/// All of them: which one it is, the AppID says.
pub(crate) struct DemoApps {
    server: Arc<Surroundings>,
    /// The server's address, as people reach it.
    address: String,
    report_secret: SecretString,
}

/// What an app tells its back end.
struct Reported<'a> {
    /// What it was answered.
    answer: &'a Value,
    /// Whether the person refused.
    refused: bool,
    /// Its calls of the server.
    steps: &'a [Step],
    /// How long the last click took.
    millis: u64,
}

impl<'a> Reported<'a> {
    const fn of(answer: &'a Value) -> Self {
        Self { answer, refused: false, steps: &[], millis: 0 }
    }
}

/// A request to the server, and for which mode.
struct Request {
    kind: &'static str,
    path: &'static str,
    body: Value,
}

impl DemoApps {
    /// Apps of the server at this address, that report with this secret.
    pub(crate) const fn new(server: Arc<Surroundings>, address: String, report_secret: SecretString) -> Self {
        Self { server, address, report_secret }
    }

    async fn run(&self, handed: Handed) -> Outcome {
        // A mini program asks the person for a nickname, since WeChat does not tell it.
        let nickname = matches!(handed.what, What::Opened { .. }).then_some(handed.nickname.as_str());
        let nickname = nickname.filter(|nickname| !nickname.is_empty()).map(str::to_owned);
        let request = match handed.what {
            What::Opened { code } => without_phone("wechat:miniprogram:default", &code),
            What::Phone { code, phone_code } => with_phone("wechat:miniprogram:default", &code, &phone_code),
            What::Led { page, code } => {
                return Outcome { opens: self.back_to_the_web_view(&page, &code), ..Outcome::default() };
            }
            What::Authorized { code } => {
                sign_in("wechat:mobile", "wechat", "wechatPayload", json!({ "code": code }))
            }
            What::Returned { code, phone_code: Some(phone_code), .. } => {
                with_phone(demo::LAUNCH, &code, &phone_code)
            }
            What::Returned { code, phone_code: None, .. } => without_phone(demo::LAUNCH, &code),
            What::Refused { mini_program } => {
                let is_launched = mini_program.is_some();
                let kind = match (is_launched, handed.app_id == demo::APP_ID) {
                    (true, _) => demo::LAUNCH,
                    (false, true) => "wechat:miniprogram:default",
                    (false, false) => "wechat:mobile",
                };
                // Without the number the person is logged in to the mini program all the same.
                if kind != "wechat:miniprogram:default" {
                    // What WeChat's OpenSDK hands the app: the person denied, or cancelled.
                    let told = if is_launched {
                        r#"WXLaunchMiniProgram.Resp {"errCode":-2}"#
                    } else {
                        r#"SendAuth.Resp {"errCode":-4}"#
                    };
                    self.report(
                        kind,
                        Reported { refused: true, ..Reported::of(&json!({ "message": told })) },
                    )
                    .await;
                }
                return Outcome::default();
            }
        };
        self.log_in(request, nickname).await
    }

    /// Sends the request, keeps the nickname if there is one, and reports the answer.
    async fn log_in(&self, request: Request, nickname: Option<String>) -> Outcome {
        let Some(mode) = demo::MODES.iter().find(|mode| mode.kind == request.kind) else {
            return Outcome::default();
        };
        let Request { kind, path, mut body } = request;
        if let Value::Object(members) = &mut body {
            members.insert("extIdpConnidentifier".to_owned(), mode.connection.into());
        }
        let (step, answer) = self.post(path, mode.application, None, &body).await;
        let (ok, millis) = (step.is_ok(), step.millis);
        let mut steps = vec![step];
        let token = answer.pointer("/data/access_token").and_then(Value::as_str);
        if let (Some(nickname), Some(token)) = (nickname, token) {
            let body = json!({ "nickname": nickname });
            let path = "/api/v3/update-profile";
            steps.push(self.post(path, mode.application, Some(token), &body).await.0);
        }
        let reported = Reported { steps: &steps, millis, ..Reported::of(&answer) };
        let name = self.report(kind, reported).await;
        Outcome { ok, name: name.unwrap_or_default(), steps, opens: None }
    }

    /// What the mini program's page for logins in its web-view does: it opens the web-view again, with the code of `wx.login`
    /// and the state that came with the page, at the callback, whose address it knows.
    fn back_to_the_web_view(&self, page: &str, code: &str) -> Option<String> {
        let (path, query) = page.split_once('?')?;
        let state = query.split('&').find_map(|pair| pair.strip_prefix("state="))?;
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let is_its_page = path.trim_start_matches('/') == demo::WEB_VIEW_PAGE;
        (is_its_page && is_plain(state) && is_plain(code)).then(|| {
            let (connection, pool) = (demo::WEB_VIEW.connection, demo::POOL);
            let callback = format!("{}/connection/social/{connection}/{pool}/callback", self.address);
            format!("{callback}?code={code}&state={state}")
        })
    }

    /// Posts to the server as the application. Returns how it went, and the answer.
    async fn post(&self, path: &str, application: &str, token: Option<&str>, body: &Value) -> (Step, Value) {
        let mut headers = vec![
            ("x-authing-app-id", application.to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        headers.extend(token.map(|token| ("authorization", format!("Bearer {token}"))));
        let call = Call { method: "POST", path: path.to_owned(), headers, body: body.to_string() };
        let began = Instant::now();
        let answer = self.server.send(call).await;
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (http_status, answer): (_, Value) = match answer {
            Ok(answer) => (Some(answer.status), serde_json::from_slice(&answer.body).unwrap_or_default()),
            Err(error) => (None, json!({ "message": error })),
        };
        let message = answer.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        let code = answer.get("statusCode").and_then(Value::as_i64);
        (Step { call: format!("POST {path}"), http_status, code, message, millis }, answer)
    }

    /// Tells the back end. Returns the name of the user.
    async fn report(&self, kind: &str, reported: Reported<'_>) -> Option<String> {
        let Reported { answer, refused, steps, millis } = reported;
        let report =
            json!({ "mode": kind, "answer": answer, "refused": refused, "millis": millis, "steps": steps });
        let headers = vec![
            ("authorization", format!("Bearer {}", self.report_secret.expose_secret())),
            ("content-type", "application/json".to_owned()),
        ];
        let call = Call { method: "POST", path: REPORTS.to_owned(), headers, body: report.to_string() };
        let answer = self.server.send(call).await.ok().filter(|answer| answer.status == 200)?;
        let user: Value = serde_json::from_slice(&answer.body).ok()?;
        user.get("name")?.as_str().map(str::to_owned)
    }
}

/// A login with a code of `wx.login`.
fn without_phone(kind: &'static str, code: &str) -> Request {
    let evidence = json!({ "code": code, "iv": "", "encryptedData": "" });
    sign_in(kind, "wechat_mini_program_code", "wechatMiniProgramCodePayload", evidence)
}

/// A login with a code of `wx.login` and one of the phone button.
fn with_phone(kind: &'static str, code: &str, phone_code: &str) -> Request {
    let evidence = json!({
        "wxLoginInfo": { "code": code, "iv": "", "encryptedData": "" },
        "wxPhoneInfo": { "code": phone_code },
    });
    sign_in(kind, "wechat_mini_program_code_and_phone", "wechatMiniProgramCodeAndPhonePayload", evidence)
}

/// A login by `signin-by-mobile`, as the clients of mini programs and phone apps call it.
fn sign_in(kind: &'static str, connection: &str, payload: &str, evidence: Value) -> Request {
    let mut body = json!({ "connection": connection, "options": { "scope": SCOPE } });
    if let Value::Object(members) = &mut body {
        members.insert(payload.to_owned(), evidence);
    }
    Request { kind, path: "/api/v3/signin-by-mobile", body }
}

impl Program for DemoApps {
    fn handed(&self, handed: Handed) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        Box::pin(self.run(handed))
    }

    fn web_view(&self, app_id: &str) -> Option<String> {
        (app_id == demo::APP_ID).then(|| format!("{}{}", self.address, hufu_pages::dev::IN_WEB_VIEW))
    }
}
