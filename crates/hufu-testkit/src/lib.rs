//! Test support that several crates share.
//!
//! - [`TestDatabase`]: a test that touches storage runs on both engines. Write its body once inside
//!   [`on_both_engines!`], or loop over [`TestDatabase::all`].
//! - [`store`]: the parts of units of work. [`raw`]: direct access to the database, bypassing the store.
//! - With the feature `app`: `Base`, an instance without its surfaces.
//! - With the feature `web`: `world`, an instance with two pools and the sandbox as WeChat; `client`, which
//!   talks to it as the published clients do; `administration`, which talks to `/admin/v1`; `receiver`, a server
//!   of somebody else; `smtp`, a mail server; `authing`, the API of the system that people move in from. At the end of each test, the log is searched for every secret that the test came across (`logs`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test whose setup fails must fail"
)]
#![cfg_attr(feature = "app", expect(clippy::panic, reason = "a test whose setup fails must fail"))]
#![cfg_attr(feature = "web", expect(clippy::expect_used, reason = "a test whose setup fails must fail"))]

#[cfg(feature = "web")]
pub mod administration;
#[cfg(feature = "web")]
pub mod authing;
#[cfg(feature = "app")]
mod base;
#[cfg(feature = "web")]
pub mod client;
mod database;
#[cfg(feature = "web")]
pub mod logs;
pub mod raw;
#[cfg(feature = "web")]
pub mod receiver;
#[cfg(feature = "web")]
pub mod routes;
#[cfg(feature = "web")]
pub mod smtp;
pub mod store;
#[cfg(feature = "web")]
pub mod world;

#[cfg(feature = "app")]
pub use base::{Base, PUBLIC_URL, outgoing_to_this_machine};
pub use database::TestDatabase;

/// Makes tests out of functions that take a [`TestDatabase`]. Each becomes a module with the tests `sqlite`
/// and `postgres`, each with a new database.
///
/// ```
/// hufu_testkit::on_both_engines! {
///     /// Runs once on each engine.
///     async fn a_fresh_database_has_an_address(database) {
///         assert!(database.url().starts_with(database.engine()));
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$doc:meta])* async fn $name:ident($database:ident) $body:block)*) => {$(
        $(#[$doc])*
        #[cfg(test)]
        mod $name {
            #[allow(unused_imports, reason = "not every body uses something of its module")]
            use super::*;

            async fn body($database: $crate::TestDatabase) $body

            #[::tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                body($crate::TestDatabase::sqlite()).await;
            }

            #[::tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                body($crate::TestDatabase::postgres()).await;
            }
        }
    )*};
}
