//! Authorization codes (RFC 6749 section 4.1.2), stored as hashes.

use hufu_types::{ApplicationId, AuthorizationRequest, Facts, PoolId, SessionId, Timestamp, TokenHash};

use crate::{Row, StoreError, Tx, statements};

statements! {
    INSERT = "
        INSERT INTO authorization_codes (pool_id, hash, application_id, session_id, request, facts, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    CLAIM = "
        UPDATE authorization_codes SET used_at = $4
        WHERE pool_id = $1 AND hash = $2 AND application_id = $3 AND used_at IS NULL AND expires_at > $4
        RETURNING application_id, session_id, request, facts, expires_at, used_at";
    RELEASE = "UPDATE authorization_codes SET used_at = NULL WHERE pool_id = $1 AND hash = $2";
    LOCK = "
        UPDATE authorization_codes SET used_at = used_at WHERE pool_id = $1 AND hash = $2
        RETURNING application_id, session_id, request, facts, expires_at, used_at";
    DELETE = "DELETE FROM authorization_codes WHERE pool_id = $1 AND hash = $2";
    SWEEP = "DELETE FROM authorization_codes WHERE expires_at < $1";
}

/// A code to insert.
#[derive(Clone, Debug)]
pub struct NewAuthorizationCode {
    /// The hash of the code.
    pub hash: TokenHash,
    /// The application that it is for.
    pub application: ApplicationId,
    /// The session that it opens.
    pub session: SessionId,
    /// The request that it answers.
    pub request: AuthorizationRequest,
    /// How and when the user authenticated.
    pub facts: Facts,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// A code as stored.
#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    /// The application that it is for.
    pub application: ApplicationId,
    /// The session that it opens.
    pub session: SessionId,
    /// The request that it answers.
    pub request: AuthorizationRequest,
    /// How and when the user authenticated.
    pub facts: Facts,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

/// Inserts a code.
pub async fn insert(tx: &mut Tx<'_>, pool: &PoolId, new: &NewAuthorizationCode) -> Result<(), StoreError> {
    let request = serde_json::to_string(&new.request)?;
    let facts = serde_json::to_string(&new.facts)?;
    let values = [
        pool.into(),
        (&new.hash).into(),
        (&new.application).into(),
        (&new.session).into(),
        (&request).into(),
        (&facts).into(),
        new.expires_at.into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// Marks a code of this application as used and reads it, if it is there, unused and has not expired. Of two that bring
/// the same code, one gets it.
pub async fn claim(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &TokenHash,
    application: &ApplicationId,
    now: Timestamp,
) -> Result<Option<AuthorizationCode>, StoreError> {
    let values = [pool.into(), hash.into(), application.into(), now.into()];
    tx.optional(CLAIM, &values, decode).await
}

/// Takes a claim back, within the unit that made it: the code can still be used.
pub async fn release(tx: &mut Tx<'_>, pool: &PoolId, hash: &TokenHash) -> Result<(), StoreError> {
    tx.execute(RELEASE, &[pool.into(), hash.into()]).await.map(drop)
}

/// Reads a code and locks it until the unit ends.
pub async fn get_locked(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &TokenHash,
) -> Result<Option<AuthorizationCode>, StoreError> {
    tx.optional(LOCK, &[pool.into(), hash.into()], decode).await
}

/// Deletes a code.
pub async fn delete(tx: &mut Tx<'_>, pool: &PoolId, hash: &TokenHash) -> Result<(), StoreError> {
    tx.execute(DELETE, &[pool.into(), hash.into()]).await.map(drop)
}

/// Deletes the codes that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

fn decode(row: &Row<'_>) -> Result<AuthorizationCode, StoreError> {
    Ok(AuthorizationCode {
        application: ApplicationId::parse(&row.get::<String>(0)?)?,
        session: SessionId::parse(&row.get::<String>(1)?)?,
        request: serde_json::from_str(&row.get::<String>(2)?)?,
        facts: serde_json::from_str(&row.get::<String>(3)?)?,
        expires_at: Timestamp(row.get(4)?),
        used_at: row.get::<Option<i64>>(5)?.map(Timestamp),
    })
}
