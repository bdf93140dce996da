//! A WeChat client that can be used alone: code exchange, phone numbers, app tokens, data decryption, error
//! classes.
//!
//! [`Client`] talks to WeChat's server API, or to anything that simulates it: every base address is a
//! setting. Its guarantees:
//!
//! - A call never outlives its [`Budget`], and reads a bounded body.
//! - A code is sent again only if WeChat itself answered "busy" (`errcode` -1) or no connection could be
//!   made. After a timeout, a reset, a 5xx or an HTML page, the code may be spent; the error then says so
//!   ([`Error::is_ambiguous`]), and nothing is resent.
//! - Every error has one [`Class`], which says what the caller should do. WeChat's request id is kept;
//!   addresses, secrets, codes and openids never appear in an error.
//! - App tokens are fetched once for all waiting callers, and renewed before they expire.
//!
//! [`crypto`] has the algorithms of mini programs (`encryptedData`, `rawData`) and of message pushes;
//! [`wire`] has the JSON shapes, which a simulator can share.

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
