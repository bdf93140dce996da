//! Tests of the public interface: test vectors, error classes, and calls to a small server that plays WeChat
//! on loopback.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod app_calls;
mod authorize;
mod calls;
mod classes;
mod data;
mod failures;
mod fake;
mod message;
mod phone;
mod push;
mod retries;
mod user;
