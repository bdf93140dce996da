//! Tests of the store through its public surface, on both engines.
#![cfg(test)]

mod app_tokens;
mod config;
mod exchanges;
mod group_commit;
mod groups;
mod instance;
mod jobs;
mod keys;
mod locks;
mod opening;
mod plans;
mod rates;
mod schema;
mod statements;
mod support;
mod uploads;
mod users;
