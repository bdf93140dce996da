//! The unit of work that stores a code and queues its message.

use std::time::Duration;

use hufu_store::jobs::{self, NewJob};
use hufu_store::passcodes::{self, Addressed, Target};
use hufu_store::rates::{self, Limit};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::{Action, PasscodePurpose, PoolId, Timestamp, TokenHash};
use serde_json::json;

use crate::events::{Event, Trace};
use crate::people::holders::owner;

/// Stores a code and queues its message.
#[derive(Clone, Debug)]
pub(super) struct SendCode {
    /// The pool.
    pub(super) pool: PoolId,
    /// The recipient.
    pub(super) target: Target,
    /// The keyed hash of the recipient.
    pub(super) to: Addressed,
    /// The purpose of the code.
    pub(super) purpose: PasscodePurpose,
    /// The keyed hash of the code.
    pub(super) code: TokenHash,
    /// When the code expires.
    pub(super) expires_at: Timestamp,
    /// The limits that count messages.
    pub(super) limits: Vec<Limit>,
    /// The name of the pause between two messages to one recipient.
    pub(super) pause: String,
    /// The length of the pause.
    pub(super) pause_length: Duration,
    /// The job that sends the message.
    pub(super) job: NewJob,
    /// The payload queued instead if there is no account to send to. It takes as much work, but sends
    /// nothing.
    pub(super) decoy_payload: Option<Vec<u8>>,
    /// For which application, from where and when.
    pub(super) trace: Trace,
}

/// The outcome of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The message is queued.
    Queued,
    /// Too many messages were sent. The next one may be sent after this time.
    TooOften(Duration),
}

impl Write for SendCode {
    type Out = Sent;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Sent, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        if let Some(full) = rates::admit(tx, &self.limits, now).await? {
            return Ok(Sent::TooOften(full.wait(now)));
        }
        // This check comes last, so that a client refused by its own limits does not make the recipient wait.
        if !rates::pause(tx, &self.pause, self.pause_length, now).await? {
            rates::refund(tx, &self.limits, now).await?;
            return Ok(Sent::TooOften(rates::pause_left(tx, &self.pause, now).await?));
        }
        let owner = owner(tx, pool, &self.target).await?;
        passcodes::put(tx, pool, &self.to, self.purpose, &self.code, now, self.expires_at).await?;
        let payload = self.decoy_payload.as_ref().filter(|_| owner.is_none()).unwrap_or(&self.job.payload);
        jobs::enqueue(tx, &NewJob { payload: payload.clone(), ..self.job.clone() }).await?;
        let details = json!({
            "channel": self.target.channel().as_str(),
            "purpose": self.purpose.as_str(),
            "to": self.target.masked(),
            "suppressed": self.decoy_payload.is_some() && owner.is_none(),
        });
        let user = owner.as_ref().map(|user| &user.id);
        let sent = Event { action: Action::CodeSent, code: 0, user, details };
        self.trace.recorder().record(tx, pool, sent).await?;
        Ok(Sent::Queued)
    }
}
