//! A cache of app tokens. Each token is fetched only once for all waiting callers.
//!
//! WeChat's stable-token API makes this simple: it returns the same token until that token's last five
//! minutes. Several nodes can therefore each run a broker without invalidating one another's tokens.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::digest;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, ready},
};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout_at};

use crate::{
    api::{AccessToken, Api},
    class::Endpoint,
    error::{Error, ErrorKind},
    settings::{AppCredentials, Budget},
    tokens::{AppToken, AppTokens},
};

/// A token with less than this left is renewed in the background while it stays in use.
const RENEW_BEFORE: Duration = Duration::from_secs(10 * 60);
/// Spreads the renewals of several nodes over time.
const RENEW_JITTER: Duration = Duration::from_secs(2 * 60);
/// Minimum time between two renewals of one token, successful or not. WeChat returns the same token until its
/// last five minutes, so asking on every call would only use up a quota.
const RENEW_PAUSE: Duration = Duration::from_secs(60);
/// A token is no longer used this close to its expiry, because it must last until WeChat has read it.
const UNUSABLE_BEFORE: Duration = Duration::from_secs(60);
/// The maximum lifetime of an app token, whatever a response says.
const LONGEST_LIFE: Duration = Duration::from_secs(2 * 60 * 60);

/// The default source of app tokens: fetched from WeChat, kept in memory.
pub(crate) struct TokensInMemory {
    api: Api,
    broker: Broker,
}

impl TokensInMemory {
    pub(crate) fn new(api: Api) -> Self {
        Self { api, broker: Broker::default() }
    }
}

impl AppTokens for TokensInMemory {
    fn get<'a>(&'a self, app: &'a AppCredentials, budget: Budget) -> BoxFuture<'a, Result<AppToken, Error>> {
        let fetch = || {
            let (api, app) = (self.api.clone(), app.clone());
            async move {
                let budget = Budget::of(api.call_timeout());
                api.stable_access_token(&app, false, budget).await
            }
        };
        async move { Ok(self.broker.token(app, budget, fetch).await?.token) }.boxed()
    }

    fn refused<'a>(&'a self, app: &'a AppCredentials, token: &'a AppToken) -> BoxFuture<'a, ()> {
        self.broker.drop_refused(app, token);
        ready(()).boxed()
    }
}

/// Tokens of all apps that this client makes calls for.
#[derive(Default)]
struct Broker {
    slots: Mutex<HashMap<SlotId, Arc<Slot>>>,
    fetches: Arc<AtomicI64>,
    /// Randomly seeded, so that each process renews at a different time.
    jitter: RandomState,
}

/// A hash of AppID and secret. A changed secret gets a new slot, and the map contains no secrets.
type SlotId = [u8; 32];

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<CachedToken>,
    flight: Option<Flight>,
}

/// A fetch in progress. It runs in a separate task, so it does not end with the caller that started it.
type Flight = Shared<BoxFuture<'static, Result<CachedToken, Error>>>;

/// A token, and until when it can be used and kept.
#[derive(Clone)]
struct CachedToken {
    token: AppToken,
    renew_from: Instant,
    usable_until: Instant,
}

impl Broker {
    /// Returns the token of `app`. A token that expires soon is renewed in the background. One that has
    /// expired or was dropped is fetched with `fetch`, once for all callers, each of which waits within its
    /// own budget.
    async fn token<F>(
        &self,
        app: &AppCredentials,
        budget: Budget,
        fetch: impl FnOnce() -> F,
    ) -> Result<CachedToken, Error>
    where
        F: Future<Output = Result<AccessToken, Error>> + Send + 'static,
    {
        let slot = self.slot(app);
        let flight = {
            let now = Instant::now();
            let mut state = slot.lock();
            // A flight that has ended without clearing itself was aborted and must not be joined.
            if state.flight.as_ref().is_some_and(|flight| flight.peek().is_some()) {
                state.flight = None;
            }
            let held = state.held.clone().filter(|held| now < held.usable_until);
            match held {
                Some(held) if now < held.renew_from || state.flight.is_some() => return Ok(held),
                Some(held) => {
                    state.flight = Some(self.start(&slot, fetch()));
                    return Ok(held);
                }
                None => match &state.flight {
                    Some(flight) => flight.clone(),
                    None => state.flight.insert(self.start(&slot, fetch())).clone(),
                },
            }
        };
        timeout_at(budget.deadline(), flight)
            .await
            .unwrap_or_else(|_| Err(Error::new(Endpoint::StableToken, ErrorKind::BudgetExhausted)))
    }

    /// Drops a token that WeChat rejected, unless it has already been replaced.
    fn drop_refused(&self, app: &AppCredentials, refused: &AppToken) {
        let slot = self.slot(app);
        let mut state = slot.lock();
        if state.held.as_ref().is_some_and(|held| held.token.fetch == refused.fetch) {
            state.held = None;
        }
    }

