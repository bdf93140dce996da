//! What can be changed while the sandbox runs, besides apps and people.

use serde::{Deserialize, Serialize};

use crate::reach::is_on_this_machine;
use crate::{ControlError, Options};

/// How the simulated WeChat behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// The base URL of the server that the login mini program of the sandbox speaks to.
    pub login_mini_program_host: Option<String>,
    /// Sends per pushed message until it is acknowledged, the first included.
    pub push_sends: u32,
    /// How long the receiver of a pushed message has to answer, in milliseconds.
    pub push_timeout_ms: u64,
    /// Pushes messages to other machines as well, instead of to loopback addresses alone.
    pub push_anywhere: bool,
    /// Whether a person who refuses a website's QR login is sent back to the website, with `state` alone. WeChat's
    /// older pages say so; by the current ones nothing happens.
    pub deny_redirects: bool,
}

impl Settings {
    /// The settings that a sandbox starts with.
    pub(crate) fn of(options: &Options) -> Settings {
        let host =
            options.login_mini_program_host.as_deref().map(|host| host.trim_end_matches('/').to_owned());
        Settings {
            login_mini_program_host: host.filter(|host| !host.is_empty()),
            push_sends: options.push_sends.max(1),
            push_timeout_ms: options.push_timeout_ms.max(1),
            push_anywhere: options.push_anywhere,
            deny_redirects: options.deny_redirects,
        }
    }
}

/// Changes to the settings. Absent fields remain unchanged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsPatch {
    /// See [`Settings::login_mini_program_host`]. Empty for none; on this machine, or the one of the start.
    pub login_mini_program_host: Option<String>,
    /// See [`Settings::push_sends`]: 1 to 10.
    pub push_sends: Option<u32>,
    /// See [`Settings::push_timeout_ms`]: at most a minute.
    pub push_timeout_ms: Option<u64>,
    /// See [`Settings::push_anywhere`]. `true` only if the sandbox was started with it.
    pub push_anywhere: Option<bool>,
    /// See [`Settings::deny_redirects`].
    pub deny_redirects: Option<bool>,
}

impl Settings {
    /// Whoever may change settings may be on another machine. So they send the sandbox's calls to this machine alone,
    /// unless it was started otherwise.
    pub(crate) fn patched(
        mut self,
        patch: SettingsPatch,
        start: &Settings,
    ) -> Result<Settings, ControlError> {
        if let Some(host) = patch.login_mini_program_host {
            let host = checked_host(&host)?;
            let is_safe = host.as_deref().is_none_or(is_on_this_machine);
            if !is_safe && host != start.login_mini_program_host {
                return Err(ControlError::Invalid(
                    "login_mini_program_host must be on this machine; start the sandbox with --login-host for another",
                ));
            }
            self.login_mini_program_host = host;
        }
        if patch.push_anywhere == Some(true) && !start.push_anywhere {
            return Err(ControlError::Invalid("push_anywhere is for the start: --push-anywhere"));
        }
        if patch.push_sends.is_some_and(|sends| !(1..=10).contains(&sends)) {
            return Err(ControlError::Invalid("push_sends must be from 1 to 10"));
        }
        if patch.push_timeout_ms.is_some_and(|ms| !(1..=60_000).contains(&ms)) {
            return Err(ControlError::Invalid("push_timeout_ms must be from 1 to 60000"));
        }
        self.push_sends = patch.push_sends.unwrap_or(self.push_sends);
        self.push_timeout_ms = patch.push_timeout_ms.unwrap_or(self.push_timeout_ms);
        self.push_anywhere = patch.push_anywhere.unwrap_or(self.push_anywhere);
        self.deny_redirects = patch.deny_redirects.unwrap_or(self.deny_redirects);
        Ok(self)
    }
}

fn checked_host(host: &str) -> Result<Option<String>, ControlError> {
    let host = host.trim().trim_end_matches('/');
    if host.is_empty() {
        return Ok(None);
    }
    let url = url::Url::parse(host).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    match url {
        Some(url) if url.has_host() => Ok(Some(host.to_owned())),
        _ => Err(ControlError::Invalid("login_mini_program_host must be an http or https URL")),
    }
}
