//! A PostgreSQL server for the measurement: the one at a URL, or a private one with default settings, which
//! is stopped and removed when dropped.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sqlx::{Connection as _, PgConnection};

use crate::process::{Process, free_address, signal};

/// Names of unprivileged users to run a private cluster as: `postgres` refuses to run as root.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// A database server.
pub(crate) struct Postgres {
    /// `postgres://USER@HOST:PORT`, without a database.
    base: String,
    private: Option<Process>,
}

impl Postgres {
    /// Uses the server at this URL. Its user must be allowed to create databases.
    pub(crate) fn at(url: &str) -> Postgres {
        Postgres { base: url.trim_end_matches('/').to_owned(), private: None }
    }

    /// Creates and starts a cluster in `folder`.
    pub(crate) fn start(folder: &Path) -> Result<Postgres> {
        let data = folder.join("postgres");
        fs::create_dir_all(&data)?;
        let user = unprivileged(folder)?;
        if let Some((user, group)) = user {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?;
            chown(&data, Some(user), Some(group))?;
        }
        let command = |name: &str| {
            let mut command = Command::new(program(name));
            command.current_dir(&data);
            if let Some((user, group)) = user {
                command.uid(user).gid(group);
            }
            command
        };
        let made = command("initdb")
            .args(["--username=hufu", "--auth=trust", "--encoding=UTF8", "--no-locale", "--pgdata"])
            .arg(&data)
            .output()
            .context("starting initdb: is PostgreSQL installed?")?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let address = free_address()?;
        let mut server = command("postgres");
        server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-k", "", "-p"]).arg(address.port().to_string());
        let mut process = Process::start_logging("postgres", &mut server, &folder.join("postgres.log"))?;
        wait_until_open(address, &mut process)?;
        Ok(Postgres { base: format!("postgres://hufu@{address}"), private: Some(process) })
    }

    /// The URL of a database. TLS is not needed on loopback.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("{}/{database}?sslmode=disable", self.base)
    }

    /// The process whose children serve the connections, if the server is a private one.
    pub(crate) fn process(&self) -> Option<u32> {
        self.private.as_ref().map(Process::id)
    }

    /// Runs a statement that needs a connection to a different database than the one it names.
    pub(crate) async fn administer(&self, statement: &str) -> Result<()> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(process) = self.private.take() {
            // PostgreSQL's fast shutdown, which does not wait for clients. If it were killed, it would leave
            // shared memory behind.
            let _ = signal(process.id(), "INT");
            let _ = process.terminate();
        }
    }
}

/// The user to run the cluster as, if this process runs as root. Otherwise no other user is needed.
fn unprivileged(folder: &Path) -> Result<Option<(u32, u32)>> {
    use std::os::unix::fs::MetadataExt as _;
    // A file belongs to the user who creates it, so this is the user of this process.
    if tempfile::tempfile_in(folder)?.metadata()?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |wanted: &str| {
        let mut fields =
            users.lines().map(|line| line.split(':')).find(|line| line.clone().next() == Some(wanted))?;
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let user = UNPRIVILEGED.into_iter().find_map(find);
    user.map(Some).context("PostgreSQL does not run as root, and neither the user postgres nor nobody exists")
}

/// The path of a PostgreSQL program. Debian does not put them on the `PATH`.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(name)).collect();
    found.retain(|path| path.exists());
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}

/// Waits until the server accepts connections. It may listen before it does.
fn wait_until_open(address: SocketAddr, process: &mut Process) -> Result<()> {
    let begin = Instant::now();
    let mut ask = Command::new(program("pg_isready"));
    ask.args(["--quiet", "--host", "127.0.0.1", "--port"]).arg(address.port().to_string());
    while !ask.status().context("starting pg_isready")?.success() {
        ensure!(
            process.is_running()? && begin.elapsed() < Duration::from_secs(30),
            "postgres does not start"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
