//! Documents of clients: what a node fetched from their addresses, and keeps in memory for a while. One fetch of an
//! address is under way at a time, and whoever needs it meanwhile waits for that one.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hufu_types::Timestamp;
use moka::sync::Cache;

/// The most documents of a kind that a node keeps.
const MOST: u64 = 1000;

/// The documents of a kind.
pub(crate) struct Documents<K, T>(Cache<K, Arc<Document<T>>>);

impl<K: Hash + Eq + Send + Sync + 'static, T: Send + Sync + 'static> Default for Documents<K, T> {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).build())
    }
}

impl<K: Hash + Eq + Send + Sync + 'static, T: Send + Sync + 'static> Documents<K, T> {
    /// What is known of the document at this place.
    pub(super) fn at(&self, place: K) -> Arc<Document<T>> {
        self.0.get_with(place, || Arc::new(Document::default()))
    }
}

/// A document behind an address.
pub(super) struct Document<T> {
    known: ArcSwap<Known<T>>,
    /// Held while it is fetched.
    fetching: tokio::sync::Mutex<()>,
}

impl<T> Default for Document<T> {
    fn default() -> Self {
        Self { known: ArcSwap::from_pointee(Known::default()), fetching: tokio::sync::Mutex::default() }
    }
}

/// What is known of a document.
struct Known<T> {
    /// The latest content, and when it was fetched.
    content: Option<(Arc<T>, Timestamp)>,
    /// When it was last asked for.
    tried_at: Option<Timestamp>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { content: None, tried_at: None }
    }
}

/// How long a content is used.
pub(super) struct Life {
    /// Before it is fetched again.
    pub(super) cached: Duration,
    /// If it cannot be fetched again.
    pub(super) kept: Duration,
}

/// What to do.
enum Choice<T> {
    /// Use this. `None`: there is nothing, and it is too early to ask again.
    Use(Option<Arc<T>>),
    /// Ask for it.
    Ask,
}

impl<T> Known<T> {
    /// `life` is how long a content does for what it is needed for, if it does.
    fn now(&self, life: impl Fn(&Arc<T>) -> Option<Life>, pause: Duration, now: Timestamp) -> Choice<T> {
        let fit = self.content.as_ref().and_then(|(content, at)| Some((content, at, life(content)?)));
        if let Some((content, at, life)) = &fit
            && at.plus(life.cached) > now
        {
            return Choice::Use(Some(Arc::clone(content)));
        }
        if self.tried_at.is_none_or(|tried| tried.plus(pause) <= now) {
            return Choice::Ask;
        }
        let kept = fit.filter(|(_, at, life)| at.plus(life.kept) > now);
        Choice::Use(kept.map(|(content, ..)| Arc::clone(content)))
    }
}

impl<T> Document<T> {
    /// The content: the known one if it does, otherwise the one that `fetch` gets. It is not called more often than
    /// once in `pause`, whether it succeeds or not.
    pub(super) async fn get(
        &self,
        life: impl Fn(&Arc<T>) -> Option<Life>,
        pause: Duration,
        now: impl Fn() -> Timestamp,
        fetch: impl AsyncFnOnce() -> Option<T>,
    ) -> Option<Arc<T>> {
        if let Choice::Use(content) = self.known.load().now(&life, pause, now()) {
            return content;
        }
        let _turn = self.fetching.lock().await;
        if let Choice::Use(content) = self.known.load().now(&life, pause, now()) {
            return content;
        }
        let fetched = fetch().await.map(Arc::new);
        let now = now();
        let before = self.known.load().content.clone();
        let known = Known { content: fetched.map(|content| (content, now)).or(before), tried_at: Some(now) };
        let choice = known.now(&life, pause, now);
        self.known.store(Arc::new(known));
        match choice {
            Choice::Use(content) => content,
            Choice::Ask => None,
        }
    }
}
