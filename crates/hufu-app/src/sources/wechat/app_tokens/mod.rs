//! WeChat's app tokens, for all nodes together: one fetch serves all of them for as long as WeChat lets a token live.
//!
//! The token is a sealed row. Each node keeps it in memory, where it is looked for first. Who needs one that is not
//! there takes a lease on the row and fetches; the others wait, or use the old one. The lease has a fence, so that a node
//! that was given up on does not overwrite what came after it.
//!
//! It is WeChat's stable token. WeChat hands out the same one until its last five minutes, so it is renewed in those: a
//! fetch before them would bring nothing new. In those minutes the old one works as well.
//!
//! The row belongs to no pool: it is found by a keyed hash of AppID and AppSecret, and whoever has both may have the
//! token. So pools that share an app share its token, and a changed secret is another row.

mod backoff;
mod unit;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, ready};
use hufu_protocol::sealing::SealingKey;
use hufu_store::Store;
use hufu_types::{Clock, Random, Timestamp};
use hufu_wechat::{AppCredentials, AppToken, AppTokens, Budget, Client, Error};
use secrecy::{ExposeSecret as _, SecretString};

use self::backoff::Failure;
use self::unit::{Answer, Ask, Credential, Fail, Put, SealedToken, Take};

/// A token is renewed when it has so long left: a little less than the five minutes in which WeChat issues its successor,
/// because clocks and networks differ.
const RENEW_BEFORE: Duration = Duration::from_secs(290);
/// Spreads the renewals of several nodes over this time.
const RENEW_JITTER: Duration = Duration::from_secs(60);
/// After a renewal that brought nothing, how long until the next one.
const RENEW_PAUSE: Duration = Duration::from_secs(20);
/// A token is not used this close to its end, because it must last until WeChat has read it.
const UNUSABLE_BEFORE: Duration = Duration::from_secs(60);
/// WeChat lets no token live longer, whatever a response says.
const LONGEST_LIFE: Duration = Duration::from_secs(2 * 60 * 60);
/// WeChat's errcode for "try again".
const SYSTEM_BUSY: i64 = -1;
/// How often a node asks whether the one that fetches has done so.
const POLL: Duration = Duration::from_millis(50);

/// The source of app tokens that all nodes share.
#[derive(Clone)]
pub(crate) struct SharedTokens {
    inner: Arc<Inner>,
}

/// What it is made of.
pub(crate) struct TokenParts {
    pub(crate) store: Store,
    /// Fetches tokens. Its own source of app tokens is not used.
    pub(crate) client: Client,
    pub(crate) sealing: Arc<SealingKey>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    /// The name of this node.
    pub(crate) node: String,
    /// How long the others leave a fetch to one node.
    pub(crate) lease: Duration,
}

struct Inner {
    parts: TokenParts,
    slots: Mutex<HashMap<Credential, Arc<Slot>>>,
}

/// A token in memory.
#[derive(Clone)]
pub(crate) struct HeldToken {
    pub(crate) token: AppToken,
    /// When WeChat ends it.
    pub(crate) expires_at: Timestamp,
    renew_at: Timestamp,
}

/// The token of one app on this node.
#[derive(Default)]
struct Slot {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<HeldToken>,
    flight: Option<Flight>,
    /// The token that WeChat refused last.
    refused: Option<AppToken>,
    /// Until when refusals change nothing: WeChat has handed out the token that it refuses.
    in_vain_until: Option<Timestamp>,
}

/// A fetch that is under way on this node. It does not end with the request that began it.
type Flight = Shared<BoxFuture<'static, Result<HeldToken, Error>>>;

impl SharedTokens {
    pub(crate) fn new(parts: TokenParts) -> Self {
        Self { inner: Arc::new(Inner { parts, slots: Mutex::default() }) }
    }

    /// A token that can be used now.
    pub(crate) async fn held(&self, app: &AppCredentials, budget: Budget) -> Result<HeldToken, Error> {
        let now = self.inner.parts.clock.now();
        let credential = self.inner.credential(app);
        let slot = self.inner.slot(credential, now);
        let flight = {
            let mut state = slot.lock();
            let refused = state.refused.as_ref().map_or(0, |token| token.fetch);
            let ask = Ask { refused, ..Ask::default() };
            if let Some(held) = state.usable(now) {
                if held.renew_at <= now && state.flight.is_none() {
                    state.flight = Some(self.start(&slot, credential, app, ask));
                }
                return Ok(held);
            }
            match &state.flight {
                Some(flight) => flight.clone(),
                None => state.flight.insert(self.start(&slot, credential, app, ask)).clone(),
            }
        };
        within(budget, flight).await
    }

