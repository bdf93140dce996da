//! Account operations that several administrator units share.

use hufu_store::{
    StoreError, Tx, administration, config, endings, flows, invitations, management_keys, passwords, users,
    versions, webhooks,
};
use hufu_types::{
    AccessKeyId, Action, ActorKind, ApplicationId, ClientSecret, Permission, PoolId, PoolRole, Reach,
    Timestamp, User, UserId, WebhookId,
};
use serde_json::json;

use super::access::{appointments, key_details};
use crate::credentials::locks::unlock;
use crate::events::{Event, Recorder, Trace};
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

/// Ends the sessions of an account on all nodes, an administrator's logins among them.
pub(super) async fn sign_out(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    endings::of_account(tx, pool, user, None, now).await?;
    versions::sessions_changed(tx).await
}

/// Whether roles give all of these permissions in a pool, or in the whole instance if no pool is given.
fn cover(roles: &[PoolRole], permissions: &[Permission], pool: Option<&PoolId>) -> bool {
    let may =
        |permission: &Permission| roles.iter().any(|role| role.is_in(pool) && role.role.may(*permission));
    permissions.iter().all(may)
}

/// Whether the administrator who answers for a unit may still do this and give these permissions in a pool. They are locked:
/// nobody changes their roles before the unit ends, and whoever does so then finds what it made.
pub(super) async fn may_still(
    tx: &mut Tx<'_>,
    responsible: Option<&UserId>,
    permission: Permission,
    given: &[Permission],
    pool: Option<&PoolId>,
) -> Result<bool, StoreError> {
    let Some(user) = responsible else { return Ok(true) };
    let account = users::get_locked(tx, &PoolId::system(), user).await?;
    if !account.as_ref().is_some_and(User::is_active) {
        return Ok(false);
    }
    let roles = administration::roles_of(tx, user).await?;
    Ok(cover(&roles, &[permission], pool) && cover(&roles, given, pool))
}

/// Whether a unit would leave the instance without an owner of all pools who can log in, if this account of this pool were
/// none afterwards. The command line may do that: it can make another one. Units ask it when they hold all their other
/// locks.
pub(crate) async fn takes_last_owner(
    tx: &mut Tx<'_>,
    trace: &Trace,
    pool: &PoolId,
    user: &UserId,
) -> Result<bool, StoreError> {
    let by_command = trace.actor.as_ref().is_some_and(|actor| actor.kind == ActorKind::Command);
    if by_command || *pool != PoolId::system() {
        return Ok(false);
    }
    let owners = administration::owners_of_all(tx).await?;
    Ok(owners.contains(user) && owners.len() == 1)
}

/// Ends what somebody may have no more, after a change of their roles: without any, their logins; and the access and
/// management keys and the invitations that they made and that may do, in their pool, what they may not do there any more.
/// Each of those has an entry in the audit log. Returns those within reach, and the webhooks there that go on.
pub(crate) async fn end_keys(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    user: &UserId,
    left: &[PoolRole],
    reach: &Reach,
) -> Result<Made, StoreError> {
    let mut made = Made::default();
    if left.is_empty() {
        administration::delete_access_keys_of(tx, user, None).await?;
    }
    // Somebody without any role there lost even what may do nothing.
    let is_lost = |permissions: &[Permission], pool: Option<&PoolId>| {
        !left.iter().any(|role| role.is_in(pool)) || !cover(left, permissions, pool)
    };
    for key in administration::access_keys_made_by(tx, user).await? {
        let may = key.permissions.as_deref().unwrap_or(key.role.permissions());
        if !is_lost(may, key.scope.as_ref()) {
            continue;
        }
        administration::delete_access_key(tx, &key.id).await?;
        let before = key_details(&key.name, key.role, key.scope.as_ref(), key.expires_at);
        let details = json!({ "key": key.id.as_str(), "before": before, "createdBy": user.as_str() });
        let event = Event { action: Action::AccessKeyRevoked, code: 0, user: None, details };
        events.record(tx, &PoolId::system(), event).await?;
        if reach.has(key.scope.as_ref()) {
            made.access_keys.push(key.id);
        }
    }
    for (pool, key, role) in management_keys::made_by(tx, user).await? {
        if !is_lost(role.permissions(), Some(&pool)) {
            continue;
        }
        management_keys::delete(tx, &pool, &key).await?;
        let details = json!({ "key": key.as_str(), "createdBy": user.as_str() });
        let event = Event { action: Action::ManagementKeyEnded, code: 0, user: None, details };
        events.record(tx, &pool, event).await?;
        if reach.has(Some(&pool)) {
            made.management_keys.push((pool, key));
        }
    }
    for invitation in invitations::made_by(tx, user).await? {
        let (role, pool) = (invitation.role.role, invitation.role.pool.as_ref());
        if !is_lost(&[Permission::ManageAdministrators], pool) && !is_lost(role.permissions(), pool) {
            continue;
        }
        invitations::delete(tx, &invitation.id).await?;
        let before = appointments(std::slice::from_ref(&invitation.role));
        let id = invitation.id.as_str();
        let details = json!({ "invitation": id, "before": before, "createdBy": user.as_str() });
        let event = Event { action: Action::InvitationChanged, code: 0, user: None, details };
        events.record(tx, &PoolId::system(), event).await?;
    }
    made.webhooks = webhooks::made_by(tx, user).await?;
    made.webhooks
        .retain(|(pool, ..)| reach.has(Some(pool)) && is_lost(&[Permission::WriteWebhooks], Some(pool)));
    made.client_secrets = config::secrets_made_by(tx, user).await?;
    made.client_secrets
        .retain(|(pool, ..)| reach.has(Some(pool)) && is_lost(&[Permission::WriteConfiguration], Some(pool)));
    Ok(made)
}

/// What somebody made that may do what they may not do there any more.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// The access keys, which ended.
    pub access_keys: Vec<AccessKeyId>,
    /// The management keys, which ended, with their pools.
    pub management_keys: Vec<(PoolId, AccessKeyId)>,
    /// The webhooks with their pools and names, which go on.
    pub webhooks: Vec<(PoolId, WebhookId, String)>,
    /// The client secrets with their pools and applications, which go on: the applications need them.
    pub client_secrets: Vec<(PoolId, ApplicationId, ClientSecret)>,
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
        end_keys(tx, events, user, &[], &Reach::All).await?;
        administration::delete_administrator(tx, user).await?;
    }
    versions::sessions_changed(tx).await?;
    Ok(true)
}
