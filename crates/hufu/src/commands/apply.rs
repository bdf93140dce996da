//! `hufu apply`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use hufu_app::apply::{self, Applied, NewClientSecret, Options, file};
use hufu_types::PoolId;

use super::ConfigFlag;
use crate::instance::Instance;
use crate::output::{Output, print_error, say};

/// Make pools, connections, applications and users match a TOML file. Creates and updates; anything the file
/// does not name is left alone and listed. Works while the server runs, which picks up the changes within a
/// second.
#[derive(Args)]
pub(crate) struct Apply {
    /// The TOML file to apply.
    #[arg(required_unless_present = "export")]
    file: Option<PathBuf>,
    /// Print the file that describes this user pool instead, and change nothing. Secrets are in it as names of
    /// environment variables.
    #[arg(long, value_name = "POOL", conflicts_with_all = ["file", "dry_run", "prune", "new_apps"])]
    export: Option<String>,
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
        if let Some(pool) = &self.export {
            return export(pool, &self.config).await;
        }
        let file = self.file.unwrap_or_default();
        let name = file.display().to_string();
        let text = std::fs::read_to_string(&file).with_context(|| format!("{name} cannot be read"))?;
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

async fn export(pool: &str, config: &ConfigFlag) -> anyhow::Result<ExitCode> {
    let pool = PoolId::parse(pool).map_err(|rule| anyhow::anyhow!("--export: {rule}"))?;
    let config = config.read()?;
    let Instance { store, sealing, .. } = Instance::open(&config.database, &config.key).await?;
    let apply::Exported { text, secrets } = apply::export(&store, &sealing, &pool).await?;
    store.close().await;
    Output.write_all(text.as_bytes())?;
    let variables: Vec<&str> = secrets.iter().map(|(variable, _)| variable.as_str()).collect();
    if !variables.is_empty() {
        print_error(&format_args!("secrets to set where the file is applied: {}\n", variables.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}
