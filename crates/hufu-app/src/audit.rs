//! The audit log: reading, exporting and expiring entries.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_recursion::async_recursion as boxed;
use futures::Stream;
use hufu_store::StoreError;
use hufu_store::audit::{DeleteEvents, GetEvent, ListEvents};
use hufu_store::statistics::ReadSettled;
use hufu_store::{Tx, Write};
use hufu_types::refusal::Code;
use hufu_types::{Action, ApplicationId, ConnectionId, EventId, Permission, PoolId, UserId};
use serde_json::{Value as Json, json};

use crate::administration::AdminCaller;
use crate::events::{Event, Trace};
use crate::{App, Refusal};

pub use hufu_store::audit::{AuditEvent, AuditFilter, Outcome};

/// Maximum number of entries per page.
const MAX_PAGE_SIZE: usize = 200;
/// Entries that an export reads at a time.
const EXPORT_PAGE: i64 = 500;
/// Maximum number of entries that one unit of work deletes.
const FORGOTTEN_AT_ONCE: u64 = 2000;
/// Maximum number of pools that one sweep checks. With ten thousand pools, each is checked about once an
/// hour.
const POOLS_PER_SWEEP: usize = 200;
/// Maximum number of deletion units per pool in one sweep.
const FORGETTING_UNITS: usize = 20;
/// A day in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A page of the audit log, newest entry first.
#[derive(Clone, Debug)]
pub struct AuditPage {
    /// The entries.
    pub events: Vec<AuditEvent>,
    /// Pass this as `before` to get the next page, which may be empty. Absent if there is none.
    pub next: Option<EventId>,
}

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object per line, in the form that [`audit_json`] returns.
    JsonLines,
    /// RFC 4180, with a header line. A cell that a spreadsheet would treat as a formula is prefixed with `'`.
    Csv,
}

