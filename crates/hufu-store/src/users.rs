//! Users. [`crate::login_names`] also writes their login names, [`crate::passwords`] their passwords, and
//! [`crate::identities`] their identities.

use std::collections::BTreeMap;

use hufu_types::{
    ApplicationId, Email, Identity, IdentityKey, IdpUserInfo, Phone, PhoneProof, PoolId, Timestamp, User,
    UserId, UserStatus, Username,
};
use serde::Serialize;

use crate::batches::{batches, rows};
use crate::{Read, Row, StoreError, Tx, config, identities, statements};

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

/// Notes in an `UPDATE` of users that they are changed at the time `$n`: as [`User::touch`] does.
macro_rules! touched {
    ($at:literal) => {
        concat!("updated_at = CASE WHEN updated_at < $", $at, " THEN $", $at, " ELSE updated_at + 1 END")
    };
}
pub(crate) use touched;

/// How many they are.
pub(crate) const USER_COLUMNS: usize = 23;

statements! {
    GET_USER = concat!("SELECT ", user_columns!(), " FROM users WHERE users.pool_id = $1 AND users.id = $2");
    GET_LOCKED = concat!(
        "UPDATE users SET status = status WHERE pool_id = $1 AND id = $2 RETURNING ", user_columns!()
    );
    BY_USERNAME = concat!("SELECT ", user_columns!(), " FROM users WHERE users.pool_id = $1 AND users.username = $2");
    BY_EMAIL = concat!("SELECT ", user_columns!(), " FROM users WHERE users.pool_id = $1 AND users.email = $2");
    BY_PHONE = concat!("SELECT ", user_columns!(), " FROM users WHERE users.pool_id = $1 AND users.phone = $2");
    BY_EXTERNAL_ID = concat!("SELECT ", user_columns!(), " FROM users WHERE users.pool_id = $1 AND users.external_id = $2");
    // Not a join: PostgreSQL would take a pool for small until it has counted its users, and read all of them first.
    // The last column is read where something was said, so that other logins cost what they did.
    BY_IDENTITY = concat!(
        "SELECT ", user_columns!(), ",
             CASE WHEN CAST($5 AS TEXT) IS NULL THEN FALSE ELSE (
                 SELECT user_info IS DISTINCT FROM $5 FROM identities
                 WHERE pool_id = $1 AND realm = $2 AND kind = $3 AND value = $4) END
         FROM users
         WHERE users.pool_id = $1 AND users.id = (
             SELECT user_id FROM identities WHERE pool_id = $1 AND realm = $2 AND kind = $3 AND value = $4)"
    );
    WITH_MERGED = concat!(
        "SELECT ", user_columns!(), "
         FROM users
         WHERE users.pool_id = $1 AND (users.id = $2 OR users.merged_into = $2)
         ORDER BY users.created_at, users.id"
    );
    EXPIRED = "
        SELECT pool_id, id FROM users
        WHERE delete_after IS NOT NULL AND delete_after <= $1 AND status = 'Deactivated'
        ORDER BY delete_after LIMIT $2";
    ID_IN_POOL = "SELECT 1 FROM users WHERE pool_id = $1 AND id = $2";
    INSERT = "
        INSERT INTO users
            (pool_id, id, status, username, email, email_verified, phone, phone_proof, external_id, password_hash,
             profile, custom_data, logins_count, last_login_at, last_ip, last_application, register_source,
             created_at, updated_at, merged_into, password_set_at, must_reset, agreements, delete_after)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                $23, $24)
        ON CONFLICT DO NOTHING";
    SET_PROFILE = concat!(
        "UPDATE users SET profile = $3, custom_data = $4, ", touched!(5), " WHERE pool_id = $1 AND id = $2"
    );
    SET_STATUS = concat!("UPDATE users SET status = $3, ", touched!(4), " WHERE pool_id = $1 AND id = $2");
    SET_AGREEMENTS = concat!("UPDATE users SET agreements = $3, ", touched!(4), " WHERE pool_id = $1 AND id = $2");
    NOTE_LOGIN = concat!(
        "UPDATE users
         SET logins_count = logins_count + $6, last_login_at = $3, last_ip = $4, last_application = $5
         WHERE pool_id = $1 AND id = $2
         RETURNING ", user_columns!()
    );
    FILL = concat!(
        "UPDATE users
         SET phone = $3, phone_proof = $4, email = $5, email_verified = $6, profile = $7, ", touched!(8), "
         WHERE pool_id = $1 AND id = $2"
    );
    WRITE = concat!(
        "UPDATE users
         SET username = $3, email = $4, email_verified = $5, phone = $6, phone_proof = $7, external_id = $8,
             profile = $9, custom_data = $10, must_reset = $11, ", touched!(12), "
         WHERE pool_id = $1 AND id = $2"
    );
    LEAVE = concat!(
        "UPDATE users SET status = 'Deactivated', delete_after = $3, ", touched!(4), "
         WHERE pool_id = $1 AND id = $2"
    );
    CANCEL_DELETION = concat!(
        "UPDATE users SET status = 'Activated', delete_after = NULL, ", touched!(3), "
         WHERE pool_id = $1 AND id = $2"
    );
    DELETE = "DELETE FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2)";
}

