//! Looking up accounts to check a password, locking them after wrong ones, and unlocking them.
//!
//! A try is counted before its password is looked at, and taken back if the password was right. So of many
//! tries at once, no more are looked at than of as many in a row.
//!
//! Tries are counted per name that was looked up, whether or not it belongs to anyone, so that neither the
//! responses nor their order reveal whether the name exists. They are also counted per account, across all its
//! names. An account that is locked in this way stays open to its owner: a network from which somebody logged
//! in with the password lately has tries of its own, which strangers elsewhere cannot use up. That tells
//! people behind one address with the owner that the account exists, and nobody else.

use std::time::Duration;

use hufu_store::passcodes::Target;
use hufu_store::rates::{self, Limit};
use hufu_store::{Read, StoreError, Tx, Write, passwords, users};
use hufu_types::refusal::Code;
use hufu_types::{Action, Email, Phone, PoolId, Timestamp, User, UserId, Username};
use serde_json::json;

use super::guess::{CodeCheck, Guess};
use super::password::Place;
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

    /// The name as it is stored.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Username(name) => name.as_str(),
            Self::Email(email) => email.as_str(),
            Self::Phone(phone) => phone.as_str(),
            Self::ExternalId(id) => id,
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

/// How long a network is remembered from which somebody logged in with the password of an account.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The network that a try comes from.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its name in buckets: a keyed hash, because it stands beside the account for weeks.
    pub name: String,
    /// The bucket for tries from there, for all accounts together.
    pub guard: Limit,
}

/// The buckets in which a try is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locks {
    /// The bucket of the network, for all accounts together.
    guard: Option<Limit>,
    /// The bucket of the name that was looked up.
    name: Limit,
    /// The bucket of the account across all its names, if there is an account.
    account: Option<Limit>,
    /// The bucket of the account for this network alone.
    own: Option<OwnTries>,
}

/// What a network may try at an account that is locked for others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OwnTries {
    /// The mark that somebody logged in from there lately.
    mark: String,
    /// The bucket.
    limit: Limit,
}

/// A try that was counted.
#[derive(Clone, Debug)]
pub struct Counted {
    limits: Vec<Limit>,
    at: Timestamp,
    mark: Option<String>,
    /// Held until the try was taken back.
    _place: Place,
}

/// Whether a password may be looked at.
#[derive(Clone, Debug)]
pub enum Admission {
    /// It may.
    Counted {
        /// The try.
        counted: Counted,
        /// How many more the name allows. The remaining count of the account is not revealed, because it
        /// depends on its other names.
        left: i64,
        /// Whether this was the last try before the name is locked.
        locks: bool,
    },
    /// The account is locked for this long.
    Locked(Duration),
    /// The network has tried too often, and has to wait for this long.
    TooOften(Duration),
}

impl Locks {
    /// The buckets of an administrator who logs in: of the network, of the name across all networks, and of
    /// both.
    pub(crate) fn of_administrator(guard: Limit, name: Limit, own: Option<(String, Limit)>) -> Self {
        let own = own.map(|(mark, limit)| OwnTries { mark, limit });
        Self { guard: Some(guard), name, account: None, own }
    }

    /// Counts a try, unless a bucket is full. The network is counted first, and even if the account is locked:
    /// whoever guesses a lot is stopped before they lock other people's accounts.
    pub(crate) async fn count(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Admission, StoreError> {
        let mut limits = Vec::new();
        if let Some(guard) = &self.guard {
            if guard.take(tx, now).await?.is_none() {
                return Ok(Admission::TooOften(guard.wait(now)));
            }
            limits.push(guard.clone());
        }
        let mark = self.own.as_ref().map(|own| own.mark.clone());
        let counted = |limits| Counted { limits, at: now, mark, _place: Place::default() };
        if let Some(left) = self.name.take(tx, now).await? {
            let of_account = match &self.account {
                Some(account) => account.take(tx, now).await?,
                None => Some(left),
            };
            if let Some(of_account) = of_account {
                limits.push(self.name.clone());
                limits.extend(self.account.clone());
                let locks = left == 0 || of_account == 0;
                return Ok(Admission::Counted { counted: counted(limits), left, locks });
            }
            self.name.take_back(tx, now).await?;
        }
        if let Some(own) = &self.own
            && rates::is_marked(tx, &own.mark, now).await?
            && let Some(left) = own.limit.take(tx, now).await?
        {
            limits.push(own.limit.clone());
            return Ok(Admission::Counted { counted: counted(limits), left, locks: false });
        }
        Ok(Admission::Locked(self.name.wait(now)))
    }
}

impl Counted {
    /// Keeps a place in the network's share until this is dropped. So tries that are right, and are to be taken
    /// back, never add up.
    pub(crate) fn keeping(self, place: Place) -> Self {
        Self { _place: place, ..self }
    }

