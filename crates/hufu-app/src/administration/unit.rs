//! Account operations that several administrator units share.

use hufu_store::{
    StoreError, Tx, administration, endings, flows, management_keys, passwords, users, versions,
};
use hufu_types::{Action, PoolId, Timestamp, UserId};
use serde_json::json;

use super::access::key_details;
use crate::credentials::locks::unlock;
use crate::events::{Event, Recorder};
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
pub(super) async fn sign_out(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    endings::of_account(tx, pool, user, None, now).await?;
    if *pool == PoolId::system() {
        administration::delete_access_keys_of(tx, user).await?;
    }
    versions::sessions_changed(tx).await
}

/// Ends the logins of somebody who is no administrator any more, and the access and management keys that they created.
/// Each of those keys has an entry in the audit log.
pub(super) async fn end_keys(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    user: &UserId,
) -> Result<(), StoreError> {
    administration::delete_access_keys_of(tx, user).await?;
    for key in administration::access_keys_made_by(tx, user).await? {
        administration::delete_access_key(tx, &key.id).await?;
        let before = key_details(&key.name, key.role, key.scope.as_ref(), key.expires_at);
        let details = json!({ "key": key.id.as_str(), "before": before, "createdBy": user.as_str() });
        let event = Event { action: Action::AccessKeyRevoked, code: 0, user: None, details };
        events.record(tx, &PoolId::system(), event).await?;
    }
    for (pool, key) in management_keys::made_by(tx, user).await? {
        management_keys::delete(tx, &pool, &key).await?;
        let details = json!({ "key": key.as_str(), "createdBy": user.as_str() });
        let event = Event { action: Action::ManagementKeyEnded, code: 0, user: None, details };
        events.record(tx, &pool, event).await?;
    }
    Ok(())
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
        end_keys(tx, events, user).await?;
        administration::delete_administrator(tx, user).await?;
    }
    versions::sessions_changed(tx).await?;
    Ok(true)
}