batches! {
    INSERT_ALL = "
        INSERT INTO users
            (pool_id, id, status, username, email, email_verified, phone, phone_proof, external_id, password_hash,
             profile, custom_data, logins_count, last_login_at, last_ip, last_application, register_source,
             created_at, updated_at, merged_into, password_set_at, must_reset, agreements, delete_after)
        SELECT $1, r.id, r.status, r.username, r.email, r.email_verified, r.phone, r.phone_proof, r.external_id,
               r.password_hash, r.profile, r.custom_data, r.logins_count, r.last_login_at, r.last_ip,
               r.last_application, r.register_source, r.created_at, r.updated_at, r.merged_into, r.password_set_at,
               r.must_reset, r.agreements, r.delete_after
        FROM " [
            id TEXT, status TEXT, username TEXT, email TEXT, email_verified BOOLEAN, phone TEXT, phone_proof TEXT,
            external_id TEXT, password_hash TEXT, profile TEXT, custom_data TEXT, logins_count BIGINT,
            last_login_at BIGINT, last_ip TEXT, last_application TEXT, register_source TEXT, created_at BIGINT,
            updated_at BIGINT, merged_into TEXT, password_set_at BIGINT, must_reset BOOLEAN, agreements TEXT,
            delete_after BIGINT
        ] "";
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

    fn may_share(&self) -> bool {
        true
    }

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

    fn may_share(&self) -> bool {
        true
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let Some(user) = get(tx, &self.pool, &self.user).await? else { return Ok(None) };
        let identities = identities::of_account(tx, &self.pool, &self.user).await?;
        Ok(Some((user, identities)))
    }
}

