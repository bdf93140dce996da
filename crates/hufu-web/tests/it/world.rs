//! An instance with two pools, a WeChat to go with it, and the ways to look into both.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hufu_app::apply::{self, Options};
use hufu_app::connect::{GuardedClient, Outbox, guarded};
use hufu_app::{App, Limits, Parts};
use hufu_protocol::sealing::SealingKey;
use hufu_sandbox::{ClockStart, DataKind, Fault, NewApp, NewUser, Sandbox, Sealed, UserView};
use hufu_store::events::Trace;
use hufu_store::users::SetStatus;
use hufu_store::{Read, Store, StoreError, Tx};
use hufu_testkit::TestDatabase;
use hufu_types::{Clock, PoolId, Random, SystemRandom, TestClock, Timestamp, UserId, UserStatus};
use hufu_web::{Router, WebSettings};
use hufu_wechat::Endpoints;
use tokio::net::TcpListener;

use crate::client::Client;
use crate::logs;

/// When the tests play, for Hufu and for WeChat.
pub(crate) const NOW: Timestamp = Timestamp(1_750_000_000_000);
/// The address under which the instance believes to be reached.
pub(crate) const PUBLIC_URL: &str = "https://id.example.com";

/// The shop: the pool of most tests.
pub(crate) const SHOP: &str = "6560c0ffee00000000000001";
/// Its default application: all connections but the spare one.
pub(crate) const SHOP_APP: &str = "6560c0ffee00000000000002";
/// Its website: the two open connections, in the other order.
pub(crate) const SHOP_WEB: &str = "6560c0ffee00000000000003";
/// An application that no connection is switched on for.
pub(crate) const SHOP_BARE: &str = "6560c0ffee00000000000004";
/// The AppIDs of its connections `shop-mini` and `shop-two`, of one Open Platform account…
pub(crate) const MINI: &str = "wx00000000000000a1";
pub(crate) const TWO: &str = "wx00000000000000a2";
/// … of `shop-members`, which makes no users…
pub(crate) const MEMBERS: &str = "wx00000000000000a3";
/// … and of `shop-spare`, which is switched on for no application.
pub(crate) const SPARE: &str = "wx00000000000000a4";
/// The number of the shop's user alice.
pub(crate) const ALICE_PHONE: &str = "13912340000";

/// The cafe: another tenant.
pub(crate) const CAFE: &str = "6560c0ffee00000000000011";
/// Its application, which nobody marked as the default.
pub(crate) const CAFE_APP: &str = "6560c0ffee00000000000012";
/// The AppID of its connection `cafe-mini`.
pub(crate) const CAFE_MINI: &str = "wx00000000000000b1";

/// A pool without a mini program application.
pub(crate) const EMPTY: &str = "6560c0ffee00000000000021";

/// What is applied to every world.
pub(crate) const FILE: &str = r#"
[[user_pool]]
id = "6560c0ffee00000000000001"
name = "Shop"
  [[user_pool.connection]]
  identifier = "shop-mini"
  type = "wechat:miniprogram:default"
  open_platform = "shop"
  fields = { app_id = "wx00000000000000a1", app_secret = "secret-of-wx00000000000000a1" }
  [[user_pool.connection]]
  identifier = "shop-two"
  type = "wechat:miniprogram:default"
  open_platform = "shop"
  fields = { app_id = "wx00000000000000a2", app_secret = "secret-of-wx00000000000000a2" }
  [[user_pool.connection]]
  identifier = "shop-members"
  type = "wechat:miniprogram:default"
  open_platform = "shop"
  login_only = true
  fields = { app_id = "wx00000000000000a3", app_secret = "secret-of-wx00000000000000a3" }
  [[user_pool.connection]]
  identifier = "shop-spare"
  type = "wechat:miniprogram:default"
  open_platform = "shop"
  fields = { app_id = "wx00000000000000a4", app_secret = "secret-of-wx00000000000000a4" }
  [[user_pool.application]]
  id = "6560c0ffee00000000000003"
  name = "Shop website"
  type = "web"
  connections = ["shop-two", "shop-mini"]
  [[user_pool.application]]
  id = "6560c0ffee00000000000002"
  name = "Shop mini program"
  type = "mini-program"
  default = true
  connections = ["shop-mini", "shop-two", "shop-members"]
  [[user_pool.application]]
  id = "6560c0ffee00000000000004"
  name = "Shop counter"
  type = "native"
  connections = []
  [[user_pool.user]]
  username = "alice"
  phone = "+8613912340000"

