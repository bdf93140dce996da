//! The crate through its public surface.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails, in its helpers too"
)]

mod claims;
mod fixture;
mod forgeries;
mod keys;
mod sealing;
mod tokens;
