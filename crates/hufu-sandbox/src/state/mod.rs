//! What the sandbox stores, all of it in memory and bounded.

pub(crate) mod apps;
pub(crate) mod calls;
pub(crate) mod chats;
pub(crate) mod codes;
pub(crate) mod faults;
pub(crate) mod followers;
pub(crate) mod kinds;
pub(crate) mod messages;
pub(crate) mod people;
pub(crate) mod pushes;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod tickets;
pub(crate) mod tokens;
pub(crate) mod user_tokens;
pub(crate) mod web_logins;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::Options;
use crate::clock::Clock;
use crate::ids::{Ids, LoginCode, PhoneCode, WechatId};

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) apps: apps::Apps,
    pub(crate) people: people::People,
    pub(crate) login_codes: codes::CodeBook<LoginCode>,
    pub(crate) phone_codes: codes::CodeBook<PhoneCode>,
    pub(crate) sessions: sessions::Sessions,
    pub(crate) tokens: Mutex<tokens::Tokens>,
    pub(crate) user_tokens: Mutex<user_tokens::UserTokens>,
    pub(crate) faults: faults::Faults,
    pub(crate) calls: calls::CallLog,
    pub(crate) settings: RwLock<Arc<settings::Settings>>,
    pub(crate) followers: followers::Followers,
    pub(crate) chats: chats::Chats,
    pub(crate) tickets: tickets::Shelf<tickets::Ticket>,
    pub(crate) mini_codes: tickets::Shelf<tickets::MiniCode>,
    pub(crate) web_logins: web_logins::WebLogins,
    pub(crate) pushes: pushes::Pushes,
    pub(crate) programs: crate::programs::Programs,
    /// Counts whatever the phone may show.
    changes: AtomicU64,
    http: OnceLock<reqwest::Client>,
}

impl State {
    pub(crate) fn new(options: Options) -> State {
        State {
            clock: Clock::new(options.clock),
            ids: Ids::new(options.seed),
            apps: apps::Apps::default(),
            people: people::People::default(),
            login_codes: codes::CodeBook::new(options.max_codes),
            phone_codes: codes::CodeBook::new(options.max_codes),
            sessions: sessions::Sessions::new(options.max_sessions),
            tokens: Mutex::default(),
            user_tokens: Mutex::new(user_tokens::UserTokens::new(options.max_sessions)),
            faults: faults::Faults::default(),
            calls: calls::CallLog::new(options.log_capacity),
            settings: RwLock::new(Arc::new(settings::Settings::of(&options))),
            followers: followers::Followers::default(),
            chats: chats::Chats::default(),
            tickets: tickets::Shelf::default(),
            mini_codes: tickets::Shelf::default(),
            web_logins: web_logins::WebLogins::default(),
            pushes: pushes::Pushes::default(),
            programs: crate::programs::Programs::default(),
            changes: AtomicU64::new(0),
            http: OnceLock::new(),
            options,
        }
    }

    pub(crate) fn settings(&self) -> Arc<settings::Settings> {
        Arc::clone(&read(&self.settings))
    }

    /// Changes the settings, and returns them.
    pub(crate) fn patch_settings(
        &self,
        patch: settings::SettingsPatch,
    ) -> Result<Arc<settings::Settings>, crate::ControlError> {
        let start = settings::Settings::of(&self.options);
        let mut held = write(&self.settings);
        *held = Arc::new(settings::Settings::clone(&held).patched(patch, &start)?);
        Ok(Arc::clone(&held))
    }

    /// What pushes messages and calls the login server. It follows no redirects and uses no proxy.
    pub(crate) fn http(&self) -> &reqwest::Client {
        self.http.get_or_init(|| {
            let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
            client.build().unwrap_or_default()
        })
    }

    /// Tells the phone that something changed.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Grows with every change and every call.
    pub(crate) fn version(&self) -> u64 {
        self.changes.load(Ordering::Relaxed) + self.calls.last()
    }

    /// The person that an app knows by this openid.
    pub(crate) fn person_with_openid(
        &self,
        app: &apps::App,
        openid: WechatId,
    ) -> Option<Arc<people::Person>> {
        if let Some(follower) = self.followers.get(app.index, openid) {
            return Some(self.person_of(follower.person));
        }
        let all = self.people.all();
        all.into_iter().find(|person| self.ids.openid(&app.id, person.key) == openid)
    }
}

// The state has no invariant that a panic could leave half-broken, so a poisoned lock can still be used.

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
