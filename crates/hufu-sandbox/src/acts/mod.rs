//! What people do with WeChat: authorize, scan, follow, write. The phone, the control API and the Rust API all end
//! here.

pub(crate) mod account;
pub(crate) mod message;
pub(crate) mod mini;
pub(crate) mod push;
mod reply;
pub(crate) mod scan;
pub(crate) mod web;
