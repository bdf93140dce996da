//! Custom fields of a pool, and the custom data of users.

use hufu_app::Refusal;
use hufu_app::administration::AccountChange;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{CustomField, CustomFieldType};
use serde_json::{Map, Value, json};

use super::call::Call;
use super::sent::Sent;
use super::users::{BATCH, success};
use crate::envelope::Success;
use crate::surface::Answer;

/// The clients' types of fields, and those of the document.
const TYPES: &[(&str, &str)] = &[
    ("STRING", "string"),
    ("NUMBER", "number"),
    ("DATETIME", "datetime"),
    ("BOOLEAN", "boolean"),
    ("ENUM", "enum"),
    ("OBJECT", "object"),
];

/// Refuses targets other than users.
fn of_users(sent: &Sent) -> Result<(), Refusal> {
    match sent.text("targetType")? {
        None | Some("USER") => Ok(()),
        Some(_) => Err(Code::FieldNotServed.with("field", "targetType")),
    }
}

fn type_told(kind: CustomFieldType) -> &'static str {
    TYPES.iter().find(|(_, own)| *own == kind.as_str()).map_or("OBJECT", |(name, _)| *name)
}

fn told(field: &CustomField) -> Value {
    let options: Vec<_> =
        field.options.iter().map(|option| json!({ "value": option, "label": option })).collect();
    json!({
        "targetType": "USER", "key": field.key, "dataType": type_told(field.kind), "label": field.label,
        "userEditable": field.editable, "visibleInUserCenter": field.visible, "visibleInAdminConsole": true,
        "isUnique": false, "encrypted": false, "options": options,
    })
}

/// A field of a document, from what there is and what was sent.
fn changed(present: Option<&Value>, sent: &Sent) -> Result<Value, Refusal> {
    sent.without(&["encrypted", "isUnique", "validateRules", "appIds", "i18n"])?;
    of_users(sent)?;
    let mut field = present.and_then(Value::as_object).cloned().unwrap_or_default();
    field.insert("key".to_owned(), sent.required("key")?.into());
    if let Some(kind) = sent.text("dataType")? {
        let found = TYPES.iter().find(|(name, _)| *name == kind);
        let choices: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
        let unknown =
            || Refusal::invalid("dataType", Reason::NotOneOf { choices: choices.join(", ").into() });
        field.insert("type".to_owned(), found.ok_or_else(unknown)?.1.into());
    }
    if let Some(label) = sent.text("label")? {
        field.insert("label".to_owned(), label.into());
    }
    for (name, own) in [("userEditable", "editable"), ("visibleInUserCenter", "visible")] {
        if let Some(flag) = sent.flag(name)? {
            field.insert(own.to_owned(), flag.into());
        }
    }
    let options = sent.objects("options", BATCH)?;
    if !options.is_empty() {
        let values: Result<Vec<_>, Refusal> =
            options.iter().map(|option| Ok(Value::from(option.required("value")?))).collect();
        field.insert("options".to_owned(), values?.into());
    }
    Ok(field.into())
}

impl Call {
    fn fields_told(&self) -> Success<Value> {
        let settings = self.app.config().settings(&self.pool);
        Success::new(settings.custom_fields.iter().map(told).collect::<Vec<_>>().into())
    }

