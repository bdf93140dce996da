//! Browser sessions: one login of one user in one browser, for all applications of the pool. A login starts a
//! browser session or belongs to one ([`BrowserBinding`]). Ending it also ends the application sessions that
//! belong to it.

use hufu_store::browser_sessions::{self, BrowserSession, NewBrowserSession};
use hufu_store::endings::{self, EndedSession};
use hufu_store::rates::Hits;
use hufu_store::{Read, StoreError, Tx, Write};
use hufu_types::{
    Action, BrowserSessionId, OpaqueToken, PoolId, SessionRules, Timestamp, TokenHash, TokenPurpose, UserId,
};
use serde_json::json;

use crate::digest::hash_token;
use crate::events::{Actor, Event, Trace};
use crate::{App, Origin, Refusal};

impl App {
    /// A new browser session for a login to start, and the secret for the browser's cookie.
    pub fn new_browser_session(&self, origin: &Origin) -> (OpaqueToken, NewBrowserSession) {
        let now = self.now();
        let secret = OpaqueToken::generate(TokenPurpose::BrowserSession, &*self.random);
        let new = NewBrowserSession {
            id: BrowserSessionId::generate(now, &*self.random),
            cookie: hash_token(secret.expose()),
            created_at: now,
            expires_at: now.plus(self.limits.browser_session),
            ip: origin.ip.clone(),
            user_agent: origin.user_agent.clone(),
            granted: Hits::NONE,
        };
        (secret, new)
    }

    /// The active browser session of a cookie.
    ///
    /// # Errors
    /// Database errors.
    pub async fn browser_session(
        &self,
        pool: &PoolId,
        cookie: &str,
    ) -> Result<Option<BrowserSession>, Refusal> {
        let rules = self.config().settings(pool).session;
        let (pool, cookie, now) = (pool.clone(), hash_token(cookie), self.now());
        self.read(FindBrowserSession { pool, cookie, rules, now }).await
    }

    /// Records that a browser session is in use, and extends it from now, at most to the end of the login's
    /// life. Returns whether it was still active.
    ///
    /// # Errors
    /// Database errors.
    pub async fn extend_browser_session(
        &self,
        pool: &PoolId,
        id: &BrowserSessionId,
    ) -> Result<bool, Refusal> {
        let (now, rules) = (self.now(), self.config().settings(pool).session);
        let expires_at = now.plus(self.limits.browser_session);
        self.write(ExtendBrowserSession { pool: pool.clone(), id: id.clone(), now, expires_at, rules }).await
    }

    /// Ends a browser session and the application sessions that belong to it.
    ///
    /// # Errors
    /// Database errors.
    pub async fn end_browser_session(
        &self,
        pool: &PoolId,
        session: &BrowserSession,
        origin: &Origin,
    ) -> Result<Vec<EndedSession>, Refusal> {
        let trace = self.trace(pool, Some(Actor::user(&session.account)), None, None, origin);
        let (id, account) = (session.id.clone(), session.account.clone());
        let ended = self.write(EndBrowserSession { pool: pool.clone(), id, account, trace }).await?;
        self.forget_sessions(&ended);
        Ok(ended)
    }
}

/// Reads the active browser session of a cookie, if its account is active.
pub struct FindBrowserSession {
    /// The pool.
    pub pool: PoolId,
    /// The hash of the cookie's secret.
    pub cookie: TokenHash,
    /// How long sessions live.
    pub rules: SessionRules,
    /// The current time.
    pub now: Timestamp,
}

impl Read for FindBrowserSession {
    type Out = Option<BrowserSession>;

    fn may_share(&self) -> bool {
        true
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<BrowserSession>, StoreError> {
        let found = browser_sessions::by_cookie(tx, &self.pool, &self.cookie).await?;
        let ends = |s: &BrowserSession| self.rules.end(s.created_at, s.last_used_at, s.expires_at);
        Ok(found.filter(|session| session.user_is_active && ends(session) > self.now))
    }
}

/// Records that a browser session is in use, and extends it.
pub struct ExtendBrowserSession {
    /// The pool.
    pub pool: PoolId,
    /// The browser session.
    pub id: BrowserSessionId,
    /// The current time.
    pub now: Timestamp,
    /// The new expiry time.
    pub expires_at: Timestamp,
    /// How long sessions live.
    pub rules: SessionRules,
}

impl Write for ExtendBrowserSession {
    /// Whether it was still active.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let found = browser_sessions::get_locked(tx, &self.pool, &self.id).await?;
        let Some(found) = found.filter(|found| found.expires_at > self.now) else { return Ok(false) };
        let latest = self.rules.latest_end(found.created_at);
        if latest <= self.now {
            return Ok(false);
        }
        let expires_at = self.expires_at.min(latest);
        browser_sessions::extend(tx, &self.pool, &self.id, self.now, expires_at).await?;
        Ok(true)
    }
}

/// Ends a browser session and the application sessions that belong to it.
pub struct EndBrowserSession {
    /// The pool.
    pub pool: PoolId,
    /// The browser session.
    pub id: BrowserSessionId,
    /// The account behind it.
    pub account: UserId,
    /// The actor, origin and time, for the audit log.
    pub trace: Trace,
}

impl Write for EndBrowserSession {
    /// The application sessions that ended.
    type Out = Vec<EndedSession>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<EndedSession>, StoreError> {
        let Some((_, ended)) = endings::of_browser(tx, &self.pool, &self.id, self.trace.at).await? else {
            return Ok(Vec::new());
        };
        let sessions: Vec<&str> = ended.iter().map(|ended| ended.session.as_str()).collect();
        let details = json!({ "browser_session": self.id.as_str(), "sessions": sessions });
        let event = Event::of(Action::Logout, &self.account).with(details);
        self.trace.recorder().record(tx, &self.pool, event).await?;
        Ok(ended)
    }
}
