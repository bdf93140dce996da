//! `hufu serve`, and the server part of `hufu dev`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use hufu_app::connect::{GuardedClient, Outbox, guarded};
use hufu_app::{App, Parts};
use hufu_types::SystemClock;
use hufu_web::{Certificates, Listener, Router, WebSettings, metrics_router, plain_router, router};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::Url;

use super::ConfigFlag;
use crate::config::Config;
use crate::instance::Instance;
use crate::listen;
use crate::telemetry::{Format, start_logging, start_metrics};

/// Run the server.
#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    config: ConfigFlag,
    /// Serve a database that `hufu dev` created, whose secrets are public.
    #[arg(long)]
    accept_dev_data: bool,
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut config = self.config.read()?;
        start_logging(&config.log, &Format::Json)?;
        let metrics = start_metrics()?;
        let certificates = match config.tls.take() {
            Some(tls) => Some(tls.open(&config.public_url, Arc::new(SystemClock))?),
            None => None,
        };
        let instance = Instance::open(&config.database, &config.key).await?;
        if !self.accept_dev_data {
            instance.refuse_dev_data().await?;
        }
        let warnings = warnings(&config);
        // Those about the certificate are not in /readyz: they may be settled while the server runs.
        for warning in warnings.iter().cloned().chain(certificates.iter().flat_map(Certificates::warnings)) {
            tracing::warn!("{warning}");
        }
        let web = WebSettings {
            trusted_proxies: config.trusted_proxies.clone(),
            warnings,
            certificates,
            user_object: Some(hufu_compat::user_object),
            ..WebSettings::default()
        };
        let listener = listen::bind(config.listen, "listen").await?;
        let http_listener = match config.http_listen {
            Some(address) => Some(listen::bind(address, "http_listen").await?),
            None => None,
        };
        let metrics_listener = match config.metrics_listen {
            Some(address) => Some(listen::bind(address, "metrics_listen").await?),
            None => None,
        };
        let stopping = listen::watch_for_stop()?;
        let compat = hufu_compat::Settings::default();
        let app = App::start(parts(&config, instance, None)?).await?;
        let server = Server {
            config,
            app,
            web,
            compat,
            outbox: None,
            start_page: None,
            listener,
            http_listener,
            metrics,
            metrics_listener,
        };
        server.run(stopping).await?;
        Ok(ExitCode::SUCCESS)
    }
}

fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.wechat != hufu_wechat::Endpoints::default() {
        warnings.push(
            "[wechat] does not use WeChat's own hosts: whoever runs the configured ones decides who may log in"
                .to_owned(),
        );
    }
    if !config.public_url.starts_with("https://") && !config.listen.ip().is_loopback() {
        warnings.push("public_url is not https: tokens are sent in plain text".to_owned());
    }
    warnings
}

/// What an application is made of.
pub(crate) fn parts(config: &Config, instance: Instance, outbox: Option<Outbox>) -> anyhow::Result<Parts> {
    let wechat =
        hufu_wechat::Settings { endpoints: config.wechat.clone(), ..hufu_wechat::Settings::default() };
    Ok(Parts {
        store: instance.store,
        wechat: hufu_wechat::Client::new(wechat).context("cannot create the WeChat client")?,
        sealing: instance.sealing,
        limits: config.limits.clone(),
        public_url: config.public_url.clone(),
        clock: instance.clock,
        random: instance.random,
        outgoing: GuardedClient::new(outgoing(config))
            .context("cannot create the client for outgoing calls")?,
        outbox,
        default_mini_program: config.default_mini_program.clone(),
        sign_up: config.sign_up,
    })
}

/// The settings of the client for everything outside but WeChat.
fn outgoing(config: &Config) -> guarded::Settings {
    guarded::Settings { private: config.outgoing_private.clone().into(), ..guarded::Settings::default() }
}