impl App {
    /// Audit log entries of a pool that are older than `before`, newest first: at most `limit` (up to 200).
    ///
    /// # Errors
    /// The refusals of [`Self::permit`].
    #[boxed]
    pub async fn audit_events(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        filter: &AuditFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<AuditPage, Refusal> {
        self.permit(by, Permission::ReadAudit, pool).await?;
        let limit = limit.clamp(1, MAX_PAGE_SIZE);
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let unit = ListEvents { pool: pool.clone(), filter: filter.clone(), before, limit: rows };
        let events = self.read(unit).await?;
        let next = events.last().filter(|_| events.len() == limit).map(|last| last.id.clone());
        Ok(AuditPage { events, next })
    }

    /// One entry of a pool's audit log.
    ///
    /// # Errors
    /// `Code::NoSuch`, and the refusals of [`Self::permit`].
    #[boxed]
    pub async fn audit_event(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &EventId,
    ) -> Result<AuditEvent, Refusal> {
        self.permit(by, Permission::ReadAudit, pool).await?;
        self.read(GetEvent(pool.clone(), id.clone())).await?.ok_or_else(|| Code::NoSuchEvent.into())
    }

    /// Exports the audit log of a pool, newest first and in pieces, so that memory use stays constant. The
    /// export itself is recorded in the log before the first piece is returned.
    ///
    /// # Errors
    /// The refusals of [`Self::permit`].
    pub async fn export_audit(
        self: &Arc<Self>,
        by: &AdminCaller,
        pool: &PoolId,
        filter: AuditFilter,
        format: ExportFormat,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Refusal>> + Send + use<>, Refusal> {
        self.permit(by, Permission::ReadAudit, pool).await?;
        self.check_recent_login(by)?;
        let details = json!({ "format": format.as_str(), "filter": filter_details(&filter) });
        self.write(RecordExport { pool: pool.clone(), trace: self.trace_by(pool, by), details }).await?;
        let export = Export {
            app: Arc::clone(self),
            list: ListEvents { pool: pool.clone(), filter, before: None, limit: EXPORT_PAGE },
            format,
            begun: false,
            over: false,
        };
        Ok(futures::stream::try_unfold(export, Export::next))
    }

    /// Deletes entries older than the retention period of their pool, once they are in its statistics. If there are more pools than one sweep may check, the sweeps go through them in turn.
    pub(crate) async fn forget_audit(&self) -> Result<(), StoreError> {
        let (config, now) = (self.config(), self.now());
        let pools: Vec<&PoolId> = config.pools().collect();
        let first = self.audit_turn.fetch_add(POOLS_PER_SWEEP, Ordering::Relaxed) % pools.len().max(1);
        for pool in pools.iter().copied().cycle().skip(first).take(pools.len().min(POOLS_PER_SWEEP)) {
            let days = i64::from(config.settings(pool).audit_days);
            let old = hufu_types::Timestamp(now.0.saturating_sub(days.saturating_mul(DAY)));
            // What is not counted yet stays.
            let Some(counted) = self.store.read(ReadSettled(pool.clone())).await? else { continue };
            let before = old.min(counted);
            let limit = i64::try_from(FORGOTTEN_AT_ONCE).unwrap_or(i64::MAX);
            for _ in 0..FORGETTING_UNITS {
                let forgotten = self.store.write(DeleteEvents { pool: pool.clone(), before, limit }).await?;
                if forgotten < FORGOTTEN_AT_ONCE {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// An entry in the form used by `/admin/v1` and by exports.
pub fn audit_json(event: &AuditEvent) -> Json {
    json!({
        "id": event.id.as_str(),
        "time": event.at.to_iso(),
        "action": event.action,
        "code": event.code,
        "actor": { "kind": event.actor_kind, "id": event.actor_id },
        "userId": event.user,
        "applicationId": event.application,
        "connectionId": event.connection,
        "ip": event.ip,
        "userAgent": event.user_agent,
        "requestId": event.request_id,
        "details": event.details,
    })
}

impl ExportFormat {
    /// The name used in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// Parses the name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::JsonLines, Self::Csv].into_iter().find(|format| format.as_str() == text)
    }

    /// The media type of an export.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::JsonLines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

struct RecordExport {
    pool: PoolId,
    trace: Trace,
    details: Json,
}

impl Write for RecordExport {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let details = self.details.clone();
        let event = Event { action: Action::AuditExported, code: 0, user: None, details };
        self.trace.recorder().record(tx, &self.pool, event).await
    }
}

fn filter_details(filter: &AuditFilter) -> Json {
    let outcome = filter.outcome.map(|outcome| match outcome {
        Outcome::Done => json!("done"),
        Outcome::Refused => json!("refused"),
        Outcome::Code(code) => json!(code),
    });
    json!({
        "userId": filter.user.as_ref().map(UserId::as_str),
        "actions": filter.actions.iter().map(|action| action.as_str()).collect::<Vec<_>>(),
        "actor": filter.actor,
        "applicationId": filter.application.as_ref().map(ApplicationId::as_str),
        "connectionId": filter.connection.as_ref().map(ConnectionId::as_str),
        "ip": filter.ip,
        "outcome": outcome,
        "from": filter.from.map(hufu_types::Timestamp::to_iso),
        "to": filter.to.map(hufu_types::Timestamp::to_iso),
    })
}

/// An export in progress.
struct Export {
    app: Arc<App>,
    list: ListEvents,
    format: ExportFormat,
    begun: bool,
    over: bool,
}

impl Export {
    async fn next(mut self) -> Result<Option<(Vec<u8>, Self)>, Refusal> {
        if self.over {
            return Ok(None);
        }
        let events = self.app.read(self.list.clone()).await?;
        self.over = i64::try_from(events.len()).unwrap_or(i64::MAX) < EXPORT_PAGE;
        self.list.before = events.last().map(|last| last.id.clone());
        let mut text = String::new();
        if self.format == ExportFormat::Csv && !self.begun {
            csv_line(&mut text, CSV_NAMES.iter().copied());
        }
        self.begun = true;
        for event in &events {
            match self.format {
                ExportFormat::JsonLines => {
                    text.push_str(&audit_json(event).to_string());
                    text.push('\n');
                }
                ExportFormat::Csv => csv_event(&mut text, event),
            }
        }
        Ok(Some((text.into_bytes(), self)))
    }
}

const CSV_NAMES: [&str; 13] = [
    "id",
    "time",
    "action",
    "code",
    "actorKind",
    "actorId",
    "userId",
    "applicationId",
    "connectionId",
    "ip",
    "userAgent",
    "requestId",
    "details",
];

fn csv_event(text: &mut String, event: &AuditEvent) {
    let (time, code, details) = (event.at.to_iso(), event.code.to_string(), event.details.to_string());
    let cells: [&str; CSV_NAMES.len()] = [
        event.id.as_str(),
        &time,
        &event.action,
        &code,
        &event.actor_kind,
        event.actor_id.as_deref().unwrap_or_default(),
        event.user.as_deref().unwrap_or_default(),
        event.application.as_deref().unwrap_or_default(),
        event.connection.as_deref().unwrap_or_default(),
        event.ip.as_deref().unwrap_or_default(),
        event.user_agent.as_deref().unwrap_or_default(),
        event.request_id.as_deref().unwrap_or_default(),
        &details,
    ];
    csv_line(text, cells.into_iter());
}

/// Writes a line according to RFC 4180. Text that clients supply about themselves could be crafted as a
/// spreadsheet formula. Such a cell gets a leading `'`, which spreadsheets treat as a text marker.
fn csv_line<'c>(text: &mut String, cells: impl Iterator<Item = &'c str>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            text.push(',');
        }
        let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
        let quoted = formula || cell.contains(['"', ',', '\r', '\n']);
        if quoted {
            text.push('"');
        }
        if formula {
            text.push('\'');
        }
        text.push_str(&cell.replace('"', "\"\""));
        if quoted {
            text.push('"');
        }
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_text_whatever_they_begin_with() {
        let mut text = String::new();
        csv_line(
            &mut text,
            ["a", "=1+1", "+86", "-1", "@x", "a,b", "say \"hi\"", "two\nlines", ""].into_iter(),
        );
        assert_eq!(
            text,
            "a,\"'=1+1\",\"'+86\",\"'-1\",\"'@x\",\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\r\n"
        );
    }
}
