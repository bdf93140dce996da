//! One connection, from its first byte on: TLS if the listener speaks it, then HTTP/1.1 or HTTP/2, whichever the client
//! chose in the handshake (ALPN).

mod activity;
mod stream;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::uri::Uri;
use axum::http::{HeaderValue, Request, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hufu_app::Limits;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::Service as _;

use crate::middleware::{self, has_wrong_host};
use crate::server::share_of;
use crate::shares::Shares;
use crate::tls::{Acceptor, H2};

use activity::{Activity, Measured};
use stream::{Handover, Noted};

/// The smallest buffer with which the HTTP library can read the head of a request.
const LEAST_HEADER_BYTES: usize = 8192;
/// HTTP/2: how much of the bodies of one connection may arrive before it is read, and of one response wait to be sent.
const WINDOW: u32 = 64 * 1024;
/// HTTP/2: the longest that a client may take to confirm that its connection ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Whether the listener stops.
pub(crate) type Closing = watch::Receiver<bool>;

/// Who is at the other end of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Whether all clients come from there.
    pub(crate) is_proxy: bool,
}

/// What the connections of a listener have in common.
pub(crate) struct Connections {
    router: Router,
    limits: Limits,
    tls: Option<Acceptor>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    /// The requests of HTTP/2 under way. With HTTP/1.1 a connection has one at a time, so that a network has as many as
    /// connections; it has no more by this one.
    requests: Arc<Shares>,
}

impl Connections {
    pub(crate) fn new(router: Router, limits: Limits, tls: Option<Acceptor>) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_header_size(limits.header_bytes)
            .max_buf_size(limits.header_bytes.max(LEAST_HEADER_BYTES));
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.connection_requests)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(WINDOW as usize);
        let requests = Shares::new(usize::MAX, share_of(&limits));
        Self { router, limits, tls, http1, http2, requests }
    }

    /// Serves a connection until it ends, when either side closes it; an error concerns only the client. It also ends
    /// after the maximum time, because a client that never reads its responses would otherwise occupy its slot
    /// forever.
    pub(crate) async fn serve(self: Arc<Self>, stream: TcpStream, peer: Peer, closing: Closing) {
        let longest = self.limits.connection_time;
        let served = async move {
            if self.tls.is_some() {
                // Its place in memory is many times that of a connection without.
                Box::pin(self.serve_tls(stream, peer, closing)).await;
            } else {
                self.serve_http1(stream, peer, closing).await;
            }
        };
        let _ = tokio::time::timeout(longest, served).await;
    }

    /// Serves a connection of TLS, whichever HTTP the client chooses in the handshake.
    async fn serve_tls(self: &Arc<Self>, stream: TcpStream, peer: Peer, mut closing: Closing) {
        let Some(tls) = &self.tls else { return };
        let handshake = tokio::time::timeout(self.limits.handshake_time, tls.accept(stream));
        let shaken = tokio::select! {
            () = closed(&mut closing) => return,
            shaken = handshake => shaken,
        };
        let stream = match shaken {
            Ok(Ok(Some(stream))) => stream,
            Ok(Ok(None)) => return,
            Ok(Err(_)) | Err(_) => {
                metrics::counter!("hufu_tls_handshakes_failed_total").increment(1);
                return;
            }
        };
        if stream.get_ref().1.alpn_protocol() == Some(H2) {
            self.serve_http2(TokioIo::new(stream), peer, closing).await;
        } else {
            self.serve_http1(stream, peer, closing).await;
        }
    }

    /// Serves requests one after another. A stream of events is the last one: see [`stream`].
    async fn serve_http1(
        &self,
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        peer: Peer,
        closing: Closing,
    ) {
        // What serves requests is gone while a stream is sent.
        let handed = Box::pin(self.serve_requests(io, peer, closing.clone())).await;
        if let Some((io, stream)) = handed {
            stream::send(io, stream, closing).await;
        }
    }

    /// Serves the requests of a connection, until it ends or a stream of events is all that is left to send.
    async fn serve_requests<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        io: S,
        peer: Peer,
        mut closing: Closing,
    ) -> Option<(S, Body)> {
        let handover = Handover::default();
        let ending = closing.clone();
        let service = service_fn(|request| {
            let may_be_handed = Handover::suits(&request);
            let (answer, ending, handover) = (self.answer(request, peer), ending.clone(), handover.clone());
            async move {
                answer.await.map(|answer| {
                    if may_be_handed {
                        handover.keep(answer)
                    } else {
                        stream::ending_with(answer, ending, None)
                    }
                })
            }
        });
        let io = Noted::new(TokioIo::new(io), handover.clone());
        let mut connection = self.http1.serve_connection(io, service);
        let stream = tokio::select! {
            stream = until_handed(&mut connection, &handover) => stream,
            () = closed(&mut closing) => {
                Pin::new(&mut connection).graceful_shutdown();
                until_handed(&mut connection, &handover).await
            }
        };
        stream.map(|stream| (connection.into_parts().io.inner.into_inner(), stream))
    }

    async fn serve_http2(
        self: &Arc<Self>,
        io: impl Read + Write + Unpin + 'static,
        peer: Peer,
        mut closing: Closing,
    ) {
        let activity = Activity::new(self.limits.body_rate);
        let service = {
            let (connections, activity) = (Arc::clone(self), Arc::clone(&activity));
            let ending = closing.clone();
            service_fn(move |request| {
                let (connections, activity) = (Arc::clone(&connections), Arc::clone(&activity));
                connections.answer_stream(request, peer, activity, ending.clone())
            })
        };
        let io = Measured::new(io, Arc::clone(&activity));
        let connection = self.http2.serve_connection(io, service);
        let idle = |time| activity.is_idle_for(time);
        drive(connection, &mut closing, self.limits.header_time, idle).await;
    }

    /// Answers a request.
    fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        let version = request.version();
        request.extensions_mut().insert(ConnectInfo(peer.address));
        let answer = (!has_wrong_host(&request)).then(|| self.router.clone().call(request.map(Body::new)));
        async move {
            match answer {
                Some(answer) => answer.await,
                None => Ok(middleware::no_sniffing(wrong_host(version))),
            }
        }
    }

    /// Answers a request of HTTP/2.
    async fn answer_stream(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        peer: Peer,
        activity: Arc<Activity>,
        ending: Closing,
    ) -> Result<Response, Infallible> {
        let running = Activity::begin(&activity);
        let share = if peer.is_proxy {
            None
        } else if let Some(share) = self.requests.take(Some(peer.address.ip()), 1) {
            Some(share)
        } else {
            metrics::counter!("hufu_requests_refused_total").increment(1);
            return Ok(middleware::no_sniffing(too_many()));
        };
        name_host(&mut request);
        let answer = self.answer(request, peer);
        // A client can take its request back and send the next at once. What runs is counted until it has ended.
        let (answer, share) = tokio::spawn(async move {
            // A stream of events runs until it ends, however quiet it is. Other answers have begun.
            let answer = answer.await.map(|answer| stream::ending_with(answer, ending, Some(running)));
            (answer, share)
        })
        .await
        .unwrap_or_else(|_| (Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()), None));
        // An answer that the client does not read is counted too.
        answer.map(|answer| {
            answer.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _counted = &share;
                    frame
                }))
            })
        })
    }
}

