//! What the settings of message senders consist of, by provider. The file of `hufu apply` and `/admin/v1` are read by this
//! one table.

use std::sync::Arc;

use hufu_connect::{
    BuildError, GuardedClient, MailSettings, Outbox, SenderContext, SmsSettings, TemplateKind, guarded,
};
use hufu_store::senders::SenderKind;
use hufu_types::{SystemClock, SystemRandom};

/// The keys that say where messages go, and what protects them on the way.
pub(super) const DESTINATION: [&str; 5] = ["host", "port", "encryption", "url", "endpoint"];

/// A provider, and its keys.
pub(super) struct Provider {
    pub(super) name: &'static str,
    pub(super) keys: &'static [Key],
}

/// A key of a provider.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) is_required: bool,
    pub(super) kind: KeyKind,
}

/// What the value of a key is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Text,
    /// A text that is never shown.
    Secret,
    /// A port, 1 to 65535.
    Port,
    /// A number of seconds, 1 to 300.
    Seconds,
    Encryption,
    /// Texts by purpose of messages.
    Purposes,
    /// The parameters of a template.
    Parameters,
    /// Headers by name, whose values are never shown.
    Headers,
    /// Any JSON, which may have secrets in it and is never shown.
    Body,
    /// A place in an answer, and the value that is there.
    Accepted,
}

impl KeyKind {
    /// Whether the value is never shown.
    pub(super) const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Headers | Self::Body)
    }

    /// The numbers that are permitted, and what to write.
    pub(super) const fn range(self) -> Option<(i64, i64, &'static str)> {
        match self {
            Self::Port => Some((1, 65535, "a port is 1 to 65535")),
            Self::Seconds => Some((1, 300, "write 1 to 300 seconds")),
            _ => None,
        }
    }
}

const fn needed(name: &'static str, kind: KeyKind) -> Key {
    Key { name, is_required: true, kind }
}

const fn optional(name: &'static str, kind: KeyKind) -> Key {
    Key { name, is_required: false, kind }
}

const OUTBOX: Provider = Provider { name: "outbox", keys: &[] };

const EMAIL: &[Provider] = &[
    Provider {
        name: "smtp",
        keys: &[
            needed("host", KeyKind::Text),
            optional("port", KeyKind::Port),
            optional("encryption", KeyKind::Encryption),
            optional("username", KeyKind::Text),
            optional("password", KeyKind::Secret),
            needed("from", KeyKind::Text),
            optional("timeout_seconds", KeyKind::Seconds),
        ],
    },
    OUTBOX,
];

const SMS: &[Provider] = &[
    Provider {
        name: "aliyun",
        keys: &[
            needed("access_key_id", KeyKind::Text),
            needed("access_key_secret", KeyKind::Secret),
            needed("sign_name", KeyKind::Text),
            needed("template_code", KeyKind::Text),
            optional("template_codes", KeyKind::Purposes),
            optional("international_template_code", KeyKind::Text),
            optional("code_parameter", KeyKind::Text),
            optional("minutes_parameter", KeyKind::Text),
            optional("endpoint", KeyKind::Text),
        ],
    },
    Provider {
        name: "tencent",
        keys: &[
            needed("secret_id", KeyKind::Text),
            needed("secret_key", KeyKind::Secret),
            needed("sdk_app_id", KeyKind::Text),
            optional("sign_name", KeyKind::Text),
            needed("template_id", KeyKind::Text),
            optional("template_ids", KeyKind::Purposes),
            optional("international_template_id", KeyKind::Text),
            optional("parameters", KeyKind::Parameters),
            optional("region", KeyKind::Text),
            optional("endpoint", KeyKind::Text),
        ],
    },
    Provider {
        name: "http",
        keys: &[
            needed("url", KeyKind::Secret),
            optional("headers", KeyKind::Headers),
            needed("body", KeyKind::Body),
            optional("accepted", KeyKind::Accepted),
        ],
    },
    OUTBOX,
];

/// The providers of a channel. None for templates.
pub(super) const fn providers(kind: SenderKind) -> &'static [Provider] {
    match kind {
        SenderKind::Email => EMAIL,
        SenderKind::Sms => SMS,
        SenderKind::Templates => &[],
    }
}

/// The names of the providers of a channel.
pub(super) const fn names(kind: SenderKind) -> &'static [&'static str] {
    match kind {
        SenderKind::Email => &["smtp", "outbox"],
        SenderKind::Sms => &["aliyun", "tencent", "http", "outbox"],
        SenderKind::Templates => &[],
    }
}

/// The names of the purposes of messages, in the order of [`TemplateKind::ALL`].
pub(super) fn purposes() -> impl Iterator<Item = &'static str> {
    TemplateKind::ALL.iter().map(|kind| kind.as_str())
}

/// Checks a text.
///
/// # Errors
/// The rule.
pub(super) fn check_text(text: &str) -> Result<(), &'static str> {
    let fits = !text.trim().is_empty() && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err("write at least one character, and no control characters") }
}

/// Checks a secret. Spaces at its ends are what was copied with it, and no provider's secret has any.
///
/// # Errors
/// The rule.
pub(super) fn check_secret(text: &str) -> Result<(), &'static str> {
    let is_whole = text.trim() == text && !text.chars().any(char::is_control);
    if is_whole && (1..=4096).contains(&text.len()) {
        Ok(())
    } else {
        Err("write 1 to 4096 characters, no control characters, and no spaces at the ends")
    }
}

/// Builds a sender to check its settings by the provider's own rules. Nothing is sent, and no connection is made.
/// Returns the setting that is wrong, and why.
pub(super) fn problem_of(settings: &Settings<'_>) -> Option<(&'static str, String)> {
    let clock = Arc::new(SystemClock);
    // A problem of the machine, such as missing root certificates, is not one of the settings.
    let http = GuardedClient::new(guarded::Settings::default()).ok()?;
    let sender_context = SenderContext {
        http,
        outbox: Some(Outbox::new(clock.clone())),
        clock,
        random: Arc::new(SystemRandom),
    };
    let (built, is_http) = match settings {
        Settings::Mail(mail) => (mail.build(&sender_context).map(drop), false),
        Settings::Sms(sms) => (sms.build(&sender_context).map(drop), matches!(sms, SmsSettings::Http(_))),
    };
    let Err(BuildError::Setting { setting, reason, .. }) = built else { return None };
    // The `http` provider calls its endpoint `url`.
    Some((if is_http && setting == "endpoint" { "url" } else { setting }, reason))
}

/// The settings of a sender.
pub(super) enum Settings<'a> {
    Mail(&'a MailSettings),
    Sms(&'a SmsSettings),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_named() {
        for kind in SenderKind::ALL {
            let named: Vec<_> = providers(kind).iter().map(|provider| provider.name).collect();
            assert_eq!(named, names(kind));
        }
    }
}
