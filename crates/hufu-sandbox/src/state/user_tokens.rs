//! Tokens of users who authorized an app, and the refresh tokens that renew them. Each is valid for one app
//! and one person.

use std::collections::{HashMap, VecDeque};

use super::codes::Grant;
use crate::clock::Millis;
use crate::ids::PersonKey;

/// The lifetime of a user token.
pub(crate) const LIFE: Millis = 7200 * 1000;
/// The lifetime of a refresh token. It cannot be renewed.
pub(crate) const REFRESH_LIFE: Millis = 30 * 86_400 * 1000;

/// The app and the person that a token was issued for.
#[derive(Clone, Copy)]
pub(crate) struct UserToken {
    pub(crate) app: u32,
    pub(crate) person: PersonKey,
    pub(crate) grant: Grant,
    pub(crate) expires_at: Millis,
}

/// What a refresh token renews.
#[derive(Clone)]
struct Refresh {
    access_token: String,
    of: UserToken,
}

/// The latest tokens. Beyond the capacity, the oldest is dropped.
pub(crate) struct UserTokens {
    tokens: HashMap<String, UserToken>,
    order: VecDeque<String>,
    refreshes: HashMap<String, Refresh>,
    refresh_order: VecDeque<String>,
    capacity: usize,
}

impl UserTokens {
    pub(crate) fn new(capacity: usize) -> UserTokens {
        UserTokens {
            tokens: HashMap::new(),
            order: VecDeque::new(),
            refreshes: HashMap::new(),
            refresh_order: VecDeque::new(),
            capacity,
        }
    }

    pub(crate) fn put(&mut self, token: String, of: UserToken) {
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.tokens.remove(&oldest);
        }
        self.order.push_back(token.clone());
        self.tokens.insert(token, of);
    }

    pub(crate) fn get(&self, token: &str) -> Option<UserToken> {
        self.tokens.get(token).copied()
    }

    /// Remembers what a refresh token renews. `of` ends when the refresh token does.
    pub(crate) fn put_refresh(&mut self, refresh: String, access_token: String, of: UserToken) {
        if self.refresh_order.len() >= self.capacity
            && let Some(oldest) = self.refresh_order.pop_front()
        {
            self.refreshes.remove(&oldest);
        }
        self.refresh_order.push_back(refresh.clone());
        self.refreshes.insert(refresh, Refresh { access_token, of });
    }

    pub(crate) fn refresh_of(&self, refresh: &str) -> Option<UserToken> {
        self.refreshes.get(refresh).map(|refresh| refresh.of)
    }

    /// Extends a token that is still valid, or replaces it by a new one. Returns the one that is valid now.
    pub(crate) fn renew(
        &mut self,
        refresh: &str,
        now: Millis,
        generate: impl FnOnce() -> String,
    ) -> Option<String> {
        let held = self.refreshes.get(refresh)?.clone();
        let expires_at = now.saturating_add(LIFE);
        if let Some(token) = self.tokens.get_mut(&held.access_token)
            && now < token.expires_at
        {
            token.expires_at = expires_at;
            return Some(held.access_token);
        }
        let fresh = generate();
        self.put(fresh.clone(), UserToken { expires_at, ..held.of });
        self.refreshes.get_mut(refresh)?.access_token.clone_from(&fresh);
        Some(fresh)
    }
}
