//! The base of an instance: a migrated database, a clock that only moves when advanced, and files to apply.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;

use hufu_app::apply::{Options, Plan, apply, export, file};
use hufu_app::connect::{GuardedClient, guarded};
use hufu_app::{Limits, Parts};
use hufu_protocol::sealing::SealingKey;
use hufu_store::Store;
use hufu_types::{Clock, PoolId, Random, TestClock, Timestamp};

use crate::TestDatabase;

/// A migrated database, and the other parts that the use cases need.
pub struct Base {
    /// The database. It is removed when this is dropped.
    pub database: TestDatabase,
    /// The open database.
    pub store: Store,
    /// The key that seals secrets in the database.
    pub sealing: Arc<SealingKey>,
    /// Only moves when it is advanced.
    pub clock: Arc<TestClock>,
    /// The source of ids and secrets.
    pub random: Arc<dyn Random>,
}

impl Base {
    /// Migrates a database, and sets the clock to `now`.
    pub async fn new(database: TestDatabase, now: Timestamp, random: impl Random + 'static) -> Self {
        let store = Store::open(&database.url().parse().unwrap()).await.unwrap();
        store.migrate().await.unwrap();
        Self {
            database,
            store,
            sealing: Arc::new(SealingKey::from_bytes(KEY)),
            clock: Arc::new(TestClock::new(now)),
            random: Arc::new(random),
        }
    }

    /// Opens the database again, as another process does.
    pub async fn open(&self) -> Store {
        Store::open(&self.database.url().parse().unwrap()).await.unwrap()
    }

    /// Applies a file, which must be valid. Returns what that did, in the words of the command.
    pub async fn apply(&self, text: &str, options: Options) -> String {
        self.apply_through(&self.store, text, options).await.to_string()
    }

    /// The same, as another process does.
    pub async fn apply_elsewhere(&self, text: &str, options: Options) -> String {
        let store = self.open().await;
        let plan = self.apply_through(&store, text, options).await;
        store.close().await;
        plan.to_string()
    }

    /// What applying a file would do.
    pub async fn plan(&self, text: &str) -> Plan {
        self.apply_through(&self.store, text, Options { prune: false, new_apps: false, dry_run: true }).await
    }

    /// The file that describes a pool.
    pub async fn export(&self, pool: &PoolId) -> String {
        export(&self.store, &self.sealing, pool).await.unwrap().text
    }

    async fn apply_through(&self, store: &Store, text: &str, options: Options) -> Plan {
        let file = file::read(text, FILE, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
        let clock: Arc<dyn Clock> = self.clock.clone();
        let applied = apply(store, &self.sealing, &clock, &self.random, &file, FILE, options);
        applied.await.unwrap_or_else(|error| panic!("{error:?}")).plan
    }

    /// The parts of an application that cannot reach WeChat or a provider, and has no outbox.
    pub fn parts(&self) -> Parts {
        Parts {
            store: self.store.clone(),
            wechat: hufu_wechat::Client::new(hufu_wechat::Settings::default()).unwrap(),
            // Each node has keys of its own, as processes do.
            sealing: Arc::new(SealingKey::from_bytes(KEY)),
            limits: Limits::default(),
            public_url: PUBLIC_URL.to_owned(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            outgoing: guarded_client(guarded::Settings::default()),
            outbox: None,
            default_mini_program: None,
            sign_up: false,
        }
    }
}

/// A client that may call this machine, where the webhooks and providers of the tests are.
pub fn outgoing_to_this_machine() -> GuardedClient {
    let private = ["127.0.0.0/8".parse().unwrap()].into();
    guarded_client(guarded::Settings { private, ..guarded::Settings::default() })
}

/// A client that asks no name server: nothing that a test does leaves this machine.
fn guarded_client(settings: guarded::Settings) -> GuardedClient {
    GuardedClient::with_lookup(settings, Arc::new(NamesOfThisMachine)).unwrap()
}

/// Knows one name.
struct NamesOfThisMachine;

impl guarded::Lookup for NamesOfThisMachine {
    fn lookup(&self, name: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let found = match name {
            "localhost" => Ok(vec![IpAddr::from(Ipv4Addr::LOCALHOST)]),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such host")),
        };
        Box::pin(std::future::ready(found))
    }
}

/// The public URL of the instance.
pub const PUBLIC_URL: &str = "https://id.example.com";
/// The sealing key.
const KEY: [u8; 32] = [7; 32];
/// The name of applied files in error messages.
const FILE: &str = "hufu.toml";
