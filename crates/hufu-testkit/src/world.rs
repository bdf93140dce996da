//! An instance with two pools and a simulated WeChat, and functions to inspect both.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hufu_app::apply::Options;
use hufu_app::configuration::{Change, Outcome, PutApplication};
use hufu_app::connect::Outbox;
use hufu_app::events::Trace;
use hufu_app::people::status::SetStatus;
use hufu_app::{App, DefaultMiniProgram, Limits, Parts};
use hufu_sandbox::{ClockStart, DataKind, Fault, NewApp, NewUser, Sandbox, Sealed, UserView};
pub use hufu_store::audit::AuditEvent;
use hufu_store::audit::{AuditFilter, ListEvents};
use hufu_store::{Read, Store, StoreError, Tx};
use hufu_types::{Application, Clock as _, PoolId, SystemRandom, Timestamp, UserId, UserStatus};
use hufu_web::{Router, WebSettings};
use hufu_wechat::Endpoints;
use tokio::net::TcpListener;

pub use crate::base::PUBLIC_URL;
use crate::base::{Base, outgoing_to_this_machine};
use crate::client::{Answer, Client};
use crate::{TestDatabase, logs};

/// The current time in the tests, for Hufu and for WeChat.
pub const NOW: Timestamp = Timestamp(1_750_000_000_000);

/// The shop, the pool that most tests use.
pub const SHOP: &str = "6560c0ffee00000000000001";
/// The shop's default application, with all connections except the spare one.
pub const SHOP_APP: &str = "6560c0ffee00000000000002";
/// The shop's website, with the two open connections in the other order.
pub const SHOP_WEB: &str = "6560c0ffee00000000000003";
/// An application without enabled connections.
pub const SHOP_BARE: &str = "6560c0ffee00000000000004";
/// The AppID of the shop's connection `shop-mini`.
pub const MINI: &str = "wx00000000000000a1";
/// The AppID of `shop-two`, of the same Open Platform account.
pub const TWO: &str = "wx00000000000000a2";
/// The AppID of `shop-members`, which does not create users.
pub const MEMBERS: &str = "wx00000000000000a3";
/// The AppID of `shop-spare`, which is not enabled for any application.
pub const SPARE: &str = "wx00000000000000a4";
/// The phone number of the shop's user alice.
pub const ALICE_PHONE: &str = "13912340000";

/// The cafe: another tenant.
pub const CAFE: &str = "6560c0ffee00000000000011";
/// The cafe's application, which is not marked as the default.
pub const CAFE_APP: &str = "6560c0ffee00000000000012";
/// The AppID of the cafe's connection `cafe-mini`.
pub const CAFE_MINI: &str = "wx00000000000000b1";

/// A pool without a mini program application.
pub const EMPTY: &str = "6560c0ffee00000000000021";

/// The standard configuration file, which is applied to every world.
pub const FILE: &str = r#"
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

/// The standard file in pieces: the text before the first table, and each table without its opening brackets.
pub fn tables() -> Vec<&'static str> {
    FILE.split("[[").collect()
}

/// The standard file with its first pool alone, the shop.
pub fn only_the_shop() -> &'static str {
    let (shop, _) = FILE.split_once("\n[[user_pool]]\nid = \"6560c0ffee00000000000011\"").unwrap();
    shop
}

/// The standard file without the table that contains this text.
pub fn file_without(text: &str) -> String {
    let others: Vec<&str> = tables().into_iter().filter(|table| !table.contains(text)).collect();
    assert_eq!(others.len() + 1, tables().len(), "one table holds {text}");
    others.join("[[")
}

/// The settings of the web surfaces, as `hufu serve` has them.
pub fn web_settings() -> WebSettings {
    WebSettings { user_object: Some(hufu_compat::user_object), ..WebSettings::default() }
}

/// How to build a world that differs from the standard one.
#[must_use]
pub struct Plan {
    file: &'static str,
    limits: Limits,
    web: WebSettings,
    wechat: hufu_wechat::Settings,
    sandbox: hufu_sandbox::Options,
    default_mini_program: Option<&'static str>,
    sign_up: bool,
    reaches_private: bool,
    has_outbox: bool,
    public_url: String,
}

