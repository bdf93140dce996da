//! Merging two accounts of one person, and undoing a merge.
//!
//! A user proves that both accounts are theirs, with a valid token for each, or in a login whose ids lead to
//! both. Administrators merge by permission. Nothing is deleted: both ids and all sessions now lead to the
//! survivor.

pub mod unit;

use async_recursion::async_recursion as boxed;
pub use hufu_store::merges::StoredMerge;
use hufu_store::merges::{ListMerges, NewMerge};
use hufu_store::users::GetUserWithIdentities;
use hufu_types::merge::Changes;
use hufu_types::refusal::Code;
use hufu_types::{Action, Identity, MergeId, PoolId, Scope, User, UserId};
use serde_json::json;

use crate::authorization::dpop::Presented;
use crate::configuration::ApplicationHint;
use crate::events::Trace;
use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};
use unit::{Merge, Merged, UndoMerge, Undone};

/// What a merge would do.
#[derive(Clone, Debug)]
pub struct MergePreview {
    /// The account that would be kept, with its identities.
    pub survivor: (User, Vec<Identity>),
    /// The account that would be merged into it, with its identities.
    pub merged: (User, Vec<Identity>),
    /// What would move, by name: `username`, `phone`, `givenName`, `custom.KEY`, …
    pub moves: Vec<String>,
    /// What both accounts have. The survivor's value is kept; login names of the other account lead to the
    /// survivor as well.
    pub collides: Vec<String>,
}

/// The result of undoing a merge.
#[derive(Clone, Debug)]
pub struct MergeUndone {
    /// The account that the other one was merged into.
    pub survivor: User,
    /// The account that was merged.
    pub restored: User,
    /// What has changed since the merge, and so remains with the survivor. If it includes `password`, the
    /// restored account has no password: the one set since the merge is the survivor's.
    pub kept: Vec<String>,
}

impl App {
    /// Previews merging the account of another token into one's own.
    ///
    /// # Errors
    /// As [`App::merge_by_tokens`].
    #[boxed]
    pub async fn preview_merge_by_token(
        &self,
        who: &Authenticated,
        secondary_token: &str,
    ) -> Result<MergePreview, Refusal> {
        let secondary = self.secondary(who, secondary_token).await?;
        self.preview_merge(who.pool(), &who.user, &secondary.user).await
    }

    /// Previews merging one account into another.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::SameAccount`], [`Code::MergeImpossible`].
    pub async fn preview_merge(
        &self,
        pool: &PoolId,
        survivor: &UserId,
        merged: &UserId,
    ) -> Result<MergePreview, Refusal> {
        let read = async |user: &UserId| {
            let unit = GetUserWithIdentities { pool: pool.clone(), user: user.clone() };
            self.read(unit).await?.ok_or_else(|| Refusal::new(Code::UserUnknown))
        };
        let (survivor, merged) = (read(survivor).await?, read(merged).await?);
        let account = |user: &User| user.merged_into.clone().unwrap_or_else(|| user.id.clone());
        if account(&survivor.0) == account(&merged.0) {
            return Err(Code::SameAccount.into());
        }
        let usable = |user: &User| user.is_active() && user.merged_into.is_none();
        if !usable(&survivor.0) || !usable(&merged.0) {
            return Err(Code::MergeImpossible.into());
        }
        let moves = Changes::between(&survivor.0, &merged.0).names();
        // Whatever an empty account would receive but the survivor would not, both accounts have.
        let nobody = User::new(pool.clone(), survivor.0.id.clone(), "", survivor.0.created_at);
        let all = Changes::between(&nobody, &merged.0).names();
        let collides = all.into_iter().filter(|name| !moves.contains(name)).collect();
        Ok(MergePreview { survivor, merged, moves, collides })
    }

    /// Merges the account of another valid token into one's own. Both logins must be recent.
    ///
    /// # Errors
    /// [`Code::LoginTooOld`]; [`Code::Disagreement`] for a token of another pool; [`Code::NotLoggedIn`]
    /// for an invalid token; [`Code::SameAccount`], [`Code::MergeImpossible`].
    #[boxed]
    pub async fn merge_by_tokens(&self, who: &Authenticated, secondary_token: &str) -> Result<User, Refusal> {
        let trace = self.trace_of(who);
        match self.secondary(who, secondary_token).await {
            Ok(secondary) => self.merge_users(who.pool(), &who.user, &secondary.user, trace).await,
            Err(refusal) => Err(self.refused(who, trace, Action::UsersMerged, json!({}), refusal).await),
        }
    }

