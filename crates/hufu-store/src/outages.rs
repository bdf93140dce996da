//! Connections that are unavailable, because WeChat has frozen, banned or deleted their app. Nodes hold them with the
//! configuration of the pool, so that a login asks nothing.

use hufu_types::{ConnectionId, PoolId, Timestamp};

use crate::{Read, Row, StoreError, Tx, Value, statements};

statements! {
    LIST = "
        SELECT pool_id, connection_id, since, errcode, rid FROM unavailable_connections
        WHERE pool_id > $1 AND pool_id <= $2 ORDER BY pool_id, since";
    OF_POOL = "
        SELECT pool_id, connection_id, since, errcode, rid FROM unavailable_connections
        WHERE pool_id = $1 ORDER BY since";
    INSERT = "
        INSERT INTO unavailable_connections (pool_id, connection_id, since, errcode, rid)
        SELECT pool_id, id, $3, $4, $5 FROM connections WHERE pool_id = $1 AND id = $2
        ON CONFLICT (pool_id, connection_id) DO NOTHING";
    DELETE = "DELETE FROM unavailable_connections WHERE pool_id = $1 AND connection_id = $2";
}

/// Since when a connection has been unavailable, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The pool.
    pub pool: PoolId,
    /// The connection.
    pub connection: ConnectionId,
    /// When it was noticed.
    pub since: Timestamp,
    /// WeChat's `errcode`.
    pub errcode: i64,
    /// WeChat's id of the request that it answered so.
    pub rid: Option<String>,
}

/// The outages of the pools whose ids are after the first one, up to the second.
pub(crate) async fn list(tx: &mut Tx<'_>, part: &[Value<'_>; 2]) -> Result<Vec<Outage>, StoreError> {
    tx.all(LIST, part, decode).await
}

/// The outages of a pool.
pub async fn of_pool(tx: &mut Tx<'_>, pool: &PoolId) -> Result<Vec<Outage>, StoreError> {
    tx.all(OF_POOL, &[pool.into()], decode).await
}

/// Reads the outages of a pool.
pub struct OutagesOf(pub PoolId);

impl Read for OutagesOf {
    type Out = Vec<Outage>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        of_pool(tx, &self.0).await
    }
}

/// Notes an outage. Returns whether it is news, and about a connection that there is.
pub async fn insert(tx: &mut Tx<'_>, new: &Outage) -> Result<bool, StoreError> {
    let values = [
        (&new.pool).into(),
        (&new.connection).into(),
        new.since.into(),
        new.errcode.into(),
        (&new.rid).into(),
    ];
    Ok(tx.execute(INSERT, &values).await? == 1)
}

/// Ends an outage. Returns whether there was one.
pub async fn delete(tx: &mut Tx<'_>, pool: &PoolId, connection: &ConnectionId) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, &[pool.into(), connection.into()]).await? == 1)
}

fn decode(row: &Row<'_>) -> Result<Outage, StoreError> {
    Ok(Outage {
        pool: crate::config::pool_id(row, 0)?,
        connection: ConnectionId::parse(&row.get::<String>(1)?)?,
        since: Timestamp(row.get(2)?),
        errcode: row.get(3)?,
        rid: row.get(4)?,
    })
}
