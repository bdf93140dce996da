//! Logins through WeChat.
//!
//! Reading order: `exchange` (a code of a client becomes ids), `mini_program` (a login), `client_data` (what a client
//! wants to know without logging in).

pub(crate) mod client_data;
pub(crate) mod exchange;
pub(crate) mod mini_program;
