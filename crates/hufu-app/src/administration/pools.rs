//! The life of pools: switched off and on, removed, restored, and at the end deleted with everything in them.

use async_recursion::async_recursion as boxed;
use hufu_store::config::{self, Revised};
use hufu_store::pool_removal::{self, CountPool, Report, read_payload};
use hufu_store::{StoreError, Tx, Write, jobs, versions};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Action, ActorKind, JobId, Permission, Pool, PoolId, PoolState, Timestamp};
use serde_json::{Value as Json, json};

use super::AdminCaller;
use super::configuration::{ReadPool, show_pool};
use crate::configuration::document::Document;
use crate::configuration::{PoolChange, SetPoolState};
use crate::events::{Actor, Event, Trace};
use crate::jobs::JobOutcome;
use crate::{App, Origin, Refusal};

/// Whether a pool serves its users: a member of its document that nobody writes.
pub(super) const STATE: &str = "state";
/// When the rows of a removed pool go: a member of its document that nobody writes.
pub(super) const GOES_AT: &str = "goes_at";

/// What an administrator does with a pool as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolLife {
    /// Nobody logs in any more, and no token holds, until it is switched on.
    SwitchOff,
    /// It serves its users again.
    SwitchOn,
    /// It comes back as it was.
    Restore,
}

/// A pool that is removed, or what would be.
#[derive(Clone, Debug)]
pub struct Removal {
    /// What goes with it.
    pub report: Report,
    /// When. Until then it comes back.
    pub goes_at: Timestamp,
}

impl App {
    /// Switches a pool off or on, or restores it after its removal. This node acts on it at once, the others within their
    /// poll.
    ///
    /// # Errors
    /// [`Code::PoolRemoved`], [`Code::PoolNotRemoved`], [`Code::ObjectChanged`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn change_pool_life(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        life: PoolLife,
        revision: Option<i64>,
    ) -> Result<Document, Refusal> {
        self.permit_pool(by, Permission::WriteConfiguration, pool).await?;
        let change = match life {
            PoolLife::SwitchOff => PoolChange::Off,
            PoolLife::SwitchOn => PoolChange::On,
            PoolLife::Restore => PoolChange::Restore,
        };
        let operation = SetPoolState { id: pool.clone(), change, expected: revision };
        let show = |now: &_| self.show_served_pool(now);
        let now = self.reconfigure(by, operation).await?.unless_changed(show)?;
        Ok(now.as_ref().map(show).unwrap_or_default())
    }

    /// Removes a pool. It serves nobody from now on; its rows go after [`crate::Limits::pool_removal`]. Whoever removes it
    /// says its name. `dry_run` changes nothing.
    ///
    /// # Errors
    /// [`Code::Invalid`] for another name; [`Code::PoolRemoved`], [`Code::ObjectChanged`], and the refusals of
    /// [`App::permit`].
    #[boxed]
    pub async fn remove_pool(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        name: &str,
        dry_run: bool,
        revision: Option<i64>,
    ) -> Result<Removal, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        self.check_recent_login(by)?;
        let present = self.read(ReadPool(pool.clone())).await?.ok_or(Code::PoolUnknown)?;
        if name != present.value.name {
            return Err(Refusal::invalid("name", Reason::NotOneOf { choices: present.value.name.into() }));
        }
        let report = self.read(CountPool(pool.clone())).await?;
        let goes_at = self.now().plus(self.limits.pool_removal);
        if !dry_run {
            let job = JobId::generate(self.now(), &*self.random);
            let change = PoolChange::Remove { goes_at, job };
            let operation = SetPoolState { id: pool.clone(), change, expected: revision };
            self.reconfigure(by, operation).await?.unless_changed(|now| self.show_served_pool(now))?;
        }
        Ok(Removal { report, goes_at })
    }

    /// Checks a permission in a pool that may have been removed. The pool of the administrators is not configured.
    pub(super) async fn permit_pool(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
    ) -> Result<(), Refusal> {
        if *pool == PoolId::system() {
            return Err(Code::PoolUnknown.into());
        }
        self.permit_in_any(by, permission, pool).await
    }

    /// A pool as a document, with whether it serves its users, as this node knows it.
    pub(super) fn show_served_pool(&self, found: &Revised<Pool>) -> Document {
        let mut document = show_pool(found);
        let config = self.config();
        let id = &found.value.id;
        // A pool that was just made is not known yet, unless this node has read it since.
        let state = if config.has_pool(id) { config.state(id) } else { PoolState::On };
        let goes_at = match state {
            PoolState::Removed(at) => Json::from(at.to_iso()),
            PoolState::On | PoolState::Off | PoolState::Going => Json::Null,
        };
        document.insert(STATE.to_owned(), state.as_str().into());
        document.insert(GOES_AT.to_owned(), goes_at);
        document
    }

    /// Deletes the rows of a removed pool, in batches. All nodes first have to know that there is no such pool any more.
    pub(crate) async fn erase_pool(&self, job: &jobs::Job) -> JobOutcome {
        let Some((pool, goes_at)) = read_payload(&job.payload) else { return JobOutcome::Failed };
        let end = self.now().plus(self.limits.job_time / 2);
        loop {
            let system = PoolId::system();
            let actor = Actor { kind: ActorKind::System, id: None };
            let unit = ErasePool {
                pool: pool.clone(),
                goes_at,
                rows: self.limits.pool_removal_rows,
                trace: self.trace(&system, Some(actor), None, None, &Origin::default()),
            };
            match self.write(unit).await {
                Ok(Erased::Begun) => {
                    self.reload_config().await;
                    return JobOutcome::Postponed(self.now().plus(self.limits.job_time));
                }
                Ok(Erased::Some) if self.now() < end => {}
                Ok(Erased::Some) => return JobOutcome::Postponed(self.now()),
                Ok(Erased::All) => return JobOutcome::Done,
                Err(error) => {
                    tracing::error!(
                        job = %job.id, %pool, error = hufu_types::chain(&error),
                        "rows of a removed pool cannot be deleted; it is tried again"
                    );
                    let hour = std::time::Duration::from_secs(60 * 60);
                    return JobOutcome::RetryAt(self.retry_at(self.limits.job_poll, hour, job.attempts));
                }
            }
        }
    }
}

