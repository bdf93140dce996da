//! A database to apply files to, and parts of files.

use std::sync::Arc;

use hufu_app::apply::{Applied, ApplyError, Options, Plan, apply, file};
use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{ReadConfig, StoredConfig};
use hufu_store::{Read, Store, StoreError, Tx};
use hufu_testkit::{Base, TestDatabase};
use hufu_types::{Application, Clock, PoolId, Random, TestRandom, Timestamp, User};

/// The example from the documentation.
pub(super) const EXAMPLE: &str = r#"
[[user_pool]]
id = "6560c0ffee00000000000001"
name = "Shop"
  [[user_pool.connection]]
  identifier = "shop-mini"
  type = "wechat:miniprogram:default"
  display_name = "WeChat"
  login_only = false
  open_platform = "shop"
  fields = { app_id = "wx0123456789abcdef", app_secret = { env = "SHOP_SECRET" } }
  [[user_pool.application]]
  id = "6560c0ffee00000000000002"
  name = "Shop mini program"
  type = "mini-program"
  default = true
  connections = ["shop-mini"]
  [[user_pool.user]]
  username = "alice"
  password = { env = "ALICE_PASSWORD" }
  phone = "+8613800000000"
"#;
pub(super) const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75e";
pub(super) const POOL: &str = "6560c0ffee00000000000001";
pub(super) const APPLICATION: &str = "6560c0ffee00000000000002";

/// A migrated database, and what else is needed to apply files.
pub(super) struct World {
    pub(super) database: TestDatabase,
    pub(super) store: Store,
    pub(super) sealing: Arc<SealingKey>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

pub(super) const PLAIN: Options = Options { prune: false, new_apps: false, dry_run: false };
pub(super) const PRUNE: Options = Options { prune: true, new_apps: false, dry_run: false };
pub(super) const DRY_RUN: Options = Options { prune: false, new_apps: false, dry_run: true };

impl World {
    pub(super) async fn new(database: TestDatabase) -> Self {
        let base = Base::new(database, Timestamp(1_700_000_000_000), TestRandom::new(1)).await;
        let Base { database, store, sealing, clock, random } = base;
        Self { database, store, sealing, clock, random }
    }

    /// A database to which the example has been applied.
    pub(super) async fn with_example(database: TestDatabase) -> Self {
        let world = Self::new(database).await;
        world.apply(EXAMPLE).await;
        world
    }

    pub(super) async fn try_apply(&self, file: &file::Desired, options: Options) -> Result<Plan, ApplyError> {
        self.try_whole(file, options).await.map(|applied| applied.plan)
    }

    async fn try_whole(&self, file: &file::Desired, options: Options) -> Result<Applied, ApplyError> {
        apply(&self.store, &self.sealing, &self.clock, &self.random, file, "hufu.toml", options).await
    }

    pub(super) async fn apply_with(&self, text: &str, options: Options) -> Plan {
        self.try_apply(&read(text), options).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Applies a file, and returns the client secrets that were made as well.
    pub(super) async fn apply_whole(&self, text: &str) -> Applied {
        self.try_whole(&read(text), PLAIN).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(super) async fn apply(&self, text: &str) -> Plan {
        self.apply_with(text, PLAIN).await
    }

    pub(super) async fn prune(&self, text: &str) -> Plan {
        self.apply_with(text, PRUNE).await
    }

    /// Applies all files in parallel, as if from two terminals with separate database connections.
    pub(super) async fn apply_at_once(&self, files: &[String]) {
        let other = Store::open(&self.database.url().parse().unwrap()).await.unwrap();
        let runs =
            files.iter().enumerate().map(|(index, text)| {
                let store = if index % 4 < 2 { &self.store } else { &other };
                let file = read(text);
                async move {
                    apply(store, &self.sealing, &self.clock, &self.random, &file, "hufu.toml", PLAIN).await
                }
            });
        for plan in futures::future::join_all(runs).await {
            plan.unwrap_or_else(|error| panic!("{error:?}"));
        }
        other.close().await;
    }

    /// The error for an invalid file. Checks that nothing changes, and that a dry run returns the same error.
    pub(super) async fn refused(&self, text: &str) -> String {
        let before = self.everything().await;
        let file = read(text);
        let error = self.try_apply(&file, PLAIN).await.expect_err("the file is refused").to_string();
        assert_eq!(self.try_apply(&file, DRY_RUN).await.expect_err("a dry run too").to_string(), error);
        assert_eq!(self.everything().await, before, "nothing is half-applied");
        error
    }

    pub(super) async fn config(&self) -> StoredConfig {
        self.store.read(ReadConfig).await.unwrap()
    }

    pub(super) async fn application(&self, id: &str) -> Application {
        self.config().await.applications.into_iter().find(|a| a.id.as_str() == id).unwrap()
    }

    /// The ids of a pool's applications, in order.
    pub(super) async fn order(&self) -> Vec<String> {
        self.config().await.applications.iter().map(|a| a.id.as_str().to_owned()).collect()
    }

    /// The configuration with its version, and all users with their passwords.
    pub(super) async fn everything(&self) -> String {
        format!("{:?} {:?}", self.config().await, self.store.read(Users).await.unwrap())
    }

    /// The user with this username in the example's pool, and the password hash.
    pub(super) async fn user(&self, username: &'static str) -> Option<(User, Option<String>)> {
        let user = self.store.read(ByUsername(username)).await.unwrap()?;
        let users = self.store.read(Users).await.unwrap();
        let (_, hash) = users.into_iter().find(|(id, _)| id == user.id.as_str()).unwrap();
        Some((user, hash))
    }
}

pub(super) fn environment(name: &str) -> Option<String> {
    match name {
        "SHOP_SECRET" => Some(SECRET.to_owned()),
        "ALICE_PASSWORD" => Some("correct horse".to_owned()),
        _ => None,
    }
}

pub(super) fn read(text: &str) -> file::Desired {
    file::read(text, "hufu.toml", &environment).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The example with one text replaced.
pub(super) fn example_with(old: &str, new: &str) -> String {
    assert!(EXAMPLE.contains(old), "{old}");
    EXAMPLE.replace(old, new)
}

pub(super) fn connection(identifier: &str) -> String {
    format!(
        "[[user_pool.connection]]\nidentifier = \"{identifier}\"\ntype = \"wechat:miniprogram:default\"\n\
         fields = {{ app_id = \"wx0123456789abcdef\", app_secret = \"s\" }}\n"
    )
}

pub(super) fn application(id: &str, more: &str) -> String {
    format!("[[user_pool.application]]\nid = \"{id}\"\nname = \"App {id}\"\ntype = \"web\"\n{more}\n")
}

pub(super) fn user(keys: &str) -> String {
    format!("[[user_pool.user]]\n{keys}\n")
}

/// The example's pool, with different content.
pub(super) fn pool(content: &[String]) -> String {
    format!("[[user_pool]]\nid = \"{POOL}\"\nname = \"Shop\"\n{}", content.concat())
}

/// All users: id and password hash.
pub(super) struct Users;

impl Read for Users {
    type Out = Vec<(String, Option<String>)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let sql = "SELECT id, password_hash FROM users ORDER BY pool_id, id";
        tx.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?))).await
    }
}

pub(super) struct ByUsername(&'static str);

impl Read for ByUsername {
    type Out = Option<User>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let username = hufu_types::Username::parse(self.0).unwrap();
        hufu_store::users::by_username(tx, &PoolId::parse(POOL).unwrap(), &username).await
    }
}
