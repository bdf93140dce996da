//! Logging in with a password; changing it, and setting another where it is forgotten.

use std::sync::Arc;
use std::time::Duration;

use hufu_types::{Action, Email, Phone, PoolId, SessionId, Timestamp, User, UserId, Username};
use serde_json::json;

use super::{Guess, Judged, owner, refusal, refuse_unusable};
use crate::events::{Event, Recorder, Trace};
use crate::logins::{self, Came, LoginOutcome, Ticket, unusable};
use crate::passcodes::Target;
use crate::rates::{self, Limit};
use crate::{Read, StoreError, Tx, Write, sessions, statements, users};

statements! {
    PASSWORD_OF = "SELECT password_hash FROM users WHERE pool_id = $1 AND id = $2";
    SET_PASSWORD = "
        UPDATE users SET password_hash = $3, password_set_at = $4, must_reset = FALSE, updated_at = $4
        WHERE pool_id = $1 AND (id = $2 OR merged_into = $2)";
    REHASH = "
        UPDATE users SET password_hash = $4
        WHERE pool_id = $1 AND (id = $2 OR merged_into = $2) AND password_hash = $3";
}

/// A name that somebody may be called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A username.
    Username(Username),
    /// An e-mail address, whether or not it is verified.
    Email(Email),
    /// A phone number, whether or not somebody vouches for it.
    Phone(Phone),
    /// The id in the owner's original system.
    ExternalId(String),
}

/// When an account is locked after wrong passwords. An account has one bucket, by whichever name it is called; a
/// name that is nobody's has one of its own, so that both are refused alike.
#[derive(Clone, Debug)]
pub struct LockRule {
    /// The bucket where the name is nobody's.
    pub unknown: String,
    /// Wrong passwords that lock.
    pub most: i64,
    /// Within so long.
    pub window: Duration,
}

impl LockRule {
    fn of(&self, pool: &PoolId, user: Option<&UserId>) -> Limit {
        let name = user.map_or_else(|| self.unknown.clone(), |user| lock_name(pool, user));
        Limit { name, most: self.most, window: self.window }
    }
}

/// The bucket in which the wrong passwords of an account are counted.
pub fn lock_name(pool: &PoolId, user: &UserId) -> String {
    format!("password:{pool}:{user}")
}

/// Looks an account up by the names that a text may be, and whether a password may be tried at all.
#[derive(Clone, Debug)]
pub struct FindAccount {
    /// The pool.
    pub pool: PoolId,
    /// What the text may be, in this order; the first that is somebody's counts.
    pub names: Vec<Name>,
    /// When it is locked.
    pub lock: LockRule,
    /// Where wrong passwords of the address are counted.
    pub guard: Option<Limit>,
    /// Now.
    pub now: Timestamp,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The account.
    pub user: Option<User>,
    /// The hash of its password.
    pub hash: Option<String>,
    /// The bucket of wrong passwords.
    pub lock: Limit,
    /// Whether it is full.
    pub is_locked: bool,
    /// Whether too many wrong passwords came from the address.
    pub is_slowed: bool,
}

impl Read for FindAccount {
    type Out = Found;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Found, StoreError> {
        let user = find(tx, &self.pool, &self.names).await?;
        let hash = match &user {
            Some(user) => password_of(tx, &self.pool, &user.id).await?,
            None => None,
        };
        let lock = self.lock.of(&self.pool, user.as_ref().map(|user| &user.id));
        let is_locked = lock.is_full(tx, self.now).await?;
        let is_slowed = match &self.guard {
            Some(guard) => guard.is_full(tx, self.now).await?,
            None => false,
        };
        Ok(Found { user, hash, lock, is_locked, is_slowed })
    }
}

/// The account that the first of these names leads to.
pub(super) async fn find(tx: &mut Tx<'_>, pool: &PoolId, names: &[Name]) -> Result<Option<User>, StoreError> {
    for name in names {
        let found = match name {
            Name::Username(name) => users::by_username(tx, pool, name).await?,
            Name::Email(email) => users::by_email(tx, pool, email).await?,
            Name::Phone(phone) => users::by_phone(tx, pool, phone).await?,
            Name::ExternalId(id) => users::by_external_id(tx, pool, id).await?,
        };
        if let Some(user) = found {
            return users::survivor(tx, user).await.map(Some);
        }
    }
    Ok(None)
}

