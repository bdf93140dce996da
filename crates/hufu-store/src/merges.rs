//! Merges of accounts, which destroy nothing.
//!
//! The row of the merged account stays and points to the survivor, so that its id, its identities and the names
//! that both accounts had lead there. Unique names that the survivor lacks move to it; what it lacks of profile,
//! custom data, accepted agreements and password is copied. What was moved and copied stands in
//! `merges.changes`, and an undo takes back what is still as the merge left it. A password that was set meanwhile is
//! the survivor's alone: the restored account has none.

use std::collections::BTreeMap;

use hufu_types::refusal::Code;
use hufu_types::{
    Action, Email, Gender, MergeId, Phone, PhoneProof, PoolId, Profile, Timestamp, User, UserId, Username,
    camel_case,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::events::{Event, Recorder, Trace};
use crate::users;
use crate::{Read, Row, StoreError, Tx, Write, config, statements};

statements! {
    PUT = "
        UPDATE users
        SET username = $3, email = $4, email_verified = $5, phone = $6, phone_proof = $7, external_id = $8,
            profile = $9, custom_data = $10, agreements = $11, merged_into = $12, updated_at = $13
        WHERE pool_id = $1 AND id = $2";
    COPY_PASSWORD = "
        UPDATE users
        SET password_hash = (SELECT m.password_hash FROM users m WHERE m.pool_id = $1 AND m.id = $3),
            password_set_at = (SELECT m.password_set_at FROM users m WHERE m.pool_id = $1 AND m.id = $3),
            must_reset = (SELECT m.must_reset FROM users m WHERE m.pool_id = $1 AND m.id = $3)
        WHERE pool_id = $1 AND id = $2 AND password_hash IS NULL";
    DROP_COPIED_PASSWORD = "
        UPDATE users
        SET password_hash = NULL, password_set_at = NULL, must_reset = FALSE
        WHERE pool_id = $1 AND id = $2
          AND password_hash = (SELECT m.password_hash FROM users m WHERE m.pool_id = $1 AND m.id = $3)";
    DROP_PASSWORD = "
        UPDATE users
        SET password_hash = NULL, password_set_at = NULL, must_reset = FALSE
        WHERE pool_id = $1 AND id = $2";
    REPOINT = "UPDATE users SET merged_into = $3 WHERE pool_id = $1 AND merged_into = $2 RETURNING id";
    POINT_BACK = "UPDATE users SET merged_into = $4 WHERE pool_id = $1 AND id = $2 AND merged_into = $3";
    INSERT = "
        INSERT INTO merges (pool_id, id, survivor, merged, changes, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    GET = "
        SELECT id, survivor, merged, changes, created_at, undone_at
        FROM merges WHERE pool_id = $1 AND id = $2";
    SET_UNDONE = "UPDATE merges SET undone_at = $3 WHERE pool_id = $1 AND id = $2 AND undone_at IS NULL";
    LIST = "
        SELECT id, survivor, merged, changes, created_at, undone_at
        FROM merges
        WHERE pool_id = $1
          AND (survivor = $2 OR survivor IN (SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2))
        ORDER BY id DESC";
}

/// A merge to be written.
#[derive(Clone, Debug)]
pub struct NewMerge {
    /// The id.
    pub id: MergeId,
    /// The account that goes on.
    pub survivor: UserId,
    /// The account that leads to it from now on.
    pub merged: UserId,
}

/// What came of a merge.
#[derive(Debug)]
pub enum Merged {
    /// It is written; the survivor as it is now.
    Done(Box<User>),
    /// Both ids are one account's already.
    SameAccount,
    /// One of them is switched off, leaving, or was merged into a third account.
    Unusable,
    /// The pool has no such account.
    Gone,
}

impl Merged {
    /// The code of the refusal in the audit log, where it is one; the same as clients get.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::Done(_) => None,
            Self::SameAccount => Some(Code::SameAccount.number()),
            Self::Unusable => Some(Code::MergeImpossible.number()),
            Self::Gone => Some(2443),
        }
    }
}

/// What a merge moves and copies, and what undoing it needs.
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
    /// Whether the password was copied. Neither it nor its hash stands here.
    pub password: bool,
    /// The fields of the profile that were copied.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub profile: BTreeMap<String, String>,
    /// The gender, where it was copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
    /// The keys of custom data that were copied.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub custom_data: Map<String, Json>,
    /// The agreements that were copied: the version before, 0 for none, and since.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub agreements: BTreeMap<String, (u32, u32)>,
    /// The accounts that had been merged into the merged one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repointed: Vec<UserId>,
}

