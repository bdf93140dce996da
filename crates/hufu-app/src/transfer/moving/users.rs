//! Users, from the names and habits of the other system to those of a row of an import.

use std::sync::Arc;

use hufu_types::{Connection, IdentityKind, UserStatus};
use serde_json::{Map, Value, json};

use super::super::csv::shown;
use super::super::custom::PREFIX;
use super::super::fields::boolean;
use super::super::import::unit::NewUser;
use super::super::reader::Fields;
use super::super::rows::{RowReader, unknown_columns};
use super::connections::Names;
use super::limits::MOST_LEFT_OUT;
use super::report::{Remark, word};
use super::text;
use crate::credentials::password::StoredPassword;

/// Fields that say nothing that an account keeps, beside those that every import leaves out.
const LEFT_OUT: [&str; 12] = [
    "blocked",
    "browser",
    "device",
    "encryptedPassword",
    "isDeleted",
    "isRoot",
    "oauth",
    "emailUpdatedAt",
    "phoneUpdatedAt",
    "registerMethod",
    "salt",
    "userPassword",
];

/// Fields by which a file of this system says what only this system knows of an account.
const OWN: [&str; 4] = ["agreements", "deleteAfter", "mergedInto", "phoneProof"];

/// A user as it was read.
pub(super) struct ReadUser {
    /// The id in the other system.
    pub(super) item: String,
    /// The account, or why there can be none.
    pub(super) content: Result<Box<NewUser>, String>,
    /// What of it could not be taken.
    pub(super) remarks: Vec<Remark>,
}

/// Reads users of the other system.
pub(super) struct UserReader {
    pub(super) rows: RowReader,
    pub(super) names: Names,
}

impl UserReader {
    pub(super) fn read(&self, row: Result<Fields, String>) -> ReadUser {
        let mut fields = match row {
            Ok(fields) => fields,
            Err(reason) => {
                return ReadUser { item: String::new(), content: Err(reason), remarks: Vec::new() };
            }
        };
        let mut remarks = Vec::new();
        fields.retain(|_, value| !value.is_null() && *value != "");
        let item = take_id(&mut fields);
        password(&mut fields, &mut remarks);
        status(&mut fields, &mut remarks);
        own(&mut fields, &mut remarks);
        for name in ["emailVerified", "phoneVerified"] {
            verified(name, &mut fields, &mut remarks);
        }
        custom_data(&mut fields);
        self.identities(&mut fields, &mut remarks);
        unknown(&mut fields, &mut remarks);
        let content = self.account(fields, &mut remarks);
        ReadUser { item, content, remarks }
    }

    /// Reads the account, and leaves out what is not valid here.
    fn account(&self, mut fields: Fields, remarks: &mut Vec<Remark>) -> Result<Box<NewUser>, String> {
        let mut left_out = 0;
        loop {
            match self.rows.read(fields.clone()) {
                Ok(read) => return Ok(read.user),
                Err(reason) if left_out == MOST_LEFT_OUT => return Err(reason),
                Err(reason) => {
                    if !leave_out(&mut fields, &reason) {
                        return Err(reason);
                    }
                    left_out += 1;
                    remarks.push(Remark::new("field_not_valid", reason));
                }
            }
        }
    }

    /// Turns identities into those of connections of this pool.
    fn identities(&self, fields: &mut Fields, remarks: &mut Vec<Remark>) {
        let listed = match fields.remove("identities") {
            Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or(Value::Null),
            Some(listed) => listed,
            None => Value::Null,
        };
        let mut own = Vec::new();
        if let Value::Array(listed) = listed {
            for identity in &listed {
                if let Value::Object(identity) = identity {
                    self.identity(identity, &mut own, remarks);
                }
            }
            if !listed.is_empty() {
                // An older form of the same.
                fields.remove("openid");
                fields.remove("unionid");
            }
        }
        let has_ids = ["openid", "unionid"].iter().any(|name| text(fields, name).is_some());
        if has_ids && text(fields, "connection").is_none() && self.rows.sources.len() != 1 {
            fields.remove("openid");
            fields.remove("unionid");
            remarks.push(Remark::new(
                "identity_without_connection",
                "openid, unionid: they do not say of which connection they are",
            ));
        }
        if !own.is_empty() {
            fields.insert("identities".to_owned(), own.into());
        }
    }

