//! Custom data of a row: an object, or in CSV one column per key.

use hufu_types::{CustomFieldType, Language, PoolSettings};
use serde_json::{Map, Value};

use super::csv::shown;
use super::fields;
use super::reader::Fields;
use crate::Limits;
use crate::people::profile::is_deeper;

/// The prefix of a custom data key in the name of a CSV column.
pub(super) const PREFIX: &str = "custom.";

/// Takes the custom data out of a row.
pub(super) fn read(
    row: &mut Fields,
    data: &mut Map<String, Value>,
    settings: &PoolSettings,
    limits: &Limits,
) -> Result<(), String> {
    match fields::take(row, &["customData"]).map(fields::document) {
        None => {}
        Some(Some(Value::Object(all))) => *data = all,
        Some(_) => return Err("customData: it is no JSON object".to_owned()),
    }
    let columns: Vec<String> = row.keys().filter(|name| name.starts_with(PREFIX)).cloned().collect();
    for column in columns {
        let (Some(key), Some(value)) = (column.strip_prefix(PREFIX), row.remove(&column)) else { continue };
        data.insert(key.to_owned(), typed(key, value, settings)?);
    }
    data.retain(|_, value| !value.is_null());
    check(data, settings, limits)
}

/// Converts a cell to the type that the pool declares for the field.
fn typed(key: &str, value: Value, settings: &PoolSettings) -> Result<Value, String> {
    let Value::String(text) = &value else { return Ok(value) };
    let kind = settings.custom_field(key).map(|field| field.kind);
    let parsed = match kind {
        Some(CustomFieldType::Number) => text.parse::<serde_json::Number>().ok().map(Value::Number),
        Some(CustomFieldType::Boolean) => fields::boolean(&value).map(Value::Bool),
        Some(CustomFieldType::Object) => serde_json::from_str(text).ok(),
        _ => return Ok(value),
    };
    parsed.ok_or_else(|| format!("{}: it is not of the type that the pool declares", shown(key)))
}

fn check(data: &Map<String, Value>, settings: &PoolSettings, limits: &Limits) -> Result<(), String> {
    if data.len() > limits.custom_keys {
        return Err(format!("customData: more than {} keys", limits.custom_keys));
    }
    let mut total = 0;
    for (key, value) in data {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if key.is_empty() || key.len() > 64 || !key.chars().all(plain) {
            return Err(
                "customData: a key is 1 to 64 characters of A-Z, a-z, 0-9, '_', '-' and '.'".to_owned()
            );
        }
        match settings.custom_field(key) {
            None if settings.custom_fields_only => {
                return Err(format!("{}: the pool declares no such custom field", shown(key)));
            }
            None => {}
            Some(field) => field
                .accepts(value)
                .map_err(|reason| reason.for_integrator(&shown(key), Language::English))?,
        }
        if is_deeper(value, limits.custom_depth) {
            return Err(format!("{}: nested deeper than {} levels", shown(key), limits.custom_depth));
        }
        let bytes = value.to_string().len();
        if bytes > limits.custom_value {
            return Err(format!("{}: longer than {} bytes", shown(key), limits.custom_value));
        }
        total += key.len() + bytes + 4;
    }
    if total > limits.custom_total {
        return Err(format!("customData: longer than {} bytes", limits.custom_total));
    }
    Ok(())
}
