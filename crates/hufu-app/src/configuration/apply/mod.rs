//! Makes the database match a declarative file.
//!
//! [`mod@file`] reads the text. [`apply`] compares it with the database and applies the differences, all in
//! one unit of work: the unit locks out other configuration changes, reads the present state, plans, and
//! carries out the plan. So a file is never half-applied, and a plan is never based on stale data. A dry run
//! stops after planning.
//!
//! What the file does not name is left alone and listed. With pruning, connections and applications that are
//! not in the file are disabled, and senders are removed. Pools, connections, applications and users are
//! never deleted. Applications that registered themselves are nobody's business but their own, until the file names one:
//! from then on it does not manage itself.
//!
//! [`export()`] writes the file of a pool that is stored.

mod export;
pub mod file;
mod plan;
mod planner;
mod users;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use futures::{StreamExt as _, TryStreamExt as _};
use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{ResourceHolder, StoredConfig};
use hufu_store::senders::StoredSender;
use hufu_store::{Read, Store, StoreError, Tx, Write, config, identities, registrations, senders, versions};
use hufu_types::{Action, ApplicationId, Clock, OpaqueToken, PoolId, Random, Timestamp};
use secrecy::SecretString;
use serde_json::json;

use self::file::{Desired, FileErrors};
use self::planner::{Planned, Step};
use super::change::{Operation as _, Outcome};
use crate::credentials::password;
use crate::events::{Event, Recorder, Trace};
use crate::people::accounts::{self, NewAccount};

pub use self::export::{ExportError, Exported, export};
pub use self::plan::{Changes, Plan};
pub use crate::credentials::password::PasswordError;

/// Options for applying a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Disable connections and applications, and remove senders, that a pool in the file has but the file
    /// does not name.
    pub prune: bool,
    /// Give connections another app though people have logged in through the present one.
    pub new_apps: bool,
    /// Only plan; write nothing.
    pub dry_run: bool,
}

/// What applying a file did.
#[derive(Clone, Debug)]
pub struct Applied {
    /// What was done, or would be done in a dry run.
    pub plan: Plan,
    /// The client secrets that were made, which are not kept anywhere else. None in a dry run.
    pub secrets: Vec<NewClientSecret>,
}

/// A client secret that was made for an application that had none. Redacted by `Debug`.
#[derive(Clone, Debug)]
pub struct NewClientSecret {
    /// The application.
    pub application: ApplicationId,
    /// Its secret.
    pub secret: OpaqueToken,
}

