//! Logging in an account that confirmed the login in the pool's own app.

use hufu_store::{StoreError, Tx, Write, users};
use hufu_types::{PoolId, UserId};

use super::finish::{self, LoginOutcome, LoginPlan, LoginProgress, refuse_unusable};

/// Logs in an account that confirmed in the pool's own app.
#[derive(Clone)]
pub struct LogInByTicket {
    /// The account.
    pub user: UserId,
    /// The pool.
    pub pool: PoolId,
    /// What the login writes.
    pub plan: LoginPlan,
}

/// The outcome of [`LogInByTicket`].
#[derive(Debug)]
pub enum TicketLogin {
    /// The rest is as for every login.
    Login(Box<LoginOutcome>),
    /// There is no such account any more.
    Gone,
}

impl Write for LogInByTicket {
    type Out = TicketLogin;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<TicketLogin, StoreError> {
        let (pool, plan) = (&self.pool, &self.plan);
        let found = users::get_locked(tx, pool, &self.user).await?;
        let Some(user) = found.filter(|user| user.merged_into.is_none()) else {
            return Ok(TicketLogin::Gone);
        };
        let mut events = plan.trace.recorder();
        if let Some(refused) = refuse_unusable(tx, &mut events, &user, plan.method).await? {
            return Ok(TicketLogin::Login(Box::new(refused)));
        }
        let user = finish::count_login(tx, plan, pool, &user.id).await?;
        let outcome = finish::finish(tx, plan, &mut events, user, LoginProgress::default()).await?;
        Ok(TicketLogin::Login(Box::new(outcome)))
    }
}
