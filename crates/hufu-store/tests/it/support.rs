//! What many of the tests need: an open store, the parts of a login, units that stop on the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use hufu_store::events::Trace;
use hufu_store::flows::NewFlow;
use hufu_store::logins::{Arriving, LoggedIn, Login, LoginOutcome, Ticket};
use hufu_store::refresh_tokens::NewRefreshToken;
use hufu_store::sessions::NewSession;
use hufu_store::{Store, StoreError, Tx, Write};
use hufu_testkit::TestDatabase;
use hufu_types::flow::Want;
use hufu_types::resolution::{Arrival, PhoneUse, Rules};
use hufu_types::{
    ApplicationId, Association, ConnectionId, EventId, FlowId, Identifier, IdentityKey, OpenPlatform, Phone,
    PoolId, PoolSettings, Profile, Random as _, ScopeSet, SessionId, SystemRandom, Timestamp, TokenHash,
    UserId,
};

/// When the tests play.
pub(crate) const NOW: Timestamp = Timestamp(1_750_000_000_000);
/// The AppIDs of two apps of one Open Platform account.
pub(crate) const APP: &str = "wx0123456789abcdef";
pub(crate) const OTHER_APP: &str = "wxfedcba9876543210";

/// Opens the database.
pub(crate) async fn open(database: &TestDatabase) -> Store {
    Store::open(&database.url().parse().unwrap()).await.unwrap()
}

/// Opens and migrates the database.
pub(crate) async fn migrated(database: &TestDatabase) -> Store {
    let store = open(database).await;
    store.migrate().await.unwrap();
    store
}

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn pool() -> PoolId {
    PoolId::parse("6560c0ffee00000000000001").unwrap()
}

pub(crate) fn other_pool() -> PoolId {
    PoolId::parse("6560c0ffee00000000000009").unwrap()
}

pub(crate) fn application() -> ApplicationId {
    ApplicationId::parse("6560c0ffee00000000000002").unwrap()
}

pub(crate) fn connection() -> ConnectionId {
    ConnectionId::parse("6560c0ffee00000000000003").unwrap()
}

pub(crate) fn phone(number: u32) -> Phone {
    Phone::parse(&format!("+86138{number:08}")).unwrap()
}

/// A hash that belongs to `name`.
pub(crate) fn hash(name: &str) -> TokenHash {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    TokenHash(bytes)
}

/// A hash that no other call gives.
pub(crate) fn random_hash() -> TokenHash {
    let mut bytes = [0; 32];
    SystemRandom.fill(&mut bytes);
    TokenHash(bytes)
}

pub(crate) fn openid(app: &str, value: &str) -> IdentityKey {
    IdentityKey::wechat_openid(app, value)
}

pub(crate) fn unionid(value: &str) -> IdentityKey {
    IdentityKey::wechat_unionid(&OpenPlatform(Identifier::parse("shop").unwrap()), value)
}

/// Who does something at this moment: nobody in particular, for whom nobody waits.
pub(crate) fn trace(now: Timestamp) -> Trace {
    Trace {
        actor: None,
        application: Some(application()),
        connection: Some(connection()),
        ip: Some("203.0.113.9".to_owned()),
        user_agent: Some("a test".to_owned()),
        request_id: None,
        at: now,
        first: EventId::generate(now, &SystemRandom),
        subscribers: Arc::default(),
    }
}

/// What a login at this moment writes once its account is known.
pub(crate) fn ticket(now: Timestamp) -> Ticket {
    Ticket {
        session: NewSession {
            id: SessionId::generate(now, &SystemRandom),
            application: application(),
            connection: connection(),
            created_at: now,
            expires_at: now.plus(seconds(90 * 86_400)),
            ip: Some("203.0.113.9".to_owned()),
            user_agent: Some("a test".to_owned()),
        },
        refresh_token: None,
        settings: Arc::new(PoolSettings::default()),
        flow: NewFlow {
            id: FlowId::generate(now, &SystemRandom),
            handle: random_hash(),
            cookie: None,
            proof: b"sealed".to_vec(),
            expires_at: now.plus(seconds(600)),
        },
        want: Want::UserToken,
        method: "wechat:miniprogram:default",
        trace: trace(now),
    }
}

