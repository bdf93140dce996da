//! The text that the published management clients sign: method, headers, path and parameters.
//!
//! They write down what they were given, and this server sees what they made of it. Values in a JSON body are taken as they
//! stand there, since the clients write them by the same function twice. A query tells less: a list is sent as `k[]=a&k[]=b`
//! and signed as JSON, and parameters without a value are not sent, but leave a `?` behind.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use hufu_types::Timestamp;
use serde_json::value::RawValue;

use super::sent::parameters;

/// The scheme of the header `Authorization`.
const SCHEME: &str = "authing ";
/// The header with the number that no two requests have in common.
const NONCE: &str = "x-authing-signature-nonce";

/// What the header `Authorization` of a signed request says: the id of the key, and the signature.
pub(super) fn signature(headers: &HeaderMap) -> Option<(&str, &str)> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let (scheme, rest) = value.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    rest.trim().split_once(':')
}

/// The time in the header `date`.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    Timestamp::parse_http_date(headers.get("date")?.to_str().ok()?)
}

/// Whether there is a nonce.
pub(super) fn has_nonce(headers: &HeaderMap) -> bool {
    headers.get(NONCE).is_some_and(|nonce| !nonce.is_empty())
}

/// The text in each way in which the client can have written it down.
pub(super) fn texts(parts: &Parts, body: &[u8]) -> Vec<String> {
    let mut head = format!("{}\n", parts.method);
    // `http` keeps names in lower case. A header that is there twice is not signed by anybody.
    let mut signed: Vec<_> = parts.headers.iter().filter(|(name, _)| is_signed(name.as_str())).collect();
    signed.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in signed {
        let Ok(value) = value.to_str() else { return Vec::new() };
        let value = value.replace(['\t', '\n', '\r', '\u{c}'], " ");
        // Writing to a String cannot fail.
        let _ = writeln!(head, "{name}:{}", value.trim());
    }
    head.push_str(parts.uri.path());
    let values = if body.is_empty() { query_values(parts) } else { body_values(body) };
    let Some(values) = values else { return Vec::new() };
    if values.is_empty() {
        return vec![format!("{head}?"), head];
    }
    let values: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    vec![format!("{head}?{}", values.join("&"))]
}

fn is_signed(header: &str) -> bool {
    header.starts_with("x-authing-") || header == "date"
}

/// The parameters of a query, sorted.
fn query_values(parts: &Parts) -> Option<BTreeMap<String, String>> {
    let query = parameters(parts.uri.query().unwrap_or_default()).ok()?;
    query.into_iter().map(|(name, value)| Some((name, plain(&value)?))).collect()
}

/// A value as text in a template: text as it is, lists as JSON.
fn plain(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        value => serde_json::to_string(value).ok(),
    }
}

/// The members of a JSON object, sorted, each as it stands there. Those of an array are called by their places.
fn body_values(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let members: BTreeMap<String, &RawValue> = if let Ok(members) = serde_json::from_slice(body) {
        members
    } else {
        let items: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
        items.into_iter().enumerate().map(|(place, item)| (place.to_string(), item)).collect()
    };
    let text = |raw: &RawValue| {
        if raw.get().starts_with('"') {
            serde_json::from_str::<String>(raw.get()).ok()
        } else {
            Some(raw.get().to_owned())
        }
    };
    members.into_iter().map(|(name, raw)| Some((name, text(raw)?))).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn signed(method: &str, uri: &str, body: &str) -> Vec<String> {
        let request = Request::builder().method(method).uri(uri).header("x-authing-lang", " zh-CN ");
        let request = request.header("date", "Mon, 30 Nov 2026 10:00:00 GMT").header("accept", "*/*");
        texts(&request.body(()).unwrap().into_parts().0, body.as_bytes())
    }

    #[test]
    fn what_the_client_signs_is_written_down_again() {
        let head = |method| format!("{method}\ndate:Mon, 30 Nov 2026 10:00:00 GMT\nx-authing-lang:zh-CN\n");
        for (method, uri, body, expected) in [
            ("GET", "/api/v3/list-webhooks?page=1&limit=10", "", "/api/v3/list-webhooks?limit=10&page=1"),
            ("GET", "/a?ids[]=b&ids[]=%22c&x=1+2", "", r#"/a?ids=["b","\"c"]&x=1 2"#),
            (
                "POST",
                "/a",
                r#"{"b":"x\ny","a":[1,{"c": 2.50}],"d":null,"e":true}"#,
                "/a?a=[1,{\"c\": 2.50}]&b=x\ny&d=null&e=true",
            ),
            ("DELETE", "/a", r#"["x",2]"#, "/a?0=x&1=2"),
        ] {
            assert_eq!(signed(method, uri, body), [format!("{}{expected}", head(method))], "{uri} {body}");
        }
        for body in ["", "{}"] {
            assert_eq!(
                signed("POST", "/a", body),
                [format!("{}/a?", head("POST")), format!("{}/a", head("POST"))]
            );
        }
        for body in ["1", "{", "\"x\""] {
            assert!(signed("POST", "/a", body).is_empty());
        }
    }
}
