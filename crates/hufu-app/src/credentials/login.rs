//! Logging in with a password or a code, and unlocking.

use std::sync::Arc;

use hufu_store::credentials::{
    CodeLogin, CountWrong, FindAccount, Found, Locks, LogInByCode, LogInByPassword, PasswordLogin, Unlock,
    Unlocked,
};
use hufu_store::events::Trace;
use hufu_store::rates::Limit;
use hufu_types::flow::Want;
use hufu_types::refusal::Code;
use hufu_types::{Action, Application, PasscodeChannel, PoolId, User, UserId};
use secrecy::SecretString;

use super::{AccountName, Target, accepted, too_many_codes};
use crate::entry::LoginDone;
use crate::password::StoredPassword;
use crate::refusal::wrong_password;
use crate::{App, Origin, Refusal};

/// How often a login begins again because the account was changed under its hands.
const ATTEMPTS: usize = 3;

/// An account whose password was right.
pub(crate) struct ProvedByPassword {
    pub(crate) user: User,
    /// The hash that was verified.
    pub(crate) verified: String,
    /// A better hash of the same password, where one is due.
    pub(crate) rehash: Option<String>,
    /// The buckets of wrong passwords: a unit that acts on the proof looks once more whether they are full.
    pub(crate) lock: Locks,
}

impl App {
    /// Logs an account in by one of its names and its password. An account that does not exist is refused as one with
    /// another password is, and after as long.
    pub async fn log_in_by_password(
        &self,
        application: &Arc<Application>,
        account: AccountName,
        password: SecretString,
        want: Want,
        origin: &Origin,
    ) -> Result<LoginDone, Refusal> {
        let pool = &application.pool;
        for _ in 0..ATTEMPTS {
            let entry = self.own_entry(application, "password", want, origin);
            let trace = entry.ticket.trace.clone();
            let proved = self.prove_by_password(pool, &account, &password, "password", origin, trace).await?;
            let unit = LogInByPassword {
                user: proved.user.id,
                pool: pool.clone(),
                verified: proved.verified,
                rehash: proved.rehash,
                lock: proved.lock,
                ticket: entry.ticket.clone(),
            };
            match self.write(unit).await? {
                PasswordLogin::Login(outcome) => {
                    return self.conclude(application, &entry.ticket, entry.back, *outcome);
                }
                PasswordLogin::Locked => return Err(Code::Locked.into()),
                PasswordLogin::Changed => {}
            }
        }
        Err(Code::TooOften.because("changes of this account"))
    }

    /// The account of this name, if the password is its own. Whether the account is in use is another question.
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
        // Nobody logs in with a name from elsewhere.
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
        let wrong = Wrong { pool, guard, action: Action::Login, by, trace };
        self.verify_password(found, password, wrong).await
    }

    /// Verifies the password of an account that was looked up, and counts a wrong one.
    pub(super) async fn verify_password(
        &self,
        found: Found,
        password: &SecretString,
        wrong: Wrong<'_>,
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
        wrong: Wrong<'_>,
        user: Option<UserId>,
        lock: Option<Locks>,
    ) -> Result<i64, Refusal> {
        let Wrong { pool, guard, action, by, trace } = wrong;
        self.write(CountWrong { pool: pool.clone(), user, lock, guard, action, by, trace }).await
    }

    /// Logs whoever is proved by a code in, or makes their account.
    pub async fn log_in_by_code(
        &self,
        application: &Arc<Application>,
        target: Target,
        code: &str,
        create: bool,
        want: Want,
        origin: &Origin,
    ) -> Result<LoginDone, Refusal> {
        let pool = &application.pool;
        let method = match target.channel() {
            PasscodeChannel::Sms => "phone-code",
            PasscodeChannel::Email => "email-code",
        };
        let entry = self.own_entry(application, method, want, origin);
        let unit = LogInByCode {
            pool: pool.clone(),
            guess: self.guess(pool, &target, code, accepted::login(want), origin),
            target,
            create,
            candidate: UserId::generate(self.now(), &*self.random),
            ticket: entry.ticket.clone(),
        };
        match self.write(unit).await? {
            CodeLogin::Login(outcome) => self.conclude(application, &entry.ticket, entry.back, *outcome),
            CodeLogin::WrongCode => Err(Code::WrongCode.into()),
            CodeLogin::TooOften => Err(too_many_codes()),
        }
    }

    /// Unlocks the account of a phone number or an e-mail address.
    pub async fn unlock_account(
        &self,
        application: &Arc<Application>,
        target: Target,
        code: &str,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let pool = &application.pool;
        let unit = Unlock {
            pool: pool.clone(),
            guess: self.guess(pool, &target, code, accepted::UNLOCK, origin),
            target,
            trace: self.trace(pool, None, Some(&application.id), None, origin),
        };
        match self.write(unit).await? {
            Unlocked::Done => Ok(()),
            Unlocked::WrongCode => Err(Code::WrongCode.into()),
            Unlocked::TooOften => Err(too_many_codes()),
        }
    }
}

/// What is written of a wrong password.
pub(super) struct Wrong<'a> {
    pub(super) pool: &'a PoolId,
    pub(super) guard: Option<Limit>,
    pub(super) action: Action,
    pub(super) by: &'static str,
    pub(super) trace: Trace,
}

/// A stored hash, if this version can read it; one that it cannot matches nothing.
fn readable(hash: &str, user: Option<&UserId>) -> Option<StoredPassword> {
    let parsed = StoredPassword::parse(hash);
    if let Err(error) = &parsed {
        tracing::error!(?user, %error, "a stored password hash cannot be read: its owner has to reset the password");
    }
    parsed.ok()
}
