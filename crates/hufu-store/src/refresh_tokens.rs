//! Refresh tokens: rotated at each use, revoked as a family when one is used twice
//! (RFC 9700 4.14.2).

use std::time::Duration;

use hufu_types::{ApplicationId, PoolId, ScopeSet, SessionId, Timestamp, TokenHash};

use crate::{Row, StoreError, Tx, Write, sessions, statements};

statements! {
    GET = "
        SELECT session_id, application_id, scope, expires_at, used_at, successor
        FROM refresh_tokens WHERE pool_id = $1 AND hash = $2";
    GET_LOCKED = "
        UPDATE refresh_tokens SET used_at = used_at WHERE pool_id = $1 AND hash = $2
        RETURNING session_id, application_id, scope, expires_at, used_at, successor";
    INSERT = "
        INSERT INTO refresh_tokens (pool_id, hash, session_id, application_id, scope, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    SUCCEED = "
        UPDATE refresh_tokens SET used_at = COALESCE(used_at, $3), successor = $4
        WHERE pool_id = $1 AND hash = $2";
    SUPERSEDE_UNUSED = "
        UPDATE refresh_tokens SET used_at = $3 WHERE pool_id = $1 AND hash = $2 AND used_at IS NULL";
    REVOKE_FAMILY = "DELETE FROM refresh_tokens WHERE pool_id = $1 AND session_id = $2";
    SWEEP = "DELETE FROM refresh_tokens WHERE expires_at < $1";
}

/// What is written of a refresh token.
#[derive(Clone, Debug)]
pub struct NewRefreshToken {
    /// Its hash.
    pub hash: TokenHash,
    /// What it may renew.
    pub scope: ScopeSet,
    /// When it ends.
    pub expires_at: Timestamp,
}

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
        let presented =
            tx.optional(GET_LOCKED, &[(&self.pool).into(), (&self.presented).into()], decode).await?;
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
                    let values = [(&self.pool).into(), successor.into(), self.now.into()];
                    tx.execute(SUPERSEDE_UNUSED, &values).await? == 1
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
        let values =
            [(&self.pool).into(), (&self.presented).into(), self.now.into(), (&self.successor).into()];
        tx.execute(SUCCEED, &values).await?;
        insert(tx, &self.pool, &token.session, &self.application, &successor, self.now).await?;
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
        let presented = tx.optional(GET, &[(&self.pool).into(), (&self.presented).into()], decode).await?;
        let Some(token) = presented.filter(|t| t.application == self.application) else { return Ok(None) };
        sessions::end(tx, &self.pool, &token.session).await?;
        Ok(Some(token.session))
    }
}

/// Keeps a new refresh token.
pub async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    session: &SessionId,
    application: &ApplicationId,
    new: &NewRefreshToken,
    now: Timestamp,
) -> Result<(), StoreError> {
    let scope = new.scope.to_string();
    let values = [
        pool.into(),
        (&new.hash).into(),
        session.into(),
        application.into(),
        (&scope).into(),
        now.into(),
        new.expires_at.into(),
    ];
    tx.execute(INSERT, &values).await.map(drop)
}

/// Forgets all refresh tokens of a session.
pub(crate) async fn revoke_family(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    session: &SessionId,
) -> Result<(), StoreError> {
    tx.execute(REVOKE_FAMILY, &[pool.into(), session.into()]).await.map(drop)
}

/// Forgets the tokens that ended before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

struct Stored {
    session: SessionId,
    application: ApplicationId,
    scope: ScopeSet,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
    successor: Option<Vec<u8>>,
}

fn decode(row: &Row<'_>) -> Result<Stored, StoreError> {
    Ok(Stored {
        session: SessionId::parse(&row.get::<String>(0)?)?,
        application: ApplicationId::parse(&row.get::<String>(1)?)?,
        scope: ScopeSet::parse(&row.get::<String>(2)?),
        expires_at: Timestamp(row.get(3)?),
        used_at: row.get::<Option<i64>>(4)?.map(Timestamp),
        successor: row.get(5)?,
    })
}
