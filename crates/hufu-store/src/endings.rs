//! The ends of sessions. Whatever ends one before its time ends it here: its refresh tokens go with it, and if its
//! application wants to be told (OpenID Connect Back-Channel Logout 1.0), a job that tells it is in the same transaction.
//!
//! Sessions are locked before their refresh tokens, in the order of all who lock both.

use std::collections::HashMap;

use hufu_types::{
    ApplicationId, BrowserSessionId, ConnectionId, JobId, PoolId, SessionId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use crate::jobs::{self, NewJob};
use crate::{Row, StoreError, Tx, administration, choices, config, flows, statements};

/// The kind of the jobs that tell an application. The payload is an [`EndedSession`] as JSON.
pub const LOGOUT_JOB: &str = "backchannel_logout";

statements! {
    LOCK = "UPDATE sessions SET expires_at = expires_at WHERE pool_id = $1 AND id = $2";
    DELETE_TOKENS = "DELETE FROM refresh_tokens WHERE pool_id = $1 AND session_id = $2";
    DELETE = "DELETE FROM sessions WHERE pool_id = $1 AND id = $2 RETURNING application_id, id, user_id";

    LIST_AT = "
        SELECT id FROM sessions
        WHERE pool_id = $1
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))
          AND application_id = $3
        ORDER BY id";

    // No session has an empty id, so an empty $3 keeps none.
    DELETE_BROWSERS_OF_ACCOUNT = "
        DELETE FROM browser_sessions
        WHERE pool_id = $1
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))
          AND id NOT IN (
              SELECT browser_session_id FROM sessions
              WHERE pool_id = $1 AND id = $3 AND browser_session_id IS NOT NULL)";
    LOCK_OF_ACCOUNT = "
        UPDATE sessions SET expires_at = expires_at
        WHERE pool_id = $1 AND id <> $3
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))";
    DELETE_TOKENS_OF_ACCOUNT = "
        DELETE FROM refresh_tokens
        WHERE pool_id = $1 AND session_id <> $3 AND session_id IN (
            SELECT s.id FROM sessions s JOIN users u ON u.pool_id = s.pool_id AND u.id = s.user_id
            WHERE s.pool_id = $1 AND (u.id = $2 OR u.merged_into = $2))";
    DELETE_OF_ACCOUNT = "
        DELETE FROM sessions
        WHERE pool_id = $1 AND id <> $3
          AND user_id IN (SELECT id FROM users WHERE pool_id = $1 AND (id = $2 OR merged_into = $2))
        RETURNING application_id, id, user_id";

    DELETE_BROWSER = "DELETE FROM browser_sessions WHERE pool_id = $1 AND id = $2 RETURNING user_id";
    LOCK_BENEATH = "
        UPDATE sessions SET expires_at = expires_at WHERE pool_id = $1 AND browser_session_id = $2";
    DELETE_TOKENS_BENEATH = "
        DELETE FROM refresh_tokens
        WHERE pool_id = $1 AND session_id IN (
            SELECT id FROM sessions WHERE pool_id = $1 AND browser_session_id = $2)";
    DELETE_BENEATH = "
        DELETE FROM sessions WHERE pool_id = $1 AND browser_session_id = $2
        RETURNING application_id, id, user_id";

    // No index leads from a connection or an application to its sessions, because every login would pay for it: these
    // read through the sessions of the pool.
    DELETE_TOKENS_OF_CONNECTION = "
        DELETE FROM refresh_tokens
        WHERE pool_id = $1 AND session_id IN (SELECT id FROM sessions WHERE pool_id = $1 AND connection_id = $2)";
    DELETE_OF_CONNECTION = "
        DELETE FROM sessions WHERE pool_id = $1 AND connection_id = $2
        RETURNING application_id, id, user_id";
    DELETE_TOKENS_OF_APPLICATION = "DELETE FROM refresh_tokens WHERE pool_id = $1 AND application_id = $2";
    DELETE_OF_APPLICATION = "DELETE FROM sessions WHERE pool_id = $1 AND application_id = $2";

    // Sessions without a browser session are those of other applications, and in no index.
    DELETE_TOKENS_OF_CLIENT = "
        DELETE FROM refresh_tokens
        WHERE pool_id = $1 AND session_id IN (
            SELECT id FROM sessions
            WHERE pool_id = $1 AND application_id = $2 AND browser_session_id IS NOT NULL)";
    DELETE_OF_CLIENT = "
        DELETE FROM sessions WHERE pool_id = $1 AND application_id = $2 AND browser_session_id IS NOT NULL";
}

/// A session of an application that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSession {
    /// The application.
    pub application: ApplicationId,
    /// The session.
    pub session: SessionId,
    /// The user; the `sub` of its tokens.
    pub user: UserId,
}

/// Ends a session. Returns it, unless it had ended before.
pub async fn one(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    session: &SessionId,
    now: Timestamp,
) -> Result<Option<EndedSession>, StoreError> {
    let values = [pool.into(), session.into()];
    tx.execute(LOCK, &values).await?;
    tx.execute(DELETE_TOKENS, &values).await?;
    let ended = tx.optional(DELETE, &values, decode).await?;
    tell(tx, pool, ended.as_slice(), now).await?;
    Ok(ended)
}

