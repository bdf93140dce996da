//! People with a WeChat account. The ids that an app gets for them (openid, unionid) are derived, never
//! chosen.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};

use super::{read, write};
use crate::ids::PersonKey;
use crate::{ControlError, MAX_FRESH_PEOPLE, MAX_PEOPLE};

/// The nickname and avatar that WeChat has returned for everyone since October 2022.
pub(crate) const PLACEHOLDER_NICKNAME: &str = "微信用户";
pub(crate) const PLACEHOLDER_AVATAR: &str = "https://thirdwx.qlogo.cn/mmopen/vi_32/POgEwh4mIHO4nibH0KlMECNjjGxQUq24ZEaGT4poC6icRiccVGKSyXwibcPq4BWmiaIGuG1icwxaQX6grC9VemZoJ8rg/132";

/// A person to create, or to replace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys of the control API's JSON")]
pub struct NewUser {
    /// The person's name in the control API. If it is absent or `new`, a new person is created. The same name
    /// has the same openids after a restart.
    pub name: Option<String>,
    /// National number, digits only. Absent means a generated one; empty means none.
    pub phone: Option<String>,
    /// Country calling code, digits only. The default is `86`.
    pub country_code: Option<String>,
    /// The nickname. The default is the placeholder `微信用户`, which the real WeChat returns.
    pub nickname: Option<String>,
    /// The URL of the avatar. The default is WeChat's grey picture.
    pub avatar_url: Option<String>,
    /// The language that they read WeChat in, which it tells official accounts, such as `en`. The default is `zh_CN`.
    pub language: Option<String>,
    /// Marked by WeChat as high-risk: every login returns 40226.
    #[serde(default)]
    pub risky: bool,
    /// Previews pages only: official accounts get a virtual person and `is_snapshotuser`.
    #[serde(default)]
    pub snapshot: bool,
    /// Has no network: what they do in the phone fails.
    #[serde(default)]
    pub offline: bool,
    /// Has a slow network: what they do in the phone takes five seconds longer.
    #[serde(default)]
    pub slow: bool,
    /// Does not give mini programs their phone number.
    #[serde(default)]
    pub hide_phone: bool,
}

/// Changes to a person. Absent fields remain unchanged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// See [`NewUser::phone`].
    pub phone: Option<String>,
    /// See [`NewUser::country_code`].
    pub country_code: Option<String>,
    /// See [`NewUser::nickname`].
    pub nickname: Option<String>,
    /// See [`NewUser::avatar_url`].
    pub avatar_url: Option<String>,
    /// See [`NewUser::language`].
    pub language: Option<String>,
    /// See [`NewUser::risky`].
    pub risky: Option<bool>,
    /// See [`NewUser::snapshot`].
    pub snapshot: Option<bool>,
    /// See [`NewUser::offline`].
    pub offline: Option<bool>,
    /// See [`NewUser::slow`].
    pub slow: Option<bool>,
    /// See [`NewUser::hide_phone`].
    pub hide_phone: Option<bool>,
}

/// A person as the control API shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys of the control API's JSON")]
pub struct UserView {
    /// The name to use in other control calls.
    pub name: String,
    /// National number. Empty if there is none.
    pub phone: String,
    /// Country calling code.
    pub country_code: String,
    /// The nickname in encrypted user data.
    pub nickname: String,
    /// The avatar in encrypted user data.
    pub avatar_url: String,
    /// See [`NewUser::language`].
    pub language: String,
    /// See [`NewUser::risky`].
    pub risky: bool,
    /// See [`NewUser::snapshot`].
    pub snapshot: bool,
    /// See [`NewUser::offline`].
    pub offline: bool,
    /// See [`NewUser::slow`].
    pub slow: bool,
    /// See [`NewUser::hide_phone`].
    pub hide_phone: bool,
    /// The ids of this person in each app.
    pub ids: Vec<AppIds>,
}

/// The ids of a person in one app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppIds {
    /// The app.
    pub app_id: String,
    /// The person's openid in this app.
    pub openid: String,
    /// The person's unionid, if the app is bound to an Open Platform account.
    pub unionid: Option<String>,
}

#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Person {
    pub(crate) key: PersonKey,
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) country_code: String,
    pub(crate) nickname: String,
    pub(crate) avatar_url: String,
    pub(crate) language: String,
    pub(crate) risky: bool,
    pub(crate) snapshot: bool,
    pub(crate) offline: bool,
    pub(crate) slow: bool,
    pub(crate) hide_phone: bool,
}

impl Person {
    /// A person of whom only the key is known, such as one of many created for a load test.
    pub(crate) fn anonymous(key: PersonKey) -> Person {
        Person {
            key,
            name: String::new(),
            phone: key.phone(),
            country_code: "86".to_owned(),
            nickname: PLACEHOLDER_NICKNAME.to_owned(),
            avatar_url: PLACEHOLDER_AVATAR.to_owned(),
            language: "zh_CN".to_owned(),
            risky: false,
            snapshot: false,
            offline: false,
            slow: false,
            hide_phone: false,
        }
    }
}

