//! What people do with passwords and codes, each deed one unit: logging in, registering, changing what they log in
//! with, leaving. Nothing here hashes a password: hashes come in ready, and go out to be verified.
//!
//! Expected failures are outcomes and not errors, so that a counted try is committed with them.

mod code;
mod contact;
mod leaving;
pub(crate) mod password;
mod registration;
mod send;

use hufu_types::refusal::Code;
use hufu_types::{Action, PasscodePurpose, PoolId, Timestamp, User, UserId};
use serde_json::json;

use crate::events::{Event, Recorder};
use crate::logins::{self, LoginOutcome};
use crate::passcodes::{self, Presented, Target};
use crate::rates::Limit;
use crate::{StoreError, Tx, users};

pub use code::{CodeLogin, LogInByCode, Unlock, Unlocked};
pub use contact::{ChangeContact, ContactOutcome, Old, Proof, Then, UnbindContact, Unbound};
pub use leaving::{Confirm, Confirmed, DeleteExpired, Expired, Leave, Proven, delete};
pub use password::{
    ChangePassword, CountWrong, FindAccount, Found, GetPassword, LockRule, Locks, LogInByPassword, Name,
    PasswordChange, PasswordLogin, PeekReset, Reset, ResetPassword,
};
pub use registration::{NamesTaken, Register, Registered};
pub use send::{SendCode, Sent};

pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [contact::STATEMENTS, leaving::STATEMENTS, password::STATEMENTS].concat()
}

/// A code that somebody presents, and the bucket in which wrong ones of their address are counted.
#[derive(Clone, Debug)]
pub struct Guess {
    /// The code.
    pub code: Presented,
    /// Where wrong ones are counted.
    pub guard: Option<Limit>,
}

/// What a presented code is.
pub(crate) enum Judged {
    /// The right one, sent for this purpose.
    Right(PasscodePurpose),
    /// A wrong one, or there is none.
    Wrong,
    /// It was not looked at: too many wrong ones came from this address.
    TooOften,
}

impl Guess {
    pub(crate) async fn judge(
        &self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        now: Timestamp,
    ) -> Result<Judged, StoreError> {
        if let Some(guard) = &self.guard
            && guard.is_full(tx, now).await?
        {
            return Ok(Judged::TooOften);
        }
        if let Some(purpose) = passcodes::verify(tx, pool, &self.code, now).await? {
            return Ok(Judged::Right(purpose));
        }
        if let Some(guard) = &self.guard {
            guard.hit(tx, now).await?;
        }
        Ok(Judged::Wrong)
    }

    /// Judges without spending a try of a right code, so that it can be judged once more.
    pub(crate) async fn peek(
        &self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        now: Timestamp,
    ) -> Result<Judged, StoreError> {
        let judged = self.judge(tx, pool, now).await?;
        if let Judged::Right(purpose) = judged {
            passcodes::take_back_try(tx, pool, &self.code.to, purpose).await?;
        }
        Ok(judged)
    }

    pub(crate) async fn spend(
        &self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        purpose: PasscodePurpose,
    ) -> Result<(), StoreError> {
        passcodes::spend(tx, pool, &self.code.to, purpose).await
    }
}

/// Whoever has a phone number or an e-mail address in their row, whether or not it is vouched for.
pub(crate) async fn holder(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    target: &Target,
) -> Result<Option<User>, StoreError> {
    match target {
        Target::Phone(phone) => users::by_phone(tx, pool, phone).await,
        Target::Email(email) => users::by_email(tx, pool, email).await,
    }
}

/// Whether somebody vouches that this is the user's.
pub(crate) fn is_vouched(user: &User, target: &Target) -> bool {
    match target {
        Target::Phone(phone) => user.vouched_phone() == Some(phone),
        Target::Email(email) => user.vouched_email() == Some(email),
    }
}

/// The account that a phone number or an e-mail address is vouched to belong to.
pub(crate) async fn owner(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    target: &Target,
) -> Result<Option<User>, StoreError> {
    match holder(tx, pool, target).await? {
        Some(user) if is_vouched(&user, target) => users::survivor(tx, user).await.map(Some),
        _ => Ok(None),
    }
}

/// Takes what was proved from whoever has it unverified, and says so.
pub(crate) async fn release(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    target: &Target,
    prover: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    match target {
        Target::Phone(phone) => logins::release_phone(tx, events, pool, phone, prover, now).await,
        Target::Email(email) => logins::release_email(tx, events, pool, email, prover, now).await,
    }
}

/// Why an account is logged in nowhere, if it is not: written to the audit log.
pub(crate) async fn refuse_unusable(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    user: &User,
    by: &'static str,
) -> Result<Option<LoginOutcome>, StoreError> {
    let Some(refused) = logins::unusable(user) else { return Ok(None) };
    let code = match refused {
        LoginOutcome::Leaving(_) => Code::Leaving.number(),
        _ => Code::Disabled.number(),
    };
    record_refused_login(tx, events, &user.pool, Some(&user.id), code, by).await?;
    Ok(Some(refused))
}

pub(crate) async fn record_refused_login(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    user: Option<&UserId>,
    code: u32,
    by: &'static str,
) -> Result<(), StoreError> {
    let event = Event { action: Action::Login, code, user, details: json!({ "by": by }) };
    events.record(tx, pool, event).await
}
