//! Logging in with a password; changing it, and setting another where it is forgotten.
//!
//! Wrong passwords are counted for the name that was looked up, whether or not it is somebody's, so that neither the
//! answers nor their order tell whether it is; and for the account, over all of its names.

use std::sync::Arc;
use std::time::Duration;

use hufu_types::refusal::Code;
use hufu_types::{Action, Email, Phone, PoolId, SessionId, Timestamp, User, UserId, Username};
use serde_json::json;

use super::{Guess, Judged, owner, refuse_unusable};
use crate::events::{Event, Recorder, Trace};
use crate::logins::{self, Came, LoginOutcome, Ticket, unusable};
use crate::passcodes::Target;
use crate::rates::{self, Limit};
use crate::{Read, StoreError, Tx, Write, sessions, statements, users, ways_in};

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

impl Name {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Username(_) => "username",
            Self::Email(_) => "email",
            Self::Phone(_) => "phone",
            Self::ExternalId(_) => "external_id",
        }
    }
}

/// What the buckets of an account are called: of its names, by their kind, and of those who are logged in to it.
const KINDS: [&str; 5] = ["username", "email", "phone", "external_id", OWN];
/// The bucket of a person who is logged in and gives their password once more.
const OWN: &str = "own";
/// The most names that somebody logs in with: an account is full where each of them would be.
const LOGIN_NAMES: i64 = 3;

/// When a name is locked after wrong passwords.
#[derive(Clone, Copy, Debug)]
pub struct LockRule {
    /// Wrong passwords that lock a name; three times as many, by whatever names, lock the account.
    pub most: i64,
    /// Within so long.
    pub window: Duration,
}

impl LockRule {
    fn name(&self, name: String) -> Limit {
        Limit { name, most: self.most, window: self.window }
    }

    fn account(&self, pool: &PoolId, user: &UserId) -> Limit {
        let most = self.most.saturating_mul(LOGIN_NAMES);
        Limit { name: account_bucket(pool, user), most, window: self.window }
    }
}

/// The buckets in which a wrong password is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locks {
    /// Of the name that was looked up.
    name: Limit,
    /// Of the account over all its names, where there is one.
    account: Option<Limit>,
}

