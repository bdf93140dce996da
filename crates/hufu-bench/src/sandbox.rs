//! The WeChat sandbox as a separate process. It has no limit on logins per person and minute, which would
//! only affect the returning people of a long run.

use std::io::Write as _;

use anyhow::Result;
use clap::Args;
use hufu_sandbox::Sandbox;
use tokio::net::TcpListener;

#[derive(Args)]
pub(crate) struct Options {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
}

pub(crate) fn serve(options: &Options) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind(&options.listen).await?;
        announce(&listener)?;
        let limits =
            hufu_sandbox::Options { per_minute_code_limit: None, ..hufu_sandbox::Options::default() };
        Sandbox::new(limits).serve(listener, std::future::pending()).await?;
        Ok(())
    })
}

/// Prints the listening address for the parent process.
pub(crate) fn announce(listener: &TcpListener) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening {}", listener.local_addr()?)?;
    Ok(out.flush()?)
}
