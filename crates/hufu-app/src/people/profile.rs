//! Reading and changing a user's profile.

use async_recursion::async_recursion as boxed;
use hufu_store::users::{self, GetUser, GetUserWithIdentities};
use hufu_store::{StoreError, Tx, Write, uploads};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Action, Gender, Identity, PoolId, PoolSettings, Profile, User, UserId};
use serde_json::{Map, Value, json};

use crate::events::{Event, Trace};
use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};

/// The maximum length of a custom data key, in bytes.
const LONGEST_KEY: usize = 64;

/// A change of a profile.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// Text fields of [`Profile`] by name. `None` empties a field.
    pub fields: Vec<(&'static str, Option<String>)>,
    /// Gender.
    pub gender: Option<Gender>,
    /// Custom data to set. `null` removes a key.
    pub custom_data: Map<String, Value>,
}

/// Who changes a profile. Some custom fields can be changed only by administrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Editor {
    /// The user whose profile it is.
    Person,
    /// An administrator.
    Administrator,
}

impl App {
    /// The token's user.
    #[boxed]
    pub async fn user(&self, who: &Authenticated) -> Result<User, Refusal> {
        let unit = GetUser { pool: who.pool().clone(), user: who.user.clone() };
        self.read(unit).await?.ok_or_else(|| Code::NotLoggedIn.into())
    }

    /// The token's user, with all identities.
    #[boxed]
    pub async fn user_with_identities(&self, who: &Authenticated) -> Result<(User, Vec<Identity>), Refusal> {
        let unit = GetUserWithIdentities { pool: who.pool().clone(), user: who.user.clone() };
        self.read(unit).await?.ok_or_else(|| Code::NotLoggedIn.into())
    }

    /// Changes the user's own profile.
    ///
    /// # Errors
    /// [`Code::Invalid`], which names the field; [`Code::FieldNotEditable`].
    #[boxed]
    pub async fn update_profile(&self, who: &Authenticated, change: ProfileChange) -> Result<User, Refusal> {
        let changed = self.change_profile(who.pool(), &who.user, change, Editor::Person, self.trace_of(who));
        changed.await?.ok_or_else(|| Code::NotLoggedIn.into())
    }

    /// Changes an account's profile. None if there is no such account.
    pub(crate) async fn change_profile(
        &self,
        pool: &PoolId,
        user: &UserId,
        change: ProfileChange,
        editor: Editor,
        trace: Trace,
    ) -> Result<Option<User>, Refusal> {
        self.check_change(&change)?;
        check_custom_data(&self.config().settings(pool), &change.custom_data, editor)?;
        let photo = match change.fields.iter().rfind(|(name, _)| *name == "photo") {
            None => Photo::Keep,
            Some((_, address)) => {
                match address.as_deref().and_then(|address| self.upload_of_photo(address)) {
                    Some(upload) => Photo::Upload(upload.to_owned()),
                    None => Photo::External,
                }
            }
        };
        let unit = ChangeProfile {
            pool: pool.clone(),
            user: user.clone(),
            change,
            photo,
            limits: self.custom_data_limits(),
            trace,
        };
        match self.write(unit).await? {
            Changed::Done(user) => Ok(Some(*user)),
            Changed::Gone => Ok(None),
            Changed::TooMuch(excess) => Err(excess.into()),
        }
    }

    pub(crate) fn custom_data_limits(&self) -> CustomDataLimits {
        CustomDataLimits { keys: self.limits.custom_keys, bytes: self.limits.custom_total }
    }

    pub(crate) fn check_change(&self, change: &ProfileChange) -> Result<(), Refusal> {
        let limit = self.limits.profile_field;
        for (name, value) in &change.fields {
            let Some(value) = value else { continue };
            if value.chars().count() > limit {
                return Err(Refusal::invalid(*name, Reason::TooLong { max: limit }));
            }
            if !is_acceptable(name, value) {
                return Err(Refusal::invalid(*name, Reason::NotAWebAddress));
            }
            if value.contains('\0') {
                return Err(Refusal::invalid(*name, Reason::Nul));
            }
        }
        for (key, value) in &change.custom_data {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if key.is_empty() || key.len() > LONGEST_KEY || !key.chars().all(plain) {
                return Err(Refusal::invalid("customData", Reason::NotACustomKey { max: LONGEST_KEY }));
            }
            // `serde_json` could not read deeper nesting back, and the user could never be loaded again.
            let limit = self.limits.custom_depth;
            if is_deeper(value, limit) {
                return Err(Refusal::invalid(key.clone(), Reason::TooDeep { max: limit }));
            }
            if value.to_string().len() > self.limits.custom_value {
                let limit = self.limits.custom_value;
                return Err(Refusal::invalid(key.clone(), Reason::TooManyBytes { max: limit }));
            }
        }
        Ok(())
    }
}

