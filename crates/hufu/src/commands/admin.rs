//! `hufu admin`: what an operator does on the instance's own machine.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use hufu_app::connect::{GuardedClient, guarded};
use hufu_app::{App, Parts};
use hufu_store::events::Trace;
use hufu_store::users::SetStatus;
use hufu_types::{PoolId, SigningAlgorithm, UserId, UserStatus};

use super::{ConfigFlag, say};
use crate::config::Config;
use crate::instance::Instance;

/// Administer an instance from its own machine. A running server takes changes up within a second.
#[derive(Args)]
pub(crate) struct Admin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a new key that signs tokens. It is published at once, signs after an hour, and its
    /// predecessor stays published until the last of its tokens has ended.
    RotateSigningKey {
        /// ES256, RS256 or EdDSA.
        #[arg(long, default_value = "ES256")]
        algorithm: String,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Switch a user's account off: its sessions end, and it logs in nowhere.
    DisableUser(UserArguments),
    /// Switch a user's account on again.
    EnableUser(UserArguments),
}

#[derive(Args)]
struct UserArguments {
    /// The user pool's id.
    #[arg(long)]
    pool: String,
    /// The user's id.
    #[arg(long)]
    user: String,
    #[command(flatten)]
    config: ConfigFlag,
}

impl Admin {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::RotateSigningKey { algorithm, config } => rotate(&algorithm, &config.read()?).await?,
            Command::DisableUser(arguments) => set_status(&arguments, UserStatus::Suspended).await?,
            Command::EnableUser(arguments) => set_status(&arguments, UserStatus::Activated).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn rotate(algorithm: &str, config: &Config) -> anyhow::Result<()> {
    let Some(algorithm) = SigningAlgorithm::parse(algorithm) else {
        bail!("{algorithm} is none of ES256, RS256 and EdDSA");
    };
    let instance = Instance::open(&config.database, &config.key).await?;
    let store = instance.store.clone();
    let wechat =
        hufu_wechat::Settings { endpoints: config.wechat.clone(), ..hufu_wechat::Settings::default() };
    let app: Arc<App> = App::start(Parts {
        store: instance.store,
        wechat: hufu_wechat::Client::new(wechat)?,
        sealing: instance.sealing,
        limits: config.limits.clone(),
        public_url: config.public_url.clone(),
        clock: instance.clock,
        random: instance.random,
        outgoing: GuardedClient::new(guarded::Settings::default())?,
        outbox: None,
    })
    .await?;
    let id = app.rotate_signing_key(algorithm).await?;
    say!("Key {id} is published now and signs in {} minutes.", app.limits().key_lead.as_secs() / 60);
    drop(app);
    store.close().await;
    Ok(())
}

async fn set_status(arguments: &UserArguments, status: UserStatus) -> anyhow::Result<()> {
    let config = arguments.config.read()?;
    let instance = Instance::open(&config.database, &config.key).await?;
    let unit = SetStatus {
        pool: PoolId::parse(&arguments.pool).context("--pool")?,
        user: UserId::parse(&arguments.user).context("--user")?,
        status,
        trace: Trace::of_command(instance.clock.now(), &*instance.random),
    };
    let found = instance.store.write(unit).await?;
    instance.store.close().await;
    if !found {
        bail!("the pool {} has no user {}", arguments.pool, arguments.user);
    }
    say!(
        "{} is {}.",
        arguments.user,
        if status == UserStatus::Activated { "switched on" } else { "switched off" }
    );
    Ok(())
}
