//! The application as a whole: the state that every use case needs, and the tasks that run in the background.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwap;
use async_recursion::async_recursion as boxed;
use hufu_connect::{GuardedClient, Outbox, SenderContext};
use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{ReadChanged, ReadPart, StoredConfig};
use hufu_store::versions::{ReadVersions, Versions};
use hufu_store::{Read, Store, StoreError, Tx, Write};
use hufu_types::{Application, Clock, Random, SigningAlgorithm, Timestamp};
use tokio::sync::Mutex;

use crate::administration::Places;
use crate::authorization::client_keys::KeySets;
use crate::authorization::dpop::SeenProofs;
use crate::authorization::request_uri::RequestObjects;
use crate::configuration::console::Console;
use crate::credentials::password::{Cost, Hasher, PasswordKeys};
use crate::failures::Failures;
use crate::official_account::RefusedMessages;
use crate::people::uploads::Decoders;
use crate::sources::availability::Circuits;
use crate::sources::wechat::app_tokens::{SharedTokens, TokenParts};
use crate::sources::wechat::default::DefaultMiniProgram;
use crate::sources::wechat::exchange::Codes;
use crate::subjects::{Subjects, SubjectsError};
use crate::tickets::picture::Pictures;
use crate::tickets::watch::Tickets;
use crate::tokens::authentication::SessionCache;
use crate::tokens::keys::{KeyError, Keys};
use crate::transfer::Imports;
use crate::webhooks::Receivers;
use crate::{Config, Limits, Refusal};

/// The parts an instance is built from.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The WeChat client.
    pub wechat: hufu_wechat::Client,
    /// The key that seals secrets in the database.
    pub sealing: Arc<SealingKey>,
    /// The limits.
    pub limits: Limits,
    /// The URL at which users and clients reach the instance, without a trailing slash.
    pub public_url: String,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub random: Arc<dyn Random>,
    /// The client for everything outside except WeChat: webhooks and message providers.
    pub outgoing: GuardedClient,
    /// Receives the messages of pools without a sender. Development only.
    pub outbox: Option<Outbox>,
    /// The instance's own mini program.
    pub default_mini_program: Option<DefaultMiniProgram>,
    /// Whether anybody may register as an administrator of a pool of their own.
    pub sign_up: bool,
}

/// An instance of Hufu.
pub struct App {
    pub(crate) store: Store,
    /// Its app tokens are those that all nodes share.
    pub(crate) wechat: hufu_wechat::Client,
    pub(crate) app_tokens: SharedTokens,
    pub(crate) sealing: Arc<SealingKey>,
    pub(crate) limits: Limits,
    pub(crate) public_url: String,
    pub(crate) issuer: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) config: ArcSwap<Config>,
    /// The versions that this node has seen. Locked during a refresh, so that refreshes cannot overtake each
    /// other.
    versions: Mutex<Versions>,
    pub(crate) keys: ArcSwap<Keys>,
    pub(crate) password_keys: PasswordKeys,
    pub(crate) sessions: SessionCache,
    pub(crate) codes: Codes,
    pub(crate) circuits: Circuits,
    pub(crate) failures: Failures,
    pub(crate) decoders: Decoders,
    pub(crate) hasher: Hasher,
    /// The context that senders are created with.
    pub(crate) sender_context: SenderContext,
    /// The public keys of clients.
    pub(crate) client_keys: KeySets,
    /// The request objects that were fetched from clients.
    pub(crate) request_objects: RequestObjects,
    /// The subjects by which clients know people.
    pub(crate) subjects: Subjects,
    /// The DPoP proofs of calls that this node saw.
    pub(crate) seen_proofs: SeenProofs,
    /// The signatures of management clients that this node saw.
    pub(crate) seen_signatures: SeenProofs,
    /// Where the pages of management clients ended.
    pub(crate) places: Places,
    /// The development outbox, if there is one.
    pub(crate) outbox: Option<Outbox>,
    /// Notified when a unit of work has queued jobs.
    pub(crate) jobs_waiting: tokio::sync::Notify,
    /// The name under which this node claims jobs.
    pub(crate) node: String,
    pub(crate) receivers: Receivers,
    pub(crate) refused_messages: RefusedMessages,
    /// Position in the round-robin over pools when old audit log entries are deleted.
    pub(crate) audit_turn: AtomicUsize,
    /// The imports that this node receives or runs.
    pub(crate) imports: Arc<Imports>,
    /// The instance's own mini program.
    pub(crate) default_mini_program: Option<DefaultMiniProgram>,
    /// The tickets of the browsers that wait on this node for a QR code.
    pub(crate) tickets: Tickets,
    /// The pictures of QR codes that WeChat made.
    pub(crate) pictures: Pictures,
}