    fn identity(&self, identity: &Fields, own: &mut Vec<Value>, remarks: &mut Vec<Remark>) {
        let said = |name| text(identity, name).unwrap_or_default();
        let (provider, kind, value) = (said("provider"), said("type"), said("userIdInIdp"));
        if !matches!(provider, "" | "wechat") {
            let detail = format!("identities: there is no source {} here", word(provider));
            remarks.push(Remark::new("identity_not_supported", detail));
            return;
        }
        if IdentityKind::parse(kind).is_none() {
            let detail = format!("identities: the type {} is neither openid nor unionid", word(kind));
            remarks.push(Remark::new("identity_not_supported", detail));
            return;
        }
        let connections = self.connections_of(identity, kind);
        if connections.is_empty() {
            let (id, detail) = (said("extIdpId"), "identities: the pool has no connection that it is of");
            let detail = match self.names.others.get(id) {
                Some(other) => format!("{detail}; it is of one of type {}", word(other)),
                None => detail.to_owned(),
            };
            remarks.push(Remark::new("identity_without_connection", detail));
        }
        for connection in connections {
            let mut written =
                json!({ "connection": connection.identifier.as_str(), "type": kind, "value": value });
            if let (Some(said @ Value::Object(_)), Value::Object(written)) =
                (identity.get("userInfoInIdp"), &mut written)
            {
                written.insert("userInfoInIdp".to_owned(), said.clone());
            }
            own.push(written);
        }
    }

    /// The connections of this pool that an identity came through, or whose source it is of.
    fn connections_of(&self, identity: &Fields, kind: &str) -> Vec<&Arc<Connection>> {
        let origins = identity.get("originConnIds").and_then(Value::as_array).into_iter().flatten();
        let mut found: Vec<_> =
            origins.filter_map(Value::as_str).filter_map(|id| self.connection(id)).collect();
        let Some(id) = text(identity, "extIdpId") else { return found };
        if found.is_empty() {
            found.extend(self.connection(id));
        }
        if found.is_empty()
            && let Some(of_source) = self.names.sources.get(id)
        {
            let of_source: Vec<_> = of_source.iter().filter_map(|id| self.connection(id)).collect();
            // A UnionID is the same for all of them, an OpenID is of one app.
            if kind == IdentityKind::Unionid.as_str() || of_source.len() == 1 {
                found.extend(of_source);
            }
        }
        found
    }

    /// The connection that has this id there, or this identifier or id here.
    fn connection(&self, name: &str) -> Option<&Arc<Connection>> {
        let identifier = self.names.connections.get(name).map_or(name, |identifier| identifier.as_str());
        let mut sources = self.rows.sources.iter();
        sources.find(|source| source.identifier.as_str() == identifier || source.id.as_str() == name)
    }
}

