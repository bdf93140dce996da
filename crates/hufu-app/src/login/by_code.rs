//! Logging in with a code.

use hufu_store::passcodes::Target;
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::Code;
use hufu_types::{PhoneProof, PoolId, User, UserId};
use serde_json::json;

use super::finish::{self, LoginOutcome, LoginPlan, LoginProgress, record_refused_login, refuse_unusable};
use crate::credentials::guess::{CodeCheck, Guess};
use crate::people::accounts::{self, NewAccount};
use crate::people::holders::owner;

/// Logs in the owner of the phone number or e-mail address that a code proves. Creates an account if there is
/// none and this is permitted.
#[derive(Clone, Debug)]
pub struct LogInByCode {
    /// The pool.
    pub pool: PoolId,
    /// The phone number or e-mail address that the code proves.
    pub target: Target,
    /// The code.
    pub guess: Guess,
    /// Whether to create an account if none exists.
    pub create: bool,
    /// The id of the account, if one is created.
    pub candidate: UserId,
    /// What the login writes.
    pub plan: LoginPlan,
}

/// The outcome of a login with a code.
#[derive(Debug)]
pub enum CodeLogin {
    /// The code was right. The rest is as for every login.
    Login(Box<LoginOutcome>),
    /// The code is wrong.
    WrongCode,
    /// Too many wrong codes came from this IP address.
    TooOften,
}

impl Write for LogInByCode {
    type Out = CodeLogin;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<CodeLogin, StoreError> {
        let (pool, plan, now) = (&self.pool, &self.plan, self.plan.trace.at);
        let mut events = plan.trace.recorder();
        let by = plan.method;
        let purpose = match self.guess.check(tx, pool, now).await? {
            CodeCheck::Right(purpose) => purpose,
            CodeCheck::TooOften => return Ok(CodeLogin::TooOften),
            CodeCheck::Wrong => {
                let owner = owner(tx, pool, &self.target).await?.map(|user| user.id);
                record_refused_login(tx, &mut events, pool, owner.as_ref(), Code::WrongCode.number(), by)
                    .await?;
                return Ok(CodeLogin::WrongCode);
            }
        };
        self.guess.spend(tx, pool, purpose).await?;
        if let Some(user) = owner(tx, pool, &self.target).await? {
            if let Some(refused) = refuse_unusable(tx, &mut events, &user, by).await? {
                return Ok(CodeLogin::Login(Box::new(refused)));
            }
            let user = finish::count_login(tx, plan, pool, &user.id).await?;
            let outcome = finish::finish(tx, plan, &mut events, user, LoginProgress::default()).await?;
            return Ok(CodeLogin::Login(Box::new(outcome)));
        }
        let refused = match (self.create, plan.settings.registration) {
            (true, true) => None,
            (true, false) => Some((Code::RegistrationOff.number(), LoginOutcome::RegistrationOff)),
            (false, _) => Some((Code::NoAccount.number(), LoginOutcome::LoginOnly)),
        };
        if let Some((code, outcome)) = refused {
            record_refused_login(tx, &mut events, pool, None, code, by).await?;
            return Ok(CodeLogin::Login(Box::new(outcome)));
        }
        let user = new_user(pool, &self.candidate, plan, &self.target);
        accounts::create(tx, &mut events, NewAccount::of(&user), json!({ "by": by })).await?;
        let progress = LoginProgress { newly_created: true, ..LoginProgress::default() };
        let outcome = finish::finish(tx, plan, &mut events, user, progress).await?;
        Ok(CodeLogin::Login(Box::new(outcome)))
    }
}

fn new_user(pool: &PoolId, id: &UserId, plan: &LoginPlan, proved: &Target) -> User {
    let now = plan.trace.at;
    let (phone, email) = match proved {
        Target::Phone(phone) => (Some((phone.clone(), PhoneProof::Code)), None),
        Target::Email(email) => (None, Some(email.clone())),
    };
    User {
        phone,
        email_verified: email.is_some(),
        email,
        logins_count: 1,
        last_login_at: Some(now),
        last_ip: plan.session.ip.clone(),
        last_application: Some(plan.session.application.clone()),
        ..User::new(pool.clone(), id.clone(), plan.method, now)
    }
}