    /// Changes the list of fields, which is a part of the settings.
    async fn change_fields(
        &self,
        change: impl FnOnce(&mut Vec<Value>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let document = self.app.pool(&self.by, &self.pool).await?;
        let settings = document.get("settings");
        let fields = settings.and_then(|settings| settings.get("custom_fields")).and_then(Value::as_array);
        let mut fields = fields.cloned().unwrap_or_default();
        change(&mut fields)?;
        let patch = Map::from_iter([("settings".to_owned(), json!({ "custom_fields": fields }))]);
        // Somebody else may have changed the list since.
        let revision = document.get("revision").and_then(Value::as_i64);
        self.app.change_pool(&self.by, &self.pool, patch, revision).await.map(drop)
    }
}

/// `GET get-custom-fields`, `GET list-custom-fields`
pub(super) async fn fields(call: Call) -> Answer<Success<Value>> {
    of_users(&call.sent)?;
    call.app.pool(&call.by, &call.pool).await?;
    Ok(call.fields_told())
}

/// Makes fields, and changes those that there are.
async fn set_each(call: &Call, sent: &[Sent]) -> Result<(), Refusal> {
    let merge = |fields: &mut Vec<Value>| {
        for one in sent {
            let key = one.required("key")?;
            let place = fields.iter().position(|field| field.get("key") == Some(&key.into()));
            let new = changed(place.and_then(|place| fields.get(place)), one)?;
            match place.and_then(|place| fields.get_mut(place)) {
                Some(field) => *field = new,
                None => fields.push(new),
            }
        }
        Ok(())
    };
    call.change_fields(merge).await
}

/// `POST set-custom-fields`
pub(super) async fn set_fields(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    set_each(&call, &call.sent.objects("list", BATCH)?).await?;
    Ok(call.fields_told())
}

/// The custom fields of users.
pub(crate) async fn declared(call: &Call) -> Result<Vec<CustomField>, Refusal> {
    call.app.pool(&call.by, &call.pool).await?;
    Ok(call.app.config().settings(&call.pool).custom_fields.clone())
}

/// Makes a custom field of users, or changes one.
pub(crate) async fn declare(
    call: &Call,
    key: &str,
    kind: &str,
    label: &str,
    options: Vec<Value>,
) -> Result<CustomField, Refusal> {
    let Value::Object(sent) = json!({ "key": key, "dataType": kind, "label": label, "options": options })
    else {
        return Err(Refusal::invalid("body", Reason::NotAnObject));
    };
    set_each(call, &[Sent(sent)]).await?;
    let settings = call.app.config().settings(&call.pool);
    settings.custom_field(key).cloned().ok_or_else(|| Code::NoSuchItem.into())
}

/// Removes custom fields of users.
pub(crate) async fn remove(call: &Call, keys: &[Value]) -> Result<(), Refusal> {
    let remove = |fields: &mut Vec<Value>| {
        fields.retain(|field| field.get("key").is_none_or(|key| !keys.contains(key)));
        Ok(())
    };
    call.change_fields(remove).await
}

/// `POST delete-custom-fields`
pub(super) async fn delete_fields(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["tenantId"])?;
    let mut keys = Vec::new();
    for one in call.sent.objects("list", BATCH)? {
        of_users(&one)?;
        keys.push(Value::from(one.required("key")?));
    }
    remove(&call, &keys).await?;
    Ok(success())
}

/// The user whose data it is, by id.
async fn target(call: &Call) -> Result<hufu_types::UserId, Refusal> {
    call.sent.without(&["namespace", "tenantId"])?;
    of_users(&call.sent)?;
    let name = super::users::user_name(None, call.sent.required("targetIdentifier")?)?;
    call.app.find_user_id(&call.by, &call.pool, name).await
}

/// `POST set-custom-data`: null removes a value.
pub(super) async fn set(call: Call) -> Answer<Success<Value>> {
    let user = target(&call).await?;
    let mut change = AccountChange::default();
    for one in call.sent.objects("list", BATCH)? {
        let value = one.0.get("value").cloned().unwrap_or_default();
        change.profile.custom_data.insert(one.required("key")?.to_owned(), value);
    }
    call.app.update_user(&call.by, &call.pool, &user, change).await?;
    Ok(success())
}

/// `GET get-custom-data`
pub(super) async fn get(call: Call) -> Answer<Success<Value>> {
    let user = target(&call).await?;
    let found = call.app.find_user(&call.by, &call.pool, &user).await?;
    Ok(Success::new(found.user.custom_data.into()))
}
