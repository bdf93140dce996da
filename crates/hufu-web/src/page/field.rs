//! What a form shows of a field: its label, what was typed, and a hint or what is wrong.

use std::collections::BTreeMap;

/// A field, for the macro `field` of `parts.html`.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// Both `id` and `name`.
    pub name: &'static str,
    /// Above the field.
    pub label: String,
    /// What was typed.
    pub value: String,
    /// The kind of `<input>`; `text` if empty.
    pub kind: &'static str,
    /// What browsers and password managers fill in.
    pub autocomplete: &'static str,
    /// Below the field, as long as nothing is wrong.
    pub hint: Option<String>,
    /// Takes the hint's place.
    pub error: Option<String>,
    /// Whether it must be filled in.
    pub required: bool,
}

impl Field {
    /// An empty text field.
    pub fn new(name: &'static str, label: impl Into<String>) -> Self {
        Self { name, label: label.into(), kind: "text", autocomplete: "off", ..Self::default() }
    }

    /// With what was typed, and what is wrong with it.
    #[must_use]
    pub fn filled(self, value: impl Into<String>, errors: &FieldErrors) -> Self {
        Self { error: errors.of(self.name).map(str::to_owned), value: value.into(), ..self }
    }

    /// What describes the field to a screen reader.
    pub fn described_by(&self) -> Option<String> {
        let below = match (&self.error, &self.hint) {
            (Some(_), _) => "error",
            (None, Some(_)) => "hint",
            (None, None) => return None,
        };
        Some(format!("{}-{below}", self.name))
    }
}

/// What is wrong with the fields of a form, one sentence each, in the reader's language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<&'static str, String>);

impl FieldErrors {
    /// Notes what is wrong with a field; the first sentence about it stays.
    pub fn note(&mut self, name: &'static str, sentence: impl Into<String>) {
        self.0.entry(name).or_insert_with(|| sentence.into());
    }

    /// What is wrong with a field.
    pub fn of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether the form can go on.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
