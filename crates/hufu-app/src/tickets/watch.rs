//! How the browsers that wait on a node learn what happened elsewhere. One question, a few times a second, asks for all of
//! them which tickets have changed; none of them asks the database itself.
//!
//! A browser that waits costs an entry of the map, and one notice to wake it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_recursion::async_recursion as boxed;
use hufu_store::qr_tickets::{ChangedTicket, GetTicket, Progress, ReadChanges};
use hufu_types::refusal::Code;
use hufu_types::{TicketKind, TicketState, Timestamp, TokenHash};
use moka::sync::Cache;
use tokio::sync::Notify;

use super::secrets::hash_of_secret;
use super::streams::{Place, Streams};
use super::{SHOWN, ScannedBy, TicketView};
use crate::address::network_of;
use crate::{App, Limits, Origin, Refusal};

/// How long a node remembers a ticket that nobody asks about.
const REMEMBERED: Duration = Duration::from_secs(10);
/// After so many missed questions to the database, memory is not believed any more.
const MISSED: u32 = 4;
/// How many networks a node counts unknown tickets of.
const NETWORKS: u64 = 100_000;

/// The tickets of the browsers that wait on this node.
pub(crate) struct Tickets {
    entries: Mutex<HashMap<TokenHash, Arc<Waiting>>>,
    /// The highest number of each shard whose changes are known here. Empty while nobody waits.
    known: tokio::sync::Mutex<Vec<(i64, i64)>>,
    /// When the database was last asked.
    asked: Mutex<Option<Instant>>,
    /// Somebody waits, who did not before.
    begun: Notify,
    /// Questions about tickets that are not known, by network.
    unknown: Cache<String, Arc<std::sync::atomic::AtomicI64>>,
    streams: Arc<Streams>,
}

/// A ticket, and whoever waits for it.
struct Waiting {
    seen: Mutex<Seen>,
    changed: Notify,
}

struct Seen {
    /// `None` until it was read.
    state: Option<TicketState>,
    is_kept: bool,
    scanned_by: Option<Arc<ScannedBy>>,
    failure: Option<u32>,
    expires_at: Timestamp,
    /// When somebody last asked about it.
    asked: Instant,
    /// How often since `counted`.
    count: u32,
    counted: Instant,
}

/// What is known of a change, from wherever.
struct Change {
    state: TicketState,
    scanned_by: Option<Arc<ScannedBy>>,
    failure: Option<u32>,
    expires_at: Timestamp,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far a state is from the beginning. Tickets never go back.
const fn rank(state: TicketState) -> u8 {
    match state {
        TicketState::Created => 0,
        TicketState::Scanned => 1,
        TicketState::Confirmed | TicketState::Cancelled | TicketState::Failed => 2,
        TicketState::Consumed => 3,
    }
}

impl Waiting {
    fn new() -> Self {
        let now = Instant::now();
        let seen = Seen {
            state: None,
            is_kept: false,
            scanned_by: None,
            failure: None,
            expires_at: Timestamp(i64::MAX),
            asked: now,
            count: 0,
            counted: now,
        };
        Self { seen: Mutex::new(seen), changed: Notify::new() }
    }

    /// Takes a change up, unless a later one is known already.
    fn note(&self, change: Change) {
        let mut seen = lock(&self.seen);
        if seen.state.is_some_and(|known| rank(known) >= rank(change.state)) {
            return;
        }
        seen.state = Some(change.state);
        seen.scanned_by = change.scanned_by.or_else(|| seen.scanned_by.take());
        seen.failure = change.failure;
        seen.expires_at = change.expires_at;
        drop(seen);
        self.changed.notify_waiters();
    }

    fn view(&self, now: Timestamp) -> Option<TicketView> {
        let seen = lock(&self.seen);
        Some(TicketView {
            state: seen.state?,
            has_expired: seen.expires_at <= now,
            scanned_by: seen.scanned_by.clone(),
            failure: seen.failure,
            expires_at: seen.expires_at,
            is_kept: seen.is_kept,
        })
    }

    /// Counts a question. Returns how long to wait if there were too many.
    fn count(&self, limits: &Limits) -> Option<Duration> {
        let mut seen = lock(&self.seen);
        let now = Instant::now();
        seen.asked = now;
        if now.duration_since(seen.counted) >= limits.qr_check_window {
            (seen.counted, seen.count) = (now, 0);
        }
        seen.count = seen.count.saturating_add(1);
        let is_too_often = seen.count > limits.qr_checks_per_code;
        is_too_often.then(|| limits.qr_check_window.saturating_sub(now.duration_since(seen.counted)))
    }
}

impl Tickets {
    pub(crate) fn new(limits: &Limits) -> Self {
        let unknown = Cache::builder().max_capacity(NETWORKS).time_to_live(limits.qr_check_window);
        Self {
            entries: Mutex::default(),
            known: tokio::sync::Mutex::default(),
            asked: Mutex::default(),
            begun: Notify::new(),
            unknown: unknown.build(),
            streams: Arc::default(),
        }
    }

