//! JSON as the page shows it: coloured, in the order in which claims are read, each claim with what it means.

use std::fmt::Write as _;

use hufu_html::Escaped;
use hufu_web::page::View;
use serde_json::{Map, Value};

/// Members that come first, in this order; the others follow by name.
const FIRST: [&str; 16] = [
    "alg",
    "kid",
    "typ",
    "iss",
    "sub",
    "aud",
    "iat",
    "exp",
    "auth_time",
    "nonce",
    "id",
    "nickname",
    "name",
    "phone",
    "phone_number",
    "unionid",
];

/// Claims and members whose meaning is told, each with the key of its text.
const MEANINGS: [(&str, &str); 27] = [
    ("alg", "claim-alg"),
    ("kid", "claim-kid"),
    ("iss", "claim-iss"),
    ("sub", "claim-sub"),
    ("aud", "claim-aud"),
    ("iat", "claim-iat"),
    ("exp", "claim-exp"),
    ("auth_time", "claim-auth-time"),
    ("nonce", "claim-nonce"),
    ("sid", "claim-sid"),
    ("jti", "claim-jti"),
    ("amr", "claim-amr"),
    ("acr", "claim-acr"),
    ("scope", "claim-scope"),
    ("client_id", "claim-client-id"),
    ("azp", "claim-azp"),
    ("at_hash", "claim-at-hash"),
    ("updated_at", "claim-updated"),
    ("pool", "claim-pool"),
    ("userpool_id", "claim-pool"),
    ("unionid", "claim-unionid"),
    ("openid", "claim-openid"),
    ("phone", "claim-phone"),
    ("phone_number", "claim-phone"),
    ("phone_number_verified", "claim-phone-verified"),
    ("loginsCount", "claim-logins"),
    ("newlyCreated", "claim-new"),
];

/// Writes an object, with the meanings of its members if they are wanted. `marked` is the value that the eye should find.
pub(super) fn object(view: &View, object: &Map<String, Value>, marked: &str, explained: bool) -> String {
    let mut html = String::from("{\n");
    let members = in_order(object);
    let last = members.len();
    for (number, (name, value)) in members.into_iter().enumerate() {
        let comma = if number + 1 < last { "," } else { "" };
        let _ = write!(html, "  <span class=\"k\">\"{}\"</span>: ", Escaped(name));
        write_value(&mut html, value, marked, 1);
        html.push_str(comma);
        if let Some(meaning) = meaning(view, name, value, object).filter(|_| explained) {
            let _ = write!(html, "  <span class=\"c\">// {meaning}</span>");
        }
        html.push('\n');
    }
    html.push('}');
    html
}

fn in_order(object: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let place = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    // What is not there says nothing.
    let mut members: Vec<_> = object.iter().filter(|(_, value)| !value.is_null()).collect();
    members.sort_by_key(|(name, _)| (place(name), name.as_str()));
    members
}

fn meaning(view: &View, name: &str, value: &Value, object: &Map<String, Value>) -> Option<String> {
    let (_, key) = MEANINGS.iter().find(|(known, _)| *known == name)?;
    let text = Escaped(&view.t(key)).to_string();
    let seconds = |name: &str| object.get(name).and_then(Value::as_i64);
    match (name, value.as_i64()) {
        ("iat" | "auth_time" | "updated_at", Some(at)) => {
            let iso = hufu_types::Timestamp(at.saturating_mul(1000)).to_iso();
            Some(format!("{text} <time datetime=\"{iso}\" data-local>{iso}</time>"))
        }
        ("exp", Some(end)) => {
            let life = end.saturating_sub(seconds("iat").unwrap_or(end));
            Some(format!("{text} {}", Escaped(&duration(view, life))))
        }
        _ => Some(text),
    }
}

/// Some seconds as days, hours or minutes.
fn duration(view: &View, seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    match seconds {
        DAY.. => view.t_with("dev-days", "count", seconds / DAY),
        HOUR.. => view.t_with("dev-hours", "count", seconds / HOUR),
        _ => view.t_with("dev-minutes", "count", seconds / MINUTE),
    }
}

fn write_value(html: &mut String, value: &Value, marked: &str, depth: usize) {
    let indent = "  ".repeat(depth + 1);
    match value {
        Value::String(text) => {
            let shown = Escaped(text).to_string();
            let shown = if text == marked { format!("<mark>{shown}</mark>") } else { shown };
            let _ = write!(html, "<span class=\"s\">\"{shown}\"</span>");
        }
        Value::Array(all) if all.iter().all(|one| !one.is_object() && !one.is_array()) => {
            html.push('[');
            for (number, one) in all.iter().enumerate() {
                html.push_str(if number > 0 { ", " } else { "" });
                write_value(html, one, marked, depth);
            }
            html.push(']');
        }
        Value::Array(all) => {
            html.push_str("[\n");
            for (number, one) in all.iter().enumerate() {
                html.push_str(&indent);
                write_value(html, one, marked, depth + 1);
                html.push_str(if number + 1 < all.len() { ",\n" } else { "\n" });
            }
            let _ = write!(html, "{}]", "  ".repeat(depth));
        }
        Value::Object(members) if members.is_empty() => html.push_str("{}"),
        Value::Object(members) => {
            html.push_str("{\n");
            let members = in_order(members);
            let last = members.len();
            for (number, (name, one)) in members.into_iter().enumerate() {
                let _ = write!(html, "{indent}<span class=\"k\">\"{}\"</span>: ", Escaped(name));
                write_value(html, one, marked, depth + 1);
                html.push_str(if number + 1 < last { ",\n" } else { "\n" });
            }
            let _ = write!(html, "{}}}", "  ".repeat(depth));
        }
        other => {
            let _ = write!(html, "{other}");
        }
    }
}
