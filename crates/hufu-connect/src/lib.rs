//! What Hufu says to the world outside WeChat: one guarded HTTP client for every address that somebody else
//! chose, mail over SMTP, text messages through three kinds of provider, the texts of both, and the signature of
//! webhooks.
//!
//! - [`guarded`]: the only outgoing HTTP client beside WeChat's. It connects to addresses that were checked.
//! - [`mail`] and [`sms`]: a small trait each, [`Mailer`] and [`SmsSender`]; what failed is a [`SendError`].
//! - [`sender`]: the settings of both as stored, and how a sender is made of them.
//! - [`outbox`]: the sender of development, which keeps messages in memory.
//! - [`templates`]: what messages say, per purpose and language.
//! - [`signature`]: the signature of webhooks.
//!
//! Time and randomness come in through [`Means`]. Nothing here knows the database or the server.

mod address;
mod cloud;
mod error;
pub mod guarded;
pub mod mail;
pub mod outbox;
mod secret;
pub mod sender;
pub mod signature;
pub mod sms;
pub mod templates;

pub use address::is_public;
pub use error::{BuildError, Fault, SendError};
pub use guarded::{GuardedClient, OutgoingError};
pub use mail::{Mail, Mailer, Smtp, SmtpSettings};
pub use outbox::Outbox;
pub use secret::StoredSecret;
pub use sender::{MailSettings, Means, SmsSettings};
pub use sms::{Sms, SmsSender};
pub use templates::{TemplateKind, Templates};
