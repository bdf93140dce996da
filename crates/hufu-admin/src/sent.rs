//! What a change wanted that was refused because somebody else was first, to be held beside what there is now: the body as
//! it was sent, without what is written and never shown.
//!
//! Which members those are the OpenAPI document says (`writeOnly`), for all operations at once. What it does not name is left
//! out as well: it may be a secret under a wrong name.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request};
use axum::http::Extensions;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use hufu_types::Refusal;
use hufu_types::refusal::Code;
use hufu_web::Routes;
use hufu_web::surface::Refused;
use serde_json::{Map, Value, json};

/// References of schemas to schemas that are followed, at most.
const DEPTH: usize = 16;

/// The body of a request, kept until the request is answered.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<OnceLock<Vec<u8>>>);

impl Kept {
    /// Keeps the body.
    pub(crate) fn keep(&self, body: Vec<u8>) {
        // A body is read once.
        drop(self.0.set(body));
    }
}

/// Where to keep the body of a request whose answer may have to repeat it.
pub(crate) fn place(extensions: &Extensions) -> Option<Kept> {
    extensions.get().cloned()
}

/// Routes that tell whoever comes late also what they sent.
pub(crate) fn telling(routes: Routes, document: &Value) -> Routes {
    let bodies = Arc::new(Bodies::of(document));
    routes.layer(from_fn(move |request: Request, next: Next| {
        let bodies = Arc::clone(&bodies);
        async move { bodies.tell(request, next).await }
    }))
}

/// What may be repeated of the bodies of operations, by path and method.
struct Bodies(HashMap<String, HashMap<String, Repeated>>);

impl Bodies {
    fn of(document: &Value) -> Self {
        let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let paths = document.get("paths").map(members).unwrap_or_default();
        let paths = paths.into_iter().map(|(path, methods)| {
            let bodies = members(&methods).into_iter().filter_map(|(method, operation)| {
                let schema = operation.pointer("/requestBody/content/application~1json/schema")?;
                Some((method.to_uppercase(), Repeated::of(document, schema, DEPTH)))
            });
            (path, bodies.collect())
        });
        Self(paths.collect())
    }

    async fn tell(&self, mut request: Request, next: Next) -> Response {
        let path = request.extensions().get::<MatchedPath>().and_then(|path| self.0.get(path.as_str()));
        let Some(repeated) = path.and_then(|methods| methods.get(request.method().as_str())) else {
            return next.run(request).await;
        };
        let kept = Kept::default();
        request.extensions_mut().insert(kept.clone());
        let mut response = next.run(request).await;
        let refused = response.extensions().get::<Refused>();
        if let Some(refusal) = refused.and_then(|refused| with_sent(refused.refusal(), repeated, &kept)) {
            response.extensions_mut().insert(Refused::from(refusal));
        }
        response
    }
}

/// The refusal with what was sent, if it is about a change that came late.
fn with_sent(refusal: &Refusal, repeated: &Repeated, Kept(kept): &Kept) -> Option<Refusal> {
    if refusal.number() != Code::ObjectChanged.number() {
        return None;
    }
    let present = refusal.data()?.get("present")?;
    // An empty body counts as an empty object.
    let body = kept.get().filter(|body| !body.is_empty()).map_or(b"{}".as_slice(), Vec::as_slice);
    let sent = repeated.part_of(serde_json::from_slice(body).ok()?)?;
    Some(Refusal::new(refusal.code()).carrying(json!({ "present": present, "sent": sent })))
}

/// What may be repeated of a value.
#[derive(Debug, PartialEq, Eq)]
enum Repeated {
    /// All of it, if it is of one of these types; without any, whatever it is.
    Whole(Vec<String>),
    /// Nothing.
    Nothing,
    /// These members.
    Members(HashMap<String, Self>),
    /// All members, whose names are the caller's own, or a value that is no object, if it is of one of these types.
    Each(Box<Self>, Vec<String>),
    /// The elements.
    Elements(Box<Self>),
}