    fn slot(&self, app: &AppCredentials) -> Arc<Slot> {
        let id = slot_id(app);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&id) {
            return Arc::clone(slot);
        }
        // New apps and secrets are rare, so this is a good time to drop unused slots.
        let now = Instant::now();
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.is_useful(now));
        Arc::clone(slots.entry(id).or_default())
    }

    fn start<F>(&self, slot: &Arc<Slot>, fetch: F) -> Flight
    where
        F: Future<Output = Result<AccessToken, Error>> + Send + 'static,
    {
        let (slot, fetches) = (Arc::clone(slot), Arc::clone(&self.fetches));
        let jitter = self.jitter();
        let task = tokio::spawn(async move {
            let outcome = fetch.await.map(|token| {
                let fetch = fetches.fetch_add(1, Ordering::Relaxed);
                CachedToken::new(token, fetch, Instant::now(), jitter)
            });
            slot.store_outcome(&outcome);
            outcome
        });
        async move {
            // The task only ends early when it panics or the runtime shuts down.
            task.await.unwrap_or_else(|_| Err(Error::new(Endpoint::StableToken, ErrorKind::Abandoned)))
        }
        .boxed()
        .shared()
    }

    fn jitter(&self) -> Duration {
        let millis = u64::try_from(RENEW_JITTER.as_millis()).unwrap_or(1);
        Duration::from_millis(self.jitter.hash_one(Instant::now()) % millis)
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the outcome of a flight. If a renewal fails, the old token stays in use, and the renewal is
    /// retried after a pause.
    fn store_outcome(&self, outcome: &Result<CachedToken, Error>) {
        let mut state = self.lock();
        state.flight = None;
        match outcome {
            Ok(held) => state.held = Some(held.clone()),
            Err(error) => {
                tracing::warn!(%error, rid = error.rid(), "the app token could not be fetched");
                if let Some(held) = &mut state.held {
                    held.renew_from = Instant::now() + RENEW_PAUSE;
                }
            }
        }
    }

    fn is_useful(&self, now: Instant) -> bool {
        let state = self.lock();
        state.flight.is_some() || state.held.as_ref().is_some_and(|held| now < held.usable_until)
    }
}

impl CachedToken {
    fn new(token: AccessToken, fetch: i64, now: Instant, jitter: Duration) -> Self {
        let life = token.expires_in.min(LONGEST_LIFE);
        // A short-lived token, which only simulators issue, is still used for most of its lifetime.
        let unusable_before = UNUSABLE_BEFORE.min(life / 5);
        let renew_pause = RENEW_PAUSE.min(life / 2);
        Self {
            token: AppToken { token: token.token, fetch },
            renew_from: now + life.saturating_sub(RENEW_BEFORE + jitter).max(renew_pause),
            usable_until: now + life - unusable_before,
        }
    }
}

fn slot_id(app: &AppCredentials) -> SlotId {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(app.app_id.as_bytes());
    hash.update(&[0]);
    hash.update(app.app_secret.expose_secret().as_bytes());
    let mut id = SlotId::default();
    for (to, from) in id.iter_mut().zip(hash.finish().as_ref()) {
        *to = *from;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(secret: &str) -> AppCredentials {
        AppCredentials { app_id: "wx0123456789abcdef".into(), app_secret: secret.into() }
    }

    fn token(text: &str, expires_in: u64) -> AccessToken {
        AccessToken { token: text.into(), expires_in: Duration::from_secs(expires_in) }
    }

    fn held(expires_in: u64) -> (CachedToken, Instant) {
        let now = Instant::now();
        (CachedToken::new(token("t", expires_in), 0, now, Duration::from_secs(30)), now)
    }

    #[test]
    fn a_token_is_renewed_before_its_last_ten_minutes_and_unused_in_its_last() {
        let (fresh, now) = held(7200);
        assert_eq!(fresh.renew_from - now, Duration::from_secs(7200 - 600 - 30));
        assert_eq!(fresh.usable_until - now, Duration::from_secs(7200 - 60));
        // WeChat still returns the old token, so the next renewal waits a minute.
        let (ending, now) = held(400);
        assert_eq!(ending.renew_from - now, Duration::from_secs(60));
        assert_eq!(ending.usable_until - now, Duration::from_secs(340));
        // An impossible lifetime is capped.
        let (eternal, now) = held(u64::from(u32::MAX));
        assert_eq!(eternal.usable_until - now, Duration::from_secs(7140));
        let (brief, now) = held(10);
        assert_eq!(brief.usable_until - now, Duration::from_secs(8));
    }

    #[test]
    fn a_changed_secret_is_another_slot() {
        assert_ne!(slot_id(&app("a")), slot_id(&app("b")));
        assert_eq!(slot_id(&app("a")), slot_id(&app("a")));
    }

    #[tokio::test]
    async fn a_failed_renewal_leaves_the_old_token_in_service() {
        let broker = Broker::default();
        let budget = Budget::of(Duration::from_secs(5));
        let app = app("secret");
        broker.token(&app, budget, || async { Ok(token("old", 7200)) }).await.unwrap();
        broker.slot(&app).lock().held.as_mut().unwrap().renew_from = Instant::now();

        let refuse = || async { Err(Error::new(Endpoint::StableToken, ErrorKind::Timeout)) };
        let served = broker.token(&app, budget, refuse).await.unwrap();
        assert_eq!(served.token.token.expose_secret(), "old");
        let renewal = broker.slot(&app).lock().flight.clone();
        if let Some(renewal) = renewal {
            renewal.await.map(|_| ()).unwrap_err();
        }

        // The next renewal is not immediate: this fetch must not be called.
        let served = broker.token(&app, budget, || async { unreachable!("a renewal without pause") }).await;
        assert_eq!(served.unwrap().token.token.expose_secret(), "old");
        assert!(broker.slot(&app).lock().flight.is_none());
    }

    #[tokio::test]
    async fn only_the_refused_token_is_dropped() {
        let broker = Broker::default();
        let budget = Budget::of(Duration::from_secs(5));
        let app = app("secret");
        let old = broker.token(&app, budget, || async { Ok(token("old", 7200)) }).await.unwrap();
        broker.drop_refused(&app, &old.token);
        let new = broker.token(&app, budget, || async { Ok(token("new", 7200)) }).await.unwrap();
        assert_eq!(new.token.token.expose_secret(), "new");
        broker.drop_refused(&app, &old.token);
        let kept = broker.token(&app, budget, || async { Ok(token("newer", 7200)) }).await.unwrap();
        assert_eq!(kept.token.token.expose_secret(), "new");
    }
}
