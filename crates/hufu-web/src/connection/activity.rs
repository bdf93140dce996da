//! Whether a connection of HTTP/2 is used. The HTTP library has no time-outs for one, because it cannot know which
//! silence is meant.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::Instant;

/// What happens on a connection.
pub(super) struct Activity {
    requests: Mutex<Requests>,
    written: AtomicU64,
    /// Bytes a second: what is slower is no use of the connection.
    least_rate: usize,
}

struct Requests {
    running: usize,
    /// When the latest one began or ended.
    since: Instant,
}

impl Activity {
    pub(super) fn new(least_rate: usize) -> Arc<Self> {
        let requests = Mutex::new(Requests { running: 0, since: Instant::now() });
        Arc::new(Self { requests, written: AtomicU64::new(0), least_rate })
    }

    /// Counts a request until the returned value is dropped.
    pub(super) fn begin(this: &Arc<Self>) -> Running {
        let mut requests = this.requests();
        requests.running = requests.running.saturating_add(1);
        requests.since = Instant::now();
        drop(requests);
        Running(Arc::clone(this))
    }

    /// Completes once no request has run for so long, and next to nothing was sent meanwhile. A request runs once its
    /// head is there, and until its answer begins.
    pub(super) async fn is_idle_for(&self, time: Duration) {
        let enough = time.as_millis().saturating_mul(self.least_rate as u128) / 1000;
        let mut begin = Instant::now();
        let mut written = self.written.load(Ordering::Relaxed);
        loop {
            let (running, since) = {
                let requests = self.requests();
                (requests.running, requests.since)
            };
            let left = time.saturating_sub(begin.max(since).elapsed());
            if !left.is_zero() {
                tokio::time::sleep(left).await;
                continue;
            }
            let now_written = self.written.load(Ordering::Relaxed);
            if running == 0 && u128::from(now_written.saturating_sub(written)) < enough.max(1) {
                return;
            }
            (begin, written) = (Instant::now(), now_written);
        }
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that runs.
pub(super) struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut requests = self.0.requests();
        requests.running = requests.running.saturating_sub(1);
        requests.since = Instant::now();
    }
}

/// A stream whose written bytes are counted.
pub(super) struct Measured<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Measured<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: Read + Unpin> Read for Measured<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: Write + Unpin> Measured<S> {
    fn count(&self, written: Poll<std::io::Result<usize>>) -> Poll<std::io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.activity.written.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        written
    }
}

impl<S: Write + Unpin> Write for Measured<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.count(written)
    }
}