/// A server, bound and ready to run.
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) app: Arc<App>,
    pub(crate) web: WebSettings,
    pub(crate) compat: hufu_compat::Settings,
    /// The development outbox, for messages without a sender and for its page.
    pub(crate) outbox: Option<Outbox>,
    /// The start page of development.
    pub(crate) start_page: Option<hufu_pages::dev::Demo>,
    /// Without certificates in the settings the server speaks HTTP.
    pub(crate) listener: TcpListener,
    /// Where plain HTTP is answered beside TLS.
    pub(crate) http_listener: Option<TcpListener>,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) metrics_listener: Option<TcpListener>,
}

impl Server {
    /// Serves until asked to stop. Then it finishes running requests and makes every confirmed write durable.
    pub(crate) async fn run(self, stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
        let Self {
            config,
            app,
            web,
            compat,
            outbox,
            start_page,
            listener,
            http_listener,
            metrics,
            metrics_listener,
        } = self;
        let certificates = web.certificates.clone();
        let store = app.store().clone();
        let outgoing = outgoing(&config);

        let mut background = tokio::task::JoinSet::new();
        background.spawn(Arc::clone(&app).watch_config());
        background.spawn(Arc::clone(&app).watch_tickets());
        background.spawn(Arc::clone(&app).sweep_forever());
        background.spawn(Arc::clone(&app).count_statistics_forever());
        background.spawn(Arc::clone(&app).watch_sealing_key(config.key.clone()));
        background.spawn(upkeep(metrics.clone()));
        if let Some(certificates) = certificates.clone() {
            background.spawn(certificates.clone().watch(config.limits.certificate_poll));
            let limits = config.limits.clone();
            background.spawn(async move {
                if let Err(error) = certificates.order(outgoing, limits).await {
                    tracing::error!(error = error.to_string(), "no certificates can be ordered");
                }
            });
        }
        let jobs = tokio::spawn(Arc::clone(&app).run_jobs_until(listen::stop_signal(&stopping)));
        let beside = |listener, router: Router, what: &'static str| {
            let (listener, stopping) = (Listener::new(listener, config.limits.clone()), stopping.clone());
            let listener = listener.behind(web.trusted_proxies.clone());
            async move {
                if let Err(error) = listen::serve(listener, router, &stopping).await {
                    tracing::error!(error = format!("{error:#}"), "{what} not served");
                }
            }
        };
        if let Some(listener) = metrics_listener {
            let router = metrics_router(metrics, Arc::clone(&app), web.clone());
            background.spawn(beside(listener, router, "metrics are"));
        }
        if let (Some(listener), Some(certificates)) = (http_listener, certificates.clone()) {
            let url: Url = config.public_url.parse().context("public_url")?;
            let router = plain_router(certificates, &url.origin().ascii_serialization());
            background.spawn(beside(listener, router, "plain HTTP is"));
        }
        let speaks = if certificates.is_some() { "https" } else { "http" };
        let (address, engine) = (listener.local_addr()?, store.engine());
        tracing::info!(%address, speaks, public_url = config.public_url, engine, "serving");
        let pages = hufu_pages::routes(outbox);
        let pages = match start_page {
            Some(demo) => hufu_pages::dev::with_start_page(pages, demo),
            None => pages,
        };
        let surfaces = [hufu_compat::routes(&compat), hufu_admin::routes(), pages];
        let listener = Listener::new(listener, config.limits)
            .behind(web.trusted_proxies.clone())
            .encrypted(certificates);
        let router = router(Arc::clone(&app), web, surfaces);
        listen::serve(listener, router, &stopping).await?;

        tracing::info!("stopping: requests are finished");
        // A job that is interrupted here is resumed later.
        let cut_off = jobs.abort_handle();
        if tokio::time::timeout(listen::GRACE, jobs).await.is_err() {
            cut_off.abort();
        }
        background.shutdown().await;
        drop(app);
        store.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Keeps the memory of the histograms bounded.
async fn upkeep(metrics: PrometheusHandle) {
    let mut tick = tokio::time::interval(std::time::Duration::from_secs(5));
    loop {
        tick.tick().await;
        metrics.run_upkeep();
    }
}
