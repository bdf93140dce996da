//! A form field as it is rendered: its label, the value, and a hint or an error.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// A field, rendered by the macro `field` of `parts.html`.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// Used as both `id` and `name`.
    pub name: Cow<'static, str>,
    /// The label above the field.
    pub label: String,
    /// The value that the user entered.
    pub value: String,
    /// The `type` of the `<input>`. Empty means `text`.
    pub kind: &'static str,
    /// The `inputmode` attribute, for the keyboards of phones. Empty means that the `type` decides.
    pub input_mode: &'static str,
    /// The `autocomplete` attribute, for browsers and password managers.
    pub autocomplete: &'static str,
    /// A hint below the field, shown while there is no error.
    pub hint: Option<String>,
    /// The error, shown instead of the hint.
    pub error: Option<String>,
    /// Whether the field must be filled in.
    pub required: bool,
    /// Whether the page opens with the cursor here.
    pub focused: bool,
}

impl Field {
    /// An empty text field.
    pub fn new(name: impl Into<Cow<'static, str>>, label: impl Into<String>) -> Self {
        Self { name: name.into(), label: label.into(), kind: "text", autocomplete: "off", ..Self::default() }
    }

    /// Sets the value that was entered, and the error for it if there is one.
    #[must_use]
    pub fn filled(self, value: impl Into<String>, errors: &FieldErrors) -> Self {
        Self { error: errors.of(&self.name).map(str::to_owned), value: value.into(), ..self }
    }

    /// The id of the element that describes the field (`aria-describedby`).
    pub fn described_by(&self) -> Option<String> {
        let below = match (&self.error, &self.hint) {
            (Some(_), _) => "error",
            (None, Some(_)) => "hint",
            (None, None) => return None,
        };
        Some(format!("{}-{below}", self.name))
    }
}

/// The errors of a form: one sentence per field, in the reader's language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<Cow<'static, str>, String>);

impl FieldErrors {
    /// Records an error for a field. If the field already has an error, the first one is kept.
    pub fn note(&mut self, name: impl Into<Cow<'static, str>>, sentence: impl Into<String>) {
        self.0.entry(name.into()).or_insert_with(|| sentence.into());
    }

    /// The error for a field.
    pub fn of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether the form has no errors.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