/// Checks custom data against the pool's declared fields. `null` removes a key, whatever its type.
pub(crate) fn check_custom_data(
    settings: &PoolSettings,
    data: &Map<String, Value>,
    editor: Editor,
) -> Result<(), Refusal> {
    for (key, value) in data {
        let Some(field) = settings.custom_field(key) else {
            // Undeclared keys from before the pool declared its fields can still be removed.
            if settings.custom_fields_only && !value.is_null() {
                return Err(Refusal::invalid(key.clone(), Reason::UnknownField));
            }
            continue;
        };
        if editor == Editor::Person && !field.editable {
            return Err(Code::FieldNotEditable.with("field", key.clone()));
        }
        if !value.is_null() {
            field.accepts(value).map_err(|reason| Refusal::invalid(key.clone(), reason))?;
        }
    }
    Ok(())
}

/// Whether a text may stand in the profile's field of this name. A URL must be a web address, or empty: a browser could
/// execute other schemes, such as `javascript:` and `data:`. Wherever profiles come from, this is the check.
pub(crate) fn is_acceptable(name: &str, value: &str) -> bool {
    !Profile::ADDRESSES.contains(&name)
        || value.is_empty()
        || url::Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// Whether arrays and objects are nested deeper than `levels`. Recurses no deeper than that.
pub(crate) fn is_deeper(value: &Value, levels: usize) -> bool {
    let deeper = |item: &Value| levels.checked_sub(1).is_none_or(|left| is_deeper(item, left));
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(deeper),
        Value::Object(members) => levels == 0 || members.values().any(deeper),
        _ => false,
    }
}

struct ChangeProfile {
    pool: PoolId,
    user: UserId,
    change: ProfileChange,
    photo: Photo,
    limits: CustomDataLimits,
    trace: Trace,
}

/// What a change of the photo does to the user's uploads.
enum Photo {
    /// The photo does not change.
    Keep,
    /// The new photo is this upload.
    Upload(String),
    /// The new photo is hosted elsewhere, or empty.
    External,
}

enum Changed {
    Done(Box<User>),
    Gone,
    TooMuch(Excess),
}

/// Limits on an account's custom data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomDataLimits {
    /// The maximum number of keys.
    pub keys: usize,
    /// The maximum size, in bytes of JSON.
    pub bytes: usize,
}

/// The limit that custom data would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// The maximum number of keys.
    Keys(usize),
    /// The maximum size, in bytes of JSON.
    Bytes(usize),
}

impl CustomDataLimits {
    /// Sets these keys, or removes those whose value is null. Data that is already over a limit, because the
    /// limit was lowered, may change as long as it does not grow.
    pub(crate) fn merge(
        self,
        data: &mut Map<String, Value>,
        change: &Map<String, Value>,
    ) -> Result<Result<(), Excess>, StoreError> {
        let (keys_before, bytes_before) = (data.len(), bytes(data)?);
        for (key, value) in change {
            if value.is_null() {
                data.remove(key);
            } else {
                data.insert(key.clone(), value.clone());
            }
        }
        if data.len() > self.keys.max(keys_before) {
            return Ok(Err(Excess::Keys(self.keys)));
        }
        let total = bytes(data)?;
        Ok(if total > self.bytes.max(bytes_before) { Err(Excess::Bytes(self.bytes)) } else { Ok(()) })
    }
}

impl From<Excess> for Refusal {
    fn from(excess: Excess) -> Self {
        Self::invalid(
            "customData",
            match excess {
                Excess::Keys(max) => Reason::TooManyKeys { max },
                Excess::Bytes(max) => Reason::TooMuchData { max },
            },
        )
    }
}

impl Write for ChangeProfile {
    type Out = Changed;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Changed, StoreError> {
        let Some(user) = users::get_locked(tx, &self.pool, &self.user).await? else {
            return Ok(Changed::Gone);
        };
        // If the account has been merged in the meantime, change the survivor.
        let account = user.merged_into.clone();
        let user = match account {
            None => Some(user),
            Some(account) => users::get_locked(tx, &self.pool, &account).await?,
        };
        let Some(mut user) = user else { return Ok(Changed::Gone) };
        let (profile, custom_data) = (user.profile.clone(), user.custom_data.clone());
        apply(&mut user.profile, &self.change);
        if let Err(excess) = self.limits.merge(&mut user.custom_data, &self.change.custom_data)? {
            return Ok(Changed::TooMuch(excess));
        }
        let now = self.trace.at;
        users::set_profile(tx, &mut user, now).await?;
        let changed = changed_names((&profile, &custom_data), (&user.profile, &user.custom_data));
        if !changed.is_empty() {
            let event = Event::of(Action::UserUpdated, &user.id).with(json!({ "changed": changed }));
            self.trace.recorder().record(tx, &self.pool, event).await?;
        }
        let named = match &self.photo {
            Photo::Keep => return Ok(Changed::Done(Box::new(user))),
            Photo::Upload(name) => Some(name.as_str()),
            Photo::External => None,
        };
        uploads::claim(tx, &self.pool, &user.id, named, now).await?;
        Ok(Changed::Done(Box::new(user)))
    }
}

