//! The login mini program: it is opened by a code with a scene, logs the person in at the server, and tells the
//! server that the code may go on. It knows nothing but the server's address, as a real one.

use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::param;
use crate::control::ControlError;
use crate::reach;
use crate::state::State;
use crate::state::apps::App;
use crate::state::people::Person;

/// How long the mini program waits for an answer of the server.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What the person answers to the question for their phone number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneChoice {
    /// Gives the number.
    #[default]
    Allow,
    /// Logs in without it.
    Hide,
    /// Leaves the mini program.
    Refuse,
}

/// One call of the mini program to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The method and the path, without its query.
    pub call: String,
    /// The HTTP status, if there was an answer.
    pub http_status: Option<u16>,
    /// The `code` or `statusCode` of the answer.
    pub code: Option<i64>,
    /// The server's sentence, or what went wrong.
    pub message: String,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

impl Step {
    /// Whether the server agreed.
    pub fn is_ok(&self) -> bool {
        self.http_status.is_some_and(|status| (200..300).contains(&status))
            && self.code.is_none_or(|code| code == 200)
    }
}

/// What the mini program knows after it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Opened {
    /// The name of the application that the person logs in to, as the server says it.
    pub(crate) app_name: String,
    /// The code's one-time id, from its scene. Empty if the mini program was opened without a code.
    pub(crate) random: String,
    /// The code binds WeChat to an account that is logged in already.
    pub(crate) binds: bool,
    /// Whether the server knows this person's number already.
    pub(crate) has_phone: bool,
    /// The calls so far.
    pub(crate) steps: Vec<Step>,
    /// Whether all of them went well.
    pub(crate) ok: bool,
    #[serde(skip)]
    pub(crate) target: Target,
}

/// The application at the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) pool: String,
    pub(crate) app: String,
    pub(crate) connection: String,
}

/// A run of the mini program, from its opening to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MiniLogin {
    /// Whether the person is logged in, or bound.
    pub ok: bool,
    /// Whether the person left without logging in.
    pub refused: bool,
    /// The calls in order.
    pub steps: Vec<Step>,
}

/// The scene of a code as the mini program reads it: the bare id, or `rd=…&bind=0|1`.
fn read_scene(scene: &str) -> (String, bool) {
    let scene = percent_decode_str(scene).decode_utf8_lossy();
    match param(&scene, "rd") {
        Some(random) => (random.into_owned(), param(&scene, "bind").as_deref() == Some("1")),
        None => (scene.into_owned(), false),
    }
}

struct Caller<'a> {
    state: &'a State,
    host: String,
    steps: Vec<Step>,
}

impl Caller<'_> {
    /// Calls the server. Returns `data` of its answer if it agreed.
    async fn call(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Option<Value> {
        let began = Instant::now();
        let named = format!("{method} {}", path.split('?').next().unwrap_or_default());
        let mut request = self.state.http().request(method, format!("{}{path}", self.host)).timeout(TIMEOUT);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = async { reach::read(request.send().await?).await };
        let (http_status, answer) = match answer.await {
            Ok((status, body)) => (Some(status), serde_json::from_str(&body).unwrap_or(Value::Null)),
            Err(error) => {
                let why = if error.is_timeout() { "timeout" } else { "unreachable" };
                (None, json!({ "message": why }))
            }
        };
        let code = answer.get("statusCode").or_else(|| answer.get("code")).and_then(Value::as_i64);
        let message = answer.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let step = Step { call: named, http_status, code, message, millis };
        let ok = step.is_ok();
        self.steps.push(step);
        ok.then(|| answer.get("data").cloned().unwrap_or(Value::Null))
    }
}

fn text(value: &Value, path: &str) -> String {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn caller(state: &State) -> Result<Caller<'_>, ControlError> {
    let host = state.settings().login_mini_program_host.clone().ok_or(ControlError::NoLoginHost)?;
    Ok(Caller { state, host, steps: Vec::new() })
}

fn login_code(state: &State, app: &App, person: &Person) -> Result<String, ControlError> {
    Ok(state.login_codes(app, Some(person.key), 1)?.pop().unwrap_or_default())
}

/// Opens the mini program: it asks the server what it is for, and says that its code was scanned.
pub(crate) async fn open(
    state: &State,
    app: &App,
    person: &Person,
    scene: &str,
) -> Result<Opened, ControlError> {
    let mut server = caller(state)?;
    let (random, binds) = read_scene(scene);
    let mut opened = Opened { random, binds, ..Opened::default() };
    let query = if opened.random.is_empty() {
        String::new()
    } else {
        format!("?qrcodeId={}", encoded(&opened.random))
    };
    let path = format!("/api/v2/wechat-miniprogram-config/launch-params{query}");
    if let Some(launch) = server.call(Method::GET, &path, &[], None).await {
        opened.target = Target {
            pool: text(&launch, "/userpool/id"),
            app: text(&launch, "/app/id"),
            connection: text(&launch, "/extIdpConnIdentifier"),
        };
        opened.app_name = text(&launch, "/app/name");
        opened.ok = binds || greet(&mut server, app, person, &mut opened).await?;
    }
    opened.steps = server.steps;
    Ok(opened)
}

