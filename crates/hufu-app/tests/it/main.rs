//! The use cases, through the public surface, on both database engines.
#![cfg(test)]

mod apply;
mod audit;
mod credentials;
mod events;
mod transfer;
mod upgrades;
mod webhooks;