[[user_pool]]
id = "6560c0ffee00000000000011"
name = "Cafe"
  [[user_pool.connection]]
  identifier = "cafe-mini"
  type = "wechat:miniprogram:default"
  open_platform = "cafe"
  fields = { app_id = "wx00000000000000b1", app_secret = "secret-of-wx00000000000000b1" }
  [[user_pool.application]]
  id = "6560c0ffee00000000000014"
  name = "Cafe website"
  type = "web"
  connections = ["cafe-mini"]
  [[user_pool.application]]
  id = "6560c0ffee00000000000012"
  name = "Cafe mini program"
  type = "mini-program"
  connections = ["cafe-mini"]
  [[user_pool.application]]
  id = "6560c0ffee00000000000013"
  name = "Cafe second mini program"
  type = "mini-program"
  connections = ["cafe-mini"]

[[user_pool]]
id = "6560c0ffee00000000000021"
name = "Empty"
  [[user_pool.application]]
  id = "6560c0ffee00000000000022"
  name = "Empty website"
  type = "web"
  connections = []
"#;

/// The usual file in pieces: what is before the first table, and each table without its opening brackets.
pub(crate) fn tables() -> Vec<&'static str> {
    FILE.split("[[").collect()
}

/// The usual file without the table that holds this text.
pub(crate) fn file_without(text: &str) -> String {
    let others: Vec<&str> = tables().into_iter().filter(|table| !table.contains(text)).collect();
    assert_eq!(others.len() + 1, tables().len(), "one table holds {text}");
    others.join("[[")
}

/// What a world is made with, where the usual does not do.
pub(crate) struct Plan {
    limits: Limits,
    web: WebSettings,
    wechat: hufu_wechat::Settings,
    sandbox: hufu_sandbox::Options,
}

impl Plan {
    pub(crate) fn new() -> Self {
        let wechat = hufu_wechat::Settings { backoff: Duration::from_millis(1), ..Default::default() };
        let sandbox = hufu_sandbox::Options {
            clock: ClockStart::StandingAt(NOW.0),
            log_capacity: 10_000,
            per_minute_code_limit: None,
            ..hufu_sandbox::Options::default()
        };
        Self { limits: Limits::default(), web: WebSettings::default(), wechat, sandbox }
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub(crate) fn web(mut self, change: impl FnOnce(&mut WebSettings)) -> Self {
        change(&mut self.web);
        self
    }

    pub(crate) fn wechat(mut self, change: impl FnOnce(&mut hufu_wechat::Settings)) -> Self {
        change(&mut self.wechat);
        self
    }

    /// Makes the world.
    pub(crate) async fn build(self, database: TestDatabase) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let world = self.build_at(database, listener.local_addr().unwrap()).await;
        world.serve_wechat(listener);
        world
    }

    /// Makes a world whose WeChat nobody serves yet, and the address where it belongs.
    pub(crate) async fn build_unreachable(self, database: TestDatabase) -> (World, SocketAddr) {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        (self.build_at(database, address).await, address)
    }

    async fn build_at(mut self, database: TestDatabase, wechat: SocketAddr) -> World {
        logs::keep();
        let mark = logs::mark();
        let base = format!("http://{wechat}/api");
        let base = || base.parse().unwrap();
        self.wechat.endpoints = Endpoints { api: base(), open: base(), mp: base() };
        let sandbox = Sandbox::new(self.sandbox);
        for (app_id, open_platform) in
            [(MINI, "shop"), (TWO, "shop"), (MEMBERS, "shop"), (SPARE, "shop"), (CAFE_MINI, "cafe")]
        {
            let app = NewApp {
                app_id: Some(app_id.to_owned()),
                secret: Some(secret_of(app_id).as_str().into()),
                open_platform: Some(open_platform.to_owned()),
                ..NewApp::default()
            };
            sandbox.add_app(app).unwrap();
        }
        let store = Store::open(&database.url().parse().unwrap()).await.unwrap();
        store.migrate().await.unwrap();
        let clock = Arc::new(TestClock::new(NOW));
        let setup = Setup {
            sealing: Arc::new(SealingKey::from_bytes([7; 32])),
            random: Arc::new(SystemRandom),
            limits: self.limits,
            web: self.web,
            wechat: self.wechat,
            outbox: Outbox::new(clock.clone()),
        };
        apply_to(&store, &setup, &clock, FILE).await;
        let node = Node::start(store, &setup, &clock).await;
        let secrets = [MINI, TWO, MEMBERS, SPARE, CAFE_MINI].map(secret_of).to_vec();
        World { node, sandbox, clock, setup, database, secrets: Mutex::new(secrets), mark }
    }
}

/// The AppSecret of a mini program.
pub(crate) fn secret_of(app_id: &str) -> String {
    format!("secret-of-{app_id}")
}

struct Setup {
    sealing: Arc<SealingKey>,
    random: Arc<dyn Random>,
    limits: Limits,
    web: WebSettings,
    wechat: hufu_wechat::Settings,
    outbox: Outbox,
}

