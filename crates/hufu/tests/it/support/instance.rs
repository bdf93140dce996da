//! An instance for the program to serve: a folder with its configuration, a database, and a simulated WeChat
//! in this process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use hufu_sandbox::{NewApp, NewUser, Options, Sandbox};
use hufu_testkit::TestDatabase;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::client::Client;
use super::process::{Process, Ran, hufu};

/// The pool.
pub(crate) const POOL: &str = "6560c0ffee00000000000001";
/// Its application.
pub(crate) const APPLICATION: &str = "6560c0ffee00000000000002";
/// The AppID of its mini program.
pub(crate) const APP_ID: &str = "wx00000000000000a1";
/// The mini program's AppSecret, which [`Instance::command`] passes in `SHOP_SECRET`.
pub(crate) const SECRET: &str = "5ec2e7005ec2e7005ec2e7005ec2e700";
/// The phone number of the person `alice` at WeChat.
pub(crate) const PERSON_PHONE: &str = "13800000001";

/// The configuration file's name in the instance's folder.
pub(crate) const CONFIG: &str = "hufu.toml";

/// What [`Instance::ready`] applies.
pub(crate) const WORLD: &str = r#"
[[user_pool]]
id = "6560c0ffee00000000000001"
name = "Shop"
  [[user_pool.connection]]
  identifier = "shop-mini"
  type = "wechat:miniprogram:default"
  open_platform = "shop"
  fields = { app_id = "wx00000000000000a1", app_secret = { env = "SHOP_SECRET" } }
  [[user_pool.application]]
  id = "6560c0ffee00000000000002"
  name = "Shop mini program"
  type = "mini-program"
  default = true
  connections = ["shop-mini"]
"#;

/// An instance that is not being served yet. Everything is removed when it is dropped.
pub(crate) struct Instance {
    pub(crate) sandbox: Sandbox,
    database: TestDatabase,
    folder: TempDir,
}

/// A simulated WeChat without a limit on logins.
pub(crate) fn sandbox_options() -> Options {
    Options { per_minute_code_limit: None, log_capacity: 10_000, ..Options::default() }
}

impl Instance {
    /// An instance with an empty database.
    pub(crate) async fn empty(database: TestDatabase) -> Self {
        Self::with_sandbox(database, sandbox_options()).await
    }

    /// An instance with the pool, migrated and applied by the program itself.
    pub(crate) async fn ready(database: TestDatabase) -> Self {
        let instance = Self::empty(database).await;
        instance.prepare().await;
        instance
    }

    pub(crate) async fn with_sandbox(database: TestDatabase, options: Options) -> Self {
        let sandbox = Sandbox::new(options);
        fill(&sandbox);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wechat = listener.local_addr().unwrap();
        tokio::spawn(sandbox.clone().serve(listener, std::future::pending()));
        let folder = tempfile::Builder::new().prefix("hufu-test").tempdir().unwrap();
        let instance = Self { sandbox, database, folder };
        instance.write(CONFIG, &instance.config(wechat));
        instance
    }

    fn config(&self, wechat: SocketAddr) -> String {
        format!(
            r#"
listen = "127.0.0.1:0"
public_url = "https://id.example.com"
database_url = "{}"
encryption_key_file = "hufu.key"
[wechat]
api_base = "http://{wechat}/api"
open_base = "http://{wechat}/open"
mp_base = "http://{wechat}/mp"
"#,
            self.database.url()
        )
    }

    /// Migrates, and applies [`WORLD`].
    pub(crate) async fn prepare(&self) {
        self.run(&["migrate"]).await.succeeded();
        self.write("world.toml", WORLD);
        self.run(&["apply", "world.toml"]).await.succeeded();
    }

    pub(crate) fn database_url(&self) -> String {
        self.database.url()
    }

    pub(crate) fn database(&self) -> &TestDatabase {
        &self.database
    }

    pub(crate) fn engine(&self) -> &'static str {
        self.database.engine()
    }

    /// A file in the instance's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the instance's folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The program in the instance's folder, with the instance's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hufu();
        command.current_dir(self.folder.path()).env("SHOP_SECRET", SECRET);
        command.args(arguments).args(["--config", CONFIG]);
        command
    }

    /// Runs the program until it exits.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        Process::start(&mut self.command(arguments)).finish().await
    }

    /// Starts the server.
    pub(crate) async fn serve(&self) -> Server {
        Server::start(&mut self.command(&["serve"])).await
    }

    /// The code that `wx.login` returns for the person with this name, or for a new person without a name.
    pub(crate) fn code(&self, person: Option<&str>) -> String {
        self.sandbox.login_code(APP_ID, person).unwrap()
    }
}

/// Adds the mini program and the people.
pub(crate) fn fill(sandbox: &Sandbox) {
    let app = NewApp {
        app_id: Some(APP_ID.to_owned()),
        secret: Some(SECRET.into()),
        open_platform: Some("shop".to_owned()),
        ..NewApp::default()
    };
    sandbox.add_app(app).unwrap();
    for (name, phone) in [("alice", PERSON_PHONE), ("bob", "13800000002")] {
        let person =
            NewUser { name: Some(name.to_owned()), phone: Some(phone.to_owned()), ..NewUser::default() };
        sandbox.add_user(person).unwrap();
    }
}

/// `hufu serve`, and a client of its application.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
}

impl Server {
    /// Starts a server and waits until it serves.
    pub(crate) async fn start(command: &mut Command) -> Self {
        let process = Process::start(command);
        let serving: Value =
            serde_json::from_str(&process.err.line_with(r#""message":"serving""#).await).unwrap();
        let address: SocketAddr = serving["address"].as_str().unwrap().parse().unwrap();
        let client = Client::of(&format!("http://{address}"));
        assert_eq!(client.get("/healthz").await.text, "ok");
        Self { process, address, client }
    }

    /// Stops it as an operator would.
    pub(crate) async fn stop(self) -> Ran {
        self.process.terminate();
        self.process.finish().await
    }
}
