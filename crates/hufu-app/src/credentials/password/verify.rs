//! Verifying passwords, for a login and for a logged-in user. Tries are counted before a password is looked at.

use std::time::Duration;

use hufu_types::refusal::Code;
use hufu_types::{Action, PoolId, User, UserId};
use secrecy::SecretString;

use super::hash::Turn;
use super::{HashingError, StoredPassword};
use crate::address::network_of;
use crate::credentials::AccountName;
use crate::credentials::locks::{Admission, CountTry, Counted, FindAccount, Found, RecordWrongPassword};
use crate::events::Trace;
use crate::refusal::wrong_password;
use crate::{App, Origin, Refusal};

/// An account whose password was verified.
pub(crate) struct ProvedByPassword {
    pub(crate) user: User,
    /// The hash that was verified.
    pub(crate) verified: String,
    /// A stronger hash of the same password, if one is due.
    pub(crate) rehash: Option<String>,
    /// The try. A unit that relies on the proof takes it back.
    pub(crate) counted: Counted,
}

impl App {
    /// Returns the account with this name if the password is right. Does not check whether the account is
    /// active.
    pub(crate) async fn prove_by_password(
        &self,
        pool: &PoolId,
        account: &AccountName,
        password: &SecretString,
        by: &'static str,
        origin: &Origin,
        trace: Trace,
    ) -> Result<ProvedByPassword, Refusal> {
        // External ids cannot be used to log in.
        let names = match account {
            AccountName::ExternalId(_) => Vec::new(),
            account => account.names(),
        };
        let canonical = names.first().map(|name| name.as_str().to_owned());
        let find = FindAccount {
            pool: pool.clone(),
            names,
            unknown: self.unknown_bucket(pool, account),
            lock: self.lock_rule(),
            network: self.network("wrong_password", pool, origin),
        };
        let mut found = self.read(find).await?;
        if *pool == PoolId::system() {
            // Administrators have stricter limits, which count the tries by the API as well.
            let username = found.user.as_ref().and_then(|user| user.username.as_ref());
            let name = username.map(|name| name.as_str().to_owned()).or(canonical);
            let name = name.unwrap_or_else(|| account.typed().1.to_owned());
            found.lock = self.administrator_locks(&name, origin);
        }
        self.verify_password(found, password, WrongPassword { pool, action: Action::Login, by, trace }).await
    }

    /// Verifies the password of an account that was looked up. A wrong one stays counted.
    pub(crate) async fn verify_password(
        &self,
        found: Found,
        password: &SecretString,
        wrong: WrongPassword<'_>,
    ) -> Result<ProvedByPassword, Refusal> {
        let user_id = found.user.as_ref().map(|user| user.id.clone());
        // What waits for its turn is not counted yet, so any number that are right may come at once.
        let turn = self.hashing_turn(wrong.trace.ip.as_deref()).await?;
        let admission = self.write(CountTry { locks: found.lock, now: self.now() }).await?;
        let (counted, left, locks) = match admission {
            Admission::Counted { counted, left, locks } => (counted, left, locks),
            Admission::Locked(_) => {
                self.record_wrong(wrong, user_id, Code::Locked, false).await?;
                return Err(Code::Locked.into());
            }
            Admission::TooOften(wait) => {
                return Err(Code::TooOften.retry_after(wait).because("wrong passwords from this address"));
            }
        };
        let stored = found.hash.as_deref().and_then(|hash| readable(hash, user_id.as_ref()));
        let verdict = self.hasher.verify(&turn, password.clone(), stored, found.schemes).await?;
        match (found.user, found.hash) {
            (Some(user), Some(verified)) if verdict.matches => {
                let rehash = if verdict.rehash {
                    Some(self.hasher.hash(&turn, password.clone(), &*self.random).await?)
                } else {
                    None
                };
                let counted = counted.keeping(turn.place());
                Ok(ProvedByPassword { user, verified, rehash, counted })
            }
            _ => {
                // An administrator's tries are counted by network first, and how many are left there is not told.
                let is_administrator = *wrong.pool == PoolId::system();
                self.record_wrong(wrong, user_id, Code::WrongPassword, locks).await?;
                Err(if is_administrator { Code::WrongPassword.into() } else { wrong_password(left) })
            }
        }
    }

    async fn record_wrong(
        &self,
        wrong: WrongPassword<'_>,
        user: Option<UserId>,
        code: Code,
        locks: bool,
    ) -> Result<(), Refusal> {
        let WrongPassword { pool, action, by, trace } = wrong;
        self.write(RecordWrongPassword { pool: pool.clone(), user, code, locks, action, by, trace }).await
    }

    /// Waits until a network may hash or verify a password.
    pub(crate) async fn hashing_turn(&self, ip: Option<&str>) -> Result<Turn, Refusal> {
        let turn = self.hasher.turn(ip.map(network_of)).await;
        turn.map_err(|error| match error {
            // The network's own doing, and not a failure of the node.
            HashingError::ShareExhausted => Code::TooOften.retry_after(SHARE_WAIT).because(error),
            error => error.into(),
        })
    }

    /// Hashes a new password, in the turn of the network that sent it.
    pub(crate) async fn hash_password(
        &self,
        password: SecretString,
        ip: Option<&str>,
    ) -> Result<String, Refusal> {
        let turn = self.hashing_turn(ip).await?;
        Ok(self.hasher.hash(&turn, password, &*self.random).await?)
    }
}

/// How long a network should wait whose share of the queue is full: about as long as its queue lasts.
const SHARE_WAIT: Duration = Duration::from_secs(2);

/// What is recorded about a wrong password.
pub(crate) struct WrongPassword<'a> {
    pub(crate) pool: &'a PoolId,
    pub(crate) action: Action,
    pub(crate) by: &'static str,
    pub(crate) trace: Trace,
}

/// Parses a stored hash. One that this version cannot read matches no password.
fn readable(hash: &str, user: Option<&UserId>) -> Option<StoredPassword> {
    let parsed = StoredPassword::parse(hash);
    if let Err(error) = &parsed {
        tracing::error!(?user, %error, "a stored password hash cannot be read: its owner has to reset the password");
    }
    parsed.ok()
}
