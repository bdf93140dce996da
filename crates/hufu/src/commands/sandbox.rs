//! `hufu sandbox`

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use hufu_sandbox::{Options, Sandbox};

use crate::config::Log;
use crate::output::say;
use crate::telemetry::{Format, start_logging};
use crate::{demo, listen};

/// Run only the WeChat sandbox: a simulated WeChat for development and tests, in memory.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct SandboxCommand {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:3100")]
    listen: SocketAddr,
    /// Allow an address that other machines can reach. Anyone who can reach a sandbox can log in to it as
    /// anyone.
    #[arg(long)]
    allow_remote: bool,
    /// Additional host names under which the page and the control calls are available.
    #[arg(long, value_name = "NAME")]
    control_host: Vec<String>,
    /// The server of the login mini program, such as http://hufu:3000. Later only one of this machine can be chosen.
    #[arg(long, value_name = "URL")]
    login_host: Option<String>,
    /// Push messages to other machines too, wherever whoever controls the sandbox wants them.
    #[arg(long)]
    push_anywhere: bool,
    /// Remove WeChat's limit of 100 logins per user and minute.
    #[arg(long)]
    no_minute_limit: bool,
    /// Start without the demo's mini program and people.
    #[arg(long)]
    empty: bool,
}

impl SandboxCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        if !self.listen.ip().is_loopback() && !self.allow_remote {
            bail!(
                "{} can be reached from other machines; if that is intended, add --allow-remote",
                self.listen
            );
        }
        start_logging(&Log("info".to_owned()), &Format::Pretty)?;
        let defaults = Options::default();
        let sandbox = Sandbox::new(Options {
            per_minute_code_limit: defaults.per_minute_code_limit.filter(|_| !self.no_minute_limit),
            control_hosts: self.control_host,
            login_mini_program_host: self.login_host,
            push_anywhere: self.push_anywhere,
            phone_owner: demo::sandbox_options(None).phone_owner.filter(|_| !self.empty),
            ..defaults
        });
        if !self.empty {
            demo::fill_sandbox(&sandbox, None)?;
        }
        let listener = listen::bind(self.listen, "--listen").await?;
        let address = listener.local_addr()?;
        let stopping = listen::watch_for_stop()?;
        say!("WeChat sandbox at http://{address}/ — set [wechat] api_base to http://{address}/api");
        let serving = sandbox.serve(listener, listen::stop_signal(&stopping));
        listen::serve_until(serving, stopping).await?;
        Ok(ExitCode::SUCCESS)
    }
}
