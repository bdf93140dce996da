//! Where a request comes from, and what the audit log keeps of it and of what was refused.
//!
//! What a unit of work refuses it writes itself, in its own transaction. Here is written what is refused before a unit
//! begins: by WeChat, or because a login is too old. Of one address so much is written as failed logins of it are
//! looked at, so that nobody can fill the log.

use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::Code;
use hufu_types::{Action, ApplicationId, ConnectionId, EventId, PoolId, UserId};
use serde_json::{Value as Json, json};

use crate::events::{Actor, Event, Trace};
use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};

/// Where a request comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The address of the client.
    pub ip: Option<String>,
    /// The client, as it calls itself; cut to 256 characters.
    pub user_agent: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
}

impl App {
    /// What all events of one deed have in common.
    pub(crate) fn trace(
        &self,
        pool: &PoolId,
        actor: Option<Actor>,
        application: Option<&ApplicationId>,
        connection: Option<&ConnectionId>,
        origin: &Origin,
    ) -> Trace {
        let at = self.now();
        Trace {
            actor,
            application: application.cloned(),
            connection: connection.cloned(),
            ip: origin.ip.clone(),
            user_agent: origin.user_agent.clone(),
            request_id: origin.request_id.clone(),
            at,
            first: EventId::generate(at, &*self.random),
            subscribers: self.config.load().subscribers(pool),
        }
    }

    /// What all events of a person's own deed have in common.
    pub(crate) fn trace_of(&self, who: &Authenticated) -> Trace {
        let application = Some(&who.application.id);
        self.trace(who.pool(), Some(Actor::user(&who.user)), application, None, &who.origin)
    }

    /// Writes a refusal to the audit log.
    pub(crate) async fn record_refusal(
        &self,
        pool: &PoolId,
        trace: Trace,
        action: Action,
        user: Option<UserId>,
        code: u32,
        reason: &str,
    ) -> Result<(), Refusal> {
        let (pool, details) = (pool.clone(), json!({ "reason": reason }));
        let unit = RecordRefusal { pool, trace, action, user, code, details, guesses: None, left: 0 };
        self.write(unit).await.map(drop)
    }

    /// Writes to the audit log that somebody who is logged in was refused something, and hands the refusal on. What
    /// is no judgement about anybody, such as a malformed request, is not written.
    pub(crate) async fn refused(
        &self,
        who: &Authenticated,
        trace: Trace,
        action: Action,
        details: Json,
        refusal: Refusal,
    ) -> Refusal {
        let Some(code) = code_of(&refusal) else { return refusal };
        let left = self.failures.remaining_records(who.pool(), trace.ip.as_deref());
        let (pool, user) = (who.pool().clone(), Some(who.user.clone()));
        let unit = RecordRefusal { pool, trace, action, user, code, details, guesses: None, left };
        if !unit.must_be_recorded() {
            return refusal;
        }
        self.write(unit).await.err().unwrap_or(refusal)
    }
}

/// Writes a refusal, unless so many of the address were written in this window already: the first that is too many
/// says that more come, and those after it are not written.
pub(crate) struct RecordRefusal {
    pub(crate) pool: PoolId,
    pub(crate) trace: Trace,
    pub(crate) action: Action,
    pub(crate) user: Option<UserId>,
    pub(crate) code: u32,
    pub(crate) details: Json,
    /// The bucket in which it counts as a guess, which then says how many more are written.
    pub(crate) guesses: Option<Limit>,
    /// How many more of the address are written, where it is no guess.
    pub(crate) left: i64,
}

impl RecordRefusal {
    /// Whether there is anything to do.
    pub(crate) fn must_be_recorded(&self) -> bool {
        self.guesses.is_some() || self.left >= -1
    }
}

impl Write for RecordRefusal {
    /// How many more the bucket holds; below zero where it held no more.
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let left = match &self.guesses {
            Some(limit) => limit.hit(tx, self.trace.at).await?,
            None => self.left,
        };
        if left < -1 {
            return Ok(left);
        }
        let mut details = self.details.clone();
        if let Some(details) = details.as_object_mut().filter(|_| left < 0) {
            details.insert("more".to_owned(), true.into());
        }
        let event = Event { action: self.action, code: self.code, user: self.user.as_ref(), details };
        self.trace.recorder().record(tx, &self.pool, event).await?;
        Ok(left)
    }
}

/// The code that a refusal has in the audit log, the same as clients get; nothing for what says nothing about
/// anybody: a request that is malformed or names what is not there, and what broke on our side.
pub(crate) fn code_of(refusal: &Refusal) -> Option<u32> {
    let says_something = matches!(
        refusal.code(),
        Code::CodeUsed
            | Code::CodeInvalid
            | Code::PhoneCodeInvalid
            | Code::Denied
            | Code::Misconfigured
            | Code::AppDown
            | Code::WechatLimit
            | Code::TooOften
            | Code::WechatSlow
            | Code::WechatDown
            | Code::WechatNonsense
            | Code::DataUndecryptable
            | Code::PhoneMalformed
            | Code::NoAccount
            | Code::RegistrationOff
            | Code::SnapshotUser
            | Code::Disabled
            | Code::DeletionPending
            | Code::NotLoggedIn
            | Code::Disagreement
            | Code::LoginTooOld
            | Code::SameAccount
    );
    says_something.then(|| refusal.number())
}
