//! `hufu dev`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use hufu_app::administration::AdminCaller;
use hufu_app::apply::{self, Options};
use hufu_app::connect::Outbox;
use hufu_app::{App, KeySource};
use hufu_sandbox::Sandbox;
use hufu_store::instance::{Fact, PutFactIfAbsent};
use hufu_store::{DatabaseUrl, Store};
use hufu_types::refusal::Code;
use hufu_types::{AdminRole, PoolRole};
use hufu_web::WebSettings;
use secrecy::{ExposeSecret as _, SecretString};

use super::serve::Server;
use crate::config::{Config, Log};
use crate::demo_apps::DemoApps;
use crate::instance::{self, Instance};
use crate::output::say;
use crate::surroundings::Surroundings;
use crate::telemetry::{Format, start_logging, start_metrics};
use crate::{demo, listen, messages};

/// Run everything on this machine: the server with a database of its own, the WeChat sandbox, and a demo
/// pool. Running it again keeps the data.
#[derive(Args)]
pub(crate) struct Dev {
    /// The address that the server listens on.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The address that the WeChat sandbox listens on.
    #[arg(long, default_value = "127.0.0.1:3100")]
    sandbox_listen: SocketAddr,
    /// The address that metrics are served on.
    #[arg(long, default_value = "127.0.0.1:3001")]
    metrics_listen: SocketAddr,
    /// The folder for the database and its key.
    #[arg(long, default_value = "hufu-data", value_name = "FOLDER")]
    data: PathBuf,
    /// Another database than the SQLite file in that folder, such as postgres://USER:PASSWORD@HOST:PORT/NAME. It must
    /// be empty, or of an earlier run.
    #[arg(long, value_name = "URL")]
    database_url: Option<DatabaseUrl>,
    /// Allow addresses that other machines can reach. The demo's secrets are public knowledge.
    #[arg(long)]
    allow_remote: bool,
    /// The log filter, such as `debug`.
    #[arg(long, default_value = "warn")]
    log: String,
}

impl Dev {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        for address in [self.listen, self.sandbox_listen, self.metrics_listen] {
            if !address.ip().is_loopback() && !self.allow_remote {
                bail!(
                    "{address} can be reached from other machines; if that is intended, add --allow-remote"
                );
            }
        }
        start_logging(&Log(self.log.clone()), &Format::Pretty)?;
        let metrics = start_metrics()?;
        let listener = listen::bind(self.listen, "--listen").await?;
        let sandbox_listener = listen::bind(self.sandbox_listen, "--sandbox-listen").await?;
        let metrics_listener = listen::bind(self.metrics_listen, "--metrics-listen").await?;
        let addresses = Addresses {
            server: listener.local_addr()?,
            sandbox: sandbox_listener.local_addr()?,
            metrics: metrics_listener.local_addr()?,
        };

        let server = format!("http://{}", addresses.server);
        let sandbox = Sandbox::new(demo::sandbox_options(Some(server.clone())));
        demo::fill_sandbox(&sandbox, Some(&server))?;
        let (instance, config) = self.prepare(&addresses).await?;
        let report_secret = demo::report_secret(&*instance.random);

