//! `hufu migrate`

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use hufu_store::Store;

use super::ConfigFlag;
use crate::instance;
use crate::output::say;

/// Upgrade the database's schema to this version. Creates the SQLite file if there is none.
#[derive(Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    config: ConfigFlag,
}

impl Migrate {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.read()?;
        let store = Store::open(&config.database).await.context("the database cannot be opened")?;
        let applied = instance::migrate(&store).await?;
        if applied.is_empty() {
            say!("The schema is up to date.");
        } else {
            say!("Applied: {}", applied.join(", "));
        }
        store.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