impl Changes {
    /// What a merge of one account into another would move and copy.
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

    /// What was moved and copied, by the names that clients know: `username`, `givenName`, `custom.KEY`, …
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
}

/// A merge as stored.
#[derive(Clone, Debug)]
pub struct StoredMerge {
    /// The id.
    pub id: MergeId,
    /// The account that went on.
    pub survivor: UserId,
    /// The account that was merged into it.
    pub merged: UserId,
    /// What moved and what was copied.
    pub changes: Changes,
    /// When.
    pub created_at: Timestamp,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
}

/// Merges one account into another: in the unit of a deed that has proof of both.
pub async fn merge(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    new: &NewMerge,
    now: Timestamp,
) -> Result<Merged, StoreError> {
    if new.survivor == new.merged {
        return Ok(Merged::SameAccount);
    }
    let (Some(survivor), Some(merged)) = lock_both(tx, pool, &new.survivor, &new.merged).await? else {
        return Ok(Merged::Gone);
    };
    let account = |user: &User| user.merged_into.clone().unwrap_or_else(|| user.id.clone());
    if account(&survivor) == account(&merged) {
        return Ok(Merged::SameAccount);
    }
    let usable = |user: &User| user.is_active() && user.merged_into.is_none();
    if !usable(&survivor) || !usable(&merged) {
        return Ok(Merged::Unusable);
    }
    let mut changes = Changes::between(&survivor, &merged);
    let before = masked_names(&survivor);
    let (mut survivor, mut merged) = (survivor, merged);
    changes.apply(&mut survivor, &mut merged);
    (survivor.updated_at, merged.updated_at) = (now, now);
    merged.merged_into = Some(survivor.id.clone());
    // Who gives unique names away is written first.
    put(tx, &merged).await?;
    put(tx, &survivor).await?;
    if changes.password {
        let values = [pool.into(), (&survivor.id).into(), (&merged.id).into()];
        changes.password = tx.execute(COPY_PASSWORD, &values).await? == 1;
        (survivor.password_set_at, survivor.must_reset) = (merged.password_set_at, merged.must_reset);
    }
    let values = [pool.into(), (&merged.id).into(), (&survivor.id).into()];
    // The merged account itself points to the survivor by now, not to itself.
    let repointed: Vec<String> = tx.all(REPOINT, &values, |row| row.get(0)).await?;
    changes.repointed = repointed.iter().map(|id| UserId::parse(id)).collect::<Result<_, _>>()?;
    let json = serde_json::to_string(&changes)?;
    let values = [
        pool.into(),
        new.id.as_str().into(),
        (&survivor.id).into(),
        (&merged.id).into(),
        (&json).into(),
        now.into(),
    ];
    tx.execute(INSERT, &values).await?;
    let details = json!({
        "merge": new.id.as_str(),
        "merged": merged.id.as_str(),
        "moved": changes.names(),
        "before": before,
        "after": masked_names(&survivor),
    });
    events.record(tx, pool, Event::of(Action::UsersMerged, &survivor.id).with(details)).await?;
    // Nodes forget whose the sessions of the merged account were when the version rises.
    config::raise_version(tx).await?;
    Ok(Merged::Done(Box::new(survivor)))
}

/// Merges two accounts, and nothing else.
pub struct Merge {
    /// The pool.
    pub pool: PoolId,
    /// Which accounts.
    pub new: NewMerge,
    /// Who does it, from where and when.
    pub trace: Trace,
}

impl Write for Merge {
    type Out = Merged;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Merged, StoreError> {
        let mut events = self.trace.recorder();
        let merged = merge(tx, &mut events, &self.pool, &self.new, self.trace.at).await?;
        if let Some(code) = merged.code() {
            let user = users::get(tx, &self.pool, &self.new.survivor).await?.map(|user| user.id);
            let details = json!({ "merged": self.new.merged.as_str() });
            let event = Event { action: Action::UsersMerged, code, user: user.as_ref(), details };
            events.record(tx, &self.pool, event).await?;
        }
        Ok(merged)
    }
}

