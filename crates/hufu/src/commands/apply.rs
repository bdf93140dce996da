//! `hufu apply`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use hufu_app::apply::{self, Applied, NewClientSecret, Options, file};

use super::ConfigFlag;
use crate::instance::Instance;
use crate::output::say;

/// Make pools, connections, applications and users match a TOML file. Creates and updates; anything the file
/// does not name is left alone and listed. Works while the server runs, which picks up the changes within a
/// second.
#[derive(Args)]
pub(crate) struct Apply {
    /// The TOML file to apply.
    file: PathBuf,
    /// Print the plan and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Disable connections and applications that are missing from a pool in the file.
    #[arg(long)]
    prune: bool,
    /// Give a connection another AppID though people have logged in through the present one. Without it such a change is
    /// refused: their OpenIDs would lead to no account.
    #[arg(long)]
    new_apps: bool,
    #[command(flatten)]
    config: ConfigFlag,
}

impl Apply {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let name = self.file.display().to_string();
        let text = std::fs::read_to_string(&self.file).with_context(|| format!("{name} cannot be read"))?;
        let desired = file::read(&text, &name, &|variable| std::env::var(variable).ok())
            .map_err(|errors| anyhow::anyhow!("nothing was changed:\n{errors}"))?;
        let config = self.config.read()?;
        let Instance { store, sealing, clock, random } =
            Instance::open(&config.database, &config.key).await?;
        let options = Options { prune: self.prune, new_apps: self.new_apps, dry_run: self.dry_run };
        let Applied { plan, secrets } =
            apply::apply(&store, &sealing, &clock, &random, &desired, &name, options)
                .await
                .map_err(|error| anyhow::anyhow!("nothing was changed:\n{error}"))?;
        say!("{plan}");
        if self.dry_run {
            say!("Dry run: nothing was changed.");
        }
        for NewClientSecret { application, secret } in secrets {
            say!("client secret of application {application}, shown only now: {}", secret.expose());
        }
        store.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
