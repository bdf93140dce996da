//! Password hashes, stored in the rows of users. An account has one password; accounts merged into it use
//! that one.

use hufu_types::{PoolId, Timestamp, UserId};

use crate::users::touched;
use crate::{StoreError, Tx, statements};

/// The scheme and the parameters of a password hash: its text without salt and hash. bcrypt does not separate the
/// two. The index `users_password_scheme` is over the same expression.
macro_rules! scheme {
    () => {
        "CASE WHEN substr(password_hash, 2, 1) = '2'
              THEN rtrim(password_hash, replace(password_hash, '$', ''))
              ELSE rtrim(rtrim(rtrim(password_hash, replace(password_hash, '$', '')), '$'),
                         replace(password_hash, '$', '')) END"
    };
}

statements! {
    NEXT_SCHEME = concat!(
        "SELECT ", scheme!(), " FROM users
         WHERE pool_id = $1 AND password_hash IS NOT NULL AND ", scheme!(), " > $2
         ORDER BY ", scheme!(), " LIMIT 1"
    );
    GET = "SELECT password_hash FROM users WHERE pool_id = $1 AND id = $2";
    SET = concat!(
        "UPDATE users SET password_hash = $3, password_set_at = $4, must_reset = FALSE, ", touched!(4), "
         WHERE pool_id = $1 AND (id = $2 OR merged_into = $2)"
    );
    WRITE = concat!(
        "UPDATE users SET password_hash = $3, password_set_at = $4, must_reset = $5, ", touched!(6), "
         WHERE pool_id = $1 AND (id = $2 OR merged_into = $2)"
    );
    REHASH = "
        UPDATE users SET password_hash = $4
        WHERE pool_id = $1 AND (id = $2 OR merged_into = $2) AND password_hash = $3";
    COPY = "
        UPDATE users
        SET password_hash = (SELECT m.password_hash FROM users m WHERE m.pool_id = $1 AND m.id = $3),
            password_set_at = (SELECT m.password_set_at FROM users m WHERE m.pool_id = $1 AND m.id = $3),
            must_reset = (SELECT m.must_reset FROM users m WHERE m.pool_id = $1 AND m.id = $3)
        WHERE pool_id = $1 AND id = $2 AND password_hash IS NULL";
    DROP_COPIED = "
        UPDATE users
        SET password_hash = NULL, password_set_at = NULL, must_reset = FALSE
        WHERE pool_id = $1 AND id = $2
          AND password_hash = (SELECT m.password_hash FROM users m WHERE m.pool_id = $1 AND m.id = $3)";
    DROP = "
        UPDATE users
        SET password_hash = NULL, password_set_at = NULL, must_reset = FALSE
        WHERE pool_id = $1 AND id = $2";
}

/// The most schemes that are told of a pool. Each makes every failed login dearer.
const MAX_SCHEMES: usize = 8;

/// The schemes of the pool's password hashes, with their parameters, such as `$2b$10$`. An index is asked for the
/// next one again and again, so this is quick however many users there are, and a scheme is gone with its last
/// hash.
pub async fn schemes(tx: &mut Tx<'_>, pool: &PoolId) -> Result<Vec<String>, StoreError> {
    let mut found: Vec<String> = Vec::new();
    while found.len() < MAX_SCHEMES {
        let last = found.last().map(String::as_str).unwrap_or_default();
        let next = tx.optional(NEXT_SCHEME, &[pool.into(), last.into()], |row| row.get::<String>(0)).await?;
        let Some(next) = next else { break };
        found.push(next);
    }
    Ok(found)
}

/// The hash of an account's password.
pub async fn get(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<Option<String>, StoreError> {
    Ok(tx.optional(GET, &[pool.into(), user.into()], |row| row.get(0)).await?.flatten())
}

/// Sets a password that the user chose.
pub async fn set(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    hash: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(SET, &[pool.into(), user.into(), hash.into(), now.into()]).await.map(drop)
}

/// Sets a password that an administrator chose, or removes the password if `hash` is `None`.
pub async fn write(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    hash: Option<&str>,
    must_reset: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let set_at = hash.map(|_| now);
    let values = [pool.into(), user.into(), hash.into(), set_at.into(), must_reset.into(), now.into()];
    tx.execute(WRITE, &values).await.map(drop)
}

/// Replaces the hash with a stronger one of the same password, if it has not changed meanwhile.
pub async fn rehash(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    old: &str,
    new: &str,
) -> Result<(), StoreError> {
    tx.execute(REHASH, &[pool.into(), user.into(), old.into(), new.into()]).await.map(drop)
}

/// Copies the password of `from` to an account without a password. Returns whether it was copied.
pub async fn copy(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId, from: &UserId) -> Result<bool, StoreError> {
    Ok(tx.execute(COPY, &[pool.into(), user.into(), from.into()]).await? == 1)
}

/// Removes the password of an account if it is still equal to that of `from`. Returns whether it was removed.
pub async fn drop_copied(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    from: &UserId,
) -> Result<bool, StoreError> {
    Ok(tx.execute(DROP_COPIED, &[pool.into(), user.into(), from.into()]).await? == 1)
}

/// Removes the password of a single row.
pub async fn drop_own(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DROP, &[pool.into(), user.into()]).await.map(drop)
}
