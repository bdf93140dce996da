//! Hufu's outgoing communication except for WeChat: an HTTP client for URLs chosen by others, mail over SMTP,
//! SMS through three kinds of provider, the texts of both, and webhook signatures.
//!
//! - [`guarded`]: the only outgoing HTTP client besides the WeChat client. It only connects to addresses that
//!   it has checked.
//! - [`mail`] and [`sms`]: the traits [`Mailer`] and [`SmsSender`]. Failures are a [`SendError`].
//! - [`sender`]: the stored settings of both, and how to create a sender from them.
//! - [`outbox`]: the sender for development, which keeps messages in memory.
//! - [`templates`]: the texts of messages, by purpose and language.
//! - [`signature`]: webhook signatures.
//!
//! Time and randomness come from [`SenderContext`]. This crate knows nothing about the database or the
//! server.

mod address;
mod cloud;
mod error;
pub mod guarded;
pub mod invitation;
pub mod mail;
pub mod outbox;
mod secret;
pub mod sender;
pub mod signature;
pub mod sms;
pub mod templates;
mod trust;

pub use address::is_public;
pub use error::{BuildError, Fault, SendError};
pub use guarded::{GuardedClient, OutgoingError};
pub use mail::{Mail, Mailer, Smtp, SmtpSettings};
pub use outbox::Outbox;
pub use secret::StoredSecret;
pub use sender::{MailSettings, SenderContext, SmsSettings};
pub use sms::{Sms, SmsSender};
pub use templates::{TemplateKind, Templates};
