//! Users and their identities.

use hufu_types::{
    Action, ApplicationId, ConnectionId, Email, Identity, IdentityKey, IdentityKind, Phone, PhoneProof,
    PoolId, Profile, Timestamp, User, UserId, UserStatus, Username,
};
use serde_json::{Map, Value as Json};

use crate::events::{Event, Trace};
use crate::{Read, Row, StoreError, Tx, Write, config, sessions, statements, versions};

/// The columns of a user, in the order of [`decode_user`].
macro_rules! user_columns {
    () => {
        "users.pool_id, users.id, users.status, users.username, users.email, users.email_verified, users.phone, users.phone_proof, users.external_id,
         users.profile, users.custom_data, users.logins_count, users.last_login_at, users.last_ip, users.last_application,
         users.register_source, users.created_at, users.updated_at, users.merged_into, users.password_set_at, users.must_reset,
         users.agreements, users.delete_after"
    };
}
pub(crate) use user_columns;

statements! {
    GET_USER = concat!("SELECT ", user_columns!(), " FROM users WHERE users.pool_id = $1 AND users.id = $2");
    GET_LOCKED = concat!(
        "UPDATE users SET status = status WHERE pool_id = $1 AND id = $2 RETURNING ", user_columns!()
    );
    BY_USERNAME = concat!("SELECT ", user_columns!(), " FROM users WHERE users.pool_id = $1 AND users.username = $2");
    BY_EMAIL = concat!("SELECT ", user_columns!(), " FROM users WHERE users.pool_id = $1 AND users.email = $2");
    BY_PHONE = concat!("SELECT ", user_columns!(), " FROM users WHERE users.pool_id = $1 AND users.phone = $2");
    BY_EXTERNAL_ID = concat!("SELECT ", user_columns!(), " FROM users WHERE users.pool_id = $1 AND users.external_id = $2");
    ID_IN_POOL = "SELECT 1 FROM users WHERE pool_id = $1 AND id = $2";
    INSERT_USER = "
        INSERT INTO users
            (pool_id, id, status, username, email, email_verified, phone, phone_proof, external_id, password_hash,
             profile, custom_data, logins_count, last_login_at, last_ip, last_application, register_source,
             created_at, updated_at, password_set_at, must_reset, agreements)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
    SET_PROFILE = "
        UPDATE users SET profile = $3, custom_data = $4, updated_at = $5 WHERE pool_id = $1 AND id = $2";
    SET_STATUS = "UPDATE users SET status = $3, updated_at = $4 WHERE pool_id = $1 AND id = $2";
    LIST_IDENTITIES = "
        SELECT realm, kind, value, user_id, connection_id, created_at
        FROM identities
        WHERE pool_id = $1
          AND (user_id = $2 OR user_id IN (SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2))
        ORDER BY created_at, kind, realm";
    IDENTITY_OWNER = "
        SELECT COALESCE(u.merged_into, u.id)
        FROM identities i JOIN users u ON u.pool_id = i.pool_id AND u.id = i.user_id
        WHERE i.pool_id = $1 AND i.realm = $2 AND i.kind = $3 AND i.value = $4";
    OTHER_IN_REALM = "
        SELECT 1 FROM identities
        WHERE pool_id = $1
          AND (user_id = $2 OR user_id IN (SELECT id FROM users WHERE pool_id = $1 AND merged_into = $2))
          AND realm = $3 AND kind = $4 AND value <> $5 LIMIT 1";
    RELEASE_PHONE = "
        UPDATE users SET phone = NULL, phone_proof = NULL, updated_at = $4
        WHERE pool_id = $1 AND phone = $2 AND phone_proof = 'none' AND id <> $3
        RETURNING id";
    RELEASE_EMAIL = "
        UPDATE users SET email = NULL, updated_at = $4
        WHERE pool_id = $1 AND email = $2 AND NOT email_verified AND id <> $3
        RETURNING id";
    INSERT_IDENTITY = "
        INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
}

/// Reads a user of a pool.
pub struct GetUser {
    /// The pool.
    pub pool: PoolId,
    /// The user.
    pub user: UserId,
}

impl Read for GetUser {
    type Out = Option<User>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<User>, StoreError> {
        get(tx, &self.pool, &self.user).await
    }
}

/// Reads a user with all identities.
pub struct GetUserWithIdentities {
    /// The pool.
    pub pool: PoolId,
    /// The user.
    pub user: UserId,
}

impl Read for GetUserWithIdentities {
    type Out = Option<(User, Vec<Identity>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let Some(user) = get(tx, &self.pool, &self.user).await? else { return Ok(None) };
        let identities = identities(tx, &self.pool, &self.user).await?;
        Ok(Some((user, identities)))
    }
}

