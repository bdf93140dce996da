//! New databases that are removed at the end of their test.

use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use hufu_types::{Random as _, SystemRandom};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

/// The environment variable with the URL of a database on the PostgreSQL server.
const SERVER: &str = "HUFU_TEST_POSTGRES";

/// An empty database, removed when dropped.
#[derive(Debug)]
pub struct TestDatabase(Kind);

#[derive(Debug)]
enum Kind {
    /// A file in a temporary folder.
    Sqlite(TempDir),
    /// A database on the server.
    Postgres(Server, String),
}

impl TestDatabase {
    /// One database on each engine.
    pub fn all() -> [Self; 2] {
        [Self::sqlite(), Self::postgres()]
    }

    /// An SQLite database in a temporary file, which does not exist yet.
    ///
    /// # Panics
    /// If the temporary folder cannot be created.
    pub fn sqlite() -> Self {
        #[expect(clippy::expect_used, reason = "a test without its database fails")]
        let folder = tempfile::Builder::new().prefix("hufu-test").tempdir().expect("a temporary folder");
        Self(Kind::Sqlite(folder))
    }

    /// A new database on the PostgreSQL server at `HUFU_TEST_POSTGRES`.
    ///
    /// # Panics
    /// If the variable is not set, or the server refuses. Tests are never skipped.
    #[expect(clippy::panic, reason = "a test without its database fails")]
    pub fn postgres() -> Self {
        match Server::from_environment().and_then(Server::create_database) {
            Ok(made) => Self(made),
            Err(error) => panic!("{error:#}"),
        }
    }

    /// The URL, as in `database_url` of the configuration.
    pub fn url(&self) -> String {
        match &self.0 {
            Kind::Sqlite(folder) => format!("sqlite://{}", file_in(folder).display()),
            Kind::Postgres(server, name) => server.url_of(name),
        }
    }

    /// `sqlite` or `postgres`.
    pub const fn engine(&self) -> &'static str {
        match self.0 {
            Kind::Sqlite(_) => "sqlite",
            Kind::Postgres(..) => "postgres",
        }
    }

    /// The file of an SQLite database.
    pub fn file(&self) -> Option<std::path::PathBuf> {
        match &self.0 {
            Kind::Sqlite(folder) => Some(file_in(folder)),
            Kind::Postgres(..) => None,
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Kind::Postgres(server, name) = &self.0 {
            // A leftover database does not affect other tests.
            let _ = server.run(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

fn file_in(folder: &TempDir) -> std::path::PathBuf {
    Path::new(folder.path()).join("hufu.db")
}

/// The URL of a PostgreSQL server: the text before and after the name of the database.
struct Server {
    before: String,
    database: String,
    after: String,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server(redacted)")
    }
}

impl Server {
    fn from_environment() -> anyhow::Result<Self> {
        let address = std::env::var(SERVER).map_err(|_| {
            anyhow!(
                "this test needs PostgreSQL: run `./test`, which starts a private server, or set {SERVER} to the \
                 address of a server, such as postgres://postgres@127.0.0.1:5432/postgres"
            )
        })?;
        Self::parse(&address).with_context(|| format!("{SERVER} is no postgres://USER@HOST:PORT/DATABASE"))
    }

    fn parse(address: &str) -> Option<Self> {
        let rest = address.strip_prefix("postgres://").or_else(|| address.strip_prefix("postgresql://"))?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let (host, database) = path.rsplit_once('/')?;
        Some(Self {
            before: format!("postgres://{host}/"),
            database: database.to_owned(),
            after: query.map(|query| format!("?{query}")).unwrap_or_default(),
        })
    }

    fn url_of(&self, database: &str) -> String {
        format!("{}{database}{}", self.before, self.after)
    }

    fn create_database(self) -> anyhow::Result<Kind> {
        let mut random = [0_u8; 12];
        SystemRandom.fill(&mut random);
        let mut name = String::from("hufu_test_");
        for byte in random {
            write!(name, "{byte:02x}")?;
        }
        self.run(format!("CREATE DATABASE {name}"))
            .with_context(|| format!("the server of {SERVER} refused"))?;
        Ok(Kind::Postgres(self, name))
    }

    /// Runs a statement on the server's own database and waits for it, whether or not the caller is async.
    fn run(&self, sql: String) -> anyhow::Result<()> {
        let url = self.url_of(&self.database);
        on_own_thread(async move {
            let mut connection = PgConnection::connect(&url).await?;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
            connection.close().await?;
            Ok(())
        })
    }
}

fn on_own_thread<F>(work: F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let run = move || tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work);
    std::thread::spawn(run).join().map_err(|_| anyhow!("the thread panicked"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_database_is_exchanged() {
        let server = Server::parse("postgresql://me:secret@[::1]:5433/postgres?sslmode=disable").unwrap();
        assert_eq!(server.url_of("other"), "postgres://me:secret@[::1]:5433/other?sslmode=disable");
        assert_eq!(Server::parse("postgres://localhost/a").unwrap().url_of("b"), "postgres://localhost/b");
        assert!(
            Server::parse("mysql://localhost/a").is_none() && Server::parse("postgres://localhost").is_none()
        );
    }

    #[test]
    fn databases_are_fresh_and_go_away() {
        let [one, other] = [TestDatabase::postgres(), TestDatabase::postgres()];
        assert_ne!(one.url(), other.url());
        let url = one.url();
        let connect =
            |url: String| on_own_thread(async move { Ok(PgConnection::connect(&url).await?.close().await?) });
        connect(url.clone()).unwrap();
        drop(one);
        connect(url).unwrap_err();

        let file = TestDatabase::sqlite();
        let folder = file.file().unwrap().parent().unwrap().to_owned();
        assert!(folder.is_dir());
        drop(file);
        assert!(!folder.exists());
    }
}
