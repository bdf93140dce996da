//! Messages as JSON: as mini programs may choose, and as servers in between forward them.

use serde_json::{Map, Value};

use super::{MessageError, fields::Fields};
use crate::wire::from_json;

/// Reads an object. The fields may be inside of `xml`, each in an array of one: a common parser of XML writes
/// them so. Nested values belong to no field that is read. Depth is bounded by the parser, at 128.
pub(super) fn read(body: &[u8]) -> Result<Fields, MessageError> {
    let Ok(Value::Object(object)) = from_json(body) else {
        return Err(MessageError::Malformed("not a JSON object"));
    };
    match object.get("xml") {
        Some(Value::Object(inner)) => fields(inner),
        _ => fields(&object),
    }
}

/// Whether this is an object with the fields inside of `xml`.
pub(super) fn is_wrapped(body: &[u8]) -> bool {
    from_json::<Map<String, Value>>(body).is_ok_and(|object| object.get("xml").is_some_and(Value::is_object))
}

fn fields(object: &Map<String, Value>) -> Result<Fields, MessageError> {
    let mut fields = Fields::default();
    for (name, value) in object {
        let value = match value {
            Value::Array(values) if values.len() == 1 => values.first().unwrap_or(value),
            value => value,
        };
        match value {
            Value::String(text) => fields.add(name.clone(), text.clone())?,
            Value::Number(number) => fields.add(name.clone(), number.to_string())?,
            _ => {}
        }
    }
    Ok(fields)
}
