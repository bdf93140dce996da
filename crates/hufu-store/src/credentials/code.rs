//! Logging in with a code, and unlocking an account with one.

use hufu_types::refusal::Code;
use hufu_types::{Action, PhoneProof, PoolId, User, UserId};
use serde_json::json;

use super::password::unlock;
use super::{Guess, Judged, owner, record_refused_login, refuse_unusable, release};
use crate::events::{Event, Trace};
use crate::logins::{self, Came, LoginOutcome, Ticket};
use crate::passcodes::Target;
use crate::{StoreError, Tx, Write, users};

/// Logs whoever is proved by a code in; makes their account, where there is none and that is permitted.
#[derive(Clone, Debug)]
pub struct LogInByCode {
    /// The pool.
    pub pool: PoolId,
    /// What the code proves.
    pub target: Target,
    /// The code.
    pub guess: Guess,
    /// Whether the person wants an account to be made.
    pub create: bool,
    /// The id of the account, if one must be made.
    pub candidate: UserId,
    /// What is written.
    pub ticket: Ticket,
}

/// What came of it.
#[derive(Debug)]
pub enum CodeLogin {
    /// The code was right: as with every login.
    Login(Box<LoginOutcome>),
    /// The code is wrong.
    WrongCode,
    /// Too many wrong codes came from the address.
    TooOften,
}

impl Write for LogInByCode {
    type Out = CodeLogin;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<CodeLogin, StoreError> {
        let (pool, ticket, now) = (&self.pool, &self.ticket, self.ticket.trace.at);
        let mut events = ticket.trace.recorder();
        let by = ticket.method;
        let purpose = match self.guess.judge(tx, pool, now).await? {
            Judged::Right(purpose) => purpose,
            Judged::TooOften => return Ok(CodeLogin::TooOften),
            Judged::Wrong => {
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
            let user = logins::count(tx, ticket, pool, &user.id).await?;
            let outcome = logins::finish(tx, ticket, &mut events, user, Came::default()).await?;
            return Ok(CodeLogin::Login(Box::new(outcome)));
        }
        let refused = match (self.create, ticket.settings.registration) {
            (true, true) => None,
            (true, false) => Some((Code::RegistrationOff.number(), LoginOutcome::RegistrationOff)),
            (false, _) => Some((Code::Stranger.number(), LoginOutcome::Stranger)),
        };
        if let Some((code, outcome)) = refused {
            record_refused_login(tx, &mut events, pool, None, code, by).await?;
            return Ok(CodeLogin::Login(Box::new(outcome)));
        }
        // Whoever proves it takes it from whoever only wrote it.
        release(tx, &mut events, pool, &self.target, &self.candidate, now).await?;
        let user = new_user(pool, &self.candidate, ticket, &self.target);
        users::insert(tx, &user, None).await?;
        let created = Event::of(Action::UserCreated, &user.id).with(json!({ "by": by }));
        events.record(tx, pool, created).await?;
        let came = Came { newly_created: true, ..Came::default() };
        let outcome = logins::finish(tx, ticket, &mut events, user, came).await?;
        Ok(CodeLogin::Login(Box::new(outcome)))
    }
}

fn new_user(pool: &PoolId, id: &UserId, ticket: &Ticket, proved: &Target) -> User {
    let now = ticket.trace.at;
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
        last_ip: ticket.session.ip.clone(),
        last_application: Some(ticket.session.application.clone()),
        ..User::new(pool.clone(), id.clone(), ticket.method, now)
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
        let purpose = match self.guess.judge(tx, pool, now).await? {
            Judged::Right(purpose) => purpose,
            Judged::TooOften => return Ok(Unlocked::TooOften),
            Judged::Wrong => {
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