/// Undoes a merge.
pub struct UndoMerge {
    /// The pool.
    pub pool: PoolId,
    /// The merge.
    pub merge: MergeId,
    /// The account whose merge it must be, unless an administrator asks.
    pub of: Option<UserId>,
    /// Merges from before this are undone no more.
    pub since: Timestamp,
    /// Who does it, from where and when.
    pub trace: Trace,
}

/// What came of undoing a merge.
#[derive(Debug)]
pub enum Undone {
    /// Both accounts stand for themselves again.
    Done {
        /// The account that the other was merged into.
        survivor: Box<User>,
        /// The account that was merged.
        restored: Box<User>,
        /// What was changed since the merge, and so stays with the survivor.
        kept: Vec<String>,
    },
    /// There is no such merge, or it is another account's.
    Unknown,
    /// It was undone before.
    Before,
    /// It is too long ago.
    TooLate,
    /// The survivor was merged on into a third account: that merge must be undone first.
    MergedOn,
    /// The survivor is switched off, or one of the accounts was deleted.
    Unusable,
}

impl Undone {
    /// The code of the refusal in the audit log, where it is one; the same as clients get.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::Done { .. } => None,
            Self::Unknown => Some(2463),
            Self::Before => Some(Code::MergeUndoneBefore.number()),
            Self::TooLate => Some(Code::MergeTooOld.number()),
            Self::MergedOn => Some(Code::MergedOn.number()),
            Self::Unusable => Some(Code::MergeImpossible.number()),
        }
    }
}

impl Write for UndoMerge {
    type Out = Undone;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Undone, StoreError> {
        let undone = self.undo(tx).await?;
        if let Some(code) = undone.code() {
            // Whose account it is about: the one that asks, or with an administrator the survivor.
            let user = match &self.of {
                Some(of) => Some(of.clone()),
                None => get(tx, &self.pool, &self.merge).await?.map(|merge| merge.survivor),
            };
            let details = json!({ "merge": self.merge.as_str() });
            let event = Event { action: Action::MergeUndone, code, user: user.as_ref(), details };
            self.trace.recorder().record(tx, &self.pool, event).await?;
        }
        Ok(undone)
    }
}

impl UndoMerge {
    async fn undo(&self, tx: &mut Tx<'_>) -> Result<Undone, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let Some(found) = get(tx, pool, &self.merge).await? else { return Ok(Undone::Unknown) };
        let (survivor, merged) = lock_both(tx, pool, &found.survivor, &found.merged).await?;
        // Of two that undo it at once the second waited for the rows, and reads what the first one wrote.
        let Some(found) = get(tx, pool, &self.merge).await? else { return Ok(Undone::Unknown) };
        let Some(survivor) = survivor else { return Ok(Undone::Unknown) };
        let account = survivor.merged_into.as_ref().unwrap_or(&survivor.id);
        if self.of.as_ref().is_some_and(|of| of != account) {
            return Ok(Undone::Unknown);
        }
        let Some(merged) = merged else { return Ok(Undone::Unusable) };
        if found.undone_at.is_some() {
            return Ok(Undone::Before);
        }
        if found.created_at < self.since {
            return Ok(Undone::TooLate);
        }
        if survivor.merged_into.is_some() || merged.merged_into.as_ref() != Some(&survivor.id) {
            return Ok(Undone::MergedOn);
        }
        if !survivor.is_active() {
            return Ok(Undone::Unusable);
        }
        // Of two that undo it at once the second waited for the rows above, and finds it undone.
        if tx.execute(SET_UNDONE, &[pool.into(), self.merge.as_str().into(), now.into()]).await? == 0 {
            return Ok(Undone::Before);
        }
        let (mut survivor, mut merged) = (survivor, merged);
        let before = masked_names(&survivor);
        let mut kept = found.changes.take_back(&mut survivor, &mut merged);
        (survivor.updated_at, merged.updated_at) = (now, now);
        merged.merged_into = None;
        put(tx, &survivor).await?;
        put(tx, &merged).await?;
        let was_set = |user: &User| user.password_set_at.is_some_and(|at| at > found.created_at);
        if found.changes.password {
            let values = [pool.into(), (&survivor.id).into(), (&merged.id).into()];
            if !was_set(&survivor) && tx.execute(DROP_COPIED_PASSWORD, &values).await? == 1 {
                (survivor.password_set_at, survivor.must_reset) = (None, false);
            } else {
                kept.push("password".to_owned());
            }
        }
        // A password that was set since is the survivor's: both rows have it, and one of them may be another person's.
        if was_set(&merged) {
            tx.execute(DROP_PASSWORD, &[pool.into(), (&merged.id).into()]).await?;
            (merged.password_set_at, merged.must_reset) = (None, false);
            if !found.changes.password {
                kept.push("password".to_owned());
            }
        }
        for id in &found.changes.repointed {
            let values = [pool.into(), id.into(), (&survivor.id).into(), (&merged.id).into()];
            tx.execute(POINT_BACK, &values).await?;
        }
        let details = json!({
            "merge": self.merge.as_str(),
            "restored": merged.id.as_str(),
            "kept": kept,
            "before": before,
            "after": masked_names(&survivor),
        });
        let mut events = self.trace.recorder();
        events.record(tx, pool, Event::of(Action::MergeUndone, &survivor.id).with(details)).await?;
        config::raise_version(tx).await?;
        Ok(Undone::Done { survivor: Box::new(survivor), restored: Box::new(merged), kept })
    }
}

