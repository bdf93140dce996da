//! Who follows an official account, beside the identities: somebody may follow before they have an account.

use hufu_types::{PoolId, Timestamp, UserId};

use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    // An older event that arrives later changes nothing.
    PUT = "
        INSERT INTO wechat_followers (pool_id, realm, openid, followed_at, unfollowed_at, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (pool_id, realm, openid) DO UPDATE
        SET followed_at = COALESCE(excluded.followed_at, wechat_followers.followed_at),
            unfollowed_at = excluded.unfollowed_at, changed_at = excluded.changed_at
        WHERE wechat_followers.changed_at <= excluded.changed_at";
    OF_ACCOUNT = "
        SELECT realm, openid, followed_at, unfollowed_at
        FROM wechat_followers
        WHERE pool_id = $1 AND (realm, openid) IN (
            SELECT realm, value FROM identities
            WHERE pool_id = $1 AND kind = 'openid'
              AND user_id IN (
                  SELECT CAST($2 AS TEXT) UNION ALL SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2))";
    DELETE_OF_ACCOUNT = "
        DELETE FROM wechat_followers
        WHERE pool_id = $1 AND (realm, openid) IN (
            SELECT realm, value FROM identities
            WHERE pool_id = $1 AND kind = 'openid'
              AND user_id IN (
                  SELECT CAST($2 AS TEXT) UNION ALL SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2))";
    SWEEP = "
        DELETE FROM wechat_followers
        WHERE unfollowed_at < $1 AND NOT EXISTS (
            SELECT 1 FROM identities i
            WHERE i.pool_id = wechat_followers.pool_id AND i.realm = wechat_followers.realm AND i.kind = 'openid'
              AND i.value = wechat_followers.openid)";
}

/// Whether somebody follows an official account.
#[derive(Clone, PartialEq, Eq)]
pub struct Following {
    /// The realm of the openid.
    pub realm: String,
    /// The openid.
    pub openid: String,
    /// When they last followed, if that was seen.
    pub followed_at: Option<Timestamp>,
    /// When they ceased to; `None` for who follows.
    pub unfollowed_at: Option<Timestamp>,
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Following");
        shown.field("followed_at", &self.followed_at).field("unfollowed_at", &self.unfollowed_at);
        shown.finish_non_exhaustive()
    }
}

/// Records that somebody followed, or ceased to, at WeChat's time `at`.
pub async fn put(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    realm: &str,
    openid: &str,
    follows: bool,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (followed, unfollowed) = if follows { (Some(at), None) } else { (None, Some(at)) };
    let values = [pool.into(), realm.into(), openid.into(), followed.into(), unfollowed.into(), at.into()];
    tx.execute(PUT, &values).await.map(drop)
}

/// The official accounts that a user follows or followed.
#[derive(Clone, Debug)]
pub struct FollowingOf(pub PoolId, pub UserId);

impl Read for FollowingOf {
    type Out = Vec<Following>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Following>, StoreError> {
        tx.all(OF_ACCOUNT, &[(&self.0).into(), (&self.1).into()], decode).await
    }
}

/// Forgets what an account followed, before its identities are deleted.
pub(crate) async fn delete_of_account(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_ACCOUNT, &[pool.into(), user.into()]).await.map(drop)
}

/// Forgets those who ceased to follow before this time and have no account.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[before.into()]).await
}

fn decode(row: &Row<'_>) -> Result<Following, StoreError> {
    Ok(Following {
        realm: row.get(0)?,
        openid: row.get(1)?,
        followed_at: row.get::<Option<i64>>(2)?.map(Timestamp),
        unfollowed_at: row.get::<Option<i64>>(3)?.map(Timestamp),
    })
}
