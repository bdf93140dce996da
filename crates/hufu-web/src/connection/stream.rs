//! Streams of events (server-sent events of the HTML standard): answers that are meant to last, and to be quiet.
//!
//! With HTTP/1.1 a connection is taken from the HTTP library once the head of such an answer is sent. What the library
//! keeps for further requests is many times what a browser that waits needs. The rest of the answer is its chunks.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Version, header};
use axum::response::Response;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::activity::Running;
use super::{Closing, closed};

/// Whether the answer is a stream of events.
fn is_stream(answer: &Response) -> bool {
    answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream")
}

/// The answer. If it is a stream of events, it ends when the listener stops, and its request is under way until then.
pub(super) fn ending_with(answer: Response, mut closing: Closing, running: Option<Running>) -> Response {
    if !is_stream(&answer) {
        return answer;
    }
    answer.map(|body| {
        let closing = Box::pin(async move { closed(&mut closing).await });
        Body::from_stream(body.into_data_stream().take_until(closing).map(move |piece| {
            let _under_way = &running;
            piece
        }))
    })
}

/// What a connection and the one who drives it know of each other.
#[derive(Clone, Default)]
pub(super) struct Handover(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The stream whose head is being sent.
    stream: Option<Body>,
    /// Whether written bytes wait for the client.
    is_blocked: bool,
}

impl Handover {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the answer to a request could be handed over: there is nothing more of the request to read, and the answer
    /// has chunks.
    pub(super) fn suits(request: &Request<Incoming>) -> bool {
        request.version() == Version::HTTP_11
            && request.method() == Method::GET
            && request.body().is_end_stream()
    }

    /// The answer as the HTTP library gets it: of a stream of events the head alone, which says that the connection ends
    /// with it.
    pub(super) fn keep(&self, answer: Response) -> Response {
        if !is_stream(&answer) {
            return answer;
        }
        let (mut head, body) = answer.into_parts();
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        self.state().stream = Some(body);
        Response::from_parts(head, Body::from_stream(futures::stream::pending::<io::Result<Vec<u8>>>()))
    }

    /// The stream, once the HTTP library has sent everything that comes before it. To be asked after the connection was
    /// polled, because whatever can be sent has been sent then.
    pub(super) fn take(&self) -> Option<Body> {
        let mut state = self.state();
        if state.is_blocked { None } else { state.stream.take() }
    }
}

/// A connection that notes whether written bytes wait.
pub(super) struct Noted<S> {
    pub(super) inner: S,
    handover: Handover,
}

impl<S> Noted<S> {
    pub(super) fn new(inner: S, handover: Handover) -> Self {
        Self { inner, handover }
    }

    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.handover.state().is_blocked = written.is_pending();
        written
    }
}

impl<S: Read + Unpin> Read for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, into)
    }
}

impl<S: Write + Unpin> Write for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.note(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, bytes);
        self.note(written)
    }
}

/// Sends the rest of a stream: until it ends, the client has gone, or the listener stops.
pub(super) async fn send(
    mut connection: impl AsyncRead + AsyncWrite + Unpin,
    mut stream: Body,
    mut closing: Closing,
) {
    loop {
        // What a client sends now is read to learn of its end, and no request.
        let mut ignored = [0; 64];
        let piece = tokio::select! {
            () = closed(&mut closing) => None,
            read = connection.read(&mut ignored) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            },
            piece = stream.frame() => piece,
        };
        // A stream that fails is cut off, so that nobody takes it for a whole one.
        let data = match piece.map(|piece| piece.map(hyper::body::Frame::into_data)) {
            None => None,
            Some(Ok(Ok(data))) if data.is_empty() => continue,
            Some(Ok(Ok(data))) => Some(data),
            Some(Ok(Err(_))) => continue,
            Some(Err(_)) => return,
        };
        let is_last = data.is_none();
        let chunk = data.map_or_else(
            || b"0\r\n\r\n".to_vec(),
            |data| [format!("{:x}\r\n", data.len()).as_bytes(), &data, b"\r\n"].concat(),
        );
        let sent = async {
            connection.write_all(&chunk).await?;
            connection.flush().await
        };
        if sent.await.is_err() || is_last {
            let _ = connection.shutdown().await;
            return;
        }
    }
}
