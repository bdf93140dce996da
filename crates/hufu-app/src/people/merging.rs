//! Merging two accounts of one person, and taking it back.
//!
//! Whoever merges proves both: with a living token of each, or in a login by ids that lead to both. Administrators
//! merge by their permission. Nothing is deleted; both ids and all sessions go on as the survivor.

pub mod unit;

use async_recursion::async_recursion as boxed;
pub use hufu_store::merges::StoredMerge;
use hufu_store::merges::{ListMerges, NewMerge};
use hufu_store::users::GetUserWithIdentities;
use hufu_types::merge::Changes;
use hufu_types::refusal::Code;
use hufu_types::{Action, Identity, MergeId, PoolId, User, UserId};
use serde_json::json;

use crate::configuration::ApplicationHint;
use crate::events::Trace;
use crate::refusal::login_too_old;
use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};
use unit::{Merge, Merged, UndoMerge, Undone};

/// What a merge would do.
#[derive(Clone, Debug)]
pub struct MergePreview {
    /// The account that would go on, with its identities.
    pub survivor: (User, Vec<Identity>),
    /// The account that would lead to it, with its identities.
    pub merged: (User, Vec<Identity>),
    /// What would move, by name: `username`, `phone`, `givenName`, `custom.KEY`, …
    pub moves: Vec<String>,
    /// What both have: the survivor's counts, and names of the other lead to it as well.
    pub collides: Vec<String>,
}

/// A merge that was taken back.
#[derive(Clone, Debug)]
pub struct MergeUndone {
    /// The account that the other was merged into.
    pub survivor: User,
    /// The account that was merged.
    pub restored: User,
    /// What was changed since the merge, and so stays with the survivor. With `password` among it the restored account
    /// has none: the one that was set since is the survivor's.
    pub kept: Vec<String>,
}

impl App {
    /// What merging the account of another token into one's own would do.
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

    /// What merging an account into another would do.
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
        // What would move to nobody is what both have.
        let nobody = User::new(pool.clone(), survivor.0.id.clone(), "", survivor.0.created_at);
        let all = Changes::between(&nobody, &merged.0).names();
        let collides = all.into_iter().filter(|name| !moves.contains(name)).collect();
        Ok(MergePreview { survivor, merged, moves, collides })
    }

    /// Merges the account of another living token into one's own. Both logins must be recent.
    ///
    /// # Errors
    /// [`Code::LoginTooOld`]; [`Code::Disagreement`] for a token of another pool; [`Code::NotLoggedIn`]
    /// for one that does not hold; [`Code::SameAccount`], [`Code::MergeImpossible`].
    #[boxed]
    pub async fn merge_by_tokens(&self, who: &Authenticated, secondary_token: &str) -> Result<User, Refusal> {
        let trace = self.trace_of(who);
        match self.secondary(who, secondary_token).await {
            Ok(secondary) => self.merge_users(who.pool(), &who.user, &secondary.user, trace).await,
            Err(refusal) => Err(self.refused(who, trace, Action::UsersMerged, json!({}), refusal).await),
        }
    }

    /// Merges an account into another: for administrators, whose permission was checked.
    ///
    /// # Errors
    /// [`Code::UserUnknown`], [`Code::SameAccount`], [`Code::MergeImpossible`].
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
                // The sessions of the merged account are the survivor's from now on.
                self.sessions.forget_all();
                Ok(*user)
            }
            Merged::SameAccount => Err(Code::SameAccount.into()),
            Merged::Unusable => Err(Code::MergeImpossible.into()),
            Merged::Gone => Err(Code::UserUnknown.into()),
        }
    }

    /// Takes a merge into one's own account back.
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

    /// Takes a merge back: of this account, or of any where none is given.
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
    /// Those of the database.
    #[boxed]
    pub async fn merges_of(&self, pool: &PoolId, user: &UserId) -> Result<Vec<StoredMerge>, Refusal> {
        self.read(ListMerges { pool: pool.clone(), user: user.clone() }).await
    }

    /// Whose the other token is: a recent login of another account of the same pool.
    async fn secondary(&self, who: &Authenticated, token: &str) -> Result<Authenticated, Refusal> {
        self.require_recent_login(who)?;
        let secondary =
            self.authenticate(Some(token), ApplicationHint::default(), who.origin.clone()).await?;
        if secondary.pool() != who.pool() {
            return Err(Code::Disagreement.into());
        }
        self.require_recent_login(&secondary)?;
        if secondary.user == who.user {
            return Err(Code::SameAccount.into());
        }
        Ok(secondary)
    }

    /// Refuses what should not happen with a lost phone, unless the person has just logged in.
    pub(crate) fn require_recent_login(&self, who: &Authenticated) -> Result<(), Refusal> {
        let most = self.limits.recent_login;
        if who.auth_time < self.now().minus(most) { Err(login_too_old(most)) } else { Ok(()) }
    }
}
