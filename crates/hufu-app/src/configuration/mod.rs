//! The configuration of an instance: pools with their settings, connections, applications, and how they send messages.
//!
//! Whoever changes it, `hufu apply`, an endpoint or the console, does so by the same operations ([`PutPool`],
//! [`PutConnection`], [`PutApplication`], [`PutSender`], [`RemoveSender`]), each a unit of its own as a [`Change`], or many
//! in one unit as [`apply`] has it. Each object has a revision, so that nobody overwrites what they have not seen.
//!
//! Reading order: [`Config`] (what a node holds in memory), `change` (what all operations have in common), one module per
//! object, [`apply`].

mod applications;
pub mod apply;
mod change;
mod connections;
mod memory;
mod pools;
pub(crate) mod senders;
mod shards;

pub use self::applications::PutApplication;
pub use self::change::{Change, Operation, Outcome, Rejection};
pub use self::connections::{PutConnection, WantedConnection};
pub use self::memory::{ApplicationHint, Config, PoolConfig, named};
pub use self::pools::PutPool;
pub use self::senders::{PutSender, RemoveSender, Sender};
pub use hufu_store::config::Revised;
