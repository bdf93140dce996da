//! Mail messages, and sending them over SMTP.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use hufu_types::{Clock, Email, Random};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{BuildError, Fault, SendError, SenderContext, StoredSecret};

/// A message to one mailbox.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The recipient.
    pub to: Email,
    /// The subject, in one line.
    pub subject: String,
    /// The plain text version.
    pub text: String,
    /// The HTML version.
    pub html: Option<String>,
    /// The code contained in the texts. The development outbox shows it separately, and errors redact it.
    pub code: Option<SecretString>,
}

/// Sends mail.
pub trait Mailer: Send + Sync {
    /// Hands a message to the next server.
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), SendError>>;
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// None. Only for a server on the same machine or network, because credentials are sent in plain text.
    None,
    /// Starts in plain text, then requires TLS (RFC 3207). If the server does not offer it, nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
}

impl Encryption {
    /// The default port: 25, 587, 465.
    pub const fn port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::Starttls => 587,
            Self::Tls => 465,
        }
    }
}

/// A mail server, and the account used for sending.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// The server's host name. The operator chooses it, so private addresses are allowed.
    pub host: String,
    /// The port. Defaults to the usual one for the encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is protected. Defaults to STARTTLS.
    #[serde(default)]
    pub encryption: Encryption,
    /// The username. If it is omitted, there is no authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password for `username`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<StoredSecret>,
    /// The sender: `name@example.com` or `A Name <name@example.com>`.
    pub from: String,
    /// The maximum duration of sending one message, in seconds.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u16,
}

const fn default_timeout() -> u16 {
    15
}

const PROVIDER: &str = "smtp";

/// Sends through a mail server, with one connection per message.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").finish_non_exhaustive()
    }
}

impl Smtp {
    /// Creates a sender. Does not connect yet.
    ///
    /// # Errors
    /// [`BuildError`] for an invalid sender address, half of the credentials, or TLS without root
    /// certificates.
    pub fn new(settings: &SmtpSettings, sender_context: &SenderContext) -> Result<Self, BuildError> {
        let wrong = |setting, reason: &str| BuildError::setting(PROVIDER, setting, reason);
        let from: Mailbox = settings
            .from
            .parse()
            .map_err(|_| wrong("from", "must have the form name@example.com or A Name <name@example.com>"))?;
        if settings.host.is_empty() {
            return Err(wrong("host", "must name the mail server"));
        }
        let tls =
            || TlsParameters::new(settings.host.clone()).map_err(|error| BuildError::Tls(Arc::new(error)));
        let timeout = Duration::from_secs(settings.timeout_seconds.max(1).into());
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port.unwrap_or(settings.encryption.port()))
            .tls(match settings.encryption {
                Encryption::None => Tls::None,
                Encryption::Starttls => Tls::Required(tls()?),
                Encryption::Tls => Tls::Wrapper(tls()?),
            })
            // A container's host name means nothing to a mail server.
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .timeout(Some(timeout));
        match (&settings.username, &settings.password) {
            (Some(username), Some(password)) => {
                transport =
                    transport.credentials(Credentials::new(username.clone(), password.expose().to_owned()));
            }
            (None, None) => {}
            (Some(_), None) => return Err(wrong("password", "required with `username`")),
            (None, Some(_)) => return Err(wrong("username", "required with `password`")),
        }
        Ok(Self {
            transport: transport.build(),
            from,
            timeout,
            clock: Arc::clone(&sender_context.clock),
            random: Arc::clone(&sender_context.random),
        })
    }

    fn message(&self, mail: &Mail) -> Result<Message, SendError> {
        let send_error = |fault, what| SendError::new(PROVIDER, fault, what);
        let to = mail.to.as_str().parse::<Address>();
        let to = to.map_err(|_| send_error(Fault::Recipient, "not a valid mail address"))?;
        let mut id = [0_u8; 16];
        self.random.fill(&mut id);
        let since = Duration::from_millis(u64::try_from(self.clock.now().0).unwrap_or_default());
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject.replace(char::is_control, " "))
            .date(std::time::UNIX_EPOCH + since)
            .message_id(Some(format!("<{}@{}>", hex::encode(id), self.from.email.domain())));
        // Suppresses out-of-office replies (RFC 3834).
        if let Ok(name) = HeaderName::new_from_ascii("Auto-Submitted".to_owned()) {
            builder = builder.raw_header(HeaderValue::new(name, "auto-generated".to_owned()));
        }
        match &mail.html {
            None => builder.body(mail.text.clone()),
            Some(html) => {
                builder.multipart(MultiPart::alternative_plain_html(mail.text.clone(), html.clone()))
            }
        }
        .map_err(|_| send_error(Fault::Settings, "the message cannot be composed"))
    }
}

impl Mailer for Smtp {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let message = self.message(mail)?;
            let sent = tokio::time::timeout(self.timeout, self.transport.send(message)).await;
            match sent {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(interpret(&error, mail)),
                Err(_) => Err(SendError::new(PROVIDER, Fault::Temporary, "the mail server is too slow")),
            }
        })
    }
}

/// Interprets a reply from the mail server, or an error that occurred instead.
fn interpret(error: &lettre::transport::smtp::Error, mail: &Mail) -> SendError {
    use secrecy::ExposeSecret;

    let Some(code) = error.status().map(u16::from) else {
        let (fault, what) = if error.is_tls() {
            (Fault::Settings, "TLS with the mail server failed")
        } else if error.is_timeout() {
            (Fault::Temporary, "the mail server is too slow")
        } else if error.is_client() {
            // No common authentication mechanism, no STARTTLS, or an address that the server does not
            // support.
            (Fault::Settings, "the mail server does not support what the settings require")
        } else {
            (Fault::Temporary, "the connection to the mail server failed")
        };
        return SendError::new(PROVIDER, fault, what);
    };
    let fault = match code {
        // RFC 5321, 4.2.3: no such mailbox, moved, full, name not allowed. RFC 7504: accepts no mail.
        550..=553 | 556 => Fault::Recipient,
        400..=499 => Fault::Temporary,
        // Credentials, an unknown command, or a message rejected as a whole.
        _ => Fault::Settings,
    };
    let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let hidden = mail.code.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    SendError::from_provider(PROVIDER, fault, &code.to_string(), &reason, &[mail.to.as_str(), hidden])
}
