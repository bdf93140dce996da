//! One-time codes: valid for five minutes, one use, one app and one person. A million of them must fit in
//! memory and be quick to exchange, so a record is 32 bytes and the map is sharded.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::lock;
use crate::clock::Millis;
use crate::ids::PersonKey;

/// The lifetime of a login code or a phone code.
pub(crate) const CODE_LIFE: Millis = 5 * 60 * 1000;
const SWEEP_EVERY: Millis = 30 * 1000;
const SHARDS: usize = 16;

/// The person and app a code was created for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) person: PersonKey,
    pub(crate) expires_at: Millis,
    pub(crate) app: u32,
    pub(crate) used: bool,
    pub(crate) grant: Grant,
}

/// What a person agreed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) scope: Scope,
    /// The person only previews the page.
    pub(crate) snapshot: bool,
}

/// The extent of an authorization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The openid alone, without asking.
    Base,
    /// Nickname and avatar as well.
    #[default]
    UserInfo,
    /// The login of a website.
    Login,
}

impl Scope {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scope::Base => "snsapi_base",
            Scope::UserInfo => "snsapi_userinfo",
            Scope::Login => "snsapi_login",
        }
    }
}

pub(crate) struct CodeBook<C> {
    shards: Vec<Mutex<Shard<C>>>,
    hasher: RandomState,
    live: AtomicUsize,
    capacity: usize,
}

struct Shard<C> {
    codes: HashMap<C, Issued>,
    sweep_at: Millis,
}

impl<C: Eq + Hash + Copy> CodeBook<C> {
    pub(crate) fn new(capacity: usize) -> CodeBook<C> {
        let shard = || Mutex::new(Shard { codes: HashMap::new(), sweep_at: 0 });
        CodeBook {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            live: AtomicUsize::new(0),
            capacity,
        }
    }

    /// Makes room for `n` more codes, and returns whether there is enough.
    pub(crate) fn has_room(&self, n: usize, now: Millis) -> bool {
        let fits = || self.live.load(Ordering::Relaxed).saturating_add(n) <= self.capacity;
        if !fits() {
            for shard in &self.shards {
                self.sweep(&mut lock(shard), now);
            }
        }
        fits()
    }

    pub(crate) fn issue(&self, code: C, app: u32, person: PersonKey, now: Millis) {
        self.issue_for(code, (app, person), Grant::default(), now.saturating_add(CODE_LIFE), now);
    }

    /// Issues a code with what the person agreed to and its own end.
    pub(crate) fn issue_for(
        &self,
        code: C,
        (app, person): (u32, PersonKey),
        grant: Grant,
        expires_at: Millis,
        now: Millis,
    ) {
        let Some(shard) = self.shard(&code) else { return };
        let mut shard = lock(shard);
        if now >= shard.sweep_at {
            self.sweep(&mut shard, now);
        }
        let issued = Issued { person, expires_at, app, used: false, grant };
        if shard.codes.insert(code, issued).is_none() {
            self.live.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The record of a code that has not expired.
    pub(crate) fn peek(&self, code: &C, now: Millis) -> Option<Issued> {
        let issued = *lock(self.shard(code)?).codes.get(code)?;
        (now < issued.expires_at).then_some(issued)
    }

    /// Consumes a code if `permit` agrees, and returns the result of `permit`. Returns `None` for a code that
    /// is unknown or expired. The shard stays locked meanwhile, so exactly one of two concurrent exchanges is
    /// permitted.
    pub(crate) fn exchange<T, E>(
        &self,
        code: &C,
        now: Millis,
        permit: impl FnOnce(&Issued) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let mut shard = lock(self.shard(code)?);
        let Entry::Occupied(mut entry) = shard.codes.entry(*code) else { return None };
        if now >= entry.get().expires_at {
            entry.remove();
            self.live.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let outcome = permit(entry.get());
        if outcome.is_ok() {
            entry.get_mut().used = true;
        }
        Some(outcome)
    }

    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    fn sweep(&self, shard: &mut Shard<C>, now: Millis) {
        let before = shard.codes.len();
        shard.codes.retain(|_, issued| now < issued.expires_at);
        if shard.codes.len() < shard.codes.capacity() / 4 {
            shard.codes.shrink_to_fit();
        }
        shard.sweep_at = now.saturating_add(SWEEP_EVERY);
        self.live.fetch_sub(before - shard.codes.len(), Ordering::Relaxed);
    }

    fn shard(&self, code: &C) -> Option<&Mutex<Shard<C>>> {
        let hash = usize::try_from(self.hasher.hash_one(code) % 16).unwrap_or_default();
        self.shards.get(hash)
    }
}
