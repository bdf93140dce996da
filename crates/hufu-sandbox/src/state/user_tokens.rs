//! Tokens of users who authorized an app. Each is valid for two hours, one app and one person.

use std::collections::{HashMap, VecDeque};

use crate::clock::Millis;
use crate::ids::PersonKey;

/// The lifetime of a user token.
pub(crate) const LIFE: Millis = 7200 * 1000;

/// The app and the person that a token was issued for.
#[derive(Clone, Copy)]
pub(crate) struct UserToken {
    pub(crate) app: u32,
    pub(crate) person: PersonKey,
    pub(crate) expires_at: Millis,
}

/// The latest tokens. Beyond the capacity, the oldest is dropped.
pub(crate) struct UserTokens {
    tokens: HashMap<String, UserToken>,
    order: VecDeque<String>,
    capacity: usize,
}

impl UserTokens {
    pub(crate) fn new(capacity: usize) -> UserTokens {
        UserTokens { tokens: HashMap::new(), order: VecDeque::new(), capacity }
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
}
