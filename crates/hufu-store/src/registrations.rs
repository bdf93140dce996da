//! Clients that register themselves: the tokens that let them, and what manages them afterwards.

use hufu_types::{ApplicationId, PoolId, RegistrationTokenId, Timestamp, TokenHash};

use crate::config::pool_id;
use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    INSERT_TOKEN = "
        INSERT INTO registration_tokens (pool_id, id, hash, name, clients, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    GET_TOKEN = "
        SELECT pool_id, id, hash, name, clients, created_at, expires_at FROM registration_tokens WHERE id = $1";
    LIST_TOKENS = "
        SELECT pool_id, id, hash, name, clients, created_at, expires_at FROM registration_tokens
        WHERE pool_id = $1 ORDER BY created_at, id";
    DELETE_TOKEN = "DELETE FROM registration_tokens WHERE pool_id = $1 AND id = $2";
    SWEEP_TOKENS = "DELETE FROM registration_tokens WHERE expires_at < $1";
    INSERT_CLIENT = "
        INSERT INTO registered_clients (pool_id, application_id, token_id, hash, created_at)
        VALUES ($1, $2, $3, $4, $5)";
    GET_CLIENT = "
        SELECT hash, created_at FROM registered_clients WHERE pool_id = $1 AND application_id = $2";
    OF_POOL = "SELECT application_id FROM registered_clients WHERE pool_id = $1";
    REPLACE_HASH = "UPDATE registered_clients SET hash = $3 WHERE pool_id = $1 AND application_id = $2";
    DELETE_CLIENT = "DELETE FROM registered_clients WHERE pool_id = $1 AND application_id = $2";
    COUNT = "SELECT COUNT(*) FROM registered_clients WHERE pool_id = $1";
    COUNT_OF_TOKEN = "SELECT COUNT(*) FROM registered_clients WHERE pool_id = $1 AND token_id = $2";
}

/// A token with which clients register.
#[derive(Clone, Debug)]
pub struct RegistrationToken {
    /// The pool that they register in.
    pub pool: PoolId,
    /// The public part.
    pub id: RegistrationTokenId,
    /// The hash of the whole token.
    pub hash: Vec<u8>,
    /// A name that says what it is for.
    pub name: String,
    /// How many clients that it registered there may be at a time. `None`: as many as the pool may have.
    pub clients: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Reads a token by its public part, which no two pools share.
pub struct GetRegistrationToken(pub RegistrationTokenId);

impl Read for GetRegistrationToken {
    type Out = Option<RegistrationToken>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        token(tx, &self.0).await
    }
}

/// Reads a token by its public part, which no two pools share.
pub async fn token(
    tx: &mut Tx<'_>,
    id: &RegistrationTokenId,
) -> Result<Option<RegistrationToken>, StoreError> {
    tx.optional(GET_TOKEN, &[id.as_str().into()], decode_token).await
}

/// Reads the tokens of a pool, the oldest first, each with the number of clients that it registered.
pub struct ListRegistrationTokens(pub PoolId);

impl Read for ListRegistrationTokens {
    type Out = Vec<(RegistrationToken, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let mut counted = Vec::new();
        for token in tx.all(LIST_TOKENS, &[(&self.0).into()], decode_token).await? {
            let clients = count_of_token(tx, &self.0, &token.id).await?;
            counted.push((token, clients));
        }
        Ok(counted)
    }
}

/// Stores a token.
pub async fn insert_token(tx: &mut Tx<'_>, token: &RegistrationToken) -> Result<(), StoreError> {
    let values = [
        (&token.pool).into(),
        token.id.as_str().into(),
        (&token.hash).into(),
        (&token.name).into(),
        token.clients.into(),
        token.created_at.into(),
        token.expires_at.into(),
    ];
    tx.execute(INSERT_TOKEN, &values).await.map(drop)
}

/// Deletes a token. The clients that it registered stay. Returns whether it was there.
pub async fn delete_token(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &RegistrationTokenId,
) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE_TOKEN, &[pool.into(), id.as_str().into()]).await? == 1)
}

/// Deletes the tokens that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP_TOKENS, &[now.into()]).await
}

/// What manages a registered client.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    /// The hash of its registration access token.
    pub hash: Vec<u8>,
    /// When it registered.
    pub created_at: Timestamp,
}

/// The registration of an application. `None` if it did not register itself.
pub async fn client(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
) -> Result<Option<RegisteredClient>, StoreError> {
    let decode =
        |row: &Row<'_>| Ok(RegisteredClient { hash: row.get(0)?, created_at: Timestamp(row.get(1)?) });
    tx.optional(GET_CLIENT, &[pool.into(), application.into()], decode).await
}

/// The applications of a pool that registered themselves.
pub async fn of_pool(tx: &mut Tx<'_>, pool: &PoolId) -> Result<Vec<ApplicationId>, StoreError> {
    tx.all(OF_POOL, &[pool.into()], |row| Ok(ApplicationId::parse(&row.get::<String>(0)?)?)).await
}

/// How many applications of a pool registered themselves.
pub async fn count(tx: &mut Tx<'_>, pool: &PoolId) -> Result<i64, StoreError> {
    Ok(tx.optional(COUNT, &[pool.into()], |row| row.get(0)).await?.unwrap_or_default())
}

/// How many applications registered themselves with this token.
pub async fn count_of_token(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    token: &RegistrationTokenId,
) -> Result<i64, StoreError> {
    let values = [pool.into(), token.as_str().into()];
    Ok(tx.optional(COUNT_OF_TOKEN, &values, |row| row.get(0)).await?.unwrap_or_default())
}

/// Makes an application one that registered itself.
pub async fn insert_client(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
    token: &RegistrationTokenId,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = [pool.into(), application.into(), token.as_str().into(), hash.into(), now.into()];
    tx.execute(INSERT_CLIENT, &values).await.map(drop)
}

/// Replaces the hash of a client's registration access token.
pub async fn replace_hash(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
    hash: &TokenHash,
) -> Result<(), StoreError> {
    tx.execute(REPLACE_HASH, &[pool.into(), application.into(), hash.into()]).await.map(drop)
}

/// Makes an application one that does not manage itself. Returns whether it did.
pub async fn delete_client(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE_CLIENT, &[pool.into(), application.into()]).await? == 1)
}

fn decode_token(row: &Row<'_>) -> Result<RegistrationToken, StoreError> {
    Ok(RegistrationToken {
        pool: pool_id(row, 0)?,
        id: RegistrationTokenId::parse(&row.get::<String>(1)?)?,
        hash: row.get(2)?,
        name: row.get(3)?,
        clients: row.get(4)?,
        created_at: Timestamp(row.get(5)?),
        expires_at: Timestamp(row.get(6)?),
    })
}