    fn get(&self, hash: &TokenHash) -> Option<Arc<Waiting>> {
        lock(&self.entries).get(hash).cloned()
    }

    /// Takes up what this node did itself.
    pub(super) fn note(&self, app: &App, hash: &TokenHash, progress: &Progress) {
        if let Some(waiting) = self.get(hash) {
            waiting.note(app.change_to(hash, progress));
        }
    }

    /// Takes up that this node used a ticket.
    pub(super) fn consumed(&self, hash: &TokenHash) {
        if let Some(waiting) = self.get(hash) {
            let expires_at = lock(&waiting.seen).expires_at;
            let state = TicketState::Consumed;
            waiting.note(Change { state, scanned_by: None, failure: None, expires_at });
        }
    }

    /// Forgets what nobody asks about any more. Returns whether somebody still waits.
    fn tidy(&self) -> bool {
        let mut entries = lock(&self.entries);
        entries.retain(|_, waiting| {
            // The map has one; whoever waits has another.
            Arc::strong_count(waiting) > 1 || lock(&waiting.seen).asked.elapsed() < REMEMBERED
        });
        if entries.is_empty() {
            entries.shrink_to_fit();
        }
        !entries.is_empty()
    }

    /// Whether memory is as good as the database.
    fn is_fresh(&self, limits: &Limits) -> bool {
        lock(&self.asked).is_some_and(|asked| asked.elapsed() < limits.qr_poll * MISSED)
    }
}

impl App {
    /// How far the ticket of this secret has come.
    ///
    /// # Errors
    /// [`Code::QrCodeUnknown`]; [`Code::TooOften`].
    #[boxed]
    pub async fn ticket_view(&self, secret: &str, origin: &Origin) -> Result<TicketView, Refusal> {
        let hash = hash_of_secret(secret);
        let waiting = self.tickets.get(&hash);
        if let Some(waiting) = &waiting {
            if let Some(wait) = waiting.count(&self.limits) {
                return Err(Code::TooOften.retry_after(wait).because("questions about one QR code"));
            }
            let view = waiting.view(self.now()).filter(|_| self.tickets.is_fresh(&self.limits));
            if let Some(view) = view {
                return Ok(view);
            }
        }
        let waiting = self.read_ticket(&hash, waiting, origin).await?;
        waiting.view(self.now()).ok_or_else(|| Code::QrCodeUnknown.into())
    }

    /// Waits for changes of the ticket of this secret.
    ///
    /// # Errors
    /// As [`Self::ticket_view`], also for more streams of one network or one QR code than may be open;
    /// [`Code::Overloaded`] if as many wait on this node as may.
    #[boxed]
    pub async fn watch_ticket(
        self: Arc<Self>,
        secret: &str,
        origin: &Origin,
    ) -> Result<TicketWatch, Refusal> {
        let hash = hash_of_secret(secret);
        let waiting = self.read_ticket(&hash, self.tickets.get(&hash), origin).await?;
        if let Some(wait) = waiting.count(&self.limits) {
            return Err(Code::TooOften.retry_after(wait).because("questions about one QR code"));
        }
        let network = origin.ip.as_deref().map(network_of).unwrap_or_default();
        let place = self.tickets.streams.take(network, &hash, &self.limits).ok_or_else(|| {
            let wait = self.limits.qr_check_window;
            Code::TooOften.retry_after(wait).because("streams of one network or one QR code")
        })?;
        if self.tickets.get(&hash).is_none() {
            return Err(Code::Overloaded.because("browsers that wait for a QR code"));
        }
        Ok(TicketWatch { app: self, waiting, told: None, _place: place })
    }

    /// Reads a ticket, and remembers it if there is room.
    async fn read_ticket(
        &self,
        hash: &TokenHash,
        waiting: Option<Arc<Waiting>>,
        origin: &Origin,
    ) -> Result<Arc<Waiting>, Refusal> {
        let waiting = waiting.unwrap_or_else(|| {
            let mut entries = lock(&self.tickets.entries);
            let has_room = entries.len() < self.limits.qr_watched;
            let new = entries.get(hash).cloned().unwrap_or_else(|| Arc::new(Waiting::new()));
            if has_room {
                entries.insert(hash.clone(), Arc::clone(&new));
            }
            new
        });
        self.tickets.begun.notify_one();
        // What is known of the shards must be older than what is read of the ticket. Then the next question to the
        // database tells of every change that comes after. It is not forgotten from here on, because somebody waits.
        let mut known = self.tickets.known.lock().await;
        if known.is_empty() {
            *known = self.read(ReadChanges { known: Vec::new() }).await?.1;
        }
        drop(known);
        match self.read(GetTicket(hash.clone())).await {
            Ok(Some(ticket)) => {
                lock(&waiting.seen).is_kept = ticket.cookie.is_some() || ticket.kind == TicketKind::Binding;
                waiting.note(self.change_to(hash, &ticket.progress));
                Ok(waiting)
            }
            read => {
                if lock(&waiting.seen).state.is_none() {
                    lock(&self.tickets.entries).remove(hash);
                }
                read?;
                Err(self.missed(origin))
            }
        }
    }

