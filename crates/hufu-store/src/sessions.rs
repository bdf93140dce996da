//! Sessions: one login of one user on one device. Tokens are valid no longer than their session.

use hufu_types::{
    ApplicationId, BrowserSessionId, ConnectionId, Facts, PoolId, SessionId, Timestamp, UserId,
};
use serde_json::{Map, Value};

use crate::{Read, Row, StoreError, Tx, Write, statements};

statements! {
    GET = "
        SELECT s.user_id, s.application_id, s.created_at, s.expires_at, COALESCE(t.id, u.id), COALESCE(t.status, u.status),
               COALESCE(s.last_used_at, s.created_at), s.facts, s.claims, s.is_device
        FROM sessions s JOIN users u ON u.pool_id = s.pool_id AND u.id = s.user_id
        LEFT JOIN users t ON t.pool_id = u.pool_id AND t.id = u.merged_into
        WHERE s.pool_id = $1 AND s.id = $2";
    INSERT = "
        INSERT INTO sessions
            (pool_id, id, user_id, application_id, connection_id, created_at, expires_at, ip, user_agent,
             browser_session_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    INSERT_IN_BROWSER = "
        INSERT INTO sessions
            (pool_id, id, user_id, application_id, connection_id, created_at, expires_at, ip, user_agent,
             browser_session_id, facts, claims, is_device)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    // Until PostgreSQL has counted the sessions, it would read all of the application.
    OF_BROWSER = "
        SELECT id FROM sessions
        WHERE pool_id = $1 AND browser_session_id = $2 AND application_id || '' = $3 AND is_device = $4
        ORDER BY created_at DESC LIMIT 1";
    GO_ON = "
        UPDATE sessions
        SET facts = $3, claims = $4, last_used_at = $5,
            expires_at = CASE WHEN expires_at < $6 THEN $6 ELSE expires_at END
        WHERE pool_id = $1 AND id = $2";
    PROLONG = "
        UPDATE sessions
        SET last_used_at = $3,
            expires_at = CASE
                WHEN is_device AND browser_session_id IS NULL THEN expires_at
                WHEN expires_at < $4 THEN $4
                ELSE expires_at END
        WHERE pool_id = $1 AND id = $2";
    LIST = "
        SELECT id, application_id, connection_id, created_at, expires_at, ip, user_agent, last_used_at
        FROM sessions
        WHERE pool_id = $1
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))
          AND expires_at > $3
        ORDER BY COALESCE(last_used_at, created_at) DESC, id DESC";
    PAGE = "
        SELECT id, application_id, connection_id, created_at, expires_at, ip, user_agent, last_used_at
        FROM sessions
        WHERE pool_id = $1
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))
          AND expires_at > $3 AND (COALESCE(last_used_at, created_at), id) < ($4, $5)
        ORDER BY COALESCE(last_used_at, created_at) DESC, id DESC LIMIT $6";
    TOUCH = "UPDATE sessions SET last_used_at = $3 WHERE pool_id = $1 AND id = $2";
    SWEEP = "DELETE FROM sessions WHERE expires_at < $1";
}

/// A session as stored.
#[derive(Clone, Debug)]
pub struct Session {
    /// The user; the `sub` of its tokens.
    pub user: UserId,
    /// The account in use. Differs from `user` if that account was merged into another one.
    pub account: UserId,
    /// The application that the user logged in to.
    pub application: ApplicationId,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When the session ends. No token is valid for longer.
    pub expires_at: Timestamp,
    /// Whether the account is active.
    pub user_is_active: bool,
    /// When it was last used. Not every use is recorded.
    pub last_used_at: Timestamp,
    /// How and when the user authenticated, if that was not at the session's own login: it began in a browser session.
    pub facts: Option<Facts>,
    /// The claims that the application requested one by one: the `claims` parameter.
    pub claims: Map<String, Value>,
    /// Whether it is the session of a device that somebody approved elsewhere.
    pub is_device: bool,
}

impl Session {
    /// Whether its user logged in elsewhere, and only let it happen here: a device, or a QR code that an app confirmed.
    pub fn is_lent(&self) -> bool {
        self.is_device || self.facts.as_ref().is_some_and(|facts| facts.lent_at().is_some())
    }

    /// When the user authenticated.
    pub fn auth_time(&self) -> Timestamp {
        self.facts.as_ref().and_then(Facts::auth_time).unwrap_or(self.created_at)
    }
}

