//! Whose request is this: bearer tokens and the sessions behind them.

use async_recursion::async_recursion as boxed;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hufu_protocol::{Expectation, TokenType, verify};
use hufu_store::sessions::{GetSession, Session, Touch};
use hufu_types::refusal::Code;
use hufu_types::{Application, ApplicationId, PoolId, ScopeSet, SessionId, Timestamp, UserId};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::EndSession;
use crate::configuration::ApplicationHint;
use crate::events::Trace;
use crate::{App, Origin, Refusal, UserToken};

/// Sessions that a node keeps in mind at most.
const REMEMBERED_SESSIONS: u64 = 100_000;

/// Which sessions are alive, believed for a few seconds.
pub(crate) struct SessionCache {
    entries: moka::sync::Cache<SessionId, Arc<Session>>,
    /// How often something was forgotten: what was read before the last time is not believed.
    forgotten: AtomicU64,
}

impl SessionCache {
    pub(crate) fn new(believed: Duration) -> Self {
        let cache = moka::sync::Cache::builder().max_capacity(REMEMBERED_SESSIONS).time_to_live(believed);
        Self { entries: cache.build(), forgotten: AtomicU64::new(0) }
    }

    /// Keeps what was read since `forgotten` was this number. A logout in between wins, whichever comes last here.
    fn insert(&self, id: &SessionId, session: Arc<Session>, forgotten: u64) {
        self.entries.insert(id.clone(), session);
        if self.forgotten.load(Ordering::SeqCst) != forgotten {
            self.entries.invalidate(id);
        }
    }

    pub(crate) fn forget(&self, session: &SessionId) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.entries.invalidate(session);
    }

    pub(crate) fn forget_all(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.entries.invalidate_all();
    }
}

/// A request of a user who is logged in.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The application whose token it is.
    pub application: Arc<Application>,
    /// The account.
    pub user: UserId,
    /// The `sub` of the token: another id of the account, where the one that it belonged to was merged into it.
    pub subject: UserId,
    /// The session.
    pub session: SessionId,
    /// When the login was.
    pub auth_time: Timestamp,
    /// Where the request comes from.
    pub origin: Origin,
    /// What an access token may be used for; a user token may do everything a user may.
    pub scope: Option<ScopeSet>,
    /// When the token was issued, in Unix seconds.
    pub issued_at: i64,
    /// When the token ends, in Unix seconds.
    pub expires_at: i64,
}

impl Authenticated {
    /// The pool.
    pub fn pool(&self) -> &PoolId {
        &self.application.pool
    }
}

/// What both kinds of bearer tokens have in common.
#[derive(Deserialize)]
struct BearerClaims {
    sub: UserId,
    aud: ApplicationId,
    sid: SessionId,
    iat: i64,
    exp: i64,
    scope: Option<ScopeSet>,
}

/// A token whose signature and time hold; whether its session does is another question.
pub(crate) struct Bearer {
    pub(crate) application: ApplicationId,
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    scope: Option<ScopeSet>,
    issued_at: i64,
    expires_at: i64,
}

impl App {
    /// Reads a bearer token: access tokens and user tokens, never id tokens.
    pub(crate) fn bearer_claims(&self, token: &str) -> Result<Bearer, Refusal> {
        let expectation = Expectation {
            types: &[TokenType::AccessToken, TokenType::UserToken],
            issuer: &self.issuer,
            now: self.now(),
            leeway: self.limits.clock_leeway,
        };
        let keys = self.keys.load();
        let verified =
            verify::<BearerClaims>(token, keys.published(), &expectation).map_err(|_| Code::NotLoggedIn)?;
        let claims = verified.claims;
        Ok(Bearer {
            application: claims.aud,
            session: claims.sid,
            user: claims.sub,
            scope: claims.scope,
            issued_at: claims.iat,
            expires_at: claims.exp,
        })
    }

