//! The users of applications that only listed users may log in to.

use hufu_types::{ApplicationId, PoolId, Timestamp, UserId};

use crate::{Read, StoreError, Tx, statements};

statements! {
    // An account that was merged keeps its place for the survivor.
    HAS = "
        SELECT 1 FROM application_users
        WHERE pool_id = $1 AND application_id = $2
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $3 OR merged_into = $3))
        LIMIT 1";
    PUT = "
        INSERT INTO application_users (pool_id, application_id, user_id, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING";
    DELETE = "
        DELETE FROM application_users
        WHERE pool_id = $1 AND application_id = $2
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $3 OR merged_into = $3))";
    LIST = "
        SELECT DISTINCT COALESCE(u.merged_into, u.id)
        FROM application_users a JOIN users u ON u.pool_id = a.pool_id AND u.id = a.user_id
        WHERE a.pool_id = $1 AND a.application_id = $2 AND COALESCE(u.merged_into, u.id) > $3
        ORDER BY COALESCE(u.merged_into, u.id) LIMIT $4";
    DELETE_OF_APPLICATION = "DELETE FROM application_users WHERE pool_id = $1 AND application_id = $2";
    DELETE_OF_USER = "DELETE FROM application_users WHERE pool_id = $1 AND user_id = $2";
}

/// Whether the application lists the account, or one that was merged into it.
pub async fn has(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
    user: &UserId,
) -> Result<bool, StoreError> {
    let found = tx.optional(HAS, &[pool.into(), application.into(), user.into()], |_| Ok(())).await?;
    Ok(found.is_some())
}

/// Lists a user. Returns whether they were not listed before.
pub async fn put(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
    user: &UserId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let values = [pool.into(), application.into(), user.into(), now.into()];
    Ok(tx.execute(PUT, &values).await? == 1)
}

/// Takes an account off the list. Returns whether it was there.
pub async fn remove(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
    user: &UserId,
) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, &[pool.into(), application.into(), user.into()]).await? > 0)
}

/// Deletes the list of an application.
pub async fn forget_application(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_APPLICATION, &[pool.into(), application.into()]).await.map(drop)
}

/// Takes a user off all lists.
pub async fn forget(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_USER, &[pool.into(), user.into()]).await.map(drop)
}

/// Reads a page of the accounts that an application lists, in the order of their ids.
pub struct ListApplicationUsers {
    /// The pool.
    pub pool: PoolId,
    /// The application.
    pub application: ApplicationId,
    /// The last account of the page before; empty for the first page.
    pub after: String,
    /// The most accounts of a page.
    pub limit: u32,
}

impl Read for ListApplicationUsers {
    type Out = Vec<UserId>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<UserId>, StoreError> {
        let Self { pool, application, after, limit } = self;
        let values = [pool.into(), application.into(), after.into(), i64::from(*limit).into()];
        tx.all(LIST, &values, |row| Ok(UserId::parse(&row.get::<String>(0)?)?)).await
    }
}
