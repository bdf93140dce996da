//! Pools, connections and applications: small tables that every node caches in memory.

pub(crate) mod applications;
pub(crate) mod connections;

use hufu_types::{Application, Pool, PoolId, PoolState, Timestamp, WebhookId};
use serde::de::DeserializeOwned;

pub(crate) use self::applications::client_settings;
use self::applications::{
    LIST_APPLICATIONS, LIST_SWITCHED_ON, OF_POOL_APPLICATIONS, OF_POOL_SWITCHED_ON, decode_application,
    decode_switched_on, fill,
};
pub use self::applications::{
    ResourceHolder, application, clear_other_defaults, delete_application, insert_application, next_position,
    page_of_applications, pool_of_application, resource_holders, secrets_made_by, update_application,
};
use self::connections::{LIST_CONNECTIONS, OF_POOL_CONNECTIONS, decode_connection};
pub use self::connections::{
    Realms, StoredConnection, StoredSettings, connection, connection_of, connections_of,
    free_verification_file, insert_connection, page_of_connections, seal_settings, update_connection,
    verification_file_holder,
};
use crate::outages::{self, Outage};
use crate::senders::{self, SenderKind};
use crate::webhooks::Subscriber;
use crate::{Read, Row, StoreError, Tx, statements, versions};

statements! {
    LIST_POOLS = "SELECT id, name, settings FROM pools WHERE id > $1 ORDER BY id LIMIT $2";
    INSERT_POOL = "INSERT INTO pools (id, name, settings, created_at) VALUES ($1, $2, $3, $4)";
    UPDATE_POOL = "UPDATE pools SET name = $2, settings = $3, revision = revision + 1 WHERE id = $1";
    GET_POOL = "SELECT id, name, settings, revision FROM pools WHERE id = $1";
    CHANGED_POOLS = "SELECT id FROM pools WHERE config_version > $1 ORDER BY created_at, id";
    LIST_CLOSED = "
        SELECT id, enabled, goes_at FROM pools
        WHERE id > $1 AND id <= $2 AND (NOT enabled OR goes_at IS NOT NULL) ORDER BY id";
    GET_STATE = "SELECT id, enabled, goes_at FROM pools WHERE id = $1";
    SET_ENABLED = "UPDATE pools SET enabled = $2, revision = revision + 1 WHERE id = $1";
    SET_GOES_AT = "UPDATE pools SET goes_at = $2, revision = revision + 1 WHERE id = $1";
    POOL_NAMES = "SELECT id, name FROM pools ORDER BY created_at, id";
    LIST_SUBSCRIBERS = "
        SELECT pool_id, id, events FROM webhooks
        WHERE pool_id > $1 AND pool_id <= $2 AND enabled ORDER BY pool_id, id";
    OF_POOL_SUBSCRIBERS = "
        SELECT pool_id, id, events FROM webhooks WHERE pool_id = $1 AND enabled ORDER BY id";
}

/// An object of the configuration with its revision number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revised<T> {
    /// Starts at 1 and is incremented with each change.
    pub revision: i64,
    /// The object.
    pub value: T,
}

/// The part of the configuration that nodes cache in memory.
#[derive(Clone, Debug, Default)]
pub struct StoredConfig {
    /// The configuration version that was read. The data may be newer.
    pub version: i64,
    /// The pools, ordered by id.
    pub pools: Vec<Pool>,
    /// Their connections.
    pub connections: Vec<StoredConnection>,
    /// Their applications, in the order of their position.
    pub applications: Vec<Application>,
    /// The enabled webhooks, by pool.
    pub subscribers: Vec<(PoolId, Subscriber)>,
    /// The connections that are unavailable.
    pub outages: Vec<Outage>,
    /// The pools that do not serve their users.
    pub closed: Vec<(PoolId, PoolState)>,
    /// Whether the pool of the administrators, if it is among them, has a mail sender.
    pub administrators_get_mail: bool,
}

/// Reads the whole configuration.
pub struct ReadConfig;

impl Read for ReadConfig {
    type Out = StoredConfig;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<StoredConfig, StoreError> {
        read(tx).await
    }
}

