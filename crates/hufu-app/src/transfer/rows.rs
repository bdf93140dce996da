//! Turning the fields of a row into a user: everything that can be checked without the database.
//!
//! Reasons name the field and the problem. They never repeat a value.

use std::sync::Arc;

use hufu_types::{
    ApplicationId, Email, Gender, Phone, PhoneProof, PoolId, PoolSettings, Random, Timestamp, User, UserId,
    UserStatus, Username,
};
use secrecy::SecretString;
use serde_json::Value;

use super::csv::shown;
use super::fields::Field;
use super::identities;
use super::import::unit::NewUser;
use super::reader::Fields;
use super::{custom, fields};
use crate::Limits;
use crate::credentials::password::StoredPassword;
use crate::people::profile::is_acceptable;

/// The maximum length of an `externalId`, in Unicode code points.
const LONGEST_EXTERNAL_ID: usize = 256;
/// The maximum length of a clear-text password, in bytes.
const LONGEST_PASSWORD: usize = 1024;

/// What is needed to read rows.
pub(super) struct RowReader {
    pub(super) pool: PoolId,
    pub(super) sources: Vec<Arc<hufu_types::Connection>>,
    pub(super) settings: Arc<PoolSettings>,
    pub(super) limits: Limits,
    /// The country code for phone numbers without one.
    pub(super) country_code: Option<String>,
    pub(super) ignore_unknown: bool,
    pub(super) now: Timestamp,
    pub(super) random: Arc<dyn Random>,
}

/// A row that has been read.
pub(super) struct ReadRow {
    pub(super) user: Box<NewUser>,
    /// A clear-text password that has not been hashed yet.
    pub(super) password: Option<SecretString>,
}

impl RowReader {
    /// The user of a row, or the reason that it is refused.
    pub(super) fn read(&self, mut fields: Fields) -> Result<ReadRow, String> {
        let row = &mut fields;
        let given_id = text(row, &["id", "userId"])?;
        let keeps_id = given_id.is_some();
        let id = match given_id {
            Some(id) => UserId::parse(&id).map_err(|error| format!("id: {error}"))?,
            None => UserId::generate(self.now, &*self.random),
        };
        let mut user = User::new(self.pool.clone(), id, "import", self.now);
        self.names(row, &mut user)?;
        Self::history(row, &mut user)?;
        self.profile(row, &mut user)?;
        custom::read(row, &mut user.custom_data, &self.settings, &self.limits)?;
        let identities = identities::read(row, &self.sources, user.created_at, &self.limits)?;
        let (password_hash, password) = password(row)?;
        user.must_reset = must_reset(row)?;
        if let Some(status) = text(row, &["status"])? {
            user.status = status_of(&status).ok_or_else(|| format!("status: {}", one_of(UserStatus::ALL)))?;
        }
        self.unknown(row)?;
        let named = user.username.is_some()
            || user.email.is_some()
            || user.phone.is_some()
            || user.external_id.is_some()
            || !identities.is_empty();
        if !named && !keeps_id {
            return Err("the row has no username, email, phone, externalId, identity or id".to_owned());
        }
        Ok(ReadRow { user: Box::new(NewUser { user, keeps_id, password_hash, identities }), password })
    }

    fn names(&self, row: &mut Fields, user: &mut User) -> Result<(), String> {
        if let Some(username) = text(row, &["username"])? {
            user.username = Some(Username::parse(&username).map_err(|error| format!("username: {error}"))?);
        }
        let verified = boolean(row, "emailVerified")?;
        if let Some(email) = text(row, &["email"])? {
            user.email = Some(Email::parse(&email).map_err(|error| format!("email: {error}"))?);
            user.email_verified = verified.unwrap_or(true);
        }
        let (verified, code) = (boolean(row, "phoneVerified")?, text(row, &["phoneCountryCode"])?);
        let proof = text(row, &["phoneProof"])?;
        if let Some(phone) = text(row, &["phone"])? {
            let code = code.as_deref().or(self.country_code.as_deref());
            let phone = match code {
                _ if phone.trim_start().starts_with('+') => Phone::parse(&phone),
                Some(code) => Phone::from_parts(code, &phone),
                None => {
                    return Err(
                        "phone: it names no country; write it as +86…, or give phoneCountryCode".to_owned()
                    );
                }
            };
            let phone = phone.map_err(|error| format!("phone: {error}"))?;
            let proof = match proof {
                Some(proof) => PhoneProof::parse(&proof)
                    .ok_or_else(|| "phoneProof: it is none, code, wechat or administrator".to_owned())?,
                None if verified == Some(false) => PhoneProof::Unverified,
                None => PhoneProof::Administrator,
            };
            user.phone = Some((phone, proof));
        }
        user.external_id = text(row, &["externalId"])?;
        if user.external_id.as_ref().is_some_and(|id| id.chars().count() > LONGEST_EXTERNAL_ID) {
            return Err(format!("externalId: longer than {LONGEST_EXTERNAL_ID} characters"));
        }
        Ok(())
    }

