//! Deleting one's account: the proof, the deletion with its days of grace, and the end of those.

use hufu_types::refusal::Code;
use hufu_types::{Action, PasscodeChannel, PoolId, SessionId, Timestamp, User, UserId, UserStatus};
use serde_json::json;

use super::contact::{locked_and_active, vouched};
use super::password::{Locks, password_of, unlock};
use super::{Guess, Judged};
use crate::events::{Event, Recorder, Trace};
use crate::passcodes::Target;
use crate::step_tokens::{self, NewStepToken};
use crate::{Read, StoreError, Tx, Write, config, sessions, statements, uploads, users};

statements! {
    LEAVE = "
        UPDATE users SET status = 'Deactivated', delete_after = $3, updated_at = $4
        WHERE pool_id = $1 AND id = $2";
    EXPIRED = "
        SELECT pool_id, id FROM users
        WHERE delete_after IS NOT NULL AND delete_after <= $1 AND status = 'Deactivated'
        ORDER BY delete_after LIMIT $2";
    DELETE_IDENTITIES = "
        DELETE FROM identities
        WHERE pool_id = $1
          AND (user_id = $2 OR user_id IN (SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2))";
    DELETE_CONFLICTS = "DELETE FROM identity_conflicts WHERE pool_id = $1 AND (chosen_user = $2 OR other_user = $2)";
    DELETE_MERGES = "DELETE FROM merges WHERE pool_id = $1 AND (survivor = $2 OR merged = $2)";
    DELETE_EXCHANGES = "DELETE FROM exchanges WHERE pool_id = $1 AND user_id = $2";
    DELETE_USER = "DELETE FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2)";
}

/// Proves a person once more, and issues the token of the second step.
#[derive(Clone)]
pub struct Confirm {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// What proves them.
    pub by: Proven,
    /// The token.
    pub token: NewStepToken,
    /// Who, from where and when.
    pub trace: Trace,
}

/// What proves a person.
#[derive(Clone)]
pub enum Proven {
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
            Proven::Code(target, guess) => {
                if vouched(&user, target.channel()).as_ref() != Some(target) {
                    return Ok(Confirmed::NotOwn(target.channel()));
                }
                match guess.judge(tx, pool, now).await? {
                    Judged::Right(purpose) => guess.spend(tx, pool, purpose).await?,
                    Judged::TooOften => return Ok(Confirmed::TooOften),
                    Judged::Wrong => {
                        let (action, code) = (Action::UserDeletionRequested, Code::WrongCode.number());
                        let refused = Event { action, code, user: Some(&user.id), details: json!({}) };
                        self.trace.recorder().record(tx, pool, refused).await?;
                        return Ok(Confirmed::WrongCode);
                    }
                }
            }
            Proven::Password(verified, lock) => {
                if password_of(tx, pool, &user.id).await?.as_ref() != Some(verified) {
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

/// Deletes an account for its owner: nobody logs in to it any more, and after the days of grace it is gone.
#[derive(Clone, Debug)]
pub struct Leave {
    /// The token of the first step.
    pub token: step_tokens::Presented,
    /// When it is gone for good.
    pub delete_after: Timestamp,
    /// Who, from where and when.
    pub trace: Trace,
}

impl Write for Leave {
    /// The sessions that ended; nothing where the token does not hold.
    type Out = Option<Vec<SessionId>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let (pool, user, now) = (&self.token.pool, &self.token.user, self.trace.at);
        let Some(user) = locked_and_active(tx, pool, user).await? else { return Ok(None) };
        if !step_tokens::take(tx, &self.token).await? {
            return Ok(None);
        }
        tx.execute(LEAVE, &[pool.into(), (&user.id).into(), self.delete_after.into(), now.into()]).await?;
        let ended = sessions::end_all_but(tx, pool, &user.id, None).await?;
        let details = json!({
            "before": { "status": user.status.as_str() },
            "after": { "status": UserStatus::Deactivated.as_str() },
            "delete_after": self.delete_after.to_iso(),
        });
        let event = Event::of(Action::UserDeletionRequested, &user.id).with(details);
        self.trace.recorder().record(tx, pool, event).await?;
        // Nodes forget which sessions they believe alive when the version rises.
        config::raise_version(tx).await?;
        Ok(Some(ended))
    }
}

/// Reads which accounts' days of grace are over, so many at most.
#[derive(Clone, Debug)]
pub struct Expired {
    /// Now.
    pub now: Timestamp,
    /// So many.
    pub limit: i64,
}

impl Read for Expired {
    type Out = Vec<(PoolId, UserId)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        tx.all(EXPIRED, &[self.now.into(), self.limit.into()], |row| {
            Ok((config::pool_id(row, 0)?, UserId::parse(&row.get::<String>(1)?)?))
        })
        .await
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
    for row in crate::ways_in::with_merged(tx, pool, id).await? {
        let values = [pool.into(), (&row.id).into()];
        for statement in [DELETE_CONFLICTS, DELETE_MERGES, DELETE_EXCHANGES] {
            tx.execute(statement, &values).await?;
        }
        step_tokens::delete_of_user(tx, pool, &row.id).await?;
        uploads::claim(tx, pool, &row.id, None, now).await?;
    }
    unlock(tx, pool, id).await?;
    sessions::end_all(tx, pool, id).await?;
    tx.execute(DELETE_IDENTITIES, &[pool.into(), id.into()]).await?;
    tx.execute(DELETE_USER, &[pool.into(), id.into()]).await?;
    events.record(tx, pool, Event::of(Action::UserDeleted, id)).await
}
