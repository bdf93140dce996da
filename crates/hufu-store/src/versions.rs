//! Counters that tell nodes what has changed. Each is incremented in the unit that makes the change, so a
//! node that sees the new value also sees the change. Nodes frequently read all of them in one small row.
//!
//! Frequent changes must not make nodes reload what rarely changes. That is why the configuration has its own
//! counter and records which pools changed, and why signing keys and ended sessions have separate counters.

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

/// The values of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// For the configuration.
    pub configuration: i64,
    /// The number of configuration changes that did not record their pools, because the previous version of
    /// the program made them. If it increases, everything has to be read again.
    pub unmarked: i64,
    /// For signing keys.
    pub keys: i64,
    /// For sessions that were ended in bulk instead of one by one.
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

/// Reads the counters.
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

/// Locks out all other changes of the configuration until the unit ends. Units that make decisions based on
/// the configuration call this before reading it.
pub async fn lock_configuration(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(LOCK_CONFIGURATION, &[]).await.map(drop)
}

/// Makes all nodes reload these pools.
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

/// Makes all nodes reload the signing keys.
pub async fn keys_changed(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    // The previous version of the program only checks the configuration version.
    pools_changed(tx, []).await?;
    tx.execute(RAISE, &["keys".into()]).await.map(drop)
}

/// Makes all nodes check again which sessions are alive and whose they are.
pub async fn sessions_changed(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(RAISE, &["sessions".into()]).await.map(drop)
}
