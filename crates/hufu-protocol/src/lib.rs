//! JOSE, OAuth 2 and OpenID Connect as values: signing keys, tokens, scopes.
//!
//! A [`SigningKey`] signs claims as one [`TokenType`]; [`verify`] reads a token back with a [`KeySet`].
//! [`sealing`] encrypts private keys and other secrets that a database holds.
//!
//! Nothing here waits, does I/O or knows HTTP. Keys are parsed when they are loaded and then shared, because
//! login is the hot path.

mod claims;
mod jwk;
mod key;
pub mod sealing;
mod secret;
mod token;

pub use claims::{AccessTokenClaims, IdTokenClaims, UserTokenClaims, at_hash};
pub use jwk::{Jwk, KeySet, PublicParameters, VerifyingKey};
pub use key::{KeyError, Pkcs8, SignError, SigningKey};
pub use secret::SecretBytes;
pub use token::{Expectation, MAX_TOKEN_LENGTH, TokenError, TokenType, Verified, verify};
