//! Access keys and administrators.

use std::collections::HashMap;
use std::time::Duration;

use hufu_types::{
    AccessKeyId, AdminRole, Email, Permission, PoolId, PoolRole, Reach, SessionId, Timestamp, TokenHash,
    UserId, UserStatus, Username,
};

use crate::batches::{batches, rows};
use crate::{Read, Row, StoreError, Tx, Write, entry_links, sign_ups, statements};

/// The columns of an access key, in the order of `decode_key`.
macro_rules! key_columns {
    () => {
        "k.id, k.secret, k.name, k.role, k.scope_pool, k.user_id, k.created_at, k.expires_at, u.status, k.created_by,
         k.permissions, k.used_at, k.logged_in_at, k.session_id,
         k.session_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.pool_id = $1 AND s.id = k.session_id),
         k.created_by IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM administrators a
             WHERE a.user_id = k.created_by AND (a.scope_pool IS NULL OR a.scope_pool = k.scope_pool))"
    };
}
macro_rules! with_user {
    () => {
        " FROM access_keys k LEFT JOIN users u ON u.pool_id = $1 AND u.id = k.user_id "
    };
}

/// What is asked about somebody who logs in.
macro_rules! credentials {
    () => {
        "
        SELECT u.id, u.password_hash, u.status, u.must_reset,
               EXISTS (SELECT 1 FROM administrators a WHERE a.user_id = u.id)
        FROM users u
        "
    };
}