    /// A name for an app that nobody else has who knows no more than its AppID.
    pub(crate) fn name_of(&self, app: &AppCredentials) -> String {
        hex::encode(self.inner.credential(app))
    }

    /// Fetches a token now, whatever is held and whatever failed before. With `force`, the present one ends at once,
    /// everywhere.
    pub(crate) async fn fetched(
        &self,
        app: &AppCredentials,
        force: bool,
        budget: Budget,
    ) -> Result<HeldToken, Error> {
        let now = self.inner.parts.clock.now();
        let credential = self.inner.credential(app);
        let slot = self.inner.slot(credential, now);
        let ask = Ask { force, insist: true, refused: 0 };
        within(budget, self.start(&slot, credential, app, ask)).await
    }

    fn start(&self, slot: &Arc<Slot>, credential: Credential, app: &AppCredentials, ask: Ask) -> Flight {
        let (inner, slot, app) = (Arc::clone(&self.inner), Arc::clone(slot), app.clone());
        let task = tokio::spawn(async move {
            let outcome = inner.obtain(credential, &app, ask).await;
            slot.keep(&outcome, inner.parts.clock.now());
            outcome
        });
        // The task ends early only when it panics or the runtime shuts down.
        async move { task.await.unwrap_or_else(|_| Err(Error::token_budget_exhausted())) }.boxed().shared()
    }
}

async fn within(budget: Budget, flight: Flight) -> Result<HeldToken, Error> {
    let outcome = tokio::time::timeout_at(budget.deadline(), flight).await;
    outcome.unwrap_or_else(|_| Err(Error::token_budget_exhausted()))
}

impl AppTokens for SharedTokens {
    fn get<'a>(&'a self, app: &'a AppCredentials, budget: Budget) -> BoxFuture<'a, Result<AppToken, Error>> {
        async move { Ok(self.held(app, budget).await?.token) }.boxed()
    }

    fn refused<'a>(&'a self, app: &'a AppCredentials, token: &'a AppToken) -> BoxFuture<'a, ()> {
        let now = self.inner.parts.clock.now();
        self.inner.slot(self.inner.credential(app), now).drop_refused(token, now);
        ready(()).boxed()
    }
}

impl Inner {
    fn credential(&self, app: &AppCredentials) -> Credential {
        let secret = app.app_secret.expose_secret();
        let text = zeroize::Zeroizing::new(format!("{}\0{secret}", app.app_id));
        self.parts.sealing.mac("app_token", text.as_bytes())
    }

