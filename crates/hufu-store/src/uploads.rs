//! Uploaded images. An image is unclaimed until a user's photo refers to it.

use hufu_types::{PoolId, Timestamp, UserId};

use crate::{Read, StoreError, Tx, Write, statements};

statements! {
    INSERT = "
        INSERT INTO uploads (name, content_type, bytes, size, created_at, orphan_since)
        VALUES ($1, $2, $3, $4, $5, $5)";
    ORPHANED_BYTES = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM uploads WHERE orphan_since IS NOT NULL";
    GET_OWNED = "SELECT content_type, bytes FROM uploads WHERE name = $1 AND user_id IS NOT NULL";
    CLAIM = "
        UPDATE uploads SET pool_id = $2, user_id = $3, orphan_since = NULL
        WHERE name = $1 AND user_id IS NULL";
    RELEASE = "
        UPDATE uploads SET pool_id = NULL, user_id = NULL, orphan_since = $4
        WHERE pool_id = $1 AND user_id = $2 AND name <> $3";
    SWEEP = "DELETE FROM uploads WHERE orphan_since < $1";
}

/// Stores an image that no user's photo refers to yet.
pub struct PutUpload {
    /// 128 random bits in hexadecimal.
    pub name: String,
    /// The content type to serve it with.
    pub content_type: &'static str,
    /// The re-encoded image.
    pub bytes: Vec<u8>,
    /// The maximum total size of unclaimed images in the instance, in bytes.
    pub capacity: i64,
    /// The current time.
    pub now: Timestamp,
}

impl Write for PutUpload {
    /// `false` if there is no room.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let size = i64::try_from(self.bytes.len()).unwrap_or(i64::MAX);
        let held: i64 = tx.optional(ORPHANED_BYTES, &[], |row| row.get(0)).await?.unwrap_or(0);
        if held.saturating_add(size) > self.capacity {
            return Ok(false);
        }
        let values = [
            (&self.name).into(),
            self.content_type.into(),
            (&self.bytes).into(),
            size.into(),
            self.now.into(),
        ];
        tx.execute(INSERT, &values).await?;
        Ok(true)
    }
}

/// Reads an image that a user's photo refers to.
pub struct GetUpload {
    /// Its name.
    pub name: String,
}

impl Read for GetUpload {
    /// Content type and bytes.
    type Out = Option<(String, Vec<u8>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        tx.optional(GET_OWNED, &[(&self.name).into()], |row| Ok((row.get(0)?, row.get(1)?))).await
    }
}

/// Records that a user's photo now refers to this image, or to none stored here, and releases the user's
/// other images.
pub async fn claim(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    name: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(name) = name {
        tx.execute(CLAIM, &[name.into(), pool.into(), user.into()]).await?;
    }
    let values = [pool.into(), user.into(), name.unwrap_or_default().into(), now.into()];
    tx.execute(RELEASE, &values).await.map(drop)
}

/// Deletes the images that have been unclaimed since before `before`.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[before.into()]).await
}
