//! The unit of keeping a code and queueing its message.

use std::time::Duration;

use hufu_store::jobs::{self, NewJob};
use hufu_store::passcodes::{self, Addressed, Target};
use hufu_store::rates::{self, Limit};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::{Action, PasscodePurpose, PoolId, Timestamp, TokenHash};
use serde_json::json;

use crate::events::{Event, Trace};
use crate::people::holders::owner;

/// Keeps a code and queues its message.
#[derive(Clone, Debug)]
pub(super) struct SendCode {
    /// The pool.
    pub(super) pool: PoolId,
    /// Where it goes.
    pub(super) target: Target,
    /// The keyed hash of that.
    pub(super) to: Addressed,
    /// What it is for.
    pub(super) purpose: PasscodePurpose,
    /// The keyed hash of the code.
    pub(super) code: TokenHash,
    /// When the code ends.
    pub(super) expires_at: Timestamp,
    /// What counts messages.
    pub(super) limits: Vec<Limit>,
    /// The name of the pause between two messages to one target.
    pub(super) pause: String,
    /// Its length.
    pub(super) pause_length: Duration,
    /// The message.
    pub(super) job: NewJob,
    /// What is queued in its place where nobody is to get one: as much work, and no message.
    pub(super) decoy_payload: Option<Vec<u8>>,
    /// For whom, from where and when.
    pub(super) trace: Trace,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is queued.
    Queued,
    /// Too many were sent.
    TooOften,
}

impl Write for SendCode {
    type Out = Sent;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Sent, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        if rates::admit(tx, &self.limits, now).await?.is_some() {
            return Ok(Sent::TooOften);
        }
        // The last of the checks: an address that is refused for itself makes nobody else wait.
        if !rates::pause(tx, &self.pause, self.pause_length, now).await? {
            rates::refund(tx, &self.limits, now).await?;
            return Ok(Sent::TooOften);
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
