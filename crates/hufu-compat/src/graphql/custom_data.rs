//! Custom data, which the clients call user-defined values.
//!
//! Values are transferred as text. The clients send JSON, with strings in quotes. They receive strings
//! without quotes, and everything else as JSON.

use async_graphql::{ComplexObject, Context, Enum, InputObject, SimpleObject};
use hufu_app::{Authenticated, ProfileChange, Refusal, named};
use hufu_types::refusal::Reason;
use hufu_types::{CustomField, CustomFieldType, PoolId, PoolSettings, Scope};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Call;
use crate::user::UserV2;

/// The kinds of objects that can have custom data, by the clients' names.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "UDFTargetType")]
pub(super) enum TargetType {
    Node,
    Org,
    User,
    Userpool,
    Role,
    Permission,
    Application,
}

/// The type of a value, for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[graphql(name = "UDFDataType")]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum DataType {
    String,
    Number,
    Datetime,
    Boolean,
    Object,
    Select,
}

/// A value of custom data.
#[derive(SimpleObject, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserDefinedData {
    key: String,
    data_type: DataType,
    value: String,
    label: Option<String>,
}

/// The custom data of a user.
#[derive(SimpleObject)]
pub(super) struct UserDefinedDataMap {
    pub(super) target_id: String,
    pub(super) data: Vec<UserDefinedData>,
}

/// A custom field. The options are a JSON list of `value` and `label`.
#[derive(SimpleObject)]
pub(super) struct UserDefinedField {
    target_type: TargetType,
    data_type: DataType,
    key: String,
    label: Option<String>,
    options: Option<String>,
}

impl UserDefinedField {
    pub(super) fn of(field: &CustomField) -> Self {
        let options: Vec<_> =
            field.options.iter().map(|option| json!({ "value": option, "label": option })).collect();
        Self {
            target_type: TargetType::User,
            data_type: declared_type(field.kind),
            key: field.key.clone(),
            label: Some(field.label.clone()),
            options: (!options.is_empty()).then(|| Value::from(options).to_string()),
        }
    }
}

/// The options of a field that a client sends as a JSON list.
pub(super) fn options(text: Option<&str>) -> Result<Vec<Value>, Refusal> {
    match text.and_then(named).map(serde_json::from_str) {
        None => Ok(Vec::new()),
        Some(Ok(Value::Array(options))) => Ok(options),
        Some(_) => Err(Refusal::invalid("options", Reason::NotAList)),
    }
}

impl DataType {
    /// The name of the type in the calls of v3.
    pub(super) fn of_the_newer_clients(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::Number => "NUMBER",
            Self::Datetime => "DATETIME",
            Self::Boolean => "BOOLEAN",
            Self::Object => "OBJECT",
            Self::Select => "ENUM",
        }
    }
}

/// A value to set, as JSON.
#[derive(InputObject)]
pub(super) struct UserDefinedDataInput {
    pub(super) key: String,
    pub(super) value: Option<String>,
}

/// Fields of newer clients that [`UserV2`] does not have, because REST responses never had them.
#[ComplexObject]
impl UserV2 {
    /// Custom data.
    async fn custom_data(&self, context: &Context<'_>) -> Option<Vec<UserDefinedData>> {
        let call = Call::of(context).ok()?;
        let settings = PoolId::parse(&self.user_pool_id).map(|pool| call.shared.app.config().settings(&pool));
        Some(list(&self.custom, &settings.unwrap_or_default()))
    }

    /// Always null: departments are not stored.
    async fn main_department_id(&self) -> Option<String> {
        None
    }

    /// Always null: departments are not stored.
    async fn main_department_code(&self) -> Option<String> {
        None
    }

    /// Always null: accounts do not expire.
    async fn expired_at(&self) -> Option<String> {
        None
    }

    /// Always null: superiors are not stored.
    async fn direct_management(&self) -> Option<String> {
        None
    }
}

/// The user whose data is meant, which must be the logged-in user.
pub(super) async fn target(call: &Call, kind: TargetType, id: &str) -> Result<Authenticated, Refusal> {
    let who = call.authenticate(Some(id), Scope::Profile).await?;
    if kind != TargetType::User {
        let reason = Reason::NotOneOf { choices: "USER".into() };
        return Err(Refusal::invalid("targetType", reason));
    }
    Ok(who)
}

