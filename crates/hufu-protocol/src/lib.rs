//! JOSE, OAuth 2 and OpenID Connect as values: signing keys, tokens, scopes.
//!
//! A [`SigningKey`] signs claims as one [`TokenType`]; [`verify`] reads a token back with a [`KeySet`].
//! [`ClientKeys`] verify what clients sign; [`dpop`] reads proofs that they have a key. [`sealing`] encrypts private keys and other secrets that are stored in a database.
//!
//! This crate performs no I/O, never blocks and knows nothing about HTTP. Keys are parsed once when loaded
//! and then shared, because login is the hot path.

mod claims;
mod client_keys;
pub mod dpop;
mod jwk;
mod key;
mod pairwise;
pub mod pkce;
mod request_signature;
pub mod sealing;
mod secret;
mod token;

pub use claims::{
    AccessTokenClaims, Audience, ClientTokenClaims, Confirmation, ID_TOKEN_ONLY, IdTokenClaims,
    LogoutTokenClaims, ManagementTokenClaims, UserTokenClaims, half_hash,
};
pub use client_keys::{ClientKeys, ClientKeysError, ClientSignatureError, Signed, unverified_subject};
pub use jwk::{Jwk, KeySet, PublicParameters, VerifyingKey};
pub use key::{KeyError, Pkcs8, SignError, SigningKey};
pub use pairwise::PairwiseKey;
pub use request_signature::{is_signature_of, signature_of};
pub use secret::SecretBytes;
pub use token::{Expectation, MAX_TOKEN_LENGTH, TokenError, TokenType, Verified, declared_type, verify};
