//! What several units of administrators do to an account.

use hufu_store::{StoreError, Tx, administration, flows, passwords, sessions, users, versions};
use hufu_types::{PoolId, Timestamp, UserId};

use crate::credentials::locks::unlock;
use crate::events::Recorder;
use crate::people::deletion;

/// Sets or, with `None`, takes away the password of an account and of what was merged into it.
pub async fn write_password(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    hash: Option<&str>,
    must_reset: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    passwords::write(tx, pool, user, hash, must_reset, now).await?;
    // Logins that wait were begun with what is no longer the password.
    flows::end_of_user(tx, pool, user).await?;
    unlock(tx, pool, user).await
}

/// Ends the sessions of an account, and of an administrator the logins too, on all nodes.
pub(super) async fn sign_out(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    sessions::end_all(tx, pool, user).await?;
    if *pool == PoolId::system() {
        administration::delete_access_keys_of(tx, user).await?;
    }
    versions::sessions_changed(tx).await
}

/// Deletes an account for good, with what was merged into it and everything that leads to either; what the audit
/// log says of it stays. False where the pool has no such account.
pub(super) async fn delete_user(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    user: &UserId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(account) = users::get_locked(tx, pool, user).await? else { return Ok(false) };
    deletion::unit::delete(tx, events, &account, now).await?;
    if *pool == PoolId::system() {
        administration::delete_access_keys_of(tx, user).await?;
        administration::delete_administrator(tx, user).await?;
    }
    versions::sessions_changed(tx).await?;
    Ok(true)
}
