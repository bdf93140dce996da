//! Logging in with a password that was right.

use hufu_store::{StoreError, Tx, Write, passwords, users};
use hufu_types::{PoolId, UserId};

use super::finish::{self, LoginOutcome, LoginPlan, LoginProgress, refuse_unusable};
use crate::credentials::locks::Locks;

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
    pub plan: LoginPlan,
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
        let (pool, plan) = (&self.pool, &self.plan);
        let found = users::get_locked(tx, pool, &self.user).await?.filter(|user| user.merged_into.is_none());
        let Some(user) = found else { return Ok(PasswordLogin::Changed) };
        if passwords::get(tx, pool, &user.id).await?.as_ref() != Some(&self.verified) {
            return Ok(PasswordLogin::Changed);
        }
        // Whoever guesses many at once does not gain by it.
        if self.lock.is_full(tx, plan.trace.at).await? {
            return Ok(PasswordLogin::Locked);
        }
        let mut events = plan.trace.recorder();
        if let Some(refused) = refuse_unusable(tx, &mut events, &user, plan.method).await? {
            return Ok(PasswordLogin::Login(Box::new(refused)));
        }
        if let Some(rehash) = &self.rehash {
            passwords::rehash(tx, pool, &user.id, &self.verified, rehash).await?;
        }
        let user = finish::count_login(tx, plan, pool, &user.id).await?;
        let outcome = finish::finish(tx, plan, &mut events, user, LoginProgress::default()).await?;
        Ok(PasswordLogin::Login(Box::new(outcome)))
    }
}
