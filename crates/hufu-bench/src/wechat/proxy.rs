//! A simple proxy: each request goes to the next node. One to which it cannot connect is passed over, as proxies do; a
//! request that was sent and not answered is not sent again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;

/// The largest body that is passed on.
const LARGEST: usize = 1024 * 1024;
/// Headers that concern one connection alone.
const OF_ONE_CONNECTION: [HeaderName; 4] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::HOST];

struct Proxy {
    nodes: Vec<SocketAddr>,
    http: reqwest::Client,
    next: AtomicUsize,
}

/// Starts a proxy before these nodes. It serves until the runtime ends.
pub(super) async fn start(nodes: Vec<SocketAddr>) -> Result<SocketAddr> {
    let http = reqwest::Client::builder().no_proxy().no_gzip().tls_certs_only([]).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let proxy = Arc::new(Proxy { nodes, http, next: AtomicUsize::new(0) });
    tokio::spawn(
        async move { axum::serve(listener, Router::new().fallback(forward).with_state(proxy)).await },
    );
    Ok(address)
}

async fn forward(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST).await else { return StatusCode::BAD_REQUEST.into_response() };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    for _ in &proxy.nodes {
        let turn = proxy.next.fetch_add(1, Ordering::Relaxed);
        let Some(node) = proxy.nodes.get(turn % proxy.nodes.len()) else { break };
        let mut headers = head.headers.clone();
        for name in OF_ONE_CONNECTION {
            headers.remove(name);
        }
        let asked = proxy.http.request(head.method.clone(), format!("http://{node}{path}"));
        match asked.headers(headers).body(body.clone()).send().await {
            Ok(answer) => return passed_back(answer),
            Err(error) if error.is_connect() => {}
            Err(_) => break,
        }
    }
    StatusCode::BAD_GATEWAY.into_response()
}

fn passed_back(answer: reqwest::Response) -> Response {
    let mut answer = axum::http::Response::<reqwest::Body>::from(answer).map(Body::new);
    for name in OF_ONE_CONNECTION {
        answer.headers_mut().remove(name);
    }
    answer
}
