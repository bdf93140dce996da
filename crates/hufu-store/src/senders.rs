//! Settings for sending messages: a pool's e-mail and SMS senders, and its message templates. All of them are
//! sealed, because they contain secrets.

use hufu_types::{PoolId, Timestamp};

use crate::config::Revised;
use crate::{Read, Row, StoreError, Tx, statements};

statements! {
    OF_POOL = "SELECT pool_id, channel, sealed FROM senders WHERE pool_id = $1 ORDER BY channel";
    GET = "SELECT pool_id, channel, sealed, revision FROM senders WHERE pool_id = $1 AND channel = $2";
    PUT = "
        INSERT INTO senders (pool_id, channel, sealed, updated_at, revision)
        VALUES ($1, $2, $3, $4, (SELECT version FROM config_version))
        ON CONFLICT (pool_id, channel) DO UPDATE
        SET sealed = excluded.sealed, updated_at = excluded.updated_at, revision = senders.revision + 1";
    DELETE = "DELETE FROM senders WHERE pool_id = $1 AND channel = $2";
}

/// What a setting configures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenderKind {
    /// Sending e-mail.
    Email,
    /// Sending SMS.
    Sms,
    /// The texts of messages.
    Templates,
}

impl SenderKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Email, Self::Sms, Self::Templates];

    /// The name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Templates => "templates",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A setting as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSender {
    /// The pool.
    pub pool: PoolId,
    /// What it configures.
    pub kind: SenderKind,
    /// JSON, sealed.
    pub sealed: Vec<u8>,
}

/// Reads the settings of a pool.
#[derive(Clone, Debug)]
pub struct ReadSenders(pub PoolId);

impl Read for ReadSenders {
    type Out = Vec<StoredSender>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        of_pool(tx, &self.0).await
    }
}

/// The settings of a pool.
pub async fn of_pool(tx: &mut Tx<'_>, pool: &PoolId) -> Result<Vec<StoredSender>, StoreError> {
    tx.all(OF_POOL, &[pool.into()], decode).await
}

/// One setting of a pool.
pub async fn get(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    kind: SenderKind,
) -> Result<Option<Revised<StoredSender>>, StoreError> {
    let values = [pool.into(), kind.as_str().into()];
    let found = tx.optional(GET, &values, |row| Ok(Revised { revision: row.get(3)?, value: decode(row)? }));
    found.await
}

/// Writes a setting of a pool. A new setting starts at the current configuration version as its revision, so
/// that it never repeats a revision of a setting that was deleted.
pub async fn put(tx: &mut Tx<'_>, setting: &StoredSender, now: Timestamp) -> Result<(), StoreError> {
    let StoredSender { pool, kind, sealed } = setting;
    let values = [pool.into(), kind.as_str().into(), sealed.into(), now.into()];
    tx.execute(PUT, &values).await.map(drop)
}

/// Deletes a setting of a pool. Returns whether it existed.
pub async fn delete(tx: &mut Tx<'_>, pool: &PoolId, kind: SenderKind) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, &[pool.into(), kind.as_str().into()]).await? == 1)
}

fn decode(row: &Row<'_>) -> Result<StoredSender, StoreError> {
    Ok(StoredSender {
        pool: crate::config::pool_id(row, 0)?,
        kind: SenderKind::parse(&row.get::<String>(1)?).ok_or(StoreError::Corrupt { column: "channel" })?,
        sealed: row.get(2)?,
    })
}
