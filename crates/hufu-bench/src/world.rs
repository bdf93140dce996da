//! The pool, application and connection that the logins go through.

use clap::Args;

/// Ids of the measured data. They are the same for the server and the floor.
#[derive(Args, Clone, Debug)]
pub(crate) struct World {
    /// The pool.
    #[arg(long, default_value = "6560c0ffee00000000000001")]
    pub(crate) pool: String,
    /// The application.
    #[arg(long, default_value = "6560c0ffee00000000000002")]
    pub(crate) application: String,
    /// The connection. The server generates its id.
    #[arg(long, default_value = "6560c0ffee00000000000003")]
    pub(crate) connection: String,
    /// The mini program's AppID.
    #[arg(long, default_value = "wx6560c0ffee000001")]
    pub(crate) app_id: String,
    /// The mini program's AppSecret. It is only used with the sandbox and is worthless elsewhere.
    #[arg(long, default_value = "6560c0ffee6560c0ffee6560c0ffee00")]
    pub(crate) app_secret: String,
    /// The Open Platform account.
    #[arg(long, default_value = "bench")]
    pub(crate) open_platform: String,
}

/// The register source of created users: the kind of the connection.
pub(crate) const REGISTER_SOURCE: &str = "wechat:miniprogram:default";
/// The address of all clients.
pub(crate) const CLIENT_ADDRESS: &str = "127.0.0.1";

/// An address for each of many clients, as a proxy forwards it.
pub(crate) fn forwarded(number: usize) -> String {
    format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255)
}

impl Default for World {
    fn default() -> World {
        World {
            pool: "6560c0ffee00000000000001".to_owned(),
            application: "6560c0ffee00000000000002".to_owned(),
            connection: "6560c0ffee00000000000003".to_owned(),
            app_id: "wx6560c0ffee000001".to_owned(),
            app_secret: "6560c0ffee6560c0ffee6560c0ffee00".to_owned(),
            open_platform: "bench".to_owned(),
        }
    }
}

impl World {
    /// The scope in which the mini program's openids are unique.
    pub(crate) fn openid_realm(&self) -> String {
        format!("wechat:{}", self.app_id)
    }

    /// The scope in which the Open Platform account's unionids are unique.
    pub(crate) fn unionid_realm(&self) -> String {
        format!("wechat:open:{}", self.open_platform)
    }

    /// The ids as command-line arguments of another process.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let World { pool, application, connection, app_id, app_secret, open_platform } = self;
        [
            ("--pool", pool),
            ("--application", application),
            ("--connection", connection),
            ("--app-id", app_id),
            ("--app-secret", app_secret),
            ("--open-platform", open_platform),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value.clone()])
        .collect()
    }

    /// The file for `hufu apply`.
    pub(crate) fn apply_file(&self) -> String {
        let World { pool, application, app_id, open_platform, .. } = self;
        format!(
            r#"[[user_pool]]
id = "{pool}"
name = "Benchmark"

  [[user_pool.connection]]
  identifier = "bench-mini"
  type = "{REGISTER_SOURCE}"
  display_name = "WeChat"
  open_platform = "{open_platform}"
  fields = {{ app_id = "{app_id}", app_secret = {{ env = "HUFU_BENCH_APP_SECRET" }} }}

  [[user_pool.application]]
  id = "{application}"
  name = "Benchmark"
  type = "mini-program"
  default = true
  connections = ["bench-mini"]
"#
        )
    }
}
