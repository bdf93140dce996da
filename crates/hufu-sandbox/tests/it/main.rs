//! The sandbox seen from outside: WeChat's API, the control API and the page.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests may fail like the tests themselves"
)]

mod accounts;
mod control;
mod faults;
mod handset;
mod identity;
mod login;
mod minis;
mod page;
mod phone;
mod pushes;
mod receiver;
mod sealed;
mod sessions;
mod sns;
mod support;
mod tokens;
mod web;
