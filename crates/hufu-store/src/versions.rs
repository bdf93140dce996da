//! The counters by which nodes learn that something changed. Each rises in the unit of the change, so that who sees it
//! sees the change as well; a node reads them all with one small row, often.
//!
//! What changes often does not make nodes read again what changes rarely: the configuration has a counter of its own
//! and says which pools changed; signing keys have one; ended sessions have one.

use hufu_types::PoolId;

use crate::{Read, StoreError, Tx, statements};

statements! {
    GET = "
        SELECT version, marked,
               (SELECT version FROM versions WHERE name = 'keys'),
               (SELECT version FROM versions WHERE name = 'sessions')
        FROM config_version";
    LOCK_CONFIGURATION = "UPDATE config_version SET version = version";
    RAISE_CONFIGURATION = "
        UPDATE config_version SET version = version + 1, marked = marked + 1 RETURNING version";
    MARK_POOL = "UPDATE pools SET config_version = $2 WHERE id = $1";
    RAISE = "UPDATE versions SET version = version + 1 WHERE name = $1";
}

/// How far each counter is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Of the configuration.
    pub configuration: i64,
    /// How many changes of the configuration did not mark their pools: those of the program before this one. Where this
    /// rises, everything has to be read again.
    pub unmarked: i64,
    /// Of the signing keys.
    pub keys: i64,
    /// Of the sessions that ended other than one by one.
    pub sessions: i64,
}

/// Reads the counters.
pub struct ReadVersions;

impl Read for ReadVersions {
    type Out = Versions;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Versions, StoreError> {
        get(tx).await
    }
}

/// The counters.
pub async fn get(tx: &mut Tx<'_>) -> Result<Versions, StoreError> {
    let found = tx.optional(GET, &[], |row| {
        let (configuration, marked) = (row.get::<i64>(0)?, row.get::<i64>(1)?);
        let (keys, sessions) = (row.get::<Option<i64>>(2)?, row.get::<Option<i64>>(3)?);
        Ok(Versions {
            configuration,
            unmarked: configuration - marked,
            keys: keys.unwrap_or_default(),
            sessions: sessions.unwrap_or_default(),
        })
    });
    Ok(found.await?.unwrap_or_default())
}

/// Keeps every other change of the configuration out until the unit ends. A unit that decides by the configuration that
/// it reads calls this first.
pub async fn lock_configuration(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(LOCK_CONFIGURATION, &[]).await.map(drop)
}

/// Tells every node to read these pools again.
pub async fn pools_changed<'p>(
    tx: &mut Tx<'_>,
    pools: impl IntoIterator<Item = &'p PoolId, IntoIter: Send> + Send,
) -> Result<(), StoreError> {
    let version: i64 =
        tx.optional(RAISE_CONFIGURATION, &[], |row| row.get(0)).await?.ok_or(StoreError::LostRace)?;
    for pool in pools {
        tx.execute(MARK_POOL, &[pool.into(), version.into()]).await?;
    }
    Ok(())
}

/// Tells every node to read the signing keys again.
pub async fn keys_changed(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    // The program before this one looks at the version of the configuration alone.
    pools_changed(tx, []).await?;
    tx.execute(RAISE, &["keys".into()]).await.map(drop)
}

/// Tells every node to ask again which sessions are alive, and whose they are.
pub async fn sessions_changed(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(RAISE, &["sessions".into()]).await.map(drop)
}