impl Setup {
    /// What calls webhooks and providers, which are on this machine here.
    fn outgoing() -> GuardedClient {
        GuardedClient::new(guarded::Settings {
            private: ["127.0.0.0/8".parse().unwrap()].into(),
            ..guarded::Settings::default()
        })
        .unwrap()
    }
}

/// A server process.
pub(crate) struct Node {
    pub(crate) app: Arc<App>,
    pub(crate) router: Router,
}

impl Node {
    async fn start(store: Store, setup: &Setup, clock: &Arc<TestClock>) -> Self {
        let parts = Parts {
            store,
            wechat: hufu_wechat::Client::new(setup.wechat.clone()).unwrap(),
            sealing: setup.sealing.clone(),
            limits: setup.limits.clone(),
            public_url: PUBLIC_URL.to_owned(),
            clock: clock.clone(),
            random: setup.random.clone(),
            outgoing: Setup::outgoing(),
            outbox: Some(setup.outbox.clone()),
        };
        let app = App::start(parts).await.unwrap();
        let router = hufu_web::router(app.clone(), setup.web.clone(), []);
        Self { app, router }
    }
}

/// An instance, its database and its WeChat.
pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) sandbox: Sandbox,
    clock: Arc<TestClock>,
    setup: Setup,
    database: TestDatabase,
    secrets: Mutex<Vec<String>>,
    mark: usize,
}

impl World {
    /// The usual world.
    pub(crate) async fn new(database: TestDatabase) -> Self {
        Plan::new().build(database).await
    }

    /// Serves WeChat.
    pub(crate) fn serve_wechat(&self, listener: TcpListener) {
        tokio::spawn(self.sandbox.clone().serve(listener, std::future::pending()));
    }

    /// Another server process on the same database, with its own connections.
    pub(crate) async fn another_node(&self) -> Node {
        let store = Store::open(&self.database.url().parse().unwrap()).await.unwrap();
        Node::start(store, &self.setup, &self.clock).await
    }

    /// A client that names the shop's default application.
    pub(crate) fn client(&self) -> Client<'_> {
        Client::of(self, &self.node).app(SHOP_APP)
    }

    /// A client that names the cafe's application.
    pub(crate) fn cafe(&self) -> Client<'_> {
        Client::of(self, &self.node).app(CAFE_APP)
    }

    /// A client that names nothing.
    pub(crate) fn nobody(&self) -> Client<'_> {
        Client::of(self, &self.node)
    }

    /// A client of another node.
    pub(crate) fn client_of<'w>(&'w self, node: &'w Node) -> Client<'w> {
        Client::of(self, node).app(SHOP_APP)
    }

    /// Lets time pass, for Hufu and for WeChat.
    pub(crate) fn advance(&self, time: Duration) {
        self.clock.advance(time);
        self.sandbox.advance(time);
    }

    /// What was sent by SMS and e-mail.
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.setup.outbox
    }

    /// Notes what must never be logged.
    pub(crate) fn secret(&self, text: &str) {
        if !text.is_empty() {
            self.secrets.lock().unwrap().push(text.to_owned());
        }
    }

    /// Makes a person at WeChat.
    pub(crate) fn person(&self, name: &str) -> UserView {
        self.person_with(NewUser { name: Some(name.to_owned()), ..NewUser::default() })
    }

    pub(crate) fn person_with(&self, user: NewUser) -> UserView {
        let person = self.sandbox.add_user(user).unwrap();
        for ids in &person.ids {
            self.secret(&ids.openid);
            self.secret(ids.unionid.as_deref().unwrap_or_default());
        }
        self.secret(&person.phone);
        person
    }

    /// What `wx.login` gives.
    pub(crate) fn code(&self, app_id: &str, name: &str) -> String {
        let code = self.sandbox.login_code(app_id, Some(name)).unwrap();
        self.secret(&code);
        code
    }

    /// What the phone button gives.
    pub(crate) fn phone_code(&self, app_id: &str, name: &str) -> String {
        let code = self.sandbox.phone_code(app_id, Some(name)).unwrap();
        self.secret(&code);
        code
    }

    /// What WeChat seals for the person of a code.
    pub(crate) fn sealed(&self, app_id: &str, code: &str, kind: DataKind) -> Sealed {
        let sealed = self.sandbox.sealed_data(app_id, code, kind).unwrap();
        self.secret(&sealed.encrypted_data);
        sealed
    }

    /// What comes over the next exchange of a code.
    pub(crate) fn exchange_fault(&self, fault: Fault) {
        self.sandbox.add_fault(Fault { path: Some(EXCHANGE.to_owned()), count: 1, ..fault }).unwrap();
    }

    /// How often a WeChat endpoint was called.
    pub(crate) fn calls(&self, path: &str) -> usize {
        self.sandbox.calls(0).iter().filter(|call| call.path == path).count()
    }

    /// How often a code was sent to WeChat.
    pub(crate) fn exchanges(&self) -> usize {
        self.calls(EXCHANGE)
    }

    /// Makes the database match another file, as another process does; no node knows yet.
    pub(crate) async fn apply(&self, file: &str) {
        let store = Store::open(&self.database.url().parse().unwrap()).await.unwrap();
        apply_to(&store, &self.setup, &self.clock, file).await;
        store.close().await;
    }

    /// Applies another file, and lets the node take it up.
    pub(crate) async fn reconfigure(&self, file: &str) {
        self.apply(file).await;
        self.node.app.refresh_config().await.unwrap();
    }

    /// Applies the usual file with one text replaced.
    pub(crate) async fn reconfigure_with(&self, old: &str, new: &str) {
        assert!(FILE.contains(old), "{old}");
        self.reconfigure(&FILE.replacen(old, new, 1)).await;
    }

    /// Switches a user on or off, as an administrator does.
    pub(crate) async fn set_status(&self, pool: &str, user: &str, status: UserStatus) {
        let unit = SetStatus {
            pool: PoolId::parse(pool).unwrap(),
            user: UserId::parse(user).unwrap(),
            status,
            trace: Trace::of_command(self.clock.now(), &SystemRandom),
        };
        self.node.app.store().write(unit).await.unwrap();
    }

    /// The number of rows of a table.
    pub(crate) async fn rows(&self, table: &str) -> i64 {
        if table == "rate_buckets" {
            return self.node.app.store().read(RateBuckets).await.unwrap();
        }
        let counts = self.footprint().await;
        counts.iter().find(|(name, _)| *name == table).unwrap().1
    }

    /// What is stored, as the number of rows of each table that requests write to, and how often people logged in.
    pub(crate) async fn footprint(&self) -> Vec<(&'static str, i64)> {
        self.node.app.store().read(Footprint).await.unwrap()
    }

    /// Fails unless `work` leaves the database as it is.
    pub(crate) async fn stores_nothing<T>(&self, work: impl Future<Output = T>) -> T {
        let before = self.footprint().await;
        let done = work.await;
        assert_eq!(self.footprint().await, before, "something was stored");
        done
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            logs::assert_free_of(&self.secrets.lock().unwrap(), self.mark);
        }
    }
}

