//! The application as a whole: what every use case needs, and what goes on in the background.

use async_recursion::async_recursion as boxed;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwap;
use hufu_connect::{GuardedClient, Outbox, SenderContext};
use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{ReadChanged, ReadConfig, StoredConfig};
use hufu_store::versions::{ReadVersions, Versions};
use hufu_store::{Read, Store, StoreError, Tx, Write};
use hufu_types::{Clock, Random, SigningAlgorithm, Timestamp};
use tokio::sync::{Mutex, Semaphore};

use crate::credentials::password::{Cost, Hasher, PasswordKeys};
use crate::failures::Failures;
use crate::people::uploads::Decoders;
use crate::sources::wechat::exchange::Codes;
use crate::tokens::authentication::SessionCache;
use crate::tokens::keys::{KeyError, Keys};
use crate::webhooks::Receivers;
use crate::{Config, Limits, Refusal};

/// What an instance is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The way to WeChat.
    pub wechat: hufu_wechat::Client,
    /// The key that seals secrets.
    pub sealing: Arc<SealingKey>,
    /// What is allowed.
    pub limits: Limits,
    /// The address under which people and clients reach the instance, without a slash at its end.
    pub public_url: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The way to everything outside but WeChat: webhooks, providers of messages.
    pub outgoing: GuardedClient,
    /// Where the messages of pools without a sender go: in development alone.
    pub outbox: Option<Outbox>,
}

/// An instance of Hufu.
pub struct App {
    pub(crate) store: Store,
    pub(crate) wechat: hufu_wechat::Client,
    pub(crate) sealing: Arc<SealingKey>,
    pub(crate) limits: Limits,
    pub(crate) public_url: String,
    pub(crate) issuer: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) config: ArcSwap<Config>,
    /// How far this node has seen changes; held while it looks, so that looks do not overtake one another.
    versions: Mutex<Versions>,
    pub(crate) keys: ArcSwap<Keys>,
    pub(crate) password_keys: PasswordKeys,
    pub(crate) sessions: SessionCache,
    pub(crate) codes: Codes,
    pub(crate) failures: Failures,
    pub(crate) decoders: Decoders,
    pub(crate) hasher: Hasher,
    /// What senders are made with.
    pub(crate) sender_context: SenderContext,
    /// The outbox of development, where there is one.
    pub(crate) outbox: Option<Outbox>,
    /// Told when a unit has put jobs into the queue.
    pub(crate) jobs_waiting: tokio::sync::Notify,
    /// What this node calls itself where it takes jobs.
    pub(crate) node: String,
    pub(crate) receivers: Receivers,
    /// How many pools had their turn when old entries of the audit log were forgotten.
    pub(crate) audit_turn: AtomicUsize,
    /// One import at a time: it has the database to itself often enough.
    pub(crate) importing: Arc<Semaphore>,
}

/// Why an instance does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database refused.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
    /// The signing keys cannot be used.
    #[error("the signing keys cannot be used")]
    Keys(#[from] KeyError),
    /// Passwords would be hashed too weakly, or could not be.
    #[error("the limits password_memory and password_passes do not go together: {0}")]
    PasswordCost(String),
}

impl App {
    /// Starts an instance on a migrated database: makes the first signing key, reads the configuration.
    #[boxed]
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StartError> {
        let Parts { store, wechat, sealing, limits, public_url, clock, random, outgoing, outbox } = parts;
        let cost = Cost::new(limits.password_memory, limits.password_passes);
        let hasher = Hasher::default().with_cost(cost.map_err(StartError::PasswordCost)?);
        // The versions first, so that a change in between is seen by the next look.
        let versions = store.read(ReadVersions).await?;
        let keys = Keys::load(&store, &sealing, &*clock, &*random).await?;
        let stored = store.read(ReadConfig).await?;
        // A first key that was made just now is no change to look for.
        let versions = Versions { configuration: stored.version, ..versions };
        let algorithms = algorithms(&stored);
        crate::sources::settings::seal_columns(&store, &stored.connections, &sealing, &*random).await?;
        let config = Config::unseal(stored, &sealing);
        let app = Arc::new(Self {
            issuer: format!("{public_url}/oidc"),
            sessions: SessionCache::new(limits.session_cache),
            codes: Codes::new(&limits),
            failures: Failures::new(&limits),
            decoders: Decoders::new(&limits),
            config: ArcSwap::from_pointee(config),
            versions: Mutex::new(versions),
            keys: ArcSwap::from_pointee(keys),
            password_keys: PasswordKeys::default(),
            importing: Arc::new(Semaphore::new(1)),
            hasher,
            sender_context: SenderContext {
                http: outgoing,
                outbox: outbox.clone(),
                clock: clock.clone(),
                random: random.clone(),
            },
            outbox,
            jobs_waiting: tokio::sync::Notify::new(),
            node: hufu_types::JobId::generate(clock.now(), &*random).as_str().to_owned(),
            receivers: Receivers::default(),
            audit_turn: AtomicUsize::new(0),
            store,
            wechat,
            sealing,
            limits,
            public_url,
            clock,
            random,
        });
        app.make_missing_keys(algorithms).await?;
        Ok(app)
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The address of the instance.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The issuer of tokens: `{public_url}/oidc`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The configuration as this node knows it.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Where randomness comes from.
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) async fn write<W: Write>(&self, unit: W) -> Result<W::Out, Refusal> {
        Ok(self.store.write(unit).await?)
    }