/// Takes the id, and puts it where the row has it.
fn take_id(fields: &mut Fields) -> String {
    let mut found = None;
    for name in ["userId", "_id", "id"] {
        let value = match fields.remove(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        found = found.or(value);
    }
    let Some(id) = found else { return String::new() };
    fields.insert("id".to_owned(), id.as_str().into());
    word(&id)
}

/// A hash comes if it is of a known kind. What is not is left out: a password that nobody can verify is none.
fn password(fields: &mut Fields, remarks: &mut Vec<Remark>) {
    let mut hash = None;
    for name in ["passwordHash", "password"] {
        if let Some(Value::String(text)) = fields.remove(name)
            && !text.is_empty()
        {
            hash = hash.or(Some(text));
        }
    }
    let Some(hash) = hash else { return };
    match StoredPassword::parse(&hash) {
        Ok(_) => drop(fields.insert("passwordHash".to_owned(), hash.into())),
        Err(error) => {
            let detail = format!("password: {error}; the account comes without a password");
            remarks.push(Remark::new("password_scheme_unknown", detail));
        }
    }
}

/// What the other system says of an account in the words of this one would be believed: whom it was merged into gets its
/// identities.
fn own(fields: &mut Fields, remarks: &mut Vec<Remark>) {
    for name in OWN {
        if fields.remove(name).is_some() {
            let detail = format!("{name}: it is not taken from another system");
            remarks.push(Remark::new("field_without_counterpart", detail));
        }
    }
}

/// What nobody says to be verified, in a word that can be read, is not.
fn verified(name: &str, fields: &mut Fields, remarks: &mut Vec<Remark>) {
    let read = fields.get(name).map(boolean);
    if read == Some(None) {
        let detail = format!("{name}: it is neither true nor false, and counts as false");
        remarks.push(Remark::new("field_not_valid", detail));
    }
    fields.insert(name.to_owned(), read.flatten().unwrap_or(false).into());
}

/// An account is active only if nothing says otherwise: one that is refused instead would let the person register anew.
fn status(fields: &mut Fields, remarks: &mut Vec<Remark>) {
    let is_true = |name: &str| fields.get(name).is_some_and(|value| boolean(value).unwrap_or(true));
    let written = fields.get("status").map(|status| status.as_str().unwrap_or_default().trim());
    let (reading, why) = match written {
        _ if is_true("isDeleted") && written != Some("Archived") => {
            (Some("Archived"), "isDeleted: the account is Archived here")
        }
        Some("Resigned") => (Some("Suspended"), "status: Resigned is Suspended here"),
        Some(other) if UserStatus::parse(other).is_none() => {
            (Some("Suspended"), "status: there is none like it here; the account is Suspended")
        }
        None | Some("Activated") if is_true("blocked") => {
            (Some("Suspended"), "blocked: the account is Suspended here")
        }
        _ => (None, ""),
    };
    let kept = reading.or(written).map(str::to_owned);
    if reading.is_some() {
        remarks.push(Remark::new("status_differs", why));
    }
    if let Some(kept) = kept {
        fields.insert("status".to_owned(), kept.into());
    }
}

/// Custom data may be an object, or a list of keys and values.
fn custom_data(fields: &mut Fields) {
    let Some(Value::Array(list)) = fields.get("customData") else { return };
    let member = |item: &Value| Some((item.get("key")?.as_str()?.to_owned(), item.get("value")?.clone()));
    let data: Map<String, Value> = list.iter().filter_map(member).collect();
    fields.insert("customData".to_owned(), data.into());
}

/// Leaves out fields for which there is no place.
fn unknown(fields: &mut Fields, remarks: &mut Vec<Remark>) {
    fields.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
    let names: Vec<String> = fields.keys().cloned().collect();
    for name in unknown_columns(&names) {
        fields.remove(name);
        let detail = format!("{}: there is no place for it", shown(name));
        remarks.push(Remark::new("field_without_counterpart", detail));
    }
}

/// Leaves out the field that a reason names first. Returns whether there is one.
fn leave_out(fields: &mut Fields, reason: &str) -> bool {
    // Keys of custom data stand in quotes.
    if let Some((key, _)) = reason.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        let data = fields.get_mut("customData").and_then(Value::as_object_mut);
        return data.is_some_and(|data| data.remove(key).is_some())
            || fields.remove(&format!("{PREFIX}{key}")).is_some();
    }
    let name = reason.split_once(':').map_or("", |(name, _)| name);
    match name {
        "id" | "status" => return false,
        // Without it, the number may be somebody else's.
        "phoneCountryCode" => drop(fields.remove("phone")),
        _ => {}
    }
    if name == "identities"
        && let Some(Value::Array(identities)) = fields.get_mut(name)
    {
        // What a source said of the person is the less important part.
        let mut changed = false;
        for identity in identities.iter_mut().filter_map(Value::as_object_mut) {
            changed |= identity.remove("userInfoInIdp").is_some();
        }
        if changed {
            return true;
        }
    }
    fields.remove(name).is_some()
}
