//! Refresh tokens, stored as hashes.

use hufu_types::{ApplicationId, PoolId, ScopeSet, SessionId, Thumbprint, Timestamp, TokenAuth, TokenHash};

use crate::{Row, StoreError, Tx, resources, statements};

statements! {
    GET = "
        SELECT session_id, application_id, scope, expires_at, used_at, successor, client_auth, jkt,
               resources
        FROM refresh_tokens WHERE pool_id = $1 AND hash = $2";
    GET_LOCKED = "
        UPDATE refresh_tokens SET used_at = used_at WHERE pool_id = $1 AND hash = $2
        RETURNING session_id, application_id, scope, expires_at, used_at, successor, client_auth, jkt,
                  resources";
    INSERT = "
        INSERT INTO refresh_tokens (pool_id, hash, session_id, application_id, scope, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    INSERT_FOR_CLIENT = "
        INSERT INTO refresh_tokens
            (pool_id, hash, session_id, application_id, scope, created_at, expires_at, client_auth, jkt,
             resources)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    SUCCEED_UNUSED = "
        UPDATE refresh_tokens SET used_at = $3, successor = $4
        WHERE pool_id = $1 AND hash = $2 AND used_at IS NULL";
    SUCCEED = "
        UPDATE refresh_tokens SET used_at = COALESCE(used_at, $3), successor = $4
        WHERE pool_id = $1 AND hash = $2";
    SUPERSEDE_UNUSED = "
        UPDATE refresh_tokens SET used_at = $3 WHERE pool_id = $1 AND hash = $2 AND used_at IS NULL";
    SWEEP = "DELETE FROM refresh_tokens WHERE expires_at < $1";
}

/// A refresh token to insert.
#[derive(Clone, Debug)]
pub struct NewRefreshToken {
    /// The hash of the token.
    pub hash: TokenHash,
    /// The scopes that it can renew.
    pub scope: ScopeSet,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How the client authenticated; `None` for clients of the published SDKs, which do not.
    pub client_auth: Option<TokenAuth>,
    /// The key that it is bound to: of a client that does not authenticate (RFC 9449 section 5).
    pub key: Option<Thumbprint>,
    /// The resources that its access tokens are for. Clients of the published SDKs have none.
    pub resources: Vec<String>,
}

/// A refresh token as stored.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    /// The session that it renews.
    pub session: SessionId,
    /// The application that may present it.
    pub application: ApplicationId,
    /// The scopes that it can renew.
    pub scope: ScopeSet,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was first used.
    pub used_at: Option<Timestamp>,
    /// The hash of the token that replaced it at its last use.
    pub successor: Option<Vec<u8>>,
    /// How the client authenticated to get it.
    pub client_auth: Option<TokenAuth>,
    /// The key that it is bound to.
    pub key: Option<Thumbprint>,
    /// The resources that its access tokens are for.
    pub resources: Vec<String>,
}

/// Reads a refresh token.
pub async fn get(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &TokenHash,
) -> Result<Option<RefreshToken>, StoreError> {
    tx.optional(GET, &[pool.into(), hash.into()], decode).await
}

/// Reads a refresh token and locks its row until the unit ends.
pub async fn get_locked(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &TokenHash,
) -> Result<Option<RefreshToken>, StoreError> {
    tx.optional(GET_LOCKED, &[pool.into(), hash.into()], decode).await
}

/// Marks an unused token as used and records its successor. Returns whether it was there and unused.
pub async fn succeed_unused(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &TokenHash,
    successor: &TokenHash,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let values = [pool.into(), hash.into(), now.into(), successor.into()];
    Ok(tx.execute(SUCCEED_UNUSED, &values).await? == 1)
}

/// Marks a token as used, if it was not before, and records its successor.
pub async fn set_successor(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &TokenHash,
    successor: &TokenHash,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(SUCCEED, &[pool.into(), hash.into(), now.into(), successor.into()]).await.map(drop)
}

/// Marks an unused token as used. Returns whether it was unused. `hash` has the format of
/// [`RefreshToken::successor`].
pub async fn supersede_unused(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &[u8],
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.execute(SUPERSEDE_UNUSED, &[pool.into(), hash.into(), now.into()]).await? == 1)
}

/// Inserts a refresh token.
pub async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    session: &SessionId,
    application: &ApplicationId,
    new: &NewRefreshToken,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (scope, resources) = (new.scope.to_string(), resources::written(&new.resources)?);
    let values = [
        pool.into(),
        (&new.hash).into(),
        session.into(),
        application.into(),
        (&scope).into(),
        now.into(),
        new.expires_at.into(),
        new.client_auth.map(TokenAuth::as_str).into(),
        new.key.as_ref().map(Thumbprint::as_str).into(),
        resources.as_deref().into(),
    ];
    // Logins of the published clients are written in groups, by a statement that knows nothing of clients.
    match (new.client_auth, &new.key, values.first_chunk::<7>()) {
        (None, None, Some(values)) => tx.execute(INSERT, values).await.map(drop),
        _ => tx.execute(INSERT_FOR_CLIENT, &values).await.map(drop),
    }
}

/// Deletes the tokens that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

fn decode(row: &Row<'_>) -> Result<RefreshToken, StoreError> {
    Ok(RefreshToken {
        session: SessionId::parse(&row.get::<String>(0)?)?,
        application: ApplicationId::parse(&row.get::<String>(1)?)?,
        scope: ScopeSet::stored(&row.get::<String>(2)?),
        expires_at: Timestamp(row.get(3)?),
        used_at: row.get::<Option<i64>>(4)?.map(Timestamp),
        successor: row.get(5)?,
        client_auth: row
            .get::<Option<String>>(6)?
            .map(|text| TokenAuth::parse(&text).ok_or(StoreError::Corrupt { column: "client_auth" }))
            .transpose()?,
        key: row
            .get::<Option<String>>(7)?
            .map(|text| Thumbprint::parse(&text).ok_or(StoreError::Corrupt { column: "jkt" }))
            .transpose()?,
        resources: resources::read(row, 8)?,
    })
}