    pub(crate) async fn read<R: Read>(&self, unit: R) -> Result<R::Out, Refusal> {
        Ok(self.store.read(unit).await?)
    }

    /// Whether the database answers and its schema is this program's.
    #[boxed]
    pub async fn is_ready(&self) -> bool {
        self.store.read(hufu_store::instance::Ping).await.is_ok()
    }

    /// Takes up what other processes and nodes changed: reads the pools that changed, the signing keys if they did, and
    /// asks again which sessions are alive if some ended.
    #[boxed]
    pub async fn refresh_config(&self) -> Result<(), StartError> {
        let mut seen = self.versions.lock().await;
        let now = self.store.read(ReadVersions).await?;
        if now.sessions != seen.sessions {
            self.sessions.forget_all();
            seen.sessions = now.sessions;
        }
        if now.keys != seen.keys || now.unmarked != seen.unmarked {
            let keys = Keys::load(&self.store, &self.sealing, &*self.clock, &*self.random).await?;
            self.keys.store(Arc::new(keys));
            seen.keys = now.keys;
        }
        if now.configuration == seen.configuration {
            return Ok(());
        }
        let (base, stored) = if now.unmarked == seen.unmarked {
            (self.config(), self.store.read(ReadChanged(seen.configuration)).await?)
        } else {
            // The program before this one says in this way that sessions ended, too.
            self.sessions.forget_all();
            (Arc::default(), self.store.read(ReadConfig).await?)
        };
        let (pools, algorithms) = (stored.pools.len(), algorithms(&stored));
        let config = base.with(stored, &self.sealing);
        metrics::counter!("hufu_config_pools_read_total").increment(u64::try_from(pools).unwrap_or_default());
        tracing::info!(version = config.version, pools, "configuration taken up");
        self.config.store(Arc::new(config));
        (seen.configuration, seen.unmarked) = (now.configuration, now.unmarked);
        self.make_missing_keys(algorithms).await
    }

    /// Watches the configuration until the process ends.
    #[boxed]
    pub async fn watch_config(self: Arc<Self>) {
        let mut tick = tokio::time::interval(self.limits.config_poll);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.refresh_config().await {
                tracing::error!(
                    error = hufu_types::chain(&error),
                    "the configuration cannot be read; the last one stays"
                );
            }
        }
    }

    /// Forgets what has expired, every minute, until the process ends.
    #[boxed]
    pub async fn sweep_forever(self: Arc<Self>) {
        let mut tick = tokio::time::interval(std::time::Duration::from_secs(60));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.sweep().await {
                tracing::error!(error = hufu_types::chain(&error), "sweeping failed");
            }
        }
    }

    /// Forgets what has expired.
    #[boxed]
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.store.write(Sweep { now: self.now(), limits: self.limits.clone() }).await?;
        self.delete_expired().await?;
        self.forget_audit().await
    }
}

/// How tokens of these applications are signed.
fn algorithms(stored: &StoredConfig) -> HashSet<SigningAlgorithm> {
    stored.applications.iter().map(|application| application.signing_algorithm).collect()
}

struct Sweep {
    now: Timestamp,
    limits: Limits,
}

impl Write for Sweep {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let now = self.now;
        // Codes live five minutes at WeChat; their records need not outlive them long.
        hufu_store::exchanges::sweep(tx, now.minus(self.limits.code_replay * 2)).await?;
        hufu_store::refresh_tokens::sweep(tx, now).await?;
        hufu_store::sessions::sweep(tx, now).await?;
        hufu_store::browser_sessions::sweep(tx, now).await?;
        hufu_store::flows::sweep(tx, now).await?;
        hufu_store::passcodes::sweep(tx, now).await?;
        hufu_store::step_tokens::sweep(tx, now).await?;
        hufu_store::rates::sweep(tx, now).await?;
        hufu_store::uploads::sweep(tx, now.minus(self.limits.upload_orphan_age)).await?;
        hufu_store::keys::sweep(tx, now).await?;
        hufu_store::administration::sweep(tx, now).await?;
        let old = now.minus(self.limits.webhook_history);
        hufu_store::deliveries::sweep(tx, old, self.limits.deliveries_forgotten).await?;
        Ok(())
    }
}
