//! Merging accounts without destroying anything.
//!
//! The merged account's row remains and points to the survivor. Its id, its identities, and the names that
//! both accounts had all lead to the survivor. Unique names that the survivor lacks move to it. Profile
//! fields, custom data, accepted agreements and password that it lacks are copied. Everything moved or copied
//! is listed in `merges.changes`. An undo reverts what has not changed since the merge. A password set since
//! the merge remains with the survivor only: the restored account has none.

use hufu_connect::templates::AddedWay;
use hufu_store::merges::{self, NewMerge};
use hufu_store::{StoreError, Tx, Write, administration, choices, passwords, users, versions};
use hufu_types::merge::Changes;
use hufu_types::refusal::Code;
use hufu_types::{Action, MergeId, PoolId, Reach, Timestamp, User, UserId};
use serde_json::json;

use crate::administration::{end_keys, takes_last_owner};
use crate::events::{Event, Recorder, Trace};
use crate::people::notices::way_in_added;

/// The outcome of a merge.
#[derive(Debug)]
pub enum Merged {
    /// Done. This is the survivor after the merge.
    Done(Box<User>),
    /// Both ids already belong to one account.
    SameAccount,
    /// One of the accounts is disabled, pending deletion, or merged into a third account.
    Unusable,
    /// The pool has no such account.
    Gone,
    /// It is the last owner of all pools who would be merged into another account.
    LastOwner,
}

impl Merged {
    /// The refusal code for the audit log, which is also what clients receive. None if nothing was refused.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::Done(_) => None,
            Self::SameAccount => Some(Code::SameAccount.number()),
            Self::Unusable => Some(Code::MergeImpossible.number()),
            Self::Gone => Some(Code::UserUnknown.number()),
            Self::LastOwner => Some(Code::LastOwner.number()),
        }
    }
}

/// Merges one account into another, as part of an operation that has proof of both.
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
    // The owners of both are told: what led to one of the accounts leads to both from now on.
    for account in [&survivor, &merged] {
        way_in_added(tx, events, pool, &account.id, AddedWay::Account).await?;
    }
    let mut changes = Changes::between(&survivor, &merged);
    let before = survivor.masked_names();
    let (mut survivor, mut merged) = (survivor, merged);
    changes.apply(&mut survivor, &mut merged);
    merged.merged_into = Some(survivor.id.clone());
    // Unique names move to the survivor, so the row that gives them up is written first.
    merges::put(tx, &mut merged, now).await?;
    merges::put(tx, &mut survivor, now).await?;
    if changes.password {
        changes.password = passwords::copy(tx, pool, &survivor.id, &merged.id).await?;
        (survivor.password_set_at, survivor.must_reset) = (merged.password_set_at, merged.must_reset);
    }
    // Excludes the merged account itself, which already points to the survivor.
    changes.repointed = merges::repoint(tx, pool, &merged.id, &survivor.id).await?;
    merges::insert(tx, pool, new, &changes, now).await?;
    for user in [&survivor.id, &merged.id] {
        choices::forget(tx, pool, user).await?;
    }
    let details = json!({
        "merge": new.id.as_str(),
        "merged": merged.id.as_str(),
        "moved": changes.names(),
        "before": before,
        "after": survivor.masked_names(),
    });
    events.record(tx, pool, Event::of(Action::UsersMerged, &survivor.id).with(details)).await?;
    versions::sessions_changed(tx).await?;
    Ok(Merged::Done(Box::new(survivor)))
}

