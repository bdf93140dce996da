//! A WeChat client usable alone: code exchange, phone numbers, app tokens, data decryption, error classes.
//!
//! [`Client`] speaks to WeChat's server API, or to anything that plays it: every base address is a setting.
//! Its promises:
//!
//! - A call never outlives its [`Budget`], and reads a bounded body.
//! - A code is sent again only after WeChat itself answered "busy" (`errcode` -1) or when no connection came
//!   about. After a time-out, a reset, a 5xx or a page of HTML the code may be spent; the error then says so
//!   ([`Error::is_ambiguous`]), and nothing is resent.
//! - Every error has one [`Class`], which says what the caller should do; WeChat's request id is kept, while
//!   addresses, secrets, codes and openids never appear in an error.
//! - App tokens are fetched once for all callers that wait, and renewed before they end.
//!
//! [`crypto`] holds the algorithms of the mini program (`encryptedData`, `rawData`) and of message pushes;
//! [`wire`] the JSON shapes, which a simulator can share.

pub mod crypto;
pub mod wire;

mod broker;
mod class;
mod client;
mod data;
mod error;
mod identity;
mod settings;
mod transport;

pub use class::{Class, Endpoint, classify};
pub use client::{AccessToken, Client};
pub use crypto::DecryptError;
pub use data::{DataError, MAX_CLOCK_SKEW, is_fresh, open_user_data};
pub use error::{BuildError, Error, ErrorKind};
pub use identity::{CodeSession, InvalidSessionKey, PhoneNumber, SessionKey, UserAuthorization, UserInfo};
pub use settings::{AppCredentials, Budget, Endpoints, Settings};
