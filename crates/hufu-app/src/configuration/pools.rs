//! Pools: their names and settings.

use hufu_store::config::{self, Revised};
use hufu_store::{StoreError, Tx};
use hufu_types::{Pool, PoolId, PoolSettings, Timestamp};
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
