//! Pools, connections and applications: small tables that every node caches in memory.

use hufu_types::{
    Application, ApplicationId, ApplicationKind, Association, ClientSecret, ClientSettings, ConnectionExtras,
    ConnectionId, ConnectionKind, Identifier, OpenPlatform, Pool, PoolId, SigningAlgorithm, Timestamp,
    TokenHash, TokenLifetimes, WebhookId,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

use crate::outages::{self, Outage};
use crate::webhooks::Subscriber;
use crate::{Read, Row, StoreError, Tx, statements, versions};

statements! {
    LIST_POOLS = "SELECT id, name, settings FROM pools ORDER BY created_at, id";
    INSERT_POOL = "INSERT INTO pools (id, name, settings, created_at) VALUES ($1, $2, $3, $4)";
    UPDATE_POOL = "UPDATE pools SET name = $2, settings = $3, revision = revision + 1 WHERE id = $1";
    GET_POOL = "SELECT id, name, settings, revision FROM pools WHERE id = $1";
    CHANGED_POOLS = "SELECT id FROM pools WHERE config_version > $1 ORDER BY created_at, id";
    POOL_NAMES = "SELECT id, name FROM pools ORDER BY created_at, id";
    LIST_CONNECTIONS = "
        SELECT pool_id, id, identifier, kind, display_name, login_only, enabled, open_platform, association,
               settings, app_id, app_secret, own_realm, shared_realm, extras
        FROM connections ORDER BY created_at, id";
    OF_POOL_CONNECTIONS = "
        SELECT pool_id, id, identifier, kind, display_name, login_only, enabled, open_platform, association,
               settings, app_id, app_secret, own_realm, shared_realm, extras, revision
        FROM connections WHERE pool_id = $1 ORDER BY created_at, id";
    GET_CONNECTION = "
        SELECT pool_id, id, identifier, kind, display_name, login_only, enabled, open_platform, association,
               settings, app_id, app_secret, own_realm, shared_realm, extras, revision
        FROM connections WHERE pool_id = $1 AND id = $2";
    IDENTIFIER_HOLDER = "SELECT id FROM connections WHERE pool_id = $1 AND identifier = $2";
    INSERT_CONNECTION = "
        INSERT INTO connections
            (pool_id, id, identifier, kind, display_name, login_only, enabled, open_platform, association,
             settings, app_id, app_secret, own_realm, shared_realm, extras, verification_file, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17)";
    UPDATE_CONNECTION = "
        UPDATE connections
        SET display_name = $3, login_only = $4, enabled = $5, open_platform = $6, association = $7, settings = $8,
            own_realm = $9, shared_realm = $10, extras = $11, verification_file = $12, updated_at = $13,
            revision = revision + 1
        WHERE pool_id = $1 AND id = $2";
    // The host is that of all pools.
    FILE_HOLDER = "SELECT pool_id, id FROM connections WHERE verification_file = $1";
    FREE_FILE = "UPDATE connections SET verification_file = NULL WHERE pool_id = $1 AND id = $2";
    SEAL_SETTINGS = "
        UPDATE connections SET settings = $3, own_realm = $4, shared_realm = $5
        WHERE pool_id = $1 AND id = $2 AND settings IS NULL";
    LIST_SUBSCRIBERS = "SELECT pool_id, id, events FROM webhooks WHERE enabled ORDER BY pool_id, id";
    OF_POOL_SUBSCRIBERS = "
        SELECT pool_id, id, events FROM webhooks WHERE pool_id = $1 AND enabled ORDER BY id";
    LIST_APPLICATIONS = "
        SELECT pool_id, id, name, kind, is_default, enabled, position, signing_algorithm,
               user_token, session, access_token, refresh_token, client, secrets, login, branding
        FROM applications ORDER BY position, id";
    OF_POOL_APPLICATIONS = "
        SELECT pool_id, id, name, kind, is_default, enabled, position, signing_algorithm,
               user_token, session, access_token, refresh_token, client, secrets, login, branding
        FROM applications WHERE pool_id = $1 ORDER BY position, id";
    GET_APPLICATION = "
        SELECT pool_id, id, name, kind, is_default, enabled, position, signing_algorithm,
               user_token, session, access_token, refresh_token, client, secrets, login, branding, revision
        FROM applications WHERE pool_id = $1 AND id = $2";
    CLIENT_SETTINGS = "SELECT client FROM applications WHERE pool_id = $1 AND id = $2";
    PAGE_OF_APPLICATIONS = "
        SELECT pool_id, id, name, kind, is_default, enabled, position, signing_algorithm,
               user_token, session, access_token, refresh_token, client, secrets, login, branding, revision
        FROM applications
        WHERE pool_id = $1 AND (position > $2 OR (position = $2 AND id > $3)) ORDER BY position, id LIMIT $4";
    NEXT_POSITION = "SELECT COALESCE(MAX(position), -1) + 1 FROM applications WHERE pool_id = $1";
    APPLICATION_HOLDER = "SELECT pool_id FROM applications WHERE id = $1";
    // Whatever else the text finds is sorted out by reading it.
    RESOURCE_HOLDERS = "
        SELECT pool_id, id, client FROM applications WHERE client LIKE '%resources%' ORDER BY pool_id, id";
    INSERT_APPLICATION = "
        INSERT INTO applications
            (pool_id, id, name, kind, is_default, enabled, position, signing_algorithm,
             user_token, session, access_token, refresh_token, client, secrets, login, branding, created_at,
             updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17)";
    UPDATE_APPLICATION = "
        UPDATE applications
        SET name = $3, kind = $4, is_default = $5, enabled = $6, position = $7, signing_algorithm = $8,
            user_token = $9, session = $10, access_token = $11, refresh_token = $12, client = $13, secrets = $14,
            login = $15, branding = $16, updated_at = $17, revision = revision + 1
        WHERE pool_id = $1 AND id = $2";
    DELETE_APPLICATION = "DELETE FROM applications WHERE pool_id = $1 AND id = $2";
    LIST_SWITCHED_ON = "
        SELECT application_id, connection_id FROM application_connections
        ORDER BY pool_id, application_id, position";
    NO_OTHER_DEFAULT = "
        UPDATE applications SET is_default = $3, updated_at = $4, revision = revision + 1
        WHERE pool_id = $1 AND id <> $2 AND is_default <> $3";
    OF_POOL_SWITCHED_ON = "
        SELECT application_id, connection_id FROM application_connections
        WHERE pool_id = $1 ORDER BY application_id, position";
    OF_APPLICATION_SWITCHED_ON = "
        SELECT application_id, connection_id FROM application_connections
        WHERE pool_id = $1 AND application_id = $2 ORDER BY position";
    SWITCH_ALL_OFF = "DELETE FROM application_connections WHERE pool_id = $1 AND application_id = $2";
    SWITCH_ON = "
        INSERT INTO application_connections (pool_id, application_id, connection_id, position)
        VALUES ($1, $2, $3, $4)";
}

/// The settings of a connection as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredSettings {
    /// The JSON of [`hufu_types::ConnectionSettings`], sealed.
    Sealed(Vec<u8>),
    /// The columns used before migration 0004, when all connections were WeChat apps.
    Columns {
        /// The AppID.
        app_id: String,
        /// The AppSecret, sealed.
        app_secret: Vec<u8>,
    },
}

