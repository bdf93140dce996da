//! Merges of accounts, which destroy nothing.
//!
//! The row of the merged account stays and points to the survivor, so that its id, its identities and the names
//! that both accounts had lead there. Unique names that the survivor lacks move to it; what it lacks of profile,
//! custom data, accepted agreements and password is copied. What was moved and copied stands in
//! `merges.changes`, and an undo takes back what is still as the merge left it. A password that was set meanwhile is
//! the survivor's alone: the restored account has none.

use hufu_store::merges::{self, NewMerge};
use hufu_store::{StoreError, Tx, Write, passwords, users, versions};
use hufu_types::merge::Changes;
use hufu_types::refusal::Code;
use hufu_types::{Action, Email, MergeId, PoolId, Timestamp, User, UserId, Username};
use serde_json::{Value as Json, json};

use crate::events::{Event, Recorder, Trace};

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
            Self::Gone => Some(Code::UserUnknown.number()),
        }
    }
}

/// Merges one account into another: in the unit of an operation that has proof of both.
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
    let before = survivor.masked_names();
    let (mut survivor, mut merged) = (survivor, merged);
    changes.apply(&mut survivor, &mut merged);
    (survivor.updated_at, merged.updated_at) = (now, now);
    merged.merged_into = Some(survivor.id.clone());
    // Who gives unique names away is written first.
    merges::put(tx, &merged).await?;
    merges::put(tx, &survivor).await?;
    if changes.password {
        changes.password = passwords::copy(tx, pool, &survivor.id, &merged.id).await?;
        (survivor.password_set_at, survivor.must_reset) = (merged.password_set_at, merged.must_reset);
    }
    // The merged account itself points to the survivor by now, not to itself.
    changes.repointed = merges::repoint(tx, pool, &merged.id, &survivor.id).await?;
    merges::insert(tx, pool, new, &changes, now).await?;
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
    AlreadyUndone,
    /// It is too long ago.
    TooLate,
    /// The survivor was merged on into a third account: that merge must be undone first.
    SurvivorMerged,
    /// The survivor is switched off, or one of the accounts was deleted.
    Unusable,
}

impl Undone {
    /// The code of the refusal in the audit log, where it is one; the same as clients get.
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
            // Whose account it is about: the one that asks, or with an administrator the survivor.
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
        // Of two that undo it at once the second waited for the rows, and reads what the first one wrote.
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
        // Of two that undo it at once the second waited for the rows above, and finds it undone.
        if !merges::set_undone(tx, pool, &self.merge, now).await? {
            return Ok(Undone::AlreadyUndone);
        }
        let (mut survivor, mut merged) = (survivor, merged);
        let before = survivor.masked_names();
        let mut kept = found.changes.revert(&mut survivor, &mut merged);
        (survivor.updated_at, merged.updated_at) = (now, now);
        merged.merged_into = None;
        merges::put(tx, &survivor).await?;
        merges::put(tx, &merged).await?;
        let was_set = |user: &User| user.password_set_at.is_some_and(|at| at > found.created_at);
        if found.changes.password {
            let is_own = was_set(&survivor);
            if !is_own && passwords::drop_copied(tx, pool, &survivor.id, &merged.id).await? {
                (survivor.password_set_at, survivor.must_reset) = (None, false);
            } else {
                kept.push("password".to_owned());
            }
        }
        // A password that was set since is the survivor's: both rows have it, and one of them may be another person's.
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
