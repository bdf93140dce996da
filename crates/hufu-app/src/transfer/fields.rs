//! Values as they appear in files. JSON has types, CSV only text.

use std::sync::OnceLock;

use hufu_types::{Profile, Timestamp, camel_case};
use serde_json::Value;

use super::reader::Fields;

/// A field of the profile: its name in files and in [`Profile`].
pub(super) struct Field {
    pub(super) camel: &'static str,
    pub(super) snake: &'static str,
}

/// The text fields of the profile.
pub(super) fn profile() -> &'static [Field] {
    static FIELDS: OnceLock<Vec<Field>> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let field = |snake: &&'static str| Field { camel: camel_case(snake).leak(), snake };
        Profile::FIELDS.iter().map(field).collect()
    })
}

/// Takes the first of these fields that has a value. Removes all of them from the row.
pub(super) fn take(row: &mut Fields, names: &[&'static str]) -> Option<Value> {
    let mut found = None;
    for name in names {
        let value = row.remove(*name).filter(|value| !value.is_null() && value.as_str() != Some(""));
        found = found.or(value);
    }
    found
}

/// Takes a string. A number is accepted as well.
pub(super) fn text(row: &mut Fields, names: &[&'static str]) -> Result<Option<String>, String> {
    let name = names.first().copied().unwrap_or_default();
    match take(row, names) {
        None => Ok(None),
        Some(Value::String(text)) if text.contains('\0') => Err(format!("{name}: it holds a NUL character")),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("{name}: it is no text")),
    }
}

pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => match number.as_i64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "是" => Some(true),
            "false" | "0" | "no" | "否" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Parses RFC 3339 or Unix milliseconds.
pub(super) fn time(value: &Value) -> Option<Timestamp> {
    // Later or earlier times cannot be written as a date.
    let in_range = |at: &i64| jiff::Timestamp::from_millisecond(*at).is_ok();
    if let Some(milliseconds) = integer(value) {
        return Some(milliseconds).filter(in_range).map(Timestamp);
    }
    let at: jiff::Timestamp = value.as_str()?.trim().parse().ok()?;
    Some(Timestamp(at.as_millisecond()))
}

/// JSON. In CSV, it is text in a cell.
pub(super) fn document(value: Value) -> Option<Value> {
    match value {
        Value::String(text) => serde_json::from_str(&text).ok(),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_profile_has_the_names_of_the_clients() {
        let names: Vec<_> = profile().iter().map(|field| field.camel).collect();
        for name in
            ["nickname", "givenName", "preferredUsername", "zoneinfo", "streetAddress", "identityNumber"]
        {
            assert!(names.contains(&name), "{names:?}");
        }
    }

    #[test]
    fn values_have_many_spellings() {
        for (value, expected) in [
            (json!("2023-11-14T22:13:20.120Z"), Some(1_700_000_000_120)),
            (json!("2023-11-15T06:13:20+08:00"), Some(1_700_000_000_000)),
            (json!(1_700_000_000_000_i64), Some(1_700_000_000_000)),
            (json!(" 1700000000000 "), Some(1_700_000_000_000)),
            (json!(i64::MAX), None),
            (json!("2023-11-14"), None),
            (json!("yesterday"), None),
            (json!(true), None),
        ] {
            assert_eq!(time(&value), expected.map(Timestamp), "{value}");
        }
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!("FALSE"), Some(false)),
            (json!("是"), Some(true)),
            (json!(2), None),
        ] {
            assert_eq!(boolean(&value), expected, "{value}");
        }
    }

    #[test]
    fn what_is_empty_is_absent() {
        let Value::Object(mut row) = json!({ "a": "", "b": null, "c": 7, "d": "x\u{0}", "e": [] }) else {
            panic!()
        };
        assert_eq!(text(&mut row, &["a"]), Ok(None));
        assert_eq!(text(&mut row, &["b", "c"]), Ok(Some("7".to_owned())));
        assert!(text(&mut row, &["d"]).is_err() && text(&mut row, &["e"]).is_err());
        assert!(row.is_empty());
    }
}
