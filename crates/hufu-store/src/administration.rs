//! Access keys and administrators.

use std::time::Duration;

use hufu_types::{
    AccessKeyId, AdminRole, Permission, PoolId, Timestamp, TokenHash, UserId, UserStatus, Username,
};

use crate::{Read, Row, StoreError, Tx, statements};

/// The columns of an access key, in the order of `decode_key`. An administrator's role is stored only once,
/// so a change takes effect immediately for all of that administrator's logins.
macro_rules! key_columns {
    () => {
        "k.id, k.secret, k.name, COALESCE(a.role, k.role), CASE WHEN k.user_id IS NULL THEN k.scope_pool ELSE a.scope_pool END,
         k.user_id, k.created_at, k.expires_at, a.user_id IS NOT NULL, u.status, k.created_by, k.permissions"
    };
}
macro_rules! with_administrator {
    () => {
        " FROM access_keys k
         LEFT JOIN administrators a ON a.user_id = k.user_id
         LEFT JOIN users u ON u.pool_id = $1 AND u.id = k.user_id "
    };
}

statements! {
    INSERT_KEY = "
        INSERT INTO access_keys (id, secret, name, role, scope_pool, user_id, created_at, expires_at, created_by,
                                 permissions)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    GET_KEY = concat!("SELECT ", key_columns!(), with_administrator!(), "WHERE k.id = $2");
    LIST_KEYS = concat!(
        "SELECT ", key_columns!(), with_administrator!(), "
         WHERE k.user_id IS NULL AND (CAST($2 AS TEXT) IS NULL OR k.scope_pool = $2)
         ORDER BY k.created_at, k.id"
    );
    DELETE_KEY = "DELETE FROM access_keys WHERE id = $1";
    DELETE_KEYS_OF = "DELETE FROM access_keys WHERE user_id = $1";
    LIST_KEYS_MADE_BY = concat!(
        "SELECT ", key_columns!(), with_administrator!(), "
         WHERE k.user_id IS NULL AND k.created_by = $2
         ORDER BY k.created_at, k.id"
    );
    SWEEP_KEYS = "DELETE FROM access_keys WHERE expires_at < $1 AND (user_id IS NOT NULL OR expires_at < $2)";
    INSERT_ADMINISTRATOR = "
        INSERT INTO administrators (user_id, role, scope_pool, created_at) VALUES ($1, $2, $3, $4)";
    SET_ADMINISTRATOR = "UPDATE administrators SET role = $2, scope_pool = $3 WHERE user_id = $1";
    DELETE_ADMINISTRATOR = "DELETE FROM administrators WHERE user_id = $1";
    LIST_ADMINISTRATORS = "
        SELECT a.user_id, a.role, a.scope_pool, a.created_at, u.username, u.status
        FROM administrators a JOIN users u ON u.pool_id = $1 AND u.id = a.user_id
        WHERE CAST($2 AS TEXT) IS NULL OR a.scope_pool = $2
        ORDER BY a.created_at, a.user_id";
    GET_ADMINISTRATOR = "
        SELECT a.user_id, a.role, a.scope_pool, a.created_at, u.username, u.status
        FROM administrators a JOIN users u ON u.pool_id = $1 AND u.id = a.user_id
        WHERE a.user_id = $2";
    CREDENTIALS_OF_ADMINISTRATOR = "
        SELECT u.id, u.password_hash, u.status, u.must_reset
        FROM users u JOIN administrators a ON a.user_id = u.id
        WHERE u.pool_id = $1 AND u.username = $2";
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
    /// The role that applies now.
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
    /// Whether its administrator is still appointed and active; `true` for keys without one.
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
    tx.optional(GET_KEY, &[(&PoolId::system()).into(), id.as_str().into()], decode_key).await
}

/// Reads the access keys that are not administrators' logins, of one pool or of all.
pub struct ListAccessKeys(pub Option<PoolId>);

impl Read for ListAccessKeys {
    type Out = Vec<AccessKey>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<AccessKey>, StoreError> {
        let scope = self.0.as_ref().map(PoolId::as_str);
        tx.all(LIST_KEYS, &[(&PoolId::system()).into(), scope.into()], decode_key).await
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
    ];
    tx.execute(INSERT_KEY, &values).await.map(drop)
}

/// Deletes an access key. Returns whether it existed.
pub async fn delete_access_key(tx: &mut Tx<'_>, id: &AccessKeyId) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE_KEY, &[id.as_str().into()]).await? == 1)
}

/// Deletes the access keys of an administrator's logins.
pub async fn delete_access_keys_of(tx: &mut Tx<'_>, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_KEYS_OF, &[user.into()]).await.map(drop)
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
    /// The role.
    pub role: AdminRole,
    /// The pool the role is limited to; `None` means all pools.
    pub scope: Option<PoolId>,
    /// When the administrator was appointed.
    pub created_at: Timestamp,
    /// The username used to log in.
    pub username: Option<String>,
    /// The status of the account.
    pub status: UserStatus,
}

