//! Reads typed values from TOML while collecting all errors.
//!
//! A reader returns `None` either for an absent optional value, or after it has reported what is wrong. So
//! the caller can continue and find the remaining errors.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::{FileError, Position};

/// Keys that a later version will have: the kind of table, and the key.
pub(in crate::configuration) const NOT_YET: &[(&str, &str)] = &[
    ("the settings of a user pool", "factors"),
    ("an application", "host"),
    ("the branding of an application", "background"),
    ("the branding of an application", "css"),
    ("the branding of a user pool", "background"),
    ("the branding of a user pool", "css"),
];

/// Keys that have a single value for now: the table, the key and the value.
pub(in crate::configuration) const ONLY: &[(&str, &str, &str)] = &[("login", "mfa", "off")];

/// The file being read, its environment, and the errors so far.
pub(super) struct Source<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    environment: &'a dyn Fn(&str) -> Option<String>,
    errors: RefCell<Vec<FileError>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, line_starts, environment, errors: RefCell::default() }
    }

    /// Converts a byte offset to a position.
    pub(super) fn position(&self, offset: usize) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..offset).map_or(offset - start, |text| text.chars().count());
        Position { line, column: before + 1 }
    }

    /// Reports an error.
    pub(super) fn refuse(&self, at: Position, reason: impl Into<String>) {
        self.errors.borrow_mut().push(FileError::new(at, reason));
    }

    pub(super) fn into_errors(self) -> Vec<FileError> {
        self.errors.into_inner()
    }
}

/// Values that must be distinct, each with the position where it first occurred.
#[derive(Default)]
pub(super) struct Unique(HashMap<String, Position>);

impl Unique {
    /// Records a value. Returns its first position if it occurred before.
    pub(super) fn first(&mut self, value: &str, at: Position) -> Option<Position> {
        let first = self.0.get(value).copied();
        if first.is_none() {
            self.0.insert(value.to_owned(), at);
        }
        first
    }
}

/// A table of the file.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    source: &'a Source<'a>,
    /// The position of its header or opening brace.
    pub(super) at: Position,
    entries: &'a DeTable<'a>,
    /// What it describes, with an article, as in `a connection`.
    what: &'static str,
}

impl<'a> Table<'a> {
    /// Wraps a table, and reports its unknown keys.
    pub(super) fn new(
        source: &'a Source<'a>,
        at: Position,
        entries: &'a DeTable<'a>,
        what: &'static str,
        known: &[&str],
    ) -> Self {
        let table = Self { source, at, entries, what };
        table.refuse_unknown(known);
        table
    }

