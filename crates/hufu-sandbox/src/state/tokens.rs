//! App tokens of both kinds.
//!
//! `cgi-bin/token` issues a new token on every call, and the previous one remains valid for five minutes.
//! `cgi-bin/stable_token` returns the same token until its last five minutes, in which both the old and a new
//! one work. A forced refresh ends the old token immediately. The two kinds do not affect each other.

use std::collections::{HashMap, VecDeque};

use crate::clock::Millis;
use crate::reply::{WechatError, code};

/// The lifetime of a new token.
const LIFE: Millis = 7200 * 1000;
/// How long an old token and its successor are both valid.
const OVERLAP: Millis = 300 * 1000;
const FORCE_PAUSE: Millis = 30 * 1000;
const FORCES_PER_DAY: u32 = 20;
const STABLE_PER_MINUTE: u32 = 10_000;
const CLEARINGS_PER_MONTH: u32 = 10;
const STABLE_PER_DAY: u32 = 500_000;
/// How many tokens are remembered, including invalid ones, to tell 40001 and 42001 apart from 40014.
const MAX_REMEMBERED: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    Stable,
}

struct Issued {
    app: u32,
    kind: Kind,
    expires_at: Millis,
    /// When the token was replaced or discarded. From then on it is "not latest".
    replaced_at: Option<Millis>,
}

/// A token as the two endpoints return it.
pub(crate) struct Granted {
    pub(crate) token: String,
    pub(crate) expires_in: i64,
}

/// Every token of every app.
#[derive(Default)]
pub(crate) struct Tokens {
    issued: HashMap<String, Issued>,
    order: VecDeque<String>,
    apps: HashMap<u32, AppTokens>,
}

#[derive(Default)]
struct AppTokens {
    normal: Option<String>,
    stable: Option<String>,
    last_force: Option<Millis>,
    forces: Counter,
    normal_calls: Counter,
    /// Counts within a month of 30 days.
    clearings: Counter,
    stable_minute: Counter,
    stable_day: Counter,
}

impl Tokens {
    /// `GET /cgi-bin/token`.
    pub(crate) fn normal(
        &mut self,
        app: u32,
        now: Millis,
        per_day: u32,
        generate: impl FnOnce() -> String,
    ) -> Result<Granted, WechatError> {
        let app_tokens = self.apps.entry(app).or_default();
        if !app_tokens.normal_calls.count(day(now), per_day) {
            return Err(WechatError(code::DAILY_QUOTA));
        }
        let token = generate();
        if let Some(before) = app_tokens.normal.replace(token.clone())
            && let Some(before) = self.issued.get_mut(&before)
        {
            before.replaced_at = Some(now.saturating_add(OVERLAP));
        }
        Ok(self.remember(app, Kind::Normal, token, now))
    }

    /// `POST /cgi-bin/stable_token`.
    pub(crate) fn stable(
        &mut self,
        app: u32,
        now: Millis,
        force: bool,
        generate: impl FnOnce() -> String,
    ) -> Result<Granted, WechatError> {
        let app_tokens = self.apps.entry(app).or_default();
        if !app_tokens.stable_minute.count(now.div_euclid(60_000), STABLE_PER_MINUTE) {
            return Err(WechatError(code::MINUTE_QUOTA));
        }
        if !app_tokens.stable_day.count(day(now), STABLE_PER_DAY) {
            return Err(WechatError(code::DAILY_QUOTA));
        }
        let paused = app_tokens.last_force.is_some_and(|last| now - last < FORCE_PAUSE);
        let forced = force && !paused;
        if forced {
            if !app_tokens.forces.count(day(now), FORCES_PER_DAY) {
                return Err(WechatError(code::DAILY_QUOTA));
            }
            app_tokens.last_force = Some(now);
            app_tokens.stable = None;
            self.replace_all(app, Some(Kind::Stable), now);
        } else if let Some(token) = &app_tokens.stable
            && let Some(issued) = self.issued.get(token)
        {
            let left = issued.expires_at - now;
            if left > OVERLAP {
                return Ok(Granted { token: token.clone(), expires_in: left / 1000 });
            }
        }
        let token = generate();
        self.apps.entry(app).or_default().stable = Some(token.clone());
        Ok(self.remember(app, Kind::Stable, token, now))
    }

    /// `POST /cgi-bin/clear_quota`: the app may make all its calls again. Ten times a month.
    pub(crate) fn clear_quota(&mut self, app: u32, now: Millis) -> Result<(), WechatError> {
        let app_tokens = self.apps.entry(app).or_default();
        if !app_tokens.clearings.count(day(now).div_euclid(30), CLEARINGS_PER_MONTH) {
            return Err(WechatError(code::CLEAR_QUOTA_LIMIT));
        }
        app_tokens.normal_calls = Counter::default();
        app_tokens.stable_day = Counter::default();
        app_tokens.stable_minute = Counter::default();
        Ok(())
    }

    /// The app that a valid token belongs to.
    pub(crate) fn app_of(&self, token: &str, now: Millis) -> Result<u32, WechatError> {
        let issued = self.issued.get(token).ok_or(WechatError(code::INVALID_ACCESS_TOKEN))?;
        // Whichever ended first, replacement or expiry, decides the error.
        if issued.replaced_at.is_some_and(|at| at <= now && at < issued.expires_at) {
            Err(WechatError(code::INVALID_CREDENTIAL))
        } else if now >= issued.expires_at {
            Err(WechatError(code::ACCESS_TOKEN_EXPIRED))
        } else {
            Ok(issued.app)
        }
    }

    /// The app that a token was issued for, valid or not.
    pub(crate) fn issuing_app(&self, token: &str) -> Option<u32> {
        self.issued.get(token).map(|issued| issued.app)
    }

    /// Ends all tokens of an app immediately, as a refresh by another service does.
    pub(crate) fn discard(&mut self, app: u32, now: Millis) {
        if let Some(app_tokens) = self.apps.get_mut(&app) {
            app_tokens.normal = None;
            app_tokens.stable = None;
        }
        self.replace_all(app, None, now);
    }

    fn replace_all(&mut self, app: u32, kind: Option<Kind>, now: Millis) {
        let theirs =
            self.issued.values_mut().filter(|it| it.app == app && kind.is_none_or(|kind| it.kind == kind));
        for issued in theirs {
            issued.replaced_at = Some(issued.replaced_at.map_or(now, |at| at.min(now)));
        }
    }

    fn remember(&mut self, app: u32, kind: Kind, token: String, now: Millis) -> Granted {
        if self.order.len() >= MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.issued.remove(&oldest);
        }
        let expires_at = now.saturating_add(LIFE);
        self.order.push_back(token.clone());
        self.issued.insert(token.clone(), Issued { app, kind, expires_at, replaced_at: None });
        Granted { token, expires_in: LIFE / 1000 }
    }
}

/// Calls within one minute or day.
#[derive(Default)]
struct Counter {
    window: i64,
    calls: u32,
}

impl Counter {
    /// Counts a call. Returns false if the window already has `limit` calls.
    fn count(&mut self, window: i64, limit: u32) -> bool {
        if self.window != window {
            *self = Counter { window, calls: 0 };
        }
        let room = self.calls < limit;
        self.calls += u32::from(room);
        room
    }
}

/// WeChat's days begin at midnight in Beijing.
fn day(now: Millis) -> i64 {
    now.saturating_add(8 * 3_600_000).div_euclid(86_400_000)
}
