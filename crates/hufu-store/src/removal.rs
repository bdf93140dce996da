//! Removing applications and connections, with everything that hangs on them.
//!
//! Their sessions end as all do ([`crate::endings`]).

use hufu_types::{ApplicationId, ConnectionId, PoolId, Timestamp};

use crate::{
    StoreError, Tx, application_users, config, consents, endings, outages, registrations, statements,
};

statements! {
    FLOWS_OF_APPLICATION = "DELETE FROM login_flows WHERE pool_id = $1 AND application_id = $2";
    CODES_OF_APPLICATION = "DELETE FROM authorization_codes WHERE pool_id = $1 AND application_id = $2";
    DEVICES_OF_APPLICATION = "DELETE FROM device_codes WHERE pool_id = $1 AND application_id = $2";
    REQUESTS_OF_APPLICATION = "DELETE FROM pushed_requests WHERE pool_id = $1 AND application_id = $2";
    JTIS_OF_APPLICATION = "DELETE FROM used_jtis WHERE pool_id = $1 AND application_id = $2";
    STARTS_OF_APPLICATION = "DELETE FROM source_logins WHERE pool_id = $1 AND application_id = $2";
    EXCHANGES_OF_APPLICATION = "DELETE FROM exchanges WHERE pool_id = $1 AND application_id = $2";
    STARTS_OF_CONNECTION = "DELETE FROM source_logins WHERE pool_id = $1 AND connection_id = $2";
    MESSAGES_OF_CONNECTION = "DELETE FROM wechat_messages WHERE pool_id = $1 AND connection_id = $2";
    SIGNATURES_OF_CONNECTION = "DELETE FROM wechat_signatures WHERE pool_id = $1 AND connection_id = $2";
    FLOWS_OF_CONNECTION = "DELETE FROM login_flows WHERE pool_id = $1 AND connection_id = $2";
    // Its applications change with it.
    USERS_OF_CONNECTION = "
        UPDATE applications SET updated_at = $3, revision = revision + 1
        WHERE pool_id = $1 AND id IN (
            SELECT application_id FROM application_connections WHERE pool_id = $1 AND connection_id = $2)";
    LINKS_OF_CONNECTION = "DELETE FROM application_connections WHERE pool_id = $1 AND connection_id = $2";
    CONNECTION = "DELETE FROM connections WHERE pool_id = $1 AND id = $2";
}

/// Removes an application. Its sessions end with their refresh tokens; so do its codes and requests, the logins that
/// wait for it, and what people let it have.
pub async fn application(tx: &mut Tx<'_>, pool: &PoolId, id: &ApplicationId) -> Result<(), StoreError> {
    endings::of_application(tx, pool, id).await?;
    for statement in [
        FLOWS_OF_APPLICATION,
        CODES_OF_APPLICATION,
        DEVICES_OF_APPLICATION,
        REQUESTS_OF_APPLICATION,
        JTIS_OF_APPLICATION,
        STARTS_OF_APPLICATION,
        EXCHANGES_OF_APPLICATION,
    ] {
        tx.execute(statement, &[pool.into(), id.into()]).await?;
    }
    consents::forget_application(tx, pool, id).await?;
    application_users::forget_application(tx, pool, id).await?;
    registrations::delete_client(tx, pool, id).await?;
    config::delete_application(tx, pool, id).await.map(drop)
}

/// Removes a connection, also from the applications that it is enabled for. The sessions that began through it end with
/// their refresh tokens, and so do the logins through it that wait. Identities stay: they belong to their users, and
/// another connection of the same app finds them.
pub async fn connection(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ConnectionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(USERS_OF_CONNECTION, &[pool.into(), id.into(), now.into()]).await?;
    endings::of_connection(tx, pool, id, now).await?;
    for statement in [
        FLOWS_OF_CONNECTION,
        STARTS_OF_CONNECTION,
        MESSAGES_OF_CONNECTION,
        SIGNATURES_OF_CONNECTION,
        LINKS_OF_CONNECTION,
        CONNECTION,
    ] {
        tx.execute(statement, &[pool.into(), id.into()]).await?;
    }
    outages::delete(tx, pool, id).await?;
    Ok(())
}