/// Ends the sessions of an account with one application.
pub async fn of_account_at(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    account: &UserId,
    application: &ApplicationId,
    now: Timestamp,
) -> Result<Vec<EndedSession>, StoreError> {
    let values = [pool.into(), account.into(), application.into()];
    let found = tx.all(LIST_AT, &values, |row| Ok(SessionId::parse(&row.get::<String>(0)?)?)).await?;
    let mut ended = Vec::new();
    for session in &found {
        ended.extend(one(tx, pool, session, now).await?);
    }
    Ok(ended)
}

/// Ends the sessions and browser sessions of an account and of those merged into it, except for `kept` and its browser
/// session. Also ends what waits for the account: logins, and the remembered choices that involve it; and the access keys of
/// an administrator's logins. Returns the ended sessions.
pub async fn of_account(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    account: &UserId,
    kept: Option<&SessionId>,
    now: Timestamp,
) -> Result<Vec<EndedSession>, StoreError> {
    flows::end_of_user(tx, pool, account).await?;
    choices::forget(tx, pool, account).await?;
    if *pool == PoolId::system() {
        administration::delete_access_keys_of(tx, account, kept).await?;
    }
    let kept = kept.map_or("", SessionId::as_str);
    let values = [pool.into(), account.into(), kept.into()];
    for statement in [DELETE_BROWSERS_OF_ACCOUNT, LOCK_OF_ACCOUNT, DELETE_TOKENS_OF_ACCOUNT] {
        tx.execute(statement, &values).await?;
    }
    let ended = tx.all(DELETE_OF_ACCOUNT, &values, decode).await?;
    tell(tx, pool, &ended, now).await?;
    Ok(ended)
}

/// Ends a browser session and the application sessions below it. Returns the user and the ended sessions; `None` if there
/// is no such browser session.
pub async fn of_browser(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    id: &BrowserSessionId,
    now: Timestamp,
) -> Result<Option<(UserId, Vec<EndedSession>)>, StoreError> {
    let values = [pool.into(), id.as_str().into()];
    // A unit that inserts a session below it locks this row first, or finds it gone.
    let user = tx.optional(DELETE_BROWSER, &values, |row| Ok(UserId::parse(&row.get::<String>(0)?)?)).await?;
    let Some(user) = user else { return Ok(None) };
    tx.execute(LOCK_BENEATH, &values).await?;
    tx.execute(DELETE_TOKENS_BENEATH, &values).await?;
    let ended = tx.all(DELETE_BENEATH, &values, decode).await?;
    tell(tx, pool, &ended, now).await?;
    Ok(Some((user, ended)))
}

/// Ends all sessions that began through a connection.
pub(crate) async fn of_connection(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    connection: &ConnectionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = [pool.into(), connection.into()];
    tx.execute(DELETE_TOKENS_OF_CONNECTION, &values).await?;
    let ended = tx.all(DELETE_OF_CONNECTION, &values, decode).await?;
    tell(tx, pool, &ended, now).await
}

/// Ends all sessions of an application that is removed: there is nobody to tell.
pub(crate) async fn of_application(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
) -> Result<(), StoreError> {
    let values = [pool.into(), application.into()];
    tx.execute(DELETE_TOKENS_OF_APPLICATION, &values).await?;
    tx.execute(DELETE_OF_APPLICATION, &values).await.map(drop)
}

/// Ends all sessions of a client that registered itself and is removed: they began in browsers, and there is nobody to
/// tell. Their codes open nothing any more.
pub async fn of_client(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
) -> Result<(), StoreError> {
    let values = [pool.into(), application.into()];
    tx.execute(DELETE_TOKENS_OF_CLIENT, &values).await?;
    tx.execute(DELETE_OF_CLIENT, &values).await.map(drop)
}

/// Puts the jobs into the queue that tell of these ends.
async fn tell(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    ended: &[EndedSession],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut wants = HashMap::new();
    for ended in ended {
        let wants_it = if let Some(known) = wants.get(&ended.application) {
            *known
        } else {
            let stored = config::client_settings(tx, pool, &ended.application).await?;
            let wants_it = stored.is_some_and(|client| client.backchannel_logout_uri.is_some());
            wants.insert(&ended.application, wants_it);
            wants_it
        };
        if wants_it {
            // A session ends once, so its id is good for the job as well.
            let id = JobId::parse(ended.session.as_str())?;
            let payload = serde_json::to_vec(ended)?;
            let job = NewJob { id, kind: LOGOUT_JOB, pool: pool.clone(), payload, run_at: now };
            jobs::enqueue(tx, &job).await?;
        }
    }
    Ok(())
}

fn decode(row: &Row<'_>) -> Result<EndedSession, StoreError> {
    Ok(EndedSession {
        application: ApplicationId::parse(&row.get::<String>(0)?)?,
        session: SessionId::parse(&row.get::<String>(1)?)?,
        user: UserId::parse(&row.get::<String>(2)?)?,
    })
}