/// Custom data for the clients, sorted by key. Fields that the pool declares have their label and type from
/// there.
pub(crate) fn list(data: &Map<String, Value>, settings: &PoolSettings) -> Vec<UserDefinedData> {
    settings
        .visible(data)
        .iter()
        .map(|(key, value)| {
            let field = settings.custom_field(key);
            let (data_type, value) = match value {
                Value::String(text) => (DataType::String, text.clone()),
                Value::Number(_) => (DataType::Number, value.to_string()),
                Value::Bool(_) => (DataType::Boolean, value.to_string()),
                Value::Array(_) | Value::Object(_) | Value::Null => (DataType::Object, value.to_string()),
            };
            let data_type = field.map_or(data_type, |field| declared_type(field.kind));
            let label = field.map(|field| field.label.clone()).filter(|label| !label.is_empty());
            UserDefinedData { key: key.clone(), data_type, value, label }
        })
        .collect()
}

fn declared_type(kind: CustomFieldType) -> DataType {
    match kind {
        CustomFieldType::Text => DataType::String,
        CustomFieldType::Number => DataType::Number,
        CustomFieldType::Boolean => DataType::Boolean,
        CustomFieldType::Datetime => DataType::Datetime,
        CustomFieldType::Enumeration => DataType::Select,
        CustomFieldType::Object => DataType::Object,
    }
}

/// Reads the values that a client sets. Text that is not valid JSON is taken as an unquoted string.
pub(super) fn read(list: Vec<UserDefinedDataInput>) -> Result<Map<String, Value>, Refusal> {
    list.into_iter()
        .map(|UserDefinedDataInput { key, value }| {
            let value = value.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
            match value {
                None | Some(Value::Null) => Err(Refusal::invalid("value", Reason::Null)),
                Some(value) => Ok((key, value)),
            }
        })
        .collect()
}

/// The change that removes a key.
pub(super) fn removal(key: String) -> Map<String, Value> {
    Map::from_iter([(key, Value::Null)])
}

/// Changes custom data and returns all of it.
pub(super) async fn change(
    call: &Call,
    who: &Authenticated,
    custom_data: Map<String, Value>,
) -> Result<Vec<UserDefinedData>, Refusal> {
    let app = &call.shared.app;
    let user = if custom_data.is_empty() {
        app.user(who).await
    } else {
        app.update_profile(who, ProfileChange { custom_data, ..ProfileChange::default() }).await
    };
    let data = user?.custom_data;
    Ok(list(&data, &app.config().settings(who.pool())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hufu_types::refusal::Code;

    fn stored(text: &str) -> Value {
        let input = UserDefinedDataInput { key: "k".to_owned(), value: Some(text.to_owned()) };
        read(vec![input]).unwrap().remove("k").unwrap()
    }

    /// What a client that sets this text receives when it reads the value.
    fn field(text: &str) -> (DataType, String) {
        let mut list = list(&Map::from_iter([("k".to_owned(), stored(text))]), &PoolSettings::default());
        let item = list.remove(0);
        assert!(item.label.is_none() && item.key == "k");
        (item.data_type, item.value)
    }

    #[test]
    fn values_come_back_as_their_type() {
        let cases = [
            (r#""hello""#, DataType::String, "hello"),
            (r#""\"hello\"""#, DataType::String, r#""hello""#),
            (r#""""#, DataType::String, ""),
            ("42", DataType::Number, "42"),
            ("0.5", DataType::Number, "0.5"),
            ("true", DataType::Boolean, "true"),
            (r#"{"a":[1,{"b":null}]}"#, DataType::Object, r#"{"a":[1,{"b":null}]}"#),
            ("[1,2]", DataType::Object, "[1,2]"),
            (r#""2024-01-02T03:04:05.000Z""#, DataType::String, "2024-01-02T03:04:05.000Z"),
        ];
        for (sent, data_type, value) in cases {
            assert_eq!(field(sent), (data_type, value.to_owned()), "{sent}");
        }
    }

    #[test]
    fn text_that_is_no_json_is_a_string() {
        for text in ["hello", "", "{", "undefined", "1e999"] {
            assert_eq!(stored(text), json!(text));
        }
    }

    #[test]
    fn null_is_refused() {
        for value in [None, Some("null".to_owned())] {
            let input = UserDefinedDataInput { key: "k".to_owned(), value };
            assert!(matches!(read(vec![input]), Err(ref refusal) if refusal.is(Code::Invalid)));
        }
    }
}