/// The realms of the ids that a connection's source provides: see [`hufu_types::IdentityKey::realm`]. Both
/// are `None` while the settings are in the old columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Realms {
    /// The realm of ids that are unique within the app.
    pub own: Option<String>,
    /// The realm of ids shared by several apps, if the source has such ids.
    pub shared: Option<String>,
}

/// A connection as stored: its settings are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConnection {
    /// The id.
    pub id: ConnectionId,
    /// The pool.
    pub pool: PoolId,
    /// The identifier.
    pub identifier: Identifier,
    /// The login mode.
    pub kind: ConnectionKind,
    /// The label of its login button.
    pub display_name: String,
    /// Whether unknown people are rejected instead of becoming new users.
    pub login_only: bool,
    /// Whether it is enabled.
    pub enabled: bool,
    /// The Open Platform account within which its UnionIDs are unique.
    pub open_platform: OpenPlatform,
    /// How a first login finds its account.
    pub association: Association,
    /// The values of the fields of its kind.
    pub settings: StoredSettings,
    /// The realms of its ids.
    pub realms: Realms,
    /// What it has besides the fields of its kind.
    pub extras: ConnectionExtras,
}

impl StoredConnection {
    fn file_name(&self) -> Option<&str> {
        self.extras.verification_file.as_ref().map(|file| file.name.as_str())
    }
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
    /// All pools.
    pub pools: Vec<Pool>,
    /// All connections.
    pub connections: Vec<StoredConnection>,
    /// All applications, in the order of their position.
    pub applications: Vec<Application>,
    /// The enabled webhooks, by pool.
    pub subscribers: Vec<(PoolId, Subscriber)>,
    /// The connections that are unavailable.
    pub outages: Vec<Outage>,
}

