//! The website of the demonstration: a confidential client with PKCE, state and nonce, each bound to the browser by a
//! cookie. It speaks to the server over HTTP alone, as a website on another machine would.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hufu_protocol::pkce;
use hufu_types::refusal::Code;
use hufu_web::page::{Page, View, Viewer, respond};
use hufu_web::request::{Path, Query};
use hufu_web::server::{self, Shared};
use hufu_web::surface::Answer;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::login::{Gotten, Login, Refused, Step, tokens_in};
use super::memory::Attempt;
use super::modes::{Begins, Mode};
use super::{CALLBACK, Call, DemoMode, Stage, Staged, TEXTS, web_view};

/// The cookie that binds logins to the browser in which they began.
const COOKIE: &str = "hufu-dev-website";
/// How long a login may take, in milliseconds.
const PATIENCE: i64 = 15 * 60 * 1000;
/// What the website wants to know.
const SCOPE: &str = "openid profile phone";

fn random(shared: &Shared) -> String {
    let mut bytes = [0; 32];
    shared.app.random().fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The website's cookie of this browser.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == COOKIE && value.len() == 43).map(|(_, value)| value)
}

/// `GET /dev/try/{mode}`: begins the login by a mode, as the website's own button would.
pub(super) async fn begin(
    State(shared): server::State,
    Extension(stage): Staged,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (mode, demo) = stage.mode(&slug).ok_or(Code::PathUnknown)?;
    if mode.begins == Begins::InAnApp {
        return Err(Code::PathUnknown.into());
    }
    let browser = cookie(&headers).map_or_else(|| random(&shared), str::to_owned);
    let attempt = Attempt {
        mode: mode.slug,
        state: random(&shared),
        nonce: random(&shared),
        verifier: random(&shared),
        browser: browser.clone(),
        began_at: shared.app.now(),
    };
    let public_url = shared.app.public_url();
    let redirect_uri = format!("{public_url}{CALLBACK}");
    let challenge = pkce::challenge_of(&attempt.verifier);
    let parameters = [
        ("client_id", demo.application),
        ("response_type", "code"),
        ("scope", SCOPE),
        ("redirect_uri", &redirect_uri),
        ("state", &attempt.state),
        ("nonce", &attempt.nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        // Each mode is to be seen, although the browser is logged in by the one before it.
        ("prompt", "login"),
    ];
    let query = serde_urlencoded::to_string(parameters).unwrap_or_default();
    stage.memory.begin(attempt, stage.last_before(mode));
    let entrance = stage.entrance(mode, demo, &format!("/oidc/auth?{query}")).await;
    let mut response = go(&format!("{public_url}{entrance}"));
    response.headers_mut().append(header::SET_COOKIE, web_view::cookie(mode.begins == Begins::InWebView));
    let cookie = format!("{COOKIE}={browser}; Path=/dev; SameSite=Lax; HttpOnly");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn go(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store")]).into_response()
}

/// The authorization response (RFC 6749 section 4.1.2).
#[derive(Deserialize)]
pub(super) struct Returned {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// `GET /dev/callback`: the browser comes back to the website.
pub(super) async fn returned(
    State(shared): server::State,
    Extension(stage): Staged,
    Query(returned): Query<Returned>,
    headers: HeaderMap,
    viewer: Viewer,
) -> Answer<Response> {
    let attempt = stage.memory.take(&returned.state).ok_or(Code::FormExpired)?;
    let is_same_browser = cookie(&headers) == Some(attempt.browser.as_str());
    if !is_same_browser || shared.app.now().0 > attempt.began_at.0.saturating_add(PATIENCE) {
        return Err(Code::FormExpired.into());
    }
    let (mode, demo) = stage.mode(attempt.mode).ok_or(Code::PathUnknown)?;
    let mut steps = Vec::new();
    let outcome = if returned.error.is_empty() {
        stage.exchange(&shared, (mode, demo), &attempt, &returned.code, &mut steps).await
    } else {
        Err(format!("{}: {}", returned.error, returned.error_description))
    };
    let is_done = outcome.is_ok();
    match outcome {
        Ok(login) => stage.memory.received(login, stage.last_call()),
        Err(message) => {
            let by_person = returned.error == "access_denied";
            let at = shared.app.now();
            stage.memory.refused(Refused { mode, at, by_person, message, steps });
        }
    }
    if mode.begins == Begins::InWechat {
        let ended = if is_done { "ok" } else { "refused" };
        return Ok(go(&format!("{}/phone/browser?ended={ended}", stage.demo.sandbox)));
    }
    let view = viewer.at("/").view(&TEXTS);
    if mode.begins == Begins::InWebView {
        // A link, since a form on the way may lead to pages of this server alone.
        let phone = Some(format!("{}/phone/minis?web-view", stage.demo.sandbox));
        let mut response = respond(&Framed { view, is_done, phone });
        response.headers_mut().append(header::SET_COOKIE, web_view::cookie(false));
        return Ok(response);
    }
    // The page around a frame shows the rest.
    let is_framed = headers.get("sec-fetch-dest").is_some_and(|dest| dest == "iframe");
    if is_framed {
        return Ok(respond(&Framed { view, is_done, phone: None }));
    }
    Ok(go(&format!("/?mode={}#got", mode.slug)))
}

/// What the frame shows in the end.
#[derive(askama::Template)]
#[template(path = "dev/framed.html")]
struct Framed {
    view: View,
    is_done: bool,
    /// The phone, if the page is in its web-view.
    phone: Option<String>,
}

impl Page for Framed {
    fn view(&self) -> &View {
        &self.view
    }
}

impl Stage {
    /// Where on the login page this mode begins, so that nothing has to be clicked there: its tab, or its button. An
    /// application that has this mode alone does without.
    async fn entrance(&self, mode: &Mode, demo: &DemoMode, request: &str) -> String {
        let call = Call {
            method: "GET",
            path: request.to_owned(),
            headers: vec![("accept", "text/html".to_owned())],
            body: String::new(),
        };
        let answer = self.demo.surroundings.call(call).await.ok();
        let page = answer.and_then(|answer| answer.location).unwrap_or_default();
        let Some(query) = page.split_once("/login?").map(|(_, query)| query) else {
            return request.to_owned();
        };
        match mode.begins {
            Begins::AtATab => format!("/login?{query}&method={}", demo.connection),
            Begins::AtAButton | Begins::InWechat => {
                format!("/connections/social/{}?{query}", demo.connection)
            }
            Begins::InWebView => format!("/login?{query}"),
            Begins::InAnApp => request.to_owned(),
        }
    }

    /// Exchanges the code, verifies the ID token, and asks for the rest.
    async fn exchange(
        self: &Arc<Self>,
        shared: &Shared,
        (mode, demo): (&'static Mode, &DemoMode),
        attempt: &Attempt,
        code: &str,
        steps: &mut Vec<Step>,
    ) -> Result<Login, String> {
        let millis = self.since_the_last_tap(mode.slug);
        let redirect_uri = format!("{}{CALLBACK}", shared.app.public_url());
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", &attempt.verifier),
        ];
        let secret = self.demo.client_secret.expose_secret();
        let basic = STANDARD.encode(format!("{}:{secret}", demo.application));
        let call = Call {
            method: "POST",
            path: "/oidc/token".to_owned(),
            headers: vec![
                ("authorization", format!("Basic {basic}")),
                ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ],
            body: serde_urlencoded::to_string(form).map_err(|error| error.to_string())?,
        };
        let answer = self.ask(call, steps).await?;
        let tokens = tokens_in(&answer);
        let access = tokens.iter().find(|(name, _)| *name == "Access Token");
        let access = access.map(|(_, token)| token.clone()).ok_or("there is no access token")?;
        let userinfo = Call {
            method: "GET",
            path: "/oidc/me".to_owned(),
            headers: vec![("authorization", format!("Bearer {access}"))],
            body: String::new(),
        };
        let userinfo = self.ask(userinfo, steps).await?;
        let gotten = Gotten {
            mode,
            tokens,
            answer: ("/oidc/me".to_owned(), Value::Object(userinfo.clone())),
            steps: steps.clone(),
            millis,
        };
        let login = self.verified(shared, demo, gotten).await?;
        let id_token = login.tokens.iter().find(|token| token.name == "ID Token");
        let claims = &id_token.ok_or("there is no ID token")?.claims;
        if claims.get("nonce").and_then(Value::as_str) != Some(&attempt.nonce) {
            return Err("the ID token has another nonce".to_owned());
        }
        if claims.get("sub") != userinfo.get("sub") {
            return Err("the userinfo is somebody else's".to_owned());
        }
        Ok(login)
    }

    /// Calls the server, and notes how it went.
    async fn ask(&self, call: Call, steps: &mut Vec<Step>) -> Result<Map<String, Value>, String> {
        let named = format!("{} {}", call.method, call.path);
        let answer = self.demo.surroundings.call(call).await?;
        let is_ok = answer.status == 200;
        steps.push(Step { call: named, is_ok, code: answer.status.to_string(), millis: None });
        let body: Map<String, Value> =
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        if is_ok {
            return Ok(body);
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Err(format!("{}: {}", text("error"), text("error_description")))
    }

    /// The number of WeChat's latest call before this login: opening the page in WeChat is a part of it.
    fn last_before(&self, mode: &Mode) -> u64 {
        let is_on_the_phone = matches!(mode.begins, Begins::InWechat | Begins::InWebView);
        let opened = mode.calls.first().filter(|_| is_on_the_phone);
        let calls = self.demo.surroundings.wechat_calls(0);
        let opened = calls.iter().rfind(|call| Some(&call.path) == opened);
        opened.map_or_else(|| self.last_call(), |call| call.number.saturating_sub(1))
    }

    /// How long ago the last tap on the phone was, in milliseconds: from then on only machines were at work.
    fn since_the_last_tap(&self, slug: &str) -> Option<i64> {
        let calls = self.demo.surroundings.wechat_calls(self.memory.progress(slug).calls_after);
        let is_tap = |call: &&super::WechatCall| call.path.starts_with("phone ");
        calls.iter().rfind(is_tap).map(|call| call.age)
    }
}
