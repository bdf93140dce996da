//! The connections' settings in the database: sealed JSON.

use hufu_protocol::sealing::{OpenError, SealingKey};
use hufu_store::config::{self, Realms, StoredConnection, StoredSettings};
use hufu_store::{Store, StoreError, Tx, Write};
use hufu_types::{ConnectionId, ConnectionSettings, PoolId, Random};
use zeroize::Zeroizing;

use super::{field, fields, realms};

/// Why the settings of a connection cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The sealing key is a different one, or the row was tampered with.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Not in the format that this release writes.
    #[error("the settings are malformed")]
    Malformed,
    /// A field that the kind requires is missing.
    #[error("the settings lack `{0}`")]
    Missing(String),
}

/// The context that settings are sealed under.
pub(crate) fn context(connection: &ConnectionId) -> String {
    format!("connection:{connection}:settings")
}

/// The context that releases before migration 0004 sealed the AppSecret under.
pub(crate) fn secret_context(connection: &ConnectionId) -> String {
    format!("connection:{connection}:app_secret")
}

/// Seals the settings of one connection for its row.
pub(crate) fn seal(
    settings: &ConnectionSettings,
    connection: &ConnectionId,
    key: &SealingKey,
    random: &dyn Random,
) -> StoredSettings {
    // Serializing a map of JSON values cannot fail.
    let plain = Zeroizing::new(serde_json::to_vec(settings).unwrap_or_default());
    StoredSettings::Sealed(key.seal(random, &context(connection), &plain))
}

/// Opens the settings of a row.
pub(crate) fn open(stored: &StoredConnection, key: &SealingKey) -> Result<ConnectionSettings, SettingsError> {
    let mut settings: ConnectionSettings = match &stored.settings {
        StoredSettings::Sealed(sealed) => {
            let opened = key.open(&context(&stored.id), sealed)?;
            serde_json::from_slice(opened.expose()).map_err(|_| SettingsError::Malformed)?
        }
        StoredSettings::Columns { app_id, app_secret } => {
            let opened = key.open(&secret_context(&stored.id), app_secret)?;
            let app_secret = std::str::from_utf8(opened.expose()).map_err(|_| SettingsError::Malformed)?;
            let mut settings = ConnectionSettings::default();
            settings.set("app_id", app_id.as_str());
            settings.set("app_secret", app_secret);
            settings
        }
    };
    field::complete(fields(stored.kind), settings.values_mut());
    match field::missing(fields(stored.kind), settings.values()) {
        Some(field) => Err(SettingsError::Missing(field)),
        None => Ok(settings),
    }
}

/// Seals settings that are still in the columns used before migration 0004. Any node may do this at any time,
/// because settings that are already sealed are left alone. A row whose secret cannot be opened is left for
/// when the right key is back.
pub(crate) async fn seal_columns(
    store: &Store,
    connections: &[StoredConnection],
    key: &SealingKey,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let in_columns = |stored: &&StoredConnection| matches!(stored.settings, StoredSettings::Columns { .. });
    let sealed = connections.iter().filter(in_columns).filter_map(|stored| {
        let settings = open(stored, key).ok()?;
        match seal(&settings, &stored.id, key, random) {
            StoredSettings::Sealed(sealed) => {
                let realms = realms(stored.kind, &settings, &stored.open_platform);
                Some((stored.pool.clone(), stored.id.clone(), sealed, realms))
            }
            StoredSettings::Columns { .. } => None,
        }
    });
    let unit = SealColumns(sealed.collect());
    if unit.0.is_empty() { Ok(()) } else { store.write(unit).await }
}

struct SealColumns(Vec<(PoolId, ConnectionId, Vec<u8>, Realms)>);

impl Write for SealColumns {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        for (pool, connection, sealed, realms) in &self.0 {
            config::seal_settings(tx, pool, connection, sealed, realms).await?;
        }
        Ok(())
    }
}