/// Merges two accounts as a unit of work of its own.
pub struct Merge {
    /// The pool.
    pub pool: PoolId,
    /// The accounts.
    pub new: NewMerge,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

impl Write for Merge {
    type Out = Merged;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Merged, StoreError> {
        let mut events = self.trace.recorder();
        let (pool, new) = (&self.pool, &self.new);
        if *pool == PoolId::system() {
            lock_both(tx, pool, &new.survivor, &new.merged).await?;
        }
        let merged = if takes_last_owner(tx, &self.trace, pool, &new.merged).await? {
            Merged::LastOwner
        } else {
            merge(tx, &mut events, pool, new, self.trace.at).await?
        };
        // Nobody can see or end what an account may that is another's now.
        if *pool == PoolId::system() && matches!(merged, Merged::Done(_)) {
            end_keys(tx, &mut events, &new.merged, &[], &Reach::All).await?;
            administration::delete_administrator(tx, &new.merged).await?;
        }
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
    /// The account that the merge must belong to. None if an administrator asks.
    pub of: Option<UserId>,
    /// Merges from before this time can no longer be undone.
    pub since: Timestamp,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

/// The outcome of undoing a merge.
#[derive(Debug)]
pub enum Undone {
    /// Both accounts are separate again.
    Done {
        /// The account that the other one was merged into.
        survivor: Box<User>,
        /// The account that was merged.
        restored: Box<User>,
        /// What has changed since the merge, and so remains with the survivor.
        kept: Vec<String>,
    },
    /// There is no such merge, or it belongs to another account.
    Unknown,
    /// It has already been undone.
    AlreadyUndone,
    /// It was too long ago.
    TooLate,
    /// The survivor has itself been merged into a third account. That merge must be undone first.
    SurvivorMerged,
    /// The survivor is disabled, or one of the accounts was deleted.
    Unusable,
}

impl Undone {
    /// The refusal code for the audit log, which is also what clients receive. None if nothing was refused.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::Done { .. } => None,
            Self::Unknown => Some(Code::MergeUnknown.number()),
            Self::AlreadyUndone => Some(Code::MergeAlreadyUndone.number()),
            Self::TooLate => Some(Code::MergeTooOld.number()),
            Self::SurvivorMerged => Some(Code::SurvivorMerged.number()),
            Self::Unusable => Some(Code::MergeImpossible.number()),
        }
    }
}

impl Write for UndoMerge {
    type Out = Undone;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Undone, StoreError> {
        let undone = self.undo(tx).await?;
        if let Some(code) = undone.code() {
            // The account to record the event for: the requester's, or for an administrator the survivor.
            let user = match &self.of {
                Some(of) => Some(of.clone()),
                None => merges::get(tx, &self.pool, &self.merge).await?.map(|merge| merge.survivor),
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
        let Some(found) = merges::get(tx, pool, &self.merge).await? else { return Ok(Undone::Unknown) };
        let (survivor, merged) = lock_both(tx, pool, &found.survivor, &found.merged).await?;
        // Reads again now that the rows are locked: another undo may have finished in the meantime.
        let Some(found) = merges::get(tx, pool, &self.merge).await? else { return Ok(Undone::Unknown) };
        let Some(survivor) = survivor else { return Ok(Undone::Unknown) };
        let account = survivor.merged_into.as_ref().unwrap_or(&survivor.id);
        if self.of.as_ref().is_some_and(|of| of != account) {
            return Ok(Undone::Unknown);
        }
        let Some(merged) = merged else { return Ok(Undone::Unusable) };
        if found.undone_at.is_some() {
            return Ok(Undone::AlreadyUndone);
        }
        if found.created_at < self.since {
            return Ok(Undone::TooLate);
        }
        if survivor.merged_into.is_some() || merged.merged_into.as_ref() != Some(&survivor.id) {
            return Ok(Undone::SurvivorMerged);
        }
        if !survivor.is_active() {
            return Ok(Undone::Unusable);
        }
        // The update itself is conditional too, so a merge cannot be undone twice.
        if !merges::set_undone(tx, pool, &self.merge, now).await? {
            return Ok(Undone::AlreadyUndone);
        }
        let (mut survivor, mut merged) = (survivor, merged);
        let before = survivor.masked_names();
        let mut kept = found.changes.revert(&mut survivor, &mut merged);
        merged.merged_into = None;
        merges::put(tx, &mut survivor, now).await?;
        merges::put(tx, &mut merged, now).await?;
        let was_set = |user: &User| user.password_set_at.is_some_and(|at| at > found.created_at);
        if found.changes.password {
            let is_own = was_set(&survivor);
            if !is_own && passwords::drop_copied(tx, pool, &survivor.id, &merged.id).await? {
                (survivor.password_set_at, survivor.must_reset) = (None, false);
            } else {
                kept.push("password".to_owned());
            }
        }
        // A password set since the merge belongs to the survivor. Both rows have it, and one of the accounts
        // may be another person's.
        if was_set(&merged) {
            passwords::drop_own(tx, pool, &merged.id).await?;
            (merged.password_set_at, merged.must_reset) = (None, false);
            if !found.changes.password {
                kept.push("password".to_owned());
            }
        }
        for id in &found.changes.repointed {
            merges::point_back(tx, pool, id, &survivor.id, &merged.id).await?;
        }
        choices::forget(tx, pool, &survivor.id).await?;
        let details = json!({
            "merge": self.merge.as_str(),
            "restored": merged.id.as_str(),
            "kept": kept,
            "before": before,
            "after": survivor.masked_names(),
        });
        let mut events = self.trace.recorder();
        events.record(tx, pool, Event::of(Action::MergeUndone, &survivor.id).with(details)).await?;
        versions::sessions_changed(tx).await?;
        Ok(Undone::Done { survivor: Box::new(survivor), restored: Box::new(merged), kept })
    }
}

/// Locks both rows in the order of their ids, so that two units of work cannot deadlock.
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
