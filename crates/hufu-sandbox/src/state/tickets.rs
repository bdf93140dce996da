//! QR codes of official accounts, and codes of mini programs: what is in the picture, and what for.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::lock;
use crate::clock::Millis;

/// How many codes of a kind are kept. Beyond it, the oldest is dropped.
const MAX_KEPT: usize = 20_000;

/// The parameter of an account's QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    Number(u32),
    Text(String),
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scene::Number(number) => number.fmt(f),
            Scene::Text(text) => f.write_str(text),
        }
    }
}

/// A QR code of an official account.
pub(crate) struct Ticket {
    pub(crate) app: u32,
    pub(crate) ticket: String,
    /// What the picture says.
    pub(crate) url: String,
    pub(crate) scene: Scene,
    pub(crate) created_at: Millis,
    /// `None` for a permanent code.
    pub(crate) expires_at: Option<Millis>,
}

impl Ticket {
    pub(crate) fn is_live(&self, now: Millis) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// A code, a scheme or a link that opens a mini program.
pub(crate) struct MiniCode {
    pub(crate) app: u32,
    /// What the picture says, or the link itself.
    pub(crate) url: String,
    /// The scene of a code, or the query of a scheme or link.
    pub(crate) scene: String,
    pub(crate) page: String,
    pub(crate) env_version: &'static str,
    pub(crate) created_at: Millis,
    pub(crate) expires_at: Option<Millis>,
}

/// The latest codes of one kind, oldest first.
pub(crate) struct Shelf<T> {
    codes: Mutex<VecDeque<Arc<T>>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Shelf<T> {
        Shelf { codes: Mutex::default() }
    }
}

impl<T> Shelf<T> {
    pub(crate) fn put(&self, code: T) -> Arc<T> {
        let code = Arc::new(code);
        let mut codes = lock(&self.codes);
        if codes.len() >= MAX_KEPT {
            codes.pop_front();
        }
        codes.push_back(Arc::clone(&code));
        code
    }

    /// The newest code for which this holds.
    pub(crate) fn find(&self, fits: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        lock(&self.codes).iter().rev().find(|code| fits(code)).cloned()
    }

    /// At most `limit` codes for which this holds, newest first.
    pub(crate) fn latest(&self, limit: usize, fits: impl Fn(&T) -> bool) -> Vec<Arc<T>> {
        lock(&self.codes).iter().rev().filter(|code| fits(code)).take(limit).cloned().collect()
    }

    pub(crate) fn count(&self, fits: impl Fn(&T) -> bool) -> usize {
        lock(&self.codes).iter().filter(|code| fits(code)).count()
    }
}