struct ErasePool {
    pool: PoolId,
    /// When the pool was to go, as the job knows it.
    goes_at: Timestamp,
    rows: i64,
    trace: Trace,
}

enum Erased {
    /// The pool is not there for anybody any more; its rows are.
    Begun,
    /// Some rows went.
    Some,
    /// Nothing is left to do.
    All,
}

impl Write for ErasePool {
    type Out = Erased;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Erased, StoreError> {
        let Self { pool, goes_at, rows, trace } = self;
        match config::state(tx, pool).await? {
            Some(PoolState::Going) => {
                let is_left = pool_removal::erase(tx, pool, *rows).await?;
                Ok(if is_left { Erased::Some } else { Erased::All })
            }
            Some(PoolState::Removed(at)) if at == *goes_at && at <= trace.at => {
                versions::lock_configuration(tx).await?;
                // It may have been restored before the lock.
                if config::state(tx, pool).await? != Some(PoolState::Removed(at)) {
                    return Ok(Erased::All);
                }
                let name = config::pool(tx, pool).await?.map(|found| found.value.name);
                let Report(counted) = pool_removal::count(tx, pool).await?;
                let report: serde_json::Map<String, Json> =
                    counted.into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect();
                config::set_goes_at(tx, pool, Some(Timestamp(0))).await?;
                versions::pools_changed(tx, [pool]).await?;
                let details = json!({ "pool": pool.as_str(), "name": name, "report": report });
                let event = Event { action: Action::PoolErased, code: 0, user: None, details };
                trace.recorder().record(tx, &PoolId::system(), event).await?;
                Ok(Erased::Begun)
            }
            // It was restored, or another removal has a job of its own.
            _ => Ok(Erased::All),
        }
    }
}
