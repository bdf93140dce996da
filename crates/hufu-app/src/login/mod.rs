//! Logging in, whichever way a person comes.
//!
//! Reading order: `entry` (what every login writes and answers with), `by_credentials` and `registration` (the ways
//! that need no source), `flow` (a login that waits goes on).

pub(crate) mod by_credentials;
pub(crate) mod by_source;
pub(crate) mod entry;
mod first_login;
pub(crate) mod flow;
mod registration;
