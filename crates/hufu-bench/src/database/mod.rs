//! The database under a measured program: made by Hufu's own migrations, filled past the program, measured.

mod people;
mod postgres;
mod sqlite;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use hufu_store::Store;
use hufu_types::{Clock as _, SystemClock};

use crate::codes::Person;
use crate::postgres::Postgres;
use crate::world::World;

/// A database that nobody has open.
pub(crate) enum Database<'p> {
    /// A file.
    Sqlite(PathBuf),
    /// One of a server.
    Postgres { server: &'p Postgres, name: String },
}

impl<'p> Database<'p> {
    pub(crate) fn url(&self) -> String {
        match self {
            Database::Sqlite(file) => format!("sqlite://{}", file.display()),
            Database::Postgres { server, name } => server.url(name),
        }
    }

    /// Makes it, empty; an older one of this name goes.
    pub(crate) async fn create(&self) -> Result<()> {
        match self {
            Database::Sqlite(file) => sqlite::remove(file),
            Database::Postgres { server, name } => {
                server.administer(&format!("DROP DATABASE IF EXISTS {name}")).await?;
                server.administer(&format!("CREATE DATABASE {name}")).await
            }
        }
    }

    /// Gives it Hufu's tables.
    pub(crate) async fn migrate(&self) -> Result<()> {
        let store = Store::open(&self.url().parse()?).await?;
        store.migrate().await?;
        store.close().await;
        Ok(())
    }

    /// The id that the server drew for the pool's connection.
    pub(crate) async fn connection_id(&self, world: &World) -> Result<String> {
        match self {
            Database::Sqlite(file) => sqlite::connection_id(file, world),
            Database::Postgres { .. } => postgres::connection_id(&self.url(), world).await,
        }
    }

    /// Stores so many users, the known persons among them, and leaves the database as an operator would have it:
    /// analysed, and vacuumed where the engine wants that.
    pub(crate) async fn fill(&self, world: &World, users: usize, known: &[Person]) -> Result<()> {
        ensure!(users >= known.len(), "there are more returning persons than stored users");
        let stored = people::stored(users, known, SystemClock.now());
        match self {
            Database::Sqlite(file) => sqlite::fill(file, world, stored),
            Database::Postgres { .. } => postgres::fill(&self.url(), world, stored).await,
        }
    }

    /// What it takes on the disk, in bytes.
    pub(crate) async fn size(&self) -> Result<u64> {
        match self {
            Database::Sqlite(file) => sqlite::size(file),
            Database::Postgres { .. } => postgres::size(&self.url()).await,
        }
    }

    /// Users, sessions and exchanges stored.
    pub(crate) async fn count(&self) -> Result<[i64; 3]> {
        match self {
            Database::Sqlite(file) => sqlite::count(file),
            Database::Postgres { .. } => postgres::count(&self.url()).await,
        }
    }

    /// Makes a copy under another name, beside it.
    pub(crate) async fn copy(&self, name: &str) -> Result<Database<'p>> {
        match self {
            Database::Sqlite(file) => Ok(Database::Sqlite(sqlite::copy(file, name)?)),
            Database::Postgres { server, name: from } => {
                server.administer(&format!("DROP DATABASE IF EXISTS {name}")).await?;
                server.administer(&format!("CREATE DATABASE {name} TEMPLATE {from}")).await?;
                Ok(Database::Postgres { server, name: name.to_owned() })
            }
        }
    }

    /// Removes it.
    pub(crate) async fn remove(self) -> Result<()> {
        match self {
            Database::Sqlite(file) => sqlite::remove(&file),
            Database::Postgres { server, name } => {
                server.administer(&format!("DROP DATABASE IF EXISTS {name}")).await
            }
        }
    }
}

/// Rows stored by logins, to see that a measured program stored what it answered.
const COUNT: &str = "
    SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM sessions), (SELECT COUNT(*) FROM exchanges)";
