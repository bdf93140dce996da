//! An instance as a process sees it: its database and the key to its secrets.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use hufu_app::{KeySource, load_sealing_key};
use hufu_protocol::sealing::SealingKey;
use hufu_store::instance::{Fact, GetFact};
use hufu_store::{DatabaseUrl, SchemaState, Store};
use hufu_types::{Clock, Random, SystemClock, SystemRandom};

/// What commands work on.
pub(crate) struct Instance {
    pub(crate) store: Store,
    pub(crate) sealing: Arc<SealingKey>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Instance {
    /// Opens a migrated database and the key to its secrets.
    pub(crate) async fn open(database: &DatabaseUrl, key: &KeySource) -> anyhow::Result<Self> {
        if let DatabaseUrl::Sqlite(path) = database
            && !path.exists()
        {
            bail!("the database {} does not exist; create it with `hufu migrate`", path.display());
        }
        let store = Store::open(database).await.context("the database cannot be opened")?;
        match store.schema_state().await.context("the database cannot be read")? {
            SchemaState::Current => {}
            SchemaState::Behind(missing) => {
                bail!(
                    "the database lacks {} migration(s) ({}); run `hufu migrate` with the same --config",
                    missing.len(),
                    missing.join(", ")
                )
            }
            SchemaState::Ahead(names) => return Err(newer(&names)),
        }
        Self::of(store, key).await
    }

    /// The key to the secrets of an open database.
    pub(crate) async fn of(store: Store, key: &KeySource) -> anyhow::Result<Self> {
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let sealing = Arc::new(load_sealing_key(&store, key, &*random).await?);
        Ok(Self { store, sealing, clock: Arc::new(SystemClock), random })
    }

    /// Refuses a database that `hufu dev` created: its secrets are public.
    pub(crate) async fn refuse_dev_data(&self) -> anyhow::Result<()> {
        if is_made_by_dev(&self.store).await? {
            bail!(
                "this database was created by `hufu dev`, and its secrets are public; use another, or accept \
                 that with --accept-dev-data"
            );
        }
        Ok(())
    }
}

async fn is_made_by_dev(store: &Store) -> anyhow::Result<bool> {
    Ok(store.read(GetFact(Fact::MadeByDev)).await?.is_some())
}

/// Refuses to `hufu dev` a database with anything in it that is not its own: it would get the demonstration, whose secrets
/// are public.
pub(crate) async fn refuse_other_data(store: &Store) -> anyhow::Result<()> {
    let tables = store.tables().await.context("the database cannot be read")?;
    let is_hufus = tables.iter().any(|table| table == "instance");
    if tables.is_empty() || (is_hufus && is_made_by_dev(store).await?) {
        return Ok(());
    }
    bail!(
        "the database is not empty, and `hufu dev` did not make what is in it; nothing was changed: give it an empty \
         database, because its demonstration's secrets are public"
    )
}

/// Upgrades the schema of an open database to this version; returns the names of the applied migrations.
pub(crate) async fn migrate(store: &Store) -> anyhow::Result<Vec<&'static str>> {
    let applied = store.migrate().await.context("the database cannot be migrated; nothing was changed")?;
    match store.schema_state().await.context("the database cannot be read")? {
        SchemaState::Ahead(names) => Err(newer(&names)),
        SchemaState::Current | SchemaState::Behind(_) => Ok(applied),
    }
}

fn newer(names: &[String]) -> anyhow::Error {
    anyhow::anyhow!(
        "the database belongs to a newer version of hufu (it has {}); run that version",
        names.join(", ")
    )
}
