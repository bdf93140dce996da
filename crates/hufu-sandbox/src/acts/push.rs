//! Sends a message to an app's server: signed, encrypted by the app's mode, up to three times until it is
//! acknowledged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hufu_wechat::crypto::message::{encrypt, message_signature, url_signature};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::message::{Message, write_text};
use super::reply::{Parties, judge};
use crate::control::ControlError;
use crate::reach;
use crate::state::State;
use crate::state::apps::{App, AppState};
use crate::state::chats::{Line, Note, Writer};
use crate::state::messages::{MessageMode, Messages};
use crate::state::people::Person;
use crate::state::pushes::{Attempt, Push, Verdict};

const MAX_BODY: usize = 4_000;

/// Ways in which a push can differ from an ordinary one, to test what receives it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys of the control API's JSON")]
pub struct Delivery {
    /// Sends it again after it was acknowledged, as WeChat does when an acknowledgement is lost.
    pub twice: bool,
    /// Waits before sending: milliseconds of real time, at most a minute.
    pub late_ms: u64,
    /// How long ago the message was made and signed, in seconds.
    pub age_seconds: i64,
    /// Signs with another token than the app's.
    pub forged: bool,
    /// Sends no signature at all.
    pub unsigned: bool,
    /// Sends the message plainly, whatever the app's mode.
    pub plain: bool,
}

/// Everything that one message needs to be sent.
struct Letter<'a> {
    app: &'a App,
    settings: &'a Messages,
    delivery: &'a Delivery,
    account: String,
    openid: String,
    timestamp: String,
    fields: String,
}

/// Pushes a message, and returns what became of it.
pub(crate) async fn push(
    state: &State,
    app: &App,
    person: &Person,
    message: Message,
    delivery: &Delivery,
) -> Result<Push, ControlError> {
    if delivery.late_ms > 60_000 {
        return Err(ControlError::Invalid("late_ms must be at most 60000"));
    }
    let at = state.clock.now();
    let app_settings = app.settings();
    let mut push = Push {
        seq: 0,
        at,
        app_id: app.id.to_string(),
        user: person.name.clone(),
        event: message.name(),
        key: message.key().to_owned(),
        attempts: Vec::new(),
    };
    let silent = matches!(app_settings.state, AppState::Frozen | AppState::Banned | AppState::Deleted);
    if let (Some(settings), false) = (&app_settings.messages, silent) {
        let openid = state.ids.openid(&app.id, person.key).as_str().to_owned();
        let seconds = (at / 1000).saturating_sub(delivery.age_seconds);
        let fields = message.fields(&app_settings.original_id, &openid, seconds);
        let letter = Letter {
            app,
            settings,
            delivery,
            account: app_settings.original_id.clone(),
            openid,
            timestamp: seconds.to_string(),
            fields,
        };
        tokio::time::sleep(Duration::from_millis(delivery.late_ms)).await;
        push.attempts = deliver(state, &letter).await;
    }
    show(state, app, person, &push);
    let outcome = push.attempts.last();
    let errcode = outcome.map(|attempt| if attempt.verdict.is_ok() { 0 } else { -1 });
    let status = outcome.and_then(|attempt| attempt.http_status);
    let app_id = Some(Arc::clone(&app.id));
    state.calls.record_act(at, message.log_name(), app_id, &person.name, (errcode, status));
    let push = state.pushes.record(push);
    state.changed();
    Ok(push)
}

async fn deliver(state: &State, letter: &Letter<'_>) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for _ in 0..state.settings().push_sends {
        let attempt = send(state, letter).await;
        let again = attempt.verdict.is_resent();
        attempts.push(attempt);
        if !again {
            break;
        }
    }
    if letter.delivery.twice {
        attempts.push(send(state, letter).await);
    }
    attempts
}

async fn send(state: &State, letter: &Letter<'_>) -> Attempt {
    let began = Instant::now();
    let failed = |verdict| Attempt {
        verdict,
        http_status: None,
        body: String::new(),
        reply: None,
        millis: millis_since(began),
    };
    let settings = state.settings();
    if !settings.push_anywhere && !reach::is_on_this_machine(&letter.settings.url) {
        return failed(Verdict::NotAllowed);
    }
    let (address, body) = written(state, letter);
    let request = state
        .http()
        .post(address)
        .timeout(Duration::from_millis(settings.push_timeout_ms))
        .header("content-type", "text/xml")
        .header("user-agent", "Mozilla/4.0")
        .body(body);
    let answer = async { reach::read(request.send().await?).await };
    match answer.await {
        Err(error) if error.is_timeout() => failed(Verdict::Timeout),
        Err(_) => failed(Verdict::Unreachable),
        Ok((status, body)) => {
            let parties =
                Parties { app_id: &letter.app.id, account: &letter.account, openid: &letter.openid };
            let (verdict, reply) = match status {
                200 => judge(&body, letter.settings, &parties),
                _ => (Verdict::BadStatus, None),
            };
            let body = body.chars().take(MAX_BODY).collect();
            Attempt { verdict, http_status: Some(status), body, reply, millis: millis_since(began) }
        }
    }
}

