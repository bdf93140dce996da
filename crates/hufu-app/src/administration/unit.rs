//! Account operations that several administrator units share.

use hufu_store::{StoreError, Tx, administration, flows, passwords, sessions, users, versions};
use hufu_types::{PoolId, Timestamp, UserId};

use crate::credentials::locks::unlock;
use crate::events::Recorder;
use crate::people::deletion;

/// Sets the password of an account and of the accounts merged into it. `None` removes it.
pub async fn write_password(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    hash: Option<&str>,
    must_reset: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    passwords::write(tx, pool, user, hash, must_reset, now).await?;
    // Waiting logins were started with the old password.
    flows::end_of_user(tx, pool, user).await?;
    unlock(tx, pool, user).await
}

/// Ends the sessions of an account on all nodes and, if it is an administrator, deletes its access keys.
pub(super) async fn sign_out(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    sessions::end_all(tx, pool, user).await?;
    if *pool == PoolId::system() {
        administration::delete_access_keys_of(tx, user).await?;
    }
    versions::sessions_changed(tx).await
}

/// Permanently deletes an account, the accounts merged into it, and everything that leads to either. Its
/// audit log entries remain. Returns false if the pool has no such account.
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
