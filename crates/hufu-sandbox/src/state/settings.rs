//! What can be changed while the sandbox runs, besides apps and people.

use serde::{Deserialize, Serialize};

use crate::ControlError;

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

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            login_mini_program_host: None,
            push_sends: 3,
            push_timeout_ms: 5_000,
            push_anywhere: false,
            deny_redirects: true,
        }
    }
}

/// Changes to the settings. Absent fields remain unchanged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsPatch {
    /// See [`Settings::login_mini_program_host`]. Empty for none.
    pub login_mini_program_host: Option<String>,
    /// See [`Settings::push_sends`]: 1 to 10.
    pub push_sends: Option<u32>,
    /// See [`Settings::push_timeout_ms`]: at most a minute.
    pub push_timeout_ms: Option<u64>,
    /// See [`Settings::push_anywhere`].
    pub push_anywhere: Option<bool>,
    /// See [`Settings::deny_redirects`].
    pub deny_redirects: Option<bool>,
}

impl Settings {
    pub(crate) fn patched(mut self, patch: SettingsPatch) -> Result<Settings, ControlError> {
        if let Some(host) = patch.login_mini_program_host {
            self.login_mini_program_host = checked_host(&host)?;
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
