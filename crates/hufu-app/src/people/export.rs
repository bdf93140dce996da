//! Exporting a user's own data, and listing their activity.

pub mod unit;

use async_recursion::async_recursion as boxed;
use hufu_store::audit::OwnEvent;
use hufu_store::rates::{self, Hit};
use hufu_types::refusal::Code;
use hufu_types::{Action, EventId, Timestamp};
use serde_json::json;

use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};
use unit::{ListActivity, OwnData, ReadOwnData, RecordExport};

/// How many entries of the audit log an export includes, latest first. An administrator can provide older
/// ones.
const MAX_EVENTS: i64 = 10_000;
/// The maximum page size for entries of the audit log.
const MAX_PAGE_SIZE: i64 = 100;

/// A user's own data.
#[derive(Debug)]
pub struct OwnExport {
    /// The data.
    pub data: OwnData,
    /// When the data was read.
    pub at: Timestamp,
}

impl App {
    /// All data kept about the user. The export is recorded in the audit log.
    ///
    /// # Errors
    /// [`Code::LoginTooOld`], [`Code::TooOften`].
    #[boxed]
    pub async fn export_own_data(&self, who: &Authenticated) -> Result<OwnExport, Refusal> {
        if let Err(refusal) = self.admit_export(who).await {
            return Err(self
                .refused(who, self.trace_of(who), Action::DataExported, json!({}), refusal)
                .await);
        }
        let now = self.now();
        // Recorded first, so that the export includes this entry.
        let (pool, user) = (who.pool().clone(), who.user.clone());
        self.write(RecordExport { pool: pool.clone(), user: user.clone(), trace: self.trace_of(who) })
            .await?;
        let data = self.read(ReadOwnData { pool, user, events: MAX_EVENTS, now }).await?;
        Ok(OwnExport { data, at: now })
    }

    async fn admit_export(&self, who: &Authenticated) -> Result<(), Refusal> {
        self.require_recent_login(who)?;
        let name = format!("export:{}:{}", who.pool(), who.user);
        let (window, now) = (self.limits.export_window, self.now());
        let hits = self.write(Hit { name, amount: 1, window, now }).await?;
        if hits > self.limits.exports_per_user {
            let wait = rates::wait(window, now);
            return Err(Code::TooOften.retry_after(wait).because("exports of one's own data"));
        }
        Ok(())
    }

    /// The account's activity before an entry, latest first. `limit` is clamped to 1 to 100 entries.
    ///
    /// # Errors
    /// Database errors.
    #[boxed]
    pub async fn own_activity(
        &self,
        who: &Authenticated,
        before: Option<EventId>,
        limit: i64,
    ) -> Result<Vec<OwnEvent>, Refusal> {
        let limit = limit.clamp(1, MAX_PAGE_SIZE);
        self.read(ListActivity { pool: who.pool().clone(), user: who.user.clone(), before, limit }).await
    }
}