/// Reads an account that is logged in, with the hash of its password.
#[derive(Clone, Debug)]
pub struct GetPassword {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// When it is locked.
    pub lock: LockRule,
    /// Now.
    pub now: Timestamp,
}

impl Read for GetPassword {
    type Out = Option<Found>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Found>, StoreError> {
        let Some(user) = users::get(tx, &self.pool, &self.user).await? else { return Ok(None) };
        let hash = password_of(tx, &self.pool, &user.id).await?;
        let lock = self.lock.of(&self.pool, Some(&user.id));
        let is_locked = lock.is_full(tx, self.now).await?;
        Ok(Some(Found { user: Some(user), hash, lock, is_locked, is_slowed: false }))
    }
}

/// Logs an account in whose password was right.
#[derive(Clone, Debug)]
pub struct LogInByPassword {
    /// The account.
    pub user: UserId,
    /// The pool.
    pub pool: PoolId,
    /// The hash that was verified.
    pub verified: String,
    /// A better hash of the same password.
    pub rehash: Option<String>,
    /// The bucket of wrong passwords.
    pub lock: Limit,
    /// What is written.
    pub ticket: Ticket,
}

/// What came of a right password.
#[derive(Debug)]
pub enum PasswordLogin {
    /// As with every login.
    Login(Box<LoginOutcome>),
    /// The account was locked while the password was verified.
    Locked,
    /// The account or its password was changed while the password was verified: look again.
    Changed,
}

impl Write for LogInByPassword {
    type Out = PasswordLogin;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<PasswordLogin, StoreError> {
        let (pool, ticket) = (&self.pool, &self.ticket);
        let found = users::get_locked(tx, pool, &self.user).await?.filter(|user| user.merged_into.is_none());
        let Some(user) = found else { return Ok(PasswordLogin::Changed) };
        if password_of(tx, pool, &user.id).await?.as_ref() != Some(&self.verified) {
            return Ok(PasswordLogin::Changed);
        }
        // Whoever guesses many at once does not gain by it.
        if self.lock.is_full(tx, ticket.trace.at).await? {
            return Ok(PasswordLogin::Locked);
        }
        let mut events = ticket.trace.recorder();
        if let Some(refused) = refuse_unusable(tx, &mut events, &user, ticket.method).await? {
            return Ok(PasswordLogin::Login(Box::new(refused)));
        }
        if let Some(rehash) = &self.rehash {
            let values = [pool.into(), (&user.id).into(), (&self.verified).into(), rehash.into()];
            tx.execute(REHASH, &values).await?;
        }
        let user = logins::count(tx, ticket, pool, &user.id).await?;
        let outcome = logins::finish(tx, ticket, &mut events, user, Came::default()).await?;
        Ok(PasswordLogin::Login(Box::new(outcome)))
    }
}

/// Counts a password that was wrong, or was not looked at because the account is locked.
#[derive(Clone, Debug)]
pub struct CountWrong {
    /// The pool.
    pub pool: PoolId,
    /// Whose it was meant to be, where that is known.
    pub user: Option<UserId>,
    /// The bucket of the account; none where it is locked, and a try changes nothing.
    pub lock: Option<Limit>,
    /// The bucket of the address.
    pub guard: Option<Limit>,
    /// What was refused.
    pub action: Action,
    /// By what way.
    pub by: &'static str,
    /// Who, from where and when.
    pub trace: Trace,
}

impl Write for CountWrong {
    /// How many tries are left; below zero where it was locked.
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let left = match &self.lock {
            Some(lock) => lock.hit(tx, now).await?,
            None => -1,
        };
        if let Some(guard) = &self.guard {
            guard.hit(tx, now).await?;
        }
        let code = if left < 0 { refusal::LOCKED } else { refusal::WRONG_PASSWORD };
        let mut events = self.trace.recorder();
        let details = json!({ "by": self.by });
        let refused = Event { action: self.action, code, user: self.user.as_ref(), details };
        events.record(tx, pool, refused).await?;
        if let Some(user) = self.user.as_ref().filter(|_| left == 0) {
            events.record(tx, pool, Event::of(Action::AccountLocked, user)).await?;
        }
        Ok(left)
    }
}

/// Sets another password of an account that is logged in. Its other sessions end.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The hash of the old password, which was verified; none where the account had no password.
    pub verified: Option<String>,
    /// The hash of the new one.
    pub hash: String,
    /// The session that goes on.
    pub session: SessionId,
    /// Who, from where and when.
    pub trace: Trace,
}

