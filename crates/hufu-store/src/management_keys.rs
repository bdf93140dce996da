//! The keys of the published management clients, and the signatures that they made.

use hufu_types::{AccessKeyId, AdminRole, PoolId, Timestamp, TokenHash, UserId};

use crate::{Read, Row, StoreError, Tx, Write, statements};

statements! {
    INSERT = "
        INSERT INTO management_keys (pool_id, id, secret, role, created_by, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    LIST = "
        SELECT id, secret, role, created_by, created_at, expires_at FROM management_keys
        WHERE pool_id = $1 AND expires_at > $2 ORDER BY created_at DESC, id DESC";
    // Without those whose maker has no role in the pool.
    LIST_VALID = "
        SELECT k.id, k.secret, k.role, k.created_by, k.created_at, k.expires_at FROM management_keys k
        WHERE k.pool_id = $1 AND k.expires_at > $2 AND (k.created_by IS NULL OR EXISTS (
            SELECT 1 FROM administrators a
            WHERE a.user_id = k.created_by AND (a.scope_pool IS NULL OR a.scope_pool = k.pool_id)))
        ORDER BY k.created_at DESC, k.id DESC";
    PAGE = "
        SELECT k.id, k.secret, k.role, k.created_by, k.created_at, k.expires_at FROM management_keys k
        WHERE k.pool_id = $1 AND k.expires_at > $2 AND (CAST($3 AS TEXT) IS NULL OR k.id < $3)
          AND (k.created_by IS NULL OR EXISTS (
              SELECT 1 FROM administrators a
              WHERE a.user_id = k.created_by AND (a.scope_pool IS NULL OR a.scope_pool = k.pool_id)))
        ORDER BY k.id DESC LIMIT $4";
    SHORTEN = "UPDATE management_keys SET expires_at = $3 WHERE pool_id = $1 AND id = $2 AND expires_at > $3";
    DELETE = "DELETE FROM management_keys WHERE pool_id = $1 AND id = $2";
    LIST_MADE_BY = "SELECT pool_id, id, role FROM management_keys WHERE created_by = $1 ORDER BY pool_id, id";
    SWEEP = "DELETE FROM management_keys WHERE expires_at < $1";
    USE_SIGNATURE = "
        INSERT INTO management_signatures (pool_id, hash, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT (pool_id, hash) DO NOTHING";
    SWEEP_SIGNATURES = "DELETE FROM management_signatures WHERE expires_at < $1";
}

/// A management key as stored.
#[derive(Clone, Debug)]
pub struct StoredManagementKey {
    /// The key's own id. Clients name their pool instead.
    pub id: AccessKeyId,
    /// The secret, sealed.
    pub secret: Vec<u8>,
    /// What the key may do in its pool.
    pub role: AdminRole,
    /// The administrator who made it; `None` for the command line.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Reads the management keys of a pool that are valid now, latest first. One whose maker has no role there is not.
pub struct ListManagementKeys {
    /// The pool.
    pub pool: PoolId,
    /// The current time.
    pub now: Timestamp,
}

impl Read for ListManagementKeys {
    type Out = Vec<StoredManagementKey>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        tx.all(LIST_VALID, &[(&self.pool).into(), self.now.into()], decode).await
    }
}

/// Reads some of the same keys.
pub struct PageOfManagementKeys {
    /// The pool.
    pub pool: PoolId,
    /// The current time.
    pub now: Timestamp,
    /// The id of the last key of the previous page.
    pub before: Option<String>,
    /// The maximum number of keys.
    pub limit: i64,
}

impl Read for PageOfManagementKeys {
    type Out = Vec<StoredManagementKey>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let values = [(&self.pool).into(), self.now.into(), self.before.as_deref().into(), self.limit.into()];
        tx.all(PAGE, &values, decode).await
    }
}

/// The management keys of a pool that have not expired, latest first.
pub async fn of_pool(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    now: Timestamp,
) -> Result<Vec<StoredManagementKey>, StoreError> {
    tx.all(LIST, &[pool.into(), now.into()], decode).await
}

/// Inserts a key.
pub async fn insert(tx: &mut Tx<'_>, pool: &PoolId, key: &StoredManagementKey) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        key.id.as_str().into(),
        (&key.secret).into(),
        key.role.as_str().into(),
        key.created_by.as_ref().map(UserId::as_str).into(),
        key.created_at.into(),
        key.expires_at.into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// Lets a key expire at this time, unless it expires earlier.
pub async fn shorten(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &AccessKeyId,
    at: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(SHORTEN, &[pool.into(), id.as_str().into(), at.into()]).await.map(drop)
}

/// Deletes a key. Returns whether it existed.
pub async fn delete(tx: &mut Tx<'_>, pool: &PoolId, id: &AccessKeyId) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, &[pool.into(), id.as_str().into()]).await? == 1)
}

/// The keys of all pools that an administrator made: pool, id and role.
pub async fn made_by(
    tx: &mut Tx<'_>,
    user: &UserId,
) -> Result<Vec<(PoolId, AccessKeyId, AdminRole)>, StoreError> {
    tx.all(LIST_MADE_BY, &[user.into()], |row| {
        let role = AdminRole::parse(&row.get::<String>(2)?).ok_or(StoreError::Corrupt { column: "role" })?;
        Ok((PoolId::parse(&row.get::<String>(0)?)?, AccessKeyId::parse(&row.get::<String>(1)?)?, role))
    })
    .await
}

/// Uses up a signature. Of several who bring the same, on whatever nodes, one succeeds.
#[derive(Clone, Debug)]
pub struct UseSignature {
    /// The pool of the key.
    pub pool: PoolId,
    /// The hash of the signature.
    pub hash: TokenHash,
    /// Until when the request could be brought again.
    pub expires_at: Timestamp,
}

impl Write for UseSignature {
    /// Whether it is the first use.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let values = [(&self.pool).into(), (&self.hash).into(), self.expires_at.into()];
        Ok(tx.execute(USE_SIGNATURE, &values).await? == 1)
    }
}

/// Deletes keys and signatures that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    let keys = tx.execute(SWEEP, &[now.into()]).await?;
    Ok(keys + tx.execute(SWEEP_SIGNATURES, &[now.into()]).await?)
}

fn decode(row: &Row<'_>) -> Result<StoredManagementKey, StoreError> {
    Ok(StoredManagementKey {
        id: AccessKeyId::parse(&row.get::<String>(0)?)?,
        secret: row.get(1)?,
        role: AdminRole::parse(&row.get::<String>(2)?).ok_or(StoreError::Corrupt { column: "role" })?,
        created_by: row.get::<Option<String>>(3)?.map(|id| UserId::parse(&id)).transpose()?,
        created_at: Timestamp(row.get(4)?),
        expires_at: Timestamp(row.get(5)?),
    })
}
