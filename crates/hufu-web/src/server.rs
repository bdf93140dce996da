//! The router with everything that goes around handlers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request};
use axum::response::Response;
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

use crate::surface::{self, Reader};
use crate::{middleware, oidc, operations, page};

/// What the web surfaces are told.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether requests with another `Host` than this machine's own names are refused: a
    /// development server must not be reachable through a web page's rebound name.
    pub loopback_hosts_only: bool,
    /// Warnings that `/readyz` repeats.
    pub warnings: Vec<String>,
}

/// What every handler can get at.
pub struct Shared {
    /// The application.
    pub app: Arc<App>,
    /// What the surfaces are told.
    pub settings: WebSettings,
}

/// The state of the router.
pub type State = axum::extract::State<Arc<Shared>>;

/// The routes of a surface.
pub type Routes = Router<Arc<Shared>>;

/// All public surfaces of an instance, for [`Listener::serve`]: those given, and OAuth 2 and health, which are here.
pub fn router(app: Arc<App>, settings: WebSettings, surfaces: impl IntoIterator<Item = Routes>) -> Router {
    let shared = Arc::new(Shared { app, settings });
    surfaces
        .into_iter()
        .fold(oidc::routes(), Router::merge)
        .layer(axum::middleware::from_fn(middleware::finish))
        .merge(operations::routes())
        .merge(page::routes())
        .fallback(not_found)
        // Handlers bound what they read themselves, with an answer that the client sees.
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn(middleware::catch_panics))
        .layer(axum::middleware::from_fn_with_state(shared.clone(), middleware::check_host))
        .layer(axum::middleware::from_fn_with_state(shared.clone(), page::as_pages))
        .layer(axum::middleware::from_fn(middleware::observe))
        .with_state(shared)
}

async fn not_found(request: Request) -> Response {
    surface::written(Code::PathUnknown.into(), &Reader::of(&request), surface::sdk_with_status)
}

/// A bound address that serves a router.
pub struct Listener {
    listener: TcpListener,
    limits: Limits,
}

/// The least that the HTTP library can read the head of a request with.
const LEAST_HEADER_BYTES: usize = 8192;
/// How long to wait when the machine has no more file descriptors for connections.
const BREATHER: Duration = Duration::from_millis(100);

impl Listener {
    /// Takes a bound listener.
    pub fn new(listener: TcpListener, limits: Limits) -> Self {
        Self { listener, limits }
    }

    /// Serves until `stop` is done, then finishes what runs. Clients that are slow to say what they want, or
    /// say nothing, lose their connection; more connections than allowed wait in the kernel's queue.
    pub async fn serve(
        self,
        router: Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let Self { listener, limits } = self;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_buf_size(limits.header_bytes.max(LEAST_HEADER_BYTES));
        let places = Arc::new(Semaphore::new(limits.connections));
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
                        tokio::time::sleep(BREATHER).await;
                        continue;
                    }
                },
            };
            // Answers are one small packet: waiting for more of them would cost 40 ms a call.
            let _ = stream.set_nodelay(true);
            let router = router.clone();
            let service = service_fn(move |mut request: hyper::Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                router.clone().call(request.map(axum::body::Body::new))
            });
            let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
            let longest = limits.connection_time;
            tokio::spawn(async move {
                // It ends when either side closes it, how is the client's affair; or after its time, since a
                // client that never reads its answers would keep its place for ever.
                let _ = tokio::time::timeout(longest, connection).await;
                drop(place);
            });
        }
        drop(listener);
        graceful.shutdown().await;
        Ok(())
    }
}