/// Reads the whole configuration.
pub struct ReadConfig;

impl Read for ReadConfig {
    type Out = StoredConfig;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<StoredConfig, StoreError> {
        read(tx).await
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
            let StoredConfig { version: _, pools, connections, applications, subscribers, outages } =
                read_pool(tx, id).await?;
            all.pools.extend(pools);
            all.connections.extend(connections);
            all.applications.extend(applications);
            all.subscribers.extend(subscribers);
            all.outages.extend(outages);
        }
        Ok(all)
    }
}

/// If more pools than this have changed, reading everything takes fewer statements.
const READ_ONE_BY_ONE: usize = 200;

/// Reads the whole configuration. Reads the version first, so that the next check detects a concurrent
/// change.
pub async fn read(tx: &mut Tx<'_>) -> Result<StoredConfig, StoreError> {
    let version = versions::get(tx).await?.configuration;
    let pools = tx.all(LIST_POOLS, &[], decode_pool).await?;
    let connections = tx.all(LIST_CONNECTIONS, &[], decode_connection).await?;
    let mut applications = tx.all(LIST_APPLICATIONS, &[], decode_application).await?;
    let subscribers = tx.all(LIST_SUBSCRIBERS, &[], decode_subscriber).await?;
    fill(&mut applications, tx.all(LIST_SWITCHED_ON, &[], decode_switched_on).await?);
    let outages = outages::list(tx).await?;
    Ok(StoredConfig { version, pools, connections, applications, subscribers, outages })
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
    Ok(StoredConfig { version, pools, connections, applications, subscribers, outages })
}