/// Why a file was not applied. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file contradicts the database, or is inconsistent together with it.
    #[error(transparent)]
    File(#[from] FileErrors),
    /// The database returned an error.
    #[error("the file could not be applied")]
    Store(#[from] StoreError),
    /// The password of a new user could not be hashed.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// Passwords hashed concurrently. Each takes 19 MiB.
const HASHED_AT_ONCE: usize = 2;
/// Maximum number of attempts. More than two are needed only if users of the file disappear between planning
/// and writing.
const MAX_ROUNDS: usize = 4;

/// Makes the database match a file, and returns what was done. `file_name` is used in error messages.
///
/// The version of the configuration only rises if something other than users changed, so that applying an
/// unchanged file does not make nodes reread anything.
///
/// # Errors [`ApplyError`], in which case nothing was written.
#[boxed]
pub async fn apply(
    store: &Store,
    sealing: &Arc<SealingKey>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    file: &Desired,
    file_name: &str,
    options: Options,
) -> Result<Applied, ApplyError> {
    let now = clock.now();
    let task = Arc::new(Task {
        desired: file.clone(),
        file_name: file_name.to_owned(),
        prune: options.prune,
        new_apps: options.new_apps,
        sealing: sealing.clone(),
        random: random.clone(),
        now,
        trace: Trace::of_command(now, &**random),
    });
    if options.dry_run {
        let plan = store.read(DryRun(task)).await??.plan;
        return Ok(Applied { plan, secrets: Vec::new() });
    }
    // Passwords must not be hashed inside a unit. If any are needed, the first round only reports whose, and
    // writes nothing.
    let mut hashes = PasswordHashes::new();
    for _ in 0..MAX_ROUNDS {
        let unit = Execute { task: task.clone(), hashes: hashes.clone() };
        match store.write(unit).await?? {
            Executed::Done(applied) => return Ok(applied),
            Executed::PasswordsNeeded(places) => hashes.extend(hash_passwords(&task, places).await?),
        }
    }
    Err(StoreError::LostRace.into())
}

/// Everything that planning and execution need. Reused if they have to run again.
struct Task {
    desired: Desired,
    file_name: String,
    prune: bool,
    new_apps: bool,
    sealing: Arc<SealingKey>,
    random: Arc<dyn Random>,
    now: Timestamp,
    /// The context recorded in the audit log.
    trace: Trace,
}

/// The position of a user in the file: the index of the pool, and the index of the user in it.
type UserIndex = (usize, usize);
type PasswordHashes = HashMap<UserIndex, String>;

impl Task {
    async fn plan(&self, tx: &mut Tx<'_>) -> Result<Result<Planned, FileErrors>, StoreError> {
        let names = config::pool_names(tx).await?;
        // Those that stay where they are, whatever the file says.
        let mut resources = config::resource_holders(tx).await?;
        let given = self.desired.pools.iter().flat_map(|pool| &pool.applications);
        let given: Vec<_> = given.filter(|desired| desired.client.resources.is_some()).collect();
        resources.retain(|holder| !given.iter().any(|desired| desired.id == holder.application));
        let mut pools = Vec::with_capacity(self.desired.pools.len());
        for desired in &self.desired.pools {
            let stored = config::read_pool(tx, &desired.id).await?;
            let senders = senders::of_pool(tx, &desired.id).await?;
            let mut elsewhere = HashMap::new();
            for application in &desired.applications {
                let holder = config::pool_of_application(tx, &application.id).await?;
                if let Some(holder) = holder.filter(|holder| *holder != desired.id) {
                    elsewhere.insert(&application.id, holder);
                }
            }
            let registered = registrations::of_pool(tx, &desired.id).await?.into_iter().collect();
            let resources = resources.clone();
            let taken_files = HashSet::new();
            let mut used_realms = HashSet::new();
            for realm in stored.connections.iter().filter_map(|connection| connection.realms.own.clone()) {
                if identities::is_realm_used(tx, &desired.id, &realm).await? {
                    used_realms.insert(realm);
                }
            }
            let present =
                PresentPool { stored, senders, elsewhere, registered, resources, taken_files, used_realms };
            pools.push(present);
        }
        self.find_taken_files(tx, &mut pools).await?;
        let found = users::find(tx, &self.desired, &names).await?;
        Ok(planner::plan(self, &pools, &names, &found))
    }

    /// Finds the verification files that connections have of which this file says nothing.
    async fn find_taken_files(
        &self,
        tx: &mut Tx<'_>,
        pools: &mut [PresentPool<'_>],
    ) -> Result<(), StoreError> {
        for (index, desired) in self.desired.pools.iter().enumerate() {
            for file in desired.connections.iter().filter_map(|c| c.extras.verification_file.as_ref()) {
                let Some((pool, holder)) = config::verification_file_holder(tx, &file.name).await? else {
                    continue;
                };
                let is_named = self.desired.pools.iter().zip(pools.iter()).any(|(desired, present)| {
                    let mut stored = present.stored.connections.iter().filter(|c| c.id == holder);
                    desired.id == pool
                        && stored.any(|c| desired.connections.iter().any(|d| d.identifier == c.identifier))
                });
                if !is_named && let Some(present) = pools.get_mut(index) {
                    present.taken_files.insert(file.name.clone());
                }
            }
        }
        Ok(())
    }

    fn password(&self, (pool, user): UserIndex) -> Option<&SecretString> {
        self.desired.pools.get(pool)?.users.get(user)?.password.as_ref()
    }
}

/// The present state of a pool that the file names.
struct PresentPool<'a> {
    stored: StoredConfig,
    /// Its message senders and templates.
    senders: Vec<StoredSender>,
    /// Applications of the file whose ids are taken in other pools, with those pools.
    elsewhere: HashMap<&'a ApplicationId, PoolId>,
    /// Its applications that registered themselves.
    registered: HashSet<ApplicationId>,
    /// The resources of the applications, in any pool, whose resources the file leaves as they are.
    resources: Vec<ResourceHolder>,
    /// The verification files of the file that a connection has of which the file says nothing.
    taken_files: HashSet<String>,
    /// The realms of its connections of which somebody has an id.
    used_realms: HashSet<String>,
}

async fn hash_passwords(
    task: &Task,
    places: Vec<UserIndex>,
) -> Result<Vec<(UserIndex, String)>, PasswordError> {
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
    Done(Applied),
    /// Nothing was written: the passwords of these new users have to be hashed first.
    PasswordsNeeded(Vec<UserIndex>),
}

impl Write for Execute {
    type Out = Result<Executed, FileErrors>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        versions::lock_configuration(tx).await?;
        let Planned { plan, steps, secrets } = match self.task.plan(tx).await? {
            Ok(planned) => planned,
            Err(errors) => return Ok(Err(errors)),
        };
        let needed: Vec<UserIndex> = steps.iter().filter_map(|step| self.password_needed(step)).collect();
        if !needed.is_empty() {
            return Ok(Ok(Executed::PasswordsNeeded(needed)));
        }
        let mut events = self.task.trace.recorder();
        for step in &steps {
            self.execute(tx, &mut events, step).await?;
        }
        self.audit(tx, &mut events, &plan).await?;
        let changed: BTreeSet<&PoolId> = steps.iter().filter_map(Step::changes_configuration_of).collect();
        if !changed.is_empty() {
            versions::pools_changed(tx, changed).await?;
        }
        Ok(Ok(Executed::Done(Applied { plan, secrets })))
    }
}

impl Execute {
    fn password_needed(&self, step: &Step) -> Option<UserIndex> {
        match step {
            Step::InsertUser(_, place) if !self.hashes.contains_key(place) => {
                self.task.password(*place).map(|_| *place)
            }
            _ => None,
        }
    }

    /// Records the changes of each pool, as worded in the plan, which contains no secrets.
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
        match step {
            Step::Pool(pool) => done(&pool.run(tx, now).await?),
            Step::Connection(connection) => done(&connection.run(tx, now).await?),
            Step::FreeFile(pool, connection) => config::free_verification_file(tx, pool, connection).await,
            Step::Application(application) => done(&application.run(tx, now).await?),
            Step::TakeOver(pool, application) => {
                registrations::delete_client(tx, pool, application).await.map(drop)
            }
            Step::Sender(sender) => done(&sender.run(tx, now).await?),
            Step::NoSender(sender) => done(&sender.run(tx, now).await?),
            Step::InsertUser(user, place) => {
                let hash = self.hashes.get(place).map(String::as_str);
                let new = NewAccount { password_hash: hash, ..NewAccount::of(user) };
                accounts::create(tx, events, new, json!({ "by": "apply" })).await
            }
        }
    }
}

/// The plan was made from what this unit read, with all other changes locked out. So a refused operation
/// means that the plan was wrong, and another run makes a new one.
fn done<T>(outcome: &Outcome<T>) -> Result<(), StoreError> {
    match outcome {
        Outcome::Done { .. } => Ok(()),
        Outcome::Conflict { .. } | Outcome::Rejected(_) => Err(StoreError::LostRace),
    }
}
