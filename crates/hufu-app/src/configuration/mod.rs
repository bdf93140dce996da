//! The configuration of an instance: pools with their settings, connections, applications and message
//! senders.
//!
//! Every change, whether by `hufu apply`, an endpoint or the console, is made through the same operations
//! ([`PutPool`], [`PutConnection`], [`PutApplication`], [`AddClientSecret`], [`PutSender`] and those that
//! remove). Each runs in its own unit as a [`Change`], or many run in one unit, as in [`apply`]. What arrives as JSON is
//! read and written by the operations of [`document`], which end in the same ones. Each object has a revision, so that
//! nobody overwrites changes they have not seen.
//!
//! Reading order: [`Config`] (the configuration in a node's memory), `change` (what all operations share),
//! one module per object, [`apply`].

mod applications;
pub mod apply;
mod change;
mod connections;
pub(crate) mod console;
pub mod document;
mod memory;
mod pools;
mod secrets;
mod sender_keys;
pub(crate) mod senders;
mod shards;

pub(crate) use self::applications::key_problem;
pub use self::applications::{AddClientSecret, PutApplication, RemoveApplication, RemoveClientSecret};
pub use self::change::{Change, Operation, Outcome, Rejection};
pub use self::connections::{PutConnection, RemoveConnection, WantedConnection};
pub(crate) use self::memory::unseal;
pub use self::memory::{ApplicationHint, Config, PoolConfig, named};
pub use self::pools::{PoolChange, PutPool, SetPoolState};
pub use self::secrets::{RotateError, rotate_secret};
pub use self::senders::{PutSender, RemoveSender, Sender};
pub use hufu_store::config::Revised;
pub use hufu_store::senders::SenderKind;
