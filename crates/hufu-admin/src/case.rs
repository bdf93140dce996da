//! The members of configuration objects: the keys of the file of `hufu apply`, in the case of this API. `redirect_uris`
//! there is `redirectUris` here.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hufu_app::configuration::SenderKind;
use hufu_app::configuration::document::{self, Shape};
use hufu_app::sources::{self, Field};
use hufu_types::ConnectionKind;
use serde_json::{Map, Value};

/// Members whose content is the operator's own: its names stay as they are.
const OPAQUE: [&str; 8] = ["jwks", "title", "claims", "welcome", "headers", "body", "equals", "customData"];

/// Whether a name is none of a member: those of languages, such as `zh-CN`.
fn is_foreign(name: &str) -> bool {
    name.contains('-')
}

/// Converts a name of the file: `redirect_uris` to `redirectUris`. `__` stands for `_`.
/// Of a path, each part.
pub(crate) fn camel(path: &str) -> String {
    path.split('.').map(camel_part).collect::<Vec<_>>().join(".")
}

fn camel_part(name: &str) -> String {
    if is_foreign(name) {
        return name.to_owned();
    }
    let mut text = String::with_capacity(name.len());
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        if letter == '_' {
            text.extend(letters.next().map(|next| next.to_ascii_uppercase()));
        } else {
            text.push(letter);
        }
    }
    text
}

/// The opposite. Every name has exactly one other, so no member can be written in two ways.
fn snake(path: &str) -> String {
    path.split('.').map(snake_part).collect::<Vec<_>>().join(".")
}

fn snake_part(name: &str) -> String {
    if is_foreign(name) {
        return name.to_owned();
    }
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() || letter == '_' {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn renamed(object: Map<String, Value>, rename: fn(&str) -> String) -> Map<String, Value> {
    let members = object.into_iter().map(|(name, value)| {
        let name = rename(&name);
        // These are the same in both cases.
        let value = if OPAQUE.contains(&name.as_str()) { value } else { renamed_value(value, rename) };
        (name, value)
    });
    members.collect()
}

fn renamed_value(value: Value, rename: fn(&str) -> String) -> Value {
    match value {
        Value::Object(object) => Value::Object(renamed(object, rename)),
        Value::Array(list) => list.into_iter().map(|value| renamed_value(value, rename)).collect(),
        value => value,
    }
}

/// A document as it is shown.
pub(crate) fn shown(document: Map<String, Value>) -> Map<String, Value> {
    renamed(document, camel)
}

/// A document as a client writes it.
pub(crate) fn written(document: Map<String, Value>) -> Map<String, Value> {
    renamed(document, snake)
}

/// The names of all members of more than one word, except those that are also values.
static WORDS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let (mut names, mut choices) = (BTreeSet::new(), BTreeSet::new());
    let senders = SenderKind::ALL.map(document::sender::shape);
    let objects = [document::application::shape(), document::connection::shape(), document::pool::shape()];
    for shape in objects.into_iter().chain(senders) {
        shape.words(&mut names, &mut choices);
    }
    for kind in ConnectionKind::ALL {
        names.extend(sources::fields(*kind).iter().flat_map(Field::names));
    }
    names.into_iter().filter(|name| name.contains('_') && !choices.contains(name)).collect()
});

/// A problem's sentence, which may name members.
pub(crate) fn sentence(reason: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut text = String::with_capacity(reason.len());
    let mut rest = reason;
    while let Some(start) = rest.find(is_part) {
        let (before, tail) = rest.split_at(start);
        let (word, after) = tail.split_at(tail.find(|c| !is_part(c)).unwrap_or(tail.len()));
        text.push_str(before);
        if WORDS.contains(word) {
            text.push_str(&camel(word));
        } else {
            text.push_str(word);
        }
        rest = after;
    }
    text + rest
}

/// The names of members, for the OpenAPI document.
pub(crate) fn members(shape: &'static Shape) -> impl Iterator<Item = (String, &'static Shape)> {
    shape.members().iter().map(|(name, shape)| (camel(name), shape))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            _ => panic!("an object"),
        }
    }

    #[test]
    fn every_member_has_one_name() {
        for name in &*WORDS {
            assert_eq!(snake(&camel(name)), *name);
        }
        for odd in ["redirect_uris", "RedirectUris", "redirectURIs", "_", "a__B"] {
            assert_eq!(camel(&snake(odd)), odd);
            assert_ne!(snake(odd), "redirect_uris");
        }
        assert!(WORDS.contains("redirect_uris") && !WORDS.contains("refresh_token"), "{WORDS:?}");
    }

    #[test]
    fn what_is_the_operators_own_stays() {
        let file = json!({
            "jwks": { "keys": [{ "key_ops": ["verify"] }] },
            "branding": { "title": { "zh_x": "t" }, "primary_color": "#000000" },
            "custom_fields": [{ "min_length": 1 }],
        });
        let api = json!({
            "jwks": { "keys": [{ "key_ops": ["verify"] }] },
            "branding": { "title": { "zh_x": "t" }, "primaryColor": "#000000" },
            "customFields": [{ "minLength": 1 }],
        });
        assert_eq!(shown(object(file.clone())), object(api.clone()));
        assert_eq!(written(object(api)), object(file));
    }

    #[test]
    fn sentences_name_members_as_the_api_does() {
        let text = "the keys are at `jwks_uri` already — keep refresh_token, not min_length.";
        assert_eq!(sentence(text), "the keys are at `jwksUri` already — keep refresh_token, not minLength.");
        // The fields of connections, too, and those of a table within them.
        assert_eq!(sentence("app_secret, original_id, aes_key"), "appSecret, originalId, aesKey");
    }
}