/// A merge.
pub async fn get(tx: &mut Tx<'_>, pool: &PoolId, merge: &MergeId) -> Result<Option<StoredMerge>, StoreError> {
    tx.optional(GET, &[pool.into(), merge.as_str().into()], decode).await
}

/// The merges into an account, latest first.
pub async fn of_account(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
) -> Result<Vec<StoredMerge>, StoreError> {
    tx.all(LIST, &[pool.into(), user.into()], decode).await
}

/// Reads the merges into an account, latest first.
pub struct ListMerges {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
}

impl Read for ListMerges {
    type Out = Vec<StoredMerge>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<StoredMerge>, StoreError> {
        of_account(tx, &self.pool, &self.user).await
    }
}

/// Both rows, locked in the order of their ids, so that two units never wait for each other.
async fn lock_both(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    one: &UserId,
    other: &UserId,
) -> Result<(Option<User>, Option<User>), StoreError> {
    if one < other {
        let one = users::get_locked(tx, pool, one).await?;
        Ok((one, users::get_locked(tx, pool, other).await?))
    } else {
        let other = users::get_locked(tx, pool, other).await?;
        Ok((users::get_locked(tx, pool, one).await?, other))
    }
}

impl Changes {
    fn apply(&self, survivor: &mut User, merged: &mut User) {
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

    /// Gives back what is still as the merge left it; the names of what is not.
    fn take_back(&self, survivor: &mut User, merged: &mut User) -> Vec<String> {
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
        // The copies below are still with the merged account: the survivor's only go.
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

/// The names of an account as the audit log shows them.
fn masked_names(user: &User) -> Json {
    json!({
        "username": user.username.as_ref().map(Username::masked),
        "email": user.email.as_ref().map(Email::masked),
        "phone": user.phone.as_ref().map(|(phone, _)| phone.masked()),
        "externalId": user.external_id.as_deref().map(hufu_types::masked),
    })
}

async fn put(tx: &mut Tx<'_>, user: &User) -> Result<(), StoreError> {
    let (profile, custom_data, agreements) = (
        serde_json::to_string(&user.profile)?,
        serde_json::to_string(&user.custom_data)?,
        serde_json::to_string(&user.agreements)?,
    );
    let values = [
        (&user.pool).into(),
        (&user.id).into(),
        user.username.as_ref().map(Username::as_str).into(),
        user.email.as_ref().map(Email::as_str).into(),
        user.email_verified.into(),
        user.phone.as_ref().map(|(phone, _)| Phone::as_str(phone)).into(),
        user.phone.as_ref().map(|(_, proof)| PhoneProof::as_str(*proof)).into(),
        (&user.external_id).into(),
        (&profile).into(),
        (&custom_data).into(),
        (&agreements).into(),
        user.merged_into.as_ref().map(UserId::as_str).into(),
        user.updated_at.into(),
    ];
    tx.execute(PUT, &values).await.map(drop)
}

fn decode(row: &Row<'_>) -> Result<StoredMerge, StoreError> {
    Ok(StoredMerge {
        id: MergeId::parse(&row.get::<String>(0)?)?,
        survivor: UserId::parse(&row.get::<String>(1)?)?,
        merged: UserId::parse(&row.get::<String>(2)?)?,
        changes: serde_json::from_str(&row.get::<String>(3)?)?,
        created_at: Timestamp(row.get(4)?),
        undone_at: row.get::<Option<i64>>(5)?.map(Timestamp),
    })
}
