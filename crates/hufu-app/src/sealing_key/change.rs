//! Changing the key that seals secrets while nodes run.
//!
//! Every node has all keys, of which one seals: the one that the database names. So the change takes these steps, in any
//! number of processes: another key is added where the nodes find theirs; once all nodes have it, the database names it;
//! what the one before sealed is sealed again, row by row; and when nothing is left, that one is taken away.
//!
//! Keyed hashes, such as those of codes under way, stay as they are: their key was derived from the first sealing key, and
//! is sealed itself from the first change on.

use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_protocol::sealing::{OpenError, SealingKey};
use hufu_store::instance::{self, Fact};
use hufu_store::sealed::{
    self, CountSealed, Lasting, ListNodes, ListSealed, NodeKeys, ReplaceSealed, ReportNode, SealedValue,
};
use hufu_store::{Store, StoreError, Tx, Write};
use hufu_types::{AccessKeyId, ConnectionId, PoolId, Random, Timestamp, WebhookId};

use super::{KeySource, SealingKeyError, load_sealing_key};
use crate::{App, administration, configuration, credentials, sources, subjects, tokens, webhooks};

/// Rows that are sealed again in one unit of work.
const AT_ONCE: usize = 200;
/// How long after its last report a node counts as running. Nodes report each [`crate::Limits::sealing_key_poll`], or
/// once a minute.
const RUNNING: Duration = Duration::from_secs(3 * 60);
/// How often a node reports at least.
const REPORTED: Duration = Duration::from_secs(60);