impl Plan {
    /// The plan of the standard world.
    #[expect(clippy::new_without_default, reason = "a plan is always made explicitly")]
    pub fn new() -> Self {
        let wechat = hufu_wechat::Settings { backoff: Duration::from_millis(1), ..Default::default() };
        let sandbox = hufu_sandbox::Options {
            clock: ClockStart::StandingAt(NOW.0),
            log_capacity: 10_000,
            per_minute_code_limit: None,
            ..hufu_sandbox::Options::default()
        };
        Self {
            file: FILE,
            limits: Limits::default(),
            web: web_settings(),
            wechat,
            sandbox,
            default_mini_program: None,
            sign_up: false,
            reaches_private: true,
            has_outbox: true,
            public_url: PUBLIC_URL.to_owned(),
        }
    }

    /// Says that the instance is reached at another address, such as one of this machine.
    pub fn public_url(self, public_url: &str) -> Self {
        Self { public_url: public_url.to_owned(), ..self }
    }

    /// Applies another file than the standard one: pools, once made, stay.
    pub fn file(self, file: &'static str) -> Self {
        Self { file, ..self }
    }

    /// Changes the limits.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Changes the settings of the web surfaces.
    pub fn web(mut self, change: impl FnOnce(&mut WebSettings)) -> Self {
        change(&mut self.web);
        self
    }

    /// Changes the settings of the WeChat client.
    pub fn wechat(mut self, change: impl FnOnce(&mut hufu_wechat::Settings)) -> Self {
        change(&mut self.wechat);
        self
    }

    /// Changes the options of the sandbox.
    pub fn sandbox(mut self, change: impl FnOnce(&mut hufu_sandbox::Options)) -> Self {
        change(&mut self.sandbox);
        self
    }

    /// Lets senders and webhooks connect to public addresses alone.
    pub fn without_private_networks(self) -> Self {
        Self { reaches_private: false, ..self }
    }

    /// Leaves out the outbox, as `hufu serve` does: messages need a sender.
    pub fn without_outbox(self) -> Self {
        Self { has_outbox: false, ..self }
    }

    /// Gives the instance a login mini program of its own: that with this AppID.
    pub fn default_mini_program(self, app_id: &'static str) -> Self {
        Self { default_mini_program: Some(app_id), ..self }
    }

    /// Lets anybody register as an administrator.
    pub fn signing_up(self) -> Self {
        Self { sign_up: true, ..self }
    }

    /// Builds the world.
    pub async fn build(self, database: TestDatabase) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let world = Box::pin(self.build_at(database, listener.local_addr().unwrap())).await;
        world.serve_wechat(listener);
        world
    }

    /// Builds a world whose WeChat is not being served yet. Also returns the address at which to serve it.
    pub async fn build_unreachable(self, database: TestDatabase) -> (World, SocketAddr) {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        (Box::pin(self.build_at(database, address)).await, address)
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
        let base = Base::new(database, NOW, SystemRandom).await;
        base.apply(self.file, PRUNE).await;
        let outbox = Outbox::new(base.clock.clone());
        let default_mini_program = self.default_mini_program.map(|app_id| {
            let (id, secret) = (app_id.to_owned(), secret_of(app_id).into());
            DefaultMiniProgram::new(id, secret, ORIGINAL_ID.to_owned()).unwrap()
        });
        let setup = Setup {
            limits: self.limits,
            web: self.web,
            wechat: self.wechat,
            outbox,
            has_outbox: self.has_outbox,
            reaches_private: self.reaches_private,
            default_mini_program,
            sign_up: self.sign_up,
            public_url: self.public_url,
        };
        let node = Node::start(base.store.clone(), &base, &setup).await;
        let secrets = [MINI, TWO, MEMBERS, SPARE, CAFE_MINI].map(secret_of).to_vec();
        World { node, sandbox, setup: Box::new(setup), base, secrets: Mutex::new(secrets), mark }
    }
}

