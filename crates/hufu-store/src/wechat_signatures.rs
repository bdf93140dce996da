//! Signatures of what official accounts were pushed, each of which is good for one message.

use hufu_types::{ConnectionId, PoolId, Timestamp, TokenHash};

use crate::{StoreError, Tx, statements};

statements! {
    INSERT = "
        INSERT INTO wechat_signatures (pool_id, connection_id, hash, message, seen_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING";
    MESSAGE_OF = "
        SELECT message FROM wechat_signatures WHERE pool_id = $1 AND connection_id = $2 AND hash = $3";
    SWEEP = "
        DELETE FROM wechat_signatures
        WHERE (pool_id, connection_id, hash) IN (
            SELECT pool_id, connection_id, hash FROM wechat_signatures
            WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)";
}

/// Records a signature. Returns whether it is good for what came with it: `message`, the keyed hash of what all pushes of
/// the message have in common, or WeChat's check of the address.
pub async fn record(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    connection: &ConnectionId,
    hash: &TokenHash,
    message: Option<&TokenHash>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let message = message.map(TokenHash::as_bytes);
    let key = [pool.into(), connection.into(), hash.into()];
    // It is looked up first: where units share a transaction, a row that is there already would send all of them back.
    let mut seen: Option<Option<Vec<u8>>> = tx.optional(MESSAGE_OF, &key, |row| row.get(0)).await?;
    if seen.is_none() {
        let values = [pool.into(), connection.into(), hash.into(), message.into(), now.into()];
        if tx.execute(INSERT, &values).await? == 1 {
            return Ok(true);
        }
        // Somebody recorded it at the same moment.
        seen = tx.optional(MESSAGE_OF, &key, |row| row.get(0)).await?;
    }
    Ok(message.is_none() || seen.flatten().as_deref() == message)
}

/// Deletes at most `limit` signatures that were seen before this time.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[before.into(), limit.into()]).await
}