/// Assigns connections to applications, keeping their order.
fn fill(applications: &mut [Application], switched_on: Vec<(ApplicationId, ConnectionId)>) {
    let mut connections: HashMap<ApplicationId, Vec<ConnectionId>> = HashMap::new();
    for (application, connection) in switched_on {
        connections.entry(application).or_default().push(connection);
    }
    for application in applications {
        application.connections = connections.remove(&application.id).unwrap_or_default();
    }
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

/// A connection of a pool.
pub async fn connection(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ConnectionId,
) -> Result<Option<Revised<StoredConnection>>, StoreError> {
    let values = [pool.into(), id.into()];
    let found = tx.optional(GET_CONNECTION, &values, |row| {
        Ok(Revised { revision: row.get(15)?, value: decode_connection(row)? })
    });
    found.await
}

/// The connection of a pool that has this identifier.
pub async fn connection_of(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    identifier: &Identifier,
) -> Result<Option<ConnectionId>, StoreError> {
    let values = [pool.into(), identifier.as_str().into()];
    let id: Option<String> = tx.optional(IDENTIFIER_HOLDER, &values, |row| row.get(0)).await?;
    Ok(id.map(|id| ConnectionId::parse(&id)).transpose()?)
}

/// The connection, in whichever pool, that has the verification file of this name.
pub async fn verification_file_holder(
    tx: &mut Tx<'_>,
    name: &str,
) -> Result<Option<(PoolId, ConnectionId)>, StoreError> {
    let decode = |row: &Row<'_>| Ok((pool_id(row, 0)?, ConnectionId::parse(&row.get::<String>(1)?)?));
    tx.optional(FILE_HOLDER, &[name.into()], decode).await
}

/// Lets go of the name of a connection's verification file, which another connection gets in the same unit. This one is
/// written after that.
pub async fn free_verification_file(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ConnectionId,
) -> Result<(), StoreError> {
    tx.execute(FREE_FILE, &[pool.into(), id.into()]).await.map(drop)
}

/// The connections of a pool, in the order of creation.
pub async fn connections_of(
    tx: &mut Tx<'_>,
    pool: &PoolId,
) -> Result<Vec<Revised<StoredConnection>>, StoreError> {
    let decode = |row: &Row<'_>| Ok(Revised { revision: row.get(15)?, value: decode_connection(row)? });
    tx.all(OF_POOL_CONNECTIONS, &[pool.into()], decode).await
}

/// The applications of a pool behind a place in their order, at most `limit`.
pub async fn page_of_applications(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    after: Option<&(i64, ApplicationId)>,
    limit: i64,
) -> Result<Vec<Revised<Application>>, StoreError> {
    // No id is empty, and no position is less.
    let (position, id) = after.map_or((i64::MIN, ""), |(position, id)| (*position, id.as_str()));
    let values = [pool.into(), position.into(), id.into(), limit.into()];
    let decode = |row: &Row<'_>| Ok(Revised { revision: row.get(16)?, value: decode_application(row)? });
    let mut found = tx.all(PAGE_OF_APPLICATIONS, &values, decode).await?;
    let mut switched_on: HashMap<ApplicationId, Vec<ConnectionId>> = HashMap::new();
    for (application, connection) in tx.all(OF_POOL_SWITCHED_ON, &[pool.into()], decode_switched_on).await? {
        switched_on.entry(application).or_default().push(connection);
    }
    for Revised { value, .. } in &mut found {
        value.connections = switched_on.remove(&value.id).unwrap_or_default();
    }
    Ok(found)
}

/// The position behind all applications of a pool.
pub async fn next_position(tx: &mut Tx<'_>, pool: &PoolId) -> Result<i64, StoreError> {
    Ok(tx.optional(NEXT_POSITION, &[pool.into()], |row| row.get(0)).await?.unwrap_or_default())
}

/// An application of a pool.
pub async fn application(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ApplicationId,
) -> Result<Option<Revised<Application>>, StoreError> {
    let values = [pool.into(), id.into()];
    let found = tx.optional(GET_APPLICATION, &values, |row| {
        Ok(Revised { revision: row.get(16)?, value: decode_application(row)? })
    });
    let Some(mut found) = found.await? else { return Ok(None) };
    let switched_on = tx.all(OF_APPLICATION_SWITCHED_ON, &values, decode_switched_on).await?;
    fill(std::slice::from_mut(&mut found.value), switched_on);
    Ok(Some(found))
}

/// What an application is as a client, if it is there.
pub(crate) async fn client_settings(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ApplicationId,
) -> Result<Option<ClientSettings>, StoreError> {
    tx.optional(CLIENT_SETTINGS, &[pool.into(), id.into()], |row| of_any_version(row, 0)).await
}

/// The pool of an application. Application ids are unique within the instance.
pub async fn pool_of_application(tx: &mut Tx<'_>, id: &ApplicationId) -> Result<Option<PoolId>, StoreError> {
    tx.optional(APPLICATION_HOLDER, &[id.into()], |row| pool_id(row, 0)).await
}

/// An application that is a resource.
#[derive(Clone, Debug)]
pub struct ResourceHolder {
    /// Its pool.
    pub pool: PoolId,
    /// The application.
    pub application: ApplicationId,
    /// Its resources.
    pub resources: Vec<String>,
}

/// The applications of all pools that are resources. Resources are unique within the instance.
pub async fn resource_holders(tx: &mut Tx<'_>) -> Result<Vec<ResourceHolder>, StoreError> {
    let holders = tx.all(RESOURCE_HOLDERS, &[], |row| {
        let client: ClientSettings = of_any_version(row, 2)?;
        let application = ApplicationId::parse(&row.get::<String>(1)?)?;
        Ok(ResourceHolder { pool: pool_id(row, 0)?, application, resources: client.resources })
    });
    Ok(holders.await?.into_iter().filter(|holder| !holder.resources.is_empty()).collect())
}

/// Makes sure that a pool has no default application other than this one.
pub async fn clear_other_defaults(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ApplicationId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    tx.execute(NO_OTHER_DEFAULT, &[pool.into(), id.into(), false.into(), now.into()]).await
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

/// Inserts a connection.
pub async fn insert_connection(
    tx: &mut Tx<'_>,
    new: &StoredConnection,
    now: Timestamp,
) -> Result<(), StoreError> {
    let association = serde_json::to_string(&new.association)?;
    let extras = serde_json::to_string(&new.extras)?;
    let values = [
        (&new.pool).into(),
        (&new.id).into(),
        new.identifier.as_str().into(),
        new.kind.as_str().into(),
        (&new.display_name).into(),
        new.login_only.into(),
        new.enabled.into(),
        new.open_platform.0.as_str().into(),
        (&association).into(),
        new.settings.sealed().into(),
        // The columns of the previous version have no defaults.
        "".into(),
        [].as_slice().into(),
        new.realms.own.as_deref().into(),
        new.realms.shared.as_deref().into(),
        (&extras).into(),
        new.file_name().into(),
        now.into(),
    ];
    tx.execute(INSERT_CONNECTION, &values).await.map(drop)
}

/// Updates a connection. Its identifier and its kind cannot be changed.
pub async fn update_connection(
    tx: &mut Tx<'_>,
    new: &StoredConnection,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let association = serde_json::to_string(&new.association)?;
    let extras = serde_json::to_string(&new.extras)?;
    let values = [
        (&new.pool).into(),
        (&new.id).into(),
        (&new.display_name).into(),
        new.login_only.into(),
        new.enabled.into(),
        new.open_platform.0.as_str().into(),
        (&association).into(),
        new.settings.sealed().into(),
        new.realms.own.as_deref().into(),
        new.realms.shared.as_deref().into(),
        (&extras).into(),
        new.file_name().into(),
        now.into(),
    ];
    tx.execute(UPDATE_CONNECTION, &values).await
}

/// Replaces the old columns of a row by sealed settings, unless that has already been done.
pub async fn seal_settings(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    connection: &ConnectionId,
    sealed: &[u8],
    realms: &Realms,
) -> Result<u64, StoreError> {
    let (own, shared) = (realms.own.as_deref(), realms.shared.as_deref());
    tx.execute(SEAL_SETTINGS, &[pool.into(), connection.into(), sealed.into(), own.into(), shared.into()])
        .await
}

impl StoredSettings {
    /// The sealed settings. `None` while they are in the old columns, which an update then leaves unchanged.
    fn sealed(&self) -> Option<&[u8]> {
        match self {
            Self::Sealed(sealed) => Some(sealed),
            Self::Columns { .. } => None,
        }
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// Inserts an application and enables its connections.
pub async fn insert_application(
    tx: &mut Tx<'_>,
    new: &Application,
    now: Timestamp,
) -> Result<(), StoreError> {
    write_application(tx, INSERT_APPLICATION, new, now).await?;
    switch_on(tx, new).await
}

/// Updates an application and its connections.
pub async fn update_application(
    tx: &mut Tx<'_>,
    new: &Application,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let affected = write_application(tx, UPDATE_APPLICATION, new, now).await?;
    tx.execute(SWITCH_ALL_OFF, &[(&new.pool).into(), (&new.id).into()]).await?;
    switch_on(tx, new).await?;
    Ok(affected)
}

/// Deletes an application. Returns whether it was there.
pub async fn delete_application(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ApplicationId,
) -> Result<bool, StoreError> {
    tx.execute(SWITCH_ALL_OFF, &[pool.into(), id.into()]).await?;
    Ok(tx.execute(DELETE_APPLICATION, &[pool.into(), id.into()]).await? == 1)
}

async fn write_application(
    tx: &mut Tx<'_>,
    sql: &'static str,
    new: &Application,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let client = serde_json::to_string(&new.client)?;
    let secrets: Vec<StoredSecret> = new.secrets.iter().map(StoredSecret::of).collect();
    let secrets = serde_json::to_string(&secrets)?;
    let login = serde_json::to_string(&new.login)?;
    let branding = serde_json::to_string(&new.branding)?;
    let values = [
        (&new.pool).into(),
        (&new.id).into(),
        (&new.name).into(),
        new.kind.as_str().into(),
        new.is_default.into(),
        new.enabled.into(),
        new.position.into(),
        new.signing_algorithm.as_str().into(),
        seconds(new.lifetimes.user_token).into(),
        seconds(new.lifetimes.session).into(),
        seconds(new.lifetimes.access_token).into(),
        seconds(new.lifetimes.refresh_token).into(),
        (&client).into(),
        (&secrets).into(),
        (&login).into(),
        (&branding).into(),
        now.into(),
    ];
    tx.execute(sql, &values).await
}

async fn switch_on(tx: &mut Tx<'_>, application: &Application) -> Result<(), StoreError> {
    for (position, connection) in (0_i64..).zip(&application.connections) {
        let values =
            [(&application.pool).into(), (&application.id).into(), connection.into(), position.into()];
        tx.execute(SWITCH_ON, &values).await?;
    }
    Ok(())
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

fn decode_switched_on(row: &Row<'_>) -> Result<(ApplicationId, ConnectionId), StoreError> {
    let application = ApplicationId::parse(&row.get::<String>(0)?)?;
    Ok((application, ConnectionId::parse(&row.get::<String>(1)?)?))
}

fn decode_connection(row: &Row<'_>) -> Result<StoredConnection, StoreError> {
    let identifier = |index, column| {
        Identifier::parse(&row.get::<String>(index)?).map_err(|_| StoreError::Corrupt { column })
    };
    Ok(StoredConnection {
        pool: pool_id(row, 0)?,
        id: ConnectionId::parse(&row.get::<String>(1)?)?,
        identifier: identifier(2, "identifier")?,
        kind: ConnectionKind::parse(&row.get::<String>(3)?).ok_or(StoreError::Corrupt { column: "kind" })?,
        display_name: row.get(4)?,
        login_only: row.get(5)?,
        enabled: row.get(6)?,
        open_platform: OpenPlatform(identifier(7, "open_platform")?),
        association: serde_json::from_str(&row.get::<String>(8)?)?,
        settings: match row.get::<Option<Vec<u8>>>(9)? {
            Some(sealed) => StoredSettings::Sealed(sealed),
            None => StoredSettings::Columns { app_id: row.get(10)?, app_secret: row.get(11)? },
        },
        realms: Realms { own: row.get(12)?, shared: row.get(13)? },
        extras: of_any_version(row, 14)?,
    })
}

fn decode_application(row: &Row<'_>) -> Result<Application, StoreError> {
    let lifetime = |index| -> Result<Duration, StoreError> {
        Ok(Duration::from_secs(u64::try_from(row.get::<i64>(index)?).unwrap_or_default()))
    };
    Ok(Application {
        pool: pool_id(row, 0)?,
        id: ApplicationId::parse(&row.get::<String>(1)?)?,
        name: row.get(2)?,
        kind: ApplicationKind::parse(&row.get::<String>(3)?).ok_or(StoreError::Corrupt { column: "kind" })?,
        is_default: row.get(4)?,
        enabled: row.get(5)?,
        position: row.get(6)?,
        connections: Vec::new(),
        signing_algorithm: SigningAlgorithm::parse(&row.get::<String>(7)?)
            .ok_or(StoreError::Corrupt { column: "signing_algorithm" })?,
        lifetimes: TokenLifetimes {
            user_token: lifetime(8)?,
            session: lifetime(9)?,
            access_token: lifetime(10)?,
            refresh_token: lifetime(11)?,
        },
        client: of_any_version(row, 12)?,
        secrets: of_any_version::<Vec<StoredSecret>>(row, 13)?
            .into_iter()
            .map(StoredSecret::read)
            .collect::<Result<_, _>>()?,
        login: of_any_version(row, 14)?,
        branding: of_any_version(row, 15)?,
    })
}

/// A client secret as stored: its hash in hexadecimal, and when it was set.
#[derive(Serialize, Deserialize)]
struct StoredSecret {
    hash: String,
    created_at: Timestamp,
}

impl StoredSecret {
    fn of(secret: &ClientSecret) -> Self {
        Self { hash: hex::encode(secret.hash.as_bytes()), created_at: secret.created_at }
    }

    fn read(self) -> Result<ClientSecret, StoreError> {
        let mut hash = [0; 32];
        hex::decode_to_slice(&self.hash, &mut hash).map_err(|_| StoreError::Corrupt { column: "secrets" })?;
        Ok(ClientSecret { hash: TokenHash(hash), created_at: self.created_at })
    }
}

/// JSON that is absent in rows of a version before migration 0011.
fn of_any_version<T: Default + DeserializeOwned>(row: &Row<'_>, index: usize) -> Result<T, StoreError> {
    let json = row.get::<Option<String>>(index)?;
    Ok(json.map(|json| serde_json::from_str(&json)).transpose()?.unwrap_or_default())
}
