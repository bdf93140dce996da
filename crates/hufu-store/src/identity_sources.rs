//! Identity sources, as the published management clients have them: a name for some connections.

use std::collections::HashMap;

use hufu_types::{ConnectionId, PoolId, Timestamp};

use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    COUNT = "SELECT COUNT(*) FROM identity_sources WHERE pool_id = $1";
    LIST = "SELECT id, name FROM identity_sources WHERE pool_id = $1 ORDER BY created_at, id";
    INSERT = "INSERT INTO identity_sources (pool_id, id, name, created_at) VALUES ($1, $2, $3, $4)";
    RENAME = "UPDATE identity_sources SET name = $3 WHERE pool_id = $1 AND id = $2";
    DELETE = "DELETE FROM identity_sources WHERE pool_id = $1 AND id = $2";
    LINK = "UPDATE connections SET source_id = $3 WHERE pool_id = $1 AND id = $2";
    LINKS = "SELECT id, source_id FROM connections WHERE pool_id = $1 AND source_id IS NOT NULL";
}

/// The identity sources of a pool, and which connections they have.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Ids and names, in the order of creation.
    pub sources: Vec<(ConnectionId, String)>,
    /// The source of each connection that has one.
    pub of_connections: HashMap<ConnectionId, ConnectionId>,
}

/// Reads the identity sources of a pool.
pub struct ListSources(pub PoolId);

impl Read for ListSources {
    type Out = Sources;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Sources, StoreError> {
        let pool = [(&self.0).into()];
        let sources = tx.all(LIST, &pool, |row| Ok((id(row, 0)?, row.get(1)?))).await?;
        let links = tx.all(LINKS, &pool, |row| Ok((id(row, 0)?, id(row, 1)?))).await?;
        Ok(Sources { sources, of_connections: links.into_iter().collect() })
    }
}

fn id(row: &Row<'_>, column: usize) -> Result<ConnectionId, StoreError> {
    Ok(ConnectionId::parse(&row.get::<String>(column)?)?)
}

/// How many sources a pool has.
pub async fn count(tx: &mut Tx<'_>, pool: &PoolId) -> Result<i64, StoreError> {
    Ok(tx.optional(COUNT, &[pool.into()], |row| row.get(0)).await?.unwrap_or_default())
}

/// Inserts a source.
pub async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ConnectionId,
    name: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(INSERT, &[pool.into(), id.into(), name.into(), now.into()]).await.map(drop)
}

/// Renames a source. Returns whether there is one.
pub async fn rename(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &ConnectionId,
    name: &str,
) -> Result<bool, StoreError> {
    Ok(tx.execute(RENAME, &[pool.into(), id.into(), name.into()]).await? == 1)
}

/// Deletes a source. Returns whether there was one.
pub async fn delete(tx: &mut Tx<'_>, pool: &PoolId, id: &ConnectionId) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, &[pool.into(), id.into()]).await? == 1)
}

/// Puts a connection into a source.
pub async fn link(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    connection: &ConnectionId,
    source: &ConnectionId,
) -> Result<(), StoreError> {
    tx.execute(LINK, &[pool.into(), connection.into(), source.into()]).await.map(drop)
}