        let stopping = listen::watch_for_stop()?;
        let surroundings = Arc::new(Surroundings::new(sandbox.clone(), addresses.server));
        let address = format!("http://{}", addresses.server);
        let apps = Arc::new(DemoApps::new(Arc::clone(&surroundings), address, report_secret.clone()));
        for app_id in demo::PROGRAMS {
            sandbox.install(app_id, Arc::clone(&apps) as Arc<dyn hufu_sandbox::Program>);
        }
        let serving = sandbox.serve(sandbox_listener, listen::stop_signal(&stopping));
        let sandbox = tokio::spawn(listen::serve_until(serving, stopping.clone()));
        let outbox = Outbox::new(instance.clock.clone());
        let printing = tokio::spawn(messages::print_all(
            outbox.clone(),
            format!("http://{}/dev/outbox", addresses.server),
        ));
        let web = WebSettings {
            loopback_hosts_only: !self.allow_remote,
            own_frames: true,
            warnings: vec!["development: WeChat is the sandbox".to_owned()],
            user_object: Some(hufu_compat::user_object),
            ..WebSettings::default()
        };
        let app = App::start(super::serve::parts(&config, instance, Some(outbox.clone()))?).await?;
        let link = entry_link(&app).await?;
        self.welcome(&addresses, link.as_ref(), app.limits().entry_link_life.as_secs() / 60);
        let compat = hufu_compat::Settings { introspection: true };
        let metrics_listener = Some(metrics_listener);
        let start_page = Some(hufu_pages::dev::Demo {
            sandbox: format!("http://{}", addresses.sandbox),
            pool: demo::POOL,
            modes: demo::MODES.to_vec(),
            web_view: Some(demo::WEB_VIEW),
            client_secret: demo::WEBSITE_SECRET.into(),
            report_secret,
            outbox: outbox.clone(),
            surroundings,
        });
        let outbox = Some(outbox);
        let server = Server {
            config,
            app,
            web,
            compat,
            outbox,
            start_page,
            listener,
            http_listener: None,
            metrics,
            metrics_listener,
        };
        server.run(stopping).await?;
        printing.abort();
        sandbox.await.context("the sandbox failed")??;
        Ok(ExitCode::SUCCESS)
    }

    /// Opens the database, which is empty or its own, marks it as created by `hufu dev`, and creates the demo pool.
    async fn prepare(&self, addresses: &Addresses) -> anyhow::Result<(Instance, Config)> {
        std::fs::create_dir_all(&self.data)
            .with_context(|| format!("cannot create the folder {}", self.data.display()))?;
        let in_folder = || DatabaseUrl::Sqlite(self.data.join("hufu.db"));
        let database = self.database_url.clone().unwrap_or_else(in_folder);
        let key = KeySource::File(self.data.join("hufu.key"));
        let store = Store::open(&database).await.context("the database cannot be opened")?;
        instance::refuse_other_data(&store).await?;
        instance::migrate(&store).await?;
        store.write(PutFactIfAbsent(Fact::MadeByDev, "yes".to_owned())).await?;
        let instance = Instance::of(store, &key).await?;
        let options = Options { prune: false, new_apps: false, dry_run: false };
        let demo = demo::pool(&format!("http://{}", addresses.server))?;
        let Instance { store, sealing, clock, random } = &instance;
        apply::apply(store, sealing, clock, random, &demo, "demo.toml", options)
            .await
            .map_err(|error| anyhow::anyhow!("cannot create the demo pool:\n{error}"))?;
        let sandbox = |path: &str| format!("http://{}{path}", addresses.sandbox).parse();
        let config = Config {
            listen: addresses.server,
            http_listen: None,
            public_url: format!("http://{}", addresses.server),
            database,
            key,
            metrics_listen: Some(addresses.metrics),
            log: Log(self.log.clone()),
            trusted_proxies: Vec::new(),
            // A developer's webhooks are on this machine.
            outgoing_private: vec!["127.0.0.0/8".parse()?, "::1/128".parse()?],
            tls: None,
            sign_up: false,
            limits: hufu_app::Limits::default(),
            default_mini_program: None,
            wechat: hufu_wechat::Endpoints {
                api: sandbox("/api")?,
                open: sandbox("/open")?,
                mp: sandbox("/mp")?,
            },
        };
        Ok((instance, config))
    }

    fn welcome(&self, addresses: &Addresses, link: Option<&SecretString>, minutes: u64) {
        let Addresses { server, sandbox, metrics } = addresses;
        let program = std::env::args().next().unwrap_or_else(|| "hufu".to_owned());
        let mut command = format!("{program} try");
        if server.port() != 3000 {
            command = format!("{command} --host http://{server}");
        }
        if sandbox.port() != 3100 {
            command = format!("{command} --sandbox http://{sandbox}");
        }
        let link = match link {
            Some(link) => format!("{}   once, within {minutes} minutes", link.expose_secret()),
            None => "nobody: this administrator was dismissed or switched off".to_owned(),
        };
        say!(
            "
Hufu is running. Open this page and walk through every WeChat login, two clicks each:

  Start     http://{server}/

Stop it with Ctrl-C; the data is kept for the next run.

Administer it as {ADMINISTRATOR}. This link logs a browser in; each start prints another one:

  Enter     {link}

  Server    http://{server}
  Sandbox   http://{sandbox}   a WeChat to play with: people, codes, faults
  Outbox    http://{server}/dev/outbox   text messages and mail, which are not really sent
  Metrics   http://{metrics}/metrics
  Data      {data}{database}

Demo pool, for your SDK:

  host         http://{server}
  userPoolId   {pool}
  appId        {application}   (mini program)
  connection   demo-mini
  WeChat       {app_id} in the sandbox, with lin (whose phone it is), alice, bob and carol

Another mini program, which asks new people whether they already have an account:

  appId        {ask_application}
  connection   demo-mini-ask
  WeChat       {ask_app_id}

A complete mini program login, step by step, in another terminal:

  {command}
",
            data = self.data.display(),
            database = if self.database_url.is_some() { ", and the database that you named" } else { "" },
            pool = demo::POOL,
            application = demo::APPLICATION,
            app_id = demo::APP_ID,
            ask_application = demo::ASK_APPLICATION,
            ask_app_id = demo::ASK_APP_ID,
        );
    }
}

/// The administrator of development.
const ADMINISTRATOR: &str = "admin";

/// Makes the administrator of development, unless an earlier run did, and a link that logs them in.
async fn entry_link(app: &App) -> anyhow::Result<Option<SecretString>> {
    let owner = vec![PoolRole { pool: None, role: AdminRole::Owner }];
    match app.create_administrator(&AdminCaller::command_line(), ADMINISTRATOR, owner).await {
        // Nobody knows the password.
        Ok(_) => {}
        Err(refusal) if refusal.is(Code::NameTaken) => {}
        Err(refusal) => return Err(anyhow::Error::new(refusal).context("cannot make an administrator")),
    }
    match app.make_entry_link(ADMINISTRATOR).await {
        Ok(link) => Ok(Some(link)),
        Err(refusal) if refusal.is(Code::NoSuchAdministrator) || refusal.is(Code::Disabled) => Ok(None),
        Err(refusal) => Err(anyhow::Error::new(refusal).context("cannot make a link for the administrator")),
    }
}

/// The addresses of all listeners.
struct Addresses {
    server: SocketAddr,
    sandbox: SocketAddr,
    metrics: SocketAddr,
}
