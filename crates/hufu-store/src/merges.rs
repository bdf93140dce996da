//! Merges of accounts: which account was merged into which, and what was moved.
//!
//! The row of the merged account is kept and refers to the surviving account.

use hufu_types::merge::Changes;
use hufu_types::{Email, MergeId, Phone, PhoneProof, PoolId, Timestamp, User, UserId, Username};

use crate::users::touched;
use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    PUT = concat!(
        "UPDATE users
         SET username = $3, email = $4, email_verified = $5, phone = $6, phone_proof = $7, external_id = $8,
             profile = $9, custom_data = $10, agreements = $11, merged_into = $12, ", touched!(13), "
         WHERE pool_id = $1 AND id = $2"
    );
    REPOINT = "UPDATE users SET merged_into = $3 WHERE pool_id = $1 AND merged_into = $2 RETURNING id";
    POINT_BACK = "UPDATE users SET merged_into = $4 WHERE pool_id = $1 AND id = $2 AND merged_into = $3";
    INSERT = "
        INSERT INTO merges (pool_id, id, survivor, merged, changes, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    GET = "
        SELECT id, survivor, merged, changes, created_at, undone_at
        FROM merges WHERE pool_id = $1 AND id = $2";
    SET_UNDONE = "UPDATE merges SET undone_at = $3 WHERE pool_id = $1 AND id = $2 AND undone_at IS NULL";
    LIST = "
        SELECT id, survivor, merged, changes, created_at, undone_at
        FROM merges
        WHERE pool_id = $1
          AND survivor IN (
              SELECT CAST($2 AS TEXT) UNION ALL SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2)
        ORDER BY id DESC";
    PAGE = "
        SELECT id, survivor, merged, changes, created_at, undone_at
        FROM merges
        WHERE pool_id = $1
          AND survivor IN (
              SELECT CAST($2 AS TEXT) UNION ALL SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2)
          AND (CAST($3 AS TEXT) IS NULL OR id < $3)
        ORDER BY id DESC LIMIT $4";
    DELETE_OF_USER = "DELETE FROM merges WHERE pool_id = $1 AND (survivor = $2 OR merged = $2)";
}

/// A merge to insert.
#[derive(Clone, Debug)]
pub struct NewMerge {
    /// The id.
    pub id: MergeId,
    /// The account that survives.
    pub survivor: UserId,
    /// The account that is merged into it.
    pub merged: UserId,
}

/// A merge as stored.
#[derive(Clone, Debug)]
pub struct StoredMerge {
    /// The id.
    pub id: MergeId,
    /// The account that survived.
    pub survivor: UserId,
    /// The account that was merged into it.
    pub merged: UserId,
    /// What was moved and copied.
    pub changes: Changes,
    /// When it was merged.
    pub created_at: Timestamp,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
}

/// Reads a merge.
pub async fn get(tx: &mut Tx<'_>, pool: &PoolId, merge: &MergeId) -> Result<Option<StoredMerge>, StoreError> {
    tx.optional(GET, &[pool.into(), merge.as_str().into()], decode).await
}

/// The merges into an account, newest first.
pub async fn of_account(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
) -> Result<Vec<StoredMerge>, StoreError> {
    tx.all(LIST, &[pool.into(), user.into()], decode).await
}

/// Reads the merges into an account, newest first.
pub struct ListMerges {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
}

impl Read for ListMerges {
    type Out = Vec<StoredMerge>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<StoredMerge>, StoreError> {
        of_account(tx, &self.pool, &self.user).await
    }
}

/// Reads some of the same merges.
pub struct PageOfMerges {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The id of the last merge of the previous page.
    pub before: Option<String>,
    /// The maximum number of merges.
    pub limit: i64,
}

impl Read for PageOfMerges {
    type Out = Vec<StoredMerge>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<StoredMerge>, StoreError> {
        let values =
            [(&self.pool).into(), (&self.user).into(), self.before.as_deref().into(), self.limit.into()];
        tx.all(PAGE, &values, decode).await
    }
}

/// Inserts a merge.
pub async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    new: &NewMerge,
    changes: &Changes,
    now: Timestamp,
) -> Result<(), StoreError> {
    let changes = serde_json::to_string(changes)?;
    let values = [
        pool.into(),
        new.id.as_str().into(),
        (&new.survivor).into(),
        (&new.merged).into(),
        (&changes).into(),
        now.into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// Marks a merge as undone. Returns whether it was not undone before.
pub async fn set_undone(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    merge: &MergeId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.execute(SET_UNDONE, &[pool.into(), merge.as_str().into(), now.into()]).await? != 0)
}

/// Makes everything that was merged into `from` refer to `to`. Returns the changed accounts.
pub async fn repoint(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    from: &UserId,
    to: &UserId,
) -> Result<Vec<UserId>, StoreError> {
    let values = [pool.into(), from.into(), to.into()];
    tx.all(REPOINT, &values, |row| Ok(UserId::parse(&row.get::<String>(0)?)?)).await
}

/// Makes an account that refers to `from` refer to `to` again.
pub async fn point_back(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    from: &UserId,
    to: &UserId,
) -> Result<(), StoreError> {
    tx.execute(POINT_BACK, &[pool.into(), user.into(), from.into(), to.into()]).await.map(drop)
}

/// Updates what a merge changes in an account: login names, profile, custom data, agreements, and what it was
/// merged into. The unit has locked it.
pub async fn put(tx: &mut Tx<'_>, user: &mut User, now: Timestamp) -> Result<(), StoreError> {
    user.touch(now);
    let (profile, custom_data, agreements) = (
        serde_json::to_string(&user.profile)?,
        serde_json::to_string(&user.custom_data)?,
        serde_json::to_string(&user.agreements)?,
    );
    let values = [
        (&user.pool).into(),
        (&user.id).into(),
        user.username.as_ref().map(Username::as_str).into(),
        user.email.as_ref().map(Email::as_str).into(),
        user.email_verified.into(),
        user.phone.as_ref().map(|(phone, _)| Phone::as_str(phone)).into(),
        user.phone.as_ref().map(|(_, proof)| PhoneProof::as_str(*proof)).into(),
        (&user.external_id).into(),
        (&profile).into(),
        (&custom_data).into(),
        (&agreements).into(),
        user.merged_into.as_ref().map(UserId::as_str).into(),
        user.updated_at.into(),
    ];
    tx.execute(PUT, &values).await.map(drop)
}

/// Deletes the merges of a user.
pub async fn delete_of_user(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_USER, &[pool.into(), user.into()]).await.map(drop)
}

fn decode(row: &Row<'_>) -> Result<StoredMerge, StoreError> {
    Ok(StoredMerge {
        id: MergeId::parse(&row.get::<String>(0)?)?,
        survivor: UserId::parse(&row.get::<String>(1)?)?,
        merged: UserId::parse(&row.get::<String>(2)?)?,
        changes: serde_json::from_str(&row.get::<String>(3)?)?,
        created_at: Timestamp(row.get(4)?),
        undone_at: row.get::<Option<i64>>(5)?.map(Timestamp),
    })
}