/// Why an instance failed to start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database returned an error.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
    /// The signing keys cannot be used.
    #[error("the signing keys cannot be used")]
    Keys(#[from] KeyError),
    /// The pairwise subjects cannot be derived.
    #[error("the pairwise subjects cannot be derived")]
    Subjects(#[from] SubjectsError),
    /// The password hashing parameters are too weak or invalid.
    #[error("the limits password_memory and password_passes do not go together: {0}")]
    PasswordCost(String),
}

impl App {
    /// Starts an instance on a migrated database. Creates the first signing key if there is none, and reads
    /// the configuration.
    #[boxed]
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StartError> {
        let Parts {
            store,
            wechat,
            sealing,
            limits,
            public_url,
            clock,
            random,
            outgoing,
            outbox,
            default_mini_program,
            sign_up,
        } = parts;
        let cost = Cost::new(limits.password_memory, limits.password_passes);
        let hasher = Hasher::default().with_cost(cost.map_err(StartError::PasswordCost)?);
        // Read the versions first, so that the next refresh notices a change made in the meantime.
        let versions = store.read(ReadVersions).await?;
        let keys = Keys::load(&store, &sealing, &*clock, &*random).await?;
        let console = Console::new(&public_url, sign_up, outbox.is_some(), &limits);
        let loaded = Loaded::read(&store, Some(console), &sealing, Some(&*random)).await?;
        let Loaded { config, algorithms, .. } = loaded;
        // The first signing key may just have been created, which is not a change that the next refresh must
        // pick up.
        let versions = Versions { configuration: config.version, ..versions };
        let subjects = Subjects::load(&store, &sealing, &*random).await?;
        let node = hufu_types::JobId::generate(clock.now(), &*random).as_str().to_owned();
        let app_tokens = SharedTokens::new(TokenParts {
            store: store.clone(),
            client: wechat.clone(),
            sealing: sealing.clone(),
            clock: clock.clone(),
            random: random.clone(),
            node: node.clone(),
            lease: limits.app_token_lease,
        });
        let app = Arc::new(Self {
            issuer: format!("{public_url}/oidc"),
            sessions: SessionCache::new(limits.session_cache),
            codes: Codes::new(&limits),
            circuits: Circuits::default(),
            failures: Failures::new(&limits),
            decoders: Decoders::new(&limits),
            config: ArcSwap::from_pointee(config),
            versions: Mutex::new(versions),
            keys: ArcSwap::from_pointee(keys),
            password_keys: PasswordKeys::default(),
            imports: Arc::default(),
            default_mini_program,
            tickets: Tickets::new(&limits),
            pictures: Pictures::new(&limits),
            client_keys: KeySets::default(),
            request_objects: RequestObjects::default(),
            subjects,
            seen_proofs: SeenProofs::default(),
            seen_signatures: SeenProofs::default(),
            places: Places::default(),
            hasher,
            sender_context: SenderContext {
                http: outgoing,
                outbox: outbox.clone(),
                clock: clock.clone(),
                random: random.clone(),
            },
            outbox,
            jobs_waiting: tokio::sync::Notify::new(),
            node,
            receivers: Receivers::default(),
            refused_messages: RefusedMessages::default(),
            audit_turn: AtomicUsize::new(0),
            store,
            wechat: wechat.with_app_tokens(Arc::new(app_tokens.clone())),
            app_tokens,
            sealing,
            limits,
            public_url,
            clock,
            random,
        });
        app.make_missing_keys(algorithms).await?;
        Ok(app)
    }

    /// The effective limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The public URL of the instance.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The issuer of tokens: `{public_url}/oidc`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The configuration as this node last read it.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The source of randomness.
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

    /// Whether the database responds and has the schema that this program expects.
    #[boxed]
    pub async fn is_ready(&self) -> bool {
        self.store.read(hufu_store::instance::Ping).await.is_ok()
    }

    /// Picks up what other processes and nodes changed: rereads changed pools and, if they changed, the
    /// signing keys. If sessions ended, clears the session cache, so that each session is checked against the
    /// database again.
    #[boxed]
    pub async fn refresh_config(&self) -> Result<(), StartError> {
        let mut seen = self.versions.lock().await;
        let now = self.store.read(ReadVersions).await?;
        let sessions_ended = now.sessions != seen.sessions;
        if sessions_ended {
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
        let loaded = if now.unmarked == seen.unmarked {
            let stored = self.store.read(ReadChanged(seen.configuration)).await?;
            let (pools, algorithms) = (stored.pools.len(), algorithms(&stored));
            Loaded { pools, algorithms, config: (*self.config()).clone().with(stored, &self.sealing) }
        } else {
            // The previous version of the program signals ended sessions in this way, too.
            self.sessions.forget_all();
            let console = self.config().console().cloned();
            Loaded::read(&self.store, console, &self.sealing, None).await?
        };
        let Loaded { config, algorithms, pools } = loaded;
        // First the keys: an application is never served before there is a key to sign its tokens with.
        self.make_missing_keys(algorithms).await?;
        metrics::counter!("hufu_config_pools_read_total").increment(u64::try_from(pools).unwrap_or_default());
        tracing::info!(version = config.version, pools, "configuration taken up");
        self.config.store(Arc::new(config));
        if sessions_ended {
            // Whom an application lists was asked with the configuration before, where that made the difference.
            self.sessions.forget_all();
        }
        (seen.configuration, seen.unmarked) = (now.configuration, now.unmarked);
        Ok(())
    }

    /// Polls for configuration changes until the process ends.
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

    /// Deletes expired data every minute until the process ends.
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

    /// Deletes expired data.
    #[boxed]
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.store.write(Sweep { now: self.now(), limits: self.limits.clone() }).await?;
        self.delete_expired().await?;
        self.end_expired_flows().await?;
        self.forget_audit().await
    }
}

/// The configuration as read from the database.
struct Loaded {
    config: Config,
    /// The signing algorithms of the applications that were read.
    algorithms: HashSet<SigningAlgorithm>,
    /// How many pools were read.
    pools: usize,
}

impl Loaded {
    /// How many pools are read at a time. What reading them takes besides them is used again for the next ones.
    const PART: i64 = 256;

    /// Reads the whole configuration, part by part. With `random` it seals settings that an earlier release left in columns.
    async fn read(
        store: &Store,
        console: Option<Console>,
        sealing: &SealingKey,
        random: Option<&dyn Random>,
    ) -> Result<Self, StoreError> {
        let mut all = Self { config: Config::with_console(console), algorithms: HashSet::new(), pools: 0 };
        let (mut after, mut version) = (None, None);
        loop {
            let stored = store.read(ReadPart { after, limit: Self::PART }).await?;
            // Of the first part: a later change is read again.
            version = version.or(Some(stored.version));
            let is_last = i64::try_from(stored.pools.len()).is_ok_and(|count| count < Self::PART);
            after = stored.pools.last().map(|pool| pool.id.clone());
            all.pools += stored.pools.len();
            all.algorithms.extend(algorithms(&stored));
            if let Some(random) = random {
                crate::sources::settings::seal_columns(store, &stored.connections, sealing, random).await?;
            }
            all.config = all.config.with(stored, sealing);
            if is_last {
                all.config.version = version.unwrap_or_default();
                return Ok(all);
            }
        }
    }
}

/// The signing algorithms that these applications use.
fn algorithms(stored: &StoredConfig) -> HashSet<SigningAlgorithm> {
    let of = |application: &Application| {
        [Some(application.signing_algorithm), application.client.userinfo_signed_response_alg]
    };
    stored.applications.iter().flat_map(of).flatten().collect()
}

struct Sweep {
    now: Timestamp,
    limits: Limits,
}

impl Write for Sweep {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let now = self.now;
        // A record is used only within `code_replay`. Twice that leaves a margin.
        hufu_store::exchanges::sweep(tx, now.minus(self.limits.code_replay * 2)).await?;
        // Kept for a while, so that a second use is noticed.
        let kept = self.limits.authorization_code_kept;
        hufu_store::authorization_codes::sweep(tx, now.minus(kept)).await?;
        // Kept for a while, so that a device learns that its code has expired.
        hufu_store::device_codes::sweep(tx, now.minus(self.limits.device_code)).await?;
        // Kept for a while, so that a browser learns that its code has expired.
        hufu_store::qr_tickets::sweep(tx, now.minus(self.limits.qr_kept)).await?;
        hufu_store::qr_pictures::sweep(tx, now).await?;
        hufu_store::refresh_tokens::sweep(tx, now).await?;
        hufu_store::sessions::sweep(tx, now).await?;
        hufu_store::browser_sessions::sweep(tx, now).await?;
        hufu_store::passcodes::sweep(tx, now).await?;
        hufu_store::source_logins::sweep(tx, now).await?;
        hufu_store::step_tokens::sweep(tx, now).await?;
        hufu_store::used_jtis::sweep(tx, now).await?;
        hufu_store::pushed_requests::sweep(tx, now).await?;
        hufu_store::registrations::sweep(tx, now).await?;
        hufu_store::rates::sweep(tx, now).await?;
        hufu_store::uploads::sweep(tx, now.minus(self.limits.upload_orphan_age)).await?;
        hufu_store::keys::sweep(tx, now).await?;
        hufu_store::app_tokens::sweep(tx, now.minus(self.limits.app_token_kept)).await?;
        hufu_store::administration::sweep(tx, now).await?;
        hufu_store::management_keys::sweep(tx, now).await?;
        hufu_store::invitations::sweep(tx, now).await?;
        hufu_store::entry_links::sweep(tx, now).await?;
        let old = now.minus(self.limits.webhook_history);
        hufu_store::deliveries::sweep(tx, old, self.limits.deliveries_forgotten).await?;
        let old = now.minus(self.limits.relay_history);
        hufu_store::wechat_messages::sweep(tx, old, self.limits.deliveries_forgotten).await?;
        // What WeChat's clock signed ahead of this one's is timely for longer.
        let old = now.minus(self.limits.wechat_push_age + hufu_wechat::MAX_CLOCK_SKEW * 2);
        hufu_store::wechat_signatures::sweep(tx, old, self.limits.deliveries_forgotten).await?;
        hufu_store::wechat_followers::sweep(tx, now.minus(self.limits.unfollowed_kept)).await?;
        Ok(())
    }
}
