//! The instance's keys for signing tokens.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_protocol::sealing::{OpenError, SealingKey};
use hufu_protocol::{KeySet, SigningKey};
use hufu_store::keys::{AddSigningKey, ListSigningKeys, StoredSigningKey};
use hufu_store::{Store, StoreError};
use hufu_types::{Clock, Random, SigningAlgorithm, Timestamp, TokenHash};

use super::authentication::Bearer;
use crate::App;

/// The instance's signing keys at one version of the configuration.
pub struct Keys {
    /// Each key with the time from which it signs, ordered by that time.
    signing: Vec<(Timestamp, SigningKey)>,
    published: KeySet,
    /// The published keys as a JWK set.
    json: Vec<u8>,
    /// The tokens that were verified with these keys lately. A client presents one many times, and verifying it costs
    /// more than all the rest.
    pub(super) verified: moka::sync::Cache<TokenHash, Arc<Bearer>>,
}

/// The most tokens that a node remembers as verified; each takes about half a kilobyte.
const REMEMBERED_TOKENS: u64 = 20_000;
/// For how long.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A database error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing key was sealed under another sealing key.
    #[error("the signing key {id} cannot be opened")]
    Sealed {
        /// The id of the signing key.
        id: String,
        /// The cause.
        source: OpenError,
    },
    /// The signing key is malformed.
    #[error("a signing key is malformed")]
    Malformed(#[from] hufu_protocol::KeyError),
}

impl Keys {
    /// Loads all keys. Creates the first ES256 key of a new instance.
    pub(crate) async fn load(
        store: &Store,
        sealing: &SealingKey,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Self, KeyError> {
        let mut stored = store.read(ListSigningKeys).await?;
        if !stored.iter().any(|k| k.algorithm == SigningAlgorithm::Es256) {
            add(store, sealing, random, SigningAlgorithm::Es256, Start::First { now: clock.now() }).await?;
            stored = store.read(ListSigningKeys).await?;
        }
        let mut signing = Vec::with_capacity(stored.len());
        for key in stored {
            let opened = sealing
                .open(&context(&key.id), &key.sealed)
                .map_err(|source| KeyError::Sealed { id: key.id.clone(), source })?;
            signing.push((key.signs_from, SigningKey::from_pkcs8(key.algorithm, opened.expose())?));
        }
        let published: KeySet = signing.iter().map(|(_, key)| key.public()).collect();
        let json = serde_json::to_vec(&published).map_err(StoreError::from)?;
        let verified = moka::sync::Cache::builder().max_capacity(REMEMBERED_TOKENS).time_to_live(REMEMBERED);
        Ok(Self { signing, published, json, verified: verified.build() })
    }

    /// The current signing key: the latest one whose start time has passed.
    pub(crate) fn signing(&self, algorithm: SigningAlgorithm, now: Timestamp) -> Option<&SigningKey> {
        let of_algorithm = self.signing.iter().filter(|(_, key)| key.algorithm() == algorithm);
        of_algorithm
            .clone()
            .rfind(|(from, _)| *from <= now)
            .or_else(|| of_algorithm.clone().next())
            .map(|(_, key)| key)
    }

    /// The public keys of all signing keys.
    pub fn published(&self) -> &KeySet {
        &self.published
    }

    /// The same as a JWK set (RFC 7517 section 5), written once.
    pub fn json(&self) -> &[u8] {
        &self.json
    }
}

/// The sealing context of a signing key.
pub(crate) fn context(id: &str) -> String {
    format!("signing_key:{id}")
}

/// When a key starts to sign.
enum Start {
    /// Immediately, because it is the first of its algorithm.
    First {
        /// The current time.
        now: Timestamp,
    },
    /// After it has been published for a while.
    Successor {
        /// The current time.
        now: Timestamp,
        /// How long it is published before it signs.
        lead: Duration,
        /// The longest lifetime of its predecessors' tokens.
        longest_token: Duration,
    },
}

async fn add(
    store: &Store,
    sealing: &SealingKey,
    random: &dyn Random,
    algorithm: SigningAlgorithm,
    start: Start,
) -> Result<String, KeyError> {
    let (key, der) = SigningKey::generate(algorithm)?;
    let id = key.key_id().to_owned();
    let (created_at, signs_from, predecessors_expire_at, only_if_none) = match start {
        Start::First { now } => (now, now, now, true),
        Start::Successor { now, lead, longest_token } => {
            (now, now.plus(lead), now.plus(lead).plus(longest_token), false)
        }
    };
    let key = StoredSigningKey {
        sealed: sealing.seal(random, &context(&id), der.expose()),
        id: id.clone(),
        algorithm,
        created_at,
        signs_from,
        expires_at: None,
    };
    store.write(AddSigningKey { key, only_if_none, predecessors_expire_at }).await?;
    Ok(id)
}

impl App {
    /// The public keys, as published at `/oidc/.well-known/jwks.json`.
    pub fn published_keys(&self) -> std::sync::Arc<Keys> {
        self.keys.load_full()
    }

    /// Creates the first key of every algorithm that an application needs.
    pub(crate) async fn make_missing_keys(
        &self,
        algorithms: HashSet<SigningAlgorithm>,
    ) -> Result<(), crate::StartError> {
        let keys = self.keys.load_full();
        let now = self.now();
        let is_missing = |algorithm: &SigningAlgorithm| keys.signing(*algorithm, now).is_none();
        let missing: Vec<SigningAlgorithm> = algorithms.into_iter().filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for algorithm in missing {
            add(&self.store, &self.sealing, &*self.random, algorithm, Start::First { now }).await?;
        }
        let keys = Keys::load(&self.store, &self.sealing, &*self.clock, &*self.random).await?;
        self.keys.store(std::sync::Arc::new(keys));
        Ok(())
    }

    /// The algorithms that have a key.
    pub fn signing_algorithms(&self) -> Vec<SigningAlgorithm> {
        let keys = self.keys.load();
        let has_key = |algorithm: &&SigningAlgorithm| {
            keys.signing.iter().any(|(_, key)| key.algorithm() == **algorithm)
        };
        SigningAlgorithm::ALL.iter().filter(has_key).copied().collect()
    }

    /// Creates a new key to replace the current one of an algorithm, and returns its id. It is published
    /// immediately, and signs once the lead time has passed, or at once. The old keys remain published until their last
    /// token has expired.
    #[boxed]
    pub async fn rotate_signing_key(
        &self,
        algorithm: SigningAlgorithm,
        at_once: bool,
    ) -> Result<String, KeyError> {
        let lifetimes = |a: &std::sync::Arc<hufu_types::Application>| {
            a.lifetimes.user_token.max(a.lifetimes.access_token)
        };
        let longest_token =
            self.config().applications().map(lifetimes).max().unwrap_or(Duration::from_secs(14 * 86_400));
        let longest_token = longest_token.max(self.limits.management_token);
        let lead = if at_once { Duration::ZERO } else { self.limits.key_lead };
        let start = Start::Successor { now: self.now(), lead, longest_token };
        add(&self.store, &self.sealing, &*self.random, algorithm, start).await
    }
}
