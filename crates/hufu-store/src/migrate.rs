//! The schema: numbered, forward-only migrations with the same numbers and names on both engines.

use crate::engine::Store;
use crate::{Read, StoreError, Tx, Write, planner};

/// A single migration.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, starting at 1.
    pub number: i64,
    /// Its name, as in the file name.
    pub name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($number:literal $name:literal),* $(,)?) => {
        &[$(Migration {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

/// All migrations in order.
const MIGRATIONS: &[Migration] = migrations![
    1 "0001_initial",
    2 "0002_people",
    3 "0003_search",
    4 "0004_connection_settings",
    5 "0005_revisions",
    6 "0006_browser_sessions",
    7 "0007_code_replays",
    8 "0008_password_schemes",
    9 "0009_administration",
    10 "0010_login_choices",
    11 "0011_openid",
    12 "0012_device_codes",
    13 "0013_client_keys",
    14 "0014_registration",
    15 "0015_dpop",
    16 "0016_resources",
    17 "0017_access",
    18 "0018_redirect_logins",
    19 "0019_qr_tickets",
    20 "0020_app_tokens",
    21 "0021_wechat_messages",
    22 "0022_wechat_signatures",
    23 "0023_qr_pictures",
    24 "0024_user_info_in_idp",
    25 "0025_granted_requests",
    26 "0026_management_keys",
    27 "0027_statistics",
    28 "0028_sealing_nodes",
    29 "0029_key_permissions",
    30 "0030_tenancy",
    31 "0031_invitations",
    32 "0032_import_notes",
    33 "0033_browser_logins",
    34 "0034_entry_links",
];

const CREATE_LEDGER: &str = "
    CREATE TABLE IF NOT EXISTS schema_migrations (
        number     BIGINT NOT NULL PRIMARY KEY,
        name       TEXT   NOT NULL
    )";
const HAS_LEDGER_SQLITE: &str =
    "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'";
const HAS_LEDGER_POSTGRES: &str = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'schema_migrations'";
const TABLES_SQLITE: &str = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name";
/// Without those of extensions, which come with some servers.
const TABLES_POSTGRES: &str = "
    SELECT c.relname::TEXT FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1";
const LIST: &str = "SELECT number, name FROM schema_migrations ORDER BY number";
const RECORD: &str = "INSERT INTO schema_migrations (number, name) VALUES ($1, $2)";
const LOCK_POSTGRES: &str = "SELECT 1 FROM (SELECT pg_advisory_xact_lock(4856463)) AS locked";

/// How the database's schema compares with the one this program expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// The expected schema.
    Current,
    /// Migrations are missing: run `hufu migrate`.
    Behind(Vec<&'static str>),
    /// The database has migrations that are unknown to this program.
    Ahead(Vec<String>),
}

struct State;

impl Read for State {
    type Out = SchemaState;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<SchemaState, StoreError> {
        state(tx).await
    }
}

async fn state(tx: &mut Tx<'_>) -> Result<SchemaState, StoreError> {
    let question = if matches!(tx, Tx::Sqlite(_)) { HAS_LEDGER_SQLITE } else { HAS_LEDGER_POSTGRES };
    let ledger: i64 = tx.optional(question, &[], |row| row.get(0)).await?.unwrap_or(0);
    let applied: Vec<(i64, String)> = match ledger {
        0 => Vec::new(),
        _ => tx.all(LIST, &[], |row| Ok((row.get(0)?, row.get(1)?))).await?,
    };
    for (number, name) in &applied {
        if MIGRATIONS.iter().any(|m| m.number == *number && m.name != name) {
            return Err(StoreError::ForeignMigration { name: name.clone() });
        }
    }
    let known = |number: i64| MIGRATIONS.iter().any(|m| m.number == number);
    let ahead: Vec<String> =
        applied.iter().filter(|(n, _)| !known(*n)).map(|(_, name)| name.clone()).collect();
    if !ahead.is_empty() {
        return Ok(SchemaState::Ahead(ahead));
    }
    let missing = |m: &&Migration| !applied.iter().any(|(number, _)| *number == m.number);
    let behind: Vec<&str> = MIGRATIONS.iter().filter(missing).map(|m| m.name).collect();
    Ok(if behind.is_empty() { SchemaState::Current } else { SchemaState::Behind(behind) })
}

struct Tables;

impl Read for Tables {
    type Out = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        let question = if matches!(tx, Tx::Sqlite(_)) { TABLES_SQLITE } else { TABLES_POSTGRES };
        tx.all(question, &[], |row| row.get(0)).await
    }
}

/// Applies the missing migrations up to this number.
struct Migrate(i64);

impl Write for Migrate {
    type Out = Vec<&'static str>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<&'static str>, StoreError> {
        if matches!(tx, Tx::Postgres(_)) {
            // Makes nodes that start together migrate only once.
            tx.optional(LOCK_POSTGRES, &[], |_| Ok(())).await?;
        }
        tx.batch(CREATE_LEDGER).await?;
        let mut missing = match state(tx).await? {
            SchemaState::Behind(missing) => missing,
            SchemaState::Current => Vec::new(),
            SchemaState::Ahead(_) => return Ok(Vec::new()),
        };
        let wanted = |name: &&str| MIGRATIONS.iter().any(|m| m.name == *name && m.number <= self.0);
        missing.retain(wanted);
        for migration in MIGRATIONS.iter().filter(|m| missing.contains(&m.name)) {
            let text = if matches!(tx, Tx::Sqlite(_)) { migration.sqlite } else { migration.postgres };
            tx.batch(text).await?;
            tx.execute(RECORD, &[migration.number.into(), migration.name.into()]).await?;
        }
        if matches!(tx, Tx::Sqlite(_)) {
            planner::inform(tx).await?;
        }
        Ok(missing)
    }
}

impl Store {
    /// Compares the database's schema with the expected one.
    pub async fn schema_state(&self) -> Result<SchemaState, StoreError> {
        self.read(State).await
    }

    /// The names of the tables and views in the database, whoever made them.
    pub async fn tables(&self) -> Result<Vec<String>, StoreError> {
        self.read(Tables).await
    }

    /// Applies the missing migrations in one transaction. Returns their names.
    pub async fn migrate(&self) -> Result<Vec<&'static str>, StoreError> {
        self.write(Migrate(i64::MAX)).await
    }

    /// Applies the missing migrations up to this number. Upgrade tests use it to create a database as an
    /// earlier version left it.
    pub async fn migrate_to(&self, number: i64) -> Result<Vec<&'static str>, StoreError> {
        self.write(Migrate(number)).await
    }
}
