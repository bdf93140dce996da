//! What the sandbox stores, all of it in memory and bounded.

pub(crate) mod apps;
pub(crate) mod calls;
pub(crate) mod codes;
pub(crate) mod faults;
pub(crate) mod people;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod user_tokens;

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::Options;
use crate::clock::Clock;
use crate::ids::{Ids, LoginCode, PhoneCode};

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
            options,
        }
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