    /// Who sends this bearer token, and that what else the request names agrees with it.
    #[boxed]
    pub async fn authenticate<'a>(
        &'a self,
        token: Option<&str>,
        named: ApplicationHint<'a>,
        origin: Origin,
    ) -> Result<Authenticated, Refusal> {
        let bearer = self.bearer_claims(token.ok_or(Code::NotLoggedIn)?)?;
        let config = self.config();
        let application = config.application(bearer.application.as_str()).ok_or(Code::NotLoggedIn)?;
        if !named.agrees_with(application) {
            return Err(Code::Disagreement.into());
        }
        let session = self.living_session(&application.pool, &bearer.session).await?;
        if session.user != bearer.user || session.application != application.id {
            return Err(Code::NotLoggedIn.into());
        }
        Ok(Authenticated {
            application: application.clone(),
            user: session.account.clone(),
            subject: bearer.user,
            session: bearer.session,
            auth_time: session.created_at,
            origin,
            scope: bearer.scope,
            issued_at: bearer.issued_at,
            expires_at: bearer.expires_at,
        })
    }

    /// What a token says, if it holds: one of this instance, of any kind, whose time is not over and whose session is
    /// alive. An id token, which is no bearer, can be looked at as well.
    #[boxed]
    pub async fn validate_token<'a>(
        &'a self,
        token: &str,
        kinds: &[TokenType],
        named: ApplicationHint<'a>,
    ) -> Result<Map<String, Value>, Refusal> {
        let expectation = Expectation {
            types: kinds,
            issuer: &self.issuer,
            now: self.now(),
            leeway: self.limits.clock_leeway,
        };
        let keys = self.keys.load();
        let verified = verify::<Map<String, Value>>(token, keys.published(), &expectation);
        let claims = verified.map_err(|_| Code::NotLoggedIn)?.claims;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let config = self.config();
        let application = config.application(text("aud")).ok_or(Code::NotLoggedIn)?;
        if !named.agrees_with(application) {
            return Err(Code::Disagreement.into());
        }
        let session = SessionId::parse(text("sid")).map_err(|_| Code::NotLoggedIn)?;
        self.living_session(&application.pool, &session).await?;
        Ok(claims)
    }

    async fn living_session(&self, pool: &PoolId, id: &SessionId) -> Result<Arc<Session>, Refusal> {
        // One that seems over may have been extended since it was read.
        let believed = self.sessions.entries.get(id).filter(|session| session.expires_at > self.now());
        let session = if let Some(session) = believed {
            session
        } else {
            let forgotten = self.sessions.forgotten.load(Ordering::SeqCst);
            let unit = GetSession { pool: pool.clone(), session: id.clone() };
            let session = Arc::new(self.read(unit).await?.ok_or(Code::NotLoggedIn)?);
            self.sessions.insert(id, session.clone(), forgotten);
            session
        };
        if session.expires_at <= self.now() || !session.user_is_active {
            return Err(Code::NotLoggedIn.into());
        }
        self.record_use(pool, id, &session).await;
        Ok(session)
    }

    /// Notes, now and then, that a session is in use, for the list that its owner sees. No request fails for it.
    async fn record_use(&self, pool: &PoolId, id: &SessionId, session: &Session) {
        let now = self.now();
        if now < session.last_used_at.plus(self.limits.session_touch) {
            return;
        }
        let noted = Session { last_used_at: now, ..session.clone() };
        // Requests of the same moment find it noted.
        let forgotten = self.sessions.forgotten.load(Ordering::SeqCst);
        self.sessions.insert(id, Arc::new(noted), forgotten);
        let unit = Touch { pool: pool.clone(), session: id.clone(), now };
        if let Err(refusal) = self.write(unit).await {
            tracing::debug!(error = hufu_types::chain(&refusal), "the use of a session is not noted");
        }
    }

    /// A new user token of the same session, for the v2 clients.
    pub fn renew(&self, who: &Authenticated) -> Result<UserToken, Refusal> {
        self.user_token(&who.application, &who.subject, &who.session, who.auth_time)
    }

    /// Ends the session of a token.
    #[boxed]
    pub async fn log_out(&self, who: &Authenticated) -> Result<(), Refusal> {
        self.end_session(who.pool(), &who.session, self.trace_of(who)).await
    }

    pub(crate) async fn end_session(
        &self,
        pool: &PoolId,
        session: &SessionId,
        trace: Trace,
    ) -> Result<(), Refusal> {
        self.write(EndSession { pool: pool.clone(), session: session.clone(), trace }).await?;
        self.sessions.forget(session);
        Ok(())
    }
}
