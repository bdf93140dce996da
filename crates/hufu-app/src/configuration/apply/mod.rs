//! Making the database match a declarative file.
//!
//! [`mod@file`] reads the text; [`apply`] compares it with the database and does what
//! differs. All of it is one unit of work: the unit keeps other changes of the
//! configuration out, reads what there is, plans, and carries the plan out, so
//! that nothing is ever half-applied and a plan never rests on old data. A dry
//! run plans in the same way and stops there.
//!
//! What the file does not name is left alone and listed; pruning switches
//! connections and applications off, but nothing is ever deleted.

pub mod file;
mod plan;
mod planner;
mod users;

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use hufu_protocol::sealing::SealingKey;
use hufu_store::{Read, Store, StoreError, Tx, Write, config, senders};
use hufu_types::{Action, Clock, Random, Timestamp};
use secrecy::SecretString;
use serde_json::json;

use self::file::{Desired, FileErrors};
use self::planner::{Planned, Step};
use crate::credentials::password;
use crate::events::{Event, Recorder, Trace};
use crate::people::accounts::{self, NewAccount};

pub use self::plan::{Changes, Plan};
pub use crate::credentials::password::PasswordError;

/// How to apply a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Disable the connections and applications that a pool of the file has and the file has not.
    pub prune: bool,
    /// Plan only, and write nothing.
    pub dry_run: bool,
}

/// Why a file was not applied. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file contradicts the database, or itself together with it.
    #[error(transparent)]
    File(#[from] FileErrors),
    /// The database refused.
    #[error("the file could not be applied")]
    Store(#[from] StoreError),
    /// The password of a new user could not be hashed.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// Passwords that are hashed at a time; each takes 19 MiB.
const HASHED_AT_ONCE: usize = 2;
/// Rounds of hashing before giving up. A second is needed only when users of the
/// file disappear between the look and the writing.
const MAX_ROUNDS: usize = 4;

/// Makes the database match a file, and tells what that took. `file_name` is how
/// messages call the file.
///
/// The version of the configuration rises only if something but users changed,
/// so that applying a file again disturbs no node.
///
/// # Errors
/// [`ApplyError`]; nothing was written then.
pub async fn apply(
    store: &Store,
    sealing: &Arc<SealingKey>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    file: &Desired,
    file_name: &str,
    options: Options,
) -> Result<Plan, ApplyError> {
    let now = clock.now();
    let task = Arc::new(Task {
        desired: file.clone(),
        file_name: file_name.to_owned(),
        prune: options.prune,
        sealing: sealing.clone(),
        random: random.clone(),
        now,
        trace: Trace::of_command(now, &**random),
    });
    if options.dry_run {
        return Ok(store.read(DryRun(task)).await??.plan);
    }
    // No password is hashed inside a unit. The first round finds out whose
    // passwords are needed, if any, and writes nothing in that case.
    let mut hashes = PasswordHashes::new();
    for _ in 0..MAX_ROUNDS {
        let unit = Execute { task: task.clone(), hashes: hashes.clone() };
        match store.write(unit).await?? {
            Executed::Done(plan) => return Ok(plan),
            Executed::PasswordsNeeded(places) => hashes.extend(hash_passwords(&task, places).await?),
        }
    }
    Err(StoreError::LostRace.into())
}

/// All that planning and execution need, over and over if need be.
struct Task {
    desired: Desired,
    file_name: String,
    prune: bool,
    sealing: Arc<SealingKey>,
    random: Arc<dyn Random>,
    now: Timestamp,
    /// What the audit log says of who did it.
    trace: Trace,
}

/// A user of the file: the index of the pool, and that of the user in it.
type Place = (usize, usize);
type PasswordHashes = HashMap<Place, String>;

impl Task {
    async fn plan(&self, tx: &mut Tx<'_>) -> Result<Result<Planned, FileErrors>, StoreError> {
        let stored = config::read(tx).await?;
        let senders = senders::list(tx).await?;
        let found = users::find(tx, &self.desired, &stored).await?;
        Ok(planner::plan(self, &stored, &senders, &found))
    }

    fn password(&self, (pool, user): Place) -> Option<&SecretString> {
        self.desired.pools.get(pool)?.users.get(user)?.password.as_ref()
    }
}

async fn hash_passwords(task: &Task, places: Vec<Place>) -> Result<Vec<(Place, String)>, PasswordError> {
    let passwords = places.into_iter().filter_map(|place| Some((place, task.password(place)?.clone())));
    futures::stream::iter(passwords)
        .map(|(place, password)| async move { Ok((place, password::hash(password, &*task.random).await?)) })
        .buffer_unordered(HASHED_AT_ONCE)
        .try_collect()
        .await
}

struct DryRun(Arc<Task>);

impl Read for DryRun {
    type Out = Result<Planned, FileErrors>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        self.0.plan(tx).await
    }
}

struct Execute {
    task: Arc<Task>,
    hashes: PasswordHashes,
}

enum Executed {
    Done(Plan),
    /// Nothing was written: these users are to be made, and their passwords are not hashed.
    PasswordsNeeded(Vec<Place>),
}

impl Write for Execute {
    type Out = Result<Executed, FileErrors>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        config::lock(tx).await?;
        let Planned { plan, steps } = match self.task.plan(tx).await? {
            Ok(planned) => planned,
            Err(errors) => return Ok(Err(errors)),
        };
        let needed: Vec<Place> = steps.iter().filter_map(|step| self.password_needed(step)).collect();
        if !needed.is_empty() {
            return Ok(Ok(Executed::PasswordsNeeded(needed)));
        }
        let mut events = self.task.trace.recorder();
        for step in &steps {
            self.execute(tx, &mut events, step).await?;
        }
        self.audit(tx, &mut events, &plan).await?;
        if steps.iter().any(Step::changes_configuration) {
            config::raise_version(tx).await?;
        }
        Ok(Ok(Executed::Done(plan)))
    }
}

