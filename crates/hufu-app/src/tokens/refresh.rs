//! Units of work for refresh tokens and for revoking tokens. Refresh tokens are rotated at each use. Reusing one
//! revokes its whole family (RFC 9700 section 4.14.2).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use hufu_store::refresh_tokens::{self, NewRefreshToken, RefreshToken};
use hufu_store::{StoreError, Tx, Write, sessions, users};
use hufu_types::refusal::Code;
use hufu_types::{
    Action, ApplicationId, PoolId, ScopeSet, SessionId, SessionRules, Thumbprint, Timestamp, TokenAuth,
    TokenHash, User,
};
use serde_json::json;

use super::sessions::end;
use crate::authorization::dpop::renewing_key;
use crate::authorization::resources::are_granted;
use crate::events::{Event, Trace};
use crate::login::Admission;

/// Exchanges a refresh token for a new one.
pub struct Rotate {
    /// The pool.
    pub pool: PoolId,
    /// The application that presents the token.
    pub application: ApplicationId,
    /// How the application authenticated, if it did.
    pub client_auth: Option<TokenAuth>,
    /// The key whose proof the request brought.
    pub key: Option<Thumbprint>,
    /// The presented token.
    pub presented: TokenHash,
    /// The resources of the token request.
    pub resources: Vec<String>,
    /// The hash of the new token.
    pub successor: TokenHash,
    /// When the new token expires.
    pub expires_at: Timestamp,
    /// How long a used token may be presented again while the new token is unused.
    pub grace: Duration,
    /// How long sessions live.
    pub rules: SessionRules,
    /// Whom the application lets log in.
    pub admission: Admission,
    /// Where the request comes from, and when.
    pub trace: Trace,
}

/// The outcome of a rotation.
#[derive(Debug)]
pub enum Rotation {
    /// The new token is valid.
    Rotated {
        /// The id of the session.
        session: SessionId,
        /// The session itself.
        details: sessions::Session,
        /// Its account.
        account: Box<User>,
        /// The scope of the tokens.
        scope: ScopeSet,
        /// The resources that the token was granted for.
        resources: Vec<String>,
    },
    /// The request names a resource that the token was not granted for. The token can still be used.
    NotGranted,
    /// The application has no such token, it has expired, or its session has ended.
    Unknown,
    /// The application lets only those log in whom it lists, and does not list the account any more: its session has
    /// ended.
    NotListed(SessionId),
    /// It was already used. Its whole family is revoked, and the session has ended.
    Reused(SessionId),
}

impl Write for Rotate {
    type Out = Rotation;

    /// Two that present one token never share a transaction: the second has to see that it was used.
    fn group(&self) -> Option<u64> {
        let may_share = self.trace.subscribers.is_empty() && !self.admission.asks();
        may_share.then(|| group_key(&self.pool, self.presented.as_bytes()))
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Rotation, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let token = refresh_tokens::get(tx, pool, &self.presented).await?;
        let Some(token) = token.filter(|token| self.may_present(token)) else {
            return Ok(Rotation::Unknown);
        };
        let Some(details) = sessions::get(tx, pool, &token.session).await? else {
            return Ok(Rotation::Unknown);
        };
        let ends = self.rules.end(details.auth_time(), details.last_used_at, details.expires_at);
        if !details.user_is_active || ends <= now {
            return Ok(Rotation::Unknown);
        }
        let Some(account) = users::get(tx, pool, &details.account).await? else {
            return Ok(Rotation::Unknown);
        };
        if !self.admission.admits(tx, pool, &account.id).await? {
            sessions::end(tx, pool, &token.session).await?;
            let code = Code::NotListed.number();
            let event = Event { code, ..Event::of(Action::TokenRefreshed, &account.id) };
            let event = event.with(json!({ "session": token.session.as_str() }));
            self.trace.recorder().record(tx, pool, event).await?;
            return Ok(Rotation::NotListed(token.session));
        }
        // A token that comes back too late ends its session, whatever the request asks for.
        let may_come_back = token.used_at.is_none_or(|used_at| now <= used_at.plus(self.grace));
        if may_come_back && !are_granted(&self.resources, &token.resources) {
            return Ok(Rotation::NotGranted);
        }
        // No token outlives the session.
        let expires_at = self.expires_at.min(self.rules.latest_end(details.auth_time()));
        // Who ended the session since has taken the token along.
        if !sessions::prolong(tx, pool, &token.session, now, expires_at).await? {
            return Err(StoreError::LostRace);
        }
        let mut events = self.trace.recorder();
        let shown = json!({ "session": token.session.as_str() });
        // If two nodes get the same token, the second waits here, and then sees what the first has done.
        let is_first =
            refresh_tokens::succeed_unused(tx, pool, &self.presented, &self.successor, now).await?;
        if !is_first && !self.present_again(tx).await? {
            sessions::end(tx, pool, &token.session).await?;
            let event = Event::of(Action::TokenReused, &details.account).with(shown);
            events.record(tx, pool, event).await?;
            return Ok(Rotation::Reused(token.session));
        }
        let successor = NewRefreshToken {
            hash: self.successor.clone(),
            scope: token.scope.clone(),
            expires_at,
            client_auth: token.client_auth,
            // The key that it has, or the one that it gets now.
            key: renewing_key(token.client_auth, self.key.as_ref()),
            resources: token.resources.clone(),
        };
        refresh_tokens::insert(tx, pool, &token.session, &self.application, &successor, now).await?;
        events.record(tx, pool, Event::of(Action::TokenRefreshed, &details.account).with(shown)).await?;
        let account = Box::new(account);
        let RefreshToken { session, scope, resources, .. } = token;
        Ok(Rotation::Rotated { session, details, account, scope, resources })
    }
}

