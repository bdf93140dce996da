//! Support for tests of units of work: an open store, ids, and units that pause before their commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use hufu_store::{Store, StoreError, Tx, Write};
use hufu_types::{
    ApplicationId, ConnectionId, Identifier, IdentityKey, OpenPlatform, Phone, PoolId, Random as _,
    SystemRandom, Timestamp, TokenHash,
};

use crate::TestDatabase;

/// The current time in the tests.
pub const NOW: Timestamp = Timestamp(1_750_000_000_000);
/// The AppID of the first of two apps of one Open Platform account.
pub const APP: &str = "wx0123456789abcdef";
/// The AppID of the second.
pub const OTHER_APP: &str = "wxfedcba9876543210";

/// Opens the database.
pub async fn open(database: &TestDatabase) -> Store {
    Store::open(&database.url().parse().unwrap()).await.unwrap()
}

/// Opens and migrates the database.
pub async fn migrated(database: &TestDatabase) -> Store {
    let store = open(database).await;
    store.migrate().await.unwrap();
    store
}

/// A duration of this many seconds.
pub fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The pool that the tests use.
pub fn pool() -> PoolId {
    PoolId::parse("6560c0ffee00000000000001").unwrap()
}

/// Another pool.
pub fn other_pool() -> PoolId {
    PoolId::parse("6560c0ffee00000000000009").unwrap()
}

/// The application of the pool.
pub fn application() -> ApplicationId {
    ApplicationId::parse("6560c0ffee00000000000002").unwrap()
}

/// The connection of the pool.
pub fn connection() -> ConnectionId {
    ConnectionId::parse("6560c0ffee00000000000003").unwrap()
}

/// A phone number in China.
pub fn phone(number: u32) -> Phone {
    Phone::parse(&format!("+86138{number:08}")).unwrap()
}

/// The hash that belongs to `name`.
pub fn hash(name: &str) -> TokenHash {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    TokenHash(bytes)
}

/// A random hash, different on every call.
pub fn random_hash() -> TokenHash {
    let mut bytes = [0; 32];
    SystemRandom.fill(&mut bytes);
    TokenHash(bytes)
}

/// An OpenID.
pub fn openid(app: &str, value: &str) -> IdentityKey {
    IdentityKey::wechat_openid(app, value)
}

/// A UnionID of the Open Platform account.
pub fn unionid(value: &str) -> IdentityKey {
    IdentityKey::wechat_unionid(&OpenPlatform(Identifier::parse("shop").unwrap()), value)
}

/// Makes a unit out of statements, which can use the unit's own fields through a name that stands for `self`.
#[macro_export]
macro_rules! unit {
    ($trait:ident $name:ident { $($field:ident: $type:ty),* $(,)? } -> $out:ty, |$this:ident, $tx:ident| $body:expr) => {
        struct $name { $($field: $type),* }

        impl ::hufu_store::$trait for $name {
            type Out = $out;

            async fn run(&self, $tx: &mut ::hufu_store::Tx<'_>) -> Result<$out, ::hufu_store::StoreError> {
                let $this = self;
                $body
            }
        }
    };
}

/// A unit that does its work and then pauses before its commit, the first time it runs.
pub struct Held<W> {
    unit: W,
    worked: mpsc::Sender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
    has_run: AtomicBool,
}

/// Controls a held unit.
pub struct Hold {
    worked: mpsc::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

impl<W: Write> Held<W> {
    /// Wraps a unit. Also returns the control for it.
    pub fn new(unit: W) -> (Self, Hold) {
        let (worked, has_worked) = mpsc::channel();
        let (go_on, goes_on) = mpsc::channel();
        let held = Self { unit, worked, go_on: Mutex::new(goes_on), has_run: AtomicBool::new(false) };
        (held, Hold { worked: has_worked, go_on })
    }
}

impl<W: Write> Write for Held<W> {
    type Out = W::Out;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<W::Out, StoreError> {
        let out = self.unit.run(tx).await;
        if !self.has_run.swap(true, Ordering::SeqCst) {
            self.worked.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
        out
    }

    fn group(&self) -> Option<u64> {
        self.unit.group()
    }
}

impl Hold {
    /// Waits until the unit has done its work. Its transaction is still open.
    pub fn until_worked(&self) {
        tokio::task::block_in_place(|| self.worked.recv().unwrap());
    }

    /// Lets the unit commit.
    pub fn release(&self) {
        self.go_on.send(()).unwrap();
    }
}
