//! The configuration of an instance: pools with their settings, connections, applications and senders.
//!
//! Reading order: [`Config`] (what a node holds in memory), `senders`, [`apply`].

pub mod apply;
mod memory;
pub(crate) mod senders;

pub use memory::{Config, Named, named};