    /// Takes the try back, because the password was right, and remembers where it came from.
    pub(crate) async fn was_right(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        rates::refund(tx, &self.limits, self.at).await?;
        match &self.mark {
            Some(mark) => rates::mark(tx, mark, self.at.plus(REMEMBERED)).await,
            None => Ok(()),
        }
    }
}

/// Counts a try, before its password is looked at.
pub struct CountTry {
    /// The buckets.
    pub locks: Locks,
    /// The current time.
    pub now: Timestamp,
}

impl Write for CountTry {
    type Out = Admission;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Admission, StoreError> {
        self.locks.count(tx, self.now).await
    }
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

/// Looks up an account by the names that a text may stand for.
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
    /// The network that asks.
    pub network: Option<Network>,
}

/// The result of a lookup.
pub struct Found {
    /// The account.
    pub user: Option<User>,
    /// The hash of its password.
    pub hash: Option<String>,
    /// The schemes of all password hashes of the pool.
    pub schemes: Vec<String>,
    /// The buckets in which a try is counted.
    pub lock: Locks,
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
        let own = user.as_ref().zip(self.network.as_ref()).map(|(user, network)| {
            let place = format!("{}@{}", account_bucket(&self.pool, &user.id), network.name);
            // A new password forgets the networks that had the old one.
            let since = user.password_set_at.map_or(0, |at| at.0);
            OwnTries { mark: format!("known {place} {since}"), limit: self.lock.name(place) }
        });
        let lock = Locks {
            guard: self.network.as_ref().map(|network| network.guard.clone()),
            name: self.lock.name(bucket),
            account: user.as_ref().map(|user| self.lock.account(&self.pool, &user.id)),
            own,
        };
        let schemes = passwords::schemes(tx, &self.pool).await?;
        Ok(Found { user, hash, schemes, lock })
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
}

impl Read for GetPassword {
    type Out = Option<Found>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Found>, StoreError> {
        let Some(user) = users::get(tx, &self.pool, &self.user).await? else { return Ok(None) };
        let hash = passwords::get(tx, &self.pool, &user.id).await?;
        let own = self.lock.name(name_bucket(&self.pool, &user.id, OWN));
        // Not the account's: strangers, who can fill that one, do not keep its owner from changing the password.
        let lock = Locks { guard: None, name: own, account: None, own: None };
        // Whoever is logged in knows that the account exists, so its verification need not look like others.
        Ok(Some(Found { user: Some(user), hash, schemes: Vec::new(), lock }))
    }
}

/// Records a password that was wrong, or was not looked at because the account is locked.
#[derive(Clone, Debug)]
pub struct RecordWrongPassword {
    /// The pool.
    pub pool: PoolId,
    /// The account that was meant, if known.
    pub user: Option<UserId>,
    /// The refusal: [`Code::WrongPassword`] or [`Code::Locked`].
    pub code: Code,
    /// Whether this try locked the account.
    pub locks: bool,
    /// The refused operation.
    pub action: Action,
    /// The login method.
    pub by: &'static str,
    /// Who acts, from where and when.
    pub trace: Trace,
}

impl Write for RecordWrongPassword {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let mut events = self.trace.recorder();
        let (user, details) = (self.user.as_ref(), json!({ "by": self.by }));
        let refused = Event { action: self.action, code: self.code.number(), user, details };
        events.record(tx, &self.pool, refused).await?;
        if let Some(user) = user.filter(|_| self.locks) {
            events.record(tx, &self.pool, Event::of(Action::AccountLocked, user)).await?;
        }
        Ok(())
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
