//! Looking up accounts to check a password, locking them after wrong ones, and unlocking them.
//!
//! Wrong passwords are counted per name that was looked up, whether or not it belongs to anyone, so that
//! neither the responses nor their order reveal whether the name exists. They are also counted per account,
//! across all its names.

use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_store::passcodes::Target;
use hufu_store::rates::{self, Limit};
use hufu_store::{Read, StoreError, Tx, Write, passwords, users};
use hufu_types::refusal::Code;
use hufu_types::{Action, Email, Phone, PoolId, Timestamp, User, UserId, Username};
use serde_json::json;

use super::guess::{CodeCheck, Guess};
use crate::events::{Event, Trace};
use crate::people::holders::owner;

/// A name that may belong to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A username.
    Username(Username),
    /// An e-mail address, verified or not.
    Email(Email),
    /// A phone number, verified or not.
    Phone(Phone),
    /// The user's id in the operator's original system.
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

/// The kinds of buckets of an account: one for each kind of name, and one for its logged-in user.
const KINDS: [&str; 5] = ["username", "email", "phone", "external_id", OWN];
/// The bucket for a logged-in user who enters the password again.
const OWN: &str = "own";
/// The number of names that a user can log in with. The account limit is this many times the limit of one
/// name.
const LOGIN_NAMES: i64 = 3;

/// When a name is locked because of wrong passwords.
#[derive(Clone, Copy, Debug)]
pub struct LockRule {
    /// Wrong passwords that lock a name. Three times as many, across all names, lock the account.
    pub most: i64,
    /// The window in which they are counted.
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
    /// The bucket of the name that was looked up.
    name: Limit,
    /// The bucket of the account across all its names, if there is an account.
    account: Option<Limit>,
}

impl Locks {
    /// Whether a bucket is full. If so, no password is checked.
    #[boxed]
    pub async fn is_full(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, StoreError> {
        for limit in std::iter::once(&self.name).chain(&self.account) {
            if limit.is_full(tx, now).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Counts a wrong password.
    async fn hit(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<WrongTry, StoreError> {
        let of_name = self.name.hit(tx, now).await?;
        let of_account = match &self.account {
            Some(account) => Some(account.hit(tx, now).await?),
            None => None,
        };
        let left = if of_account.is_some_and(|left| left < 0) { of_name.min(-1) } else { of_name };
        Ok(WrongTry { left, locks: left >= 0 && (of_name == 0 || of_account == Some(0)) })
    }
}

/// What a wrong password leads to.
struct WrongTry {
    /// How many more the name allows; negative if it is locked. The remaining count of the account is not
    /// revealed, because it depends on its other names.
    left: i64,
    /// Whether this one locks the name or the account.
    locks: bool,
}

fn account_bucket(pool: &PoolId, user: &UserId) -> String {
    format!("password:{pool}:{user}")
}

fn name_bucket(pool: &PoolId, user: &UserId, kind: &str) -> String {
    format!("password:{pool}:{user}:{kind}")
}

/// Clears the wrong password counts of an account and of the accounts merged into it.
pub(crate) async fn unlock(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    for row in users::with_merged(tx, pool, user).await? {
        rates::clear(tx, &account_bucket(pool, &row.id)).await?;
        for kind in KINDS {
            rates::clear(tx, &name_bucket(pool, &row.id, kind)).await?;
        }
    }
    Ok(())
}

/// Looks up an account by the names that a text may stand for, and whether a password may be tried.
#[derive(Clone, Debug)]
pub struct FindAccount {
    /// The pool.
    pub pool: PoolId,
    /// The names that the text may stand for, in order of preference. The first one that belongs to an
    /// account is used. Wrong passwords are always counted under the first name in the list.
    pub names: Vec<Name>,
    /// The bucket for wrong passwords if the first name belongs to nobody, or if there are no names.
    pub unknown: String,
    /// When a name is locked.
    pub lock: LockRule,
    /// The bucket for wrong passwords from this address.
    pub guard: Option<Limit>,
    /// The current time.
    pub now: Timestamp,
}

/// The result of a lookup.
pub struct Found {
    /// The account.
    pub user: Option<User>,
    /// The hash of its password.
    pub hash: Option<String>,
    /// The buckets for wrong passwords.
    pub lock: Locks,
    /// Whether one of them is full.
    pub is_locked: bool,
    /// Whether too many wrong passwords came from this address.
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

/// The user whose row has this name.
async fn find(tx: &mut Tx<'_>, pool: &PoolId, name: &Name) -> Result<Option<User>, StoreError> {
    match name {
        Name::Username(name) => users::by_username(tx, pool, name).await,
        Name::Email(email) => users::by_email(tx, pool, email).await,
        Name::Phone(phone) => users::by_phone(tx, pool, phone).await,
        Name::ExternalId(id) => users::by_external_id(tx, pool, id).await,
    }
}

/// Reads the account of a logged-in user, with its password hash.
#[derive(Clone, Debug)]
pub struct GetPassword {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// When a name is locked.
    pub lock: LockRule,
    /// The current time.
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

/// Counts a password that was wrong, or was not checked because the account is locked.
#[derive(Clone, Debug)]
pub struct RecordWrongPassword {
    /// The pool.
    pub pool: PoolId,
    /// The account that was meant, if known.
    pub user: Option<UserId>,
    /// The buckets of the account. `None` if it is locked, because another attempt changes nothing then.
    pub lock: Option<Locks>,
    /// The bucket of the address.
    pub guard: Option<Limit>,
    /// The refused operation.
    pub action: Action,
    /// The login method.
    pub by: &'static str,
    /// Who acts, from where and when.
    pub trace: Trace,
}

impl Write for RecordWrongPassword {
    /// How many attempts are left; negative if the account is locked.
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let WrongTry { left, locks } = match &self.lock {
            Some(lock) => lock.hit(tx, now).await?,
            None => WrongTry { left: -1, locks: false },
        };
        if let Some(guard) = &self.guard {
            guard.hit(tx, now).await?;
        }
        let code = if left < 0 { Code::Locked.number() } else { Code::WrongPassword.number() };
        let mut events = self.trace.recorder();
        let details = json!({ "by": self.by });
        let refused = Event { action: self.action, code, user: self.user.as_ref(), details };
        events.record(tx, pool, refused).await?;
        if let Some(user) = self.user.as_ref().filter(|_| locks) {
            events.record(tx, pool, Event::of(Action::AccountLocked, user)).await?;
        }
        Ok(left)
    }
}

/// Unlocks an account that was locked because of wrong passwords.
#[derive(Clone, Debug)]
pub struct Unlock {
    /// The pool.
    pub pool: PoolId,
    /// The phone number or e-mail address that the code proves.
    pub target: Target,
    /// The code.
    pub guess: Guess,
    /// Where the request comes from, and when.
    pub trace: Trace,
}

/// The outcome of unlocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// The account is unlocked.
    Done,
    /// The code is wrong, or no account has the proved number or address.
    WrongCode,
    /// Too many wrong codes came from this address.
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
