//! Pools: their names and settings.

use hufu_store::config::{self, Revised};
use hufu_store::jobs::{self, NewJob};
use hufu_store::pool_removal::{POOL_JOB, payload};
use hufu_store::{StoreError, Tx};
use hufu_types::{JobId, Pool, PoolId, PoolSettings, PoolState, Timestamp};
use serde_json::{Map, Value as Json};

use super::change::{Operation, Outcome, Rejection, created, is_expected};

/// Creates a pool, or changes its name and settings.
#[derive(Clone, Debug)]
pub struct PutPool {
    /// The id of the pool.
    pub id: PoolId,
    /// The name. `None` leaves it unchanged.
    pub name: Option<String>,
    /// The settings. `None` leaves them unchanged; a new pool then gets the defaults.
    pub settings: Option<PoolSettings>,
    /// The revision that the caller last saw, to detect concurrent changes. 0 for a new pool, `None` to skip
    /// the check.
    pub expected: Option<i64>,
}

impl Operation for PutPool {
    type Object = Pool;

    fn pool(&self) -> &PoolId {
        &self.id
    }

    fn object(&self) -> (&'static str, String) {
        ("pool", self.id.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Pool>, StoreError> {
        let present = config::pool(tx, &self.id).await?;
        if let (false, Some(expected)) = (is_expected(self.expected, present.as_ref()), self.expected) {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        let problems = self.settings.as_ref().map(PoolSettings::problems).unwrap_or_default();
        if !problems.is_empty() {
            return Ok(Outcome::Rejected(Rejection::Settings(problems)));
        }
        let Some(present) = present else {
            let Some(name) = self.name.clone() else { return Ok(Outcome::Rejected(Rejection::NoName)) };
            let settings = self.settings.clone().unwrap_or_default();
            let pool = Pool { id: self.id.clone(), name, settings };
            config::insert_pool(tx, &pool, now).await?;
            return Ok(Outcome::Done { now: Some(Revised { revision: 1, value: pool }), changed: created() });
        };
        let wanted = self.over(&present.value);
        let changed = differences(&present.value, &wanted);
        if changed.is_empty() {
            return Ok(Outcome::Done { now: Some(present), changed });
        }
        config::update_pool(tx, &wanted).await?;
        let now = Revised { revision: present.revision + 1, value: wanted };
        Ok(Outcome::Done { now: Some(now), changed })
    }
}

impl PutPool {
    /// The wanted state of the pool.
    pub(super) fn over(&self, present: &Pool) -> Pool {
        Pool {
            id: present.id.clone(),
            name: self.name.clone().unwrap_or_else(|| present.name.clone()),
            settings: self.settings.clone().unwrap_or_else(|| present.settings.clone()),
        }
    }
}

/// The names of what differs: `name`, and settings as in `settings.registration`.
pub(super) fn differences(present: &Pool, wanted: &Pool) -> Vec<String> {
    let name = (present.name != wanted.name).then(|| "name".to_owned());
    name.into_iter().chain(setting_differences(&present.settings, &wanted.settings)).collect()
}

fn setting_differences(before: &PoolSettings, after: &PoolSettings) -> Vec<String> {
    let object = |settings: &PoolSettings| match serde_json::to_value(settings) {
        Ok(Json::Object(object)) => object,
        _ => Map::new(),
    };
    let (before, after) = (object(before), object(after));
    key_differences(&before, &after).into_iter().map(|name| format!("settings.{name}")).collect()
}

/// The keys whose values differ.
pub(super) fn key_differences<'a>(
    present: &'a Map<String, Json>,
    wanted: &'a Map<String, Json>,
) -> Vec<&'a str> {
    let missing = present.keys().filter(|key| !wanted.contains_key(*key));
    let changed = wanted.iter().filter(|(key, value)| present.get(*key) != Some(value)).map(|(key, _)| key);
    let mut names: Vec<&str> = missing.chain(changed).map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// What becomes of a pool as a whole.
#[derive(Clone, Debug)]
pub enum PoolChange {
    /// It serves nobody until it is switched on.
    Off,
    /// It serves its users.
    On,
    /// It serves nobody, and its rows go at this time by this job.
    Remove {
        /// When its rows go.
        goes_at: Timestamp,
        /// The id of the job.
        job: JobId,
    },
    /// It comes back as it was before it was removed.
    Restore,
}

/// Switches a pool off or on, removes or restores it.
#[derive(Clone, Debug)]
pub struct SetPoolState {
    /// The pool.
    pub id: PoolId,
    /// What becomes of it.
    pub change: PoolChange,
    /// The revision that the caller last saw; `None` to skip the check.
    pub expected: Option<i64>,
}

impl Operation for SetPoolState {
    type Object = Pool;

    fn pool(&self) -> &PoolId {
        &self.id
    }

    fn object(&self) -> (&'static str, String) {
        ("pool", self.id.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Pool>, StoreError> {
        let Self { id, change, expected } = self;
        let (present, state) = (config::pool(tx, id).await?, config::state(tx, id).await?);
        let (Some(present), Some(state)) = (present, state) else {
            return Ok(Outcome::Rejected(Rejection::NoPool));
        };
        if let (false, Some(expected)) = (is_expected(*expected, Some(&present)), *expected) {
            return Ok(Outcome::Conflict { expected, now: Some(present) });
        }
        let changed = match (change, state) {
            (_, PoolState::Going) => return Ok(Outcome::Rejected(Rejection::NoPool)),
            (PoolChange::Off, PoolState::Off) | (PoolChange::On, PoolState::On) => {
                return Ok(Outcome::Done { now: Some(present), changed: Vec::new() });
            }
            (PoolChange::Off, PoolState::On) => {
                config::set_enabled(tx, id, false).await?;
                "switched off"
            }
            (PoolChange::On, PoolState::Off) => {
                config::set_enabled(tx, id, true).await?;
                "switched on"
            }
            (PoolChange::Remove { goes_at, job }, PoolState::On | PoolState::Off) => {
                config::set_goes_at(tx, id, Some(*goes_at)).await?;
                // The rows of the pool's own jobs go with it.
                let job = NewJob {
                    id: job.clone(),
                    kind: POOL_JOB,
                    pool: PoolId::system(),
                    payload: payload(id, *goes_at),
                    run_at: *goes_at,
                };
                jobs::enqueue(tx, &job).await?;
                "removed"
            }
            (PoolChange::Restore, PoolState::Removed(at)) if at > now => {
                config::set_goes_at(tx, id, None).await?;
                "restored"
            }
            (PoolChange::Restore, _) => return Ok(Outcome::Rejected(Rejection::PoolNotRemoved)),
            (_, PoolState::Removed(_)) => return Ok(Outcome::Rejected(Rejection::PoolRemoved)),
        };
        let now = Revised { revision: present.revision + 1, value: present.value };
        Ok(Outcome::Done { now: Some(now), changed: vec![changed.to_owned()] })
    }
}
