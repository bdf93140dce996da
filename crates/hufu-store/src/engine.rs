//! The store: two engines with one interface.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::unit::{Reading, Unit, WithOutput, Writing};
use crate::{Read, StoreError, Write};

/// The location of the database: `sqlite://path/to/file.db` or `postgres://user@host/name`.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<PgConnectOptions>),
}

/// The text is not a database URL. The message never quotes the text, which may contain a password.
#[derive(Debug, thiserror::Error)]
#[error("a database URL is sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/NAME")]
pub struct DatabaseUrlError;

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if let Some(path) = text.strip_prefix("sqlite://").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(path.into()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return text.parse().map(|o| Self::Postgres(Box::new(o))).map_err(|_| DatabaseUrlError);
        }
        Err(DatabaseUrlError)
    }
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store(Engine);

#[derive(Clone)]
enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Engine {
    async fn write(&self, unit: Arc<dyn Unit>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(unit).await,
            Self::Postgres(postgres) => postgres.write(unit).await,
        }
    }

    async fn read(&self, unit: Arc<dyn Unit>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(unit).await,
            Self::Postgres(postgres) => postgres.read(unit).await,
        }
    }
}

impl Store {
    /// Opens the database. A missing SQLite file is created with mode 0600.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Ok(Self(match url {
            DatabaseUrl::Sqlite(path) => Engine::Sqlite(Sqlite::open(path)?),
            DatabaseUrl::Postgres(options) => Engine::Postgres(Postgres::open((**options).clone()).await?),
        }))
    }

    /// `sqlite` or `postgres`.
    pub const fn engine(&self) -> &'static str {
        match self.0 {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgres",
        }
    }

    /// Runs a unit that writes. Returns after its commit.
    pub async fn write<W: Write>(&self, unit: W) -> Result<W::Out, StoreError> {
        let unit = Arc::new(Writing(WithOutput::new(unit)));
        self.0.write(unit.clone()).await?;
        unit.0.take()
    }

    /// Runs a unit that reads.
    pub async fn read<R: Read>(&self, unit: R) -> Result<R::Out, StoreError> {
        let unit = Arc::new(Reading(WithOutput::new(unit)));
        self.0.read(unit.clone()).await?;
        unit.0.take()
    }

    /// Finishes the queued units and closes the connections.
    pub async fn close(self) {
        match self.0 {
            Engine::Sqlite(sqlite) => {
                let _ = tokio::task::spawn_blocking(move || sqlite.close()).await;
            }
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert!(
            matches!("sqlite://hufu.db".parse(), Ok(DatabaseUrl::Sqlite(path)) if path.as_os_str() == "hufu.db")
        );
        assert!(
            matches!("sqlite:///var/lib/hufu.db".parse(), Ok(DatabaseUrl::Sqlite(path)) if path.is_absolute())
        );
        assert!(matches!("postgres://hufu@localhost/hufu".parse(), Ok(DatabaseUrl::Postgres(_))));
        for bad in ["", "hufu.db", "sqlite://", "mysql://x", "postgres//secret"] {
            let error = bad.parse::<DatabaseUrl>().err().unwrap();
            assert!(!error.to_string().contains("secret"));
        }
    }
}