/// Reads a part of the configuration: the pools whose ids follow this one, with everything in them. Reading the parts one
/// after another takes less memory than reading the whole.
pub struct ReadPart {
    /// The last pool of the part before.
    pub after: Option<PoolId>,
    /// How many pools to read. If there are fewer, it was the last part.
    pub limit: i64,
}

impl Read for ReadPart {
    type Out = StoredConfig;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<StoredConfig, StoreError> {
        read_part(tx, self.after.as_ref(), self.limit).await
    }
}

/// Reads the pools that changed since this version, with everything in them.
pub struct ReadChanged(pub i64);

impl Read for ReadChanged {
    type Out = StoredConfig;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<StoredConfig, StoreError> {
        let version = versions::get(tx).await?.configuration;
        let changed = tx.all(CHANGED_POOLS, &[self.0.into()], |row| pool_id(row, 0)).await?;
        if changed.len() > READ_ONE_BY_ONE {
            return read(tx).await;
        }
        let mut all = StoredConfig { version, ..StoredConfig::default() };
        for id in &changed {
            let StoredConfig {
                version: _,
                pools,
                connections,
                applications,
                subscribers,
                outages,
                closed,
                administrators_get_mail,
            } = read_pool(tx, id).await?;
            all.administrators_get_mail |= administrators_get_mail;
            all.pools.extend(pools);
            all.connections.extend(connections);
            all.applications.extend(applications);
            all.subscribers.extend(subscribers);
            all.outages.extend(outages);
            all.closed.extend(closed);
        }
        Ok(all)
    }
}

/// If more pools than this have changed, reading everything takes fewer statements.
const READ_ONE_BY_ONE: usize = 200;

/// Reads the whole configuration.
pub async fn read(tx: &mut Tx<'_>) -> Result<StoredConfig, StoreError> {
    read_part(tx, None, i64::MAX).await
}

/// Reads the version first, so that the next check detects a concurrent change.
async fn read_part(tx: &mut Tx<'_>, after: Option<&PoolId>, limit: i64) -> Result<StoredConfig, StoreError> {
    let version = versions::get(tx).await?.configuration;
    let after = after.map_or("", PoolId::as_str);
    let pools = tx.all(LIST_POOLS, &[after.into(), limit.into()], decode_pool).await?;
    let Some(last) = pools.last() else { return Ok(StoredConfig { version, ..StoredConfig::default() }) };
    let last = last.id.clone();
    let part = [after.into(), last.as_str().into()];
    let connections = tx.all(LIST_CONNECTIONS, &part, decode_connection).await?;
    let mut applications = tx.all(LIST_APPLICATIONS, &part, decode_application).await?;
    let subscribers = tx.all(LIST_SUBSCRIBERS, &part, decode_subscriber).await?;
    fill(&mut applications, tx.all(LIST_SWITCHED_ON, &part, decode_switched_on).await?);
    let outages = outages::list(tx, &part).await?;
    let closed = tx.all(LIST_CLOSED, &part, decode_state).await?;
    let administrators_get_mail = has_mail_sender(tx, &PoolId::system()).await?;
    Ok(StoredConfig {
        version,
        pools,
        connections,
        applications,
        subscribers,
        outages,
        closed,
        administrators_get_mail,
    })
}

/// Reads a pool with everything in it.
pub async fn read_pool(tx: &mut Tx<'_>, id: &PoolId) -> Result<StoredConfig, StoreError> {
    let of_pool = [id.into()];
    let version = versions::get(tx).await?.configuration;
    let pools = pool(tx, id).await?.map(|found| found.value).into_iter().collect();
    let connections = tx.all(OF_POOL_CONNECTIONS, &of_pool, decode_connection).await?;
    let mut applications = tx.all(OF_POOL_APPLICATIONS, &of_pool, decode_application).await?;
    let subscribers = tx.all(OF_POOL_SUBSCRIBERS, &of_pool, decode_subscriber).await?;
    fill(&mut applications, tx.all(OF_POOL_SWITCHED_ON, &of_pool, decode_switched_on).await?);
    let outages = outages::of_pool(tx, id).await?;
    let closed = state(tx, id).await?.filter(|state| *state != PoolState::On);
    let closed = closed.map(|state| (id.clone(), state)).into_iter().collect();
    Ok(StoredConfig {
        version,
        pools,
        connections,
        applications,
        subscribers,
        outages,
        closed,
        administrators_get_mail: *id == PoolId::system() && has_mail_sender(tx, id).await?,
    })
}

