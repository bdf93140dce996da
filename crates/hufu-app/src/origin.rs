//! Where a request comes from, and how refusals are recorded in the audit log.
//!
//! A unit of work records its own refusals, in its own transaction. This module records what is refused
//! before a unit begins: by WeChat, or because a login is too old. The number of records per address is
//! capped at the limit for failed logins, so that nobody can flood the log.

use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::Code;
use hufu_types::{Action, ApplicationId, ConnectionId, EventId, PoolId, TokenHash, UserId};
use serde_json::{Value as Json, json};

use crate::events::{Actor, Event, Trace};
use crate::{App, Refusal};

/// Where a request comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The client's IP address.
    pub ip: Option<String>,
    /// The client's user agent, truncated to 256 characters.
    pub user_agent: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// The hash of the secret that marks the browser, if one submitted a form. A login that waits goes on in the same
    /// browser only.
    pub browser: Option<TokenHash>,
    /// Whether nobody is logged in to the browser, so that a login may answer the authorization request that it is for.
    pub is_alone: bool,
}

impl App {
    /// The context that all events of one operation share.
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

    /// Records a refusal in the audit log.
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
}

/// Records a refusal, unless the address has reached its limit for this window. The first record beyond the
/// limit is marked with `more`; the ones after it are not written.
pub(crate) struct RecordRefusal {
    pub(crate) pool: PoolId,
    pub(crate) trace: Trace,
    pub(crate) action: Action,
    pub(crate) user: Option<UserId>,
    pub(crate) code: u32,
    pub(crate) details: Json,
    /// The bucket that counts it as a guess, if it is one. The bucket then determines how many more are
    /// recorded.
    pub(crate) guesses: Option<Limit>,
    /// How many more are recorded for this address, if it is not a guess.
    pub(crate) left: i64,
}

impl RecordRefusal {
    /// Whether the unit has anything to write.
    pub(crate) fn must_be_recorded(&self) -> bool {
        self.guesses.is_some() || self.left >= -1
    }
}

impl Write for RecordRefusal {
    /// How many more are allowed. Negative if the limit is exceeded.
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

/// The code under which a refusal is recorded, the same one that clients get. `None` for refusals that say
/// nothing about the user: malformed requests, requests that name something nonexistent, and server errors.
pub(crate) fn code_of(refusal: &Refusal) -> Option<u32> {
    let says_something = matches!(
        refusal.code(),
        Code::CodeUsed
            | Code::CodeInvalid
            | Code::PhoneCodeInvalid
            | Code::Denied
            | Code::Misconfigured
            | Code::AppDown
            | Code::ConnectionUnavailable
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
