//! Authenticating requests: bearer tokens and the sessions behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_protocol::{Audience, Confirmation, Expectation, TokenType, verify};
use hufu_store::sessions::{self, Session, Touch};
use hufu_store::{Read, StoreError, Tx, application_users};
use hufu_types::refusal::Code;
use hufu_types::{
    Access, Action, Application, ApplicationId, ApplicationKind, Facts, Grant, PoolId, Scope, ScopeSet,
    SessionId, Thumbprint, Timestamp, UserId,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::Keys;
use super::{EndSession, EndedSession};
use crate::authorization::dpop::Presented;
use crate::configuration::ApplicationHint;
use crate::digest::hash_token;
use crate::events::{Actor, Trace};
use crate::origin::{RecordRefusal, code_of};
use crate::{App, Origin, Refusal, UserToken};

/// The maximum number of sessions that a node caches.
const REMEMBERED_SESSIONS: u64 = 100_000;

/// A cache of active sessions. Entries live for a few seconds.
pub(crate) struct SessionCache {
    entries: moka::sync::Cache<SessionId, Arc<Session>>,
    /// How often something was invalidated. A session read before the latest invalidation is not cached.
    forgotten: AtomicU64,
}

impl SessionCache {
    pub(crate) fn new(believed: Duration) -> Self {
        let cache = moka::sync::Cache::builder().max_capacity(REMEMBERED_SESSIONS).time_to_live(believed);
        Self { entries: cache.build(), forgotten: AtomicU64::new(0) }
    }

    /// Caches a session read when `forgotten` had this value. A logout in between always wins, whichever runs
    /// last.
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

/// Reads a session; `None` if it was ended, or if its application lists whom it lets log in, and does not list the
/// account.
struct GetAdmitted {
    pool: PoolId,
    session: SessionId,
    /// The applications of the pool that do.
    listing: Vec<ApplicationId>,
}

impl Read for GetAdmitted {
    type Out = Option<Session>;

    fn may_share(&self) -> bool {
        self.listing.is_empty()
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Session>, StoreError> {
        let Self { pool, session, listing } = self;
        let Some(found) = sessions::get(tx, pool, session).await? else { return Ok(None) };
        let is_admitted = !listing.contains(&found.application)
            || application_users::has(tx, pool, &found.application, &found.account).await?;
        Ok(is_admitted.then_some(found))
    }
}

/// The applications that let only those log in whom they list.
fn listing(applications: &[Arc<Application>]) -> Vec<ApplicationId> {
    let listing = applications.iter().filter(|application| application.login.access == Access::Listed);
    listing.map(|application| application.id.clone()).collect()
}

/// An authenticated request of a user.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The application that the token was issued to.
    pub application: Arc<Application>,
    /// The account.
    pub user: UserId,
    /// The `sub` of the token. Differs from `user` if the account it names has been merged into another, or if it is
    /// pairwise.
    pub subject: UserId,
    /// The session.
    pub session: SessionId,
    /// When the user logged in.
    pub auth_time: Timestamp,
    /// Whether the token is a device's, or of a login by a QR code that an app confirmed: its user logged in elsewhere, and may have been talked into approving it.
    pub is_device: bool,
    /// Where the request comes from.
    pub origin: Origin,
    /// The scope of an access token. None for a user token, which may do everything that the user may.
    pub scope: Option<ScopeSet>,
    /// When the token was issued, in Unix seconds.
    pub issued_at: i64,
    /// When the token expires, in Unix seconds.
    pub expires_at: i64,
}

impl Authenticated {
    /// The pool.
    pub fn pool(&self) -> &PoolId {
        &self.application.pool
    }
}

/// What an endpoint needs of the token. A user token, whose client acts for the user, grants everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Only that its user is logged in: the endpoint tells and changes nothing about the account.
    Login,
    /// An access token must have this scope.
    Scope(Scope),
    /// An access token must have the scope `openid`. The one endpoint for applications that ask their users for consent:
    /// what those were granted reads the userinfo, and nothing else.
    Userinfo,
}

impl From<Scope> for Needs {
    fn from(scope: Scope) -> Self {
        Self::Scope(scope)
    }
}

/// The claims of both kinds of bearer tokens.
#[derive(Deserialize)]
struct BearerClaims {
    sub: UserId,
    aud: Audience<'static>,
    /// Of an access token. A user token is always for the application that it was issued to.
    client_id: Option<ApplicationId>,
    sid: SessionId,
    iat: i64,
    exp: i64,
    scope: Option<ScopeSet>,
    cnf: Option<Confirmation>,
}

/// The claims of an id token that stands for an access token.
#[derive(Deserialize)]
struct IdTokenBearer {
    sub: UserId,
    aud: ApplicationId,
    sid: SessionId,
    iat: i64,
    exp: i64,
    updated_at: Option<i64>,
    /// Present if the access token of the login is bound to a key, or for resources.
    token_use: Option<String>,
}

/// A token with a valid signature that has not expired. Its session is not checked.
pub(crate) struct Bearer {
    /// The application that it was issued to.
    pub(crate) application: ApplicationId,
    /// The resources that it is for. Only a token without any opens Hufu's own endpoints.
    pub(crate) resources: Vec<String>,
    pub(crate) session: SessionId,
    /// The `sub`: the user of the session, or their pairwise subject in an access token.
    pub(crate) user: UserId,
    pub(crate) scope: Option<ScopeSet>,
    /// The key that it is bound to.
    pub(crate) key: Option<Thumbprint>,
    pub(crate) issued_at: i64,
    pub(crate) expires_at: i64,
}

impl App {
    /// The context that all events of an operation by a logged-in user share.
    pub(crate) fn trace_of(&self, who: &Authenticated) -> Trace {
        let application = Some(&who.application.id);
        self.trace(who.pool(), Some(Actor::user(&who.user)), application, None, &who.origin)
    }

    /// Records in the audit log that a logged-in user was refused something, and returns the refusal.
    /// Refusals that say nothing about the user, such as that of a malformed request, are not recorded.
    pub(crate) async fn refused(
        &self,
        who: &Authenticated,
        trace: Trace,
        action: Action,
        details: Value,
        refusal: Refusal,
    ) -> Refusal {
        let Some(code) = code_of(&refusal) else { return refusal };
        let left = self.failures.remaining_records(who.pool(), trace.ip.as_deref());
        let (pool, user) = (who.pool().clone(), Some(who.user.clone()));
        let unit = RecordRefusal { pool, trace, action, user, code, details, guesses: None, left };
        if !unit.must_be_recorded() {
            return refusal;
        }
        self.write(unit).await.err().unwrap_or(refusal)
    }

    /// Verifies an access token or a user token, never an id token. Whether it is presented as it has to be is another
    /// question. It may be for a resource.
    pub(crate) fn bearer_claims(&self, token: &str) -> Result<Arc<Bearer>, Refusal> {
        let keys = self.keys.load();
        let hash = hash_token(token);
        if let Some(bearer) = keys.verified.get(&hash) {
            let ends = Timestamp(bearer.expires_at.saturating_mul(1000)).plus(self.limits.clock_leeway);
            return if ends <= self.now() { Err(Code::NotLoggedIn.into()) } else { Ok(bearer) };
        }
        let bearer = Arc::new(self.verify_bearer(token, &keys)?);
        keys.verified.insert(hash, Arc::clone(&bearer));
        Ok(bearer)
    }

    fn verify_bearer(&self, token: &str, keys: &Keys) -> Result<Bearer, Refusal> {
        let expectation = Expectation {
            types: &[TokenType::AccessToken, TokenType::UserToken],
            issuer: &self.issuer,
            now: self.now(),
            leeway: self.limits.clock_leeway,
        };
        let verified =
            verify::<BearerClaims>(token, keys.published(), &expectation).map_err(|_| Code::NotLoggedIn)?;
        let claims = verified.claims;
        let application = match (claims.client_id, &claims.aud) {
            (Some(client), _) => client,
            (None, Audience::One(application)) => {
                ApplicationId::parse(application).map_err(|_| Code::NotLoggedIn)?
            }
            (None, Audience::Several(_)) => return Err(Code::NotLoggedIn.into()),
        };
        Ok(Bearer {
            resources: claims.aud.resources(&application),
            application,
            session: claims.sid,
            user: claims.sub,
            scope: claims.scope,
            key: claims.cnf.map(|confirmation| confirmation.jkt),
            issued_at: claims.iat,
            expires_at: claims.exp,
        })
    }

    /// Authenticates a token, and checks that it is presented as it was issued, that what else the request names agrees
    /// with it, and that it grants what the endpoint needs.
    ///
    /// # Errors
    /// [`Code::NotLoggedIn`], [`Code::Disagreement`], [`Code::InsufficientScope`]; [`Code::DpopTokenMisused`],
    /// [`Code::DpopCallUnproven`], [`Code::DpopCallNonceNeeded`].
    #[boxed]
    pub async fn authenticate<'a>(
        &'a self,
        presented: Option<Presented<'a>>,
        named: ApplicationHint<'a>,
        origin: Origin,
        needs: Needs,
    ) -> Result<Authenticated, Refusal> {
        let presented = presented.ok_or(Code::NotLoggedIn)?;
        let bearer = self.bearer_claims(presented.token())?;
        self.check_bearer(presented, &bearer, named, origin, needs).await
    }

    /// The same for the few calls to which the published mobile SDKs send their id token: it counts as an access token
    /// of its login. Nothing else takes an id token for a bearer.
    ///
    /// # Errors
    /// As for [`Self::authenticate`].
    #[boxed]
    pub async fn authenticate_mobile<'a>(
        &'a self,
        presented: Option<Presented<'a>>,
        named: ApplicationHint<'a>,
        origin: Origin,
        needs: Needs,
    ) -> Result<Authenticated, Refusal> {
        let presented = presented.ok_or(Code::NotLoggedIn)?;
        let bearer = match self.bearer_claims(presented.token()) {
            Err(refusal) if refusal.is(Code::NotLoggedIn) => {
                Arc::new(self.id_token_bearer(presented.token())?)
            }
            found => found?,
        };
        self.check_bearer(presented, &bearer, named, origin, needs).await
    }

    /// Verifies an id token that stands for an access token. It never gets into the memory of verified bearers. What it
    /// grants is read off its claims: only a login with the scope `profile` has told when the profile was changed.
    fn id_token_bearer(&self, token: &str) -> Result<Bearer, Refusal> {
        let expectation = Expectation {
            types: &[TokenType::IdToken],
            issuer: &self.issuer,
            now: self.now(),
            leeway: self.limits.clock_leeway,
        };
        let keys = self.keys.load();
        let verified = verify::<IdTokenBearer>(token, keys.published(), &expectation);
        let claims = verified.map_err(|_| Code::NotLoggedIn)?.claims;
        let config = self.config();
        let application = config.application_or(claims.aud.as_str(), Code::NotLoggedIn)?;
        // Only the mobile SDKs send theirs. Those of others go to back ends and into addresses, and are no secrets.
        let is_native = application.kind == ApplicationKind::Native;
        let travels = [Grant::Implicit, Grant::Hybrid].into_iter().any(|grant| application.has_grant(grant));
        if !is_native || travels || claims.token_use.is_some() || application.client.dpop_bound_access_tokens
        {
            return Err(Code::NotLoggedIn.because("id tokens of this application are no bearers"));
        }
        let scope = if claims.updated_at.is_some() { "openid profile" } else { "openid" };
        Ok(Bearer {
            application: claims.aud,
            resources: Vec::new(),
            session: claims.sid,
            user: claims.sub,
            scope: Some(ScopeSet::requested(scope, &[])),
            key: None,
            issued_at: claims.iat,
            expires_at: claims.exp,
        })
    }

    async fn check_bearer(
        &self,
        presented: Presented<'_>,
        bearer: &Bearer,
        named: ApplicationHint<'_>,
        origin: Origin,
        needs: Needs,
    ) -> Result<Authenticated, Refusal> {
        if !bearer.resources.is_empty() {
            return Err(Code::NotLoggedIn.because("the token is for a resource"));
        }
        let config = self.config();
        let application = config.application_or(bearer.application.as_str(), Code::NotLoggedIn)?;
        self.check_presented(application, presented, bearer.key.as_ref()).await?;
        if !named.agrees_with(application) {
            return Err(Code::Disagreement.into());
        }
        let session = self.living_session(&application.pool, &bearer.session).await?;
        let named = match bearer.scope {
            Some(_) => self.subject(application, &session.user),
            None => session.user.clone(),
        };
        if named != bearer.user || session.application != application.id {
            return Err(Code::NotLoggedIn.into());
        }
        // A login that an app confirmed grants no more than the token that confirmed it, whatever its own says.
        let most = session.facts.as_ref().and_then(Facts::most);
        let granted = match (&bearer.scope, most) {
            (Some(scope), Some(most)) => Some(scope.intersect(most)),
            (scope, most) => scope.as_ref().or(most).cloned(),
        };
        if let Some(granted) = &granted {
            let needed = match needs {
                Needs::Login => None,
                Needs::Scope(scope) => Some(scope),
                Needs::Userinfo => Some(Scope::Openid),
            };
            if let Some(missing) = needed.filter(|needed| !granted.has(*needed)) {
                return Err(Code::InsufficientScope.with("scope", missing.as_str()));
            }
        }
        // All other endpoints name the user by the id of the account.
        let knows_no_id = bearer.scope.is_some() && !application.client.subject_type.is_public();
        if (application.login.consent || knows_no_id) && needs != Needs::Userinfo {
            return Err(Code::ThirdPartyToken.into());
        }
        Ok(Authenticated {
            application: application.clone(),
            user: session.account.clone(),
            subject: bearer.user.clone(),
            session: bearer.session.clone(),
            auth_time: session.auth_time(),
            is_device: session.is_lent(),
            origin,
            scope: granted,
            issued_at: bearer.issued_at,
            expires_at: bearer.expires_at,
        })
    }

    /// Returns the claims of a token if it is valid: issued by this instance, of one of `kinds`, not expired,
    /// and with an active session. This accepts id tokens as well, although they are not bearer tokens.
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
        let application = config.application_or(text("aud"), Code::NotLoggedIn)?;
        if !named.agrees_with(application) {
            return Err(Code::Disagreement.into());
        }
        let session = SessionId::parse(text("sid")).map_err(|_| Code::NotLoggedIn)?;
        self.living_session(&application.pool, &session).await?;
        Ok(claims)
    }

    pub(crate) async fn living_session(
        &self,
        pool: &PoolId,
        id: &SessionId,
    ) -> Result<Arc<Session>, Refusal> {
        let rules = self.config().settings(pool).session;
        let ends = |s: &Session| rules.end(s.auth_time(), s.last_used_at, s.expires_at);
        // A cached session that seems expired may have been extended since it was read.
        let believed = self.sessions.entries.get(id).filter(|session| ends(session) > self.now());
        let session = if let Some(session) = believed {
            session
        } else {
            let forgotten = self.sessions.forgotten.load(Ordering::SeqCst);
            // After the line above: a configuration that is replaced meanwhile invalidates what is read with it.
            let config = self.config();
            let listing = config.of_pool(pool).map(|pool| listing(pool.applications())).unwrap_or_default();
            let unit = GetAdmitted { pool: pool.clone(), session: id.clone(), listing };
            let session = Arc::new(self.read(unit).await?.ok_or(Code::NotLoggedIn)?);
            self.sessions.insert(id, session.clone(), forgotten);
            session
        };
        if ends(&session) <= self.now() || !session.user_is_active {
            return Err(Code::NotLoggedIn.into());
        }
        // Often enough that a session in use does not look idle.
        let every = self.limits.session_touch.min(rules.idle / 4);
        self.record_use(pool, id, &session, every).await;
        Ok(session)
    }

    /// Records from time to time that a session is in use, for the list shown to its owner. A failure does
    /// not fail the request.
    async fn record_use(&self, pool: &PoolId, id: &SessionId, session: &Session, every: Duration) {
        let now = self.now();
        if now < session.last_used_at.plus(every) {
            return;
        }
        let noted = Session { last_used_at: now, ..session.clone() };
        // Updates the cache first, so that concurrent requests do not record it again.
        let forgotten = self.sessions.forgotten.load(Ordering::SeqCst);
        self.sessions.insert(id, Arc::new(noted), forgotten);
        let unit = Touch { pool: pool.clone(), session: id.clone(), now };
        if let Err(refusal) = self.write(unit).await {
            tracing::debug!(error = hufu_types::chain(&refusal), "the use of a session is not noted");
        }
    }

    /// Issues a new user token of the same session, for the v2 clients.
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
        self.forget_session(session);
        Ok(())
    }

    /// Forgets sessions that were ended, and looks after the jobs that tell of it.
    pub(crate) fn forget_sessions(&self, ended: &[EndedSession]) {
        for ended in ended {
            self.forget_session(&ended.session);
        }
    }

    /// As [`App::forget_sessions`].
    pub(crate) fn forget_session(&self, session: &SessionId) {
        self.sessions.forget(session);
        self.jobs_waiting.notify_one();
    }
}
