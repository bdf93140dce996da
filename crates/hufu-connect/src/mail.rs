//! Mail messages, and sending them over SMTP.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use hufu_types::{Clock, Email, Random};
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Tls, TlsParameters},
        extension::ClientId,
    },
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    BuildError, Fault, GuardedClient, OutgoingError, SendError, SenderContext, StoredSecret, is_public,
};

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
    /// The server's host name. Its addresses are public, or in the private networks of the guard.
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

/// Sends through a mail server, with one connection per message. It goes to an address that the guard has checked: whoever
/// sets the host of a pool's sender must not reach by it what only this machine can.
pub struct Smtp {
    guard: GuardedClient,
    host: String,
    port: u16,
    tls: Tls,
    hello: ClientId,
    credentials: Option<Credentials>,
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
        let credentials = match (&settings.username, &settings.password) {
            (Some(username), Some(password)) => {
                Some(Credentials::new(username.clone(), password.expose().to_owned()))
            }
            (None, None) => None,
            (Some(_), None) => return Err(wrong("password", "required with `username`")),
            (None, Some(_)) => return Err(wrong("username", "required with `password`")),
        };
        Ok(Self {
            guard: sender_context.http.clone(),
            host: settings.host.clone(),
            port: settings.port.unwrap_or(settings.encryption.port()),
            tls: match settings.encryption {
                Encryption::None => Tls::None,
                Encryption::Starttls => Tls::Required(tls()?),
                Encryption::Tls => Tls::Wrapper(tls()?),
            },
            // A container's host name means nothing to a mail server.
            hello: ClientId::Domain(from.email.domain().to_owned()),
            credentials,
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

impl Smtp {
    async fn deliver(&self, mail: &Mail, message: &Message) -> Result<(), SendError> {
        let addresses = self.guard.addresses(&self.host).await.map_err(|error| match error {
            OutgoingError::AddressRefused => {
                let what = "the mail server's address is not public, and not in `outgoing_private`";
                SendError::new(PROVIDER, Fault::Settings, what)
            }
            error => SendError::outgoing(PROVIDER, error),
        })?;
        let is_private = !addresses.iter().all(|address| is_public(address.to_canonical()));
        let servers: Vec<_> =
            addresses.into_iter().map(|address| SocketAddr::new(address, self.port)).collect();
        let mut step = Step::Connecting;
        let Err(error) = self.talk(&servers, message, &mut step).await else { return Ok(()) };
        let told = interpret(&error, mail);
        Err(if is_private { told.told_as(step.summary(&error)) } else { told })
    }

    /// Hands the message to the first of these servers that takes the connection.
    async fn talk(
        &self,
        servers: &[SocketAddr],
        message: &Message,
        step: &mut Step,
    ) -> Result<(), SmtpError> {
        let wrapper = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let timeout = Some(self.timeout);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(servers, timeout, &self.hello, wrapper, None).await?;
        if let Tls::Required(parameters) = &self.tls {
            *step = Step::Encrypting;
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            *step = Step::LoggingIn;
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        *step = Step::Sending;
        connection.send(message.envelope(), &message.formatted()).await?;
        connection.abort().await;
        Ok(())
    }
}

impl Mailer for Smtp {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let message = self.message(mail)?;
            let sent = tokio::time::timeout(self.timeout, self.deliver(mail, &message)).await;
            sent.unwrap_or_else(|_| Err(SendError::new(PROVIDER, Fault::Temporary, TOO_SLOW)))
        })
    }
}

const TOO_SLOW: &str = "the mail server is too slow";
const NO_TLS: &str = "TLS with the mail server failed";
const NO_CONNECTION: &str = "the connection to the mail server failed";

/// How far a conversation with a mail server has come.
#[derive(Clone, Copy)]
enum Step {
    Connecting,
    Encrypting,
    LoggingIn,
    Sending,
}

impl Step {
    /// What may be told of a failure if the server is not public: nothing that the server says of itself.
    fn summary(self, error: &SmtpError) -> &'static str {
        match self {
            _ if error.is_timeout() => TOO_SLOW,
            _ if error.is_tls() => NO_TLS,
            Self::Connecting => NO_CONNECTION,
            Self::Encrypting => NO_TLS,
            Self::LoggingIn => "the mail server refused the login",
            Self::Sending => "the mail server refused the message",
        }
    }
}

/// Interprets a reply from the mail server, or an error that occurred instead.
fn interpret(error: &SmtpError, mail: &Mail) -> SendError {
    use secrecy::ExposeSecret;

    let Some(code) = error.status().map(u16::from) else {
        let (fault, what) = if error.is_tls() {
            (Fault::Settings, NO_TLS)
        } else if error.is_timeout() {
            (Fault::Temporary, TOO_SLOW)
        } else if error.is_client() {
            // No common authentication mechanism, no STARTTLS, or an address that the server does not
            // support.
            (Fault::Settings, "the mail server does not support what the settings require")
        } else {
            (Fault::Temporary, NO_CONNECTION)
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