    fn slot(&self, credential: Credential, now: Timestamp) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&credential) {
            return Arc::clone(slot);
        }
        // New apps and secrets are rare: a good time to drop what is of no use any more.
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.lock().usable(now).is_some());
        Arc::clone(slots.entry(credential).or_default())
    }

    /// The token of the row; or one that this node fetches, or that it sees another one fetch.
    async fn obtain(
        &self,
        credential: Credential,
        app: &AppCredentials,
        ask: Ask,
    ) -> Result<HeldToken, Error> {
        let TokenParts { store, clock, node, lease, .. } = &self.parts;
        let give_up = tokio::time::Instant::now() + *lease * 2;
        loop {
            let now = clock.now();
            let (app_id, node, until) = (app.app_id.clone(), node.clone(), now.plus(*lease));
            let unit = Take { credential, app_id, ask, node, now, until };
            match store.write(unit).await.map_err(Error::token_source)? {
                Answer::Token(token) => return self.open(credential, &token),
                Answer::Fetch { fence, failures, old } => {
                    let fetched = self.fetch(credential, app, ask, (fence, failures)).await;
                    match (fetched, old) {
                        (Ok(Some(held)), _) => return Ok(held),
                        // Another node was given the lease meanwhile.
                        (Ok(None), _) => {}
                        (Err(error), Some(old)) if !ask.insist => {
                            tracing::warn!(app = app.app_id, %error, rid = error.rid(), "the app token cannot be renewed; the old one is used");
                            return self.open_old(credential, &old);
                        }
                        (Err(error), _) => return Err(error),
                    }
                }
                Answer::Busy(Some(old)) if !ask.insist => return self.open_old(credential, &old),
                Answer::Busy(_) => {}
                Answer::Paused { old: Some(old), .. } => return self.open_old(credential, &old),
                Answer::Paused { errcode, rid, .. } => {
                    // Without an errcode, WeChat could not be reached.
                    return Err(Error::remembered(errcode.unwrap_or(SYSTEM_BUSY), rid.as_deref()));
                }
            }
            if tokio::time::Instant::now() >= give_up {
                return Err(Error::token_budget_exhausted());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Fetches a token under a lease. `None` if the lease was lost.
    async fn fetch(
        &self,
        credential: Credential,
        app: &AppCredentials,
        ask: Ask,
        (fence, failures): (i64, i64),
    ) -> Result<Option<HeldToken>, Error> {
        let TokenParts { store, client, clock, lease, sealing, random, .. } = &self.parts;
        // Counted from before the call, so that it does not seem to live longer than it does.
        let asked_at = clock.now();
        let budget = Budget::of(*lease * 3 / 4);
        let outcome = client.stable_access_token(app, ask.force, budget).await;
        let label = if outcome.is_ok() { "fetched" } else { "failed" };
        metrics::counter!("hufu_wechat_app_tokens_total", "outcome" => label).increment(1);
        match outcome {
            Ok(token) => {
                let expires_at = asked_at.plus(token.expires_in.min(LONGEST_LIFE));
                let plain = token.token.expose_secret().as_bytes();
                let sealed = sealing.seal(&**random, &context(credential), plain);
                let unit = Put { credential, fence, sealed, expires_at, now: clock.now() };
                let is_stored = store.write(unit).await.map_err(Error::token_source)?;
                Ok(is_stored.then(|| self.new_held(token.token, fence, expires_at)))
            }
            Err(error) => {
                let failure = Failure::of(&error, failures, clock.now());
                tracing::warn!(app = app.app_id, %error, rid = error.rid(), retry_at = failure.retry_at.to_iso(), "an app token could not be fetched");
                store.write(Fail { credential, fence, failure }).await.map_err(Error::token_source)?;
                Err(error)
            }
        }
    }

    fn open(&self, credential: Credential, sealed: &SealedToken) -> Result<HeldToken, Error> {
        let opened = self.parts.sealing.open(&context(credential), &sealed.token);
        let opened = opened.map_err(Error::token_source)?;
        let token = std::str::from_utf8(opened.expose()).map_err(Error::token_source)?;
        Ok(self.new_held(token.into(), sealed.fetch, sealed.expires_at))
    }

    /// A token that goes on although it should have been renewed.
    fn open_old(&self, credential: Credential, sealed: &SealedToken) -> Result<HeldToken, Error> {
        let held = self.open(credential, sealed)?;
        Ok(HeldToken { renew_at: held.renew_at.max(self.parts.clock.now().plus(RENEW_PAUSE)), ..held })
    }

    fn new_held(&self, token: SecretString, fetch: i64, expires_at: Timestamp) -> HeldToken {
        let mut share = [0];
        self.parts.random.fill(&mut share);
        let jitter = RENEW_JITTER * u32::from(share[0]) / u32::from(u8::MAX);
        let renew_at = expires_at.minus(RENEW_BEFORE.saturating_sub(jitter));
        HeldToken { token: AppToken { token, fetch }, expires_at, renew_at }
    }
}

fn context(credential: Credential) -> String {
    format!("app_token:{}", hex::encode(credential))
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, outcome: &Result<HeldToken, Error>, now: Timestamp) {
        let mut state = self.lock();
        state.flight = None;
        match outcome {
            Ok(held) => {
                let is_same =
                    |refused: &AppToken| refused.token.expose_secret() == held.token.token.expose_secret();
                if state.refused.as_ref().is_some_and(is_same) {
                    state.in_vain_until = Some(now.plus(RENEW_PAUSE));
                }
                // What has ended is not newer, whatever its fence.
                let is_older =
                    |other: &HeldToken| other.token.fetch > held.token.fetch && now < other.expires_at;
                if !state.held.as_ref().is_some_and(is_older) {
                    let is_overtaken =
                        |refused: &AppToken| refused.fetch >= held.token.fetch && !is_same(refused);
                    if state.refused.as_ref().is_some_and(is_overtaken) {
                        state.refused = None;
                    }
                    state.held = Some(held.clone());
                }
            }
            Err(_) => {
                if let Some(held) = &mut state.held {
                    held.renew_at = now.plus(RENEW_PAUSE);
                }
            }
        }
    }

    fn drop_refused(&self, token: &AppToken, now: Timestamp) {
        let mut state = self.lock();
        if state.in_vain_until.is_some_and(|until| now < until) {
            return;
        }
        if state.held.as_ref().is_some_and(|held| held.token.fetch <= token.fetch) {
            state.held = None;
        }
        if state.refused.as_ref().is_none_or(|refused| refused.fetch < token.fetch) {
            state.refused = Some(token.clone());
        }
    }
}

impl State {
    fn usable(&mut self, now: Timestamp) -> Option<HeldToken> {
        // A flight that ended without clearing itself was aborted.
        if self.flight.as_ref().is_some_and(|flight| flight.peek().is_some()) {
            self.flight = None;
        }
        self.held.clone().filter(|held| now.plus(UNUSABLE_BEFORE) < held.expires_at)
    }
}
