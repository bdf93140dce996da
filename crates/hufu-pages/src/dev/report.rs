//! The back end of the demonstration's mini program and phone app. They run in the sandbox's phone, and send here what
//! Hufu answered them, as a real app sends its token to its back end. Whoever calls must know the secret that `hufu dev`
//! gave both sides, and what is sent must hold before the keys of the server.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_types::Refusal;
use hufu_types::refusal::{Code, Reason};
use hufu_web::request::{Body, Head};
use hufu_web::server;
use hufu_web::surface::{Answer, Refused as Refusing, private_json};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use super::login::{Gotten, Refused, Step, tokens_in};
use super::{Stage, Staged, modes};
use crate::is_near;

/// The most calls that a report tells of.
const MAX_STEPS: usize = 16;
/// The most characters of each text in it.
const MAX_TEXT: usize = 200;

/// What an app reports.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) struct Report {
    /// The kind of the connection, such as `wechat:mobile`.
    mode: String,
    /// The body of the answer that the app received last: the envelope of the published clients, or a token set. If the person
    /// refused before anything was asked, its `message` is what WeChat told the app.
    #[serde(default)]
    answer: Map<String, Value>,
    /// Whether the person refused.
    #[serde(default)]
    refused: bool,
    /// How long it took from the last click, in milliseconds.
    millis: Option<i64>,
    /// The calls that the app made.
    #[serde(default)]
    steps: Vec<ReportedStep>,
}

#[derive(Deserialize)]
struct ReportedStep {
    /// The method and the path.
    call: String,
    http_status: Option<u16>,
    /// The code in the body.
    code: Option<i64>,
    millis: Option<i64>,
}

impl ReportedStep {
    fn read(self) -> Step {
        let code = self.code.or(self.http_status.map(i64::from));
        Step {
            call: shortened(&self.call),
            is_ok: self.http_status.is_some_and(|status| status < 400)
                && self.code.is_none_or(|code| code == 0 || code == 200),
            code: code.map_or_else(|| "–".to_owned(), |code| code.to_string()),
            millis: self.millis.filter(|millis| *millis >= 0),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// `POST /dev/received`
pub(super) async fn receive(
    State(shared): server::State,
    Extension(stage): Staged,
    head: Head,
    headers: HeaderMap,
    Body(report): Body<Report>,
) -> Answer<Response> {
    may_report(&stage, &head, &headers)?;
    let known = modes::of_kind(&report.mode).and_then(|mode| stage.mode(mode.slug));
    let (mode, demo) = known.ok_or_else(|| Refusal::invalid("mode", Reason::UnknownName))?;
    let steps = report.steps.into_iter().take(MAX_STEPS).map(ReportedStep::read).collect();
    // The envelope of the published clients, or the token set itself.
    let data = report.answer.get("data").and_then(Value::as_object).unwrap_or(&report.answer);
    let tokens = tokens_in(data);
    if report.refused || tokens.is_empty() {
        let message = report.answer.get("message").and_then(Value::as_str).unwrap_or_default();
        let at = shared.app.now();
        let message = shortened(message);
        stage.memory.refused(Refused { mode, at, by_person: report.refused, message, steps });
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let asked = steps_named(&steps);
    let gotten =
        Gotten { mode, tokens, answer: (asked, Value::Object(data.clone())), steps, millis: report.millis };
    let login = stage.verified(&shared, demo, gotten).await;
    let login = login.map_err(|why| Code::NotLoggedIn.because(why))?;
    let name = login.name.clone();
    stage.memory.received(login, stage.last_call());
    Ok(private_json(StatusCode::OK, &Known { name }))
}

/// What the app is told of the user.
#[derive(Serialize)]
struct Known {
    name: Option<String>,
}

/// The call whose answer is shown: the last one.
fn steps_named(steps: &[Step]) -> String {
    let path = steps.last().and_then(|step| step.call.split(' ').next_back());
    path.unwrap_or("Hufu").to_owned()
}

/// A browser never reports, nor does another machine.
fn may_report(stage: &Stage, head: &Head, headers: &HeaderMap) -> Result<(), Refusing> {
    let secret = stage.demo.report_secret.expose_secret().as_bytes();
    let is_known = head.bearer().is_some_and(|sent| sent.as_bytes().ct_eq(secret).into());
    if is_near(head) && is_known && !headers.contains_key(header::ORIGIN) {
        Ok(())
    } else {
        Err(Code::NotLoggedIn.into())
    }
}
