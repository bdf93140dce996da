//! The API of the published clients, against the sandbox as WeChat, on both database engines.
//!
//! `world` creates an instance with two pools, and `client` talks to it as the published clients do. At the
//! end of each test, the log is searched for every secret that the test came across (`logs`).
#![cfg(test)]

mod arrivals;
mod bearers;
mod codes;
mod configuration;
mod credentials;
mod guard;
mod isolation;
mod limits;
mod login_flows;
mod management;
mod merging;
mod messages;
mod mobile;
mod mobile_calls;
mod official_accounts;
mod own_changes;
mod people;
mod personal;
mod phones;
mod profiles;
mod public_config;
mod qr_codes;
mod refusals;
mod replays;
mod routing;
mod scopes;
mod uploads;
mod ways_in;
mod wechat_failures;

use hufu_testkit::{client, logs, world};
