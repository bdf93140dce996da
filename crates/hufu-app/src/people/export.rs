//! What is kept about a person, for that person.

pub mod unit;

use async_recursion::async_recursion as boxed;
use hufu_store::audit::OwnEvent;
use hufu_store::rates::Hit;
use hufu_types::refusal::Code;
use hufu_types::{Action, EventId, Timestamp};
use serde_json::json;

use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};
use unit::{ListActivity, OwnData, ReadOwnData, RecordExport};

/// Entries of the audit log in an export, the latest; older ones are on request of an administrator.
const MAX_EVENTS: i64 = 10_000;
/// Entries of the audit log on one page.
const MAX_PAGE_SIZE: i64 = 100;

/// One's own data.
#[derive(Debug)]
pub struct OwnExport {
    /// The data.
    pub data: OwnData,
    /// When it was read.
    pub at: Timestamp,
}

impl App {
    /// All that is kept about the person. The audit log says that it was taken out.
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
        // Written first: the entry is part of what is read.
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
            return Err(Code::TooOften.because("exports of one's own data"));
        }
        Ok(())
    }

    /// What happened to one's own account before an entry, latest first: at most `limit` entries, never more than
    /// a hundred.
    ///
    /// # Errors
    /// Those of the database.
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
