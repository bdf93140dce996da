//! Connections.

use hufu_types::{
    Association, ConnectionExtras, ConnectionId, ConnectionKind, Identifier, OpenPlatform, PoolId, Timestamp,
};

use super::{Revised, of_any_version, pool_id};
use crate::{Row, StoreError, Tx, statements};

statements! {
    LIST_CONNECTIONS = "
        SELECT pool_id, id, identifier, kind, display_name, login_only, enabled, open_platform, association,
               settings, app_id, app_secret, own_realm, shared_realm, extras
        FROM connections WHERE pool_id > $1 AND pool_id <= $2 ORDER BY created_at, id";
    OF_POOL_CONNECTIONS = "
        SELECT pool_id, id, identifier, kind, display_name, login_only, enabled, open_platform, association,
               settings, app_id, app_secret, own_realm, shared_realm, extras, revision
        FROM connections WHERE pool_id = $1 ORDER BY created_at, id";
    GET_CONNECTION = "
        SELECT pool_id, id, identifier, kind, display_name, login_only, enabled, open_platform, association,
               settings, app_id, app_secret, own_realm, shared_realm, extras, revision
        FROM connections WHERE pool_id = $1 AND id = $2";
    PAGE_OF_CONNECTIONS = "
        SELECT pool_id, id, identifier, kind, display_name, login_only, enabled, open_platform, association,
               settings, app_id, app_secret, own_realm, shared_realm, extras, revision
        FROM connections WHERE pool_id = $1 AND id > $2 ORDER BY id LIMIT $3";
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

/// The connections of a pool with a greater id, at most `limit`.
pub async fn page_of_connections(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    after: Option<&ConnectionId>,
    limit: i64,
) -> Result<Vec<Revised<StoredConnection>>, StoreError> {
    // No id is empty.
    let after = after.map_or("", ConnectionId::as_str);
    let decode = |row: &Row<'_>| Ok(Revised { revision: row.get(15)?, value: decode_connection(row)? });
    tx.all(PAGE_OF_CONNECTIONS, &[pool.into(), after.into(), limit.into()], decode).await
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

pub(super) fn decode_connection(row: &Row<'_>) -> Result<StoredConnection, StoreError> {
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
