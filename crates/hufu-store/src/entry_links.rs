//! Links that log an administrator in to a browser, once.

use hufu_types::{Timestamp, TokenHash, UserId};

use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    INSERT = "INSERT INTO entry_links (hash, user_id, expires_at) VALUES ($1, $2, $3)";
    GET = "SELECT user_id FROM entry_links WHERE hash = $1 AND expires_at > $2";
    // Good once: of two who use it the second one finds nothing.
    TAKE = "DELETE FROM entry_links WHERE hash = $1 AND expires_at > $2 RETURNING user_id";
    DELETE_OF = "DELETE FROM entry_links WHERE user_id = $1";
    SWEEP = "DELETE FROM entry_links WHERE expires_at < $1";
}

/// Reads whose link this is, if it is good at this time.
pub struct GetEntryLink(pub TokenHash, pub Timestamp);

impl Read for GetEntryLink {
    type Out = Option<UserId>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<UserId>, StoreError> {
        tx.optional(GET, &[(&self.0).into(), self.1.into()], decode).await
    }
}

/// Inserts the link of an administrator, in place of the earlier ones.
pub async fn put(
    tx: &mut Tx<'_>,
    hash: &TokenHash,
    user: &UserId,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    delete_of(tx, user).await?;
    tx.execute(INSERT, &[hash.into(), user.into(), expires_at.into()]).await.map(drop)
}

/// Takes a link away, and returns whose it is, if it is good at this time.
pub async fn take(tx: &mut Tx<'_>, hash: &TokenHash, now: Timestamp) -> Result<Option<UserId>, StoreError> {
    tx.optional(TAKE, &[hash.into(), now.into()], decode).await
}

/// Deletes the links of an administrator.
pub async fn delete_of(tx: &mut Tx<'_>, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_OF, &[user.into()]).await.map(drop)
}

/// Deletes the links that are not good any more.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

fn decode(row: &Row<'_>) -> Result<UserId, StoreError> {
    Ok(UserId::parse(&row.get::<String>(0)?)?)
}