    /// Reads the history of the account.
    fn history(row: &mut Fields, user: &mut User) -> Result<(), String> {
        if let Some(at) = time(row, &["createdAt"])? {
            user.created_at = at;
            user.updated_at = at;
        }
        if let Some(at) = time(row, &["updatedAt"])? {
            user.updated_at = at;
        }
        user.last_login_at = time(row, &["lastLogin", "lastLoginAt"])?;
        user.password_set_at = time(row, &["passwordLastSetAt"])?;
        user.delete_after = time(row, &["deleteAfter"])?;
        user.last_ip = short(row, &["lastIp", "lastIP"])?;
        user.last_application = text(row, &["lastLoginApp"])?.and_then(|id| ApplicationId::parse(&id).ok());
        if let Some(count) = fields::take(row, &["loginsCount"]) {
            user.logins_count =
                fields::integer(&count).filter(|n| *n >= 0).ok_or("loginsCount: it is no whole number")?;
        }
        if let Some(Value::Array(mut sources)) = row.remove("registerSource").map(|source| match source {
            Value::Array(_) => source,
            other => Value::Array(vec![other]),
        }) && !sources.is_empty()
        {
            row.insert("registerSource".to_owned(), sources.swap_remove(0));
        }
        if let Some(source) = short(row, &["registerSource"])? {
            user.register_source = source;
        }
        if let Some(survivor) = text(row, &["mergedInto"])? {
            let survivor = UserId::parse(&survivor).map_err(|error| format!("mergedInto: {error}"))?;
            if survivor == user.id {
                return Err("mergedInto: the user itself".to_owned());
            }
            user.merged_into = Some(survivor);
        }
        if let Some(agreements) = fields::take(row, &["agreements"]) {
            let agreements = fields::document(agreements).ok_or("agreements: it is no JSON object")?;
            user.agreements = serde_json::from_value(agreements)
                .map_err(|_| "agreements: it is no object of ids and versions".to_owned())?;
        }
        Ok(())
    }

    fn profile(&self, row: &mut Fields, user: &mut User) -> Result<(), String> {
        for Field { camel, snake } in fields::profile() {
            let Some(value) = text(row, &[camel])? else { continue };
            let limit = self.limits.profile_field;
            if value.chars().count() > limit {
                return Err(format!("{camel}: longer than {limit} characters"));
            }
            if !is_acceptable(snake, &value) {
                return Err(format!("{camel}: it is no http or https address"));
            }
            if let Some(field) = user.profile.field_mut(snake) {
                *field = Some(value);
            }
        }
        if let Some(gender) = text(row, &["gender"])? {
            user.profile.gender = Some(gender_of(&gender).ok_or("gender: it is none of M, F and U")?);
        }
        Ok(())
    }

    /// Refuses fields that have not been read, so that no data is lost silently.
    fn unknown(&self, row: &Fields) -> Result<(), String> {
        match row.keys().find(|name| !is_left_out(name)) {
            Some(name) if !self.ignore_unknown => {
                Err(format!("{}: no field of this name is known", shown(name)))
            }
            _ => Ok(()),
        }
    }
}

/// The CSV columns that are not read. Lets the import reject a mistyped column before the first row.
pub(super) fn unknown_columns(columns: &[String]) -> Vec<&str> {
    let own = ["id", "userId", "username", "email", "emailVerified", "phone", "phoneVerified", "phoneProof"];
    let more =
        ["phoneCountryCode", "externalId", "password", "passwordHash", "gender", "customData", "status"];
    let history = ["createdAt", "updatedAt", "lastLogin", "lastLoginAt", "lastIp", "lastIP", "loginsCount"];
    let rest =
        ["lastLoginApp", "registerSource", "passwordLastSetAt", "deleteAfter", "mergedInto", "agreements"];
    let reset = ["mustReset", "resetPasswordOnFirstLogin", "resetPasswordOnNextLogin"];
    let identity = ["identities", "openid", "unionid", "connection"];
    let is_known = |name: &str| {
        own.contains(&name)
            || more.contains(&name)
            || history.contains(&name)
            || rest.contains(&name)
            || reset.contains(&name)
            || identity.contains(&name)
            || name.starts_with("custom.")
            || fields::profile().iter().any(|field| field.camel == name)
            || is_left_out(name)
    };
    columns.iter().map(String::as_str).filter(|name| !is_known(name)).collect()
}