impl Rotate {
    /// Whether the token is valid in the hands of whoever presents it. Who authenticated to get a token authenticates to
    /// use it. Clients of the published SDKs do not.
    fn may_present(&self, token: &RefreshToken) -> bool {
        token.application == self.application
            && (token.client_auth.is_none() || token.client_auth == self.client_auth)
            && (token.key.is_none() || token.key == self.key)
            && token.expires_at > self.trace.at
    }

    /// Presents a token that was used before. Phones lose answers: the client may retry as long as the new token is unused.
    /// Returns whether it may.
    async fn present_again(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let (pool, now) = (&self.pool, self.trace.at);
        let Some(token) = refresh_tokens::get(tx, pool, &self.presented).await? else {
            return Err(StoreError::LostRace);
        };
        let is_fresh = token.used_at.is_some_and(|used_at| now <= used_at.plus(self.grace));
        let Some(successor) = token.successor.filter(|_| is_fresh) else { return Ok(false) };
        // The replaced token has no successor. If it is presented later, it is not by the client that retried.
        if !refresh_tokens::supersede_unused(tx, pool, &successor, now).await? {
            return Ok(false);
        }
        refresh_tokens::set_successor(tx, pool, &self.presented, &self.successor, now).await?;
        Ok(true)
    }
}

/// What a unit that uses a token or a code up is about, see [`Write::group`].
pub(crate) fn group_key(pool: &PoolId, about: &[u8]) -> u64 {
    let mut key = DefaultHasher::new();
    (pool.as_str(), about).hash(&mut key);
    key.finish()
}

/// Adds a refresh token to a session that has begun.
pub(crate) struct AddRefreshToken {
    pub(crate) pool: PoolId,
    pub(crate) session: SessionId,
    pub(crate) application: ApplicationId,
    pub(crate) new: NewRefreshToken,
    pub(crate) now: Timestamp,
}

impl Write for AddRefreshToken {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Self { pool, session, application, new, now } = self;
        refresh_tokens::insert(tx, pool, session, application, new, *now).await
    }
}

/// A token that an application revokes.
#[derive(Clone, Debug)]
pub enum RevokedToken {
    /// An access token or a user token of this session.
    OfSession(SessionId),
    /// A refresh token.
    Refresh(TokenHash),
}

/// Ends the session that a token belongs to (RFC 7009).
pub struct RevokeToken {
    /// The pool.
    pub pool: PoolId,
    /// The application that requests it.
    pub application: ApplicationId,
    /// The token.
    pub token: RevokedToken,
    /// Where the request comes from, and when.
    pub trace: Trace,
}

impl Write for RevokeToken {
    /// The session that ended, if the token was known.
    type Out = Option<SessionId>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<SessionId>, StoreError> {
        let (session, kind) = match &self.token {
            RevokedToken::OfSession(session) => (session.clone(), "access"),
            RevokedToken::Refresh(presented) => {
                let presented = refresh_tokens::get(tx, &self.pool, presented).await?;
                let Some(token) = presented.filter(|t| t.application == self.application) else {
                    return Ok(None);
                };
                (token.session, "refresh")
            }
        };
        let mut events = self.trace.recorder();
        let Some(account) = end(tx, &mut events, &self.pool, &session).await? else { return Ok(None) };
        let details = json!({ "session": session.as_str(), "token": kind });
        let event = Event::of(Action::TokenRevoked, &account).with(details);
        events.record(tx, &self.pool, event).await?;
        Ok(Some(session))
    }
}
