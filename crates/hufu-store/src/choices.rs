//! Remembered choices: which of two accounts a person logs in to with an identity whose proof names both.

use hufu_types::resolution::Choice;
use hufu_types::{IdentityKey, PoolId, Timestamp, UserId};

use crate::{StoreError, Tx, statements};

statements! {
    PUT = "
        INSERT INTO login_choices (pool_id, realm, kind, value, chosen_user, other_user, chosen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (pool_id, realm, kind, value) DO UPDATE
        SET chosen_user = excluded.chosen_user, other_user = excluded.other_user, chosen_at = excluded.chosen_at";
    GET = "
        SELECT chosen_user, other_user FROM login_choices
        WHERE pool_id = $1 AND realm = $2 AND kind = $3 AND value = $4";
    FORGET = "DELETE FROM login_choices WHERE pool_id = $1 AND (chosen_user = $2 OR other_user = $2)";
}

/// Remembers a choice in place of an earlier one of the same identity.
pub async fn put(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    key: &IdentityKey,
    choice: &Choice,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        (&key.realm).into(),
        key.kind.as_str().into(),
        (&key.value).into(),
        (&choice.chosen).into(),
        (&choice.other).into(),
        now.into(),
    ];
    tx.execute(PUT, &values).await.map(drop)
}

/// The last choice of an identity.
pub async fn get(tx: &mut Tx<'_>, pool: &PoolId, key: &IdentityKey) -> Result<Option<Choice>, StoreError> {
    let values = [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into()];
    tx.optional(GET, &values, |row| {
        Ok(Choice {
            chosen: UserId::parse(&row.get::<String>(0)?)?,
            other: UserId::parse(&row.get::<String>(1)?)?,
        })
    })
    .await
}

/// Forgets the choices for and against an account, because it is not what it was when they were made.
pub async fn forget(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(FORGET, &[pool.into(), user.into()]).await.map(drop)
}
