//! Where a request comes from, and what the audit log keeps of it.

use hufu_store::events::{Actor, Event, Trace};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::{Action, ApplicationId, ConnectionId, EventId, PoolId, UserId};
use serde_json::json;

use crate::authentication::Authenticated;
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
        let unit = RecordRefusal { pool: pool.clone(), trace, action, user, code, reason: reason.to_owned() };
        self.write(unit).await
    }
}

struct RecordRefusal {
    pool: PoolId,
    trace: Trace,
    action: Action,
    user: Option<UserId>,
    code: u32,
    reason: String,
}

impl Write for RecordRefusal {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let event = Event {
            action: self.action,
            code: self.code,
            user: self.user.as_ref(),
            details: json!({ "reason": self.reason }),
        };
        self.trace.recorder().record(tx, &self.pool, event).await
    }
}
