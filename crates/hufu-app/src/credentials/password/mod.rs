//! Passwords: what clients send, what the database stores, and what a pool requires of them.
//!
//! Reading order: `change` (changing and resetting), `verify`, [`transport`] (decrypting what clients send,
//! with `key_pairs`), [`policy`] (which passwords are accepted), [`hash`] (hashing and verifying outside the
//! asynchronous threads), [`foreign`] (hashes made elsewhere). Passwords are never hashed inside a unit of
//! work.

pub(crate) mod change;
mod error;
pub mod foreign;
pub mod hash;
pub(crate) mod key_pairs;
mod memory;
mod phc;
pub mod policy;
mod rsa_key;
mod sm2_key;
pub mod transport;
pub mod unit;
pub(crate) mod verify;

pub use error::HashingError;
pub use foreign::{ForeignHashError, StoredPassword};
pub use hash::{Calibration, Cost, Hasher, Place, Turn, Verdict, calibrate};
pub use policy::Weakness;
pub use transport::PasswordEncryption;

pub(crate) use hash::hash;
pub(crate) use key_pairs::PasswordKeys;

/// An alias of [`HashingError`] for callers that only hash.
pub type PasswordError = HashingError;