/// Why the key cannot be changed. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such key here.
    #[error("the key {0} is not among the keys of this configuration; `hufu keys list` shows them")]
    Unknown(String),
    /// Nodes that run do not have the key.
    #[error("nodes that run do not have the key {key} yet: {}; give it to them first", .nodes.join(", "))]
    NotEverywhere {
        /// The key.
        key: String,
        /// The nodes.
        nodes: Vec<String>,
    },
    /// The key seals now.
    #[error("the key {0} seals what is written now; let another one do so first, with `hufu keys use`")]
    InUse(String),
    /// Nodes have not noticed yet that another key seals.
    #[error("servers still seal with the key {key}: {}; they notice the other one within seconds, try again", .nodes.join(", "))]
    StillUsed {
        /// The key.
        key: String,
        /// The nodes.
        nodes: Vec<String>,
    },
    /// The key still seals something.
    #[error("the key {key} still seals {}; {}", described(.left), advice(.lasts))]
    StillSeals {
        /// The key.
        key: String,
        /// What it seals: the column and the number of values.
        left: Vec<(&'static str, i64)>,
        /// Whether some of it does not end by itself.
        lasts: bool,
    },
    /// A value cannot be opened.
    #[error("a value of {column} cannot be opened")]
    Sealed {
        /// The table and the column.
        column: &'static str,
        /// The cause.
        source: OpenError,
    },
    /// The database returned an error.
    #[error("the database cannot be read or written")]
    Store(#[from] StoreError),
}

fn described(left: &[(&str, i64)]) -> String {
    left.iter().map(|(column, count)| format!("{count} in {column}")).collect::<Vec<_>>().join(", ")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the macro of the error passes a reference")]
fn advice(lasts: &bool) -> &'static str {
    if *lasts { "seal it again with `hufu keys reseal`" } else { "these end by themselves; try again later" }
}

/// What a key seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seals {
    /// The key.
    pub key: String,
    /// Values that last.
    pub lasting: Vec<(&'static str, i64)>,
    /// Values that end by themselves.
    pub passing: Vec<(&'static str, i64)>,
}

/// Counts what each of these keys seals.
///
/// # Errors
/// [`StoreError`].
pub async fn seals(store: &Store, sealing: &SealingKey) -> Result<Vec<Seals>, StoreError> {
    let mut all = Vec::new();
    for key in sealing.key_ids() {
        let (lasting, passing) = store.read(CountSealed(beginning(&key))).await?;
        let some =
            |found: Vec<(&'static str, i64)>| found.into_iter().filter(|(_, count)| *count > 0).collect();
        all.push(Seals { key, lasting: some(lasting), passing: some(passing) });
    }
    Ok(all)
}

/// The nodes that run, with the keys that they have.
///
/// # Errors
/// [`StoreError`].
pub async fn nodes(store: &Store, now: Timestamp) -> Result<Vec<NodeKeys>, StoreError> {
    store.read(ListNodes(now.minus(RUNNING))).await
}

/// Lets another key seal what is written from now on. All nodes that run have to have it.
///
/// # Errors
/// [`ChangeError`].
pub async fn use_key(
    store: &Store,
    sealing: &SealingKey,
    random: &dyn Random,
    id: &str,
    now: Timestamp,
) -> Result<(), ChangeError> {
    let next = sealing.sealing_with(id).ok_or_else(|| ChangeError::Unknown(id.to_owned()))?;
    let without = nodes(store, now).await?.into_iter().filter(|node| !node.keys.iter().any(|key| key == id));
    let without: Vec<String> = without.map(|node| node.node).collect();
    if !without.is_empty() {
        return Err(ChangeError::NotEverywhere { key: id.to_owned(), nodes: without });
    }
    let unit = Use { id: id.to_owned(), hash_key: hex::encode(next.sealed_hash_key(random)) };
    store.write(unit).await?;
    sealing.become_like(&next);
    Ok(())
}

struct Use {
    id: String,
    /// The key of keyed hashes, sealed, in hexadecimal.
    hash_key: String,
}

impl Write for Use {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        // Until now it was derived from the key that sealed.
        instance::put_if_absent(tx, Fact::HashKey, &self.hash_key).await?;
        sealed::switch(tx, &self.id).await.map(drop)
    }
}

/// Seals again, with the key that seals now, what other keys have sealed and what lasts. Can be stopped and started again
/// at any time, also twice at once. `progress` is told how many values were sealed again so far.
///
/// # Errors
/// [`ChangeError`].
pub async fn reseal(
    store: &Store,
    sealing: &SealingKey,
    random: &dyn Random,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<u64, ChangeError> {
    let mut done = 0;
    for key in sealing.key_ids().iter().skip(1) {
        for column in Lasting::ALL.iter().copied() {
            loop {
                let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
                let found = store.read(ListSealed { column, begins: beginning(key), limit }).await?;
                let is_last = found.len() < AT_ONCE;
                let mut values = Vec::with_capacity(found.len());
                for value in found {
                    let resealed = sealing.reseal(random, &context(column, &value), &value.sealed);
                    let resealed =
                        resealed.map_err(|source| ChangeError::Sealed { column: column.as_str(), source })?;
                    values.extend(resealed.map(|resealed| (value, resealed)));
                }
                done += store.write(ReplaceSealed { column, values }).await?;
                progress(done);
                if is_last {
                    break;
                }
            }
        }
    }
    Ok(done)
}

/// Whether a key can be taken away: it does not seal, and nothing needs it.
///
/// # Errors
/// [`ChangeError`].
pub async fn check_unused(
    store: &Store,
    sealing: &SealingKey,
    id: &str,
    now: Timestamp,
) -> Result<(), ChangeError> {
    let keys = sealing.key_ids();
    if !keys.iter().any(|key| key == id) {
        return Err(ChangeError::Unknown(id.to_owned()));
    }
    if keys.first().is_some_and(|key| key == id) {
        return Err(ChangeError::InUse(id.to_owned()));
    }
    let sealing =
        nodes(store, now).await?.into_iter().filter(|node| node.keys.first().is_some_and(|key| key == id));
    let nodes: Vec<String> = sealing.map(|node| node.node).collect();
    if !nodes.is_empty() {
        return Err(ChangeError::StillUsed { key: id.to_owned(), nodes });
    }
    let (lasting, passing) = store.read(CountSealed(beginning(id))).await?;
    let lasts = lasting.iter().any(|(_, count)| *count > 0);
    let left: Vec<_> = lasting.into_iter().chain(passing).filter(|(_, count)| *count > 0).collect();
    if left.is_empty() { Ok(()) } else { Err(ChangeError::StillSeals { key: id.to_owned(), left, lasts }) }
}

/// How the values begin that a key seals.
fn beginning(id: &str) -> Vec<u8> {
    SealingKey::prefix_of(id).unwrap_or_default()
}

/// The context in which a value is sealed.
fn context(column: Lasting, value: &SealedValue) -> String {
    let (first, second) = (&value.row.0, &value.row.1);
    // An id that is none is opened in no context.
    let webhook = || match (PoolId::parse(first), WebhookId::parse(second)) {
        (Ok(pool), Ok(id)) => webhooks::secret_context(&pool, &id),
        _ => String::new(),
    };
    let management_key = || match (PoolId::parse(first), AccessKeyId::parse(second)) {
        (Ok(pool), Ok(id)) => administration::management_keys::sealed_for(&pool, &id),
        _ => String::new(),
    };
    let connection = |context: fn(&ConnectionId) -> String| {
        ConnectionId::parse(second).map(|id| context(&id)).unwrap_or_default()
    };
    match column {
        Lasting::Connection => connection(sources::settings::context),
        Lasting::OldConnection => connection(sources::settings::secret_context),
        Lasting::Sender => configuration::senders::context_of(first, second),
        Lasting::Webhook | Lasting::WebhookBefore => webhook(),
        Lasting::ManagementKey => management_key(),
        Lasting::SigningKey => tokens::keys::context(first),
        Lasting::PasswordKey => credentials::password::key_pairs::key_context(first),
        Lasting::Fact if *first == Fact::HashKey.key() => SealingKey::hash_key_context().to_owned(),
        Lasting::Fact => subjects::CONTEXT.to_owned(),
    }
}

impl App {
    /// Takes up the keys from where they come from, and says which ones this node has, until the process ends.
    #[boxed]
    pub async fn watch_sealing_key(self: Arc<Self>, source: KeySource) {
        let mut tick = tokio::time::interval(self.limits.sealing_key_poll);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut reported = None;
        loop {
            tick.tick().await;
            if let Err(error) = self.refresh_sealing_key(&source, &mut reported).await {
                tracing::error!(
                    error = hufu_types::chain(&error),
                    "the sealing keys cannot be read; those that this node has stay"
                );
            }
        }
    }

    /// Takes up the keys, and says which ones this node has unless it did so lately: `reported` is what was said, and when.
    #[boxed]
    pub async fn refresh_sealing_key(
        &self,
        source: &KeySource,
        reported: &mut Option<(Vec<String>, Timestamp)>,
    ) -> Result<(), SealingKeyError> {
        let now = self.now();
        let loaded = load_sealing_key(&self.store, source, &*self.random).await;
        if let Ok(loaded) = &loaded {
            if loaded.key_ids() != self.sealing.key_ids() {
                tracing::info!(keys = loaded.key_ids().join(" "), "sealing keys taken up");
            }
            self.sealing.become_like(loaded);
        }
        let keys = self.sealing.key_ids();
        let is_known = reported.as_ref().is_some_and(|(said, at)| *said == keys && now.since(*at) < REPORTED);
        if !is_known {
            let node = NodeKeys { node: self.node.clone(), keys: keys.clone(), seen_at: now };
            self.store.write(ReportNode { node, forget: now.minus(RUNNING * 10) }).await?;
            *reported = Some((keys, now));
        }
        loaded.map(drop)
    }
}