/// A session to insert at login.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The id.
    pub id: SessionId,
    /// The application that the user logs in to.
    pub application: ApplicationId,
    /// The connection used to log in.
    pub connection: ConnectionId,
    /// The current time.
    pub created_at: Timestamp,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// The IP address of the client.
    pub ip: Option<String>,
    /// The `User-Agent` of the client.
    pub user_agent: Option<String>,
}

/// Reads a session; `None` if it was ended.
pub struct GetSession {
    /// The pool.
    pub pool: PoolId,
    /// The session.
    pub session: SessionId,
}

impl Read for GetSession {
    type Out = Option<Session>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Session>, StoreError> {
        get(tx, &self.pool, &self.session).await
    }
}

/// Reads a session; `None` if it was ended.
pub async fn get(tx: &mut Tx<'_>, pool: &PoolId, session: &SessionId) -> Result<Option<Session>, StoreError> {
    tx.optional(GET, &[pool.into(), session.into()], decode).await
}

/// A session as shown to its user.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// The id.
    pub id: SessionId,
    /// The application that the user logged in to.
    pub application: ApplicationId,
    /// The connection used to log in.
    pub connection: ConnectionId,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// The IP address of the client at login.
    pub ip: Option<String>,
    /// The `User-Agent` of the client at login.
    pub user_agent: Option<String>,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// Reads the unexpired sessions of an account, most recently used first.
pub struct ListSessions {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The current time.
    pub now: Timestamp,
}

impl Read for ListSessions {
    type Out = Vec<OwnSession>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<OwnSession>, StoreError> {
        of_account(tx, &self.pool, &self.user, self.now).await
    }
}

/// Reads some of the same sessions.
pub struct PageOfSessions {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
    /// The current time.
    pub now: Timestamp,
    /// When the last session of the previous page was used, and its id.
    pub before: Option<(Timestamp, String)>,
    /// The maximum number of sessions.
    pub limit: i64,
}

impl Read for PageOfSessions {
    type Out = Vec<OwnSession>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<OwnSession>, StoreError> {
        let last = (Timestamp(i64::MAX), String::new());
        let (at, id) = self.before.as_ref().unwrap_or(&last);
        let values = [
            (&self.pool).into(),
            (&self.user).into(),
            self.now.into(),
            (*at).into(),
            id.into(),
            self.limit.into(),
        ];
        tx.all(PAGE, &values, decode_own).await
    }
}

/// The unexpired sessions of an account, most recently used first.
pub async fn of_account(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    now: Timestamp,
) -> Result<Vec<OwnSession>, StoreError> {
    tx.all(LIST, &[pool.into(), user.into(), now.into()], decode_own).await
}

/// Inserts a session, as a child of a browser session if there is one.
pub async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    new: &NewSession,
    browser: Option<&BrowserSessionId>,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        (&new.id).into(),
        user.into(),
        (&new.application).into(),
        (&new.connection).into(),
        new.created_at.into(),
        new.expires_at.into(),
        (&new.ip).into(),
        (&new.user_agent).into(),
        browser.map(BrowserSessionId::as_str).into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// Inserts a session that somebody confirmed by a QR code in an app where they are logged in. It is marked like that of a
/// device, and is never extended.
pub async fn insert_lent(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    new: &NewSession,
    facts: &Facts,
) -> Result<(), StoreError> {
    insert_with(tx, pool, user, new, (None, facts, &Map::new(), true)).await
}

/// What a session that begins beneath a browser session knows.
#[derive(Clone, Copy, Debug)]
pub struct Beneath<'a> {
    /// The browser session.
    pub browser: &'a BrowserSessionId,
    /// How and when the user authenticated there.
    pub facts: &'a Facts,
    /// The claims that the application requested.
    pub claims: &'a Map<String, Value>,
    /// Whether it is a device's, which was approved in that browser.
    pub is_device: bool,
}

/// Inserts a session that begins beneath a browser session.
pub async fn insert_beneath(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    new: &NewSession,
    beneath: Beneath<'_>,
) -> Result<(), StoreError> {
    let Beneath { browser, facts, claims, is_device } = beneath;
    insert_with(tx, pool, user, new, (Some(browser), facts, claims, is_device)).await
}

