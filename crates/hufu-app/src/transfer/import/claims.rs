//! The decision about each row: whether its user is created, is there already, or is refused.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use hufu_store::imports::{Known, Sought};
use hufu_types::{Email, Username};

use super::unit::{NewUser, OnExisting, RowOutcome};

const ID_ELSEWHERE: &str = "id: taken in another user pool";
const NO_SURVIVOR: &str =
    "mergedInto: the pool has no such user, or it was merged itself; its row must come first";

/// The name of a reason for which a row is refused, which never changes.
pub(super) fn name_of_reason(reason: &str) -> &'static str {
    match reason.split_once(": taken ") {
        _ if reason == ID_ELSEWHERE => "id_taken_elsewhere",
        Some(("id", _)) => "id_taken",
        Some(("username", _)) => "username_taken",
        Some(("email", _)) => "email_taken",
        Some(("phone", _)) => "phone_taken",
        Some(("externalId", _)) => "external_id_taken",
        Some(("identities", _)) => "identity_taken",
        _ => "not_valid",
    }
}

/// The unique values of a row, for the database to look up.
pub(super) fn sought(new: &NewUser) -> Sought<'_> {
    let user = &new.user;
    Sought {
        id: new.keeps_id.then_some(&user.id),
        username: user.username.as_ref().map(Username::as_str),
        email: user.email.as_ref().map(Email::as_str),
        phone: user.phone.as_ref().map(|(phone, _)| phone.as_str()),
        external_id: user.external_id.as_deref(),
        identities: new.identities.iter().map(|identity| &identity.key).collect(),
        merged_into: user.merged_into.as_ref(),
    }
}

/// The unique values that earlier rows have taken. Keeps two 8-byte hashes of each: of the value, and of the id of the
/// row's user. A batch needs the values of its own rows, because the database shows them only when the batch is
/// written; a dry run needs those of all rows.
#[derive(Default)]
pub(super) struct Claims {
    hasher: RandomState,
    owners: HashMap<u64, u64>,
}

impl Claims {
    /// Decides about a row, given what the database knows of it. The row's values are taken if its user is to be created.
    pub(super) fn decide(&mut self, new: &NewUser, known: &Known, on_existing: OnExisting) -> RowOutcome {
        if known.id_elsewhere {
            return RowOutcome::Refused(ID_ELSEWHERE.to_owned());
        }
        let user = &new.user;
        if let Some(survivor) = &user.merged_into
            && !known.has_survivor
            && !self.is_survivor(survivor.as_str())
        {
            return RowOutcome::Refused(NO_SURVIVOR.to_owned());
        }
        let names = self.names(new, known);
        // The values that are taken, in the order in which they identify users, with the users who have them.
        let owners = names
            .iter()
            .map(|(field, value, stored)| (*field, stored.or_else(|| self.owners.get(value).copied())));
        let owners: Vec<(&str, Option<u64>)> = owners.collect();
        let mut taken = owners.iter().filter_map(|(field, owner)| Some((*field, (*owner)?)));
        let Some((field, owner)) = taken.next() else {
            let own = self.hash("id", user.id.as_str());
            self.owners.extend(names.into_iter().map(|(_, value, _)| (value, own)));
            if user.merged_into.is_some() {
                self.owners.insert(self.hash("merged", user.id.as_str()), own);
            }
            return RowOutcome::Created;
        };
        let all_lead_there = taken.all(|(_, other)| other == owner);
        let first_matches = owners.first().is_some_and(|(first, _)| *first == field);
        if on_existing == OnExisting::Skip && all_lead_there && first_matches {
            return RowOutcome::Skipped;
        }
        RowOutcome::Refused(format!("{field}: taken by a user of the pool or of an earlier row"))
    }

    /// Whether an earlier row has this id, and was not merged itself.
    fn is_survivor(&self, id: &str) -> bool {
        self.owners.contains_key(&self.hash("id", id)) && !self.owners.contains_key(&self.hash("merged", id))
    }

    /// The unique values of a row: the field, the hash of the value, and that of the stored user's id who has it.
    fn names<'k>(&self, new: &NewUser, known: &'k Known) -> Vec<(&'static str, u64, Option<u64>)> {
        let sought = sought(new);
        let names: [(&'static str, Option<&str>, &'k Option<String>); 5] = [
            ("id", sought.id.map(hufu_types::UserId::as_str), &known.id),
            ("username", sought.username, &known.username),
            ("email", sought.email, &known.email),
            ("phone", sought.phone, &known.phone),
            ("externalId", sought.external_id, &known.external_id),
        ];
        let user = |id: &Option<String>| id.as_deref().map(|id| self.hash("id", id));
        let names = names
            .into_iter()
            .filter_map(|(field, value, owner)| Some((field, self.hash(field, value?), user(owner))));
        let identities = sought
            .identities
            .into_iter()
            .zip(&known.identities)
            .map(|(key, owner)| ("identities", self.hasher.hash_one(("identities", key)), user(owner)));
        names.chain(identities).collect()
    }

    fn hash(&self, field: &str, value: &str) -> u64 {
        self.hasher.hash_one((field, value))
    }
}