/// What came of setting a password.
#[derive(Debug)]
pub enum PasswordChange {
    /// It is set, and these sessions ended.
    Done(Box<User>, Vec<SessionId>),
    /// The account or its password was changed meanwhile.
    Changed,
}

impl Write for ChangePassword {
    type Out = PasswordChange;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<PasswordChange, StoreError> {
        let found = users::get_locked(tx, &self.pool, &self.user).await?;
        let usable = found.filter(|user| user.merged_into.is_none() && unusable(user).is_none());
        let Some(user) = usable else { return Ok(PasswordChange::Changed) };
        if password_of(tx, &self.pool, &user.id).await? != self.verified {
            return Ok(PasswordChange::Changed);
        }
        let mut events = self.trace.recorder();
        let kept = Some(&self.session);
        let (user, ended) =
            set(tx, &mut events, user, &self.hash, "old_password", kept, self.trace.at).await?;
        Ok(PasswordChange::Done(Box::new(user), ended))
    }
}

/// Sets a new password where the old one is forgotten. All sessions end, and the account is unlocked.
pub struct ResetPassword {
    /// The pool.
    pub pool: PoolId,
    /// What the code proves.
    pub target: Target,
    /// The code.
    pub guess: Guess,
    /// The hash of the new password.
    pub hash: String,
    /// Whether the password may be this person's. It is asked once the code is known to be right, so that nobody
    /// learns names by it.
    pub suits: Arc<dyn Fn(&User) -> bool + Send + Sync>,
    /// From where and when.
    pub trace: Trace,
}

/// What came of resetting a password.
#[derive(Debug)]
pub enum Reset {
    /// It is set, and these sessions ended.
    Done(Vec<SessionId>),
    /// The code is wrong.
    WrongCode,
    /// Too many wrong codes came from the address.
    TooOften,
    /// The code is right, and what it proves is nobody's.
    Stranger,
    /// The account is logged in nowhere, for this reason.
    Unusable(Box<LoginOutcome>),
    /// The password may not be this person's.
    Unsuitable,
}

impl Write for ResetPassword {
    type Out = Reset;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Reset, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let mut events = self.trace.recorder();
        let purpose = match self.guess.judge(tx, pool, now).await? {
            Judged::Right(purpose) => purpose,
            Judged::TooOften => return Ok(Reset::TooOften),
            Judged::Wrong => {
                let owner = owner(tx, pool, &self.target).await?.map(|user| user.id);
                record_refused_reset(tx, &mut events, pool, owner.as_ref()).await?;
                return Ok(Reset::WrongCode);
            }
        };
        let Some(user) = owner(tx, pool, &self.target).await? else {
            self.guess.spend(tx, pool, purpose).await?;
            return Ok(Reset::Stranger);
        };
        let user = users::get_locked(tx, pool, &user.id).await?.ok_or(StoreError::LostRace)?;
        if let Some(refused) = unusable(&user) {
            return Ok(Reset::Unusable(Box::new(refused)));
        }
        if !(self.suits)(&user) {
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
    let (action, code) = (Action::PasswordChanged, refusal::WRONG_CODE);
    events.record(tx, pool, Event { action, code, user, details: json!({ "by": "code" }) }).await
}

/// Sets the password of an account and of what was merged into it, unlocks it, and ends its sessions but one.
pub(crate) async fn set(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    user: User,
    hash: &str,
    by: &'static str,
    kept: Option<&SessionId>,
    now: Timestamp,
) -> Result<(User, Vec<SessionId>), StoreError> {
    let pool = user.pool.clone();
    tx.execute(SET_PASSWORD, &[(&pool).into(), (&user.id).into(), hash.into(), now.into()]).await?;
    rates::clear(tx, &lock_name(&pool, &user.id)).await?;
    let ended = sessions::end_all_but(tx, &pool, &user.id, kept).await?;
    let details = json!({ "by": by, "sessions_ended": ended.len() });
    events.record(tx, &pool, Event::of(Action::PasswordChanged, &user.id).with(details)).await?;
    Ok((User { must_reset: false, password_set_at: Some(now), updated_at: now, ..user }, ended))
}

/// The hash of an account's password.
pub(crate) async fn password_of(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
) -> Result<Option<String>, StoreError> {
    Ok(tx.optional(PASSWORD_OF, &[pool.into(), user.into()], |row| row.get(0)).await?.flatten())
}
