//! The use cases and their units of work, through the public surface, on both database engines.
#![cfg(test)]

mod apply;
mod audit;
mod audit_log;
mod authorization;
mod browser_sessions;
mod credentials;
mod crowd;
mod deliveries;
mod durability;
mod events;
mod facts;
mod flows;
mod histories;
mod login_events;
mod logins;
mod merges;
mod races;
mod refresh_tokens;
mod sessions;
mod support;
mod tickets;
mod together;
mod transfer;
mod upgrades;
mod webhooks;