    /// Reports all unknown keys. Returns whether there were none.
    pub(super) fn refuse_unknown(&self, known: &[&str]) -> bool {
        let Self { source, entries, what, .. } = self;
        let mut is_known = true;
        for (key, value) in entries.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            if NOT_YET.contains(&(*what, key.get_ref().as_ref())) {
                // Empty text means none, so it asks for nothing.
                if !matches!(value.get_ref(), DeValue::String(text) if text.is_empty()) {
                    is_known = false;
                    let reason = format!("`{}` in {what} is not available yet — take it out", key.get_ref());
                    source.refuse(source.position(key.span().start), reason);
                }
                continue;
            }
            is_known = false;
            let advice = match nearest(key.get_ref(), known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are {}", known.join(", ")),
            };
            let reason = format!("unknown key {} in {what} — {advice}", quoted(key.get_ref()));
            source.refuse(source.position(key.span().start), reason);
        }
        is_known
    }

    pub(super) fn refuse(&self, reason: impl Into<String>) {
        self.source.refuse(self.at, reason);
    }

    /// Reports an error at a value nested in this table. The path is that of [`Item::refuse_within`].
    pub(super) fn refuse_within(&self, path: &str, reason: &str) {
        let (key, rest) = path.split_once('.').unwrap_or((path, ""));
        match self.items().find(|item| item.key == key) {
            Some(item) if rest.is_empty() => item.refuse(format!("`{key}`: {reason}")),
            Some(item) => item.refuse_within(rest, reason),
            None => self.refuse(format!("`{key}`: {reason}")),
        }
    }

    /// The value of an optional key.
    pub(super) fn optional(&self, key: &'static str) -> Option<Item<'a>> {
        let value = self.entries.get(key)?;
        Some(Item { source: self.source, at: self.source.position(value.span().start), key, value })
    }

    /// All keys with their values.
    pub(super) fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let source = self.source;
        self.entries.iter().map(move |(key, value)| Item {
            source,
            at: source.position(value.span().start),
            key: key.get_ref(),
            value,
        })
    }

    /// The value of a required key. Reports an error if it is absent.
    pub(super) fn required(&self, key: &'static str) -> Option<Item<'a>> {
        let item = self.optional(key);
        if item.is_none() {
            self.refuse(format!("{} without `{key}` — add the key `{key}`", self.what));
        }
        item
    }

    /// The tables of an array of tables; empty if the key is absent.
    pub(super) fn tables(
        &self,
        key: &'static str,
        header: &str,
        what: &'static str,
        known: &[&str],
    ) -> Vec<Self> {
        let Some(item) = self.optional(key) else { return Vec::new() };
        let advice = format!("write `[[{header}]]`");
        let DeValue::Array(array) = item.value.get_ref() else {
            item.refuse_type(&advice);
            return Vec::new();
        };
        array.iter().filter_map(|value| item.element(value).table(&advice, what, known)).collect()
    }
}