    /// Merges one account into another. For administrators: the caller has checked the permission.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::SameAccount`], [`Code::MergeImpossible`], [`Code::LastOwner`].
    pub async fn merge_users(
        &self,
        pool: &PoolId,
        survivor: &UserId,
        merged: &UserId,
        trace: Trace,
    ) -> Result<User, Refusal> {
        let id = MergeId::generate(trace.at, &*self.random);
        let new = NewMerge { id, survivor: survivor.clone(), merged: merged.clone() };
        match self.write(Merge { pool: pool.clone(), new, trace }).await? {
            Merged::Done(user) => {
                // The sessions of the merged account now belong to the survivor.
                self.sessions.forget_all();
                Ok(*user)
            }
            Merged::SameAccount => Err(Code::SameAccount.into()),
            Merged::Unusable => Err(Code::MergeImpossible.into()),
            Merged::LastOwner => Err(Code::LastOwner.into()),
            Merged::Gone => Err(Code::UserUnknown.into()),
        }
    }

    /// Undoes a merge into one's own account.
    ///
    /// # Errors
    /// [`Code::LoginTooOld`], and as [`App::undo_merge_of`].
    #[boxed]
    pub async fn undo_merge(&self, who: &Authenticated, merge: &MergeId) -> Result<MergeUndone, Refusal> {
        let trace = self.trace_of(who);
        if let Err(refusal) = self.require_recent_login(who) {
            let details = json!({ "merge": merge.as_str() });
            return Err(self.refused(who, trace, Action::MergeUndone, details, refusal).await);
        }
        self.undo_merge_of(who.pool(), merge, Some(&who.user), trace).await
    }

    /// Undoes a merge into the account `of`, or into any account if `of` is none.
    ///
    /// # Errors
    /// [`Code::MergeUnknown`], [`Code::MergeAlreadyUndone`], [`Code::MergeTooOld`], [`Code::SurvivorMerged`],
    /// [`Code::MergeImpossible`].
    pub async fn undo_merge_of(
        &self,
        pool: &PoolId,
        merge: &MergeId,
        of: Option<&UserId>,
        trace: Trace,
    ) -> Result<MergeUndone, Refusal> {
        let since = trace.at.minus(self.limits.merge_undo_window);
        let unit = UndoMerge { pool: pool.clone(), merge: merge.clone(), of: of.cloned(), since, trace };
        match self.write(unit).await? {
            Undone::Done { survivor, restored, kept } => {
                self.sessions.forget_all();
                Ok(MergeUndone { survivor: *survivor, restored: *restored, kept })
            }
            Undone::Unknown => Err(Code::MergeUnknown.into()),
            Undone::AlreadyUndone => Err(Code::MergeAlreadyUndone.into()),
            Undone::TooLate => Err(Code::MergeTooOld.into()),
            Undone::SurvivorMerged => Err(Code::SurvivorMerged.into()),
            Undone::Unusable => Err(Code::MergeImpossible.into()),
        }
    }

    /// The merges into an account, latest first.
    ///
    /// # Errors
    /// Database errors.
    #[boxed]
    pub async fn merges_of(&self, pool: &PoolId, user: &UserId) -> Result<Vec<StoredMerge>, Refusal> {
        self.read(ListMerges { pool: pool.clone(), user: user.clone() }).await
    }

    /// Authenticates the other token: it must be a recent login to a different account of the same pool.
    async fn secondary(&self, who: &Authenticated, token: &str) -> Result<Authenticated, Refusal> {
        self.require_recent_login(who)?;
        let (named, origin) = (ApplicationHint::default(), who.origin.clone());
        let secondary =
            self.authenticate(Some(Presented::Bearer(token)), named, origin, Scope::Profile.into()).await?;
        if secondary.pool() != who.pool() {
            return Err(Code::Disagreement.into());
        }
        self.require_recent_login(&secondary)?;
        if secondary.user == who.user {
            return Err(Code::SameAccount.into());
        }
        Ok(secondary)
    }
}
