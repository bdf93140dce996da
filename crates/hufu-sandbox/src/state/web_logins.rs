//! QR logins of websites: a page shows a code, a phone scans and confirms it.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use super::lock;
use crate::clock::Millis;
use crate::ids::PersonKey;

/// How long a website's QR code can be scanned.
pub(crate) const LIFE: Millis = 5 * 60 * 1000;
const MAX_KEPT: usize = 20_000;

/// How far a QR login has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Waiting,
    Scanned,
    /// With the code that the page sends to the website.
    Confirmed(String),
    /// Whether the page goes back to the website, without a code.
    Cancelled(bool),
    Expired,
}

/// One page with a QR code.
#[derive(Clone)]
pub(crate) struct WebLogin {
    pub(crate) uuid: String,
    pub(crate) app: u32,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    /// The page is in a frame of the website, and the website itself is to be left.
    pub(crate) leaves_frame: bool,
    pub(crate) created_at: Millis,
    pub(crate) progress: Progress,
    /// Who scanned it.
    pub(crate) person: Option<PersonKey>,
}

impl WebLogin {
    fn aged(mut self, now: Millis) -> WebLogin {
        let open = matches!(self.progress, Progress::Waiting | Progress::Scanned);
        if open && now >= self.created_at.saturating_add(LIFE) {
            self.progress = Progress::Expired;
        }
        self
    }
}

#[derive(Default)]
pub(crate) struct WebLogins {
    all: Mutex<Registry>,
}

#[derive(Default)]
struct Registry {
    by_uuid: HashMap<String, WebLogin>,
    order: VecDeque<String>,
}

impl WebLogins {
    pub(crate) fn put(&self, login: WebLogin) {
        let mut all = lock(&self.all);
        if all.order.len() >= MAX_KEPT
            && let Some(oldest) = all.order.pop_front()
        {
            all.by_uuid.remove(&oldest);
        }
        all.order.push_back(login.uuid.clone());
        all.by_uuid.insert(login.uuid.clone(), login);
    }

    pub(crate) fn get(&self, uuid: &str, now: Millis) -> Option<WebLogin> {
        lock(&self.all).by_uuid.get(uuid).cloned().map(|login| login.aged(now))
    }

    /// Changes a login that still waits, was scanned, or both; returns it as it is then.
    pub(crate) fn advance<E>(
        &self,
        uuid: &str,
        now: Millis,
        change: impl FnOnce(&mut WebLogin) -> Result<(), E>,
    ) -> Option<Result<WebLogin, E>> {
        let mut all = lock(&self.all);
        let held = all.by_uuid.get_mut(uuid)?;
        let mut login = held.clone().aged(now);
        if let Err(refused) = change(&mut login) {
            return Some(Err(refused));
        }
        *held = login.clone();
        Some(Ok(login))
    }

    /// At most `limit` logins that can be scanned, newest first.
    pub(crate) fn waiting(&self, limit: usize, now: Millis) -> Vec<WebLogin> {
        let all = lock(&self.all);
        let newest = all.order.iter().rev().filter_map(|uuid| all.by_uuid.get(uuid));
        let open = newest.cloned().map(|login| login.aged(now));
        open.filter(|login| login.progress == Progress::Waiting).take(limit).collect()
    }
}