/// The names of what differs. The audit log does not store profile values.
pub(crate) fn changed_names(
    before: (&Profile, &Map<String, Value>),
    after: (&Profile, &Map<String, Value>),
) -> Vec<String> {
    let fields = Profile::FIELDS.iter().filter(|name| before.0.field(name) != after.0.field(name));
    let gender = (before.0.gender != after.0.gender).then(|| "gender".to_owned());
    let mut keys: Vec<&String> = before.1.keys().chain(after.1.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let keys = keys.into_iter().filter(|key| before.1.get(*key) != after.1.get(*key));
    fields
        .map(|name| hufu_types::camel_case(name))
        .chain(gender)
        .chain(keys.map(|key| format!("custom.{key}")))
        .collect()
}

pub(crate) fn bytes(data: &Map<String, Value>) -> Result<usize, StoreError> {
    Ok(serde_json::to_string(data)?.len())
}

pub(crate) fn apply(profile: &mut Profile, change: &ProfileChange) {
    for (name, value) in &change.fields {
        if let Some(field) = profile.field_mut(name) {
            field.clone_from(value);
        }
    }
    if change.gender.is_some() {
        profile.gender = change.gender;
    }
}

#[cfg(test)]
mod tests {
    use hufu_types::{CustomField, CustomFieldType};

    use super::*;

    #[test]
    fn levels_are_arrays_and_objects() {
        let nested = |levels: usize| -> Value {
            let text = format!("{}7{}", "[{\"a\":".repeat(levels / 2), "}]".repeat(levels / 2));
            serde_json::from_str(&text).unwrap()
        };
        assert!(!is_deeper(&Value::from("text"), 0));
        assert!(is_deeper(&Value::from(Vec::<Value>::new()), 0));
        assert!(!is_deeper(&nested(32), 32) && is_deeper(&nested(32), 31));
        assert!(is_deeper(&nested(126), 32));
    }

    #[test]
    fn data_over_a_lowered_limit_may_stay_and_shrink_but_not_grow() {
        let map = |value: Value| value.as_object().cloned().unwrap();
        let limits = CustomDataLimits { keys: 1, bytes: 10 };
        let mut data = map(json!({ "a": 1, "b": 2, "c": "long enough" }));
        assert_eq!(limits.merge(&mut data, &Map::new()).unwrap(), Ok(()), "a change of a nickname");
        assert_eq!(limits.merge(&mut data, &map(json!({ "b": null }))).unwrap(), Ok(()));
        assert_eq!(data.len(), 2);
        let grown = limits.merge(&mut data.clone(), &map(json!({ "d": 4 }))).unwrap();
        assert_eq!(grown, Err(Excess::Keys(1)));
        let longer = limits.merge(&mut data, &map(json!({ "c": "longer than it was" }))).unwrap();
        assert_eq!(longer, Err(Excess::Bytes(10)));
    }

    fn declared(key: &str, kind: CustomFieldType, editable: bool) -> CustomField {
        let (label, options) = (String::new(), vec!["red".to_owned()]);
        CustomField { key: key.to_owned(), kind, label, options, visible: true, editable }
    }

    #[test]
    fn custom_data_is_what_the_pool_declares() {
        let custom_fields = vec![
            declared("age", CustomFieldType::Number, true),
            declared("level", CustomFieldType::Enumeration, false),
        ];
        let mut settings = PoolSettings { custom_fields, ..PoolSettings::default() };
        let check = |settings: &PoolSettings, data: Value, editor| {
            check_custom_data(settings, data.as_object().unwrap(), editor)
        };
        check(&settings, json!({ "age": 7, "other": [] }), Editor::Person).unwrap();
        check(&settings, json!({ "age": null, "level": "red" }), Editor::Administrator).unwrap();
        let refusal = check(&settings, json!({ "age": "7" }), Editor::Person).unwrap_err();
        assert_eq!(refusal.to_string(), "The request is not valid: age must be a number");
        for value in [json!("red"), json!(null)] {
            let refused = check(&settings, json!({ "level": value }), Editor::Person);
            assert!(
                matches!(refused, Err(refusal) if refusal.is(Code::FieldNotEditable) && refusal.to_string().contains("level"))
            );
        }
        assert!(check(&settings, json!({ "level": "blue" }), Editor::Administrator).is_err());
        settings.custom_fields_only = true;
        assert!(check(&settings, json!({ "other": 1 }), Editor::Person).is_err());
        check(&settings, json!({ "other": null }), Editor::Person).unwrap();
    }

    #[test]
    fn changes_are_told_by_name() {
        let before = Profile { nickname: Some("a".to_owned()), ..Profile::default() };
        let after = Profile { city: Some("b".to_owned()), ..Profile::default() };
        let data = |value: Value| value.as_object().unwrap().clone();
        let (old, new) = (data(json!({ "x": 1, "y": 2 })), data(json!({ "y": 2, "z": 3 })));
        let names = changed_names((&before, &old), (&after, &new));
        assert_eq!(names, ["nickname", "city", "custom.x", "custom.z"]);
        assert!(changed_names((&after, &new), (&after, &new)).is_empty());
    }
}
