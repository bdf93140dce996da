//! Tickets: logins by QR code. Calls name them by what only one side of the login knows, and name no pool; so the rows are
//! found in the whole instance, and say whose they are.
//!
//! Whoever changes a ticket takes the next number of its shard, in the same transaction. So nodes learn of all changes by
//! asking for what is above the highest number that they know: none appears below it later.

use hufu_types::{ApplicationId, ConnectionId, PoolId, TicketKind, TicketState, Timestamp, TokenHash};
use hufu_types::{SessionId, UserId};

use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    // A short code that is alive is not given out again: no row is the answer.
    INSERT = "
        INSERT INTO qr_tickets
            (pool_id, hash, scene, short_code, kind, application_id, connection_id, state, cookie, details,
             shard, change_number, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13)
        ON CONFLICT (short_code) DO NOTHING";
    GET = "
        SELECT pool_id, hash, scene, kind, application_id, connection_id, state, cookie, details, proof, shown, user_id,
               session_id, failure, expires_at
        FROM qr_tickets WHERE hash = $1";
    GET_BY_SCENE = "
        SELECT pool_id, hash, scene, kind, application_id, connection_id, state, cookie, details, proof, shown, user_id,
               session_id, failure, expires_at
        FROM qr_tickets WHERE scene = $1";
    GET_BY_SHORT_CODE = "
        SELECT pool_id, hash, scene, kind, application_id, connection_id, state, cookie, details, proof, shown, user_id,
               session_id, failure, expires_at
        FROM qr_tickets WHERE short_code = $1 AND expires_at > $2";
    LOCK = "
        UPDATE qr_tickets SET state = state WHERE hash = $1
        RETURNING pool_id, hash, scene, kind, application_id, connection_id, state, cookie, details, proof, shown,
                  user_id, session_id, failure, expires_at";
    // A short code is good for one follower.
    SET = "
        UPDATE qr_tickets
        SET state = $3, proof = $4, shown = $5, user_id = $6, session_id = $7, failure = $8, expires_at = $9,
            change_number = $10, short_code = CASE WHEN $11 THEN short_code ELSE NULL END
        WHERE pool_id = $1 AND hash = $2";
    NEXT_CHANGE = "UPDATE qr_changes SET number = number + 1 WHERE shard = $1 RETURNING number";
    CHANGES = "SELECT shard, number FROM qr_changes";
    CHANGED = "
        SELECT hash, state, shown, failure, expires_at FROM qr_tickets WHERE shard = $1 AND change_number > $2";
    SWEEP = "DELETE FROM qr_tickets WHERE expires_at < $1";
}

/// How many shards there are. Changes within one wait for one another.
pub const SHARDS: u8 = 16;

/// The shard of a ticket.
fn shard_of(hash: &TokenHash) -> i64 {
    hash.as_bytes().first().map_or(0, |byte| i64::from(byte % SHARDS))
}

/// A ticket to insert. `Debug` does not show what is sealed.
#[derive(Clone)]
pub struct NewTicket {
    /// The hash of what the browser logs in with.
    pub hash: TokenHash,
    /// What stands in the picture, if there is one.
    pub scene: Option<String>,
    /// The keyed hash of the code for followers who cannot scan, if there is one.
    pub short_code: Option<TokenHash>,
    /// Who scans it.
    pub kind: TicketKind,
    /// The application to log in to.
    pub application: ApplicationId,
    /// The connection.
    pub connection: Option<ConnectionId>,
    /// The hash of the browser's cookie, if a hosted page asked.
    pub cookie: Option<TokenHash>,
    /// What the browser sent along, sealed.
    pub details: Vec<u8>,
    /// The current time.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for NewTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewTicket").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A ticket as stored. `Debug` does not show what is sealed.
#[derive(Clone)]
pub struct Ticket {
    /// The pool.
    pub pool: PoolId,
    /// The hash of what the browser logs in with.
    pub hash: TokenHash,
    /// What stands in the picture.
    pub scene: Option<String>,
    /// Who scans it.
    pub kind: TicketKind,
    /// The application to log in to.
    pub application: ApplicationId,
    /// The connection.
    pub connection: Option<ConnectionId>,
    /// The hash of the browser's cookie, if a hosted page asked.
    pub cookie: Option<Vec<u8>>,
    /// What the browser sent along, sealed.
    pub details: Vec<u8>,
    /// What can change.
    pub progress: Progress,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Ticket");
        shown.field("kind", &self.kind).field("state", &self.progress.state).finish_non_exhaustive()
    }
}