statements! {
    INSERT_KEY = "
        INSERT INTO access_keys (id, secret, name, role, scope_pool, user_id, created_at, expires_at, created_by,
                                 permissions, logged_in_at, session_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    GET_KEY = concat!("SELECT ", key_columns!(), with_user!(), "WHERE k.id = $2");
    USE_KEY = "UPDATE access_keys SET used_at = $2 WHERE id = $1 AND COALESCE(used_at, 0) < $2";
    DELETE_KEY = "DELETE FROM access_keys WHERE id = $1";
    // No session has an empty id, so an empty $2 keeps none.
    DELETE_KEYS_OF = "DELETE FROM access_keys WHERE user_id = $1 AND COALESCE(session_id, '-') <> $2";
    LIST_KEYS_MADE_BY = concat!(
        "SELECT ", key_columns!(), with_user!(), "
         WHERE k.user_id IS NULL AND k.created_by = $2
         ORDER BY k.created_at, k.id"
    );
    SWEEP_KEYS = "DELETE FROM access_keys WHERE expires_at < $1 AND (user_id IS NOT NULL OR expires_at < $2)";
    INSERT_ADMINISTRATOR = "
        INSERT INTO administrators (user_id, role, scope_pool, created_at) VALUES ($1, $2, $3, $4)";
    SET_ROLE = "
        UPDATE administrators SET role = $3 WHERE user_id = $1 AND COALESCE(scope_pool, '') = COALESCE($2, '')";
    DELETE_ROLE = "
        DELETE FROM administrators WHERE user_id = $1 AND COALESCE(scope_pool, '') = COALESCE($2, '')";
    DELETE_ADMINISTRATOR = "DELETE FROM administrators WHERE user_id = $1";
    GET_ADMINISTRATOR = "
        SELECT a.user_id, a.role, a.scope_pool, a.created_at, u.username, u.status
        FROM administrators a JOIN users u ON u.pool_id = $1 AND u.id = a.user_id
        WHERE a.user_id = $2
        ORDER BY COALESCE(a.scope_pool, '')";
    ROLES_OF = "
        SELECT scope_pool, role FROM administrators WHERE user_id = $1 ORDER BY COALESCE(scope_pool, '')";
    LOCK_OWNERS = "
        UPDATE administrators SET role = role WHERE scope_pool IS NULL AND role = 'owner' RETURNING user_id";
    ACTIVE_OWNERS = "
        SELECT a.user_id FROM administrators a JOIN users u ON u.pool_id = $1 AND u.id = a.user_id
        WHERE a.scope_pool IS NULL AND a.role = 'owner' AND u.status = 'Activated' AND u.merged_into IS NULL
          AND u.password_hash IS NOT NULL AND (u.username IS NOT NULL OR u.email IS NOT NULL)";
    CREDENTIALS_BY_USERNAME = concat!(credentials!(), "WHERE u.pool_id = $1 AND u.username = $2 AND u.merged_into IS NULL");
    CREDENTIALS_BY_EMAIL = concat!(credentials!(), "WHERE u.pool_id = $1 AND u.email = $2 AND u.merged_into IS NULL");
}

// `$3` says whether all pools are meant; otherwise the rows are those that are.
batches! {
    LIST_KEYS = (
        "SELECT ", key_columns!(), with_user!(), "
         WHERE k.user_id IS NULL AND k.id > $4 AND (CAST($5 AS TEXT) IS NULL OR k.created_by = $5)
           AND ($3 OR k.scope_pool IN (SELECT r.pool FROM "
    ) [pool TEXT] (")) ORDER BY k.id LIMIT $6");
    // So many people, each with all of their roles.
    LIST_ADMINISTRATORS = (
        "SELECT a.user_id, a.role, a.scope_pool, a.created_at, u.username, u.status
         FROM administrators a JOIN users u ON u.pool_id = $1 AND u.id = a.user_id
         WHERE a.user_id IN (
             SELECT DISTINCT b.user_id
             FROM administrators b JOIN users v ON v.pool_id = $1 AND v.id = b.user_id
             WHERE b.user_id > $4 AND ($3 OR b.scope_pool IN (SELECT r.pool FROM "
    ) [pool TEXT] (")) ORDER BY b.user_id LIMIT $5) ORDER BY a.user_id, COALESCE(a.scope_pool, '')");
}

/// What lists ask for: whether all pools are within reach, and the rows of those that are otherwise.
pub(crate) fn within(reach: &Reach) -> Result<(bool, String), StoreError> {
    let pools = match reach {
        Reach::All => &[],
        Reach::Pools(pools) => pools.as_slice(),
    };
    let pools = rows(pools.iter().map(|pool| HashMap::from([("pool", pool.as_str())])))?;
    Ok((*reach == Reach::All, pools))
}

/// How long expired access keys remain visible in lists.
const EXPIRED_KEYS_SHOWN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// An access key to insert.
#[derive(Clone, Debug)]
pub struct NewAccessKey {
    /// The public part.
    pub id: AccessKeyId,
    /// The hash of the secret part.
    pub secret: TokenHash,
    /// A name that says what it is for.
    pub name: String,
    /// The role. For an administrator's login, the administrator's own role applies instead.
    pub role: AdminRole,
    /// What it may do of what its role may; `None` means all of it.
    pub permissions: Option<Vec<Permission>>,
    /// The pool it is limited to; `None` means all pools.
    pub scope: Option<PoolId>,
    /// The administrator, if this key is an administrator's login.
    pub user: Option<UserId>,
    /// The administrator who creates it; `None` for the command line.
    pub created_by: Option<UserId>,
    /// The current time.
    pub created_at: Timestamp,
    /// When it expires, if ever.
    pub expires_at: Option<Timestamp>,
    /// When the administrator proved who they are, if that was before.
    pub logged_in_at: Option<Timestamp>,
    /// The session of the login by browser. The key ends with it.
    pub session: Option<SessionId>,
}

/// An access key as stored.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The public part.
    pub id: AccessKeyId,
    /// The hash of the secret part.
    pub secret: Vec<u8>,
    /// A name that says what it is for.
    pub name: String,
    /// The role of a machine's key. An administrator's login has the roles in `roles` instead.
    pub role: AdminRole,
    /// What it may do of what its role may; `None` means all of it.
    pub permissions: Option<Vec<Permission>>,
    /// The pool it is limited to; `None` means all pools.
    pub scope: Option<PoolId>,
    /// The administrator, if this key is an administrator's login.
    pub user: Option<UserId>,
    /// The administrator who created it, directly or with a key of theirs; `None` for the command line.
    pub created_by: Option<UserId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires, if ever.
    pub expires_at: Option<Timestamp>,
    /// When an administrator's login was last used, to the minute; `None` if it was not noted yet.
    pub used_at: Option<Timestamp>,
    /// When the administrator proved who they are, if that was before `created_at`.
    pub logged_in_at: Option<Timestamp>,
    /// The session of the login by browser.
    pub session: Option<SessionId>,
    /// Whether that session has ended.
    pub session_has_ended: bool,
    /// Whether the administrator in `created_by` has no role any more where the key is valid.
    pub is_orphan: bool,
    /// The roles that apply now: the key's own, or those of the administrator whose login it is. They are stored only
    /// with the administrator, so a change takes effect at once for all of that administrator's logins.
    pub roles: Vec<PoolRole>,
    /// Whether its administrator still has a role and is active; `true` for keys without one.
    pub is_owner_active: bool,
}

/// Reads an access key.
pub struct GetAccessKey(pub AccessKeyId);

impl Read for GetAccessKey {
    type Out = Option<AccessKey>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<AccessKey>, StoreError> {
        access_key(tx, &self.0).await
    }
}

/// Reads an access key.
pub async fn access_key(tx: &mut Tx<'_>, id: &AccessKeyId) -> Result<Option<AccessKey>, StoreError> {
    let system = PoolId::system();
    let values = [(&system).into(), id.as_str().into()];
    let Some(mut key) = tx.optional(GET_KEY, &values, decode_key).await? else { return Ok(None) };
    if let Some(user) = &key.user {
        key.roles = roles_of(tx, user).await?;
        key.is_owner_active = key.is_owner_active && !key.roles.is_empty();
    }
    Ok(Some(key))
}

/// Reads the access keys that are not administrators' logins, by id and so in the order of creation.
pub struct ListAccessKeys {
    /// Where the keys are valid.
    pub reach: Reach,
    /// Only those that this administrator created.
    pub created_by: Option<UserId>,
    /// The id of the last key of the previous page; empty for the first page.
    pub after: String,
    /// The maximum number of keys.
    pub limit: i64,
}

impl Read for ListAccessKeys {
    type Out = Vec<AccessKey>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<AccessKey>, StoreError> {
        let (system, (all, pools)) = (PoolId::system(), within(&self.reach)?);
        let values = [
            (&system).into(),
            (&pools).into(),
            all.into(),
            (&self.after).into(),
            self.created_by.as_ref().map(UserId::as_str).into(),
            self.limit.into(),
        ];
        tx.all(LIST_KEYS.for_engine(tx), &values, decode_key).await
    }
}

/// Inserts an access key.
pub async fn insert_access_key(tx: &mut Tx<'_>, key: &NewAccessKey) -> Result<(), StoreError> {
    let names = |list: &Vec<Permission>| list.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(" ");
    let permissions = key.permissions.as_ref().map(names);
    let values = [
        key.id.as_str().into(),
        (&key.secret).into(),
        (&key.name).into(),
        key.role.as_str().into(),
        key.scope.as_ref().map(PoolId::as_str).into(),
        key.user.as_ref().map(UserId::as_str).into(),
        key.created_at.into(),
        key.expires_at.into(),
        key.created_by.as_ref().map(UserId::as_str).into(),
        (&permissions).into(),
        key.logged_in_at.into(),
        key.session.as_ref().map(SessionId::as_str).into(),
    ];
    tx.execute(INSERT_KEY, &values).await.map(drop)
}

/// Notes that an administrator's login was used.
pub struct UseAccessKey(pub AccessKeyId, pub Timestamp);

impl Write for UseAccessKey {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.execute(USE_KEY, &[self.0.as_str().into(), self.1.into()]).await.map(drop)
    }
}

/// Deletes an access key. Returns whether it existed.
pub async fn delete_access_key(tx: &mut Tx<'_>, id: &AccessKeyId) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE_KEY, &[id.as_str().into()]).await? == 1)
}

/// Deletes the access keys of an administrator's logins, except for that of the session that is kept.
pub async fn delete_access_keys_of(
    tx: &mut Tx<'_>,
    user: &UserId,
    kept: Option<&SessionId>,
) -> Result<(), StoreError> {
    let kept = kept.map_or("", SessionId::as_str);
    tx.execute(DELETE_KEYS_OF, &[user.into(), kept.into()]).await.map(drop)
}

/// The access keys that an administrator created for machines.
pub async fn access_keys_made_by(tx: &mut Tx<'_>, user: &UserId) -> Result<Vec<AccessKey>, StoreError> {
    tx.all(LIST_KEYS_MADE_BY, &[(&PoolId::system()).into(), user.into()], decode_key).await
}

/// Deletes expired access keys: logins immediately, other keys when they are no longer shown in lists.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP_KEYS, &[now.into(), now.minus(EXPIRED_KEYS_SHOWN).into()]).await
}

/// An administrator.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// The user of the system pool.
    pub user: UserId,
    /// The roles: that in all pools first, then by pool. Never empty.
    pub roles: Vec<PoolRole>,
    /// When the administrator was first appointed.
    pub created_at: Timestamp,
    /// The username used to log in.
    pub username: Option<String>,
    /// The status of the account.
    pub status: UserStatus,
}

impl Administrator {
    /// The same with the roles within reach only; `None` if there are none.
    pub fn within(mut self, reach: &Reach) -> Option<Self> {
        self.roles.retain(|role| reach.has(role.pool.as_ref()));
        if self.roles.is_empty() { None } else { Some(self) }
    }
}

/// Reads the administrators who have roles within reach, with those roles, by id.
pub struct ListAdministrators {
    /// Where the roles are.
    pub reach: Reach,
    /// The id of the last administrator of the previous page; empty for the first page.
    pub after: String,
    /// The maximum number of administrators.
    pub limit: i64,
}

impl Read for ListAdministrators {
    type Out = Vec<Administrator>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Administrator>, StoreError> {
        let (system, (all, pools)) = (PoolId::system(), within(&self.reach)?);
        let values = [(&system).into(), (&pools).into(), all.into(), (&self.after).into(), self.limit.into()];
        let found = tx.all(LIST_ADMINISTRATORS.for_engine(tx), &values, decode_administrator).await?;
        Ok(gathered(found).into_iter().filter_map(|one| one.within(&self.reach)).collect())
    }
}

/// Rows of one role each, made into administrators, in the order of their first rows.
fn gathered(rows: Vec<Administrator>) -> Vec<Administrator> {
    let mut all: Vec<Administrator> = Vec::new();
    let mut places = HashMap::new();
    for row in rows {
        let place = *places.entry(row.user.clone()).or_insert(all.len());
        match all.get_mut(place) {
            Some(known) => {
                known.created_at = known.created_at.min(row.created_at);
                known.roles.extend(row.roles);
            }
            None => all.push(row),
        }
    }
    for administrator in &mut all {
        administrator.roles.sort_by(|one, other| one.pool.cmp(&other.pool));
    }
    all
}

/// Reads an administrator, with all of their roles.
pub async fn administrator(tx: &mut Tx<'_>, user: &UserId) -> Result<Option<Administrator>, StoreError> {
    let system = PoolId::system();
    let values = [(&system).into(), user.into()];
    Ok(gathered(tx.all(GET_ADMINISTRATOR, &values, decode_administrator).await?).pop())
}

/// The roles of an administrator; empty for anybody else.
pub async fn roles_of(tx: &mut Tx<'_>, user: &UserId) -> Result<Vec<PoolRole>, StoreError> {
    tx.all(ROLES_OF, &[user.into()], |row| decode_role(row, 0, 1)).await
}

/// Gives a role to a user of the system pool, or another role where they have one.
pub async fn put_role(
    tx: &mut Tx<'_>,
    user: &UserId,
    given: &PoolRole,
    now: Timestamp,
) -> Result<(), StoreError> {
    // Whoever has had a role gets no pool for having registered.
    sign_ups::delete(tx, user).await?;
    let pool = given.pool.as_ref().map(PoolId::as_str);
    let role = given.role.as_str();
    if tx.execute(SET_ROLE, &[user.into(), pool.into(), role.into()]).await? == 0 {
        tx.execute(INSERT_ADMINISTRATOR, &[user.into(), role.into(), pool.into(), now.into()]).await?;
    }
    Ok(())
}

/// Takes the role in a pool, or that in all pools, from somebody.
pub async fn delete_role(tx: &mut Tx<'_>, user: &UserId, pool: Option<&PoolId>) -> Result<(), StoreError> {
    tx.execute(DELETE_ROLE, &[user.into(), pool.map(PoolId::as_str).into()]).await.map(drop)
}

/// Takes all roles from somebody, and what leads to one. The user of the system pool is kept.
pub async fn delete_administrator(tx: &mut Tx<'_>, user: &UserId) -> Result<(), StoreError> {
    entry_links::delete_of(tx, user).await?;
    sign_ups::delete(tx, user).await?;
    tx.execute(DELETE_ADMINISTRATOR, &[user.into()]).await.map(drop)
}

/// The owners of all pools who can log in. Until the unit ends, no other one that asks this goes on: of two that each take
/// an owner away, one sees what the other did.
pub async fn owners_of_all(tx: &mut Tx<'_>) -> Result<Vec<UserId>, StoreError> {
    let decode = |row: &Row<'_>| Ok(UserId::parse(&row.get::<String>(0)?)?);
    tx.all(LOCK_OWNERS, &[], decode).await?;
    tx.all(ACTIVE_OWNERS, &[(&PoolId::system()).into()], decode).await
}

/// What is needed to check the login of a user of the system pool.
pub struct AdministratorCredentials {
    /// The user of the system pool.
    pub user: UserId,
    /// The hash of the password.
    pub hash: Option<String>,
    /// Whether the account is active.
    pub is_active: bool,
    /// Whether the password must be replaced at login.
    pub must_reset: bool,
    /// Whether they have any role: anybody else of the system pool can do nothing.
    pub has_role: bool,
}

/// What an administrator logs in with. Who signed up has no username.
pub enum AdministratorName {
    /// The username.
    Username(Username),
    /// The e-mail address.
    Email(Email),
}

/// Reads what is needed to check the login of an administrator.
pub struct GetAdministratorCredentials(pub AdministratorName);

impl Read for GetAdministratorCredentials {
    type Out = Option<AdministratorCredentials>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let system = PoolId::system();
        let (sql, name) = match &self.0 {
            AdministratorName::Username(name) => (CREDENTIALS_BY_USERNAME, name.as_str()),
            AdministratorName::Email(address) => (CREDENTIALS_BY_EMAIL, address.as_str()),
        };
        tx.optional(sql, &[(&system).into(), name.into()], |row| {
            Ok(AdministratorCredentials {
                user: UserId::parse(&row.get::<String>(0)?)?,
                hash: row.get(1)?,
                is_active: row.get::<String>(2)? == UserStatus::Activated.as_str(),
                must_reset: row.get(3)?,
                has_role: row.get(4)?,
            })
        })
        .await
    }
}

fn decode_key(row: &Row<'_>) -> Result<AccessKey, StoreError> {
    let user = row.get::<Option<String>>(5)?.map(|id| UserId::parse(&id)).transpose()?;
    let in_use = row.get::<Option<String>>(8)?.as_deref() == Some(UserStatus::Activated.as_str());
    let PoolRole { role, pool: scope } = decode_role(row, 4, 3)?;
    Ok(AccessKey {
        id: AccessKeyId::parse(&row.get::<String>(0)?)?,
        secret: row.get(1)?,
        name: row.get(2)?,
        role,
        // One of a later version is not granted.
        permissions: row
            .get::<Option<String>>(10)?
            .map(|names| names.split(' ').filter_map(Permission::parse).collect()),
        roles: vec![PoolRole { role, pool: scope.clone() }],
        scope,
        is_owner_active: user.is_none() || in_use,
        user,
        created_by: row.get::<Option<String>>(9)?.map(|id| UserId::parse(&id)).transpose()?,
        created_at: Timestamp(row.get(6)?),
        expires_at: row.get::<Option<i64>>(7)?.map(Timestamp),
        used_at: row.get::<Option<i64>>(11)?.map(Timestamp),
        logged_in_at: row.get::<Option<i64>>(12)?.map(Timestamp),
        session: row.get::<Option<String>>(13)?.map(|id| SessionId::parse(&id)).transpose()?,
        session_has_ended: row.get(14)?,
        is_orphan: row.get(15)?,
    })
}

fn decode_role(row: &Row<'_>, pool: usize, role: usize) -> Result<PoolRole, StoreError> {
    Ok(PoolRole {
        pool: row.get::<Option<String>>(pool)?.map(|id| PoolId::parse(&id)).transpose()?,
        role: AdminRole::parse(&row.get::<String>(role)?).ok_or(StoreError::Corrupt { column: "role" })?,
    })
}

fn decode_administrator(row: &Row<'_>) -> Result<Administrator, StoreError> {
    Ok(Administrator {
        user: UserId::parse(&row.get::<String>(0)?)?,
        roles: vec![decode_role(row, 2, 1)?],
        created_at: Timestamp(row.get(3)?),
        username: row.get(4)?,
        status: UserStatus::parse(&row.get::<String>(5)?).ok_or(StoreError::Corrupt { column: "status" })?,
    })
}
