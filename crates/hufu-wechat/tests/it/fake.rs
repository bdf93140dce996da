//! A server that plays WeChat: a closure provides the responses, and all requests are recorded.

use std::{
    collections::HashMap,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request},
    http::{Response, header},
};
use hufu_wechat::{AppCredentials, Budget, Client, Endpoints, Settings};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};
use url::Url;

pub(crate) const APP_ID: &str = "wx0123456789abcdef";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const CODE: &str = "0a3QZpFa1LzYrI0nvlGa1dWXYZ3QZpFu";
pub(crate) const OPENID: &str = "oGZUI0egBJY1zhBYw2KhdUfwVJJE";
pub(crate) const SESSION_KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";
pub(crate) const RID: &str = "6129ee10-272863a4-64d75414";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) peer: SocketAddr,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) content_type: String,
    pub(crate) body: Value,
    /// How many earlier requests there were for this path.
    pub(crate) earlier: usize,
}

/// What the server does.
pub(crate) enum Reply {
    /// Responds as WeChat does, with JSON labelled as text.
    Json(Value),
    /// Responds with this status, content type and body.
    Raw(u16, &'static str, Vec<u8>),
    /// Responds with a gzip-compressed body.
    Gzip(Vec<u8>),
    /// Responds once released.
    Held(Arc<Notify>, Value),
    /// Never responds.
    Silence,
}

pub(crate) struct WeChat {
    pub(crate) base: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: JoinHandle<()>,
}

impl WeChat {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener, answer)
    }

    pub(crate) fn serve(
        listener: TcpListener,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let base = Url::parse(&format!("http://{}/api/", listener.local_addr().unwrap())).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let router =
            Router::new().fallback(move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request| {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                async move {
                    let request = receive(peer, request, &log).await;
                    play(answer(&request)).await
                }
            });
        let server = tokio::spawn(async move {
            axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
        });
        Self { base, seen, server }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The number of requests for a path, given without the prefix of the base URL.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path == path).count()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(settings(&self.base)).unwrap()
    }
}

impl Drop for WeChat {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(peer: SocketAddr, request: Request, log: &Mutex<Vec<Seen>>) -> Seen {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path().strip_prefix("/api").expect("the base's prefix").to_owned();
    let query = parts.uri.query().unwrap_or_default();
    let content_type =
        parts.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
    let mut log = log.lock().unwrap();
    let seen = Seen {
        peer,
        method: parts.method.to_string(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        content_type: content_type.unwrap_or_default(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        earlier: log.iter().filter(|seen: &&Seen| seen.path == path).count(),
        path,
    };
    log.push(seen.clone());
    seen
}

async fn play(reply: Reply) -> Response<Body> {
    let (status, content_type, encoding, body) = match reply {
        Reply::Json(json) => (200, "text/plain", None, json.to_string().into_bytes()),
        Reply::Raw(status, content_type, body) => (status, content_type, None, body),
        Reply::Gzip(body) => (200, "text/plain", Some("gzip"), body),
        Reply::Held(release, json) => {
            release.notified().await;
            (200, "text/plain", None, json.to_string().into_bytes())
        }
        Reply::Silence => pending().await,
    };
    let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
    if let Some(encoding) = encoding {
        response = response.header(header::CONTENT_ENCODING, encoding);
    }
    if status == 302 {
        response = response.header(header::LOCATION, "/api/elsewhere");
    }
    response.body(Body::from(body)).unwrap()
}

/// Settings for a server on loopback, with pauses short enough for tests.
pub(crate) fn settings(base: &Url) -> Settings {
    Settings {
        endpoints: Endpoints { api: base.clone(), open: base.clone(), mp: base.clone() },
        call_timeout: Duration::from_secs(10),
        backoff: Duration::from_millis(2),
        ..Settings::default()
    }
}

pub(crate) fn app() -> AppCredentials {
    AppCredentials { app_id: APP_ID.into(), app_secret: SECRET.into() }
}

pub(crate) fn budget() -> Budget {
    Budget::of(Duration::from_secs(20))
}

/// A failure as WeChat words it.
pub(crate) fn failure(errcode: i64, errmsg: &str) -> Reply {
    Reply::Json(serde_json::json!({ "errcode": errcode, "errmsg": format!("{errmsg}, rid: {RID}") }))
}

pub(crate) fn session() -> Reply {
    Reply::Json(serde_json::json!({ "session_key": SESSION_KEY, "openid": OPENID }))
}

/// Everything an error can print: text, debug text, and its causes.
pub(crate) fn everything_printed(error: &hufu_wechat::Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text} {error} {error:?}");
        cause = error.source();
    }
    text
}