/// Reads the administrators of one pool or of all.
pub struct ListAdministrators(pub Option<PoolId>);

impl Read for ListAdministrators {
    type Out = Vec<Administrator>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Administrator>, StoreError> {
        let scope = self.0.as_ref().map(PoolId::as_str);
        tx.all(LIST_ADMINISTRATORS, &[(&PoolId::system()).into(), scope.into()], decode_administrator).await
    }
}

/// Reads an administrator.
pub async fn administrator(tx: &mut Tx<'_>, user: &UserId) -> Result<Option<Administrator>, StoreError> {
    tx.optional(GET_ADMINISTRATOR, &[(&PoolId::system()).into(), user.into()], decode_administrator).await
}

/// Makes a user of the system pool an administrator.
pub async fn insert_administrator(
    tx: &mut Tx<'_>,
    user: &UserId,
    role: AdminRole,
    scope: Option<&PoolId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = [user.into(), role.as_str().into(), scope.map(PoolId::as_str).into(), now.into()];
    tx.execute(INSERT_ADMINISTRATOR, &values).await.map(drop)
}

/// Changes the role of an administrator.
pub async fn set_administrator(
    tx: &mut Tx<'_>,
    user: &UserId,
    role: AdminRole,
    scope: Option<&PoolId>,
) -> Result<(), StoreError> {
    let values = [user.into(), role.as_str().into(), scope.map(PoolId::as_str).into()];
    tx.execute(SET_ADMINISTRATOR, &values).await.map(drop)
}

/// Dismisses an administrator. The user of the system pool is kept.
pub async fn delete_administrator(tx: &mut Tx<'_>, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_ADMINISTRATOR, &[user.into()]).await.map(drop)
}

/// What is needed to check the login of an administrator.
pub struct AdministratorCredentials {
    /// The user of the system pool.
    pub user: UserId,
    /// The hash of the password.
    pub hash: Option<String>,
    /// Whether the account is active.
    pub is_active: bool,
    /// Whether the password must be replaced at login.
    pub must_reset: bool,
}

/// Reads what is needed to check the login of an administrator.
pub struct GetAdministratorCredentials(pub Username);

impl Read for GetAdministratorCredentials {
    type Out = Option<AdministratorCredentials>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let system = PoolId::system();
        let values = [(&system).into(), self.0.as_str().into()];
        tx.optional(CREDENTIALS_OF_ADMINISTRATOR, &values, |row| {
            Ok(AdministratorCredentials {
                user: UserId::parse(&row.get::<String>(0)?)?,
                hash: row.get(1)?,
                is_active: row.get::<String>(2)? == UserStatus::Activated.as_str(),
                must_reset: row.get(3)?,
            })
        })
        .await
    }
}

fn decode_key(row: &Row<'_>) -> Result<AccessKey, StoreError> {
    let user = row.get::<Option<String>>(5)?.map(|id| UserId::parse(&id)).transpose()?;
    let appointed: bool = row.get(8)?;
    let in_use = row.get::<Option<String>>(9)?.as_deref() == Some(UserStatus::Activated.as_str());
    Ok(AccessKey {
        id: AccessKeyId::parse(&row.get::<String>(0)?)?,
        secret: row.get(1)?,
        name: row.get(2)?,
        role: AdminRole::parse(&row.get::<String>(3)?).ok_or(StoreError::Corrupt { column: "role" })?,
        // One of a later version is not granted.
        permissions: row
            .get::<Option<String>>(11)?
            .map(|names| names.split(' ').filter_map(Permission::parse).collect()),
        scope: row.get::<Option<String>>(4)?.map(|id| PoolId::parse(&id)).transpose()?,
        is_owner_active: user.is_none() || (appointed && in_use),
        user,
        created_by: row.get::<Option<String>>(10)?.map(|id| UserId::parse(&id)).transpose()?,
        created_at: Timestamp(row.get(6)?),
        expires_at: row.get::<Option<i64>>(7)?.map(Timestamp),
    })
}

fn decode_administrator(row: &Row<'_>) -> Result<Administrator, StoreError> {
    Ok(Administrator {
        user: UserId::parse(&row.get::<String>(0)?)?,
        role: AdminRole::parse(&row.get::<String>(1)?).ok_or(StoreError::Corrupt { column: "role" })?,
        scope: row.get::<Option<String>>(2)?.map(|id| PoolId::parse(&id)).transpose()?,
        created_at: Timestamp(row.get(3)?),
        username: row.get(4)?,
        status: UserStatus::parse(&row.get::<String>(5)?).ok_or(StoreError::Corrupt { column: "status" })?,
    })
}
