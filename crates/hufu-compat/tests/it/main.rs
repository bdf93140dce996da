//! The API of the published clients, against the sandbox as WeChat, on both database engines.
//!
//! `world` makes an instance with two pools, `client` talks to it as the published clients do. Whatever a test learns
//! that is secret is looked for in the log when the test ends (`logs`).
#![cfg(test)]

mod arrivals;
mod bearers;
mod codes;
mod configuration;
mod credentials;
mod isolation;
mod limits;
mod login_flows;
mod merging;
mod messages;
mod mobile;
mod people;
mod personal;
mod phones;
mod profiles;
mod refusals;
mod routing;
mod uploads;
mod wechat_failures;

use hufu_testkit::{client, logs, world};