impl Locks {
    /// Whether one of them holds no more: then no password is looked at.
    pub async fn is_full(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, StoreError> {
        for limit in std::iter::once(&self.name).chain(&self.account) {
            if limit.is_full(tx, now).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Counts a wrong password; how many more the name allows, below zero where it is locked. What the account as a
    /// whole still allows is not told: it depends on the other names.
    async fn hit(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<i64, StoreError> {
        let mut left = self.name.hit(tx, now).await?;
        if let Some(account) = &self.account
            && account.hit(tx, now).await? < 0
        {
            left = left.min(-1);
        }
        Ok(left)
    }
}

fn account_bucket(pool: &PoolId, user: &UserId) -> String {
    format!("password:{pool}:{user}")
}

fn name_bucket(pool: &PoolId, user: &UserId, kind: &str) -> String {
    format!("password:{pool}:{user}:{kind}")
}

/// Forgets the wrong passwords of an account and of what was merged into it.
pub(crate) async fn unlock(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    for row in ways_in::with_merged(tx, pool, user).await? {
        rates::clear(tx, &account_bucket(pool, &row.id)).await?;
        for kind in KINDS {
            rates::clear(tx, &name_bucket(pool, &row.id, kind)).await?;
        }
    }
    Ok(())
}

/// Looks an account up by the names that a text may be, and whether a password may be tried at all.
#[derive(Clone, Debug)]
pub struct FindAccount {
    /// The pool.
    pub pool: PoolId,
    /// What the text may be, in this order; the first that is somebody's counts. Wrong passwords are counted for the
    /// first of them, whose ever the others are.
    pub names: Vec<Name>,
    /// The bucket of wrong passwords where the first is nobody's, or there is none.
    pub unknown: String,
    /// When it is locked.
    pub lock: LockRule,
    /// Where wrong passwords of the address are counted.
    pub guard: Option<Limit>,
    /// Now.
    pub now: Timestamp,
}

/// What was found.
pub struct Found {
    /// The account.
    pub user: Option<User>,
    /// The hash of its password.
    pub hash: Option<String>,
    /// The buckets of wrong passwords.
    pub lock: Locks,
    /// Whether one is full.
    pub is_locked: bool,
    /// Whether too many wrong passwords came from the address.
    pub is_slowed: bool,
}

impl Read for FindAccount {
    type Out = Found;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Found, StoreError> {
        let mut found = None;
        let mut bucket = self.unknown.clone();
        for (place, name) in self.names.iter().enumerate() {
            let Some(holder) = find(tx, &self.pool, name).await? else { continue };
            if place == 0 {
                bucket = name_bucket(&self.pool, &holder.id, name.kind());
            }
            found = Some(holder);
            break;
        }
        let user = match found {
            Some(holder) => Some(users::survivor(tx, holder).await?),
            None => None,
        };
        let hash = match &user {
            Some(user) => password_of(tx, &self.pool, &user.id).await?,
            None => None,
        };
        let account = user.as_ref().map(|user| self.lock.account(&self.pool, &user.id));
        let lock = Locks { name: self.lock.name(bucket), account };
        let is_locked = lock.is_full(tx, self.now).await?;
        let is_slowed = match &self.guard {
            Some(guard) => guard.is_full(tx, self.now).await?,
            None => false,
        };
        Ok(Found { user, hash, lock, is_locked, is_slowed })
    }
}

/// Whoever has this name in their row.
async fn find(tx: &mut Tx<'_>, pool: &PoolId, name: &Name) -> Result<Option<User>, StoreError> {
    match name {
        Name::Username(name) => users::by_username(tx, pool, name).await,
        Name::Email(email) => users::by_email(tx, pool, email).await,
        Name::Phone(phone) => users::by_phone(tx, pool, phone).await,
        Name::ExternalId(id) => users::by_external_id(tx, pool, id).await,
    }
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
        let own = self.lock.name(name_bucket(&self.pool, &user.id, OWN));
        let lock = Locks { name: own, account: Some(self.lock.account(&self.pool, &user.id)) };
        let is_locked = lock.is_full(tx, self.now).await?;
        Ok(Some(Found { user: Some(user), hash, lock, is_locked, is_slowed: false }))
    }
}

/// Logs an account in whose password was right.
#[derive(Clone)]
pub struct LogInByPassword {
    /// The account.
    pub user: UserId,
    /// The pool.
    pub pool: PoolId,
    /// The hash that was verified.
    pub verified: String,
    /// A better hash of the same password.
    pub rehash: Option<String>,
    /// The buckets of wrong passwords.
    pub lock: Locks,
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
    /// The buckets of the account; none where it is locked, and a try changes nothing.
    pub lock: Option<Locks>,
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
        let code = if left < 0 { Code::Locked.number() } else { Code::WrongPassword.number() };
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
#[derive(Clone)]
pub struct ChangePassword {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The hash of the old password, which was verified, and the buckets of wrong ones; none where the account had no
    /// password.
    pub verified: Option<(String, Locks)>,
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
    /// The account was locked while the password was verified.
    Locked,
}

impl Write for ChangePassword {
    type Out = PasswordChange;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<PasswordChange, StoreError> {
        let found = users::get_locked(tx, &self.pool, &self.user).await?;
        let usable = found.filter(|user| user.merged_into.is_none() && unusable(user).is_none());
        let Some(user) = usable else { return Ok(PasswordChange::Changed) };
        let verified = self.verified.as_ref().map(|(hash, _)| hash);
        if password_of(tx, &self.pool, &user.id).await?.as_ref() != verified {
            return Ok(PasswordChange::Changed);
        }
        // Whoever guesses many at once does not gain by it.
        if let Some((_, lock)) = &self.verified
            && lock.is_full(tx, self.trace.at).await?
        {
            return Ok(PasswordChange::Locked);
        }
        let mut events = self.trace.recorder();
        let kept = Some(&self.session);
        let (user, ended) =
            set(tx, &mut events, user, &self.hash, "old_password", kept, self.trace.at).await?;
        Ok(PasswordChange::Done(Box::new(user), ended))
    }
}

/// Looks whether a code would reset a password, before anything that costs time is done for it. A wrong one counts,
/// and is recorded; a right one stays as good as it was.
#[derive(Clone, Debug)]
pub struct PeekReset {
    /// The pool.
    pub pool: PoolId,
    /// What the code proves.
    pub target: Target,
    /// The code.
    pub guess: Guess,
    /// From where and when.
    pub trace: Trace,
}

impl Write for PeekReset {
    /// What a reset would be refused with for the code.
    type Out = Option<Reset>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Reset>, StoreError> {
        let pool = &self.pool;
        match self.guess.peek(tx, pool, self.trace.at).await? {
            Judged::Right(_) => Ok(None),
            Judged::TooOften => Ok(Some(Reset::TooOften)),
            Judged::Wrong => {
                let owner = owner(tx, pool, &self.target).await?.map(|user| user.id);
                record_refused_reset(tx, &mut self.trace.recorder(), pool, owner.as_ref()).await?;
                Ok(Some(Reset::WrongCode))
            }
        }
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
    let (action, code) = (Action::PasswordChanged, Code::WrongCode.number());
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
    unlock(tx, &pool, &user.id).await?;
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
