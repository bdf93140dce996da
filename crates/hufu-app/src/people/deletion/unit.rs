//! The units of work for deleting one's own account: confirmation, scheduling, and erasure after the grace
//! period.

use hufu_store::passcodes::Target;
use hufu_store::step_tokens::{self, NewStepToken};
use hufu_store::{
    Read, StoreError, Tx, Write, application_users, choices, conflicts, consents, endings, exchanges,
    identities, merges, passwords, statistics, uploads, users, versions,
};
use hufu_types::refusal::Code;
use hufu_types::{Action, IdentityKey, PasscodeChannel, PoolId, Timestamp, User, UserId, UserStatus};
use serde_json::json;

use crate::administration::takes_last_owner;
use crate::credentials::guess::{CodeCheck, Guess};
use crate::credentials::locks::{Counted, unlock};
use crate::events::{Event, Recorder, Trace};
use crate::people::holders::{locked_and_active, vouched};
use crate::tokens::EndedSession;

/// Confirms the user's identity again, and issues the token for the second step.
#[derive(Clone)]
pub struct Confirm {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The proof.
    pub by: ConfirmationProof,
    /// The token.
    pub token: NewStepToken,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

/// How a user confirms their identity.
#[derive(Clone)]
pub enum ConfirmationProof {
    /// A code sent to the account's own phone number or e-mail address.
    Code(Target, Guess),
    /// The account's password: the hash that was verified, and the try, which is taken back.
    Password(String, Counted),
    /// A login of the last minutes, which the caller has checked.
    RecentLogin,
}

/// The outcome of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The token is issued.
    Issued,
    /// The code is wrong.
    WrongCode,
    /// Too many wrong codes came from this IP address.
    TooOften,
    /// The phone number or e-mail address is not the account's own.
    NotOwn(PasscodeChannel),
    /// The password changed in the meantime.
    Changed,
    /// The account is gone or disabled.
    Gone,
}

impl Write for Confirm {
    type Out = Confirmed;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Confirmed, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let Some(user) = locked_and_active(tx, pool, &self.user).await? else { return Ok(Confirmed::Gone) };
        match &self.by {
            ConfirmationProof::Code(target, guess) => {
                if vouched(&user, target.channel()).as_ref() != Some(target) {
                    return Ok(Confirmed::NotOwn(target.channel()));
                }
                match guess.check(tx, pool, now).await? {
                    CodeCheck::Right(purpose) => guess.spend(tx, pool, purpose).await?,
                    CodeCheck::TooOften => return Ok(Confirmed::TooOften),
                    CodeCheck::Wrong => {
                        let (action, code) = (Action::UserDeletionRequested, Code::WrongCode.number());
                        let refused = Event { action, code, user: Some(&user.id), details: json!({}) };
                        self.trace.recorder().record(tx, pool, refused).await?;
                        return Ok(Confirmed::WrongCode);
                    }
                }
            }
            ConfirmationProof::Password(verified, counted) => {
                counted.was_right(tx).await?;
                if passwords::get(tx, pool, &user.id).await?.as_ref() != Some(verified) {
                    return Ok(Confirmed::Changed);
                }
            }
            ConfirmationProof::RecentLogin => {}
        }
        step_tokens::insert(tx, pool, &user.id, &self.token).await?;
        Ok(Confirmed::Issued)
    }
}

/// Confirms the user's identity by ids that a source has just proved, and issues the token for the second
/// step of the deletion. For accounts without password, phone number and e-mail address.
pub struct ConfirmByIdentity {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The proved ids, the source's own id of the user first.
    pub keys: Vec<IdentityKey>,
    /// The token.
    pub token: NewStepToken,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

/// The outcome of a confirmation by identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityConfirmed {
    /// The token is issued.
    Issued,
    /// One of the ids is bound to another account.
    TakenByAnother,
    /// None of the ids is bound to an account.
    NotBound,
}

impl IdentityConfirmed {
    /// The refusal code for the audit log, which is also what clients receive. None if nothing was refused.
    pub const fn code(self) -> Option<u32> {
        match self {
            Self::Issued => None,
            Self::TakenByAnother => Some(Code::IdentityTaken.number()),
            Self::NotBound => Some(Code::NotBound.number()),
        }
    }
}