/// The address with its signatures, and the body.
fn written(state: &State, letter: &Letter<'_>) -> (String, String) {
    let Letter { settings, delivery, timestamp, fields, .. } = letter;
    let token = if delivery.forged { "forged" } else { settings.token.expose() };
    let nonce = state.ids.digits(9);
    let mut pairs = vec![("timestamp", timestamp.clone()), ("nonce", nonce.clone())];
    if !delivery.unsigned {
        pairs.insert(0, ("signature", url_signature(token, timestamp, &nonce)));
    }
    pairs.push(("openid", letter.openid.clone()));
    let key = settings.key().filter(|_| settings.mode != MessageMode::Plain && !delivery.plain);
    let body = match key {
        None => format!("<xml>{fields}</xml>"),
        Some(key) => {
            let plain = format!("<xml>{fields}</xml>");
            let sealed = encrypt(&key, &state.ids.iv(), plain.as_bytes(), &letter.app.id);
            pairs.push(("encrypt_type", "aes".to_owned()));
            if !delivery.unsigned {
                pairs.push(("msg_signature", message_signature(token, timestamp, &nonce, &sealed)));
            }
            let mut outer = String::from("<xml>");
            if settings.mode == MessageMode::Compatible {
                outer.push_str(fields);
            } else {
                write_text(&mut outer, "ToUserName", &letter.account);
            }
            write_text(&mut outer, "Encrypt", &sealed);
            outer.push_str("</xml>");
            outer
        }
    };
    (with_pairs(&settings.url, &pairs), body)
}

fn with_pairs(url: &str, pairs: &[(&str, String)]) -> String {
    let mut address = url.to_owned();
    for (name, value) in pairs {
        address.push(if address.contains('?') { '&' } else { '?' });
        address.push_str(name);
        address.push('=');
        address.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
    }
    address
}

fn millis_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Shows the outcome in the chat.
fn show(state: &State, app: &App, person: &Person, push: &Push) {
    let write = |by, text: &str| {
        let line = Line { at: state.clock.now(), by, text: text.to_owned() };
        state.chats.write(app.index, person.key, line);
    };
    for attempt in &push.attempts {
        match (attempt.verdict, &attempt.reply) {
            (Verdict::Replied, Some(text)) => write(Writer::Account, text),
            (Verdict::Malformed | Verdict::WrongSignature, _) => {
                write(Writer::Wechat(Note::Broken), "");
            }
            _ => {}
        }
    }
    if push.event == "text" && push.verdict().is_some_and(Verdict::is_resent) {
        write(Writer::Wechat(Note::Unavailable), "");
    }
}

/// Asks an app's server whether it is one: `GET` with a signature and a number that it must echo.
pub(crate) async fn verify_url(state: &State, app: &App) -> Result<Value, ControlError> {
    let app_settings = app.settings();
    let settings = app_settings.messages.as_ref().ok_or(ControlError::NoMessageUrl)?;
    let rules = state.settings();
    if !rules.push_anywhere && !reach::is_on_this_machine(&settings.url) {
        return Err(ControlError::Invalid(
            "the URL is not on this machine; start the sandbox with --push-anywhere to allow that",
        ));
    }
    let (timestamp, nonce) = ((state.clock.now() / 1000).to_string(), state.ids.digits(9));
    let echo = state.ids.digits(19);
    let signature = url_signature(settings.token.expose(), &timestamp, &nonce);
    let pairs =
        [("signature", signature), ("echostr", echo.clone()), ("timestamp", timestamp), ("nonce", nonce)];
    let timeout = Duration::from_millis(rules.push_timeout_ms);
    let answer = async {
        let response = state.http().get(with_pairs(&settings.url, &pairs)).timeout(timeout).send().await?;
        reach::read(response).await
    };
    Ok(match answer.await {
        Ok((status, body)) => {
            let shown: String = body.chars().take(MAX_BODY).collect();
            json!({ "verified": status == 200 && body == echo, "http_status": status, "body": shown })
        }
        Err(error) => {
            let why = if error.is_timeout() { "timeout" } else { "unreachable" };
            json!({ "verified": false, "http_status": null, "error": why })
        }
    })
}
