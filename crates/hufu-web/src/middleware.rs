//! Middleware around every handler: request ids, one log line per request, metrics, and catching panics.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::uri::Authority;
use axum::http::{self, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use hufu_types::refusal::Code;
use tracing::Instrument as _;

use crate::cors;
use crate::page;
use crate::peer::{ClientIp, client_of, is_trusted, peer_of};
use crate::request::DPOP;
use crate::server::{Shared, State};
use crate::surface::{self, ApiCode, Reader, Refused};

/// The header with the id of a request, in requests and responses.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The nonce that the client's next DPoP proof should have (RFC 9449 section 8).
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// A year, for this host alone: its siblings are not ours.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// The longest id that is accepted from a trusted proxy.
const MAX_REQUEST_ID: usize = 64;

/// The id of a request, for logs and responses.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// What is around all routes. It is one layer, because each layer costs every request a copy of the route and a box; and
/// its steps are no futures within each other, because each of those copies the request.
pub(crate) async fn around(shared: State, mut request: Request, next: Next) -> Response {
    let shared = &*shared;
    let line = Line::begin(shared, &mut request);
    let reader = Reader::of(&request);
    let has_proof = request.headers().contains_key(DPOP);
    let answering = async {
        // Pages can panic too, outside the handlers that the surfaces catch.
        let answered = async {
            let (request, viewer) = page::viewer_of(shared, request);
            let answer = if is_foreign(shared, &request) {
                Err(Code::ForeignHost.into())
            } else {
                caught(next.run(request)).await
            };
            page::as_page(surface::finished(answer, &reader, surface::sdk_with_status), viewer.as_ref())
        };
        let shown = caught(answered).await;
        shown.unwrap_or_else(|refused| surface::written(refused, &reader, surface::sdk_with_status))
    };
    let span = line.span();
    let mut answer = no_sniffing(answering.instrument(span.clone()).await);
    span.in_scope(|| line.end(&mut answer));
    // Every answer to a proof offers the current nonce, so that it is there before the one before it ends.
    if has_proof && let Ok(nonce) = HeaderValue::from_str(&shared.app.dpop_nonce()) {
        answer.headers_mut().insert(DPOP_NONCE, nonce);
    }
    if shared.settings.own_frames {
        page::framed_by_own(answer.headers_mut());
    }
    if shared.app.public_url().starts_with("https://") {
        // Browsers that have been here once never speak plain HTTP with this host again (RFC 6797).
        answer.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    answer
}

/// What the log and the metrics say of a request: the template of its route, never the query or a parameter.
struct Line {
    started: Instant,
    id: Arc<str>,
    method: Method,
    route: Option<MatchedPath>,
}

impl Line {
    /// Notes the client's address, and gives the request an id.
    fn begin(shared: &Shared, request: &mut Request) -> Self {
        let started = Instant::now();
        let proxies = shared.settings.trusted_proxies.as_slice();
        let peer = peer_of(request.extensions());
        let given = peer.filter(|peer| is_trusted(*peer, proxies)).and_then(|_| given_id(request));
        let id: Arc<str> = given.unwrap_or_else(new_request_id).into();
        if let Some(client) = peer.map(|peer| client_of(peer, request.headers(), proxies)) {
            request.extensions_mut().insert(ClientIp(client));
        }
        cors::note_origin(request, shared);
        request.extensions_mut().insert(RequestId(id.clone()));
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self { started, id, method: request.method().clone(), route }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("(none)", MatchedPath::as_str)
    }

    fn span(&self) -> tracing::Span {
        tracing::info_span!("request", id = &*self.id, route = self.route())
    }

    /// Records route, status and duration, and gives the answer the id.
    fn end(&self, answer: &mut Response) {
        let elapsed = self.started.elapsed();
        let status = answer.status();
        let api_code = answer.extensions().get::<ApiCode>().map(|code| code.0);
        let code = api_code.unwrap_or(u32::from(status.as_u16()));
        let is_refused =
            api_code.map_or(status.is_client_error() || status.is_server_error(), |code| code != 200);
        let route = self.route().to_owned();
        metrics::histogram!("hufu_http_request_seconds", "route" => route).record(elapsed.as_secs_f64());
        let (method, status) = (&self.method, status.as_u16());
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        if is_refused {
            // Together with the route, this is enough for an operator to see what a client does wrong.
            tracing::info!(%method, status, code, micros, "refused");
        } else {
            tracing::debug!(%method, status, code, micros, "answered");
        }
        if let Ok(value) = HeaderValue::from_str(&self.id) {
            answer.headers_mut().insert(REQUEST_ID, value);
        }
    }
}

/// The id that a proxy gave the request.
fn given_id(request: &Request) -> Option<String> {
    let plain = |text: &&str| {
        (1..=MAX_REQUEST_ID).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    request.headers().get(REQUEST_ID).and_then(|v| v.to_str().ok()).filter(plain).map(str::to_owned)
}

/// A new request id. It is unique enough to find a line in a log, and need not be hard to guess.
fn new_request_id() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static SEED: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    format!("{:016x}", SEED.hash_one(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Completes a request even if its client has disconnected. Phones lose connections. When a client sends a
/// code again, the result of its exchange must be there, because WeChat exchanges a code only once.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request).in_current_span()).await {
        Ok(response) => response,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The task is only cancelled when the process ends.
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Whether only this machine's own names are served, and the `Host` of a request is another. Assets are always served,
/// because the page that explains the refusal needs them.
fn is_foreign(shared: &Shared, request: &Request) -> bool {
    shared.settings.loopback_hosts_only
        && !request.uri().path().starts_with(page::ASSETS)
        && !names_this_machine(request)
}

fn names_this_machine(request: &Request) -> bool {
    host_of(request.headers()).is_some_and(|authority| {
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| authority.host().eq_ignore_ascii_case(name))
    })
}

/// The `Host`, if there is exactly one and it is a host with or without a port (RFC 9110 section 7.2).
pub(crate) fn host_of(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    let port = authority.as_str().strip_prefix(authority.host())?;
    let is_port = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok();
    let is_valid = matches!(port, "" | ":") || port.strip_prefix(':').is_some_and(is_port);
    (is_valid && !authority.host().is_empty()).then_some(authority)
}

/// Whether the `Host` of a request must make a server refuse it (RFC 9112 section 3.2).
pub(crate) fn has_wrong_host<B>(request: &http::Request<B>) -> bool {
    let headers = request.headers();
    let may_lack = request.version() < Version::HTTP_11 && !headers.contains_key(header::HOST);
    !may_lack && host_of(headers).is_none()
}

/// Tells browsers to believe the content type of every answer.
pub(crate) fn no_sniffing(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Turns a panic into a refusal. It is a bug of ours, but the process goes on.
pub(crate) async fn caught(answer: impl Future<Output = Response>) -> Result<Response, Refused> {
    AssertUnwindSafe(answer).catch_unwind().await.map_err(|_| {
        tracing::error!("a handler panicked");
        metrics::counter!("hufu_panics_total").increment(1);
        Code::Internal.because("a handler panicked").into()
    })
}
