//! A pool to import into and export from.

use std::io::Write as _;
use std::sync::Arc;

use hufu_app::transfer::{
    Counts, ExportOptions, Format, ImportError, ImportOptions, OnExisting, Progress, RefusedRow, Transfer,
};
use hufu_app::{Config, Limits, apply};
use hufu_store::config::ReadConfig;
use hufu_store::{Read, StoreError, Tx, Write, config, identities, imports, users, versions};
use hufu_testkit::{Base, TestDatabase};
use hufu_types::{
    IdentityKey, ImportId, PoolId, PoolSettings, TestRandom, Timestamp, User, UserId, Username,
};

const POOLS: &str = r#"
[[user_pool]]
id = "shop"
name = "Shop"
  [[user_pool.connection]]
  identifier = "mini"
  type = "wechat:miniprogram:default"
  open_platform = "shop"
  fields = { app_id = "wx0123456789abcdef", app_secret = "5ec2e75ec2e75ec2e75ec2e75ec2e75e" }
[[user_pool]]
id = "other"
name = "Other"
"#;

/// A second connection, so that identities have to name theirs.
const SECOND: &str = r#"
[[user_pool]]
id = "shop"
name = "Shop"
  [[user_pool.connection]]
  identifier = "other"
  type = "wechat:miniprogram:default"
  fields = { app_id = "wxfedcba9876543210", app_secret = "5ec2e75ec2e75ec2e75ec2e75ec2e75e" }
"#;

const OF_OTHER: &str = r#"
[[user_pool]]
id = "other"
name = "Other"
  [[user_pool.connection]]
  identifier = "mini-of-other"
  type = "wechat:miniprogram:default"
  fields = { app_id = "wx00000000000000aa", app_secret = "5ec2e75ec2e75ec2e75ec2e75ec2e75e" }
"#;

pub(super) const JSON_LINES: ExportOptions = ExportOptions { format: Format::JsonLines, with_hashes: false };
pub(super) const ALL: ExportOptions = ExportOptions { format: Format::JsonLines, with_hashes: true };

/// Hashes made by other programs, with their passwords: crypt_blowfish, the Argon2 reference implementation,
/// Django, and RFC 7914 section 12.
pub(super) const HASHES: [(&str, &str); 6] = [
    ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"),
    ("$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ", "password"),
    ("pbkdf2_sha256$20000$seasalt$oBSd886ysm3AqYun62DOdin8YcfbU1z9cksZSuLP9r0=", "lètmein"),
    ("pbkdf2_sha1$260000$seasalt2$wAibXvW6jgvatCdONi6SMJ6q7mI=", "lètmein"),
    (
        "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA",
        "password",
    ),
];

pub(super) fn options(format: Format) -> ImportOptions {
    ImportOptions {
        format,
        file_name: "users".to_owned(),
        on_existing: OnExisting::Refuse,
        dry_run: false,
        start_over: false,
        country_code: None,
        ignore_unknown: false,
    }
}

/// A database with two pools, from the perspective of one.
#[derive(Clone)]
pub(super) struct World {
    base: Arc<Base>,
    pool: PoolId,
}

/// The result of an import.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) counts: Counts,
    pub(super) resumed_at: i64,
    /// Of this run only.
    pub(super) refused: Vec<RefusedRow>,
    /// Of all runs.
    pub(super) report: String,
}

impl World {
    pub(super) async fn new(database: TestDatabase) -> Self {
        let base = Base::new(database, Timestamp(1_700_000_000_000), TestRandom::new(1)).await;
        let world = Self { base: Arc::new(base), pool: PoolId::parse("shop").unwrap() };
        world.apply(POOLS).await;
        world
    }

    pub(super) async fn sqlite() -> Self {
        Self::new(TestDatabase::sqlite()).await
    }

    /// Applies a file.
    pub(super) async fn apply(&self, text: &str) {
        self.base.apply(text, apply::Options { prune: false, new_apps: false, dry_run: false }).await;
    }

    pub(super) fn of_pool(&self, pool: &str) -> Self {
        Self { pool: PoolId::parse(pool).unwrap(), ..self.clone() }
    }

    pub(super) fn in_other_pool(&self) -> Self {
        self.of_pool("other")
    }

    pub(super) async fn with_second_connection(self) -> Self {
        self.apply(SECOND).await;
        self
    }

    pub(super) async fn with_settings(self, settings: serde_json::Value) -> Self {
        let settings: PoolSettings = serde_json::from_value(settings).unwrap();
        self.base.store.write(SetSettings { pool: self.pool.clone(), settings }).await.unwrap();
        self
    }

    async fn transfer(&self) -> Transfer {
        let Base { store, sealing, clock, random, .. } = &*self.base;
        let stored = store.read(ReadConfig).await.unwrap();
        let config = Arc::new(Config::unseal(stored, sealing));
        let (clock, random) = (clock.clone(), random.clone());
        Transfer::of_command(store.clone(), config, Limits::default(), clock, random, self.pool.clone())
    }

