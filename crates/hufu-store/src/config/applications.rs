//! Applications, and the connections that they use.

use std::collections::HashMap;
use std::time::Duration;

use hufu_types::{
    Application, ApplicationId, ApplicationKind, ClientSecret, ClientSettings, ConnectionId, PoolId,
    SigningAlgorithm, Timestamp, TokenHash, TokenLifetimes, UserId,
};
use serde::{Deserialize, Serialize};

use super::{Revised, of_any_version, pool_id};
use crate::{Row, StoreError, Tx, statements};

statements! {
    LIST_APPLICATIONS = "
        SELECT pool_id, id, name, kind, is_default, enabled, position, signing_algorithm,
               user_token, session, access_token, refresh_token, client, secrets, login, branding
        FROM applications WHERE pool_id > $1 AND pool_id <= $2 ORDER BY position, id";
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
    // The administrators are those of all pools. Whatever else the text finds is sorted out by reading it.
    SECRETS_MADE_BY = "SELECT pool_id, id, secrets FROM applications WHERE secrets LIKE $1 ORDER BY pool_id, id";
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
        WHERE pool_id > $1 AND pool_id <= $2 ORDER BY pool_id, application_id, position";
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

/// Assigns connections to applications, keeping their order.
pub(super) fn fill(applications: &mut [Application], switched_on: Vec<(ApplicationId, ConnectionId)>) {
    let mut connections: HashMap<ApplicationId, Vec<ConnectionId>> = HashMap::new();
    for (application, connection) in switched_on {
        connections.entry(application).or_default().push(connection);
    }
    for application in applications {
        application.connections = connections.remove(&application.id).unwrap_or_default();
    }
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

pub(super) fn decode_switched_on(row: &Row<'_>) -> Result<(ApplicationId, ConnectionId), StoreError> {
    let application = ApplicationId::parse(&row.get::<String>(0)?)?;
    Ok((application, ConnectionId::parse(&row.get::<String>(1)?)?))
}

pub(super) fn decode_application(row: &Row<'_>) -> Result<Application, StoreError> {
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

/// The client secrets that an administrator made, in all pools.
pub async fn secrets_made_by(
    tx: &mut Tx<'_>,
    user: &UserId,
) -> Result<Vec<(PoolId, ApplicationId, ClientSecret)>, StoreError> {
    let decode = |row: &Row<'_>| {
        let secrets: Vec<StoredSecret> = of_any_version(row, 2)?;
        Ok((pool_id(row, 0)?, ApplicationId::parse(&row.get::<String>(1)?)?, secrets))
    };
    let pattern = format!("%{}%", user.as_str());
    let mut made = Vec::new();
    for (pool, application, secrets) in tx.all(SECRETS_MADE_BY, &[pattern.as_str().into()], decode).await? {
        for secret in secrets.into_iter().filter(|secret| secret.created_by.as_ref() == Some(user)) {
            made.push((pool.clone(), application.clone(), secret.read()?));
        }
    }
    Ok(made)
}

/// A client secret as stored: its hash in hexadecimal, when it was set, and by whom.
#[derive(Serialize, Deserialize)]
struct StoredSecret {
    hash: String,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_by: Option<UserId>,
}

impl StoredSecret {
    fn of(secret: &ClientSecret) -> Self {
        Self {
            hash: hex::encode(secret.hash.as_bytes()),
            created_at: secret.created_at,
            created_by: secret.created_by.clone(),
        }
    }

    fn read(self) -> Result<ClientSecret, StoreError> {
        let mut hash = [0; 32];
        hex::decode_to_slice(&self.hash, &mut hash).map_err(|_| StoreError::Corrupt { column: "secrets" })?;
        Ok(ClientSecret { hash: TokenHash(hash), created_at: self.created_at, created_by: self.created_by })
    }
}
