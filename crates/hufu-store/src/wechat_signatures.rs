//! Signatures of what official accounts were pushed, each of which is good for one message.

use hufu_types::{ConnectionId, PoolId, Timestamp, TokenHash};

use crate::{Row, StoreError, Tx, statements};

statements! {
    INSERT = "
        INSERT INTO wechat_signatures (pool_id, connection_id, hash, message, seen_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING";
    MESSAGE_OF = "
        SELECT message, seen_at FROM wechat_signatures WHERE pool_id = $1 AND connection_id = $2 AND hash = $3";
    SWEEP = "
        DELETE FROM wechat_signatures
        WHERE (pool_id, connection_id, hash) IN (
            SELECT pool_id, connection_id, hash FROM wechat_signatures
            WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)";
}

/// What a signature turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// It was not here before.
    First,
    /// It came with the same message before: this is when it first did.
    Again(Timestamp),
    /// It came with another message, or with WeChat's check of the address.
    OfAnother,
}

/// Records a signature, and what came with it: `message`, the keyed hash of what all pushes of the message have in common, or
/// WeChat's check of the address.
pub async fn record(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    connection: &ConnectionId,
    hash: &TokenHash,
    message: Option<&TokenHash>,
    now: Timestamp,
) -> Result<Signature, StoreError> {
    let message = message.map(TokenHash::as_bytes);
    // It is looked up first: where units share a transaction, a row that is there already would send all of them back.
    if let Some(seen) = seen(tx, pool, connection, hash, message).await? {
        return Ok(seen);
    }
    let values = [pool.into(), connection.into(), hash.into(), message.into(), now.into()];
    if tx.execute(INSERT, &values).await? == 1 {
        return Ok(Signature::First);
    }
    // Somebody recorded it at the same moment.
    Ok(seen(tx, pool, connection, hash, message).await?.unwrap_or(Signature::First))
}

async fn seen(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    connection: &ConnectionId,
    hash: &TokenHash,
    message: Option<&[u8]>,
) -> Result<Option<Signature>, StoreError> {
    let key = [pool.into(), connection.into(), hash.into()];
    let decode = |row: &Row<'_>| Ok((row.get::<Option<Vec<u8>>>(0)?, row.get::<i64>(1)?));
    Ok(tx.optional(MESSAGE_OF, &key, decode).await?.map(|(of, at)| {
        if of.as_deref() == message { Signature::Again(Timestamp(at)) } else { Signature::OfAnother }
    }))
}

/// Deletes at most `limit` signatures that were seen before this time.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[before.into(), limit.into()]).await
}
