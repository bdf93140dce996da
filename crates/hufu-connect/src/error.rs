//! Why a sender could not be made, and why a message was not sent.

use std::sync::Arc;

use crate::OutgoingError;

/// Why a client or a sender could not be made of its settings.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildError {
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Http(#[source] Arc<reqwest::Error>),
    /// TLS for SMTP could not be prepared; most often the system has no root certificates.
    #[error("TLS for the mail server could not be prepared")]
    Tls(#[source] Arc<lettre::transport::smtp::Error>),
    /// A setting cannot be right.
    #[error("the setting `{setting}` of {provider} is wrong: {reason}")]
    Setting {
        /// Of which provider.
        provider: &'static str,
        /// Its name.
        setting: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The outbox was asked for, which only development has.
    #[error("there is no outbox here: only `hufu dev` has one; set a sender up")]
    NoOutbox,
}

impl BuildError {
    pub(crate) fn setting(provider: &'static str, setting: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting { provider, setting, reason: reason.into() }
    }
}

/// What a failure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The recipient cannot be reached: no such number or mailbox, or one that refuses messages. The person may
    /// be told.
    Recipient,
    /// The provider's own limit for this recipient or this account is reached. Later, not at once.
    TooOften,
    /// An administrator must act: credentials, signature, template, balance, an address that may not be called.
    Settings,
    /// It may go well next time. The message may have been sent nevertheless.
    Temporary,
}

/// A message that was not sent, as far as is known.
///
/// The text is for operators: it holds neither the recipient nor the code nor a secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{provider}: {message}")]
pub struct SendError {
    provider: &'static str,
    fault: Fault,
    code: Option<Box<str>>,
    message: Box<str>,
    #[source]
    source: Option<OutgoingError>,
}

impl SendError {
    /// A failure in own words.
    pub(crate) fn new(provider: &'static str, fault: Fault, message: &str) -> Self {
        Self { provider, fault, code: None, message: message.into(), source: None }
    }

    /// What a provider said. `sent` is struck from its words.
    pub(crate) fn said(
        provider: &'static str,
        fault: Fault,
        code: &str,
        message: &str,
        sent: &[&str],
    ) -> Self {
        let (code, message) = (redact(code, sent), redact(message, sent));
        let text = if message.is_empty() { code.clone() } else { format!("{code}: {message}") };
        Self { provider, fault, code: Some(code.into()), message: text.into(), source: None }
    }

    /// A call that was not answered.
    pub(crate) fn outgoing(provider: &'static str, error: OutgoingError) -> Self {
        let fault = if error.is_permanent() { Fault::Settings } else { Fault::Temporary };
        Self { provider, fault, code: None, message: "the call failed".into(), source: Some(error) }
    }

    /// What is to be done.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The provider's code, where it gave one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Who failed: `smtp`, `aliyun`, `tencent`, `http`.
    pub fn provider(&self) -> &'static str {
        self.provider
    }

    /// Whether the same message would fail again.
    pub fn is_permanent(&self) -> bool {
        matches!(self.fault, Fault::Recipient | Fault::Settings)
    }
}

/// Longest text looked at, and longest kept of it.
const LONGEST: usize = 2048;
const KEPT_CHARS: usize = 200;
/// What stands in the place of what must not be seen.
const STRUCK: &str = "***";

/// A provider's words fit for a log: one line, short, without any of `sent`.
fn redact(text: &str, sent: &[&str]) -> String {
    if text.len() > LONGEST {
        return "(a very long text)".to_owned();
    }
    let mut text = text.to_owned();
    for value in sent.iter().filter(|value| !value.is_empty()) {
        let mut from = 0;
        // Mail servers repeat addresses in the case they like.
        while let Some(at) = find_ignoring_case(text.get(from..).unwrap_or_default(), value) {
            let start = from + at;
            text.replace_range(start..start + value.len(), STRUCK);
            from = start + STRUCK.len();
        }
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(KEPT_CHARS).collect()
}

/// Where `value` stands in `text`, whatever the case of its ASCII letters.
fn find_ignoring_case(text: &str, value: &str) -> Option<usize> {
    let windows = text.as_bytes().windows(value.len());
    windows.into_iter().position(|window| window.eq_ignore_ascii_case(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_struck_from_what_was_said() {
        let error = SendError::said(
            "smtp",
            Fault::Recipient,
            "550",
            "<Bob@Example.com>:\r\nno such user; code 123456",
            &["bob@example.com", "123456", ""],
        );
        assert_eq!(error.to_string(), "smtp: 550: <***>:  no such user; code ***");
        assert!(error.is_permanent());
        let long = SendError::said("smtp", Fault::Temporary, "451", &"é".repeat(5000), &[]);
        assert!(long.to_string().len() < 300);
        assert_eq!(redact("a*b", &["*"]), "a***b");
    }
}
