//! Tests of the store through its public surface, on both engines.
#![cfg(test)]

mod audit;
mod config;
mod crowd;
mod durability;
mod exchanges;
mod flows;
mod group_commit;
mod histories;
mod instance;
mod jobs;
mod keys;
mod locks;
mod login_events;
mod logins;
mod merges;
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
mod webhooks;
