//! The tables of fields as a JSON Schema and as documentation.

use std::fmt::Write as _;

use hufu_types::Language;
use serde_json::{Value, json};

use super::{Field, Form};

impl Form {
    /// The rule of a text as a regular expression (ECMA-262).
    const fn pattern(self) -> Option<&'static str> {
        match self {
            Self::WechatAppId => Some("^wx[0-9a-f]{16}$"),
            Self::WechatAppSecret => Some("^[!-~]{1,128}$"),
            Self::WechatToken => Some("^[0-9A-Za-z]{3,32}$"),
            Self::EncodingAesKey => Some("^[0-9A-Za-z]{43}$"),
            Self::OriginalId => Some("^gh_[0-9A-Za-z]{1,32}$"),
            _ => None,
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Text { most } => json!({ "type": "string", "minLength": 1, "maxLength": most }),
            Self::Address => json!({ "type": "string", "format": "uri" }),
            Self::Addresses => json!({ "type": "array", "items": { "type": "string", "format": "uri" } }),
            Self::Choice { names, default } => json!({ "enum": names, "default": default }),
            Self::Flag { default } => json!({ "type": "boolean", "default": default }),
            Self::ByLanguage { most } => {
                let text = json!({ "type": "string", "minLength": 1, "maxLength": most });
                let texts = Language::ALL.iter().map(|language| (language.tag().to_owned(), text.clone()));
                let texts: serde_json::Map<_, _> = texts.collect();
                json!({ "type": "object", "properties": texts, "additionalProperties": false })
            }
            Self::Table(fields) => json_schema(fields),
            form => json!({ "type": "string", "pattern": form.pattern() }),
        }
    }
}

/// The JSON Schema (draft 2020-12) of a table of fields. A secret is a string, or `{ "env": "NAME" }` in a
/// file.
pub(in crate::sources) fn json_schema(fields: &[Field]) -> Value {
    let of_field = |field: &Field| {
        let mut schema = field.form.schema();
        if field.secret {
            let variable = json!({
                "type": "object",
                "properties": { "env": { "type": "string" } },
                "required": ["env"],
                "additionalProperties": false,
            });
            schema = json!({ "anyOf": [schema, variable], "writeOnly": true });
        }
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("title".to_owned(), field.label.en.into());
            schema.insert("description".to_owned(), field.hint.en.into());
        }
        (field.name.to_owned(), schema)
    };
    let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({
        "type": "object",
        "properties": fields.iter().map(of_field).collect::<serde_json::Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

/// Writes the rows of a table of fields for docs/apply.md. Those of a table inside follow it.
pub(in crate::sources) fn markdown(of: &str, path: &str, fields: &[Field], table: &mut String) {
    for Field { name, form, secret, required, label, hint } in fields {
        let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        let name = if *required { format!("**`{path}`**") } else { format!("`{path}`") };
        let secret = if *secret { ", a secret" } else { "" };
        let default = match form {
            Form::Choice { default, .. } => format!("; default `{default}`"),
            Form::Flag { default } => format!("; default `{default}`"),
            _ => String::new(),
        };
        let (rule, label) = (form.rule(), label.en);
        let hint = format!("{} ({})", hint.en, hint.zh);
        let _ = writeln!(table, "| `{of}` | {name}{secret}: {rule}{default} | {label} | {hint} |");
        if let Form::Table(fields) = form {
            markdown(of, &path, fields, table);
        }
    }
}
