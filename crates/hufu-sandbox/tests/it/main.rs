//! The sandbox seen from outside: WeChat's API, the control API and the page.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests may fail like the tests themselves"
)]

mod control;
mod faults;
mod identity;
mod login;
mod page;
mod phone;
mod sealed;
mod sessions;
mod sns;
mod support;
mod tokens;