/// Reads a user of a pool.
pub async fn get(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<Option<User>, StoreError> {
    tx.optional(GET_USER, &[pool.into(), user.into()], decode_user).await
}

/// Reads a user and locks the row until the unit ends, for units that write back what they have read.
pub async fn get_locked(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<Option<User>, StoreError> {
    tx.optional(GET_LOCKED, &[pool.into(), user.into()], decode_user).await
}

/// The account that a user resolves to: itself, or the account that it was merged into.
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

/// A user found by an identity.
#[derive(Clone, Debug)]
pub struct FoundByIdentity {
    /// The user in whose row the identity is stored.
    pub user: User,
    /// Whether the source says something else about the person than what is kept with the identity.
    pub differs: bool,
}

/// The user in whose row an identity is stored, about whom the source says this now.
pub async fn by_identity(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    key: &IdentityKey,
    said: &IdpUserInfo,
) -> Result<Option<FoundByIdentity>, StoreError> {
    let said = identities::stored(said)?;
    let values =
        [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into(), (&said).into()];
    let found =
        |row: &Row<'_>| Ok(FoundByIdentity { user: decode_user(row)?, differs: row.get(USER_COLUMNS)? });
    tx.optional(BY_IDENTITY, &values, found).await
}

/// An account and those merged into it, oldest first.
pub async fn with_merged(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<Vec<User>, StoreError> {
    tx.all(WITH_MERGED, &[pool.into(), user.into()], decode_user).await
}

/// Whether a user id is taken in any of the pools: a `sub` must be unique per issuer.
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

/// Inserts a user unless one of its unique values is taken. Returns whether it was inserted.
pub async fn insert_if_free(
    tx: &mut Tx<'_>,
    user: &User,
    password_hash: Option<&str>,
) -> Result<bool, StoreError> {
    let (profile, custom_data) =
        (serde_json::to_string(&user.profile)?, serde_json::to_string(&user.custom_data)?);
    let agreements = serde_json::to_string(&user.agreements)?;
    let password_set_at = password_hash.map(|_| user.password_set_at.unwrap_or(user.created_at));
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
        user.merged_into.as_ref().map(UserId::as_str).into(),
        password_set_at.into(),
        user.must_reset.into(),
        (&agreements).into(),
        user.delete_after.into(),
    ];
    Ok(tx.execute(INSERT, &values).await? == 1)
}

/// Inserts a user whose unique values should be free. If one of them is taken, the unit has lost a race.
pub async fn insert(tx: &mut Tx<'_>, user: &User, password_hash: Option<&str>) -> Result<(), StoreError> {
    if insert_if_free(tx, user, password_hash).await? { Ok(()) } else { Err(StoreError::LostRace) }
}

/// A user as a row of [`INSERT_ALL`]. What is absent is NULL.
#[derive(Serialize)]
struct NewRow<'a> {
    id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_proof: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<&'a str>,
    profile: String,
    custom_data: String,
    logins_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_application: Option<&'a str>,
    register_source: &'a str,
    created_at: i64,
    updated_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_set_at: Option<i64>,
    must_reset: bool,
    agreements: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_after: Option<i64>,
}

impl<'a> NewRow<'a> {
    fn of(user: &'a User, password_hash: Option<&'a str>) -> Result<Self, StoreError> {
        let password_set_at = password_hash.map(|_| user.password_set_at.unwrap_or(user.created_at).0);
        Ok(Self {
            id: user.id.as_str(),
            status: user.status.as_str(),
            username: user.username.as_ref().map(Username::as_str),
            email: user.email.as_ref().map(Email::as_str),
            email_verified: user.email_verified,
            phone: user.phone.as_ref().map(|(phone, _)| phone.as_str()),
            phone_proof: user.phone.as_ref().map(|(_, proof)| proof.as_str()),
            external_id: user.external_id.as_deref(),
            password_hash,
            profile: serde_json::to_string(&user.profile)?,
            custom_data: serde_json::to_string(&user.custom_data)?,
            logins_count: user.logins_count,
            last_login_at: user.last_login_at.map(|at| at.0),
            last_ip: user.last_ip.as_deref(),
            last_application: user.last_application.as_ref().map(ApplicationId::as_str),
            register_source: &user.register_source,
            created_at: user.created_at.0,
            updated_at: user.updated_at.0,
            merged_into: user.merged_into.as_ref().map(UserId::as_str),
            password_set_at,
            must_reset: user.must_reset,
            agreements: serde_json::to_string(&user.agreements)?,
            delete_after: user.delete_after.map(|at| at.0),
        })
    }
}

/// Inserts many users of a pool with their password hashes, in one statement. Their unique values must be free: one that
/// is taken fails the unit, which then runs again.
pub async fn insert_all(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    users: &[(&User, Option<&str>)],
) -> Result<(), StoreError> {
    let new: Result<Vec<_>, _> = users.iter().map(|(user, hash)| NewRow::of(user, *hash)).collect();
    let new = rows(new?)?;
    tx.execute(INSERT_ALL.for_engine(tx), &[pool.into(), (&new).into()]).await.map(drop)
}

/// Updates profile and custom data of a user whom the unit has locked.
pub async fn set_profile(tx: &mut Tx<'_>, user: &mut User, now: Timestamp) -> Result<u64, StoreError> {
    user.touch(now);
    let (profile, custom_data) =
        (serde_json::to_string(&user.profile)?, serde_json::to_string(&user.custom_data)?);
    let values = [
        (&user.pool).into(),
        (&user.id).into(),
        (&profile).into(),
        (&custom_data).into(),
        user.updated_at.into(),
    ];
    tx.execute(SET_PROFILE, &values).await
}

/// Updates the status of an account. Returns whether there is such a user.
pub async fn set_status(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    status: UserStatus,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.execute(SET_STATUS, &[pool.into(), user.into(), status.as_str().into(), now.into()]).await? == 1)
}