    /// Counts a question about a code that there is not. It was looked up before: neighbours who guess keep nobody from
    /// their own.
    fn missed(&self, origin: &Origin) -> Refusal {
        let network = origin.ip.as_deref().map(network_of).unwrap_or_default();
        let misses = self.tickets.unknown.get_with(network, Arc::default);
        let before = misses.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if before < self.limits.qr_unknown_per_ip {
            return Code::QrCodeUnknown.into();
        }
        let wait = self.limits.qr_check_window;
        Code::TooOften.retry_after(wait).because("questions about unknown QR codes")
    }

    fn change_to(&self, hash: &TokenHash, progress: &Progress) -> Change {
        self.change_of(&ChangedTicket {
            hash: hash.clone(),
            state: progress.state,
            shown: progress.shown.clone(),
            failure: progress.failure,
            expires_at: progress.expires_at,
        })
    }

    fn change_of(&self, changed: &ChangedTicket) -> Change {
        let shown = changed.shown.as_deref();
        // Whoever it was, the login does not depend on that it can be shown.
        let shown: Option<ScannedBy> =
            shown.and_then(|sealed| self.open_of(&changed.hash, SHOWN, sealed).ok());
        Change {
            state: changed.state,
            scanned_by: shown.map(Arc::new),
            failure: changed.failure.and_then(|number| u32::try_from(number).ok()),
            expires_at: changed.expires_at,
        }
    }

    /// Asks the database once which of the tickets have changed that somebody waits for here.
    ///
    /// # Errors
    /// Database errors.
    #[boxed]
    pub async fn refresh_tickets(&self) -> Result<(), Refusal> {
        let mut known = self.tickets.known.lock().await;
        if !self.tickets.tidy() {
            known.clear();
            *lock(&self.tickets.asked) = None;
            return Ok(());
        }
        let started = Instant::now();
        let (changed, numbers) = self.read(ReadChanges { known: known.clone() }).await?;
        for ticket in changed {
            if let Some(waiting) = self.tickets.get(&ticket.hash) {
                waiting.note(self.change_of(&ticket));
            }
        }
        *known = numbers;
        *lock(&self.tickets.asked) = Some(started);
        Ok(())
    }

    /// Does that a few times a second while somebody waits, until the process ends.
    #[boxed]
    pub async fn watch_tickets(self: Arc<Self>) {
        let mut tick = tokio::time::interval(self.limits.qr_poll);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if lock(&self.tickets.entries).is_empty() {
                self.tickets.begun.notified().await;
            }
            tick.tick().await;
            if let Err(refusal) = self.refresh_tickets().await {
                tracing::error!(error = hufu_types::chain(&refusal), "changes of QR codes cannot be read");
            }
        }
    }
}

/// A browser that waits for what becomes of its ticket.
pub struct TicketWatch {
    app: Arc<App>,
    waiting: Arc<Waiting>,
    told: Option<TicketView>,
    _place: Place,
}

impl std::fmt::Debug for TicketWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketWatch").field("told", &self.told).finish_non_exhaustive()
    }
}

impl TicketWatch {
    /// What is to be told next: the state at first, and then each change of it. `None` when nothing has changed for a
    /// while, so that the browser can be told that the server is still there.
    pub async fn next(&mut self) -> Option<TicketView> {
        let waiting = Arc::clone(&self.waiting);
        let changed = waiting.changed.notified();
        let mut changed = std::pin::pin!(changed);
        // From here on no change is missed.
        changed.as_mut().enable();
        if let Some(view) = self.news() {
            return Some(view);
        }
        let now = self.app.now();
        let expires_at = lock(&waiting.seen).expires_at;
        let left = expires_at.since(now).saturating_add(Duration::from_millis(1));
        let quiet = self.app.limits.qr_keep_alive.min(left);
        let _ = tokio::time::timeout(quiet, changed).await;
        self.news()
    }

    fn news(&mut self) -> Option<TicketView> {
        let view = self.waiting.view(self.app.now())?;
        if self.told.as_ref() == Some(&view) {
            return None;
        }
        self.told = Some(view.clone());
        Some(view)
    }
}
