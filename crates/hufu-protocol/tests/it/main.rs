//! Tests of the crate's public interface.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests and their helpers fail by panicking"
)]

mod claims;
mod client_keys;
mod dpop;
mod fixture;
mod forgeries;
mod keys;
mod sealing;
mod tokens;
