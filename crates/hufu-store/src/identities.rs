//! Identities: ids that a source proved, and the users they are linked to.

use serde::Serialize;

use hufu_types::{ConnectionId, Identity, IdentityKey, IdentityKind, IdpUserInfo, PoolId, Timestamp, UserId};

use crate::batches::{batches, rows};
use crate::{Read, Row, StoreError, Tx, statements, wechat_followers};

statements! {
    ANY_IN_REALM = "SELECT user_id FROM identities WHERE pool_id = $1 AND realm = $2 LIMIT 1";
    LIST = "
        SELECT realm, kind, value, user_id, connection_id, created_at, user_info
        FROM identities
        WHERE pool_id = $1
          AND user_id IN (
              SELECT CAST($2 AS TEXT) UNION ALL SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2)
        ORDER BY created_at, kind, realm";
    // As in `users::BY_IDENTITY`, not a join.
    OWNER = "
        SELECT COALESCE(u.merged_into, u.id)
        FROM users u
        WHERE u.pool_id = $1 AND u.id = (
            SELECT user_id FROM identities WHERE pool_id = $1 AND realm = $2 AND kind = $3 AND value = $4)";
    OTHER_IN_REALM = "
        SELECT 1 FROM identities
        WHERE pool_id = $1
          AND user_id IN (
              SELECT CAST($2 AS TEXT) UNION ALL SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2)
          AND realm = $3 AND kind = $4 AND value <> $5 LIMIT 1";
    ENTERING = "
        SELECT i.realm, i.kind, i.value, i.user_id, i.connection_id, i.created_at, i.user_info
        FROM identities i
        WHERE i.pool_id = $1
          AND i.user_id IN (
              SELECT CAST($2 AS TEXT) UNION ALL SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2)
          AND EXISTS (
              SELECT 1
              FROM connections c
              JOIN application_connections ac ON ac.pool_id = c.pool_id AND ac.connection_id = c.id
              JOIN applications a ON a.pool_id = ac.pool_id AND a.id = ac.application_id
              WHERE c.pool_id = $1 AND c.enabled AND a.enabled
                AND (   (i.kind = 'openid' AND i.realm = c.own_realm)
                     OR (i.kind = 'unionid' AND i.realm = c.shared_realm)))
        ORDER BY i.created_at, i.kind, i.realm";
    INSERT = "
        INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at, user_info)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    INSERT_IF_FREE = "
        INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at, user_info)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT DO NOTHING";
    SET_USER_INFO = "
        UPDATE identities SET user_info = $5 WHERE pool_id = $1 AND realm = $2 AND kind = $3 AND value = $4";
    DELETE = "
        DELETE FROM identities WHERE pool_id = $1 AND realm = $2 AND kind = $3 AND value = $4";
    DELETE_OF_ACCOUNT = "
        DELETE FROM identities
        WHERE pool_id = $1
          AND user_id IN (
              SELECT CAST($2 AS TEXT) UNION ALL SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2)";
}

batches! {
    INSERT_ALL = "
        INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at, user_info)
        SELECT $1, r.realm, r.kind, r.value, r.user_id, r.connection_id, r.created_at, r.user_info
        FROM " [
            realm TEXT, kind TEXT, value TEXT, user_id TEXT, connection_id TEXT, created_at BIGINT, user_info TEXT
        ] "";
}

/// Whether anybody has an id of this realm.
pub async fn is_realm_used(tx: &mut Tx<'_>, pool: &PoolId, realm: &str) -> Result<bool, StoreError> {
    Ok(tx.optional(ANY_IN_REALM, &[pool.into(), realm.into()], |_| Ok(())).await?.is_some())
}

/// Whether anybody has an id that is unique in this realm.
pub struct HasIdentities {
    /// The pool.
    pub pool: PoolId,
    /// The realm.
    pub realm: String,
}

impl Read for HasIdentities {
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        is_realm_used(tx, &self.pool, &self.realm).await
    }
}

/// An identity to insert.
#[derive(Clone, Debug)]
pub struct NewIdentity {
    /// The connection through which it was first seen.
    pub connection: ConnectionId,
    /// Realm, kind and value.
    pub key: IdentityKey,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// What the source said about the person.
    pub user_info: IdpUserInfo,
}