/// The original id of the instance's own mini program.
pub const ORIGINAL_ID: &str = "gh_a781a791e29e";

/// The AppSecret of a mini program.
pub fn secret_of(app_id: &str) -> String {
    format!("secret-of-{app_id}")
}

/// The file describes its pools completely.
const PRUNE: Options = Options { prune: true, new_apps: false, dry_run: false };

struct Setup {
    limits: Limits,
    web: WebSettings,
    wechat: hufu_wechat::Settings,
    outbox: Outbox,
    has_outbox: bool,
    reaches_private: bool,
    default_mini_program: Option<DefaultMiniProgram>,
    sign_up: bool,
    public_url: String,
}

/// A server process.
pub struct Node {
    /// The application.
    pub app: Arc<App>,
    /// All surfaces.
    pub router: Router,
}

impl Node {
    async fn start(store: Store, base: &Base, setup: &Setup) -> Self {
        let parts = Parts {
            store,
            wechat: hufu_wechat::Client::new(setup.wechat.clone()).unwrap(),
            limits: setup.limits.clone(),
            outgoing: if setup.reaches_private { outgoing_to_this_machine() } else { base.parts().outgoing },
            outbox: setup.has_outbox.then(|| setup.outbox.clone()),
            default_mini_program: setup.default_mini_program.clone(),
            sign_up: setup.sign_up,
            public_url: setup.public_url.clone(),
            ..base.parts()
        };
        let app = App::start(parts).await.unwrap();
        let surfaces = [hufu_compat::routes(&hufu_compat::Settings::default()), hufu_admin::routes()];
        let router = hufu_web::router(app.clone(), setup.web.clone(), surfaces);
        Self { app, router }
    }
}

/// An instance with its database and its WeChat.
pub struct World {
    /// The server.
    pub node: Node,
    /// Its WeChat.
    pub sandbox: Sandbox,
    setup: Box<Setup>,
    base: Base,
    secrets: Mutex<Vec<String>>,
    mark: usize,
}

impl World {
    /// The standard world.
    pub async fn new(database: TestDatabase) -> Self {
        Plan::new().build(database).await
    }

    /// The database, for what no call of the product does.
    pub fn database(&self) -> &TestDatabase {
        &self.base.database
    }

    /// Serves WeChat.
    pub fn serve_wechat(&self, listener: TcpListener) {
        tokio::spawn(self.sandbox.clone().serve(listener, std::future::pending()));
    }

    /// The parts of another server process on the same database, which has neither a WeChat nor an outbox.
    pub fn parts(&self) -> Parts {
        self.base.parts()
    }

    /// Another server process on the same database, with its own connections.
    pub async fn another_node(&self) -> Node {
        Node::start(self.base.open().await, &self.base, &self.setup).await
    }

    /// From now on the server is another node, which is reached at this address.
    pub async fn serve_at(&mut self, public_url: &str) {
        public_url.clone_into(&mut self.setup.public_url);
        self.node = self.another_node().await;
    }

