//! The hufu binary: commands, configuration, telemetry, shutdown.

mod commands;
mod config;
mod demo;
mod demo_apps;
mod instance;
mod listen;
mod messages;
mod output;
mod surroundings;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

use crate::commands::Cli;

/// Also serves SQLite's allocations. A login makes some hundred, and glibc's allocator took a tenth of its CPU.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
