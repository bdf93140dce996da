//! Logins that are under way at a source that the browser was sent to. The source brings back their `state`, of which only
//! the hash is here.

use hufu_types::{ApplicationId, ConnectionId, PoolId, Timestamp, TokenHash};

use crate::{Row, StoreError, Tx, statements};

statements! {
    INSERT = "
        INSERT INTO source_logins (pool_id, hash, connection_id, application_id, browser, purpose, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    ANSWER = "
        UPDATE source_logins SET code = CASE
            WHEN code IS NULL AND connection_id = $3 AND browser = $4 AND expires_at > $5 THEN $6 ELSE code END
        WHERE pool_id = $1 AND hash = $2
        RETURNING connection_id, browser, purpose, code, expires_at";
    SWEEP = "DELETE FROM source_logins WHERE expires_at < $1";
}

/// A login to insert. `Debug` does not show what is sealed.
#[derive(Clone)]
pub struct NewSourceLogin {
    /// The hash of the state.
    pub hash: TokenHash,
    /// The connection.
    pub connection: ConnectionId,
    /// The application.
    pub application: ApplicationId,
    /// The hash of the secret in the browser's cookie.
    pub browser: TokenHash,
    /// What the login is for, sealed.
    pub purpose: Vec<u8>,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for NewSourceLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSourceLogin").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// A login as stored, locked until the unit ends.
pub struct SourceLogin {
    /// The connection.
    pub connection: ConnectionId,
    /// The hash of the secret in the browser's cookie.
    pub browser: Vec<u8>,
    /// What it is for, sealed.
    pub purpose: Vec<u8>,
    /// The hash of the code that the source brought first.
    pub code: Option<Vec<u8>>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// What a browser brings back from a source.
#[derive(Clone, Debug)]
pub struct BroughtBack {
    /// The connection in the address.
    pub connection: ConnectionId,
    /// The hash of the secret in the browser's cookie.
    pub browser: TokenHash,
    /// The hash of the code.
    pub code: Option<TokenHash>,
}

/// Inserts a login.
pub async fn insert(tx: &mut Tx<'_>, pool: &PoolId, new: &NewSourceLogin) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        (&new.hash).into(),
        (&new.connection).into(),
        (&new.application).into(),
        (&new.browser).into(),
        (&new.purpose).into(),
        new.expires_at.into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// Notes the code of a login, if it has none yet, has not expired, and is of this connection and browser. Returns the login
/// as it is now.
pub async fn answer(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &TokenHash,
    brought: &BroughtBack,
    now: Timestamp,
) -> Result<Option<SourceLogin>, StoreError> {
    let values = [
        pool.into(),
        hash.into(),
        (&brought.connection).into(),
        (&brought.browser).into(),
        now.into(),
        brought.code.as_ref().map(TokenHash::as_bytes).into(),
    ];
    tx.optional(ANSWER, &values, decode).await
}

/// Deletes the logins that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

fn decode(row: &Row<'_>) -> Result<SourceLogin, StoreError> {
    Ok(SourceLogin {
        connection: ConnectionId::parse(&row.get::<String>(0)?)?,
        browser: row.get(1)?,
        purpose: row.get(2)?,
        code: row.get(3)?,
        expires_at: Timestamp(row.get(4)?),
    })
}