/// A value and its key.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    source: &'a Source<'a>,
    pub(super) at: Position,
    pub(super) key: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    pub(super) fn refuse(&self, reason: impl Into<String>) {
        self.source.refuse(self.at, reason);
    }

    /// Reports a value that another item already has. `what` describes it without personal data.
    pub(super) fn claim(&self, taken: &mut Unique, value: &str, what: &str) {
        if let Some(first) = taken.first(value, self.at) {
            self.refuse(format!("{what} is already taken at line {} — each needs its own", first.line));
        }
    }

    /// Reports a wrong type. The value is not quoted, because it may be a secret that lacks its quotes.
    fn refuse_type(&self, advice: &str) {
        let article = match self.value.get_ref() {
            DeValue::Integer(_) | DeValue::Array(_) => "an",
            _ => "a",
        };
        self.refuse(format!(
            "{} is {article} {} — {advice}",
            quoted(self.key),
            self.value.get_ref().type_str()
        ));
    }

    fn element(&self, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { at: self.source.position(value.span().start), value, ..*self }
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        let DeValue::String(text) = self.value.get_ref() else {
            self.refuse_type("write a string");
            return None;
        };
        Some(text)
    }

    /// The text, if it is one. Nothing is said if it is none.
    pub(super) fn quiet_text(&self) -> Option<&'a str> {
        let DeValue::String(text) = self.value.get_ref() else { return None };
        Some(text)
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let DeValue::Boolean(value) = self.value.get_ref() else {
            self.refuse_type("write true or false");
            return None;
        };
        Some(*value)
    }

    /// Parses a string. The parser's error is shown as advice.
    pub(super) fn parse<T, E: Display>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        parse(self.text()?).map_err(|rule| self.refuse(format!("`{}` is not valid — {rule}", self.key))).ok()
    }

    /// One of a fixed set of names. Those in `later` are not available yet.
    pub(super) fn choice<T>(
        &self,
        what: &str,
        later: &[&str],
        parse: fn(&str) -> Option<T>,
        names: impl Iterator<Item = &'static str>,
    ) -> Option<T> {
        let text = self.text()?;
        let choice = parse(text);
        if choice.is_none() {
            let names: Vec<_> = names.collect();
            let one_of = if names.len() > 1 { "one of " } else { "" };
            let advice = format!("write {one_of}{}", names.join(", "));
            self.refuse(if later.contains(&text) {
                format!("`{text}` is not available yet — {advice}")
            } else {
                format!("unknown {what} {} — {advice}", quoted(text))
            });
        }
        choice
    }

    /// The elements of an array.
    pub(super) fn elements(&self) -> Vec<Self> {
        let DeValue::Array(array) = self.value.get_ref() else {
            self.refuse_type("write a list of strings in brackets");
            return Vec::new();
        };
        array.iter().map(|value| self.element(value)).collect()
    }

    /// The value as a table.
    pub(super) fn table(&self, advice: &str, what: &'static str, known: &[&str]) -> Option<Table<'a>> {
        let table = self.open_table(advice, what)?;
        table.refuse_unknown(known);
        Some(table)
    }

    /// The value as a table whose keys the caller checks.
    pub(super) fn open_table(&self, advice: &str, what: &'static str) -> Option<Table<'a>> {
        let DeValue::Table(entries) = self.value.get_ref() else {
            self.refuse_type(advice);
            return None;
        };
        Some(Table { source: self.source, at: self.at, entries, what })
    }

    /// Deserializes a value that contains no secrets, so that errors may quote it.
    pub(super) fn value<T: DeserializeOwned>(&self) -> Option<T> {
        let read = T::deserialize(ValueDeserializer::from(self.value.clone()));
        read.map_err(|error| {
            let at = error.span().map_or(self.at, |span| self.source.position(span.start));
            self.source.refuse(at, format!("{} is not valid — {}", quoted(self.key), error.message()));
        })
        .ok()
    }

    /// Deserializes settings without secrets, where every key is optional. Errors are reported key by key.
    pub(super) fn settings<T>(&self, advice: &str, what: &'static str) -> Option<T>
    where
        T: Default + Serialize + DeserializeOwned,
    {
        let table = self.open_table(advice, what)?;
        let defaults = serde_json::to_value(T::default()).unwrap_or_default();
        let known: Vec<&str> =
            defaults.as_object().into_iter().flat_map(|all| all.keys().map(String::as_str)).collect();
        let mut is_sound = table.refuse_unknown(&known);
        for (key, value) in table.entries.iter().filter(|(key, _)| known.contains(&key.get_ref().as_ref())) {
            let alone: DeTable<'_> = std::iter::once((key.clone(), value.clone())).collect();
            let alone = Spanned::new(value.span(), DeValue::Table(alone));
            let item = Item { key: key.get_ref(), value: &alone, ..*self };
            is_sound &= item.value::<T>().is_some();
        }
        if is_sound { self.value() } else { None }
    }

    /// The position of a value nested in this one. The path consists of keys and indices joined with dots. If
    /// a part does not exist, returns the nearest enclosing position.
    pub(super) fn place_of(&self, path: &str) -> Position {
        let mut value = self.value;
        for part in path.split('.') {
            let inner = match value.get_ref() {
                DeValue::Table(table) => table.get(part),
                DeValue::Array(array) => part.parse().ok().and_then(|index: usize| array.get(index)),
                _ => None,
            };
            let Some(inner) = inner else { break };
            value = inner;
        }
        self.source.position(value.span().start)
    }

    /// Reports an error at a value nested in this one.
    pub(super) fn refuse_within(&self, path: &str, reason: &str) {
        let key = path.split('.').rfind(|part| part.parse::<usize>().is_err()).unwrap_or(self.key);
        self.source.refuse(self.place_of(path), format!("`{key}`: {reason}"));
    }

    /// A whole number in a range. `rule` describes the range.
    pub(super) fn integer(&self, range: RangeInclusive<i64>, rule: &str) -> Option<i64> {
        let DeValue::Integer(number) = self.value.get_ref() else {
            self.refuse_type("write a whole number");
            return None;
        };
        let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
        let fitting = number.filter(|number| range.contains(number));
        if fitting.is_none() {
            self.refuse(format!("{} is not valid — {rule}", quoted(self.key)));
        }
        fitting
    }

    /// The value as JSON. Each table of the form `{ env = "NAME" }` is replaced by the secret in that
    /// variable.
    pub(super) fn json(&self) -> Option<Json> {
        Some(match self.value.get_ref() {
            DeValue::String(text) => Json::String(text.to_string()),
            DeValue::Boolean(value) => Json::Bool(*value),
            DeValue::Integer(_) => Json::from(self.integer(i64::MIN..=i64::MAX, "the number is too large")?),
            DeValue::Float(number) => Json::from(number.as_str().replace('_', "").parse::<f64>().ok()?),
            DeValue::Datetime(moment) => Json::String(moment.to_string()),
            DeValue::Array(array) => {
                // Convert all elements before failing on the first invalid one, so that every error is
                // reported.
                let elements: Vec<_> = array.iter().map(|value| self.element(value).json()).collect();
                Json::Array(elements.into_iter().collect::<Option<_>>()?)
            }
            DeValue::Table(entries) if entries.len() == 1 && entries.contains_key("env") => {
                Json::String(self.secret(|_| Ok::<_, &str>(()))?.expose_secret().to_owned())
            }
            DeValue::Table(_) => {
                let table = self.open_table("write a table", "a table")?;
                let members: Vec<_> =
                    table.items().map(|item| Some((item.key.to_owned(), item.json()?))).collect();
                Json::Object(members.into_iter().collect::<Option<_>>()?)
            }
        })
    }

    /// A secret, given directly or through an environment variable. `rule` validates it. Error messages never
    /// quote it.
    pub(super) fn secret<E: Display>(
        &self,
        rule: impl FnOnce(&str) -> Result<(), E>,
    ) -> Option<SecretString> {
        let (value, origin) = if let DeValue::String(text) = self.value.get_ref() {
            (text.to_string(), String::new())
        } else {
            let table = self.table("write a string or { env = \"NAME\" }", "a secret", &["env"])?;
            let variable = table.required("env")?;
            let name = variable.text()?;
            let shown = variable_name(name);
            let Some(value) = (self.source.environment)(name) else {
                variable.refuse(format!("{shown} is not set — set it for this command"));
                return None;
            };
            if value.is_empty() {
                variable.refuse(format!("{shown} is empty — set it to the secret"));
                return None;
            }
            (value, format!(", from {shown},"))
        };
        if let Err(rule) = rule(&value) {
            self.refuse(format!("`{}`{origin} is not valid — {rule}", self.key));
            return None;
        }
        Some(value.into())
    }
}

/// The name of a variable as shown in error messages. Unless it has the usual form (upper case), it may be
/// the secret itself in place of the name, so it is not repeated.
fn variable_name(name: &str) -> String {
    let usual = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if usual && (1..=64).contains(&name.len()) {
        format!("the environment variable {name}")
    } else {
        "the environment variable that `env` names".to_owned()
    }
}

/// Text from the file as shown in error messages: on one line and truncated.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 64;
    let dots = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
    let start: String = text.chars().take(SHOWN).collect();
    format!("`{}{dots}`", start.escape_debug())
}

/// The known key that was probably meant.
pub(in crate::configuration) fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let key: String =
        key.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect();
    let part_of = |known: &str| key.len() >= 4 && known.contains(&key);
    let (distance, near) = known
        .iter()
        .map(|known| (if part_of(known) { 0 } else { edit_distance(&key, known) }, *known))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= near.len().div_ceil(3)).then_some(near)
}

/// The number of insertions, deletions and substitutions (Levenshtein distance).
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, l) in left.chars().enumerate() {
        let mut next = vec![index + 1];
        let mut before = index + 1;
        for (r, pair) in right.iter().zip(row.windows(2)) {
            let [diagonal, above] = pair else { continue };
            before = (diagonal + usize::from(l != *r)).min(above + 1).min(before + 1);
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
