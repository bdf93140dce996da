//! What the demonstration remembers, in memory alone: logins that began, and the last one of each mode.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hufu_types::Timestamp;

use super::login::{Login, Refused, Seam};

/// Logins of the website that began and are not back yet. The oldest goes when there are more.
const MAX_ATTEMPTS: usize = 64;

/// A login of the website on its way.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) mode: &'static str,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// The cookie of the browser that began it.
    pub(super) browser: String,
    pub(super) began_at: Timestamp,
}

/// What is known of one mode.
#[derive(Clone, Default)]
pub(super) struct Progress {
    /// The number of WeChat's latest call when its current login began. Later calls belong to it.
    pub(super) calls_after: u64,
    /// The same of the last login that was received.
    pub(super) last_after: u64,
    /// The last login that was received.
    pub(super) login: Option<Arc<Login>>,
    /// The refusal that came after it, if one did.
    pub(super) refused: Option<Arc<Refused>>,
    /// How many logins and refusals there were.
    pub(super) rounds: u64,
}

#[derive(Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Counts what changed.
    version: u64,
    attempts: VecDeque<Attempt>,
    modes: BTreeMap<&'static str, Progress>,
    /// The mode of the last login, whose result is shown.
    latest: Option<&'static str>,
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn version(&self) -> u64 {
        self.kept().version
    }

    /// The website sent a browser to the login page.
    pub(super) fn begin(&self, attempt: Attempt, calls_after: u64) {
        let mut kept = self.kept();
        kept.version += 1;
        kept.modes.entry(attempt.mode).or_default().calls_after = calls_after;
        if kept.attempts.len() >= MAX_ATTEMPTS {
            kept.attempts.pop_front();
        }
        kept.attempts.push_back(attempt);
    }

    /// The attempt with this state, which is none any more: a state is used once.
    pub(super) fn take(&self, state: &str) -> Option<Attempt> {
        let mut kept = self.kept();
        let place = kept.attempts.iter().position(|attempt| attempt.state == state)?;
        kept.attempts.remove(place)
    }

    /// A login was received. Compares it with the last one of the same person in WeChat.
    /// `calls_until` is the number of WeChat's latest call.
    pub(super) fn received(&self, mut login: Login, calls_until: u64) {
        let mut kept = self.kept();
        login.seam = seam(&kept, &login);
        let slug = login.mode.slug;
        let progress = kept.modes.entry(slug).or_default();
        progress.login = Some(Arc::new(login));
        progress.refused = None;
        progress.rounds += 1;
        progress.last_after = std::mem::replace(&mut progress.calls_after, calls_until);
        kept.latest = Some(slug);
        kept.version += 1;
    }

    /// A login was refused, by the person or by the server.
    pub(super) fn refused(&self, refused: Refused) {
        let mut kept = self.kept();
        let progress = kept.modes.entry(refused.mode.slug).or_default();
        progress.refused = Some(Arc::new(refused));
        progress.rounds += 1;
        kept.version += 1;
    }

    pub(super) fn progress(&self, slug: &str) -> Progress {
        self.kept().modes.get(slug).cloned().unwrap_or_default()
    }

    /// The last login of all.
    pub(super) fn latest(&self) -> Option<Arc<Login>> {
        let kept = self.kept();
        kept.latest.and_then(|slug| kept.modes.get(slug)).and_then(|progress| progress.login.clone())
    }
}

/// How this login and the earlier ones fit together.
fn seam(kept: &Kept, login: &Login) -> Seam {
    let Some(unionid) = login.unionid.as_ref() else { return Seam::NoUnionId };
    let earlier = kept.modes.values().filter_map(|progress| progress.login.as_ref());
    let mut earlier = earlier.filter(|one| one.mode.slug != login.mode.slug).peekable();
    if earlier.peek().is_none() {
        return Seam::First;
    }
    let same: Vec<_> = earlier.filter(|one| one.unionid.as_ref() == Some(unionid)).collect();
    match same.as_slice() {
        [] => Seam::SomebodyElse,
        all if all.iter().all(|one| one.user == login.user) => Seam::Joined,
        _ => Seam::Apart,
    }
}
