//! Logging in with a password that has been verified.

use hufu_store::{StoreError, Tx, Write, passwords, users};
use hufu_types::{PoolId, UserId};

use super::finish::{self, LoginOutcome, LoginPlan, LoginProgress, refuse_unusable};
use crate::credentials::locks::Counted;

/// Logs in an account whose password has been verified.
#[derive(Clone)]
pub struct LogInByPassword {
    /// The account.
    pub user: UserId,
    /// The pool.
    pub pool: PoolId,
    /// The hash that was verified.
    pub verified: String,
    /// A new hash of the same password with stronger parameters, if the stored one is outdated.
    pub rehash: Option<String>,
    /// The try, which is taken back.
    pub counted: Counted,
    /// What the login writes.
    pub plan: LoginPlan,
}

/// The outcome of a login with the right password.
#[derive(Debug)]
pub enum PasswordLogin {
    /// The rest is as for every login.
    Login(Box<LoginOutcome>),
    /// The account or its password changed while the password was being verified: start again.
    Changed,
}

impl Write for LogInByPassword {
    type Out = PasswordLogin;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<PasswordLogin, StoreError> {
        let (pool, plan) = (&self.pool, &self.plan);
        let found = users::get_locked(tx, pool, &self.user).await?.filter(|user| user.merged_into.is_none());
        self.counted.was_right(tx).await?;
        let Some(user) = found else { return Ok(PasswordLogin::Changed) };
        if passwords::get(tx, pool, &user.id).await?.as_ref() != Some(&self.verified) {
            return Ok(PasswordLogin::Changed);
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
