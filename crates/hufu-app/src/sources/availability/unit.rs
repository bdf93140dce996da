//! Units of work that mark a connection as unavailable and take the mark off.

use hufu_store::jobs::{self, NewJob};
use hufu_store::outages::{self, Outage};
use hufu_store::{StoreError, Tx, Write, versions};
use hufu_types::{Action, ConnectionId, Identifier, PoolId, Timestamp};
use serde_json::json;

use super::{PROBE_JOB, Probed};
use crate::events::{Event, Trace};

/// Marks a connection as unavailable, and queues the job that ends that.
pub(super) struct MarkUnavailable {
    pub(super) outage: Outage,
    pub(super) identifier: Identifier,
    pub(super) probe_at: Timestamp,
    pub(super) trace: Trace,
}

impl Write for MarkUnavailable {
    /// Whether this is news.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Outage { pool, connection, errcode, rid, since } = &self.outage;
        if !outages::insert(tx, &self.outage).await? {
            return Ok(false);
        }
        let mut events = self.trace.recorder();
        let details = json!({ "connection": self.identifier.as_str(), "errcode": errcode, "rid": rid });
        let event = Event { action: Action::ConnectionUnavailable, code: 0, user: None, details };
        events.record(tx, pool, event).await?;
        let job = NewJob {
            id: events.job_id()?,
            kind: PROBE_JOB,
            pool: pool.clone(),
            payload: serde_json::to_vec(&Probed { connection: connection.clone(), since: since.0 })?,
            run_at: self.probe_at,
        };
        jobs::enqueue(tx, &job).await?;
        versions::pools_changed(tx, [pool]).await?;
        Ok(true)
    }
}

/// Takes the mark off a connection.
pub(super) struct MarkAvailable {
    pub(super) pool: PoolId,
    pub(super) connection: ConnectionId,
    pub(super) identifier: Identifier,
    pub(super) trace: Trace,
}

impl Write for MarkAvailable {
    /// Whether there was one.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        if !outages::delete(tx, &self.pool, &self.connection).await? {
            return Ok(false);
        }
        let details = json!({ "connection": self.identifier.as_str() });
        let event = Event { action: Action::ConnectionRestored, code: 0, user: None, details };
        self.trace.recorder().record(tx, &self.pool, event).await?;
        versions::pools_changed(tx, [&self.pool]).await?;
        Ok(true)
    }
}