/// Completes when the listener stops.
async fn closed(closing: &mut Closing) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Drives a connection until it ends, or has sent all but a stream of events, which is returned.
async fn until_handed(connection: &mut (impl Future + Unpin), handover: &Handover) -> Option<Body> {
    poll_fn(|context| {
        if Pin::new(&mut *connection).poll(context).is_ready() {
            return Poll::Ready(None);
        }
        handover.take().map_or(Poll::Pending, |stream| Poll::Ready(Some(stream)))
    })
    .await
}

/// Drives a connection of HTTP/2 until it ends, the listener stops, or it is idle for too long. Then the client is told,
/// what runs is finished, and the connection ends once the client has confirmed that it knows, or did not in time.
async fn drive<I: Future<Output = ()>>(
    connection: impl GracefulConnection,
    closing: &mut Closing,
    longest_idle: Duration,
    idle: impl Fn(Duration) -> I,
) {
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = closed(closing) => {}
        () = idle(longest_idle) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = idle(longest_idle.min(FAREWELL)) => {}
    }
}

/// Says where HTTP/1.1 says it for whom a request is, and what it asks for (RFC 9113 section 8.3.1): nothing that comes
/// after has to know of HTTP/2.
fn name_host(request: &mut Request<Incoming>) {
    if let Some(authority) = request.uri().authority().cloned() {
        let headers = request.headers_mut();
        match headers.get(header::HOST) {
            None => {
                headers
                    .extend(HeaderValue::from_str(authority.as_str()).map(|host| (header::HOST, host)).ok());
            }
            // Which of the two it is for is not ours to choose. Without a host it is refused.
            Some(host) if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {
                headers.remove(header::HOST);
            }
            Some(_) => {}
        }
    }
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
}

/// The answer to a request whose `Host` is missing, doubled or invalid. It may not be ours to answer, so no
/// surface sees it.
fn wrong_host(version: Version) -> Response {
    let mut answer =
        (StatusCode::BAD_REQUEST, "The request needs exactly one valid Host header.\n").into_response();
    if version < Version::HTTP_2 {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// The answer to a request beyond those that a network may have under way.
fn too_many() -> Response {
    let later = [(header::RETRY_AFTER, "1")];
    (StatusCode::SERVICE_UNAVAILABLE, later, "Too many requests of this network are under way.\n")
        .into_response()
}
