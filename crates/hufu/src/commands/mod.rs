//! The commands.

mod admin;
mod apply;
mod dev;
mod doctor;
mod export;
mod import;
mod import_authing;
mod keys;
mod migrate;
mod sandbox;
mod serve;
mod try_login;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Config;

/// The command line.
#[derive(Parser)]
#[command(
    name = "hufu",
    version,
    about = "A self-hosted identity platform for the WeChat ecosystem",
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything on this machine: the server, a database, the WeChat sandbox and a demo pool.
    Dev(dev::Dev),
    /// Run the server.
    Serve(serve::Serve),
    /// Make pools, connections, applications and users match a TOML file.
    Apply(apply::Apply),
    /// Upgrade the database's schema to this version.
    Migrate(migrate::Migrate),
    /// Import users from a file, or a whole pool from Authing or GenAuth.
    Import(import::Import),
    /// Export the users of a pool to a file.
    Export(export::Export),
    /// Check a pool's connections against WeChat, and explain its error codes.
    Doctor(doctor::Doctor),
    /// Run only the WeChat sandbox.
    Sandbox(sandbox::SandboxCommand),
    /// Log in as a mini program would, and show each step.
    Try(try_login::Try),
    /// Administer an instance on its own machine.
    Admin(admin::Admin),
    /// Change the key that seals secrets, while servers run.
    Keys(keys::Keys),
}

/// The flag for the configuration file.
#[derive(Args)]
pub(crate) struct ConfigFlag {
    /// Configuration file (TOML). Every key can also be set in the environment, for example as HUFU_LISTEN.
    #[arg(long, value_name = "FILE", env = "HUFU_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigFlag {
    pub(crate) fn read(&self) -> anyhow::Result<Config> {
        Config::read(self.config.as_deref(), |name| std::env::var(name).ok())
    }
}

impl Cli {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Dev(command) => Box::pin(command.run()).await,
            Command::Serve(command) => Box::pin(command.run()).await,
            Command::Apply(command) => command.run().await,
            Command::Migrate(command) => command.run().await,
            Command::Import(command) => Box::pin(command.run()).await,
            Command::Export(command) => command.run().await,
            Command::Doctor(command) => command.run().await,
            Command::Sandbox(command) => command.run().await,
            Command::Try(command) => command.run().await,
            Command::Admin(command) => command.run().await,
            Command::Keys(command) => command.run().await,
        }
    }
}
