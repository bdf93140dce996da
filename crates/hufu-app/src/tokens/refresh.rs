//! The units of refresh tokens: rotated at each use, revoked as a family when one is used twice (RFC 9700 4.14.2).

use std::time::Duration;

use hufu_store::refresh_tokens::{self, NewRefreshToken};
use hufu_store::{StoreError, Tx, Write, sessions};
use hufu_types::{ApplicationId, PoolId, ScopeSet, SessionId, Timestamp, TokenHash};

/// Exchanges a refresh token for its successor.
pub struct Rotate {
    /// The pool.
    pub pool: PoolId,
    /// The application that presents it.
    pub application: ApplicationId,
    /// The presented token.
    pub presented: TokenHash,
    /// The hash of the successor.
    pub successor: TokenHash,
    /// When the successor ends.
    pub expires_at: Timestamp,
    /// How long a used token may be presented again while its successor is unused.
    pub grace: Duration,
    /// Now.
    pub now: Timestamp,
}

/// What became of a rotation.
#[derive(Debug)]
pub enum Rotation {
    /// The successor stands.
    Rotated {
        /// The session that goes on.
        session: SessionId,
        /// The session itself.
        details: sessions::Session,
        /// What the tokens may be used for.
        scope: ScopeSet,
    },
    /// No such token of this application, expired, or its session is over.
    Unknown,
    /// It was used before: its whole family is revoked and the session ended.
    Reused(SessionId),
}

impl Write for Rotate {
    type Out = Rotation;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Rotation, StoreError> {
        // Of two nodes that are given one token the second waits here, and sees what the first did.
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
            // Phones lose answers: while nobody used the successor, the same client may ask again.
            let fresh = self.now <= used_at.plus(self.grace);
            let replaced = match (&token.successor, fresh) {
                (Some(successor), true) => {
                    // It has no successor of its own: whoever presents it now is not who asked again.
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
    /// The application that asks.
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