/// The people with a name.
#[derive(Default)]
pub(crate) struct People {
    all: RwLock<Registry>,
}

#[derive(Default)]
struct Registry {
    by_key: HashMap<PersonKey, Arc<Person>>,
    in_order: Vec<PersonKey>,
    /// People that the sandbox named itself. The oldest are dropped when there are too many.
    fresh: VecDeque<PersonKey>,
}

impl People {
    pub(crate) fn get(&self, key: PersonKey) -> Option<Arc<Person>> {
        read(&self.all).by_key.get(&key).cloned()
    }

    pub(crate) fn named(&self, name: &str) -> Result<Arc<Person>, ControlError> {
        self.get(PersonKey::named(name)).ok_or(ControlError::UnknownUser)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Person>> {
        let all = read(&self.all);
        all.in_order.iter().filter_map(|key| all.by_key.get(key).cloned()).collect()
    }

    /// Creates a person, or replaces the one with this name. Returns whether they are new.
    pub(crate) fn put(
        &self,
        new: NewUser,
        fresh_name: impl FnOnce() -> String,
    ) -> Result<(Arc<Person>, bool), ControlError> {
        let chosen = new.name.filter(|name| !name.is_empty() && name != "new");
        let is_fresh = chosen.is_none();
        let name = chosen.unwrap_or_else(fresh_name);
        if name.len() > 64 || name.chars().any(char::is_control) {
            return Err(ControlError::Invalid("name must be at most 64 bytes without control characters"));
        }
        let key = PersonKey::named(&name);
        let patch = UserPatch {
            phone: new.phone,
            country_code: new.country_code,
            nickname: new.nickname,
            avatar_url: new.avatar_url,
            language: new.language,
            risky: Some(new.risky),
            snapshot: Some(new.snapshot),
            offline: Some(new.offline),
            slow: Some(new.slow),
            hide_phone: Some(new.hide_phone),
        };
        let person = Arc::new(patched(Person { name, ..Person::anonymous(key) }, patch)?);
        let mut all = write(&self.all);
        let is_new = !all.by_key.contains_key(&key);
        if is_new {
            if all.in_order.len() >= MAX_PEOPLE {
                return Err(ControlError::Full("people"));
            }
            all.in_order.push(key);
            if is_fresh {
                all.fresh.push_back(key);
            }
        }
        if all.fresh.len() > MAX_FRESH_PEOPLE
            && let Some(oldest) = all.fresh.pop_front()
        {
            all.by_key.remove(&oldest);
            all.in_order.retain(|key| *key != oldest);
        }
        all.by_key.insert(key, Arc::clone(&person));
        Ok((person, is_new))
    }

    pub(crate) fn patch(&self, name: &str, patch: UserPatch) -> Result<Arc<Person>, ControlError> {
        let mut all = write(&self.all);
        let held = all.by_key.get_mut(&PersonKey::named(name)).ok_or(ControlError::UnknownUser)?;
        *held = Arc::new(patched(Person::clone(held), patch)?);
        Ok(Arc::clone(held))
    }
}

fn patched(mut person: Person, patch: UserPatch) -> Result<Person, ControlError> {
    let digits = |text: &str, max: usize| text.len() <= max && text.bytes().all(|b| b.is_ascii_digit());
    if patch.phone.as_ref().is_some_and(|phone| !digits(phone, 15)) {
        return Err(ControlError::Invalid("phone must be at most 15 digits, without the country code"));
    }
    if patch.country_code.as_ref().is_some_and(|code| code.is_empty() || !digits(code, 4)) {
        return Err(ControlError::Invalid("country_code must be 1 to 4 digits, such as \"86\""));
    }
    let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > 1024);
    if long(&patch.nickname) || long(&patch.avatar_url) {
        return Err(ControlError::Invalid("nickname and avatar_url must be at most 1024 bytes"));
    }
    let is_tag = |tag: &str| {
        (2..=16).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
    };
    if patch.language.as_deref().is_some_and(|tag| !is_tag(tag)) {
        return Err(ControlError::Invalid(
            "language must be as WeChat writes it, such as zh_CN, zh_TW or en",
        ));
    }
    person.phone = patch.phone.unwrap_or(person.phone);
    person.country_code = patch.country_code.unwrap_or(person.country_code);
    person.nickname = patch.nickname.unwrap_or(person.nickname);
    person.avatar_url = patch.avatar_url.unwrap_or(person.avatar_url);
    person.language = patch.language.unwrap_or(person.language);
    person.risky = patch.risky.unwrap_or(person.risky);
    person.snapshot = patch.snapshot.unwrap_or(person.snapshot);
    person.offline = patch.offline.unwrap_or(person.offline);
    person.slow = patch.slow.unwrap_or(person.slow);
    person.hide_phone = patch.hide_phone.unwrap_or(person.hide_phone);
    Ok(person)
}