impl Execute {
    fn password_needed(&self, step: &Step) -> Option<Place> {
        match step {
            Step::InsertUser(_, place) if !self.hashes.contains_key(place) => {
                self.task.password(*place).map(|_| *place)
            }
            _ => None,
        }
    }

    /// What changed, pool by pool, in the lines of the plan. They hold no secrets.
    async fn audit(&self, tx: &mut Tx<'_>, events: &mut Recorder<'_>, plan: &Plan) -> Result<(), StoreError> {
        for (pool, planned) in self.task.desired.pools.iter().zip(&plan.pools) {
            if !planned.changes.is_empty() {
                let details = json!({ "by": "apply", "changes": planned.changes });
                let event = Event { action: Action::ConfigurationChanged, code: 0, user: None, details };
                events.record(tx, &pool.id, event).await?;
            }
        }
        Ok(())
    }

    async fn execute(
        &self,
        tx: &mut Tx<'_>,
        events: &mut Recorder<'_>,
        step: &Step,
    ) -> Result<(), StoreError> {
        let now = self.task.now;
        let updated = match step {
            Step::InsertPool(pool) => return config::insert_pool(tx, pool, now).await,
            Step::InsertConnection(connection) => {
                return config::insert_connection(tx, connection, now).await;
            }
            Step::InsertApplication(application) => {
                return config::insert_application(tx, application, now).await;
            }
            Step::InsertUser(user, place) => {
                let hash = self.hashes.get(place).map(String::as_str);
                let new = NewAccount { password_hash: hash, ..NewAccount::of(user) };
                return accounts::create(tx, events, new, json!({ "by": "apply" })).await;
            }
            Step::PutSender(sender) => return senders::put(tx, sender, now).await,
            Step::DeleteSender(pool, kind) => u64::from(senders::delete(tx, pool, *kind).await?),
            Step::UpdatePool(pool) => config::update_pool(tx, pool).await?,
            Step::UpdateConnection(connection) => config::update_connection(tx, connection, now).await?,
            Step::UpdateApplication(application) => config::update_application(tx, application, now).await?,
        };
        // What is gone since it was read makes the plan wrong; another run sees it.
        if updated == 1 { Ok(()) } else { Err(StoreError::LostRace) }
    }
}