/// All identities of a user, oldest first.
pub async fn of_account(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<Vec<Identity>, StoreError> {
    tx.all(LIST, &[pool.into(), user.into()], decode).await
}

/// The account that an identity is linked to.
pub async fn owner(tx: &mut Tx<'_>, pool: &PoolId, key: &IdentityKey) -> Result<Option<UserId>, StoreError> {
    let values = [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into()];
    let owner: Option<String> = tx.optional(OWNER, &values, |row| row.get(0)).await?;
    Ok(owner.map(|id| UserId::parse(&id)).transpose()?)
}

/// Whether a user has another identity of the same realm and kind.
pub async fn has_other_in_realm(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    key: &IdentityKey,
) -> Result<bool, StoreError> {
    let values =
        [pool.into(), user.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into()];
    Ok(tx.optional(OTHER_IN_REALM, &values, |_| Ok(())).await?.is_some())
}

/// Links an identity to a user. It should be free: if it is taken, the unit fails.
pub async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    new: &NewIdentity,
) -> Result<(), StoreError> {
    insert_by(tx, INSERT, (pool, user, new)).await.map(drop)
}

/// Links an identity to a user unless it is already linked. Returns whether it was linked.
pub async fn insert_if_free(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    new: &NewIdentity,
) -> Result<bool, StoreError> {
    Ok(insert_by(tx, INSERT_IF_FREE, (pool, user, new)).await? == 1)
}

async fn insert_by(
    tx: &mut Tx<'_>,
    statement: &'static str,
    (pool, user, new): (&PoolId, &UserId, &NewIdentity),
) -> Result<u64, StoreError> {
    let NewIdentity { connection, key, created_at, user_info } = new;
    let user_info = stored(user_info)?;
    let values = [
        pool.into(),
        (&key.realm).into(),
        key.kind.as_str().into(),
        (&key.value).into(),
        user.into(),
        connection.into(),
        (*created_at).into(),
        (&user_info).into(),
    ];
    tx.execute(statement, &values).await
}

/// Keeps what the source said about a person with their identity, in place of what it said before.
pub async fn set_user_info(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    key: &IdentityKey,
    said: &IdpUserInfo,
) -> Result<(), StoreError> {
    let said = stored(said)?;
    let values =
        [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into(), (&said).into()];
    tx.execute(SET_USER_INFO, &values).await.map(drop)
}

/// What a source said, as it is stored.
pub(crate) fn stored(said: &IdpUserInfo) -> Result<Option<String>, StoreError> {
    Ok(if said.is_empty() { None } else { Some(serde_json::to_string(said)?) })
}

/// The reverse of [`stored`].
pub(crate) fn user_info(stored: Option<String>) -> Result<IdpUserInfo, StoreError> {
    Ok(stored.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default())
}

#[derive(Serialize)]
struct NewRow<'a> {
    realm: &'a str,
    kind: &'static str,
    value: &'a str,
    user_id: &'a str,
    connection_id: &'a str,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_info: Option<String>,
}

/// Links many identities to their users, in one statement. They must be free: one that is taken fails the unit, which
/// then runs again.
pub async fn insert_all(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    identities: &[(&UserId, &NewIdentity)],
) -> Result<(), StoreError> {
    if identities.is_empty() {
        return Ok(());
    }
    let mut new = Vec::with_capacity(identities.len());
    for (user, identity) in identities {
        new.push(NewRow {
            realm: &identity.key.realm,
            kind: identity.key.kind.as_str(),
            value: &identity.key.value,
            user_id: user.as_str(),
            connection_id: identity.connection.as_str(),
            created_at: identity.created_at.0,
            user_info: stored(&identity.user_info)?,
        });
    }
    let new = rows(new)?;
    tx.execute(INSERT_ALL.for_engine(tx), &[pool.into(), (&new).into()]).await.map(drop)
}

/// The identities of an account that come from enabled connections of enabled applications.
pub async fn of_enabled_connections(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
) -> Result<Vec<Identity>, StoreError> {
    tx.all(ENTERING, &[pool.into(), user.into()], decode).await
}

/// Deletes an identity.
pub async fn delete(tx: &mut Tx<'_>, pool: &PoolId, key: &IdentityKey) -> Result<(), StoreError> {
    let values = [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into()];
    tx.execute(DELETE, &values).await.map(drop)
}

/// Deletes all identities of an account and of those merged into it.
pub async fn delete_of_account(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    // They are found by its identities.
    wechat_followers::delete_of_account(tx, pool, user).await?;
    tx.execute(DELETE_OF_ACCOUNT, &[pool.into(), user.into()]).await.map(drop)
}

fn decode(row: &Row<'_>) -> Result<Identity, StoreError> {
    let kind = IdentityKind::parse(&row.get::<String>(1)?).ok_or(StoreError::Corrupt { column: "kind" })?;
    Ok(Identity {
        key: IdentityKey { realm: row.get(0)?, kind, value: row.get(2)? },
        user: UserId::parse(&row.get::<String>(3)?)?,
        connection: ConnectionId::parse(&row.get::<String>(4)?)?,
        created_at: Timestamp(row.get(5)?),
        user_info: user_info(row.get(6)?)?,
    })
}
