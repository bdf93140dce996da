//! What the tests of several crates share: databases on both engines, and the parts of units of work.
//!
//! A test that touches storage runs on both: write its body once inside
//! [`on_both_engines!`], or loop over [`TestDatabase::all`].

mod database;
pub mod raw;
pub mod store;

pub use database::TestDatabase;

/// Makes tests out of bodies that take a [`TestDatabase`]: each becomes a module
/// with the tests `sqlite` and `postgres`, each on a fresh database.
///
/// ```
/// hufu_testkit::on_both_engines! {
///     /// What is seen here is seen on both engines.
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
            #[allow(unused_imports, reason = "not every body names something of its module")]
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
