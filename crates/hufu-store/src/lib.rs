//! All SQL of Hufu, on SQLite and PostgreSQL; it decides nothing.
//!
//! Each aggregate is a file of statements, of the types of its rows, and of functions over a [`Tx`]. Whoever decides
//! calls them: the units of work in hufu-app, beside the use cases that run them. Here are only units that read or
//! write one thing.
//!
//! A write is a *unit*: a value that implements [`Write`]. Units may run again
//! (PostgreSQL retries them after a lost race), so they hold everything they
//! need and decide nothing by the clock. On SQLite one thread takes the waiting
//! units, runs each in its own savepoint and answers all of them after one
//! `COMMIT`: a group commit. On PostgreSQL each unit is a transaction of its own.
//!
//! Invariants: no answer before its `COMMIT`; every query on a tenant's data has
//! `pool_id` in it; every statement is registered, and a test prepares all of
//! them on both engines; nothing hashes a password or awaits the network inside
//! a unit.
//!
//! Reading order: [`Store`], [`Write`] and [`Read`], then one module per aggregate.

mod engine;
mod error;
mod migrate;
mod postgres;
mod sqlite;
mod tx;
mod unit;
mod value;

pub mod administration;
pub mod audit;
pub mod browser_sessions;
pub mod config;
pub mod conflicts;
pub mod deliveries;
pub mod exchanges;
pub mod exports;
pub mod flows;
pub mod identities;
pub mod imports;
pub mod instance;
pub mod jobs;
pub mod keys;
pub mod login_names;
pub mod merges;
pub mod passcodes;
pub mod passwords;
pub mod rates;
pub mod refresh_tokens;
pub mod search;
pub mod senders;
pub mod sessions;
pub mod step_tokens;
pub mod uploads;
pub mod users;
pub mod versions;
pub mod webhooks;

pub use engine::{DatabaseUrl, DatabaseUrlError, Store};
pub use error::StoreError;
pub use migrate::{Migration, SchemaState};
pub use tx::Tx;
pub use unit::{Read, Write};
pub use value::{Column, Row, Value};

/// Every statement that Hufu sends, with the path of its constant; a test prepares all of them.
pub fn all_statements() -> Vec<(&'static str, &'static str)> {
    [
        administration::STATEMENTS,
        audit::STATEMENTS,
        browser_sessions::STATEMENTS,
        config::STATEMENTS,
        conflicts::STATEMENTS,
        deliveries::STATEMENTS,
        exchanges::STATEMENTS,
        exports::STATEMENTS,
        flows::STATEMENTS,
        identities::STATEMENTS,
        imports::STATEMENTS,
        instance::STATEMENTS,
        jobs::STATEMENTS,
        keys::STATEMENTS,
        login_names::STATEMENTS,
        merges::STATEMENTS,
        passcodes::STATEMENTS,
        passwords::STATEMENTS,
        rates::STATEMENTS,
        refresh_tokens::STATEMENTS,
        search::STATEMENTS,
        senders::STATEMENTS,
        sessions::STATEMENTS,
        step_tokens::STATEMENTS,
        uploads::STATEMENTS,
        users::STATEMENTS,
        versions::STATEMENTS,
        webhooks::STATEMENTS,
    ]
    .concat()
}

/// The statements that only the engine of this name understands, `sqlite` or `postgres`.
pub fn statements_of(engine: &str) -> &'static [(&'static str, &'static str)] {
    if engine == "sqlite" { search::SQLITE_STATEMENTS } else { search::POSTGRES_STATEMENTS }
}

/// Declares statements as constants and registers them in the module's `STATEMENTS`.
macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        $(const $name: &str = $sql;)*
        pub(crate) const STATEMENTS: &[(&str, &str)] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}
pub(crate) use statements;
