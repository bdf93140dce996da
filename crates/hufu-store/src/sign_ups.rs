//! Users of the system pool who registered themselves and have had no role yet.

use hufu_types::{Timestamp, UserId};

use crate::{StoreError, Tx, statements};

statements! {
    INSERT = "INSERT INTO sign_ups (user_id, created_at) VALUES ($1, $2)";
    IS_OPEN = "SELECT user_id FROM sign_ups WHERE user_id = $1";
    DELETE = "DELETE FROM sign_ups WHERE user_id = $1";
}

/// Notes that somebody registered.
pub async fn insert(tx: &mut Tx<'_>, user: &UserId, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(INSERT, &[user.into(), now.into()]).await.map(drop)
}

/// Whether somebody registered and has had no role since.
pub async fn is_open(tx: &mut Tx<'_>, user: &UserId) -> Result<bool, StoreError> {
    Ok(tx.optional(IS_OPEN, &[user.into()], |row| row.get::<String>(0)).await?.is_some())
}

/// Forgets it, because they get a role, or are deleted.
pub async fn delete(tx: &mut Tx<'_>, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE, &[user.into()]).await.map(drop)
}
