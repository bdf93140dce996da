//! Browser sessions: one login of one user in one browser, the parent of the sessions of individual
//! applications.

use hufu_types::{BrowserSessionId, Facts, PoolId, Timestamp, TokenHash, UserId, UserStatus};

use crate::rates::Hits;
use crate::{Row, StoreError, Tx, statements};

statements! {
    INSERT = "
        INSERT INTO browser_sessions
            (pool_id, id, cookie, user_id, facts, created_at, last_used_at, expires_at, ip, user_agent,
             granted_since, granted)
        VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11)";
    BY_COOKIE = "
        SELECT b.id, b.user_id, COALESCE(t.id, u.id), COALESCE(t.status, u.status), b.facts, b.created_at,
               b.last_used_at, b.expires_at
        FROM browser_sessions b JOIN users u ON u.pool_id = b.pool_id AND u.id = b.user_id
        LEFT JOIN users t ON t.pool_id = u.pool_id AND t.id = u.merged_into
        WHERE b.pool_id = $1 AND b.cookie = $2";
    GET_LOCKED = "
        UPDATE browser_sessions SET last_used_at = last_used_at WHERE pool_id = $1 AND id = $2
        RETURNING user_id, created_at, expires_at, last_used_at, facts, granted_since, granted";
    LOCK_OF_ACCOUNT = "
        UPDATE browser_sessions SET last_used_at = last_used_at
        WHERE pool_id = $1
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))";
    EXTEND = "
        UPDATE browser_sessions
        SET last_used_at = $3, expires_at = CASE WHEN expires_at < $4 THEN $4 ELSE expires_at END
        WHERE pool_id = $1 AND id = $2";
    EXTEND_GRANTED = "
        UPDATE browser_sessions
        SET last_used_at = $3, expires_at = CASE WHEN expires_at < $4 THEN $4 ELSE expires_at END,
            granted_since = $5, granted = $6
        WHERE pool_id = $1 AND id = $2";
    MOVE_BENEATH = "
        UPDATE sessions SET browser_session_id = $3 WHERE pool_id = $1 AND browser_session_id = $2";
    FORGET = "DELETE FROM browser_sessions WHERE pool_id = $1 AND id = $2";
    SWEEP = "DELETE FROM browser_sessions WHERE expires_at < $1";
}

/// A browser session to insert.
#[derive(Clone, Debug)]
pub struct NewBrowserSession {
    /// The id.
    pub id: BrowserSessionId,
    /// The hash of the secret in the browser's cookie.
    pub cookie: TokenHash,
    /// The current time.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The IP address of the browser.
    pub ip: Option<String>,
    /// The `User-Agent` of the browser.
    pub user_agent: Option<String>,
    /// How many authorization requests the login itself is granted.
    pub granted: Hits,
}

/// A browser session as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserSession {
    /// The id.
    pub id: BrowserSessionId,
    /// The user; the `sub` of the tokens below it.
    pub user: UserId,
    /// The account in use. Differs from `user` if that account was merged into another one.
    pub account: UserId,
    /// Whether the account is active.
    pub user_is_active: bool,
    /// How and when the user authenticated.
    pub facts: Facts,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Inserts a browser session for an active account that authenticated with these facts, and returns it.
pub async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    account: &UserId,
    facts: &Facts,
    new: &NewBrowserSession,
) -> Result<BrowserSession, StoreError> {
    let json = serde_json::to_string(facts)?;
    let values = [
        pool.into(),
        new.id.as_str().into(),
        (&new.cookie).into(),
        account.into(),
        (&json).into(),
        new.created_at.into(),
        new.expires_at.into(),
        (&new.ip).into(),
        (&new.user_agent).into(),
        new.granted.since.into(),
        new.granted.hits.into(),
    ];
    tx.execute(INSERT, &values).await?;
    Ok(BrowserSession {
        id: new.id.clone(),
        user: account.clone(),
        account: account.clone(),
        user_is_active: true,
        facts: facts.clone(),
        created_at: new.created_at,
        last_used_at: new.created_at,
        expires_at: new.expires_at,
    })
}

/// The browser session of a cookie, even if it has expired.
pub async fn by_cookie(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    cookie: &TokenHash,
) -> Result<Option<BrowserSession>, StoreError> {
    tx.optional(BY_COOKIE, &[pool.into(), cookie.into()], decode).await
}

/// A browser session that is locked until the unit ends.
#[derive(Clone, Debug)]
pub struct LockedBrowserSession {
    /// The user.
    pub user: UserId,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Timestamp,
    /// How and when the user authenticated.
    pub facts: Facts,
    /// How many authorization requests were granted to it lately.
    pub granted: Hits,
}

/// Locks the browser sessions of an account until the unit ends: no application gets a session or a code beneath them
/// meanwhile.
pub async fn lock_of_account(tx: &mut Tx<'_>, pool: &PoolId, account: &UserId) -> Result<(), StoreError> {
    tx.execute(LOCK_OF_ACCOUNT, &[pool.into(), account.into()]).await.map(drop)
}

/// Reads a browser session, and locks it until the unit ends.
pub async fn get_locked(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &BrowserSessionId,
) -> Result<Option<LockedBrowserSession>, StoreError> {
    tx.optional(GET_LOCKED, &[pool.into(), id.as_str().into()], |row| {
        Ok(LockedBrowserSession {
            user: UserId::parse(&row.get::<String>(0)?)?,
            created_at: Timestamp(row.get(1)?),
            expires_at: Timestamp(row.get(2)?),
            last_used_at: Timestamp(row.get(3)?),
            facts: serde_json::from_str(&row.get::<String>(4)?)?,
            granted: Hits { since: Timestamp(row.get(5)?), hits: row.get(6)? },
        })
    })
    .await
}

/// Records that a browser session was used, and extends it until `expires_at`, unless it already ends later.
pub async fn extend(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &BrowserSessionId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(EXTEND, &[pool.into(), id.as_str().into(), now.into(), expires_at.into()]).await.map(drop)
}

/// As [`extend`], for an authorization request that is granted, with the hits that it makes.
pub async fn extend_granted(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &BrowserSessionId,
    granted: Hits,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        id.as_str().into(),
        now.into(),
        expires_at.into(),
        granted.since.into(),
        granted.hits.into(),
    ];
    tx.execute(EXTEND_GRANTED, &values).await.map(drop)
}

/// Gives the application sessions below a browser session to another one, and ends it.
pub async fn take_over(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    from: &BrowserSessionId,
    to: &BrowserSessionId,
) -> Result<(), StoreError> {
    tx.execute(MOVE_BENEATH, &[pool.into(), from.as_str().into(), to.as_str().into()]).await?;
    tx.execute(FORGET, &[pool.into(), from.as_str().into()]).await.map(drop)
}

/// Deletes the browser sessions that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

fn decode(row: &Row<'_>) -> Result<BrowserSession, StoreError> {
    Ok(BrowserSession {
        id: BrowserSessionId::parse(&row.get::<String>(0)?)?,
        user: UserId::parse(&row.get::<String>(1)?)?,
        account: UserId::parse(&row.get::<String>(2)?)?,
        user_is_active: row.get::<String>(3)? == UserStatus::Activated.as_str(),
        facts: serde_json::from_str(&row.get::<String>(4)?)?,
        created_at: Timestamp(row.get(5)?),
        last_used_at: Timestamp(row.get(6)?),
        expires_at: Timestamp(row.get(7)?),
    })
}
