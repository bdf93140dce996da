//! Any provider that accepts JSON in a POST request.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Sms, SmsSender};
use crate::{BuildError, Fault, SendError, SenderContext, StoredSecret, cloud::endpoint};

/// How to call a provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// The URL to POST to. It is a secret, because some providers require a key in it.
    pub url: StoredSecret,
    /// Additional headers, such as `authorization`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, StoredSecret>,
    /// The JSON to send. In its strings, `{{phone}}` is the number as `+8613800000000`, `{{country_code}}` is
    /// `86`, `{{national}}` is `13800000000`, and `{{code}}`, `{{minutes}}` and `{{text}}` are replaced
    /// likewise. Values are inserted into the strings of the parsed JSON, so nothing in them can change its
    /// structure.
    pub body: Value,
    /// What a response must contain besides a success status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
}

/// A value that indicates success.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The location of the value in the response, as a JSON pointer (RFC 6901), such as `/result/code`.
    pub pointer: String,
    /// The expected value.
    pub equals: Value,
}

const PROVIDER: &str = "http";
const PLACEHOLDERS: [&str; 6] = ["phone", "country_code", "national", "code", "minutes", "text"];

/// Sends through a JSON provider.
#[derive(Debug)]
pub struct HttpSms {
    settings: HttpSettings,
    sender_context: SenderContext,
}

impl HttpSms {
    /// Creates a sender.
    ///
    /// # Errors
    /// [`BuildError::Setting`] for an invalid URL, placeholder or pointer, and for a body that contains
    /// neither number nor code.
    pub fn new(settings: &HttpSettings, sender_context: &SenderContext) -> Result<Self, BuildError> {
        let wrong = |setting, reason: String| BuildError::setting(PROVIDER, setting, reason);
        // A query is allowed here. Otherwise, the URL follows the same rules as other endpoints.
        let (base, _) = settings.url.expose().split_once('?').unwrap_or((settings.url.expose(), ""));
        endpoint(PROVIDER, base)?;
        let mut names = Vec::new();
        visit(&settings.body, &mut |text| names.extend(placeholders(text).map(str::to_owned)));
        if let Some(unknown) = names.iter().find(|name| !PLACEHOLDERS.contains(&name.as_str())) {
            let known = PLACEHOLDERS.join(", ");
            return Err(wrong("body", format!("{{{{{unknown}}}}} is not one of the placeholders {known}")));
        }
        let holds_one = |of: &[&str]| names.iter().any(|name| of.contains(&name.as_str()));
        if !holds_one(&["phone", "national"]) {
            return Err(wrong("body", "must contain {{phone}} or {{national}}".to_owned()));
        }
        if !holds_one(&["code", "text"]) {
            return Err(wrong("body", "must contain {{code}} or {{text}}".to_owned()));
        }
        if settings
            .accepted
            .as_ref()
            .is_some_and(|accepted| !accepted.pointer.is_empty() && !accepted.pointer.starts_with('/'))
        {
            return Err(wrong("accepted", "a JSON pointer must start with '/'".to_owned()));
        }
        Ok(Self { settings: settings.clone(), sender_context: sender_context.clone() })
    }

    async fn call(&self, sms: &Sms) -> Result<(), SendError> {
        let (country, national) = sms.to.parts();
        let minutes = sms.minutes.to_string();
        let code = sms.code();
        let values = |name: &str| match name {
            "phone" => sms.to.as_str(),
            "country_code" => country.trim_start_matches('+'),
            "national" => national,
            "code" => code,
            "minutes" => &minutes,
            _ => &sms.text,
        };
        let body = fill(&self.settings.body, &values).to_string();
        let mut headers: Vec<(&str, &str)> =
            self.settings.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type", "application/json"));
        }
        let fail = |error| SendError::outgoing(PROVIDER, error);
        let response = self
            .sender_context
            .http
            .post(self.settings.url.expose(), &headers, body.into_bytes())
            .await
            .map_err(fail)?;
        if !response.is_success() {
            let fault = match response.status {
                429 => Fault::TooOften,
                408 | 500.. => Fault::Temporary,
                _ => Fault::Settings,
            };
            let status = response.status.to_string();
            return Err(SendError::from_provider(
                PROVIDER,
                fault,
                &status,
                "an HTTP status other than success",
                &[],
            ));
        }
        let Some(accepted) = &self.settings.accepted else { return Ok(()) };
        let answer: Value = serde_json::from_slice(response.whole_body().map_err(fail)?)
            .map_err(|_| SendError::new(PROVIDER, Fault::Temporary, "the response is not JSON"))?;
        match answer.pointer(&accepted.pointer) {
            Some(value) if *value == accepted.equals => Ok(()),
            // Only the provider knows what its error responses mean, and nothing suggests that a retry would
            // succeed.
            Some(Value::Object(_) | Value::Array(_)) | None => Err(SendError::new(
                PROVIDER,
                Fault::Settings,
                "the response lacks the value that indicates success",
            )),
            Some(value) => {
                let reason = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let sent = [national, code];
                Err(SendError::from_provider(
                    PROVIDER,
                    Fault::Settings,
                    &reason,
                    "the provider refused",
                    &sent,
                ))
            }
        }
    }
}

impl SmsSender for HttpSms {
    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.call(sms))
    }

    /// A body with only the text takes any message.
    fn has_template(&self, sms: &Sms) -> bool {
        let (mut text, mut code) = (false, false);
        visit(&self.settings.body, &mut |string| {
            for name in placeholders(string) {
                text |= name == "text";
                code |= name == "code";
            }
        });
        sms.code.is_some() || (text && !code)
    }
}

/// Calls `see` for every string in a value.
fn visit(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
        Value::Object(fields) => fields.values().for_each(|field| visit(field, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The same value with the placeholders in every string filled in.
fn fill<'a>(value: &Value, values: &dyn Fn(&str) -> &'a str) -> Value {
    match value {
        Value::String(text) => Value::String(fill_text(text, values)),
        Value::Array(items) => items.iter().map(|item| fill(item, values)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), fill(field, values))).collect()
        }
        other => other.clone(),
    }
}

/// A single pass: inserted values are not scanned again.
fn fill_text<'a>(text: &str, values: &dyn Fn(&str) -> &'a str) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next_placeholder(rest) {
        filled.push_str(before);
        filled.push_str(values(name));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, name, after) = next_placeholder(rest)?;
        rest = after;
        Some(name)
    })
}

/// The text before the next `{{name}}`, the name, and the rest.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, after) = text.split_once("{{")?;
    let (name, after) = after.split_once("}}")?;
    Some((before, name.trim(), after))
}
