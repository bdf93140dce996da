//! Tests of the public interface: test vectors, error classes, and calls to a small server that plays WeChat
//! on loopback.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod calls;
mod classes;
mod data;
mod failures;
mod fake;
mod message;
mod phone;
mod retries;
mod user;
