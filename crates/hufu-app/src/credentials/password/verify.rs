//! Verifying passwords, for a login and for a logged-in user. Wrong ones are counted.

use hufu_store::rates::Limit;
use hufu_types::refusal::Code;
use hufu_types::{Action, PoolId, User, UserId};
use secrecy::SecretString;

use super::StoredPassword;
use crate::credentials::AccountName;
use crate::credentials::locks::{FindAccount, Found, Locks, RecordWrongPassword};
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
    /// The buckets for wrong passwords. A unit that relies on the proof checks once more whether they are
    /// full.
    pub(crate) lock: Locks,
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
        let guard = self.guard("wrong_password", pool, origin);
        // External ids cannot be used to log in.
        let names = match account {
            AccountName::ExternalId(_) => Vec::new(),
            account => account.names(),
        };
        let found = self
            .read(FindAccount {
                pool: pool.clone(),
                names,
                unknown: self.unknown_bucket(pool, account),
                lock: self.lock_rule(),
                guard: guard.clone(),
                now: self.now(),
            })
            .await?;
        let wrong = WrongPassword { pool, guard, action: Action::Login, by, trace };
        self.verify_password(found, password, wrong).await
    }

    /// Verifies the password of an account that was looked up. Counts a wrong one.
    pub(crate) async fn verify_password(
        &self,
        found: Found,
        password: &SecretString,
        wrong: WrongPassword<'_>,
    ) -> Result<ProvedByPassword, Refusal> {
        if found.is_slowed {
            return Err(Code::TooOften.because("wrong passwords from this address"));
        }
        let user_id = found.user.as_ref().map(|user| user.id.clone());
        if found.is_locked {
            self.count_wrong(wrong, user_id, None).await?;
            return Err(Code::Locked.into());
        }
        let stored = found.hash.as_deref().and_then(|hash| readable(hash, user_id.as_ref()));
        let verdict = self.hasher.verify(password.clone(), stored).await?;
        match (found.user, found.hash) {
            (Some(user), Some(verified)) if verdict.matches => {
                let rehash = if verdict.rehash {
                    Some(self.hasher.hash(password.clone(), &*self.random).await?)
                } else {
                    None
                };
                Ok(ProvedByPassword { user, verified, rehash, lock: found.lock })
            }
            _ => match self.count_wrong(wrong, user_id, Some(found.lock)).await? {
                remaining @ 0.. => Err(wrong_password(remaining)),
                _ => Err(Code::Locked.into()),
            },
        }
    }

    async fn count_wrong(
        &self,
        wrong: WrongPassword<'_>,
        user: Option<UserId>,
        lock: Option<Locks>,
    ) -> Result<i64, Refusal> {
        let WrongPassword { pool, guard, action, by, trace } = wrong;
        self.write(RecordWrongPassword { pool: pool.clone(), user, lock, guard, action, by, trace }).await
    }
}

/// What is recorded about a wrong password.
pub(crate) struct WrongPassword<'a> {
    pub(crate) pool: &'a PoolId,
    pub(crate) guard: Option<Limit>,
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
