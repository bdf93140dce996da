//! The accept loop, and the router with its middleware.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use hufu_app::{App, Limits, UserToken};
use hufu_types::{Identity, User};
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::connection::{Connections, Peer};
use crate::peer::is_trusted;
use crate::shares::Shares;
use crate::tls::Certificates;
use crate::{middleware, oidc, operations, page, verification};

/// Settings of the web surfaces.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether to refuse requests whose `Host` is not a name of this machine. A web page must not be able to
    /// reach a development server through DNS rebinding.
    pub loopback_hosts_only: bool,
    /// Whether pages of this server may show its other pages in frames: the start page of development shows the login
    /// page.
    pub own_frames: bool,
    /// Warnings that `/readyz` includes.
    pub warnings: Vec<String>,
    /// The certificate, if the server speaks TLS.
    pub certificates: Option<Certificates>,
    /// How a user is written for the published clients, with a token. The surface that does so is another crate's; without
    /// it no login returns to them with a user.
    pub user_object: Option<UserObject>,
}

/// Writes a user with identities and a token, as the published clients read them.
pub type UserObject = fn(User, Vec<Identity>, &UserToken) -> serde_json::Value;

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
        .merge(oidc::documents())
        .merge(operations::routes())
        .merge(page::routes())
        .fallback(verification::serve)
        .layer(axum::middleware::from_fn_with_state(shared.clone(), middleware::around))
        .with_state(shared)
}

/// A bound address on which a router is served.
pub struct Listener {
    listener: TcpListener,
    limits: Limits,
    proxies: Vec<IpNet>,
    certificates: Option<Certificates>,
}

/// How long to wait after a connection could not be accepted, for example because no file descriptors are
/// left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Listener {
    /// Creates a listener from a bound socket.
    pub fn new(listener: TcpListener, limits: Limits) -> Self {
        Self { listener, limits, proxies: Vec::new(), certificates: None }
    }

    /// Lets these proxies hold any number of connections: all clients come from there.
    #[must_use]
    pub fn behind(self, proxies: Vec<IpNet>) -> Self {
        Self { proxies, ..self }
    }

    /// Speaks TLS, and nothing else, if there is a certificate.
    #[must_use]
    pub fn encrypted(self, certificates: Option<Certificates>) -> Self {
        Self { certificates, ..self }
    }

    /// Serves until `stop` completes, then finishes running requests. Clients that are slow to send the head
    /// of a request, or send nothing, lose their connection. Connections beyond the limit wait in the
    /// kernel's queue; those beyond the share of their network are closed at once.
    pub async fn serve(
        self,
        router: Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let Self { listener, limits, proxies, certificates } = self;
        let places = Arc::new(Semaphore::new(limits.connections));
        let shares = Shares::new(usize::MAX, share_of(&limits));
        let tls = match certificates {
            Some(certificates) => Some(certificates.acceptor().map_err(std::io::Error::other)?),
            None => None,
        };
        let connections = Arc::new(Connections::new(router, limits, tls));
        let (closing, _) = watch::channel(false);
        let mut stop = std::pin::pin!(stop);
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await.map_err(std::io::Error::other)?;
                let (stream, peer) = listener.accept().await?;
                Ok::<_, std::io::Error>((place, stream, peer))
            };
            let (place, stream, address) = tokio::select! {
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
            let is_proxy = is_trusted(address.ip(), &proxies);
            let share = if is_proxy {
                None
            } else if let Some(share) = shares.take(Some(address.ip()), 1) {
                Some(share)
            } else {
                metrics::counter!("hufu_connections_refused_total").increment(1);
                continue;
            };
            // Responses are one small packet. Waiting for more data would cost 40 ms per call.
            let _ = stream.set_nodelay(true);
            let connections = Arc::clone(&connections);
            let closing = closing.subscribe();
            tokio::spawn(async move {
                connections.serve(stream, Peer { address, is_proxy }, closing).await;
                // The share first: whoever gets the place asks for a share of the same network next.
                drop(share);
                drop(place);
            });
        }
        drop(listener);
        closing.send_replace(true);
        closing.closed().await;
        Ok(())
    }
}

/// How many connections one network may hold.
pub(crate) fn share_of(limits: &Limits) -> usize {
    (limits.connections / limits.connection_share).max(1)
}
