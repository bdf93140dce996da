//! Listening, serving and shutting down.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use hufu_web::Listener;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long running requests may take to finish after the signal to stop.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// Binds an address. If it is taken, the error suggests what to do.
pub(crate) async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; if another program has the port, choose another with {flag}")
    })
}

/// Signals when the process is asked to stop, by Ctrl-C or SIGTERM. Signals are caught from this call on, so
/// call it before announcing that the process is running.
pub(crate) fn watch_for_stop() -> anyhow::Result<watch::Receiver<bool>> {
    let (stop, stopping) = watch::channel(false);
    #[cfg(unix)]
    let told = {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        }
    };
    #[cfg(not(unix))]
    let told = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::spawn(async move {
        told.await;
        let _ = stop.send(true);
    });
    Ok(stopping)
}

/// Serves until asked to stop, then finishes running requests, for at most [`GRACE`].
pub(crate) async fn serve_until(
    serving: impl Future<Output = std::io::Result<()>> + Send + 'static,
    stopping: watch::Receiver<bool>,
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
            tracing::warn!("requests still running after {} seconds were cut off", GRACE.as_secs());
            Ok(())
        }
    }
}

/// A future that completes when the process is asked to stop. A server then stops accepting connections.
pub(crate) fn stop_signal(stopping: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopping = stopping.clone();
    async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}

/// Serves the router on a listener.
pub(crate) async fn serve(
    listener: Listener,
    router: hufu_web::Router,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    serve_until(listener.serve(router, stop_signal(stopping)), stopping.clone()).await
}
