//! Units of work for refresh tokens. They are rotated at each use. Reusing one revokes its whole family
//! (RFC 9700 section 4.14.2).

use std::time::Duration;

use hufu_store::refresh_tokens::{self, NewRefreshToken};
use hufu_store::{StoreError, Tx, Write, sessions};
use hufu_types::{ApplicationId, PoolId, ScopeSet, SessionId, Timestamp, TokenHash};

/// Exchanges a refresh token for a new one.
pub struct Rotate {
    /// The pool.
    pub pool: PoolId,
    /// The application that presents the token.
    pub application: ApplicationId,
    /// The presented token.
    pub presented: TokenHash,
    /// The hash of the new token.
    pub successor: TokenHash,
    /// When the new token expires.
    pub expires_at: Timestamp,
    /// How long a used token may be presented again while the new token is unused.
    pub grace: Duration,
    /// The current time.
    pub now: Timestamp,
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
    },
    /// The application has no such token, it has expired, or its session has ended.
    Unknown,
    /// It was already used. Its whole family is revoked, and the session has ended.
    Reused(SessionId),
}

impl Write for Rotate {
    type Out = Rotation;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Rotation, StoreError> {
        // If two nodes get the same token, the second waits here, and then sees what the first has done.
        let presented = refresh_tokens::get_locked(tx, &self.pool, &self.presented).await?;
        let Some(token) = presented.filter(|t| t.application == self.application && t.expires_at > self.now)
        else {
            return Ok(Rotation::Unknown);
        };
        let Some(details) = sessions::get(tx, &self.pool, &token.session).await? else {
            return Ok(Rotation::Unknown);
        };
        if !details.user_is_active || details.expires_at <= self.now {
            return Ok(Rotation::Unknown);
        }
        if let Some(used_at) = token.used_at {
            // Phones lose answers. The client may retry as long as the new token is unused.
            let fresh = self.now <= used_at.plus(self.grace);
            let replaced = match (&token.successor, fresh) {
                (Some(successor), true) => {
                    // The replaced token has no successor. If it is presented later, it is not by the client
                    // that retried.
                    refresh_tokens::supersede_unused(tx, &self.pool, successor, self.now).await?
                }
                _ => false,
            };
            if !replaced {
                sessions::end(tx, &self.pool, &token.session).await?;
                return Ok(Rotation::Reused(token.session));
            }
        }
        let successor =
            NewRefreshToken { hash: self.successor.clone(), scope: token.scope, expires_at: self.expires_at };
        let (pool, now) = (&self.pool, self.now);
        refresh_tokens::set_successor(tx, pool, &self.presented, &self.successor, now).await?;
        refresh_tokens::insert(tx, pool, &token.session, &self.application, &successor, now).await?;
        sessions::extend(tx, &self.pool, &token.session, self.expires_at).await?;
        sessions::touch(tx, &self.pool, &token.session, self.now).await?;
        Ok(Rotation::Rotated { session: token.session, details, scope: token.scope })
    }
}

/// Ends the session that a refresh token belongs to (RFC 7009).
pub struct RevokeByToken {
    /// The pool.
    pub pool: PoolId,
    /// The application that requests it.
    pub application: ApplicationId,
    /// The token.
    pub presented: TokenHash,
}

impl Write for RevokeByToken {
    /// The session that ended, if the token was known.
    type Out = Option<SessionId>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<SessionId>, StoreError> {
        let presented = refresh_tokens::get(tx, &self.pool, &self.presented).await?;
        let Some(token) = presented.filter(|t| t.application == self.application) else { return Ok(None) };
        sessions::end(tx, &self.pool, &token.session).await?;
        Ok(Some(token.session))
    }
}