impl Repeated {
    fn of(document: &Value, schema: &Value, depth: usize) -> Self {
        let Some(depth) = depth.checked_sub(1) else { return Self::Nothing };
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let found = name.strip_prefix('#').and_then(|at| document.pointer(at));
            return found.map_or(Self::Nothing, |found| Self::of(document, found, depth));
        }
        if schema.get("writeOnly") == Some(&Value::Bool(true)) {
            return Self::Nothing;
        }
        // A value that may be absent: null, or the other one.
        if let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
            let mut choices = choices.iter().filter(|choice| choice.get("type") != Some(&json!("null")));
            return match (choices.next(), choices.next()) {
                (Some(only), None) => Self::of(document, only, depth),
                _ => Self::Nothing,
            };
        }
        if let Some(members) = schema.get("properties").and_then(Value::as_object) {
            let members = members.iter().map(|(name, it)| (name.clone(), Self::of(document, it, depth)));
            return Self::Members(members.collect());
        }
        if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
            return Self::Each(Box::new(Self::of(document, inner, depth)), types(schema));
        }
        if let Some(items) = schema.get("items") {
            return Self::Elements(Box::new(Self::of(document, items, depth)));
        }
        Self::Whole(types(schema))
    }

    fn part_of(&self, value: Value) -> Option<Value> {
        match (self, value) {
            (Self::Nothing, _) => None,
            (Self::Members(members), Value::Object(object)) => {
                let part = object.into_iter().filter_map(|(name, value)| {
                    let value = members.get(&name)?.part_of(value)?;
                    Some((name, value))
                });
                Some(Value::Object(part.collect()))
            }
            (Self::Each(inner, _), Value::Object(object)) => {
                let part = object.into_iter().filter_map(|(name, value)| Some((name, inner.part_of(value)?)));
                Some(Value::Object(part.collect::<Map<_, _>>()))
            }
            (Self::Elements(inner), Value::Array(list)) => {
                Some(list.into_iter().filter_map(|value| inner.part_of(value)).collect())
            }
            // What is no object or no list, although it should be one, may be a secret in the wrong place.
            (Self::Members(_) | Self::Elements(_), value) => value.is_null().then_some(value),
            // Nor is a value of another type, or the password in an address, which no object has.
            (Self::Whole(types) | Self::Each(_, types), value) => {
                let may_be = value.is_null() || is_of(&value, types);
                (may_be && !has_user_info(&value)).then_some(value)
            }
        }
    }
}

/// The types that a schema permits.
fn types(schema: &Value) -> Vec<String> {
    let name = |name: &Value| name.as_str().map(str::to_owned);
    match schema.get("type") {
        Some(Value::Array(names)) => names.iter().filter_map(name).collect(),
        one => one.and_then(name).into_iter().collect(),
    }
}

fn is_of(value: &Value, types: &[String]) -> bool {
    let names: &[&str] = match value {
        Value::Null => &["null"],
        Value::Bool(_) => &["boolean"],
        Value::Number(_) => &["number", "integer"],
        Value::String(_) => &["string"],
        Value::Array(_) => &["array"],
        Value::Object(_) => &["object"],
    };
    types.is_empty() || types.iter().any(|name| names.contains(&name.as_str()))
}

/// Whether a text is an address with a user name or a password (RFC 3986 section 3.2.1).
fn has_user_info(value: &Value) -> bool {
    let address = value.as_str().and_then(|text| text.split_once("://"));
    let authority = address.and_then(|(_, rest)| rest.split(['/', '?', '#', '\\']).next());
    authority.is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_written_and_what_has_no_name_is_left_out() {
        let document = json!({ "components": { "schemas": {
            "Key": { "properties": { "id": { "type": "string" }, "text": { "type": "string", "writeOnly": true } } },
            "Loop": { "$ref": "#/components/schemas/Loop" },
        } } });
        let schema = json!({ "properties": {
            "name": { "type": "string" },
            "key": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Key" }] },
            "keys": { "type": "array", "items": { "$ref": "#/components/schemas/Key" } },
            "named": { "additionalProperties": { "$ref": "#/components/schemas/Key" } },
            "own": { "type": "object" },
            "headers": { "writeOnly": true, "additionalProperties": { "type": "string" } },
            "endless": { "$ref": "#/components/schemas/Loop" },
            "unknown": { "$ref": "#/components/schemas/Nothing" },
        } });
        let repeated = Repeated::of(&document, &schema, DEPTH);
        let key = json!({ "id": "1", "text": "secret", "tekst": "secret" });
        let sent = json!({
            "name": "x", "key": key, "keys": [key, null, "secret"], "named": { "a": key }, "own": { "any": [1] },
            "headers": { "X-Key": "secret" }, "endless": "secret", "unknown": "secret", "nmae": "secret",
        });
        let left = json!({
            "name": "x", "key": { "id": "1" }, "keys": [{ "id": "1" }, null], "named": { "a": { "id": "1" } },
            "own": { "any": [1] },
        });
        assert_eq!(repeated.part_of(sent), Some(left));
        assert_eq!(
            repeated.part_of(json!({ "key": "secret", "keys": "secret", "name": null })),
            Some(json!({ "name": null }))
        );
    }
}
