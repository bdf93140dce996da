//! Objects of the configuration as JSON documents: applications, connections, pools, senders. Their members are the keys of the
//! file of `hufu apply`.
//!
//! A document is shown ([`application::show`] and its like), changed by a JSON Merge Patch (RFC 7396), and read again as a
//! whole, in the unit that writes it. So there is one reader for new objects and for changes, and it reports all problems
//! at once. Which members there are comes from the types that hold them: [`Shape`].

pub mod application;
pub mod connection;
pub mod pool;
pub mod sender;
mod shape;

use std::sync::LazyLock;

use hufu_types::{ApplicationKind, SettingProblem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

pub use self::shape::Shape;
use super::apply::file::{NOT_YET, ONLY, nearest};

/// A document, or a patch of one.
pub type Document = Map<String, Json>;

/// The most problems that are reported at once.
const MOST_PROBLEMS: usize = 64;
/// The members that an object is shown with, beside those of its shape.
const READ_ONLY: [&str; 3] = ["id", "revision", "secrets"];
/// The member by which a caller confirms a change that was refused before.
const CONFIRM: &str = "confirm";
/// The most characters of a member's name that are repeated in a problem.
const LONGEST_NAME: usize = 64;

static NOTHING: LazyLock<Document> = LazyLock::new(Map::new);

/// A new object, or a change of one.
#[derive(Clone)]
pub enum Edit {
    /// A new object, which takes defaults for what the document leaves out.
    New(Document),
    /// A JSON Merge Patch for the object as it is shown.
    Patch(Document),
    /// One element of a list of the object's settings.
    Element(Element),
}

/// An element of a list in the settings of a pool.
#[derive(Clone)]
pub struct Element {
    /// The list: a member of the settings.
    pub list: &'static str,
    /// The member by which elements are told apart.
    pub key: &'static str,
    /// What the element has there.
    pub name: String,
    /// What the element becomes, in its place or at the end. `None` takes it out.
    pub value: Option<Document>,
}

impl Element {
    /// The elements of a document.
    pub fn all<'a>(&self, document: &'a Document) -> &'a [Json] {
        let list = document.get("settings").and_then(|settings| settings.get(self.list));
        list.and_then(Json::as_array).map_or(&[], Vec::as_slice)
    }

    /// The place of the element.
    pub fn place(&self, document: &Document) -> Option<usize> {
        let is_it = |element: &Json| element.get(self.key).and_then(Json::as_str) == Some(&self.name);
        self.all(document).iter().position(is_it)
    }

    fn put(&self, document: &mut Document) {
        let place = self.place(document);
        let settings = document.entry("settings").or_insert_with(|| Json::Object(Map::new()));
        let Some(Json::Array(list)) = settings.get_mut(self.list) else { return };
        let Some(value) = &self.value else {
            if let Some(place) = place {
                list.remove(place);
            }
            return;
        };
        let mut value = value.clone();
        value.entry(self.key).or_insert_with(|| self.name.as_str().into());
        match place.and_then(|place| list.get_mut(place)) {
            Some(present) => *present = Json::Object(value),
            None => list.push(Json::Object(value)),
        }
    }
}

impl Edit {
    /// What the caller wrote.
    pub(super) fn asked(&self) -> &Document {
        match self {
            Self::New(document) | Self::Patch(document) => document,
            Self::Element(_) => &NOTHING,
        }
    }

    /// Takes out of it whether the caller confirms what was refused before. It is no member of an object.
    pub(crate) fn take_confirmation(&mut self) -> bool {
        let (Self::New(document) | Self::Patch(document)) = self else { return false };
        let Some(Json::Bool(is_confirmed)) = document.get(CONFIRM) else { return false };
        let is_confirmed = *is_confirmed;
        document.remove(CONFIRM);
        is_confirmed
    }

    /// The document that is wanted, given the present one.
    pub(super) fn over(&self, present: Document) -> Document {
        match self {
            Self::New(document) => document.clone(),
            Self::Patch(patch) => {
                let mut document = present;
                merge(&mut document, patch);
                document
            }
            Self::Element(element) => {
                let mut document = present;
                element.put(&mut document);
                document
            }
        }
    }
}

/// Applies a JSON Merge Patch (RFC 7396 section 2).
fn merge(target: &mut Document, patch: &Document) {
    for (name, value) in patch {
        match value {
            Json::Null => drop(target.remove(name)),
            Json::Object(patch) => {
                let slot = target.entry(name.clone()).or_insert(Json::Null);
                if !slot.is_object() {
                    *slot = Json::Object(Map::new());
                }
                if let Json::Object(inner) = slot {
                    merge(inner, patch);
                }
            }
            value => drop(target.insert(name.clone(), value.clone())),
        }
    }
}

