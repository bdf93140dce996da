//! Tests of the store through its public surface, on both engines.
#![cfg(test)]

mod config;
mod durability;
mod exchanges;
mod group_commit;
mod instance;
mod keys;
mod locks;
mod logins;
mod opening;
mod races;
mod rates;
mod raw;
mod refresh_tokens;
mod schema;
mod sessions;
mod statements;
mod support;
mod uploads;
mod users;