/// Updates the agreements that an account has accepted, as id and version.
pub async fn set_agreements(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    accepted: &BTreeMap<String, u32>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let accepted = serde_json::to_string(accepted)?;
    tx.execute(SET_AGREEMENTS, &[pool.into(), user.into(), (&accepted).into(), now.into()]).await.map(drop)
}

/// A login to record in the user's row.
#[derive(Clone, Copy, Debug)]
pub struct LoginRecord<'a> {
    /// When.
    pub at: Timestamp,
    /// The IP address.
    pub ip: Option<&'a str>,
    /// The application.
    pub application: &'a ApplicationId,
    /// How much to add to the login count: 1, or 0 if this login resumes one that was already counted.
    pub counts: i64,
}

/// Records a login. Returns the updated user, locked until the unit ends.
pub async fn record_login(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    login: LoginRecord<'_>,
) -> Result<Option<User>, StoreError> {
    let LoginRecord { at, ip, application, counts } = login;
    let values = [pool.into(), user.into(), at.into(), ip.into(), application.into(), counts.into()];
    tx.optional(NOTE_LOGIN, &values, decode_user).await
}

/// Updates the phone number, the e-mail address and the profile of a user whom the unit has locked.
pub async fn fill(tx: &mut Tx<'_>, user: &mut User, now: Timestamp) -> Result<(), StoreError> {
    user.touch(now);
    let profile = serde_json::to_string(&user.profile)?;
    let values = [
        (&user.pool).into(),
        (&user.id).into(),
        user.phone.as_ref().map(|(phone, _)| phone.as_str()).into(),
        user.phone.as_ref().map(|(_, proof)| proof.as_str()).into(),
        user.email.as_ref().map(Email::as_str).into(),
        user.email_verified.into(),
        (&profile).into(),
        user.updated_at.into(),
    ];
    tx.execute(FILL, &values).await.map(drop)
}

/// Updates login names, profile, custom data and whether the next login requires a new password, of a user whom the unit has
/// locked.
pub async fn write(tx: &mut Tx<'_>, user: &mut User, now: Timestamp) -> Result<(), StoreError> {
    user.touch(now);
    let (profile, custom_data) =
        (serde_json::to_string(&user.profile)?, serde_json::to_string(&user.custom_data)?);
    let values = [
        (&user.pool).into(),
        (&user.id).into(),
        user.username.as_ref().map(Username::as_str).into(),
        user.email.as_ref().map(Email::as_str).into(),
        user.email_verified.into(),
        user.phone.as_ref().map(|(phone, _)| phone.as_str()).into(),
        user.phone.as_ref().map(|(_, proof)| PhoneProof::as_str(*proof)).into(),
        (&user.external_id).into(),
        (&profile).into(),
        (&custom_data).into(),
        user.must_reset.into(),
        user.updated_at.into(),
    ];
    tx.execute(WRITE, &values).await.map(drop)
}

/// Deactivates an account and schedules its permanent deletion for `delete_after`.
pub async fn schedule_deletion(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    delete_after: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(LEAVE, &[pool.into(), user.into(), delete_after.into(), now.into()]).await.map(drop)
}

/// Cancels the deletion that the account's owner requested.
pub async fn cancel_deletion(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(CANCEL_DELETION, &[pool.into(), user.into(), now.into()]).await.map(drop)
}

/// At most `limit` accounts whose permanent deletion is due.
pub async fn due_for_deletion(
    tx: &mut Tx<'_>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(PoolId, UserId)>, StoreError> {
    tx.all(EXPIRED, &[now.into(), limit.into()], |row| {
        Ok((config::pool_id(row, 0)?, UserId::parse(&row.get::<String>(1)?)?))
    })
    .await
}

/// Deletes the rows of an account and of those merged into it. Deletes from no other table.
pub async fn delete(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE, &[pool.into(), user.into()]).await.map(drop)
}

/// Decodes the columns of `user_columns!`.
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
