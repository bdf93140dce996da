//! The API calls, by what they are made for.

pub(crate) mod mini_program_links;
pub(crate) mod official_account;

mod mini_program;
mod user;
