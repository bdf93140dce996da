//! WeChat's app tokens, one for all nodes. A node takes a lease on the row before it fetches; each lease has a higher
//! `fence`, and only the latest one can write. The rows belong to no pool: whoever has AppID and AppSecret may have the
//! token.

use hufu_types::Timestamp;

use crate::{Row, StoreError, Tx, statements};

statements! {
    INSERT = "
        INSERT INTO app_tokens
            (credential, app_id, expires_at, fetched_at, token_of, fence, held_until, retry_at, failures)
        VALUES ($1, $2, 0, 0, 0, 0, 0, 0, 0)
        ON CONFLICT (credential) DO NOTHING";
    // Changes nothing, but locks the row until the unit ends.
    LOCK = "
        UPDATE app_tokens SET fence = fence WHERE credential = $1
        RETURNING token, expires_at, token_of, fence, holder, held_until, retry_at, failures, errcode, rid";
    LEASE = "UPDATE app_tokens SET fence = $2, holder = $3, held_until = $4 WHERE credential = $1";
    PUT = "
        UPDATE app_tokens
        SET token = $3, expires_at = $4, fetched_at = $5, token_of = fence, holder = NULL, held_until = 0,
            retry_at = 0, failures = 0, errcode = NULL, rid = NULL
        WHERE credential = $1 AND fence = $2";
    FAIL = "
        UPDATE app_tokens
        SET holder = NULL, held_until = 0, retry_at = $3, failures = failures + 1, errcode = $4, rid = $5
        WHERE credential = $1 AND fence = $2";
    SWEEP = "
        DELETE FROM app_tokens WHERE expires_at < $1 AND held_until < $1 AND retry_at < $1 AND fetched_at < $1";
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAppToken {
    /// The token, sealed. `None` before the first fetch.
    pub token: Option<Vec<u8>>,
    /// When WeChat ends it.
    pub expires_at: Timestamp,
    /// The fence of the lease that brought it.
    pub fetch: i64,
    /// The fence of the latest lease.
    pub fence: i64,
    /// The node that fetches.
    pub holder: Option<String>,
    /// Until when others leave the fetching to it.
    pub held_until: Timestamp,
    /// No fetch before this time, because the last one failed.
    pub retry_at: Timestamp,
    /// How many fetches in a row have failed.
    pub failures: i64,
    /// WeChat's `errcode` for the last one, if it had one.
    pub errcode: Option<i64>,
    /// WeChat's id of that request.
    pub rid: Option<String>,
}

/// Reads the row and locks it until the unit ends. Makes it if there is none.
pub async fn locked(tx: &mut Tx<'_>, credential: &[u8], app_id: &str) -> Result<StoredAppToken, StoreError> {
    if let Some(found) = tx.optional(LOCK, &[credential.into()], decode).await? {
        return Ok(found);
    }
    tx.execute(INSERT, &[credential.into(), app_id.into()]).await?;
    tx.optional(LOCK, &[credential.into()], decode).await?.ok_or(StoreError::LostRace)
}

/// Gives a node the lease with this fence.
pub async fn lease(
    tx: &mut Tx<'_>,
    credential: &[u8],
    fence: i64,
    node: &str,
    until: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(LEASE, &[credential.into(), fence.into(), node.into(), until.into()]).await.map(drop)
}

/// Writes a fetched token, and ends the lease. Returns whether the lease was still the latest.
pub async fn put(
    tx: &mut Tx<'_>,
    credential: &[u8],
    fence: i64,
    sealed: &[u8],
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let values = [credential.into(), fence.into(), sealed.into(), expires_at.into(), now.into()];
    Ok(tx.execute(PUT, &values).await? == 1)
}

/// Writes that a fetch failed, and ends the lease. Returns whether the lease was still the latest.
pub async fn fail(
    tx: &mut Tx<'_>,
    credential: &[u8],
    fence: i64,
    retry_at: Timestamp,
    errcode: Option<i64>,
    rid: Option<&str>,
) -> Result<bool, StoreError> {
    let values = [credential.into(), fence.into(), retry_at.into(), errcode.into(), rid.into()];
    Ok(tx.execute(FAIL, &values).await? == 1)
}

/// Deletes the rows that have been of no use since `before`.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[before.into()]).await
}

fn decode(row: &Row<'_>) -> Result<StoredAppToken, StoreError> {
    Ok(StoredAppToken {
        token: row.get(0)?,
        expires_at: Timestamp(row.get(1)?),
        fetch: row.get(2)?,
        fence: row.get(3)?,
        holder: row.get(4)?,
        held_until: Timestamp(row.get(5)?),
        retry_at: Timestamp(row.get(6)?),
        failures: row.get(7)?,
        errcode: row.get(8)?,
        rid: row.get(9)?,
    })
}
