//! The hufu binary: commands, configuration, telemetry, shutdown.

mod commands;
mod config;
mod demo;
mod instance;
mod listen;
mod messages;
mod output;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

use crate::commands::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(cli.run()) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// Prints an error with its causes to the terminal.
fn fail(error: &anyhow::Error) -> ExitCode {
    output::print_error(&format_args!("hufu: {error:#}\n"));
    ExitCode::FAILURE
}