/// How far a ticket has come.
#[derive(Clone)]
pub struct Progress {
    /// What became of it.
    pub state: TicketState,
    /// What the phone proved, sealed.
    pub proof: Option<Vec<u8>>,
    /// Name and picture of whoever scanned it, sealed.
    pub shown: Option<Vec<u8>>,
    /// Who scanned it in the pool's own app.
    pub user: Option<UserId>,
    /// Their session there.
    pub session: Option<SessionId>,
    /// The number of the refusal, if it failed.
    pub failure: Option<i64>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// What nodes learn of a ticket that changed.
#[derive(Clone)]
pub struct ChangedTicket {
    /// The hash of what the browser logs in with.
    pub hash: TokenHash,
    /// What became of it.
    pub state: TicketState,
    /// Name and picture of whoever scanned it, sealed.
    pub shown: Option<Vec<u8>>,
    /// The number of the refusal, if it failed.
    pub failure: Option<i64>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Inserts a ticket. Returns whether its short code was free.
pub async fn insert(tx: &mut Tx<'_>, pool: &PoolId, new: &NewTicket) -> Result<bool, StoreError> {
    let values = [
        pool.into(),
        (&new.hash).into(),
        (&new.scene).into(),
        new.short_code.as_ref().map(TokenHash::as_bytes).into(),
        new.kind.as_str().into(),
        (&new.application).into(),
        new.connection.as_ref().map(ConnectionId::as_str).into(),
        TicketState::Created.as_str().into(),
        new.cookie.as_ref().map(TokenHash::as_bytes).into(),
        (&new.details).into(),
        shard_of(&new.hash).into(),
        new.created_at.into(),
        new.expires_at.into(),
    ];
    Ok(tx.execute(INSERT, &values).await? > 0)
}

/// Reads the ticket that a browser asks about.
#[derive(Clone, Debug)]
pub struct GetTicket(pub TokenHash);

impl Read for GetTicket {
    type Out = Option<Ticket>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        tx.optional(GET, &[(&self.0).into()], decode).await
    }
}

/// Reads the ticket of a scene.
#[derive(Clone, Debug)]
pub struct GetTicketByScene(pub String);

impl Read for GetTicketByScene {
    type Out = Option<Ticket>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        tx.optional(GET_BY_SCENE, &[(&self.0).into()], decode).await
    }
}

/// Reads a ticket and locks it until the unit ends.
pub async fn get_locked(tx: &mut Tx<'_>, hash: &TokenHash) -> Result<Option<Ticket>, StoreError> {
    tx.optional(LOCK, &[hash.into()], decode).await
}

/// The ticket of a short code that has not expired.
pub async fn by_short_code(
    tx: &mut Tx<'_>,
    code: &TokenHash,
    now: Timestamp,
) -> Result<Option<Ticket>, StoreError> {
    tx.optional(GET_BY_SHORT_CODE, &[code.into(), now.into()], decode).await
}

/// Stores how far a locked ticket has come, and makes all nodes read it.
pub async fn set(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    hash: &TokenHash,
    progress: &Progress,
) -> Result<(), StoreError> {
    let number = tx.optional(NEXT_CHANGE, &[shard_of(hash).into()], |row| row.get::<i64>(0)).await?;
    let number = number.ok_or(StoreError::Corrupt { column: "qr_changes" })?;
    let values = [
        pool.into(),
        hash.into(),
        progress.state.as_str().into(),
        progress.proof.as_deref().into(),
        progress.shown.as_deref().into(),
        progress.user.as_ref().map(UserId::as_str).into(),
        progress.session.as_ref().map(SessionId::as_str).into(),
        progress.failure.into(),
        progress.expires_at.into(),
        number.into(),
        (!progress.state.is_final()).into(),
    ];
    tx.execute(SET, &values).await.map(drop)
}

/// Reads what changed since a node last asked.
#[derive(Clone, Debug)]
pub struct ReadChanges {
    /// The highest number that it knows of each shard. Of a shard that is not there it learns the number only.
    pub known: Vec<(i64, i64)>,
}

impl Read for ReadChanges {
    /// The tickets that changed, and the highest number of each shard.
    type Out = (Vec<ChangedTicket>, Vec<(i64, i64)>);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let numbers: Vec<(i64, i64)> = tx.all(CHANGES, &[], |row| Ok((row.get(0)?, row.get(1)?))).await?;
        let mut changed = Vec::new();
        for (shard, number) in &numbers {
            let known = self.known.iter().find(|(known, _)| known == shard).map(|(_, number)| *number);
            if let Some(known) = known.filter(|known| known < number) {
                changed.extend(tx.all(CHANGED, &[(*shard).into(), known.into()], decode_changed).await?);
            }
        }
        Ok((changed, numbers))
    }
}

/// Deletes the tickets that expired before `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

/// Nothing comes of a state that is not understood: a later release wrote it.
fn state_of(text: &str) -> TicketState {
    TicketState::parse(text).unwrap_or(TicketState::Consumed)
}

fn hash_of(bytes: &[u8]) -> Result<TokenHash, StoreError> {
    Ok(TokenHash(bytes.try_into().map_err(|_| StoreError::Corrupt { column: "qr_tickets.hash" })?))
}

fn decode_changed(row: &Row<'_>) -> Result<ChangedTicket, StoreError> {
    Ok(ChangedTicket {
        hash: hash_of(&row.get::<Vec<u8>>(0)?)?,
        state: state_of(&row.get::<String>(1)?),
        shown: row.get(2)?,
        failure: row.get(3)?,
        expires_at: Timestamp(row.get(4)?),
    })
}

fn decode(row: &Row<'_>) -> Result<Ticket, StoreError> {
    let kind = row.get::<String>(3)?;
    let (user, session) = (row.get::<Option<String>>(11)?, row.get::<Option<String>>(12)?);
    Ok(Ticket {
        pool: PoolId::parse(&row.get::<String>(0)?)?,
        hash: hash_of(&row.get::<Vec<u8>>(1)?)?,
        scene: row.get(2)?,
        kind: TicketKind::parse(&kind).ok_or(StoreError::Corrupt { column: "qr_tickets.kind" })?,
        application: ApplicationId::parse(&row.get::<String>(4)?)?,
        connection: row.get::<Option<String>>(5)?.map(|id| ConnectionId::parse(&id)).transpose()?,
        cookie: row.get(7)?,
        details: row.get(8)?,
        progress: Progress {
            state: state_of(&row.get::<String>(6)?),
            proof: row.get(9)?,
            shown: row.get(10)?,
            user: user.map(|id| UserId::parse(&id)).transpose()?,
            session: session.map(|id| SessionId::parse(&id)).transpose()?,
            failure: row.get(13)?,
            expires_at: Timestamp(row.get(14)?),
        },
    })
}
