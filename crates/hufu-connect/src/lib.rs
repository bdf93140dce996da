//! How Hufu talks to the world outside WeChat: one guarded HTTP client for every address that somebody else
//! chose, mail over SMTP, text messages through three kinds of provider, the texts of both, and webhook
//! signatures.
//!
//! - [`guarded`]: the only outgoing HTTP client besides WeChat's. It connects only to addresses that it has
//!   checked.
//! - [`mail`] and [`sms`]: a small trait each, [`Mailer`] and [`SmsSender`]; failures are a [`SendError`].
//! - [`sender`]: the stored settings of both, and how to create a sender from them.
//! - [`outbox`]: the sender for development, which keeps messages in memory.
//! - [`templates`]: what messages say, per purpose and language.
//! - [`signature`]: webhook signatures.
//!
//! Time and randomness come from [`SenderContext`]. Nothing here knows the database or the server.

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
pub use sender::{MailSettings, SenderContext, SmsSettings};
pub use sms::{Sms, SmsSender};
pub use templates::{TemplateKind, Templates};