/// The endpoint to which codes are sent.
pub(crate) const EXCHANGE: &str = "/sns/jscode2session";
/// The endpoint to which phone codes are sent.
pub(crate) const PHONE_NUMBER: &str = "/wxa/business/getuserphonenumber";

async fn apply_to(store: &Store, setup: &Setup, clock: &Arc<TestClock>, file: &str) {
    let file = apply::file::read(file, "hufu.toml", &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
    let clock: Arc<dyn Clock> = clock.clone();
    let options = Options { prune: true, dry_run: false };
    apply::apply(store, &setup.sealing, &clock, &setup.random, &file, "hufu.toml", options).await.unwrap();
}

struct Footprint;

impl Read for Footprint {
    type Out = Vec<(&'static str, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        const TABLES: [(&str, &str); 11] = [
            ("users", "SELECT COUNT(*) FROM users"),
            ("identities", "SELECT COUNT(*) FROM identities"),
            ("identity_conflicts", "SELECT COUNT(*) FROM identity_conflicts"),
            ("sessions", "SELECT COUNT(*) FROM sessions"),
            ("exchanges", "SELECT COUNT(*) FROM exchanges"),
            ("refresh_tokens", "SELECT COUNT(*) FROM refresh_tokens"),
            ("login_flows", "SELECT COUNT(*) FROM login_flows"),
            ("merges", "SELECT COUNT(*) FROM merges"),
            ("uploads", "SELECT COUNT(*) FROM uploads"),
            ("logins", "SELECT CAST(COALESCE(SUM(logins_count), 0) AS BIGINT) FROM users"),
            ("changes", "SELECT CAST(COALESCE(SUM(updated_at), 0) AS BIGINT) FROM users"),
        ];
        let mut counts = Vec::with_capacity(TABLES.len());
        for (table, sql) in TABLES {
            counts.push((table, tx.optional(sql, &[], |row| row.get(0)).await?.unwrap_or_default()));
        }
        Ok(counts)
    }
}

struct RateBuckets;

impl Read for RateBuckets {
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let count = tx.optional("SELECT COUNT(*) FROM rate_buckets", &[], |row| row.get(0)).await?;
        Ok(count.unwrap_or_default())
    }
}