/// A user of a pool.
pub async fn get(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<Option<User>, StoreError> {
    tx.optional(GET_USER, &[pool.into(), user.into()], decode_user).await
}

/// A user whom no other unit changes until this one ends: for units that write back what they read.
pub async fn get_locked(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<Option<User>, StoreError> {
    tx.optional(GET_LOCKED, &[pool.into(), user.into()], decode_user).await
}

/// The account that a user stands for: itself, or the one that it was merged into.
pub async fn survivor(tx: &mut Tx<'_>, user: User) -> Result<User, StoreError> {
    let Some(id) = &user.merged_into else { return Ok(user) };
    get(tx, &user.pool, id).await?.ok_or(StoreError::Corrupt { column: "merged_into" })
}

/// The user who has this username.
pub async fn by_username(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    name: &Username,
) -> Result<Option<User>, StoreError> {
    tx.optional(BY_USERNAME, &[pool.into(), name.as_str().into()], decode_user).await
}

/// The user who has this e-mail address.
pub async fn by_email(tx: &mut Tx<'_>, pool: &PoolId, email: &Email) -> Result<Option<User>, StoreError> {
    tx.optional(BY_EMAIL, &[pool.into(), email.as_str().into()], decode_user).await
}

/// The user who has this phone number.
pub async fn by_phone(tx: &mut Tx<'_>, pool: &PoolId, phone: &Phone) -> Result<Option<User>, StoreError> {
    tx.optional(BY_PHONE, &[pool.into(), phone.as_str().into()], decode_user).await
}

/// The user who has this external id.
pub async fn by_external_id(tx: &mut Tx<'_>, pool: &PoolId, id: &str) -> Result<Option<User>, StoreError> {
    tx.optional(BY_EXTERNAL_ID, &[pool.into(), id.into()], decode_user).await
}

/// Whether a user id is taken in any of the pools: `sub` never repeats under one issuer.
pub async fn id_is_taken(
    tx: &mut Tx<'_>,
    pools: impl IntoIterator<Item = &PoolId> + Send,
    user: &UserId,
) -> Result<bool, StoreError> {
    let pools: Vec<&PoolId> = pools.into_iter().collect();
    for pool in pools {
        if tx.optional(ID_IN_POOL, &[pool.into(), user.into()], |_| Ok(())).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes a user.
pub async fn insert(tx: &mut Tx<'_>, user: &User, password_hash: Option<&str>) -> Result<(), StoreError> {
    let (profile, custom_data) =
        (serde_json::to_string(&user.profile)?, serde_json::to_string(&user.custom_data)?);
    let agreements = serde_json::to_string(&user.agreements)?;
    let values = [
        (&user.pool).into(),
        (&user.id).into(),
        user.status.as_str().into(),
        user.username.as_ref().map(Username::as_str).into(),
        user.email.as_ref().map(Email::as_str).into(),
        user.email_verified.into(),
        user.phone.as_ref().map(|(phone, _)| phone.as_str()).into(),
        user.phone.as_ref().map(|(_, proof)| proof.as_str()).into(),
        (&user.external_id).into(),
        password_hash.into(),
        (&profile).into(),
        (&custom_data).into(),
        user.logins_count.into(),
        user.last_login_at.into(),
        (&user.last_ip).into(),
        user.last_application.as_ref().map(ApplicationId::as_str).into(),
        (&user.register_source).into(),
        user.created_at.into(),
        user.updated_at.into(),
        password_hash.map(|_| user.password_set_at.unwrap_or(user.created_at)).into(),
        user.must_reset.into(),
        (&agreements).into(),
    ];
    tx.execute(INSERT_USER, &values).await.map(drop)
}

/// Writes what a person says of themselves, read before by [`get_locked`].
pub async fn set_profile(
    tx: &mut Tx<'_>,
    user: &UserId,
    pool: &PoolId,
    profile: &Profile,
    custom_data: &Map<String, Json>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let (profile, custom_data) = (serde_json::to_string(profile)?, serde_json::to_string(custom_data)?);
    let values = [pool.into(), user.into(), (&profile).into(), (&custom_data).into(), now.into()];
    tx.execute(SET_PROFILE, &values).await
}

/// Switches an account off, which ends its sessions, or on again; and tells every node.
pub struct SetStatus {
    /// The pool.
    pub pool: PoolId,
    /// The user.
    pub user: UserId,
    /// The new status.
    pub status: UserStatus,
    /// Who does it, and when.
    pub trace: Trace,
}

impl Write for SetStatus {
    /// Whether there is such a user.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let values =
            [(&self.pool).into(), (&self.user).into(), self.status.as_str().into(), self.trace.at.into()];
        let affected = tx.execute(SET_STATUS, &values).await?;
        if self.status != UserStatus::Activated {
            sessions::end_all(tx, &self.pool, &self.user).await?;
        }
        if affected == 1 {
            let action = match self.status {
                UserStatus::Activated => Action::UserEnabled,
                UserStatus::Suspended => Action::UserDisabled,
                UserStatus::Archived => Action::UserArchived,
                UserStatus::Deactivated => Action::UserDeletionRequested,
            };
            self.trace.recorder().record(tx, &self.pool, Event::of(action, &self.user)).await?;
        }
        versions::sessions_changed(tx).await?;
        Ok(affected == 1)
    }
}

/// All identities of a user, oldest first.
pub async fn identities(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<Vec<Identity>, StoreError> {
    tx.all(LIST_IDENTITIES, &[pool.into(), user.into()], decode_identity).await
}

/// The user whom an identity leads to.
pub async fn identity_owner(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    key: &IdentityKey,
) -> Result<Option<UserId>, StoreError> {
    let values = [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into()];
    let owner: Option<String> = tx.optional(IDENTITY_OWNER, &values, |row| row.get(0)).await?;
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

/// Takes a phone number, which `prover` has proved, from an account that has it unverified; which that was.
pub async fn release_phone(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    phone: &Phone,
    prover: &UserId,
    now: Timestamp,
) -> Result<Option<UserId>, StoreError> {
    let values = [pool.into(), phone.as_str().into(), prover.into(), now.into()];
    let from: Option<String> = tx.optional(RELEASE_PHONE, &values, |row| row.get(0)).await?;
    Ok(from.map(|id| UserId::parse(&id)).transpose()?)
}

/// Takes an e-mail address, which `prover` has proved, from an account that has it unverified; which that was.
pub async fn release_email(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    email: &Email,
    prover: &UserId,
    now: Timestamp,
) -> Result<Option<UserId>, StoreError> {
    let values = [pool.into(), email.as_str().into(), prover.into(), now.into()];
    let from: Option<String> = tx.optional(RELEASE_EMAIL, &values, |row| row.get(0)).await?;
    Ok(from.map(|id| UserId::parse(&id)).transpose()?)
}

/// Leads an identity to a user.
pub async fn insert_identity(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    connection: &ConnectionId,
    key: &IdentityKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        (&key.realm).into(),
        key.kind.as_str().into(),
        (&key.value).into(),
        user.into(),
        connection.into(),
        now.into(),
    ];
    tx.execute(INSERT_IDENTITY, &values).await.map(drop)
}

pub(crate) fn decode_identity(row: &Row<'_>) -> Result<Identity, StoreError> {
    let kind = IdentityKind::parse(&row.get::<String>(1)?).ok_or(StoreError::Corrupt { column: "kind" })?;
    Ok(Identity {
        key: IdentityKey { realm: row.get(0)?, kind, value: row.get(2)? },
        user: UserId::parse(&row.get::<String>(3)?)?,
        connection: ConnectionId::parse(&row.get::<String>(4)?)?,
        created_at: Timestamp(row.get(5)?),
    })
}

/// Reads the columns of `user_columns!`.
pub(crate) fn decode_user(row: &Row<'_>) -> Result<User, StoreError> {
    fn corrupt<E>(column: &'static str) -> impl Fn(E) -> StoreError {
        move |_| StoreError::Corrupt { column }
    }
    let phone = match row.get::<Option<String>>(6)? {
        None => None,
        Some(phone) => {
            let proof = row.get::<Option<String>>(7)?.and_then(|text| PhoneProof::parse(&text));
            let proof = proof.ok_or(StoreError::Corrupt { column: "phone_proof" })?;
            Some((Phone::parse(&phone).map_err(corrupt("phone"))?, proof))
        }
    };
    Ok(User {
        pool: config::pool_id(row, 0)?,
        id: UserId::parse(&row.get::<String>(1)?)?,
        status: UserStatus::parse(&row.get::<String>(2)?).ok_or(StoreError::Corrupt { column: "status" })?,
        username: row
            .get::<Option<String>>(3)?
            .map(|text| Username::parse(&text))
            .transpose()
            .map_err(corrupt("username"))?,
        email: row
            .get::<Option<String>>(4)?
            .map(|text| Email::parse(&text))
            .transpose()
            .map_err(corrupt("email"))?,
        email_verified: row.get(5)?,
        phone,
        external_id: row.get(8)?,
        profile: serde_json::from_str(&row.get::<String>(9)?)?,
        custom_data: serde_json::from_str(&row.get::<String>(10)?)?,
        logins_count: row.get(11)?,
        last_login_at: row.get::<Option<i64>>(12)?.map(Timestamp),
        last_ip: row.get(13)?,
        last_application: row.get::<Option<String>>(14)?.map(|id| ApplicationId::parse(&id)).transpose()?,
        register_source: row.get(15)?,
        created_at: Timestamp(row.get(16)?),
        updated_at: Timestamp(row.get(17)?),
        merged_into: row.get::<Option<String>>(18)?.map(|id| UserId::parse(&id)).transpose()?,
        password_set_at: row.get::<Option<i64>>(19)?.map(Timestamp),
        must_reset: row.get(20)?,
        agreements: serde_json::from_str(&row.get::<String>(21)?)?,
        delete_after: row.get::<Option<i64>>(22)?.map(Timestamp),
    })
}
