//! Device codes (RFC 8628), stored as hashes, with the user codes that belong to them.

use hufu_types::{ApplicationId, BrowserSessionId, PoolId, ScopeSet, Timestamp, TokenHash, UserId};

use crate::{Row, StoreError, Tx, resources, statements};

statements! {
    // A user code that is alive is not given out again: no row is the answer.
    INSERT = "
        INSERT INTO device_codes
            (pool_id, hash, user_code, sealed_code, application_id, scopes, status, interval_seconds, expires_at,
             resources)
        VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $9)
        ON CONFLICT (user_code) DO NOTHING";
    FIND = "
        SELECT pool_id, application_id, scopes FROM device_codes
        WHERE user_code = $1 AND status = 'pending' AND expires_at > $2";
    GET_PENDING = "
        SELECT sealed_code, scopes, resources FROM device_codes
        WHERE pool_id = $1 AND user_code = $2 AND application_id = $3 AND status = 'pending' AND expires_at > $4";
    DECIDE = "
        UPDATE device_codes SET status = $5, browser_session_id = $6
        WHERE pool_id = $1 AND user_code = $2 AND application_id = $3 AND status = 'pending' AND expires_at > $4";
    LOCK = "
        UPDATE device_codes SET status = status WHERE pool_id = $1 AND hash = $2
        RETURNING application_id, scopes, status, browser_session_id, interval_seconds, polled_at, expires_at,
                  resources";
    POLLED = "UPDATE device_codes SET polled_at = $3, interval_seconds = $4 WHERE pool_id = $1 AND hash = $2";
    TAKE_OVER = "
        UPDATE device_codes SET browser_session_id = $3 WHERE pool_id = $1 AND browser_session_id = $2";
    USE = "UPDATE device_codes SET status = 'used' WHERE pool_id = $1 AND hash = $2";
    // Nothing approved in a browser session that has ended can be used.
    DENY_OF_ACCOUNT = "
        UPDATE device_codes SET status = 'denied'
        WHERE pool_id = $1 AND application_id = $3 AND status = 'approved' AND browser_session_id IN (
            SELECT b.id FROM browser_sessions b JOIN users u ON u.pool_id = b.pool_id AND u.id = b.user_id
            WHERE b.pool_id = $1 AND (u.id = $2 OR u.merged_into = $2))";
    SWEEP = "DELETE FROM device_codes WHERE expires_at < $1";
}

/// Gives what was approved in a browser session to another one of the same account.
pub async fn take_over(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    from: &BrowserSessionId,
    to: &BrowserSessionId,
) -> Result<(), StoreError> {
    tx.execute(TAKE_OVER, &[pool.into(), from.as_str().into(), to.as_str().into()]).await.map(drop)
}

/// Takes back what an account approved for the devices of an application, as far as they have not fetched their tokens.
pub async fn deny_of_account(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    account: &UserId,
    application: &ApplicationId,
) -> Result<(), StoreError> {
    tx.execute(DENY_OF_ACCOUNT, &[pool.into(), account.into(), application.into()]).await.map(drop)
}

/// What became of a device code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceStatus {
    /// Nobody has answered yet.
    Pending,
    /// Somebody approved it.
    Approved,
    /// Somebody denied it.
    Denied,
    /// It became tokens.
    Used,
}

impl DeviceStatus {
    /// The name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Used => "used",
        }
    }

    fn read(text: &str) -> Self {
        match text {
            "pending" => Self::Pending,
            "approved" => Self::Approved,
            "denied" => Self::Denied,
            // Nothing comes of what is not understood.
            _ => Self::Used,
        }
    }
}

/// A code to insert.
#[derive(Clone, Debug)]
pub struct NewDeviceCode {
    /// The hash of the device code.
    pub hash: TokenHash,
    /// The keyed hash of the user code.
    pub user_code: TokenHash,
    /// The user code, sealed.
    pub sealed_code: Vec<u8>,
    /// The application that asks.
    pub application: ApplicationId,
    /// What it asks for.
    pub scopes: ScopeSet,
    /// The resources that it asks for.
    pub resources: Vec<String>,
    /// How many seconds it has to wait between two questions.
    pub interval: i64,
    /// When the codes expire.
    pub expires_at: Timestamp,
}

/// Whose device a user code belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDevice {
    /// The pool.
    pub pool: PoolId,
    /// The application.
    pub application: ApplicationId,
    /// What it asks for.
    pub scopes: ScopeSet,
}