/// Reads a document while collecting all problems.
pub(super) struct Reading {
    /// What the document describes, as in the messages of `hufu apply`: `an application`.
    what: &'static str,
    problems: Vec<SettingProblem>,
}

impl Reading {
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, problems: Vec::new() }
    }

    /// Reports a problem. The reason reads `what is wrong — what to do`, and quotes no secret.
    pub(super) fn refuse(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(SettingProblem { path: path.into(), reason: reason.into() });
        }
    }

    /// Reports problems of what was read, except where it was not read as it was written.
    pub(super) fn refuse_all(&mut self, problems: Vec<SettingProblem>) {
        let is_within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        for SettingProblem { path, reason } in problems {
            let mut known = self.problems.iter().map(|problem| problem.path.as_str());
            if !known.any(|known| is_within(known, &path) || is_within(&path, known)) {
                self.refuse(path, reason);
            }
        }
    }

    /// Reports a problem, unless what is there was reported already.
    pub(super) fn refuse_too(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.refuse_all(vec![SettingProblem { path: path.into(), reason: reason.into() }]);
    }

    pub(super) fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn into_problems(self) -> Vec<SettingProblem> {
        self.problems
    }

    /// Takes out of a value what is not of the shape, and reports it. `null` counts as absent. Returns whether the value
    /// itself can stay.
    fn prune(&mut self, shape: &Shape, value: &mut Json, path: &str) -> bool {
        let expected = match (shape, &mut *value) {
            (Shape::Any, _)
            | (Shape::Flag, Json::Bool(_))
            | (Shape::Number, Json::Number(_))
            | (Shape::Text | Shape::Localized, Json::String(_)) => return true,
            (Shape::Choice(names), Json::String(text)) => {
                let is_one = names.contains(&text.as_str());
                if !is_one {
                    self.refuse(path, format!("an unknown value — write one of {}", names.join(", ")));
                }
                return is_one;
            }
            (Shape::List(inner), Json::Array(list)) => {
                let mut is_sound = true;
                for (index, element) in list.iter_mut().enumerate() {
                    is_sound &= self.prune(inner, element, &format!("{path}.{index}"));
                }
                return is_sound;
            }
            (Shape::Map(inner), Json::Object(map)) => {
                map.retain(|name, value| !value.is_null() && self.prune(inner, value, &joined(path, name)));
                return true;
            }
            (Shape::Object(_), Json::Object(object)) => {
                self.prune_members(shape, object, path);
                return true;
            }
            (Shape::Localized, Json::Object(texts)) => {
                texts.retain(|tag, text| {
                    !text.is_null() && self.prune(&Shape::Text, text, &joined(path, tag))
                });
                return true;
            }
            (Shape::Flag, _) => "write true or false",
            (Shape::Number, _) => "write a number",
            (Shape::Text | Shape::Choice(_), _) => "write a string",
            (Shape::Localized, _) => "write a string, or strings by language",
            (Shape::List(_), _) => "write a list",
            (Shape::Map(_) | Shape::Object(_), _) => "write an object",
        };
        self.refuse(path, format!("{} — {expected}", kind_of(value)));
        false
    }

    /// The same for the members of an object.
    pub(super) fn prune_members(&mut self, shape: &Shape, object: &mut Document, path: &str) {
        object.retain(|name, value| {
            if value.is_null() {
                return false;
            }
            let at = joined(path, name);
            if let Some(shape) = shape.member(name) {
                return self.prune(shape, value, &at);
            }
            self.refuse_unknown(shape, name, value, path, at);
            false
        });
    }

    fn refuse_unknown(&mut self, shape: &Shape, name: &str, value: &Json, path: &str, at: String) {
        if path.is_empty() && READ_ONLY.contains(&name) {
            return self.refuse(at, "it cannot be written here, or is not what it is now — leave it out");
        }
        if let Some((.., only)) = ONLY.iter().find(|(table, key, _)| *table == path && *key == name) {
            if value.as_str() != Some(only) {
                self.refuse(at, format!("not available yet — write {only}"));
            }
            return;
        }
        let table = match path {
            "settings" => "the settings of a user pool",
            "branding" => "the branding of an application",
            "settings.branding" => "the branding of a user pool",
            _ => self.what,
        };
        if NOT_YET.contains(&(table, name)) {
            if value.as_str() != Some("") {
                self.refuse(at, "not available yet — take it out");
            }
            return;
        }
        let known: Vec<&str> = shape.members().iter().map(|(name, _)| *name).collect();
        let advice = match nearest(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the members here are {}", known.join(", ")),
        };
        self.refuse(at, format!("there is no such member — {advice}"));
    }

    /// Deserializes an object that has been pruned. A member whose value is of the right shape and yet not valid is
    /// reported, and takes its default.
    pub(super) fn read<T: Default + DeserializeOwned>(
        &mut self,
        shape: &Shape,
        mut object: Document,
        path: &str,
    ) -> T {
        let mut paths = Vec::new();
        leaves(shape, &mut Vec::new(), &mut paths);
        for leaf in paths {
            let Some(alone) = alone(&object, &leaf) else { continue };
            if let Err(error) = serde_json::from_value::<T>(alone) {
                self.refuse(joined(path, &leaf.join(".")), format!("not valid — {error}"));
                remove(&mut object, &leaf);
            }
        }
        serde_json::from_value(Json::Object(object)).unwrap_or_else(|error| {
            self.refuse(path, format!("not valid — {error}"));
            T::default()
        })
    }

    /// A name for people.
    pub(super) fn label(&mut self, path: &str, text: &str) {
        if let Err(rule) = check_label(text) {
            self.refuse(path, format!("not valid — {rule}"));
        }
    }
}

