//! Why a sender could not be created, and why a message was not sent.

use std::sync::Arc;

use crate::OutgoingError;

/// Why a client or a sender could not be created from its settings.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildError {
    /// The HTTP client could not be created.
    #[error("the HTTP client could not be created")]
    Http(#[source] Arc<reqwest::Error>),
    /// TLS for SMTP could not be set up, usually because the system has no root certificates.
    #[error("TLS for the mail server could not be set up")]
    Tls(#[source] Arc<lettre::transport::smtp::Error>),
    /// A setting is not valid.
    #[error("the setting `{setting}` of {provider} is not valid: {reason}")]
    Setting {
        /// The provider.
        provider: &'static str,
        /// The setting's name.
        setting: &'static str,
        /// What is wrong, and what would be valid.
        reason: String,
    },
    /// An outbox was requested, but outboxes exist only in development.
    #[error("there is no outbox here: only `hufu dev` has one; configure a sender")]
    NoOutbox,
}

impl BuildError {
    pub(crate) fn setting(provider: &'static str, setting: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting { provider, setting, reason: reason.into() }
    }
}

/// The kind of failure: what has to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The recipient cannot be reached: there is no such number or mailbox, or it rejects messages. The user
    /// may be told.
    Recipient,
    /// A limit of the provider for this recipient or this account has been reached. Try again later, not
    /// immediately.
    TooOften,
    /// An administrator has to act: credentials, signature, template, balance, or an address that may not be
    /// called.
    Settings,
    /// The next attempt may succeed. The message may have been sent anyway.
    Temporary,
}

/// A message that was not sent, as far as is known.
///
/// The text is for operators. It contains neither the recipient nor the code nor any secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{provider}: {message}")]
pub struct SendError {
    provider: &'static str,
    fault: Fault,
    code: Option<Box<str>>,
    message: Box<str>,
    /// What may be told of a server that is not public.
    summary: Option<&'static str>,
    #[source]
    source: Option<OutgoingError>,
}

impl SendError {
    /// A failure with a message of this crate.
    pub(crate) fn new(provider: &'static str, fault: Fault, message: &str) -> Self {
        Self { provider, fault, code: None, message: message.into(), summary: None, source: None }
    }

    /// A failure reported by a provider, with everything in `sent` redacted.
    pub(crate) fn from_provider(
        provider: &'static str,
        fault: Fault,
        code: &str,
        message: &str,
        sent: &[&str],
    ) -> Self {
        let (code, message) = (redact(code, sent), redact(message, sent));
        let text = if message.is_empty() { code.clone() } else { format!("{code}: {message}") };
        Self { provider, fault, code: Some(code.into()), message: text.into(), summary: None, source: None }
    }

    /// A call that received no response.
    pub(crate) fn outgoing(provider: &'static str, error: OutgoingError) -> Self {
        let fault = if error.is_permanent() { Fault::Settings } else { Fault::Temporary };
        Self {
            provider,
            fault,
            code: None,
            message: "the call failed".into(),
            summary: None,
            source: Some(error),
        }
    }

    /// The same, of a server that is not public: whoever set its address may know this much and no more.
    pub(crate) fn told_as(self, summary: &'static str) -> Self {
        Self { summary: Some(summary), ..self }
    }

    /// All that whoever set the address of the server may be told, if the server is not public. What else the error says
    /// is for the operator, whose network it is.
    pub fn summary(&self) -> Option<&'static str> {
        self.summary
    }

    /// What has to be done.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The provider's error code, if there is one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The provider that failed: `smtp`, `aliyun`, `tencent`, `http`.
    pub fn provider(&self) -> &'static str {
        self.provider
    }

    /// Whether sending the same message again would fail too.
    pub fn is_permanent(&self) -> bool {
        matches!(self.fault, Fault::Recipient | Fault::Settings)
    }
}

/// The longest text examined, and the longest part of it kept.
const MAX_EXAMINED: usize = 2048;
const MAX_KEPT_CHARS: usize = 200;
/// Replaces what must not be shown.
const REDACTED: &str = "***";

/// A value of fewer bytes is hidden only where it stands by itself. A code of one or two digits is part of half
/// the numbers in a text: replacing those would leave nothing to read, and show what the code is.
const SHORT: usize = 4;

/// Makes a provider's message suitable for logs: a single short line without any of `sent`.
fn redact(text: &str, sent: &[&str]) -> String {
    if text.len() > MAX_EXAMINED {
        return "(a very long text)".to_owned();
    }
    // All values are looked for in the original text, since one may be part of another.
    let mut hidden: Vec<_> = sent.iter().flat_map(|value| places(text, value)).collect();
    hidden.sort_unstable();
    let (mut shown, mut at) = (String::new(), 0);
    for (start, end) in hidden {
        if start >= at {
            shown.push_str(text.get(at..start).unwrap_or_default());
            shown.push_str(REDACTED);
        }
        at = at.max(end);
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_KEPT_CHARS).collect()
}

/// Where a value begins and ends in a text, ignoring the case of ASCII letters: mail servers repeat addresses
/// in any.
fn places<'t>(text: &'t str, value: &'t str) -> impl Iterator<Item = (usize, usize)> + 't {
    let starts = if value.is_empty() { 0 } else { text.len() };
    (0..starts).filter_map(move |start| {
        let end = start + value.len();
        let found = text.get(start..end)?.eq_ignore_ascii_case(value);
        let alone = || {
            let before = text.get(..start).and_then(|before| before.chars().next_back());
            let after = text.get(end..).and_then(|after| after.chars().next());
            !before.into_iter().chain(after).any(|c| c.is_ascii_alphanumeric())
        };
        (found && (value.len() >= SHORT || alone())).then_some((start, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_sent_is_redacted_from_a_providers_text() {
        let error = SendError::from_provider(
            "smtp",
            Fault::Recipient,
            "550",
            "<Bob@Example.com>:\r\nno such user; code 123456",
            &["bob@example.com", "123456", ""],
        );
        assert_eq!(error.to_string(), "smtp: 550: <***>:  no such user; code ***");
        assert!(error.is_permanent());
        let long = SendError::from_provider("smtp", Fault::Temporary, "451", &"é".repeat(5000), &[]);
        assert!(long.to_string().len() < 300);
    }

    #[test]
    fn short_and_overlapping_values_are_redacted_too() {
        for (text, sent, shown) in [
            // A short value is hidden where it stands by itself, and does not eat the rest of the text.
            ("code 4 of 4004 (4)", vec!["4"], "code *** of 4004 (***)"),
            ("42 4242 x42 42x 码42错", vec!["42"], "*** 4242 x42 42x 码***错"),
            ("key a*b", vec!["*"], "key a*b"),
            // One value is part of another, or they overlap.
            ("1234567 is 1234", vec!["1234", "1234567"], "*** is ***"),
            ("abcdefgh", vec!["abcde", "defgh"], "***"),
            ("aaaaaa", vec!["aaaa"], "***"),
            ("abcdabcd", vec!["abcd"], "******"),
            ("码Ö码", vec!["Ö"], "码***码"),
            ("Bob@Example.com", vec!["bob@example.com", ""], "***"),
        ] {
            assert_eq!(redact(text, &sent), shown, "{text} {sent:?}");
        }
    }
}
