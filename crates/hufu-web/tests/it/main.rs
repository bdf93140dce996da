//! The server over HTTP, against the sandbox as WeChat, on both database engines.
//!
//! [`world`] makes an instance with two pools, [`client`] talks to it as the
//! published clients do. Whatever a test learns that is secret is looked for in
//! the log when the test ends ([`logs`]).
#![cfg(test)]

mod administration;
mod administrators;
mod arrivals;
mod bearers;
mod client;
mod codes;
mod configuration;
mod credentials;
mod cross_origin;
mod input;
mod isolation;
mod limits;
mod login_flows;
mod logs;
mod merging;
mod outbox;
mod people;
mod personal;
mod phones;
mod profiles;
mod refusals;
mod routing;
mod sessions;
mod signing_keys;
mod uploads;
mod wechat_failures;
mod world;