/// Checks a name for people: of pools, connections and applications.
///
/// # Errors
/// The rule.
pub(super) fn check_label(text: &str) -> Result<(), &'static str> {
    let fits = (1..=255).contains(&text.chars().count()) && !text.trim().is_empty();
    if fits && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err("write 1 to 255 characters, not only spaces and no control characters")
    }
}

/// The JSON of settings, which are objects.
pub(super) fn object_of<T: Serialize>(settings: &T) -> Document {
    match serde_json::to_value(settings) {
        Ok(Json::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Adds the members that have no value, so that it is seen that they are there. `null` is what is read as absent.
fn complete(shape: &Shape, document: &mut Document) {
    for (name, shape) in shape.members() {
        let value = document.entry(*name).or_insert(Json::Null);
        if let Json::Object(inner) = value {
            complete(shape, inner);
        }
    }
}

/// Splits an object into the members of a shape and the others.
fn split(document: Document, shape: &Shape) -> (Document, Document) {
    document.into_iter().partition(|(name, _)| shape.member(name).is_some())
}

/// Takes a member out of what an operator wrote.
fn take_text(document: &mut Document, name: &str) -> Option<String> {
    match document.remove(name) {
        Some(Json::String(text)) => Some(text),
        _ => None,
    }
}

/// The paths of the members that have no members of their own.
fn leaves(shape: &Shape, path: &mut Vec<&'static str>, found: &mut Vec<Vec<&'static str>>) {
    for (name, shape) in shape.members() {
        path.push(name);
        match shape {
            Shape::Object(_) => leaves(shape, path, found),
            _ => found.push(path.clone()),
        }
        path.pop();
    }
}

/// An object with only the member at a path, if it is there.
fn alone(object: &Document, path: &[&'static str]) -> Option<Json> {
    let (name, rest) = path.split_first()?;
    let value = object.get(*name)?;
    let value = if rest.is_empty() { value.clone() } else { alone(value.as_object()?, rest)? };
    Some(Json::Object(Map::from_iter([((*name).to_owned(), value)])))
}

fn remove(object: &mut Document, path: &[&'static str]) {
    match path {
        [] => {}
        [name] => drop(object.remove(*name)),
        [name, rest @ ..] => {
            if let Some(Json::Object(inner)) = object.get_mut(*name) {
                remove(inner, rest);
            }
        }
    }
}

/// The path of a member, whose name may be anything.
fn joined(path: &str, name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// The names of the kinds of applications.
fn application_kinds() -> String {
    ApplicationKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(json: Json) -> Document {
        match json {
            Json::Object(object) => object,
            _ => panic!("an object"),
        }
    }

    /// The examples of RFC 7396 appendix A that have objects on both sides.
    #[test]
    fn patches_are_merged() {
        for (target, patch, merged) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let edit = Edit::Patch(document(patch.clone()));
            assert_eq!(Json::Object(edit.over(document(target.clone()))), merged, "{target} {patch}");
        }
    }
}
