//! Accounts looked up for a password, locked after wrong ones, and unlocked.
//!
//! Wrong passwords are counted for the name that was looked up, whether or not it is somebody's, so that neither the
//! answers nor their order tell whether it is; and for the account, over all of its names.

use async_recursion::async_recursion as boxed;
use std::time::Duration;

use hufu_store::passcodes::Target;
use hufu_store::rates::{self, Limit};
use hufu_store::{Read, StoreError, Tx, Write, passwords, users};
use hufu_types::refusal::Code;
use hufu_types::{Action, Email, Phone, PoolId, Timestamp, User, UserId, Username};
use serde_json::json;

use super::guess::{CodeCheck, Guess};
use crate::events::{Event, Trace};
use crate::people::holders::owner;

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
    #[boxed]
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
    for row in users::with_merged(tx, pool, user).await? {
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
            Some(user) => passwords::get(tx, &self.pool, &user.id).await?,
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
        let hash = passwords::get(tx, &self.pool, &user.id).await?;
        let own = self.lock.name(name_bucket(&self.pool, &user.id, OWN));
        let lock = Locks { name: own, account: Some(self.lock.account(&self.pool, &user.id)) };
        let is_locked = lock.is_full(tx, self.now).await?;
        Ok(Some(Found { user: Some(user), hash, lock, is_locked, is_slowed: false }))
    }
}

/// Counts a password that was wrong, or was not looked at because the account is locked.
#[derive(Clone, Debug)]
pub struct RecordWrongPassword {
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

impl Write for RecordWrongPassword {
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

/// Unlocks an account that was locked after wrong passwords.
#[derive(Clone, Debug)]
pub struct Unlock {
    /// The pool.
    pub pool: PoolId,
    /// What the code proves.
    pub target: Target,
    /// The code.
    pub guess: Guess,
    /// From where and when.
    pub trace: Trace,
}

/// What came of unlocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// It is unlocked.
    Done,
    /// The code is wrong, or what it proves is nobody's.
    WrongCode,
    /// Too many wrong codes came from the address.
    TooOften,
}

impl Write for Unlock {
    type Out = Unlocked;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Unlocked, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let mut events = self.trace.recorder();
        let purpose = match self.guess.check(tx, pool, now).await? {
            CodeCheck::Right(purpose) => purpose,
            CodeCheck::TooOften => return Ok(Unlocked::TooOften),
            CodeCheck::Wrong => {
                let (action, code) = (Action::AccountUnlocked, Code::WrongCode.number());
                let details = json!({ "by": "code" });
                events.record(tx, pool, Event { action, code, user: None, details }).await?;
                return Ok(Unlocked::WrongCode);
            }
        };
        self.guess.spend(tx, pool, purpose).await?;
        let Some(user) = owner(tx, pool, &self.target).await? else { return Ok(Unlocked::WrongCode) };
        unlock(tx, pool, &user.id).await?;
        let unlocked = Event::of(Action::AccountUnlocked, &user.id).with(json!({ "by": "code" }));
        events.record(tx, pool, unlocked).await?;
        Ok(Unlocked::Done)
    }
}
