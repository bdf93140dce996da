//! What merging two accounts moves and copies, and what undoing the merge returns. Pure functions of both
//! accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{Email, Gender, Profile, User, UserId, Username, camel_case};

/// What a merge moves and copies; also the record from which it can be undone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// The username that moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The e-mail address that moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The phone number that moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The external id that moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whether the password was copied. Neither the password nor its hash is recorded here.
    pub password: bool,
    /// The profile fields that were copied.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub profile: BTreeMap<String, String>,
    /// The gender, if it was copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
    /// The custom data that was copied, by key.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub custom_data: Map<String, Json>,
    /// The agreements that were copied: the version before the merge (0 for none) and after it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub agreements: BTreeMap<String, (u32, u32)>,
    /// The accounts that had earlier been merged into the merged account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repointed: Vec<UserId>,
}

impl Changes {
    /// What merging one account into another would move and copy.
    pub fn between(survivor: &User, merged: &User) -> Self {
        let empty = |text: Option<&str>| text.is_none_or(str::is_empty);
        let known = |gender: Option<Gender>| gender.filter(|gender| *gender != Gender::Unknown);
        let mut changes = Self {
            username: merged.username.clone().filter(|_| survivor.username.is_none()).map(String::from),
            email: merged.email.clone().filter(|_| survivor.email.is_none()).map(String::from),
            phone: merged.phone.clone().filter(|_| survivor.phone.is_none()).map(|(phone, _)| phone.into()),
            external_id: merged.external_id.clone().filter(|_| survivor.external_id.is_none()),
            password: survivor.password_set_at.is_none() && merged.password_set_at.is_some(),
            gender: known(merged.profile.gender).filter(|_| known(survivor.profile.gender).is_none()),
            ..Self::default()
        };
        for name in Profile::FIELDS {
            if let Some(text) = merged.profile.field(name).filter(|text| !text.is_empty())
                && empty(survivor.profile.field(name))
            {
                changes.profile.insert((*name).to_owned(), text.to_owned());
            }
        }
        for (key, value) in &merged.custom_data {
            if !survivor.custom_data.contains_key(key) {
                changes.custom_data.insert(key.clone(), value.clone());
            }
        }
        for (id, version) in &merged.agreements {
            let before = survivor.agreements.get(id).copied().unwrap_or_default();
            if before < *version {
                changes.agreements.insert(id.clone(), (before, *version));
            }
        }
        changes
    }

    /// The names of what was moved and copied, as clients know them: `username`, `givenName`, `custom.KEY`, …
    pub fn names(&self) -> Vec<String> {
        let names = [
            ("username", self.username.is_some()),
            ("email", self.email.is_some()),
            ("phone", self.phone.is_some()),
            ("externalId", self.external_id.is_some()),
            ("password", self.password),
            ("gender", self.gender.is_some()),
        ];
        let names = names.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name.to_owned());
        names
            .chain(self.profile.keys().map(|field| camel_case(field)))
            .chain(self.custom_data.keys().map(|key| format!("custom.{key}")))
            .chain(self.agreements.keys().map(|id| format!("agreement.{id}")))
            .collect()
    }

    /// Moves and copies the data.
    pub fn apply(&self, survivor: &mut User, merged: &mut User) {
        if self.username.is_some() {
            survivor.username = merged.username.take();
        }
        if self.email.is_some() {
            survivor.email = merged.email.take();
            survivor.email_verified = std::mem::take(&mut merged.email_verified);
        }
        if self.phone.is_some() {
            survivor.phone = merged.phone.take();
        }
        if self.external_id.is_some() {
            survivor.external_id = merged.external_id.take();
        }
        for (name, text) in &self.profile {
            if let Some(field) = survivor.profile.field_mut(name) {
                *field = Some(text.clone());
            }
        }
        if self.gender.is_some() {
            survivor.profile.gender = self.gender;
        }
        survivor.custom_data.extend(self.custom_data.clone());
        survivor.agreements.extend(self.agreements.iter().map(|(id, (_, since))| (id.clone(), *since)));
    }

    /// Returns to the merged account everything that has not changed since the merge. Returns the names of
    /// what could not be returned.
    pub fn revert(&self, survivor: &mut User, merged: &mut User) -> Vec<String> {
        let mut kept = Vec::new();
        let mut settle = |name: &str, is_kept: bool| {
            if is_kept {
                kept.push(name.to_owned());
            }
            !is_kept
        };
        if let Some(username) = &self.username {
            let stands = survivor.username.as_ref().map(Username::as_str) == Some(username);
            if settle("username", !stands || merged.username.is_some()) {
                merged.username = survivor.username.take();
            }
        }
        if let Some(email) = &self.email {
            let stands = survivor.email.as_ref().map(Email::as_str) == Some(email);
            if settle("email", !stands || merged.email.is_some()) {
                merged.email = survivor.email.take();
                merged.email_verified = std::mem::take(&mut survivor.email_verified);
            }
        }
        if let Some(phone) = &self.phone {
            let stands = survivor.phone.as_ref().is_some_and(|(held, _)| held.as_str() == phone);
            if settle("phone", !stands || merged.phone.is_some()) {
                merged.phone = survivor.phone.take();
            }
        }
        if let Some(external_id) = &self.external_id {
            let stands = survivor.external_id.as_ref() == Some(external_id);
            if settle("externalId", !stands || merged.external_id.is_some()) {
                merged.external_id = survivor.external_id.take();
            }
        }
        // The merged account still has everything below, so it only has to be removed from the survivor.
        for (name, text) in &self.profile {
            let stands = survivor.profile.field(name) == Some(text);
            if settle(&camel_case(name), !stands)
                && let Some(field) = survivor.profile.field_mut(name)
            {
                *field = None;
            }
        }
        if self.gender.is_some() && settle("gender", survivor.profile.gender != self.gender) {
            survivor.profile.gender = None;
        }
        for (key, value) in &self.custom_data {
            if settle(&format!("custom.{key}"), survivor.custom_data.get(key) != Some(value)) {
                survivor.custom_data.remove(key);
            }
        }
        for (id, (before, since)) in &self.agreements {
            if settle(&format!("agreement.{id}"), survivor.agreements.get(id) != Some(since)) {
                if *before == 0 {
                    survivor.agreements.remove(id);
                } else {
                    survivor.agreements.insert(id.clone(), *before);
                }
            }
        }
        kept
    }
}
