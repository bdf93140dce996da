//! The router with everything that goes around handlers.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use hufu_app::App;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{compat, middleware, oidc, operations};

/// What the web surfaces are told.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether GraphQL answers questions about its schema; never in production.
    pub introspection: bool,
    /// Whether requests with another `Host` than this machine's own names are refused: a
    /// development server must not be reachable through a web page's rebound name.
    pub loopback_hosts_only: bool,
    /// Warnings that `/readyz` repeats.
    pub warnings: Vec<String>,
}

/// What every handler can get at.
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    pub(crate) settings: WebSettings,
    pub(crate) graphql: compat::graphql::Schema,
}

/// The state of the router.
pub(crate) type State = axum::extract::State<Arc<Shared>>;

/// All public surfaces of an instance, for [`Listener::serve`].
pub fn router(app: Arc<App>, settings: WebSettings) -> Router {
    let graphql = compat::graphql::schema(settings.introspection);
    let shared = Arc::new(Shared { app, settings, graphql });
    Router::new()
        .merge(compat::routes())
        .merge(oidc::routes())
        .layer(axum::middleware::from_fn(middleware::finish))
        .merge(operations::routes())
        .fallback(not_found)
        // Handlers bound what they read themselves, with an answer that the client sees.
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(axum::middleware::from_fn_with_state(shared.clone(), middleware::check_host))
        .layer(axum::middleware::from_fn(middleware::observe))
        .with_state(shared)
}

async fn not_found(_: Uri) -> Response {
    (
        StatusCode::NOT_FOUND,
        axum::Json(serde_json::json!({
            "code": 404,
            "statusCode": 404,
            "apiCode": 404,
            "message": "There is nothing at this address. Check the path and the version of your SDK.",
        })),
    )
        .into_response()
}

/// A bound address that serves a router.
pub struct Listener(TcpListener);

impl Listener {
    /// Takes a bound listener.
    pub fn new(listener: TcpListener) -> Self {
        Self(listener)
    }

    /// Serves until `stop` is done, then finishes what runs.
    pub async fn serve(
        self,
        router: Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        // Answers are one small packet: waiting for more of them would cost 40 ms a call.
        let listener = self.0.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
            .with_graceful_shutdown(stop)
            .await
    }
}
