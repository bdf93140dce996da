//! Who follows which official account.

use std::collections::HashMap;
use std::sync::Mutex;

use super::lock;
use super::tickets::Scene;
use crate::ControlError;
use crate::ids::{PersonKey, WechatId};

/// How many followers all accounts may have together.
const MAX_FOLLOWERS: usize = 200_000;

/// Since when somebody follows an account, and how they came.
#[derive(Clone)]
pub(crate) struct Follower {
    pub(crate) person: PersonKey,
    /// Unix seconds.
    pub(crate) since: i64,
    /// The scene of the QR code that brought them.
    pub(crate) scene: Option<Scene>,
}

#[derive(Default)]
pub(crate) struct Followers {
    all: Mutex<HashMap<(u32, WechatId), Follower>>,
}

impl Followers {
    /// Returns false if they follow already.
    pub(crate) fn follow(
        &self,
        app: u32,
        openid: WechatId,
        follower: Follower,
    ) -> Result<bool, ControlError> {
        let mut all = lock(&self.all);
        if all.contains_key(&(app, openid)) {
            return Ok(false);
        }
        if all.len() >= MAX_FOLLOWERS {
            return Err(ControlError::Full("followers"));
        }
        all.insert((app, openid), follower);
        Ok(true)
    }

    /// Returns false if they did not follow.
    pub(crate) fn unfollow(&self, app: u32, openid: WechatId) -> bool {
        lock(&self.all).remove(&(app, openid)).is_some()
    }

    pub(crate) fn get(&self, app: u32, openid: WechatId) -> Option<Follower> {
        lock(&self.all).get(&(app, openid)).cloned()
    }
}
