//! The management key of a pool, with which the published management clients call: they name the pool as the key's id.
//!
//! They sign with the secret, so that it is sealed in the database. A new key is the successor of the one that exists, which
//! goes on for a while, so that back ends can change over one by one.

use async_recursion::async_recursion as boxed;
use hufu_store::management_keys::{self, PageOfManagementKeys, StoredManagementKey};
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::Code;
use hufu_types::{
    AccessKeyId, Action, AdminRole, OpaqueToken, Permission, PoolId, Timestamp, TokenPurpose, UserId,
};
use secrecy::SecretString;
use serde_json::{Value as Json, json};

use super::AdminCaller;
use super::paging::{Page, PageRequest};
use super::unit::may_still;
use crate::events::{Event, Recorder, Trace};
use crate::{App, Refusal};

/// A management key, without its secret.
#[derive(Clone, Debug)]
pub struct ManagementKey {
    /// The key's own id, by which the audit log names it.
    pub id: AccessKeyId,
    /// What it may do in its pool.
    pub role: AdminRole,
    /// The administrator who made it; `None` for the command line. It ends when they may not do any more what it may do.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl From<StoredManagementKey> for ManagementKey {
    fn from(key: StoredManagementKey) -> Self {
        let StoredManagementKey { id, role, created_by, created_at, expires_at, .. } = key;
        Self { id, role, created_by, created_at, expires_at }
    }
}

/// A request for a new management key.
#[derive(Clone, Debug)]
pub struct ManagementKeyRequest {
    /// What it may do in its pool.
    pub role: AdminRole,
    /// When it expires. `None` means after [`crate::Limits::key_life`].
    pub expires_at: Option<Timestamp>,
    /// Whether the one that exists ends at once, and not after [`crate::Limits::management_key_overlap`].
    pub ends_present: bool,
}

/// What a management key's secret is sealed for.
pub(crate) fn sealed_for(pool: &PoolId, id: &AccessKeyId) -> String {
    format!("management_key:{pool}:{id}")
}

impl App {
    /// Makes a management key for a pool. Its secret is only returned here. Of the keys that exist the latest goes on for a
    /// while, and the others end.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn create_management_key(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        request: ManagementKeyRequest,
    ) -> Result<(ManagementKey, SecretString), Refusal> {
        self.permit_within(by, Permission::ManageKeys, Some(pool)).await?;
        self.check_recent_login(by)?;
        self.permit_giving(by, request.role.permissions(), Some(pool)).await?;
        let now = self.now();
        let expires_at = self.key_end(request.expires_at)?;
        let id = AccessKeyId::generate(now, &*self.random);
        let secret = OpaqueToken::generate(TokenPurpose::ManagementKey, &*self.random);
        let sealed = self.sealing.seal(&*self.random, &sealed_for(pool, &id), secret.expose().as_bytes());
        let key = StoredManagementKey {
            id,
            secret: sealed,
            role: request.role,
            created_by: by.responsible.clone(),
            created_at: now,
            expires_at,
        };
        let present_ends =
            if request.ends_present { now } else { now.plus(self.limits.management_key_overlap) };
        let (pool, trace) = (pool.clone(), self.trace_by(pool, by));
        if !self.write(MakeKey { pool, key: key.clone(), present_ends, trace }).await? {
            return Err(self.no_longer_permitted(by, Permission::ManageKeys).await?);
        }
        Ok((key.into(), SecretString::from(secret.expose())))
    }

    /// The management keys of a pool that are valid, latest first: the key, and its predecessor while that goes on.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn management_keys(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        page: &PageRequest,
    ) -> Result<Page<ManagementKey>, Refusal> {
        self.permit_within(by, Permission::ManageKeys, Some(pool)).await?;
        let wanted = page.read()?;
        let (pool, now, before) = (pool.clone(), self.now(), wanted.before_id());
        let found = self.read(PageOfManagementKeys { pool, now, before, limit: wanted.limit() }).await?;
        let found = found.into_iter().map(ManagementKey::from).collect();
        Ok(wanted.page(found, |last: &ManagementKey| [last.id.as_str().to_owned()]))
    }

    /// Ends a management key, and the tokens that were issued for it, at once.
    ///
    /// # Errors
    /// [`Code::NoSuchManagementKey`], [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn end_management_key(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        id: &AccessKeyId,
    ) -> Result<(), Refusal> {
        self.permit_within(by, Permission::ManageKeys, Some(pool)).await?;
        self.check_recent_login(by)?;
        let unit = EndKey { pool: pool.clone(), id: id.clone(), trace: self.trace_by(pool, by) };
        if self.write(unit).await? { Ok(()) } else { Err(Code::NoSuchManagementKey.into()) }
    }
}

struct MakeKey {
    pool: PoolId,
    key: StoredManagementKey,
    /// When the key that exists ends.
    present_ends: Timestamp,
    trace: Trace,
}

impl Write for MakeKey {
    /// Whether its maker may still make it.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Self { pool, key, present_ends, trace } = self;
        let (maker, given) = (key.created_by.as_ref(), key.role.permissions());
        if !may_still(tx, maker, Permission::ManageKeys, given, Some(pool)).await? {
            return Ok(false);
        }
        let mut events = trace.recorder();
        let present = management_keys::of_pool(tx, pool, trace.at).await?;
        for (place, old) in present.iter().enumerate() {
            if place == 0 && *present_ends > trace.at {
                management_keys::shorten(tx, pool, &old.id, *present_ends).await?;
            } else {
                end(tx, &mut events, pool, &old.id).await?;
            }
        }
        management_keys::insert(tx, pool, key).await?;
        let details = json!({
            "key": key.id.as_str(),
            "role": key.role.as_str(),
            "expiresAt": key.expires_at.to_iso(),
            "predecessorEndsAt": present.first().map(|_| present_ends.to_iso()),
        });
        record(tx, &mut events, pool, Action::ManagementKeyCreated, details).await?;
        Ok(true)
    }
}

struct EndKey {
    pool: PoolId,
    id: AccessKeyId,
    trace: Trace,
}

impl Write for EndKey {
    /// Whether the pool had this key.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        end(tx, &mut self.trace.recorder(), &self.pool, &self.id).await
    }
}

async fn end(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    id: &AccessKeyId,
) -> Result<bool, StoreError> {
    let existed = management_keys::delete(tx, pool, id).await?;
    if existed {
        let details = json!({ "key": id.as_str() });
        record(tx, events, pool, Action::ManagementKeyEnded, details).await?;
    }
    Ok(existed)
}

async fn record(
    tx: &mut Tx<'_>,
    events: &mut Recorder<'_>,
    pool: &PoolId,
    action: Action,
    details: Json,
) -> Result<(), StoreError> {
    events.record(tx, pool, Event { action, code: 0, user: None, details }).await
}