/// A code as stored, locked until the unit ends.
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// The application that asked.
    pub application: ApplicationId,
    /// What it asked for.
    pub scopes: ScopeSet,
    /// The resources that it asked for.
    pub resources: Vec<String>,
    /// What became of it.
    pub status: DeviceStatus,
    /// The browser session of whoever approved it.
    pub browser: Option<BrowserSessionId>,
    /// How many seconds the device has to wait between two questions.
    pub interval: i64,
    /// When it last asked.
    pub polled_at: Option<Timestamp>,
    /// When the code expires.
    pub expires_at: Timestamp,
}

/// Inserts a code. Returns whether its user code was free.
pub async fn insert(tx: &mut Tx<'_>, pool: &PoolId, new: &NewDeviceCode) -> Result<bool, StoreError> {
    let (scopes, resources) = (new.scopes.to_string(), resources::written(&new.resources)?);
    let values = [
        pool.into(),
        (&new.hash).into(),
        (&new.user_code).into(),
        (&new.sealed_code).into(),
        (&new.application).into(),
        (&scopes).into(),
        new.interval.into(),
        new.expires_at.into(),
        resources.as_deref().into(),
    ];
    Ok(tx.execute(INSERT, &values).await? > 0)
}

/// The device that waits for an answer under this user code, in whichever pool.
pub async fn find(
    tx: &mut Tx<'_>,
    user_code: &TokenHash,
    now: Timestamp,
) -> Result<Option<FoundDevice>, StoreError> {
    tx.optional(FIND, &[user_code.into(), now.into()], |row| {
        Ok(FoundDevice {
            pool: PoolId::parse(&row.get::<String>(0)?)?,
            application: ApplicationId::parse(&row.get::<String>(1)?)?,
            scopes: ScopeSet::stored(&row.get::<String>(2)?),
        })
    })
    .await
}

/// A device that waits for an answer.
#[derive(Clone, Debug)]
pub struct PendingDevice {
    /// Its user code, sealed.
    pub sealed_code: Vec<u8>,
    /// The scopes that it asks for.
    pub scopes: ScopeSet,
    /// The resources that it asks for.
    pub resources: Vec<String>,
}

/// A device that waits for an answer.
pub async fn get_pending(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user_code: &TokenHash,
    application: &ApplicationId,
    now: Timestamp,
) -> Result<Option<PendingDevice>, StoreError> {
    let values = [pool.into(), user_code.into(), application.into(), now.into()];
    tx.optional(GET_PENDING, &values, |row| {
        let (sealed_code, scopes) = (row.get(0)?, ScopeSet::stored(&row.get::<String>(1)?));
        Ok(PendingDevice { sealed_code, scopes, resources: resources::read(row, 2)? })
    })
    .await
}

/// Stores the answer: the browser session of whoever approved, or nothing for a denial. Returns whether the device
/// still waited for it.
pub async fn decide(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user_code: &TokenHash,
    application: &ApplicationId,
    approved_in: Option<&BrowserSessionId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let status = if approved_in.is_some() { DeviceStatus::Approved } else { DeviceStatus::Denied };
    let browser = approved_in.map(|browser| browser.as_str().to_owned());
    let values = [
        pool.into(),
        user_code.into(),
        application.into(),
        now.into(),
        status.as_str().into(),
        (&browser).into(),
    ];
    Ok(tx.execute(DECIDE, &values).await? > 0)
}

/// Reads a code and locks it until the unit ends.
pub async fn get_locked(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &TokenHash,
) -> Result<Option<DeviceCode>, StoreError> {
    tx.optional(LOCK, &[pool.into(), hash.into()], decode).await
}

/// Records that the device asked, and how long it has to wait from now on.
pub async fn record_poll(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &TokenHash,
    now: Timestamp,
    interval: i64,
) -> Result<(), StoreError> {
    tx.execute(POLLED, &[pool.into(), hash.into(), now.into(), interval.into()]).await.map(drop)
}

/// Marks a code as used.
pub async fn mark_used(tx: &mut Tx<'_>, pool: &PoolId, hash: &TokenHash) -> Result<(), StoreError> {
    tx.execute(USE, &[pool.into(), hash.into()]).await.map(drop)
}

/// Deletes the codes that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

fn decode(row: &Row<'_>) -> Result<DeviceCode, StoreError> {
    let browser = row.get::<Option<String>>(3)?;
    Ok(DeviceCode {
        application: ApplicationId::parse(&row.get::<String>(0)?)?,
        scopes: ScopeSet::stored(&row.get::<String>(1)?),
        status: DeviceStatus::read(&row.get::<String>(2)?),
        browser: browser.map(|id| BrowserSessionId::parse(&id)).transpose()?,
        interval: row.get(4)?,
        polled_at: row.get::<Option<i64>>(5)?.map(Timestamp),
        expires_at: Timestamp(row.get(6)?),
        resources: resources::read(row, 7)?,
    })
}
