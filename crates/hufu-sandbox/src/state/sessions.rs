//! Session keys: one per person and app, replaced by every login. Each has a count of the person's logins in
//! this minute.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use super::lock;
use crate::clock::Millis;
use crate::ids::{SessionKeyBytes, WechatId};

const SHARDS: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Owner {
    openid: WechatId,
    app: u32,
}

#[derive(Clone, Copy)]
pub(crate) struct Session {
    pub(crate) key: SessionKeyBytes,
    minute: i64,
    logins: u32,
}

/// The latest sessions. Beyond the capacity, the session of the person who came first is dropped.
pub(crate) struct Sessions {
    shards: Vec<Mutex<Shard>>,
    capacity_of_shard: usize,
}

#[derive(Default)]
struct Shard {
    sessions: HashMap<Owner, Session>,
    order: VecDeque<Owner>,
}

impl Sessions {
    pub(crate) fn new(capacity: usize) -> Sessions {
        Sessions {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            capacity_of_shard: (capacity / SHARDS).max(1),
        }
    }

    /// Begins a session, unless the person has already begun `limit` sessions in this minute.
    pub(crate) fn begin(
        &self,
        (app, openid): (u32, WechatId),
        key: SessionKeyBytes,
        now: Millis,
        limit: Option<u32>,
    ) -> Result<(), MinuteQuota> {
        let owner = Owner { openid, app };
        let minute = now.div_euclid(60_000);
        let Some(shard) = self.shard(&openid) else { return Ok(()) };
        let mut shard = lock(shard);
        if let Some(session) = shard.sessions.get_mut(&owner) {
            let before = if session.minute == minute { session.logins } else { 0 };
            if limit.is_some_and(|limit| before >= limit) {
                return Err(MinuteQuota);
            }
            *session = Session { key, minute, logins: before + 1 };
            return Ok(());
        }
        if shard.order.len() >= self.capacity_of_shard
            && let Some(oldest) = shard.order.pop_front()
        {
            shard.sessions.remove(&oldest);
        }
        shard.order.push_back(owner);
        shard.sessions.insert(owner, Session { key, minute, logins: 1 });
        Ok(())
    }

    pub(crate) fn get(&self, app: u32, openid: WechatId) -> Option<Session> {
        lock(self.shard(&openid)?).sessions.get(&Owner { openid, app }).copied()
    }

    /// Replaces the key of an existing session.
    pub(crate) fn replace(&self, app: u32, openid: WechatId, key: SessionKeyBytes) {
        if let Some(shard) = self.shard(&openid)
            && let Some(session) = lock(shard).sessions.get_mut(&Owner { openid, app })
        {
            session.key = key;
        }
    }

    fn shard(&self, openid: &WechatId) -> Option<&Mutex<Shard>> {
        // An openid is the output of a keyed hash, so its last character is evenly distributed.
        let last = openid.as_str().bytes().last().unwrap_or_default();
        self.shards.get(usize::from(last) % SHARDS)
    }
}

/// The person's login quota for this minute is used up.
pub(crate) struct MinuteQuota;
