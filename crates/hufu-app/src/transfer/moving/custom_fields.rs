//! Custom fields of users.

use hufu_types::{CustomField, CustomFieldType};
use serde_json::Value;

use super::super::reader::Fields;
use super::super::rows::unknown_columns;
use super::report::{Fate, Finding, Kind, Remark, word};
use super::text;

/// A custom field to declare.
#[derive(Clone, Debug)]
pub(super) struct PlannedField {
    pub(super) field: CustomField,
    pub(super) remarks: Vec<Remark>,
}

/// The field that a row describes. `None` for one that every user has anyway.
pub(super) fn read(row: &Fields) -> Option<Result<PlannedField, Finding>> {
    let key = text(row, "key")?;
    let target = text(row, "targetType").unwrap_or("USER");
    let is_built_in = unknown_columns(&[key.to_owned()]).is_empty();
    if target != "USER" || is_built_in {
        return None;
    }
    let refuse = |reason: &str, detail: String| {
        let name = text(row, "label").unwrap_or_default();
        Some(Err(Finding::new(Kind::Field, key, name, Fate::Refused, reason, &detail)))
    };
    let kind = match text(row, "dataType") {
        Some("STRING") => CustomFieldType::Text,
        Some("NUMBER") => CustomFieldType::Number,
        Some("DATETIME") => CustomFieldType::Datetime,
        Some("BOOLEAN") => CustomFieldType::Boolean,
        Some("ENUM") => CustomFieldType::Enumeration,
        Some("OBJECT") => CustomFieldType::Object,
        other => {
            return refuse(
                "field_type_unknown",
                format!("its type is {}", word(other.unwrap_or("not told"))),
            );
        }
    };
    let flag = |name: &str, usual| row.get(name).and_then(Value::as_bool).unwrap_or(usual);
    let options = row.get("options").and_then(Value::as_array).into_iter().flatten();
    let options = options.filter_map(|option| option.get("value").and_then(Value::as_str).map(str::to_owned));
    let mut remarks = Vec::new();
    for (name, what) in [
        ("isUnique", "values are not kept unique"),
        ("encrypted", "the database holds custom data in plain text"),
    ] {
        if flag(name, false) {
            remarks.push(Remark::new("setting_without_counterpart", format!("{name}: {what}")));
        }
    }
    let field = CustomField {
        key: key.to_owned(),
        kind,
        label: text(row, "label").unwrap_or_default().to_owned(),
        options: options.collect(),
        visible: flag("visibleInUserCenter", true),
        editable: flag("userEditable", true),
    };
    Some(Ok(PlannedField { field, remarks }))
}
