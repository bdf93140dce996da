//! All of Hufu's SQL, for SQLite and PostgreSQL. This crate contains no business logic.
//!
//! Each aggregate has a module with its statements, its row types, and functions over a [`Tx`]. These
//! functions are called by the units of work in hufu-app, which make the decisions and are defined next to
//! the use cases that run them. This crate only defines units that read or write a single thing.
//!
//! A write is a *unit*: a value that implements [`Write`]. Units may be run more than once (PostgreSQL
//! retries them after a lost race), so they contain everything they need and make no decision based on the
//! system clock. On SQLite, a single thread takes all waiting units, runs them one after another, and
//! answers all of them after one `COMMIT`: a group commit. If one fails, they run again, each in a savepoint. On PostgreSQL, each unit is a separate
//! transaction, except that logins which wait for one another are written together, statement by statement.
//!
//! Invariants:
//! - Nothing is answered before its `COMMIT`.
//! - Every query on tenant data names `pool_id`.
//! - Every statement is registered, and a test prepares all of them on both engines.
//! - No unit hashes a password or waits for the network (other than the database).
//!
//! Start reading at [`Store`], [`Write`] and [`Read`], then one module per aggregate.

mod arrays;
mod batches;
mod engine;
mod error;
mod lockstep;
mod migrate;
mod postgres;
mod resources;
mod sqlite;
mod tx;
mod unit;
mod value;

pub mod administration;
pub mod app_tokens;
pub mod application_users;
pub mod audit;
pub mod authorization_codes;
pub mod browser_sessions;
pub mod choices;
pub mod config;
pub mod conflicts;
pub mod consents;
pub mod deliveries;
pub mod device_codes;
pub mod endings;
pub mod entry_links;
pub mod exchanges;
pub mod exports;
pub mod flows;
pub mod identities;
pub mod identity_sources;
pub mod import_notes;
pub mod imports;
pub mod instance;
pub mod invitations;
pub mod jobs;
pub mod keys;
pub mod login_names;
pub mod management_keys;
pub mod merges;
pub mod outages;
pub mod passcodes;
pub mod passwords;
mod planner;
pub mod pool_removal;
pub mod pushed_requests;
pub mod qr_pictures;
pub mod qr_tickets;
pub mod rates;
pub mod refresh_tokens;
pub mod registrations;
pub mod removal;
pub mod sealed;
pub mod search;
pub mod senders;
pub mod sessions;
pub mod sign_ups;
pub mod source_logins;
pub mod statistics;
pub mod step_tokens;
pub mod uploads;
pub mod used_jtis;
pub mod users;
pub mod versions;
pub mod webhooks;
pub mod wechat_followers;
pub mod wechat_messages;
pub mod wechat_signatures;

pub use engine::{DatabaseUrl, DatabaseUrlError, Store};
pub use error::StoreError;
pub use lockstep::Member;
pub use migrate::{Migration, SchemaState};
pub use tx::Tx;
pub use unit::{Read, Write};
pub use value::{Column, Row, Value};

/// Every statement that Hufu uses, with the path of its constant. A test prepares all of them.
pub fn all_statements() -> Vec<(&'static str, &'static str)> {
    [
        administration::STATEMENTS,
        app_tokens::STATEMENTS,
        application_users::STATEMENTS,
        audit::STATEMENTS,
        authorization_codes::STATEMENTS,
        browser_sessions::STATEMENTS,
        config::STATEMENTS,
        config::applications::STATEMENTS,
        config::connections::STATEMENTS,
        choices::STATEMENTS,
        conflicts::STATEMENTS,
        consents::STATEMENTS,
        deliveries::STATEMENTS,
        device_codes::STATEMENTS,
        endings::STATEMENTS,
        entry_links::STATEMENTS,
        exchanges::STATEMENTS,
        exports::STATEMENTS,
        flows::STATEMENTS,
        identities::STATEMENTS,
        identity_sources::STATEMENTS,
        import_notes::STATEMENTS,
        imports::STATEMENTS,
        instance::STATEMENTS,
        invitations::STATEMENTS,
        jobs::STATEMENTS,
        keys::STATEMENTS,
        login_names::STATEMENTS,
        management_keys::STATEMENTS,
        merges::STATEMENTS,
        outages::STATEMENTS,
        passcodes::STATEMENTS,
        passwords::STATEMENTS,
        pool_removal::STATEMENTS,
        pushed_requests::STATEMENTS,
        qr_pictures::STATEMENTS,
        qr_tickets::STATEMENTS,
        rates::STATEMENTS,
        refresh_tokens::STATEMENTS,
        registrations::STATEMENTS,
        removal::STATEMENTS,
        sealed::STATEMENTS,
        search::STATEMENTS,
        senders::STATEMENTS,
        sessions::STATEMENTS,
        sign_ups::STATEMENTS,
        source_logins::STATEMENTS,
        statistics::STATEMENTS,
        step_tokens::STATEMENTS,
        uploads::STATEMENTS,
        used_jtis::STATEMENTS,
        users::STATEMENTS,
        versions::STATEMENTS,
        webhooks::STATEMENTS,
        wechat_followers::STATEMENTS,
        wechat_messages::STATEMENTS,
        wechat_signatures::STATEMENTS,
    ]
    .concat()
}

/// The statements that only the engine with this name (`sqlite` or `postgres`) understands.
pub fn statements_of(engine: &str) -> Vec<(&'static str, &'static str)> {
    let is_sqlite = engine == "sqlite";
    let search = if is_sqlite { search::SQLITE_STATEMENTS } else { search::POSTGRES_STATEMENTS };
    let batches = [
        administration::BATCHES,
        identities::BATCHES,
        import_notes::BATCHES,
        imports::BATCHES,
        invitations::BATCHES,
        statistics::BATCHES,
        users::BATCHES,
    ];
    let batches = batches
        .concat()
        .into_iter()
        .map(|(name, batch)| (name, if is_sqlite { batch.sqlite } else { batch.postgres }));
    search.iter().copied().chain(batches).collect()
}

/// The statements that run over arrays when units share a transaction on PostgreSQL.
pub fn statements_in_groups() -> [&'static str; 35] {
    lockstep::in_groups()
}

/// The text of a statement over arrays, for parameters of these PostgreSQL types. A test prepares all of them. None
/// if the statement cannot run over arrays.
pub fn over_arrays(sql: &str, types: &[&str]) -> Option<String> {
    let kinds: Option<Vec<_>> = types.iter().map(|name| arrays::Kind::of(name)).collect();
    Some(arrays::ArrayText::new(sql, &kinds?)?.sql.to_string())
}

/// Declares statements as constants and registers them in the module's `STATEMENTS`.
macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        $(pub(crate) const $name: &str = $sql;)*
        pub(crate) const STATEMENTS: &[(&str, &str)] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}
pub(crate) use statements;