async fn greet(
    server: &mut Caller<'_>,
    app: &App,
    person: &Person,
    opened: &mut Opened,
) -> Result<bool, ControlError> {
    if !opened.random.is_empty() {
        let path = format!(
            "/oauth/wxapp/grant/?alias=wxapp&code={}&random={}&enableFetchPhone=true&&useSelfWxapp=false",
            login_code(server.state, app, person)?,
            encoded(&opened.random),
        );
        if server.call(Method::GET, &path, &[], None).await.is_none() {
            return Ok(false);
        }
    }
    let body = json!({
        "code": login_code(server.state, app, person)?,
        "encryptedData": "",
        "iv": "",
        "extIdpConnidentifier": opened.target.connection,
    });
    let headers = [("x-authing-app-id", opened.target.app.as_str())];
    let path = "/api/v3/wechat-miniprogram/checkExistsUser";
    let known = server.call(Method::POST, path, &headers, Some(body)).await;
    let has = |name: &str| known.as_ref().and_then(|known| known.get(name)).and_then(Value::as_bool);
    opened.has_phone = has("hasBindUser") == Some(true) && has("hasBindPhone") == Some(true);
    Ok(known.is_some())
}

/// Goes on as the person chose, to the end.
pub(crate) async fn finish(
    state: &State,
    app: &App,
    person: &Person,
    opened: &Opened,
    choice: PhoneChoice,
) -> Result<MiniLogin, ControlError> {
    let mut server = caller(state)?;
    let refused = choice == PhoneChoice::Refuse;
    let ok = match choice {
        PhoneChoice::Refuse => false,
        _ if opened.binds => bind(&mut server, app, person, opened, choice).await?,
        _ => log_in(&mut server, app, person, opened, choice).await?,
    };
    let steps = opened.steps.iter().cloned().chain(server.steps).collect();
    Ok(MiniLogin { ok, refused, steps })
}

async fn log_in(
    server: &mut Caller<'_>,
    app: &App,
    person: &Person,
    opened: &Opened,
    choice: PhoneChoice,
) -> Result<bool, ControlError> {
    let target = &opened.target;
    let code = login_code(server.state, app, person)?;
    let with_phone = choice == PhoneChoice::Allow && !opened.has_phone && !person.phone.is_empty();
    let login = json!({ "encryptedData": "", "iv": "", "code": code });
    let mut body = json!({
        "extIdpConnidentifier": target.connection,
        "options": { "scope": "openid profile offline_access" },
    });
    let (connection, key, payload) = if with_phone {
        let phone = json!({ "code": server.state.phone_code(app, person)? });
        let both = json!({ "wxLoginInfo": login, "wxPhoneInfo": phone });
        ("wechat_mini_program_code_and_phone", "wechatMiniProgramCodeAndPhonePayload", both)
    } else {
        ("wechat_mini_program_code", "wechatMiniProgramCodePayload", login)
    };
    if let Value::Object(fields) = &mut body {
        fields.insert("connection".to_owned(), connection.into());
        fields.insert(key.to_owned(), payload);
    }
    let headers = [("x-authing-app-id", target.app.as_str())];
    let tokens = server.call(Method::POST, "/api/v3/signin-by-mobile", &headers, Some(body)).await;
    let Some(token) = tokens.map(|tokens| text(&tokens, "/access_token")).filter(|token| !token.is_empty())
    else {
        return Ok(false);
    };
    let headers = [("authorization", token.as_str()), ("x-authing-userpool-id", target.pool.as_str())];
    let path = "/api/v3/get-profile?withCustomData=false&withDepartmentIds=false&withIdentities=false";
    let Some(profile) = server.call(Method::GET, path, &headers, None).await else {
        return Ok(false);
    };
    if opened.random.is_empty() {
        return Ok(true);
    }
    let ids = server.state.ids_in(app, person.key);
    let mut body = profile;
    if let Value::Object(fields) = &mut body {
        fields.insert("openid".to_owned(), ids.openid.into());
        fields.insert("unionid".to_owned(), ids.unionid.into());
    }
    let path = format!("/oauth/wxapp/redirect?random={}", encoded(&opened.random));
    Ok(server.call(Method::POST, &path, &[], Some(body)).await.is_some())
}

async fn bind(
    server: &mut Caller<'_>,
    app: &App,
    person: &Person,
    opened: &Opened,
    choice: PhoneChoice,
) -> Result<bool, ControlError> {
    let mut body = json!({ "wxLoginInfo": { "code": login_code(server.state, app, person)? } });
    if choice == PhoneChoice::Allow
        && !person.phone.is_empty()
        && let Value::Object(fields) = &mut body
    {
        let code = server.state.phone_code(app, person)?;
        fields.insert("wxPhoneInfo".to_owned(), json!({ "code": code }));
    }
    let path = format!("/oauth/wxapp/bind?random={}", encoded(&opened.random));
    Ok(server.call(Method::POST, &path, &[], Some(body)).await.is_some())
}