/// Ids that a source proved, and nothing more.
pub(crate) fn arrival(openid: IdentityKey, unionid: Option<IdentityKey>) -> Arrival {
    Arrival { openid, unionid, phone: None, snapshot: false }
}

/// Who comes with these ids into the first pool, at [`NOW`].
pub(crate) fn login(openid: IdentityKey, unionid: Option<IdentityKey>) -> Login {
    Login {
        who: Arriving {
            pool: pool(),
            arrival: arrival(openid, unionid),
            phone: None,
            email: None,
            external_id: None,
            rules: Rules { registration: true, ..Rules::default() },
        },
        candidate: UserId::generate(NOW, &SystemRandom),
        profile: Profile::default(),
        register_source: "wechat:miniprogram:default".to_owned(),
        ticket: ticket(NOW),
        resume: None,
        exchange: None,
    }
}

/// Small changes to a login, in the order in which a test tells them.
pub(crate) trait Variant {
    fn with_phone(self, phone: Phone, phone_use: PhoneUse) -> Self;
    fn into_pool(self, pool: PoolId) -> Self;
    fn login_only(self) -> Self;
    fn associating(self, association: Association) -> Self;
    fn at(self, now: Timestamp) -> Self;
    fn with_refresh_token(self, hash: TokenHash) -> Self;
}

impl Variant for Login {
    fn with_phone(mut self, phone: Phone, phone_use: PhoneUse) -> Self {
        self.who.phone = Some(phone);
        self.who.arrival.phone = Some(phone_use);
        self
    }

    fn into_pool(mut self, pool: PoolId) -> Self {
        self.who.pool = pool;
        self
    }

    fn login_only(mut self) -> Self {
        self.who.rules.login_only = true;
        self
    }

    fn associating(mut self, association: Association) -> Self {
        self.who.rules.association = association;
        self
    }

    fn at(mut self, now: Timestamp) -> Self {
        self.ticket = Ticket { refresh_token: self.ticket.refresh_token, ..ticket(now) };
        self
    }

    fn with_refresh_token(mut self, hash: TokenHash) -> Self {
        let scope = ScopeSet::parse("openid offline_access");
        let expires_at = self.ticket.trace.at.plus(seconds(30 * 86_400));
        self.ticket.refresh_token = Some(NewRefreshToken { hash, scope, expires_at });
        self
    }
}

/// Writes a login that is expected to succeed.
pub(crate) async fn log_in(store: &Store, login: Login) -> LoggedIn {
    match store.write(login).await.unwrap() {
        LoginOutcome::LoggedIn(logged_in) => *logged_in,
        refused => panic!("not logged in: {refused:?}"),
    }
}

/// Makes a unit out of statements that may use the unit's own fields as `self`.
macro_rules! unit {
    ($trait:ident $name:ident { $($field:ident: $type:ty),* $(,)? } -> $out:ty, |$this:ident, $tx:ident| $body:expr) => {
        struct $name { $($field: $type),* }

        impl hufu_store::$trait for $name {
            type Out = $out;

            async fn run(&self, $tx: &mut hufu_store::Tx<'_>) -> Result<$out, hufu_store::StoreError> {
                let $this = self;
                $body
            }
        }
    };
}
pub(crate) use unit;

/// A unit that does its work and then stops before its commit, the first time that it runs.
pub(crate) struct Held<W> {
    unit: W,
    worked: mpsc::Sender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
    has_run: AtomicBool,
}

/// The other side of a held unit.
pub(crate) struct Hold {
    worked: mpsc::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

impl<W: Write> Held<W> {
    pub(crate) fn new(unit: W) -> (Self, Hold) {
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
}

impl Hold {
    /// Returns once the unit has done its work; its transaction is open.
    pub(crate) fn until_worked(&self) {
        tokio::task::block_in_place(|| self.worked.recv().unwrap());
    }

    /// Lets the unit end.
    pub(crate) fn release(&self) {
        self.go_on.send(()).unwrap();
    }
}
