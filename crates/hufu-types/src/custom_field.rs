//! Validation of values of declared custom fields.

use serde_json::{Map, Value};

use crate::refusal::Reason;
use crate::{CustomField, CustomFieldType, PoolSettings};

impl CustomField {
    /// Checks that the value is valid for this field.
    ///
    /// # Errors
    /// What the value must be.
    pub fn accepts(&self, value: &Value) -> Result<(), Reason> {
        let fits = match self.kind {
            CustomFieldType::Text => value.is_string(),
            CustomFieldType::Number => value.is_number(),
            CustomFieldType::Boolean => value.is_boolean(),
            CustomFieldType::Datetime => is_moment(value),
            CustomFieldType::Enumeration => {
                value.as_str().is_some_and(|text| self.options.iter().any(|option| option == text))
            }
            CustomFieldType::Object => true,
        };
        if fits { Ok(()) } else { Err(self.wanted()) }
    }

    fn wanted(&self) -> Reason {
        match self.kind {
            CustomFieldType::Text => Reason::NotText,
            CustomFieldType::Number => Reason::NotANumber,
            CustomFieldType::Boolean => Reason::NotABoolean,
            CustomFieldType::Datetime => Reason::NotADatetime,
            CustomFieldType::Enumeration => Reason::NotOneOf { choices: self.options.join(", ").into() },
            CustomFieldType::Object => Reason::NotAnObject,
        }
    }
}

/// RFC 3339 text, or whole milliseconds since the Unix epoch.
fn is_moment(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<jiff::Timestamp>().is_ok(),
        Value::Number(number) => {
            number.as_i64().is_some_and(|ms| jiff::Timestamp::from_millisecond(ms).is_ok())
        }
        _ => false,
    }
}

impl PoolSettings {
    /// The custom data that users may see: everything except the fields declared invisible.
    pub fn visible(&self, data: &Map<String, Value>) -> Map<String, Value> {
        let seen = data.iter().filter(|(key, _)| self.custom_field(key).is_none_or(|field| field.visible));
        seen.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The declaration of a custom field, if there is one.
    pub fn custom_field(&self, key: &str) -> Option<&CustomField> {
        self.custom_fields.iter().find(|field| field.key == key)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(kind: CustomFieldType) -> CustomField {
        CustomField {
            key: "k".to_owned(),
            kind,
            label: String::new(),
            options: vec!["red".to_owned(), "blue".to_owned()],
            visible: true,
            editable: true,
        }
    }

    #[test]
    fn each_type_takes_its_values_and_no_others() {
        use CustomFieldType as T;
        let values = [
            json!("red"),
            json!("green"),
            json!(7),
            json!(0.5),
            json!(true),
            json!("2025-06-15T08:00:00+08:00"),
            json!("2025-06-15"),
            json!(["red"]),
            json!({}),
        ];
        for (kind, taken) in [
            (T::Text, [1, 1, 0, 0, 0, 1, 1, 0, 0]),
            (T::Number, [0, 0, 1, 1, 0, 0, 0, 0, 0]),
            (T::Boolean, [0, 0, 0, 0, 1, 0, 0, 0, 0]),
            (T::Datetime, [0, 0, 1, 0, 0, 1, 0, 0, 0]),
            (T::Enumeration, [1, 0, 0, 0, 0, 0, 0, 0, 0]),
            (T::Object, [1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ] {
            for (value, taken) in values.iter().zip(taken) {
                assert_eq!(field(kind).accepts(value).is_ok(), taken == 1, "{kind:?} {value}");
            }
        }
        assert_eq!(
            field(T::Enumeration).accepts(&json!(1)).unwrap_err(),
            Reason::NotOneOf { choices: "red, blue".into() }
        );
    }
}
