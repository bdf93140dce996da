//! Logins that waited for a step that nobody took.

use std::sync::Arc;

use hufu_store::flows::{self, Expired};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::{EventId, Timestamp};

use super::finish::record_abandoned;
use crate::events::{Actor, Trace};
use crate::{App, Config};

/// How many waiting logins one unit of work ends.
const ENDED_AT_ONCE: usize = 200;
/// The maximum number of units in one sweep.
const ENDING_UNITS: usize = 50;

impl App {
    /// Ends the waiting logins that have expired, and records them in the audit log.
    pub(crate) async fn end_expired_flows(&self) -> Result<(), StoreError> {
        let now = self.now();
        for _ in 0..ENDING_UNITS {
            let ids = (0..ENDED_AT_ONCE).map(|_| EventId::generate(now, &*self.random)).collect();
            let ended = self.store.write(EndExpired { now, ids, config: self.config() }).await?;
            if ended < ENDED_AT_ONCE {
                break;
            }
        }
        Ok(())
    }
}

struct EndExpired {
    now: Timestamp,
    /// The first id of the events of each login.
    ids: Vec<EventId>,
    config: Arc<Config>,
}

impl Write for EndExpired {
    /// How many logins were ended.
    type Out = usize;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize, StoreError> {
        let limit = i64::try_from(self.ids.len()).unwrap_or(i64::MAX);
        let expired = flows::sweep(tx, self.now, limit).await?;
        for (flow, id) in expired.iter().zip(&self.ids) {
            let Expired { pool, application, connection, state } = flow;
            let trace = Trace {
                actor: Some(Actor::system()),
                application: Some(application.clone()),
                connection: connection.clone(),
                ip: None,
                user_agent: None,
                request_id: None,
                at: self.now,
                first: id.clone(),
                subscribers: self.config.subscribers(pool),
            };
            record_abandoned(tx, &mut trace.recorder(), pool, state, "expired").await?;
        }
        Ok(expired.len())
    }
}