impl Write for ConfirmByIdentity {
    type Out = IdentityConfirmed;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<IdentityConfirmed, StoreError> {
        let pool = &self.pool;
        users::get_locked(tx, pool, &self.user).await?;
        let mut confirmed = IdentityConfirmed::NotBound;
        for key in &self.keys {
            match identities::owner(tx, pool, key).await? {
                Some(owner) if owner == self.user => confirmed = IdentityConfirmed::Issued,
                Some(_) => {
                    confirmed = IdentityConfirmed::TakenByAnother;
                    break;
                }
                None => {}
            }
        }
        match confirmed.code() {
            None => step_tokens::insert(tx, pool, &self.user, &self.token).await?,
            Some(code) => {
                let event = Event { code, ..Event::of(Action::UserDeletionRequested, &self.user) };
                self.trace.recorder().record(tx, pool, event).await?;
            }
        }
        Ok(confirmed)
    }
}

/// Schedules the deletion of an account for its owner. From now on, nobody can log in to it. After the grace
/// period it is erased.
#[derive(Clone, Debug)]
pub struct ScheduleDeletion {
    /// The token of the first step.
    pub token: step_tokens::Presented,
    /// When the account is erased.
    pub delete_after: Timestamp,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

impl Write for ScheduleDeletion {
    /// The sessions that ended; or why not.
    type Out = Result<Vec<EndedSession>, Code>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let (pool, user, now) = (&self.token.pool, &self.token.user, self.trace.at);
        let Some(user) = locked_and_active(tx, pool, user).await? else {
            return Ok(Err(Code::StepTokenInvalid));
        };
        if takes_last_owner(tx, &self.trace, pool, &user.id).await? {
            return Ok(Err(Code::LastOwner));
        }
        if !step_tokens::take(tx, &self.token).await? {
            return Ok(Err(Code::StepTokenInvalid));
        }
        users::schedule_deletion(tx, pool, &user.id, self.delete_after, now).await?;
        let ended = endings::of_account(tx, pool, &user.id, None, now).await?;
        let details = json!({
            "before": { "status": user.status.as_str() },
            "after": { "status": UserStatus::Deactivated.as_str() },
            "delete_after": self.delete_after.to_iso(),
        });
        let event = Event::of(Action::UserDeletionRequested, &user.id).with(details);
        self.trace.recorder().record(tx, pool, event).await?;
        versions::sessions_changed(tx).await?;
        Ok(Ok(ended))
    }
}

/// Lists accounts whose grace period is over.
#[derive(Clone, Debug)]
pub struct ListExpired {
    /// The current time.
    pub now: Timestamp,
    /// The maximum number of accounts.
    pub limit: i64,
}

impl Read for ListExpired {
    type Out = Vec<(PoolId, UserId)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        users::due_for_deletion(tx, self.now, self.limit).await
    }
}

/// Erases an account whose grace period is over.
#[derive(Clone, Debug)]
pub struct DeleteExpired {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The actor and time, for the audit log.
    pub trace: Trace,
}

impl Write for DeleteExpired {
    /// Whether the account was still due for deletion.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let found = users::get_locked(tx, &self.pool, &self.user).await?;
        let is_over = |user: &User| {
            user.status == UserStatus::Deactivated && user.delete_after.is_some_and(|at| at <= self.trace.at)
        };
        let Some(user) = found.filter(is_over) else { return Ok(false) };
        delete(tx, &mut self.trace.recorder(), &user, self.trace.at).await?;
        Ok(true)
    }
}

/// Erases an account with everything merged into it: names, identities, sessions, tokens. Only the audit log
/// still has its id.
pub async fn delete(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    user: &User,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (pool, id) = (&user.pool, &user.id);
    for row in users::with_merged(tx, pool, id).await? {
        conflicts::delete_of_user(tx, pool, &row.id).await?;
        choices::forget(tx, pool, &row.id).await?;
        consents::forget(tx, pool, &row.id).await?;
        application_users::forget(tx, pool, &row.id).await?;
        merges::delete_of_user(tx, pool, &row.id).await?;
        exchanges::delete_of_user(tx, pool, &row.id).await?;
        step_tokens::delete_of_user(tx, pool, &row.id).await?;
        statistics::forget(tx, pool, &row.id).await?;
        uploads::claim(tx, pool, &row.id, None, now).await?;
    }
    unlock(tx, pool, id).await?;
    endings::of_account(tx, pool, id, None, now).await?;
    identities::delete_of_account(tx, pool, id).await?;
    users::delete(tx, pool, id).await?;
    events.record(tx, pool, Event::of(Action::UserDeleted, id)).await
}
