//! The units of deleting one's account: the proof, the deletion with its days of grace, and the end of those.

use hufu_store::passcodes::Target;
use hufu_store::step_tokens::{self, NewStepToken};
use hufu_store::{
    Read, StoreError, Tx, Write, conflicts, exchanges, identities, merges, passwords, sessions, uploads,
    users, versions,
};
use hufu_types::refusal::Code;
use hufu_types::{
    Action, IdentityKey, PasscodeChannel, PoolId, SessionId, Timestamp, User, UserId, UserStatus,
};
use serde_json::json;

use crate::credentials::guess::{CodeCheck, Guess};
use crate::credentials::locks::{Locks, unlock};
use crate::events::{Event, Recorder, Trace};
use crate::people::holders::{locked_and_active, vouched};

/// Proves a person once more, and issues the token of the second step.
#[derive(Clone)]
pub struct Confirm {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// What proves them.
    pub by: ConfirmationProof,
    /// The token.
    pub token: NewStepToken,
    /// Who, from where and when.
    pub trace: Trace,
}

/// What proves a person.
#[derive(Clone)]
pub enum ConfirmationProof {
    /// A code sent to what must be their own.
    Code(Target, Guess),
    /// Their password: the hash that was verified, and the buckets of wrong ones.
    Password(String, Locks),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The token is issued.
    Issued,
    /// The code is wrong.
    WrongCode,
    /// Too many wrong codes came from the address.
    TooOften,
    /// The number or the address is not the account's own.
    NotOwn(PasscodeChannel),
    /// The account was locked while the password was verified.
    Locked,
    /// The password was changed meanwhile.
    Changed,
    /// The account is gone or switched off.
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
            ConfirmationProof::Password(verified, lock) => {
                if passwords::get(tx, pool, &user.id).await?.as_ref() != Some(verified) {
                    return Ok(Confirmed::Changed);
                }
                if lock.is_full(tx, now).await? {
                    return Ok(Confirmed::Locked);
                }
            }
        }
        step_tokens::insert(tx, pool, &user.id, &self.token).await?;
        Ok(Confirmed::Issued)
    }
}

/// Proves a person once more by ids that a source proved just now, and issues the token of the second step of
/// deleting the account: for those who have neither a password nor a number or an address.
pub struct ConfirmByIdentity {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The ids, the source's own of the person first.
    pub keys: Vec<IdentityKey>,
    /// The token.
    pub token: NewStepToken,
    /// Who does it, from where and when.
    pub trace: Trace,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityConfirmed {
    /// The token is issued.
    Issued,
    /// One of the ids leads to another account.
    TakenByAnother,
    /// None of them leads to an account.
    NotBound,
}

impl IdentityConfirmed {
    /// The code of the refusal in the audit log, where it is one; the same as clients get.
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

/// Deletes an account for its owner: nobody logs in to it any more, and after the days of grace it is gone.
#[derive(Clone, Debug)]
pub struct ScheduleDeletion {
    /// The token of the first step.
    pub token: step_tokens::Presented,
    /// When it is gone for good.
    pub delete_after: Timestamp,
    /// Who, from where and when.
    pub trace: Trace,
}

impl Write for ScheduleDeletion {
    /// The sessions that ended; nothing where the token does not hold.
    type Out = Option<Vec<SessionId>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let (pool, user, now) = (&self.token.pool, &self.token.user, self.trace.at);
        let Some(user) = locked_and_active(tx, pool, user).await? else { return Ok(None) };
        if !step_tokens::take(tx, &self.token).await? {
            return Ok(None);
        }
        users::schedule_deletion(tx, pool, &user.id, self.delete_after, now).await?;
        let ended = sessions::end_all_but(tx, pool, &user.id, None).await?;
        let details = json!({
            "before": { "status": user.status.as_str() },
            "after": { "status": UserStatus::Deactivated.as_str() },
            "delete_after": self.delete_after.to_iso(),
        });
        let event = Event::of(Action::UserDeletionRequested, &user.id).with(details);
        self.trace.recorder().record(tx, pool, event).await?;
        versions::sessions_changed(tx).await?;
        Ok(Some(ended))
    }
}

/// Reads which accounts' days of grace are over, so many at most.
#[derive(Clone, Debug)]
pub struct ListExpired {
    /// Now.
    pub now: Timestamp,
    /// So many.
    pub limit: i64,
}

impl Read for ListExpired {
    type Out = Vec<(PoolId, UserId)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        users::due_for_deletion(tx, self.now, self.limit).await
    }
}

/// Deletes an account for good whose days of grace are over.
#[derive(Clone, Debug)]
pub struct DeleteExpired {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// When.
    pub trace: Trace,
}

impl Write for DeleteExpired {
    /// Whether it was still to be deleted.
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

/// Deletes an account for good, with what was merged into it: names, identities, sessions, tokens. Only the audit
/// log still knows its id.
pub async fn delete(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    user: &User,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (pool, id) = (&user.pool, &user.id);
    for row in users::with_merged(tx, pool, id).await? {
        conflicts::delete_of_user(tx, pool, &row.id).await?;
        merges::delete_of_user(tx, pool, &row.id).await?;
        exchanges::delete_of_user(tx, pool, &row.id).await?;
        step_tokens::delete_of_user(tx, pool, &row.id).await?;
        uploads::claim(tx, pool, &row.id, None, now).await?;
    }
    unlock(tx, pool, id).await?;
    sessions::end_all(tx, pool, id).await?;
    identities::delete_of_account(tx, pool, id).await?;
    users::delete(tx, pool, id).await?;
    events.record(tx, pool, Event::of(Action::UserDeleted, id)).await
}
