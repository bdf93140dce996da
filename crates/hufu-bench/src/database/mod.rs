//! The database of a measured program. It is created by Hufu's own migrations, then filled directly and
//! measured.

mod log;
pub(crate) mod people;
mod postgres;
mod sqlite;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use hufu_store::Store;
use hufu_types::{Clock as _, SystemClock};

use crate::codes::Person;
use crate::postgres::Postgres;
use crate::world::World;

pub(crate) use people::Stored;
pub(crate) use sqlite::DURABLE;

/// A database engine.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }

    /// The server for databases of this engine: the one at the URL, or a private one. SQLite has none.
    pub(crate) fn server(self, url: Option<&str>, folder: &Path) -> Result<Option<Postgres>> {
        match (self, url) {
            (Engine::Sqlite, _) => Ok(None),
            (Engine::Postgres, Some(url)) => Ok(Some(Postgres::at(url))),
            (Engine::Postgres, None) => Postgres::start(folder).map(Some),
        }
    }
}

/// A database that no program has open.
pub(crate) enum Database<'p> {
    /// A file.
    Sqlite(PathBuf),
    /// A database on a server.
    Postgres { server: &'p Postgres, name: String },
}

impl<'p> Database<'p> {
    /// A database to measure on: in this folder, or on this server.
    pub(crate) fn of(server: Option<&'p Postgres>, folder: &Path) -> Database<'p> {
        match server {
            None => Database::Sqlite(folder.join("hufu.db")),
            Some(server) => Database::Postgres { server, name: "hufu_bench".to_owned() },
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Database::Sqlite(file) => format!("sqlite://{}", file.display()),
            Database::Postgres { server, name } => server.url(name),
        }
    }

    /// Creates an empty database. Replaces an older one with this name.
    pub(crate) async fn create(&self) -> Result<()> {
        match self {
            Database::Sqlite(file) => sqlite::remove(file),
            Database::Postgres { server, name } => {
                server.administer(&format!("DROP DATABASE IF EXISTS {name}")).await?;
                server.administer(&format!("CREATE DATABASE {name}")).await
            }
        }
    }

    /// Creates Hufu's tables.
    pub(crate) async fn migrate(&self) -> Result<()> {
        let store = Store::open(&self.url().parse()?).await?;
        store.migrate().await?;
        store.close().await;
        Ok(())
    }

    /// The id that the server generated for the connection of the pool.
    pub(crate) async fn connection_id(&self, world: &World) -> Result<String> {
        match self {
            Database::Sqlite(file) => sqlite::connection_id(file, world),
            Database::Postgres { .. } => postgres::connection_id(&self.url(), world).await,
        }
    }

    /// Stores this many users, including the known people. Leaves the database in the state that an operator
    /// would: analyzed, and vacuumed if the engine needs that.
    pub(crate) async fn fill(&self, world: &World, users: usize, known: &[Person]) -> Result<()> {
        ensure!(users >= known.len(), "there are more returning persons than stored users");
        let stored = people::stored(users, known, SystemClock.now());
        match self {
            Database::Sqlite(file) => sqlite::fill(file, world, stored),
            Database::Postgres { .. } => postgres::fill(&self.url(), world, stored).await,
        }
    }

    /// Stores users as simply as the engine allows, with this many per commit. This is the baseline for
    /// imports.
    pub(crate) async fn insert_plainly(
        &self,
        world: &World,
        stored: impl Iterator<Item = Stored>,
        at_once: usize,
    ) -> Result<()> {
        match self {
            Database::Sqlite(file) => sqlite::insert_plainly(file, world, stored, at_once),
            Database::Postgres { .. } => postgres::insert_plainly(&self.url(), world, stored, at_once).await,
        }
    }

    /// The size of the database on disk, in bytes.
    pub(crate) async fn size(&self) -> Result<u64> {
        match self {
            Database::Sqlite(file) => sqlite::size(file),
            Database::Postgres { .. } => postgres::size(&self.url()).await,
        }
    }

    /// The number of users, sessions and exchanges stored.
    pub(crate) async fn count(&self) -> Result<[i64; 3]> {
        match self {
            Database::Sqlite(file) => sqlite::count(file),
            Database::Postgres { .. } => postgres::count(&self.url()).await,
        }
    }

    /// Copies the database under another name.
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

    /// Removes the database.
    pub(crate) async fn remove(self) -> Result<()> {
        match self {
            Database::Sqlite(file) => sqlite::remove(&file),
            Database::Postgres { server, name } => {
                server.administer(&format!("DROP DATABASE IF EXISTS {name}")).await
            }
        }
    }
}

/// Counts the rows that logins store, to check that a measured program stored what it confirmed.
const COUNT: &str = "
    SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM sessions), (SELECT COUNT(*) FROM exchanges)";
