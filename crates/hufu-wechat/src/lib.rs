//! A standalone WeChat client: code exchange, phone numbers, app tokens, data decryption, error classes.
//!
//! [`Client`] talks to WeChat's server API, or to a simulator of it: every base URL is configurable. Its
//! guarantees:
//!
//! - A call never takes longer than its [`Budget`], and the size of the body it reads is limited.
//! - A code is only sent again if WeChat itself responded "busy" (`errcode` -1) or no connection could be
//!   made. After a timeout, a reset, a 5xx or an HTML page, the code may have been consumed. Nothing is
//!   resent then, and the error says so ([`Error::is_ambiguous`]).
//! - Every error has one [`Class`], which says what the caller should do. WeChat's request id is kept; URLs,
//!   secrets, codes and openids never appear in an error.
//! - App tokens are fetched once for all waiting callers, and renewed before they expire. Where they are kept
//!   can be replaced: see [`AppTokens`].
//!
//! [`website_page`] and [`official_account_page`] are the addresses of WeChat's authorize pages, and [`message`] reads
//! what WeChat pushes.
//! [`crypto`] contains the algorithms of mini programs (`encryptedData`, `rawData`) and of message pushes;
//! [`wire`] contains the JSON types, which simulators can share.

pub mod crypto;
pub mod message;
pub mod wire;

mod api;
mod authorize;
mod broker;
mod calls;
mod class;
mod client;
mod data;
mod error;
mod fields;
mod identity;
mod image;
mod settings;
mod tokens;
mod transport;

pub use api::AccessToken;
pub use authorize::{
    InvalidState, LONGEST_STATE, PageLanguage, State, WebScope, official_account_page, qr_image, website_page,
};
pub use calls::{
    mini_program_links::{CodeImage, EnvVersion, LinkExpiry, LinkTarget},
    official_account::{Follower, LONGEST_QR_LIFE, QrCode},
};
pub use class::{Class, Endpoint, classify};
pub use client::Client;
pub use crypto::DecryptError;
pub use data::{DataError, MAX_CLOCK_SKEW, is_fresh, open_user_data};
pub use error::{BuildError, Error, ErrorKind};
pub use identity::{CodeSession, InvalidSessionKey, PhoneNumber, SessionKey, UserAuthorization, UserInfo};
pub use image::{Image, ImageFormat};
pub use settings::{AppCredentials, Budget, Endpoints, Settings};
pub use tokens::{AppToken, AppTokens};
