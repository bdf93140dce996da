//! What users read and change of themselves.

use hufu_store::users::{self, GetUser, GetUserWithIdentities};
use hufu_store::{StoreError, Tx, Write, uploads};
use hufu_types::{Gender, Identity, PoolId, Profile, Timestamp, User, UserId};
use serde_json::{Map, Value};

use crate::authentication::Authenticated;
use crate::{App, Refusal};

/// A change of a profile: fields of [`Profile`] by name, and `gender`. `None` empties a field.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// Text fields by name.
    pub fields: Vec<(&'static str, Option<String>)>,
    /// Gender.
    pub gender: Option<Gender>,
    /// Custom data to set; `null` removes a key.
    pub custom_data: Map<String, Value>,
}

impl App {
    /// The user behind a token.
    pub async fn user(&self, who: &Authenticated) -> Result<User, Refusal> {
        let unit = GetUser { pool: who.pool().clone(), user: who.user.clone() };
        self.read(unit).await?.ok_or(Refusal::NotLoggedIn)
    }

    /// The user behind a token, with all identities.
    pub async fn user_with_identities(&self, who: &Authenticated) -> Result<(User, Vec<Identity>), Refusal> {
        let unit = GetUserWithIdentities { pool: who.pool().clone(), user: who.user.clone() };
        self.read(unit).await?.ok_or(Refusal::NotLoggedIn)
    }

    /// Changes what the user says of themselves.
    pub async fn update_profile(&self, who: &Authenticated, change: ProfileChange) -> Result<User, Refusal> {
        self.check_change(&change)?;
        let photo = match change.fields.iter().rfind(|(name, _)| *name == "photo") {
            None => Photo::Stays,
            Some((_, address)) => {
                match address.as_deref().and_then(|address| self.upload_of_photo(address)) {
                    Some(upload) => Photo::Upload(upload.to_owned()),
                    None => Photo::Elsewhere,
                }
            }
        };
        let unit = ChangeProfile {
            pool: who.pool().clone(),
            user: who.user.clone(),
            change,
            photo,
            max_keys: self.limits.custom_keys,
            max_total: self.limits.custom_total,
            now: self.now(),
        };
        match self.write(unit).await? {
            Changed::Done(user) => Ok(*user),
            Changed::Gone => Err(Refusal::NotLoggedIn),
            Changed::TooManyKeys => {
                let limit = self.limits.custom_keys;
                Err(Refusal::Invalid(format!("custom data has at most {limit} keys; remove some first")))
            }
            Changed::TooMuch => {
                let limit = self.limits.custom_total;
                Err(Refusal::Invalid(format!(
                    "custom data has at most {limit} bytes in all; remove or shorten some first"
                )))
            }
        }
    }

    fn check_change(&self, change: &ProfileChange) -> Result<(), Refusal> {
        let limit = self.limits.profile_field;
        for (name, value) in &change.fields {
            let Some(value) = value else { continue };
            if value.chars().count() > limit {
                return Err(Refusal::Invalid(format!(
                    "{name} is longer than {limit} characters; shorten it"
                )));
            }
            if *name == "photo" && !is_picture_address(value) {
                return Err(Refusal::Invalid(
                    "photo is not an http or https address; upload the picture first".to_owned(),
                ));
            }
            if value.contains('\0') {
                return Err(Refusal::Invalid(format!("{name} contains a NUL character; remove it")));
            }
        }
        for (key, value) in &change.custom_data {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if key.is_empty() || key.len() > 64 || !key.chars().all(plain) {
                let rule = "a custom data key is 1 to 64 characters of A-Z, a-z, 0-9, '_', '-' and '.'";
                return Err(Refusal::Invalid(rule.to_owned()));
            }
            // Deeper than serde_json reads, the user could never be read again.
            let limit = self.limits.custom_depth;
            if is_deeper(value, limit) {
                return Err(Refusal::Invalid(format!(
                    "the value of {key} is nested deeper than {limit} levels; flatten it"
                )));
            }
            if value.to_string().len() > self.limits.custom_value {
                let limit = self.limits.custom_value;
                return Err(Refusal::Invalid(format!(
                    "the value of {key} is longer than {limit} bytes; shorten it"
                )));
            }
        }
        Ok(())
    }
}

/// Nothing that a page could run: photos are shown by applications and consoles.
fn is_picture_address(value: &str) -> bool {
    value.is_empty() || url::Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// Whether arrays and objects are nested deeper than so many levels. Looks no deeper than that.
fn is_deeper(value: &Value, levels: usize) -> bool {
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
    max_keys: usize,
    max_total: usize,
    now: Timestamp,
}

/// What a change does to the uploads that the photo names.
enum Photo {
    /// Nothing.
    Stays,
    /// It names an upload of ours.
    Upload(String),
    /// It names none of ours.
    Elsewhere,
}

enum Changed {
    Done(Box<User>),
    Gone,
    TooManyKeys,
    TooMuch,
}

impl Write for ChangeProfile {
    type Out = Changed;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Changed, StoreError> {
        let Some(mut user) = users::get_locked(tx, &self.pool, &self.user).await? else {
            return Ok(Changed::Gone);
        };
        apply(&mut user.profile, &self.change);
        let before = bytes(&user.custom_data)?;
        for (key, value) in &self.change.custom_data {
            if value.is_null() {
                user.custom_data.remove(key);
            } else {
                user.custom_data.insert(key.clone(), value.clone());
            }
        }
        if user.custom_data.len() > self.max_keys {
            return Ok(Changed::TooManyKeys);
        }
        // What is there stays changeable where the limit has become smaller.
        let total = bytes(&user.custom_data)?;
        if total > self.max_total && total > before {
            return Ok(Changed::TooMuch);
        }
        user.updated_at = self.now;
        users::set_profile(tx, &self.user, &self.pool, &user.profile, &user.custom_data, self.now).await?;
        let named = match &self.photo {
            Photo::Stays => return Ok(Changed::Done(Box::new(user))),
            Photo::Upload(name) => Some(name.as_str()),
            Photo::Elsewhere => None,
        };
        uploads::claim(tx, &self.pool, &self.user, named, self.now).await?;
        Ok(Changed::Done(Box::new(user)))
    }
}

fn bytes(data: &Map<String, Value>) -> Result<usize, StoreError> {
    Ok(serde_json::to_string(data)?.len())
}

fn apply(profile: &mut Profile, change: &ProfileChange) {
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
}
