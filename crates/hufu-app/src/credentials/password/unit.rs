//! The units of work that change and reset passwords.

use std::sync::Arc;

use hufu_connect::templates::AddedWay;
use hufu_store::passcodes::Target;
use hufu_store::{StoreError, Tx, Write, endings, passwords, users};
use hufu_types::refusal::Code;
use hufu_types::{Action, PoolId, SessionId, Timestamp, User, UserId};
use serde_json::json;

use crate::credentials::guess::{CodeCheck, Guess};
use crate::credentials::locks::{Counted, unlock};
use crate::events::{Event, Recorder, Trace};
use crate::people::holders::{Unusable, owner, unusable};
use crate::people::notices::way_in_added;
use crate::people::ways_in::RecentLogin;
use crate::tokens::EndedSession;

/// Changes the password of a logged-in user. Their other sessions end.
#[derive(Clone)]
pub struct ChangePassword {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// Why the user may set it.
    pub permission: MaySetPassword,
    /// The hash of the new password.
    pub hash: String,
    /// The session that is kept.
    pub session: SessionId,
    /// Who acts, from where and when.
    pub trace: Trace,
}

/// Why a logged-in user may set a password.
#[derive(Clone, Debug)]
pub enum MaySetPassword {
    /// The old password was verified: its hash, and the try, which is taken back.
    Verified(String, Counted),
    /// The account has no password, and the user logged in recently.
    First(RecentLogin),
}

/// The outcome of a password change.
#[derive(Debug)]
pub enum PasswordChange {
    /// The password was set, and these sessions ended.
    Done(Box<User>, Vec<EndedSession>),
    /// The account or its password has changed in the meantime.
    Changed,
}

impl Write for ChangePassword {
    type Out = PasswordChange;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<PasswordChange, StoreError> {
        let found = users::get_locked(tx, &self.pool, &self.user).await?;
        let usable = found.filter(|user| user.merged_into.is_none() && unusable(user).is_none());
        let Some(user) = usable else { return Ok(PasswordChange::Changed) };
        let verified = match &self.permission {
            MaySetPassword::Verified(hash, _) => Some(hash),
            MaySetPassword::First(_) => None,
        };
        if passwords::get(tx, &self.pool, &user.id).await?.as_ref() != verified {
            return Ok(PasswordChange::Changed);
        }
        if let MaySetPassword::Verified(_, counted) = &self.permission {
            counted.was_right(tx).await?;
        }
        let mut events = self.trace.recorder();
        let kept = Some(&self.session);
        let (user, ended) =
            set(tx, &mut events, user, &self.hash, "old_password", kept, self.trace.at).await?;
        Ok(PasswordChange::Done(Box::new(user), ended))
    }
}

/// Checks whether a code would allow a password reset, before the expensive hashing. A wrong code is counted
/// and recorded. A right one loses no attempts.
#[derive(Clone, Debug)]
pub struct CheckReset {
    /// The pool.
    pub pool: PoolId,
    /// The phone number or e-mail address that the code proves.
    pub target: Target,
    /// The code.
    pub guess: Guess,
    /// Where the request comes from, and when.
    pub trace: Trace,
}

impl Write for CheckReset {
    /// The refusal that a reset with this code would get.
    type Out = Option<Reset>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Reset>, StoreError> {
        let pool = &self.pool;
        match self.guess.check_uncounted(tx, pool, self.trace.at).await? {
            CodeCheck::Right(_) => Ok(None),
            CodeCheck::TooOften => Ok(Some(Reset::TooOften)),
            CodeCheck::Wrong => {
                let owner = owner(tx, pool, &self.target).await?.map(|user| user.id);
                record_refused_reset(tx, &mut self.trace.recorder(), pool, owner.as_ref()).await?;
                Ok(Some(Reset::WrongCode))
            }
        }
    }
}

/// Resets a forgotten password. All sessions end, and the account is unlocked.
pub struct ResetPassword {
    /// The pool.
    pub pool: PoolId,
    /// The phone number or e-mail address that the code proves.
    pub target: Target,
    /// The code.
    pub guess: Guess,
    /// The hash of the new password.
    pub hash: String,
    /// Whether this user may have the password. Only called once the code is known to be right, so that it
    /// cannot be used to find out names.
    pub is_allowed: Arc<dyn Fn(&User) -> bool + Send + Sync>,
    /// Where the request comes from, and when.
    pub trace: Trace,
}

/// The outcome of a password reset.
#[derive(Debug)]
pub enum Reset {
    /// The password was set, and these sessions ended.
    Done(Vec<EndedSession>),
    /// The code is wrong.
    WrongCode,
    /// Too many wrong codes came from this address.
    TooOften,
    /// The code is right, but no account has the proved number or address.
    NoAccount,
    /// The account cannot be logged in to, for this reason.
    Unusable(Unusable),
    /// This user may not have the password.
    Unsuitable,
}

impl Write for ResetPassword {
    type Out = Reset;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Reset, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let mut events = self.trace.recorder();
        let purpose = match self.guess.check(tx, pool, now).await? {
            CodeCheck::Right(purpose) => purpose,
            CodeCheck::TooOften => return Ok(Reset::TooOften),
            CodeCheck::Wrong => {
                let owner = owner(tx, pool, &self.target).await?.map(|user| user.id);
                record_refused_reset(tx, &mut events, pool, owner.as_ref()).await?;
                return Ok(Reset::WrongCode);
            }
        };
        let Some(user) = owner(tx, pool, &self.target).await? else {
            self.guess.spend(tx, pool, purpose).await?;
            return Ok(Reset::NoAccount);
        };
        let user = users::get_locked(tx, pool, &user.id).await?.ok_or(StoreError::LostRace)?;
        if let Some(refused) = unusable(&user) {
            return Ok(Reset::Unusable(refused));
        }
        if !(self.is_allowed)(&user) {
            return Ok(Reset::Unsuitable);
        }
        self.guess.spend(tx, pool, purpose).await?;
        let (_, ended) = set(tx, &mut events, user, &self.hash, "code", None, now).await?;
        Ok(Reset::Done(ended))
    }
}

async fn record_refused_reset(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    user: Option<&UserId>,
) -> Result<(), StoreError> {
    let (action, code) = (Action::PasswordChanged, Code::WrongCode.number());
    events.record(tx, pool, Event { action, code, user, details: json!({ "by": "code" }) }).await
}

/// Sets the password of an account and of the accounts merged into it, unlocks it, and ends all its sessions
/// except `kept`.
pub(crate) async fn set(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    user: User,
    hash: &str,
    by: &'static str,
    kept: Option<&SessionId>,
    now: Timestamp,
) -> Result<(User, Vec<EndedSession>), StoreError> {
    let pool = user.pool.clone();
    if user.password_set_at.is_none() {
        way_in_added(tx, events, &pool, &user.id, AddedWay::Password).await?;
    }
    passwords::set(tx, &pool, &user.id, hash, now).await?;
    unlock(tx, &pool, &user.id).await?;
    let ended = endings::of_account(tx, &pool, &user.id, kept, now).await?;
    let details = json!({ "by": by, "sessions_ended": ended.len() });
    events.record(tx, &pool, Event::of(Action::PasswordChanged, &user.id).with(details)).await?;
    let mut user = User { must_reset: false, password_set_at: Some(now), ..user };
    user.touch(now);
    Ok((user, ended))
}