    /// Imports a text that is valid as a whole.
    pub(super) async fn import(&self, text: &str, format: Format) -> Done {
        self.import_with(text, &options(format)).await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(super) async fn import_with(&self, text: &str, options: &ImportOptions) -> Result<Done, ImportError> {
        self.import_bytes(text.as_bytes(), options).await
    }

    pub(super) async fn import_bytes(
        &self,
        content: &[u8],
        options: &ImportOptions,
    ) -> Result<Done, ImportError> {
        let transfer = self.transfer().await;
        let mut refused = Vec::new();
        let mut watch = |_: &Progress, rows: &[RefusedRow]| refused.extend_from_slice(rows);
        let summary = transfer.import(file_of(content), options, &mut watch).await?;
        let mut report = Vec::new();
        if let Some(import) = &summary.import {
            transfer.report(import, &mut report).await?;
        }
        let report = String::from_utf8(report).unwrap();
        Ok(Done { counts: summary.counts, resumed_at: summary.resumed_at, refused, report })
    }

    /// Imports JSON Lines, and drops the import once `rows` rows are finished. Returns how many were finished
    /// in the end.
    pub(super) async fn import_until(&self, text: &str, rows: i64) -> i64 {
        let transfer = self.transfer().await;
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut watch = |progress: &Progress, _: &[RefusedRow]| tell.send(progress.counts.rows).unwrap();
        let options = options(Format::JsonLines);
        {
            let mut import = std::pin::pin!(transfer.import(file_of(text.as_bytes()), &options, &mut watch));
            loop {
                tokio::select! {
                    biased;
                    done = told.recv() => if done.unwrap() >= rows { break },
                    ended = &mut import => panic!("it should not have come to its end: {ended:?}"),
                }
            }
        }
        // A unit of work in progress completes even if its caller is dropped.
        self.settled().await
    }

    /// Registers a user with this username, unless it is taken.
    pub(super) async fn register(&self, name: &str) -> bool {
        let mut user = User::new(
            self.pool.clone(),
            UserId::generate(Timestamp(1_700_000_000_000), &*self.base.random),
            "register",
            Timestamp(1_700_000_000_000),
        );
        user.username = Some(Username::parse(name).unwrap());
        self.base.store.write(Register(user)).await.unwrap()
    }

    /// Gives the pool a connection of its own, if it has none.
    pub(super) async fn apply_connection(&self) {
        if self.pool.as_str() == "other" {
            self.apply(OF_OTHER).await;
        }
    }

    /// Opens an import, cancels it, and runs it.
    pub(super) async fn import_cancelled_meanwhile(&self, text: &str) -> ImportError {
        let transfer = self.transfer().await;
        let options = options(Format::JsonLines);
        let opened = transfer.open_import(file_of(text.as_bytes()), &options).await.unwrap();
        let import = opened.import().unwrap().clone();
        self.base.store.write(Cancel { pool: self.pool.clone(), import }).await.unwrap();
        transfer.run_import(opened, &options, &mut |_, _| ()).await.unwrap_err()
    }

    /// Waits until the unfinished import no longer makes progress. Returns how many rows are finished.
    async fn settled(&self) -> i64 {
        let mut before = -1;
        loop {
            let now = self.base.store.write(RowsDone(self.pool.clone())).await.unwrap();
            if now == before {
                return now;
            }
            before = now;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    pub(super) async fn export(&self, options: ExportOptions) -> String {
        let mut text = Vec::new();
        self.transfer().await.export(&mut text, options, &mut |_| ()).await.unwrap();
        String::from_utf8(text).unwrap()
    }

    /// A user and the password hash.
    pub(super) async fn user(&self, id: &str) -> Option<(User, Option<String>)> {
        let unit = GetUser { pool: self.pool.clone(), id: UserId::parse(id).unwrap() };
        self.base.store.read(unit).await.unwrap()
    }

    pub(super) async fn owner(&self, key: IdentityKey) -> Option<String> {
        self.base.store.read(GetOwner { pool: self.pool.clone(), key }).await.unwrap()
    }

    /// The details of these events.
    pub(super) async fn events(&self, action: &str) -> Vec<String> {
        self.base.store.read(Events { pool: self.pool.clone(), action: action.to_owned() }).await.unwrap()
    }
}

fn file_of(content: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

struct Register(User);

impl Write for Register {
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        users::insert_if_free(tx, &self.0, None).await
    }
}

struct Cancel {
    pool: PoolId,
    import: ImportId,
}

impl Write for Cancel {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        imports::cancel(tx, &self.pool, &self.import, Timestamp(1_700_000_000_000)).await?.unwrap();
        Ok(())
    }
}

struct GetUser {
    pool: PoolId,
    id: UserId,
}

impl Read for GetUser {
    type Out = Option<(User, Option<String>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let Some(user) = users::get(tx, &self.pool, &self.id).await? else { return Ok(None) };
        let sql = "SELECT password_hash FROM users WHERE pool_id = $1 AND id = $2";
        let hash = tx.optional(sql, &[(&self.pool).into(), (&self.id).into()], |row| row.get(0)).await?;
        Ok(Some((user, hash.flatten())))
    }
}

struct GetOwner {
    pool: PoolId,
    key: IdentityKey,
}

impl Read for GetOwner {
    type Out = Option<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<String>, StoreError> {
        Ok(identities::owner(tx, &self.pool, &self.key).await?.map(|id| id.as_str().to_owned()))
    }
}

struct Events {
    pool: PoolId,
    action: String,
}

impl Read for Events {
    type Out = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT details FROM audit_events WHERE pool_id = $1 AND action = $2 ORDER BY id";
        tx.all(sql, &[(&self.pool).into(), (&self.action).into()], |row| row.get(0)).await
    }
}

/// Runs after all writes in progress, because it is a write itself.
struct RowsDone(PoolId);

impl Write for RowsDone {
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let sql = "UPDATE imports SET updated_at = updated_at WHERE pool_id = $1 AND finished_at IS NULL RETURNING rows_done";
        Ok(tx.optional(sql, &[(&self.0).into()], |row| row.get(0)).await?.unwrap_or_default())
    }
}

struct SetSettings {
    pool: PoolId,
    settings: PoolSettings,
}

impl Write for SetSettings {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let pools = config::read(tx).await?.pools;
        let mut pool = pools.into_iter().find(|pool| pool.id == self.pool).unwrap();
        pool.settings = self.settings.clone();
        config::update_pool(tx, &pool).await?;
        versions::pools_changed(tx, [&self.pool]).await
    }
}
