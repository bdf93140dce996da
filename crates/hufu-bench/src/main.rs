//! `hufu-bench`: the cost of a complete mini program login, a search and an import, compared with a baseline.
//!
//! `run` measures logins and searches, `import` measures importing users, `config` measures changes of the
//! configuration, `oidc` the endpoints of OpenID Connect, `wechat` logins by QR code and redirect and events of
//! official accounts, and `statistics` counting the audit log. The other commands are processes that these start: the
//! sandbox (WeChat), the generators (phones, browsers and clients), the floor, and what else the
//! server is compared with. They are separate so that the CPU time of each is known. docs/performance.md
//! explains the method.
//!
//! Start reading with [`run`], the whole measurement. [`generate`] is the load, [`floor`] the baseline for
//! the server, [`import`], [`config`], [`oidc`] and [`wechat`] the other measurements, and [`report`] the output.

mod codes;
mod config;
mod database;
mod floor;
mod generate;
mod generator;
mod histogram;
mod http;
mod import;
mod load;
mod machine;
mod oidc;
mod postgres;
mod process;
mod report;
mod requests;
mod run;
mod sandbox;
mod server;
mod sheet;
mod statistics;
mod wechat;
mod world;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    about = "Measures logins through WeChat, searches, imports, changes of the configuration, and OpenID Connect."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure logins and searches, in an empty pool and in a full one, and print one line per figure.
    Run(run::Options),
    /// Measure `hufu import`, compared with plain inserts of the same rows, and print one line per figure.
    Import(import::Options),
    /// Measure changes of the configuration on two nodes with many pools, and print one line per figure.
    Config(config::Options),
    /// Measure the endpoints of OpenID Connect and the login page, and print one line per figure.
    Oidc(oidc::Options),
    /// Measure how the audit log is counted, and questions about thirty days, and print one line per figure.
    Statistics(statistics::Options),
    /// Measure logins by QR code and redirect and events of official accounts, and print one line per figure.
    Wechat(wechat::Options),
    /// The load generator, started by `run`.
    #[command(hide = true)]
    Generate(generate::Options),
    /// The floor, started by `run`.
    #[command(hide = true)]
    Floor(floor::Options),
    /// The WeChat sandbox without its limits, started by `run`.
    #[command(hide = true)]
    Sandbox(sandbox::Options),
    /// The load generator for requests of any kind, started by `oidc`.
    #[command(hide = true)]
    Requests(requests::Options),
    /// A bare server that sends fixed bytes, started by `oidc`.
    #[command(hide = true)]
    Plain(oidc::plain::Options),
    /// Argon2 alone, started by `oidc`.
    #[command(hide = true)]
    Argon2(oidc::hashing::Options),
    /// Browsers that wait, started by `wechat`.
    #[command(hide = true)]
    Browsers(wechat::browsers::Options),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Config(options) => config::run(&options),
        Command::Oidc(options) => oidc::run(&options),
        Command::Statistics(options) => statistics::run(&options),
        Command::Wechat(options) => wechat::run(&options),
        Command::Generate(options) => generate::generate(&options),
        Command::Floor(options) => floor::serve(options),
        Command::Sandbox(options) => sandbox::serve(&options),
        Command::Requests(options) => requests::generate(&options),
        Command::Plain(options) => oidc::plain::serve(&options),
        Command::Argon2(options) => oidc::hashing::hash(&options),
        Command::Browsers(options) => wechat::browsers::wait(&options),
    }
}