async fn has_mail_sender(tx: &mut Tx<'_>, pool: &PoolId) -> Result<bool, StoreError> {
    Ok(senders::get(tx, pool, SenderKind::Email).await?.is_some())
}

/// The ids and names of all pools, in the order of creation.
pub async fn pool_names(tx: &mut Tx<'_>) -> Result<Vec<(PoolId, String)>, StoreError> {
    tx.all(POOL_NAMES, &[], |row| Ok((pool_id(row, 0)?, row.get(1)?))).await
}

/// A pool.
pub async fn pool(tx: &mut Tx<'_>, id: &PoolId) -> Result<Option<Revised<Pool>>, StoreError> {
    tx.optional(GET_POOL, &[id.into()], |row| Ok(Revised { revision: row.get(3)?, value: decode_pool(row)? }))
        .await
}

/// Whether a pool serves its users. `None` if there is no such pool.
pub async fn state(tx: &mut Tx<'_>, id: &PoolId) -> Result<Option<PoolState>, StoreError> {
    Ok(tx.optional(GET_STATE, &[id.into()], decode_state).await?.map(|(_, state)| state))
}

/// Lets a pool serve its users, or not.
pub async fn set_enabled(tx: &mut Tx<'_>, id: &PoolId, enabled: bool) -> Result<(), StoreError> {
    tx.execute(SET_ENABLED, &[id.into(), enabled.into()]).await.map(drop)
}

/// Says when the rows of a removed pool go; 0 once they are going, `None` for a pool that is there.
pub async fn set_goes_at(tx: &mut Tx<'_>, id: &PoolId, goes_at: Option<Timestamp>) -> Result<(), StoreError> {
    tx.execute(SET_GOES_AT, &[id.into(), goes_at.into()]).await.map(drop)
}

fn decode_state(row: &Row<'_>) -> Result<(PoolId, PoolState), StoreError> {
    Ok((pool_id(row, 0)?, PoolState::of(row.get(1)?, row.get::<Option<i64>>(2)?.map(Timestamp))))
}

/// Inserts a pool.
pub async fn insert_pool(tx: &mut Tx<'_>, pool: &Pool, now: Timestamp) -> Result<(), StoreError> {
    let settings = serde_json::to_string(&pool.settings)?;
    let values = [(&pool.id).into(), (&pool.name).into(), (&settings).into(), now.into()];
    tx.execute(INSERT_POOL, &values).await.map(drop)
}

/// Updates the name and the settings of a pool.
pub async fn update_pool(tx: &mut Tx<'_>, pool: &Pool) -> Result<u64, StoreError> {
    let settings = serde_json::to_string(&pool.settings)?;
    tx.execute(UPDATE_POOL, &[(&pool.id).into(), (&pool.name).into(), (&settings).into()]).await
}

pub(crate) fn pool_id(row: &Row<'_>, index: usize) -> Result<PoolId, StoreError> {
    Ok(PoolId::parse(&row.get::<String>(index)?)?)
}

fn decode_pool(row: &Row<'_>) -> Result<Pool, StoreError> {
    let settings = hufu_types::PoolSettings::from_stored(&row.get::<String>(2)?)?;
    Ok(Pool { id: pool_id(row, 0)?, name: row.get(1)?, settings })
}

fn decode_subscriber(row: &Row<'_>) -> Result<(PoolId, Subscriber), StoreError> {
    let actions = serde_json::from_str(&row.get::<String>(2)?)?;
    Ok((pool_id(row, 0)?, Subscriber { webhook: WebhookId::parse(&row.get::<String>(1)?)?, actions }))
}

/// JSON that is absent in rows of a version before migration 0011.
fn of_any_version<T: Default + DeserializeOwned>(row: &Row<'_>, index: usize) -> Result<T, StoreError> {
    let json = row.get::<Option<String>>(index)?;
    Ok(json.map(|json| serde_json::from_str(&json)).transpose()?.unwrap_or_default())
}
