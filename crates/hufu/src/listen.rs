//! Listening, serving and shutting down.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use hufu_web::Listener;
use tokio::net::TcpListener;

/// How long requests that run may take to finish after the signal to stop.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// Binds an address, with a sentence that helps when it is taken.
pub(crate) async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; if another program has the port, choose another with {flag}")
    })
}

/// Done when the process is told to stop: Ctrl-C or SIGTERM.
pub(crate) async fn told_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! { () = interrupt => {}, () = terminate => {} }
}

/// Serves until told to stop, then finishes what runs, at most for [`GRACE`].
pub(crate) async fn serve_until(
    serving: impl Future<Output = std::io::Result<()>> + Send + 'static,
    stopping: tokio::sync::watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let task = tokio::spawn(serving);
    let mut stopping = stopping;
    let deadline = async {
        let _ = stopping.wait_for(|stop| *stop).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        done = task => done.context("the server failed")?.context("the server failed"),
        () = deadline => {
            tracing::warn!("requests still ran after {} seconds: they are cut off", GRACE.as_secs());
            Ok(())
        }
    }
}

/// The future that a server waits for before it stops taking connections.
pub(crate) fn stop_signal(
    stopping: &tokio::sync::watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send + use<> {
    let mut stopping = stopping.clone();
    async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}

/// Serves the router on a listener.
pub(crate) async fn serve(
    listener: TcpListener,
    router: hufu_web::Router,
    limits: hufu_app::Limits,
    stopping: &tokio::sync::watch::Receiver<bool>,
) -> anyhow::Result<()> {
    serve_until(Listener::new(listener, limits).serve(router, stop_signal(stopping)), stopping.clone()).await
}