/// Fields in the exports of other systems that Hufu does not store.
fn is_left_out(name: &str) -> bool {
    const LEFT_OUT: [&str; 19] = [
        "arn",
        "departmentIds",
        "lastMfaTime",
        "mainDepartmentId",
        "metadata",
        "metadataSource",
        "options",
        "passwordSecurityLevel",
        "postIdList",
        "signedUp",
        "statusChangedAt",
        "tenantId",
        "tenantIds",
        "token",
        "tokenExpiredAt",
        "userPoolId",
        "userSourceId",
        "userSourceType",
        "workStatus",
    ];
    LEFT_OUT.contains(&name)
}

fn password(row: &mut Fields) -> Result<(Option<String>, Option<SecretString>), String> {
    let hash = match text(row, &["passwordHash"])? {
        None => None,
        // Normalized to the one format that the server reads.
        Some(hash) => {
            Some(StoredPassword::parse(&hash).map_err(|error| format!("passwordHash: {error}"))?.to_string())
        }
    };
    if fields::take(row, &["salt"]).is_some() {
        return Err("salt: a hash has its salt within itself, in passwordHash".to_owned());
    }
    let password = text(row, &["password"])?;
    if password.as_ref().is_some_and(|password| password.len() > LONGEST_PASSWORD) {
        return Err(format!("password: longer than {LONGEST_PASSWORD} bytes"));
    }
    if hash.is_some() && password.is_some() {
        return Err("password: the row has a passwordHash too, and one of them is enough".to_owned());
    }
    Ok((hash, password.map(SecretString::from)))
}

fn must_reset(row: &mut Fields) -> Result<bool, String> {
    let mut must = false;
    for name in ["mustReset", "resetPasswordOnFirstLogin", "resetPasswordOnNextLogin"] {
        must |= boolean(row, name)?.unwrap_or(false);
    }
    let option = |options: &Value| options.get("resetPasswordOnFirstLogin").and_then(Value::as_bool);
    Ok(must || row.get("options").and_then(option).unwrap_or(false))
}

fn status_of(text: &str) -> Option<UserStatus> {
    // A user who has left the company may not log in either.
    UserStatus::parse(text).or_else(|| (text == "Resigned").then_some(UserStatus::Suspended))
}

fn gender_of(text: &str) -> Option<Gender> {
    Gender::parse(text).or(match text {
        "男" | "male" => Some(Gender::Male),
        "女" | "female" | "W" => Some(Gender::Female),
        "未知" | "unknown" => Some(Gender::Unknown),
        _ => None,
    })
}

fn one_of(statuses: &[UserStatus]) -> String {
    let names: Vec<_> = statuses.iter().map(|status| status.as_str()).collect();
    format!("it is none of {}", names.join(", "))
}

fn text(row: &mut Fields, names: &[&'static str]) -> Result<Option<String>, String> {
    fields::text(row, names)
}

/// A string of at most 256 characters.
fn short(row: &mut Fields, names: &[&'static str]) -> Result<Option<String>, String> {
    let found = text(row, names)?;
    match names.first() {
        Some(name) if found.as_ref().is_some_and(|text| text.chars().count() > 256) => {
            Err(format!("{name}: longer than 256 characters"))
        }
        _ => Ok(found),
    }
}

fn boolean(row: &mut Fields, name: &'static str) -> Result<Option<bool>, String> {
    let Some(value) = fields::take(row, &[name]) else { return Ok(None) };
    fields::boolean(&value).map(Some).ok_or_else(|| format!("{name}: it is neither true nor false"))
}

fn time(row: &mut Fields, names: &[&'static str]) -> Result<Option<Timestamp>, String> {
    let Some(value) = fields::take(row, names) else { return Ok(None) };
    let name = names.first().copied().unwrap_or_default();
    fields::time(&value).map(Some).ok_or_else(|| {
        format!("{name}: it is no time by RFC 3339 (2025-06-30T12:00:00Z) and no Unix milliseconds")
    })
}
