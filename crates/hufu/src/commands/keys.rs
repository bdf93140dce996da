//! `hufu keys`: changing the key that seals secrets.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, Subcommand};
use hufu_app::KeySource;
use hufu_app::sealing_key::{add_key, change, new_key, remove_key};

use super::ConfigFlag;
use super::import::progress_line;
use crate::config::Config;
use crate::instance::Instance;
use crate::output::say;

/// Change the key that seals secrets in the database, while servers run: add, use, reseal, retire.
#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the keys, what each of them seals, and which servers have it.
    List(ConfigFlag),
    /// Make another key and add it to the key file. It opens, and seals nothing yet. Where the keys are in the
    /// environment, print it.
    Add(ConfigFlag),
    /// Let a key seal what is written from now on. All servers that run have to have it.
    Use {
        /// The id of the key, as `list` shows it.
        key: String,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Seal again what other keys have sealed. Can be stopped and started again.
    Reseal(ConfigFlag),
    /// Take a key out of the key file, if nothing needs it any more.
    Retire {
        /// The id of the key, as `list` shows it.
        key: String,
        #[command(flatten)]
        config: ConfigFlag,
    },
}

impl Command {
    const fn config(&self) -> &ConfigFlag {
        match self {
            Self::List(config)
            | Self::Add(config)
            | Self::Reseal(config)
            | Self::Use { config, .. }
            | Self::Retire { config, .. } => config,
        }
    }
}

impl Keys {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.command.config().read()?;
        let instance = Instance::open(&config.database, &config.key).await?;
        let done = run(&self.command, &config, &instance).await;
        instance.store.close().await;
        done.map(|()| ExitCode::SUCCESS)
    }
}

async fn run(command: &Command, config: &Config, instance: &Instance) -> anyhow::Result<()> {
    let Instance { store, sealing, clock, random } = instance;
    match command {
        Command::List(_) => return list(instance).await,
        Command::Add(_) => match &config.key {
            KeySource::File(path) => {
                let id = add_key(path, &**random)?;
                say!("key {id} added to {}", path.display());
                say!(
                    "Servers that read this file have it in some seconds. Give the file to the others, then:"
                );
                say!("  hufu keys use {id}");
            }
            KeySource::Given(_) => {
                let (key, id) = new_key(&**random);
                say!("key {id}, shown only now: {}", *key);
                say!(
                    "Add it to HUFU_ENCRYPTION_KEY of all servers, after the one that is there and a comma, start"
                );
                say!("them again one after the other, then: hufu keys use {id}");
            }
        },
        Command::Use { key, .. } => {
            change::use_key(store, sealing, &**random, key, clock.now()).await?;
            say!("key {key} seals what is written from now on");
            say!("What the key before has sealed is sealed again by: hufu keys reseal");
        }
        Command::Reseal(_) => {
            let mut told = Instant::now();
            let mut progress = |count: u64| {
                if told.elapsed() >= Duration::from_secs(1) {
                    told = Instant::now();
                    progress_line(&format!("{count} sealed again"));
                }
            };
            let count = change::reseal(store, sealing, &**random, &mut progress).await?;
            say!("{count} sealed again");
            return list(instance).await;
        }
        Command::Retire { key, .. } => {
            change::check_unused(store, sealing, key, clock.now()).await?;
            match &config.key {
                KeySource::File(path) => {
                    remove_key(path, key)?;
                    say!(
                        "key {key} taken out of {}; take it out of the files of other servers, too",
                        path.display()
                    );
                }
                KeySource::Given(_) => {
                    bail!("nothing needs the key {key}; take it out of HUFU_ENCRYPTION_KEY")
                }
            }
        }
    }
    Ok(())
}

async fn list(Instance { store, sealing, clock, .. }: &Instance) -> anyhow::Result<()> {
    for (index, found) in change::seals(store, sealing).await?.into_iter().enumerate() {
        say!("key {}{}", found.key, if index == 0 { ", which seals" } else { "" });
        for (column, count) in found.lasting {
            say!("  {count:>8} in {column}");
        }
        for (column, count) in found.passing {
            say!("  {count:>8} in {column}, which end by themselves");
        }
    }
    for node in change::nodes(store, clock.now()).await? {
        say!("server {} has {}", node.node, node.keys.join(", "));
    }
    Ok(())
}
