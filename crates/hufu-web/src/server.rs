//! The accept loop, and the router with its middleware.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_app::{App, Limits};
use hufu_types::refusal::Code;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::Service as _;

use crate::middleware::has_wrong_host;
use crate::peer::is_trusted;
use crate::shares::Shares;
use crate::surface::Refused;
use crate::{middleware, oidc, operations, page};

/// Settings of the web surfaces.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether to refuse requests whose `Host` is not a name of this machine. A web page must not be able to
    /// reach a development server through DNS rebinding.
    pub loopback_hosts_only: bool,
    /// Warnings that `/readyz` includes.
    pub warnings: Vec<String>,
}

/// State that every handler has access to.
pub struct Shared {
    /// The application.
    pub app: Arc<App>,
    /// The settings of the surfaces.
    pub settings: WebSettings,
    /// The discovery document, once somebody asked for it.
    pub(crate) discovery: OnceLock<Vec<u8>>,
    /// The bodies that are arriving.
    pub(crate) bodies: Arc<Shares>,
    /// Their bytes in memory.
    pub(crate) body_memory: Arc<Shares>,
}

/// The state of the router.
pub type State = axum::extract::State<Arc<Shared>>;

/// The routes of a surface.
pub type Routes = Router<Arc<Shared>>;

/// All public surfaces of an instance, for [`Listener::serve`]: the given ones, plus those of this crate.
pub fn router(app: Arc<App>, settings: WebSettings, surfaces: impl IntoIterator<Item = Routes>) -> Router {
    let limits = app.limits();
    let bodies = Shares::new(usize::MAX, limits.bodies_per_network);
    let body_memory = Shares::new(limits.body_memory, limits.body_memory / 2);
    let shared = Arc::new(Shared { app, settings, discovery: OnceLock::new(), bodies, body_memory });
    surfaces
        .into_iter()
        .fold(oidc::routes(), Router::merge)
        .layer(axum::middleware::from_fn(middleware::finish))
        .merge(operations::routes())
        .merge(page::routes())
        .fallback(async || Refused::from(Code::PathUnknown))
        .layer(axum::middleware::from_fn_with_state(shared.clone(), middleware::around))
        .with_state(shared)
}

/// A bound address on which a router is served.
pub struct Listener {
    listener: TcpListener,
    limits: Limits,
    proxies: Vec<IpNet>,
}

/// The smallest buffer with which the HTTP library can read the head of a request.
const LEAST_HEADER_BYTES: usize = 8192;
/// How long to wait after a connection could not be accepted, for example because no file descriptors are
/// left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Listener {
    /// Creates a listener from a bound socket.
    pub fn new(listener: TcpListener, limits: Limits) -> Self {
        Self { listener, limits, proxies: Vec::new() }
    }

    /// Lets these proxies hold any number of connections: all clients come from there.
    #[must_use]
    pub fn behind(self, proxies: Vec<IpNet>) -> Self {
        Self { proxies, ..self }
    }

    /// Serves until `stop` completes, then finishes running requests. Clients that are slow to send the head
    /// of a request, or send nothing, lose their connection. Connections beyond the limit wait in the
    /// kernel's queue; those beyond the share of their network are closed at once.
    pub async fn serve(
        self,
        router: Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let Self { listener, limits, proxies } = self;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_header_size(limits.header_bytes)
            .max_buf_size(limits.header_bytes.max(LEAST_HEADER_BYTES));
        let places = Arc::new(Semaphore::new(limits.connections));
        let shares = Shares::new(usize::MAX, (limits.connections / limits.connection_share).max(1));
        let graceful = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await.map_err(std::io::Error::other)?;
                let (stream, peer) = listener.accept().await?;
                Ok::<_, std::io::Error>((place, stream, peer))
            };
            let (place, stream, peer) = tokio::select! {
                () = &mut stop => break,
                accepted = next => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let share = if is_trusted(peer.ip(), &proxies) {
                None
            } else if let Some(share) = shares.take(Some(peer.ip()), 1) {
                Some(share)
            } else {
                metrics::counter!("hufu_connections_refused_total").increment(1);
                continue;
            };
            // Responses are one small packet. Waiting for more data would cost 40 ms per call.
            let _ = stream.set_nodelay(true);
            let router = router.clone();
            let service = service_fn(move |mut request: hyper::Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                let answer = (!has_wrong_host(&request))
                    .then(|| router.clone().call(request.map(axum::body::Body::new)));
                async move {
                    match answer {
                        Some(answer) => answer.await,
                        None => Ok(middleware::no_sniffing(wrong_host())),
                    }
                }
            });
            let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
            let longest = limits.connection_time;
            tokio::spawn(async move {
                // A connection ends when either side closes it; an error concerns only the client. It also
                // ends after the maximum time, because a client that never reads its responses would
                // otherwise occupy its slot forever.
                let _ = tokio::time::timeout(longest, connection).await;
                drop((place, share));
            });
        }
        drop(listener);
        graceful.shutdown().await;
        Ok(())
    }
}

/// The answer to a request whose `Host` is missing, doubled or invalid. It may not be ours to answer, so no
/// surface sees it.
fn wrong_host() -> Response {
    let close = [(header::CONNECTION, "close")];
    (StatusCode::BAD_REQUEST, close, "The request needs exactly one valid Host header.\n").into_response()
}
