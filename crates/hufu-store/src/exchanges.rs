//! Records of exchanged WeChat codes. For a short time, sending the same code again results in the same
//! login.

use hufu_types::{ApplicationId, FlowId, PoolId, SessionId, Timestamp, TokenHash, UserId};

use crate::{Read, Row, StoreError, Tx, Write, statements};

statements! {
    GET = "
        SELECT application_id, sealed, user_id, session_id, created_at, network, flow_id, refresh_hash
        FROM exchanges WHERE pool_id = $1 AND code_hash = $2";
    PUT = "
        INSERT INTO exchanges
            (pool_id, code_hash, application_id, sealed, user_id, session_id, created_at, network, flow_id,
             refresh_hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (pool_id, code_hash) DO UPDATE
        SET user_id = COALESCE(excluded.user_id, exchanges.user_id),
            session_id = COALESCE(excluded.session_id, exchanges.session_id),
            flow_id = COALESCE(excluded.flow_id, exchanges.flow_id),
            refresh_hash = COALESCE(excluded.refresh_hash, exchanges.refresh_hash)";
    DELETE_OF_USER = "DELETE FROM exchanges WHERE pool_id = $1 AND user_id = $2";
    SWEEP = "DELETE FROM exchanges WHERE created_at < $1";
}

/// The record of an exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The application whose client sent the code.
    pub application: ApplicationId,
    /// WeChat's response, sealed because it contains the session key.
    pub sealed: Vec<u8>,
    /// The resulting login, if there was one.
    pub login: Option<(UserId, SessionId)>,
    /// When the code was exchanged.
    pub created_at: Timestamp,
    /// The network that the code came from first. None if it is unknown.
    pub network: Option<String>,
    /// The waiting login that it led to, if there was one.
    pub flow: Option<FlowId>,
    /// The hash of the refresh token that it gave last, if there was one. In the format of
    /// [`crate::refresh_tokens::RefreshToken::successor`].
    pub refresh: Option<Vec<u8>>,
}

/// Reads the record of a code.
pub struct GetExchange {
    /// The pool.
    pub pool: PoolId,
    /// The hash of connection and code.
    pub code: TokenHash,
}

impl Read for GetExchange {
    type Out = Option<Exchange>;

    fn may_share(&self) -> bool {
        true
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Exchange>, StoreError> {
        tx.optional(GET, &[(&self.pool).into(), (&self.code).into()], decode).await
    }
}

/// Stores the record of a code that was exchanged without a login.
pub struct PutExchange {
    /// The pool.
    pub pool: PoolId,
    /// The hash of connection and code.
    pub code: TokenHash,
    /// The record.
    pub exchange: Exchange,
}

impl Write for PutExchange {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        put(tx, &self.pool, &self.code, &self.exchange).await
    }
}

/// Stores the record of a code. If there already is one, only adds what the code led to.
pub async fn put(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    code: &TokenHash,
    exchange: &Exchange,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        code.into(),
        (&exchange.application).into(),
        (&exchange.sealed).into(),
        exchange.login.as_ref().map(|(user, _)| user.as_str()).into(),
        exchange.login.as_ref().map(|(_, session)| session.as_str()).into(),
        exchange.created_at.into(),
        (&exchange.network).into(),
        exchange.flow.as_ref().map(FlowId::as_str).into(),
        exchange.refresh.as_deref().into(),
    ];
    tx.execute(PUT, &values).await.map(drop)
}

/// Deletes the records of a user's logins.
pub async fn delete_of_user(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_USER, &[pool.into(), user.into()]).await.map(drop)
}

/// Deletes the records older than `before`.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[before.into()]).await
}

fn decode(row: &Row<'_>) -> Result<Exchange, StoreError> {
    let login = match (row.get::<Option<String>>(2)?, row.get::<Option<String>>(3)?) {
        (Some(user), Some(session)) => Some((UserId::parse(&user)?, SessionId::parse(&session)?)),
        _ => None,
    };
    Ok(Exchange {
        application: ApplicationId::parse(&row.get::<String>(0)?)?,
        sealed: row.get(1)?,
        login,
        created_at: Timestamp(row.get(4)?),
        network: row.get(5)?,
        flow: row.get::<Option<String>>(6)?.map(|id| FlowId::parse(&id)).transpose()?,
        refresh: row.get(7)?,
    })
}
