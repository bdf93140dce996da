//! Units of work for refresh tokens and for revoking tokens. Refresh tokens are rotated at each use. Reusing one
//! revokes its whole family (RFC 9700 section 4.14.2).

use std::time::Duration;

use hufu_store::refresh_tokens::{self, NewRefreshToken, RefreshToken};
use hufu_store::{StoreError, Tx, Write, sessions};
use hufu_types::{
    Action, ApplicationId, PoolId, ScopeSet, SessionId, SessionRules, Timestamp, TokenAuth, TokenHash,
};
use serde_json::json;

use super::sessions::end;
use crate::authorization::resources::are_granted;
use crate::events::{Event, Trace};

/// Exchanges a refresh token for a new one.
pub struct Rotate {
    /// The pool.
    pub pool: PoolId,
    /// The application that presents the token.
    pub application: ApplicationId,
    /// How the application authenticated, if it did.
    pub client_auth: Option<TokenAuth>,
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
        /// The scope of the tokens.
        scope: ScopeSet,
        /// The resources that the token was granted for.
        resources: Vec<String>,
    },
    /// The request names a resource that the token was not granted for. The token can still be used.
    NotGranted,
    /// The application has no such token, it has expired, or its session has ended.
    Unknown,
    /// It was already used. Its whole family is revoked, and the session has ended.
    Reused(SessionId),
}

impl Write for Rotate {
    type Out = Rotation;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Rotation, StoreError> {
        let now = self.trace.at;
        // The session before its tokens, in the order of all who lock both.
        let Some(seen) = refresh_tokens::get(tx, &self.pool, &self.presented).await? else {
            return Ok(Rotation::Unknown);
        };
        if !sessions::lock(tx, &self.pool, &seen.session).await? {
            return Ok(Rotation::Unknown);
        }
        // If two nodes get the same token, the second waits here, and then sees what the first has done.
        let presented = refresh_tokens::get_locked(tx, &self.pool, &self.presented).await?;
        // Whoever authenticated to get a token authenticates to use it. Clients of the published SDKs do not.
        let is_its_client = |t: &RefreshToken| {
            t.application == self.application
                && (t.client_auth.is_none() || t.client_auth == self.client_auth)
        };
        let Some(token) = presented.filter(|t| is_its_client(t) && t.expires_at > now) else {
            return Ok(Rotation::Unknown);
        };
        let Some(details) = sessions::get(tx, &self.pool, &token.session).await? else {
            return Ok(Rotation::Unknown);
        };
        let ends = self.rules.end(details.auth_time(), details.last_used_at, details.expires_at);
        if !details.user_is_active || ends <= now {
            return Ok(Rotation::Unknown);
        }
        // A token that comes back too late ends its session, whatever the request asks for.
        let may_come_back = token.used_at.is_none_or(|used_at| now <= used_at.plus(self.grace));
        if may_come_back && !are_granted(&self.resources, &token.resources) {
            return Ok(Rotation::NotGranted);
        }
        let mut events = self.trace.recorder();
        let shown = json!({ "session": token.session.as_str() });
        if let Some(used_at) = token.used_at {
            // Phones lose answers. The client may retry as long as the new token is unused.
            let fresh = now <= used_at.plus(self.grace);
            let replaced = match (&token.successor, fresh) {
                (Some(successor), true) => {
                    // The replaced token has no successor. If it is presented later, it is not by the client
                    // that retried.
                    refresh_tokens::supersede_unused(tx, &self.pool, successor, now).await?
                }
                _ => false,
            };
            if !replaced {
                sessions::end(tx, &self.pool, &token.session).await?;
                let event = Event::of(Action::TokenReused, &details.account).with(shown);
                events.record(tx, &self.pool, event).await?;
                return Ok(Rotation::Reused(token.session));
            }
        }
        // No token outlives the session.
        let expires_at = self.expires_at.min(self.rules.latest_end(details.auth_time()));
        let successor = NewRefreshToken {
            hash: self.successor.clone(),
            scope: token.scope.clone(),
            expires_at,
            client_auth: token.client_auth,
            resources: token.resources.clone(),
        };
        let pool = &self.pool;
        refresh_tokens::set_successor(tx, pool, &self.presented, &self.successor, now).await?;
        refresh_tokens::insert(tx, pool, &token.session, &self.application, &successor, now).await?;
        sessions::extend(tx, pool, &token.session, expires_at).await?;
        sessions::touch(tx, pool, &token.session, now).await?;
        events.record(tx, pool, Event::of(Action::TokenRefreshed, &details.account).with(shown)).await?;
        let RefreshToken { session, scope, resources, .. } = token;
        Ok(Rotation::Rotated { session, details, scope, resources })
    }
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
