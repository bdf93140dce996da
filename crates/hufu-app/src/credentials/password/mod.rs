//! Passwords: what a client sends, what the database holds, and what a pool asks of them.
//!
//! Reading order: `change` (changing and resetting one), `verify`, [`transport`] (from the wire to a password, with
//! `key_pairs`), [`policy`] (which passwords are taken), [`hash`] (hashing and verifying off the
//! asynchronous threads), [`foreign`] (hashes that were made elsewhere). Hashing is never done inside a
//! unit of work.

pub(crate) mod change;
pub mod foreign;
pub mod hash;
mod key_pairs;
mod phc;
pub mod policy;
mod rsa_key;
mod sm2_key;
pub mod transport;
pub mod unit;
pub(crate) mod verify;

pub use foreign::{ForeignHashError, StoredPassword};
pub use hash::{Calibration, Cost, Hasher, HashingError, Verdict, calibrate};
pub use policy::Weakness;
pub use transport::PasswordEncryption;

pub(crate) use hash::hash;
pub(crate) use key_pairs::PasswordKeys;

/// The name of [`HashingError`] for those who only hash.
pub type PasswordError = HashingError;
