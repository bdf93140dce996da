//! Logins that are waiting for the person's next step.

use hufu_types::flow::FlowState;
use hufu_types::{ApplicationId, ConnectionId, FlowId, PoolId, Timestamp, TokenHash, UserId};

use crate::{Row, StoreError, Tx, statements};

statements! {
    INSERT = "
        INSERT INTO login_flows
            (pool_id, id, application_id, connection_id, handle, cookie, proof, state, tries, created_at, expires_at,
             user_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11)
        ON CONFLICT (pool_id, id) DO UPDATE
        SET handle = excluded.handle, proof = excluded.proof, state = excluded.state, user_id = excluded.user_id";
    GET = "
        SELECT application_id, connection_id, handle, cookie, proof, state, tries, expires_at
        FROM login_flows WHERE pool_id = $1 AND id = $2";
    LOCK = "
        UPDATE login_flows SET tries = tries WHERE pool_id = $1 AND id = $2
        RETURNING application_id, connection_id, handle, cookie, proof, state, tries, expires_at";
    ADVANCE = "
        UPDATE login_flows SET handle = $3, state = $4, tries = $5, user_id = $6
        WHERE pool_id = $1 AND id = $2";
    DETACH = "UPDATE login_flows SET user_id = NULL WHERE pool_id = $1 AND id = $2";
    DELETE_OF_USER = "
        DELETE FROM login_flows
        WHERE pool_id = $1
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))";
    DELETE = "DELETE FROM login_flows WHERE pool_id = $1 AND id = $2";
    SWEEP = "
        DELETE FROM login_flows
        WHERE expires_at < $1
          AND (pool_id, id) IN (
              SELECT pool_id, id FROM login_flows WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)
        RETURNING pool_id, application_id, connection_id, state";
}

/// A waiting login to insert.
#[derive(Clone, Debug)]
pub struct NewFlow {
    /// The id.
    pub id: FlowId,
    /// The hash of the handle required for the next step.
    pub handle: TokenHash,
    /// The hash of the browser's cookie, if there is one.
    pub cookie: Option<TokenHash>,
    /// The proof from the source, sealed for this flow.
    pub proof: Vec<u8>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// A waiting login as stored.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The application that the person logs in to.
    pub application: ApplicationId,
    /// The connection used to log in.
    pub connection: Option<ConnectionId>,
    /// The hash of the handle required for the next step.
    pub handle: TokenHash,
    /// The hash of the browser's cookie, if there is one.
    pub cookie: Option<TokenHash>,
    /// The proof from the source, sealed for this flow.
    pub proof: Vec<u8>,
    /// Its state.
    pub state: FlowState,
    /// The number of failed steps.
    pub tries: i64,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Reads a flow; `None` if it has been completed.
pub async fn get(tx: &mut Tx<'_>, pool: &PoolId, flow: &FlowId) -> Result<Option<Flow>, StoreError> {
    tx.optional(GET, &[pool.into(), flow.as_str().into()], decode).await
}

/// Inserts a flow. If it exists, starts it again with a new handle. Failed steps still count, and it expires when
/// it would have.
pub async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
    connection: &ConnectionId,
    new: &NewFlow,
    state: &FlowState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let user = state.user.as_ref().map(UserId::as_str);
    let state = serde_json::to_string(state)?;
    let values = [
        pool.into(),
        new.id.as_str().into(),
        application.into(),
        connection.into(),
        (&new.handle).into(),
        new.cookie.as_ref().map(TokenHash::as_bytes).into(),
        (&new.proof).into(),
        (&state).into(),
        now.into(),
        new.expires_at.into(),
        user.into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// Reads a flow and locks it until the unit ends.
pub async fn get_locked(tx: &mut Tx<'_>, pool: &PoolId, flow: &FlowId) -> Result<Option<Flow>, StoreError> {
    tx.optional(LOCK, &[pool.into(), flow.as_str().into()], decode).await
}

/// Moves a flow to another stage, or counts a failed step, and replaces the handle.
pub async fn advance(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    flow: &FlowId,
    handle: &TokenHash,
    state: &FlowState,
    tries: i64,
) -> Result<(), StoreError> {
    let user = state.user.as_ref().map(UserId::as_str);
    let state = serde_json::to_string(state)?;
    let values =
        [pool.into(), flow.as_str().into(), handle.into(), (&state).into(), tries.into(), user.into()];
    tx.execute(ADVANCE, &values).await.map(drop)
}

/// Clears the user of a flow until [`advance`] sets it again, so that [`end_of_user`] leaves the flow alone
/// in this unit.
pub async fn detach(tx: &mut Tx<'_>, pool: &PoolId, flow: &FlowId) -> Result<(), StoreError> {
    tx.execute(DETACH, &[pool.into(), flow.as_str().into()]).await.map(drop)
}

/// Deletes the waiting logins of this user and of accounts merged into it. Code that ends a user's sessions
/// calls this too, because what was proved before, such as an old password, is no longer sufficient.
pub async fn end_of_user(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_USER, &[pool.into(), user.into()]).await.map(drop)
}

/// Deletes a flow.
pub async fn end(tx: &mut Tx<'_>, pool: &PoolId, flow: &FlowId) -> Result<(), StoreError> {
    tx.execute(DELETE, &[pool.into(), flow.as_str().into()]).await.map(drop)
}

/// A waiting login that has expired.
#[derive(Clone, Debug)]
pub struct Expired {
    /// The pool.
    pub pool: PoolId,
    /// The application that the person was logging in to.
    pub application: ApplicationId,
    /// The connection used.
    pub connection: Option<ConnectionId>,
    /// Its last state.
    pub state: FlowState,
}

/// Deletes flows that expired before `now`, of all pools.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp, limit: i64) -> Result<Vec<Expired>, StoreError> {
    tx.all(SWEEP, &[now.into(), limit.into()], |row| {
        Ok(Expired {
            pool: crate::config::pool_id(row, 0)?,
            application: ApplicationId::parse(&row.get::<String>(1)?)?,
            connection: row.get::<Option<String>>(2)?.map(|id| ConnectionId::parse(&id)).transpose()?,
            state: serde_json::from_str(&row.get::<String>(3)?)?,
        })
    })
    .await
}

fn hash(bytes: &[u8], column: &'static str) -> Result<TokenHash, StoreError> {
    Ok(TokenHash(bytes.try_into().map_err(|_| StoreError::Corrupt { column })?))
}

fn decode(row: &Row<'_>) -> Result<Flow, StoreError> {
    let cookie: Option<Vec<u8>> = row.get(3)?;
    Ok(Flow {
        application: ApplicationId::parse(&row.get::<String>(0)?)?,
        connection: row.get::<Option<String>>(1)?.map(|id| ConnectionId::parse(&id)).transpose()?,
        handle: hash(&row.get::<Vec<u8>>(2)?, "handle")?,
        cookie: cookie.map(|bytes| hash(&bytes, "cookie")).transpose()?,
        proof: row.get(4)?,
        state: serde_json::from_str(&row.get::<String>(5)?)?,
        tries: row.get(6)?,
        expires_at: Timestamp(row.get(7)?),
    })
}
