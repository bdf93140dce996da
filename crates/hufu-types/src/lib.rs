//! The domain of Hufu as values: ids, names, users, identities, connections,
//! applications, and the rules of account resolution as pure functions.
//!
//! Nothing here waits or does I/O. Time and randomness come in as parameters
//! ([`Clock`], [`Random`]), so that tests decide both.

mod application;
mod connection;
mod environment;
mod failure;
mod id;
mod name;
pub mod resolution;
mod scope;
mod secret;
mod time;
mod user;

pub use application::{Application, ApplicationKind, SigningAlgorithm, TokenLifetimes};
pub use connection::{Connection, ConnectionKind, OpenPlatform, Pool, WechatApp, WechatAppIdError};
pub use environment::{Clock, Random, SystemClock, SystemRandom, TestClock, TestRandom};
pub use failure::chain;
pub use id::{ApplicationId, ConnectionId, IdError, PoolId, SessionId, UserId};
pub use name::{Email, Identifier, NameError, Phone, Username};
pub use scope::{Scope, ScopeSet};
pub use secret::{OpaqueToken, TokenHash, TokenPurpose};
pub use time::Timestamp;
pub use user::{Gender, Identity, IdentityKey, IdentityKind, PhoneProof, Profile, User, UserStatus};