    /// A client that names the shop's default application.
    pub fn client(&self) -> Client<'_> {
        Client::of(self, &self.node).app(SHOP_APP)
    }

    /// A client that names the cafe's application.
    pub fn cafe(&self) -> Client<'_> {
        Client::of(self, &self.node).app(CAFE_APP)
    }

    /// A client that names no application.
    pub fn nobody(&self) -> Client<'_> {
        Client::of(self, &self.node)
    }

    /// A client of another node, which names the shop's default application.
    pub fn client_of<'w>(&'w self, node: &'w Node) -> Client<'w> {
        Client::of(self, node).app(SHOP_APP)
    }

    /// Advances Hufu's clock alone, so that what WeChat says is old.
    pub fn advance_hufu(&self, time: Duration) {
        self.base.clock.advance(time);
    }

    /// Advances the clocks of Hufu and WeChat.
    pub fn advance(&self, time: Duration) {
        self.base.clock.advance(time);
        self.sandbox.advance(time);
    }

    /// The messages that were sent by SMS and e-mail.
    pub fn outbox(&self) -> &Outbox {
        &self.setup.outbox
    }

    /// Records a secret that must never be logged.
    pub fn secret(&self, text: &str) {
        if !text.is_empty() {
            self.secrets.lock().unwrap().push(text.to_owned());
        }
    }

    /// Creates a person at WeChat.
    pub fn person(&self, name: &str) -> UserView {
        self.person_with(NewUser { name: Some(name.to_owned()), ..NewUser::default() })
    }

    /// Creates this person at WeChat.
    pub fn person_with(&self, user: NewUser) -> UserView {
        let person = self.sandbox.add_user(user).unwrap();
        for ids in &person.ids {
            self.secret(&ids.openid);
            self.secret(ids.unionid.as_deref().unwrap_or_default());
        }
        self.secret(&person.phone);
        person
    }

    /// A code as `wx.login` returns it.
    pub fn code(&self, app_id: &str, name: &str) -> String {
        let code = self.sandbox.login_code(app_id, Some(name)).unwrap();
        self.secret(&code);
        code
    }

    /// A code as the phone button returns it.
    pub fn phone_code(&self, app_id: &str, name: &str) -> String {
        let code = self.sandbox.phone_code(app_id, Some(name)).unwrap();
        self.secret(&code);
        code
    }

    /// Data that WeChat encrypts for the person of a code.
    pub fn sealed(&self, app_id: &str, code: &str, kind: DataKind) -> Sealed {
        let sealed = self.sandbox.sealed_data(app_id, code, kind).unwrap();
        self.secret(&sealed.encrypted_data);
        sealed
    }

    /// Injects a fault into the next exchange of a code.
    pub fn exchange_fault(&self, fault: Fault) {
        self.sandbox.add_fault(Fault { path: Some(EXCHANGE.to_owned()), count: 1, ..fault }).unwrap();
    }

    /// How often a WeChat endpoint was called.
    pub fn calls(&self, path: &str) -> usize {
        self.sandbox.calls(0).iter().filter(|call| call.path == path).count()
    }

    /// How often a code was sent to WeChat.
    pub fn exchanges(&self) -> usize {
        self.calls(EXCHANGE)
    }

    /// Applies another file from another process. No node has loaded it yet. Returns what that did, in the words of the
    /// command.
    pub async fn apply(&self, file: &str) -> String {
        self.base.apply_elsewhere(file, PRUNE).await
    }

    /// What applying a file would do.
    pub async fn plan(&self, file: &str) -> hufu_app::apply::Plan {
        self.base.plan(file).await
    }

    /// Applies another file, and makes the node load it. Returns what that did.
    pub async fn reconfigure(&self, file: &str) -> String {
        let said = self.apply(file).await;
        self.node.app.refresh_config().await.unwrap();
        said
    }

    /// The file that describes a pool, without its secrets.
    pub async fn export(&self, pool: &str) -> String {
        self.base.export(&PoolId::parse(pool).unwrap()).await
    }

    /// Applies the standard file with one text replaced.
    pub async fn reconfigure_with(&self, old: &str, new: &str) {
        assert!(FILE.contains(old), "{old}");
        self.reconfigure(&FILE.replacen(old, new, 1)).await;
    }

    /// Changes an application of the shop, as an administrator does, and makes the node load it.
    pub async fn change_application(&self, id: &str, change: impl FnOnce(&mut Application)) {
        let mut application = Application::clone(self.node.app.config().application(id).unwrap());
        change(&mut application);
        let change = Change {
            operation: PutApplication { application, expected: None },
            trace: Trace::of_command(self.base.clock.now(), &SystemRandom),
        };
        let outcome = self.node.app.store().write(change).await.unwrap();
        assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
        self.node.app.refresh_config().await.unwrap();
    }

    /// Changes the status of a user, as an administrator does.
    pub async fn set_status(&self, pool: &str, user: &str, status: UserStatus) {
        let unit = SetStatus {
            pool: PoolId::parse(pool).unwrap(),
            user: UserId::parse(user).unwrap(),
            status,
            trace: Trace::of_command(self.base.clock.now(), &SystemRandom),
        };
        self.node.app.store().write(unit).await.unwrap();
    }

    /// The number of rows of a table.
    pub async fn rows(&self, table: &str) -> i64 {
        if table == "rate_buckets" {
            return self.node.app.store().read(RateBuckets).await.unwrap();
        }
        let counts = self.footprint().await;
        counts.iter().find(|(name, _)| *name == table).unwrap().1
    }

    /// The contents of the database, as the number of rows of each table that requests write to, and the
    /// number of logins.
    pub async fn footprint(&self) -> Vec<(&'static str, i64)> {
        self.node.app.store().read(Footprint).await.unwrap()
    }

    /// Fails unless `work` leaves the database unchanged.
    pub async fn stores_nothing<T>(&self, work: impl Future<Output = T>) -> T {
        let before = self.footprint().await;
        let done = work.await;
        assert_eq!(self.footprint().await, before, "something was stored");
        done
    }

    /// The audit log of the shop, newest first.
    pub async fn audit(&self) -> Vec<AuditEvent> {
        let (pool, filter) = (PoolId::parse(SHOP).unwrap(), AuditFilter::default());
        self.node.app.store().read(ListEvents { pool, filter, before: None, limit: 10_000 }).await.unwrap()
    }

    /// The id of a connection of the shop.
    pub fn connection(&self, app_id: &str) -> String {
        let config = self.node.app.config();
        let mut connections = config.connections(&PoolId::parse(SHOP).unwrap()).iter();
        connections
            .find(|connection| connection.settings.text("app_id") == Some(app_id))
            .unwrap()
            .id
            .to_string()
    }

    /// Fails unless the request is refused with this code and stores only one entry of the audit log, which
    /// records the refusal.
    pub async fn refuses(
        &self,
        code: u64,
        action: &str,
        request: impl Future<Output = Answer>,
    ) -> AuditEvent {
        let before = self.audit().await;
        let answer = self.stores_nothing(request).await;
        answer.refused(code);
        let mut after = self.audit().await;
        assert_eq!(
            after.len(),
            before.len() + 1,
            "{action} {code}: {:#?}",
            &after[..after.len() - before.len()]
        );
        let event = after.swap_remove(after.iter().position(|event| !before.contains(event)).unwrap());
        assert_eq!((event.action.as_str(), event.code), (action, i64::try_from(code).unwrap()));
        assert_eq!(event.application.as_deref(), Some(SHOP_APP), "{event:?}");
        assert_eq!(event.ip.as_deref(), Some("203.0.113.7"), "{event:?}");
        assert_eq!(event.request_id.as_deref(), Some(answer.request_id()), "{event:?}");
        event
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // Apps may have been added since a person was.
            let people = self.sandbox.users().into_iter().flat_map(|person| person.ids);
            let ids = people.flat_map(|ids| [Some(ids.openid), ids.unionid]).flatten();
            self.secrets.lock().unwrap().extend(ids);
            logs::assert_free_of(&self.secrets.lock().unwrap(), self.mark);
        }
    }
}

/// The endpoint that login codes are sent to.
pub const EXCHANGE: &str = "/sns/jscode2session";
/// The endpoint that phone codes are sent to.
pub const PHONE_NUMBER: &str = "/wxa/business/getuserphonenumber";

struct Footprint;

impl Read for Footprint {
    type Out = Vec<(&'static str, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        const TABLES: [(&str, &str); 12] = [
            ("users", "SELECT COUNT(*) FROM users"),
            ("identities", "SELECT COUNT(*) FROM identities"),
            ("identity_conflicts", "SELECT COUNT(*) FROM identity_conflicts"),
            ("sessions", "SELECT COUNT(*) FROM sessions"),
            ("exchanges", "SELECT COUNT(*) FROM exchanges"),
            ("refresh_tokens", "SELECT COUNT(*) FROM refresh_tokens"),
            ("login_flows", "SELECT COUNT(*) FROM login_flows"),
            ("merges", "SELECT COUNT(*) FROM merges"),
            ("uploads", "SELECT COUNT(*) FROM uploads"),
            ("management_signatures", "SELECT COUNT(*) FROM management_signatures"),
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