async fn insert_with(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    new: &NewSession,
    (browser, facts, claims, is_device): (Option<&BrowserSessionId>, &Facts, &Map<String, Value>, bool),
) -> Result<(), StoreError> {
    let facts = serde_json::to_string(facts)?;
    let claims = if claims.is_empty() { None } else { Some(serde_json::to_string(claims)?) };
    let values = [
        pool.into(),
        (&new.id).into(),
        user.into(),
        (&new.application).into(),
        (&new.connection).into(),
        new.created_at.into(),
        new.expires_at.into(),
        (&new.ip).into(),
        (&new.user_agent).into(),
        browser.map(BrowserSessionId::as_str).into(),
        (&facts).into(),
        (&claims).into(),
        is_device.into(),
    ];
    tx.execute(INSERT_IN_BROWSER, &values).await.map(drop)
}

/// The session of an application in a browser session.
pub async fn of_browser(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    browser: &BrowserSessionId,
    application: &ApplicationId,
) -> Result<Option<SessionId>, StoreError> {
    // Not that of a device, which is somewhere else.
    let values = [pool.into(), browser.as_str().into(), application.into(), false.into()];
    tx.optional(OF_BROWSER, &values, |row| Ok(SessionId::parse(&row.get::<String>(0)?)?)).await
}

/// Uses a session again for another login: replaces what it knows of its login and the claims that the application
/// requested, records the use, and extends it until `expires_at`, unless it already ends later.
pub async fn go_on(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    session: &SessionId,
    (facts, claims): (&Facts, &Map<String, Value>),
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let facts = serde_json::to_string(facts)?;
    let claims = if claims.is_empty() { None } else { Some(serde_json::to_string(claims)?) };
    let values =
        [pool.into(), session.into(), (&facts).into(), (&claims).into(), now.into(), expires_at.into()];
    tx.execute(GO_ON, &values).await.map(drop)
}

/// Records that a session was used, and extends it until `expires_at`, unless it already ends later. The session is
/// locked until the unit ends: whoever locks a session and its refresh tokens locks the session first. Returns whether
/// it is there.
pub async fn prolong(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    session: &SessionId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, StoreError> {
    let values = [pool.into(), session.into(), now.into(), expires_at.into()];
    Ok(tx.execute(PROLONG, &values).await? == 1)
}

/// Records that a session was used.
async fn touch(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    session: &SessionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(TOUCH, &[pool.into(), session.into(), now.into()]).await.map(drop)
}

/// Records that a session was used, for the session list shown to its user.
pub struct Touch {
    /// The pool.
    pub pool: PoolId,
    /// The session.
    pub session: SessionId,
    /// The current time.
    pub now: Timestamp,
}

impl Write for Touch {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        touch(tx, &self.pool, &self.session, self.now).await
    }
}

/// Deletes the sessions that ended before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

fn decode(row: &Row<'_>) -> Result<Session, StoreError> {
    Ok(Session {
        user: UserId::parse(&row.get::<String>(0)?)?,
        application: ApplicationId::parse(&row.get::<String>(1)?)?,
        created_at: Timestamp(row.get(2)?),
        expires_at: Timestamp(row.get(3)?),
        account: UserId::parse(&row.get::<String>(4)?)?,
        user_is_active: row.get::<String>(5)? == hufu_types::UserStatus::Activated.as_str(),
        last_used_at: Timestamp(row.get(6)?),
        facts: row.get::<Option<String>>(7)?.map(|json| serde_json::from_str(&json)).transpose()?,
        claims: row
            .get::<Option<String>>(8)?
            .map(|json| serde_json::from_str(&json))
            .transpose()?
            .unwrap_or_default(),
        is_device: row.get::<Option<bool>>(9)?.unwrap_or_default(),
    })
}

fn decode_own(row: &Row<'_>) -> Result<OwnSession, StoreError> {
    Ok(OwnSession {
        id: SessionId::parse(&row.get::<String>(0)?)?,
        application: ApplicationId::parse(&row.get::<String>(1)?)?,
        connection: ConnectionId::parse(&row.get::<String>(2)?)?,
        created_at: Timestamp(row.get(3)?),
        expires_at: Timestamp(row.get(4)?),
        ip: row.get(5)?,
        user_agent: row.get(6)?,
        last_used_at: row.get::<Option<i64>>(7)?.map(Timestamp),
    })
}
