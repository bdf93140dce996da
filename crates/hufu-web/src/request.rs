//! What requests have in common: how the client identifies itself, and bodies of limited size.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use futures::StreamExt as _;
use hufu_app::{ApplicationHint, Authenticated, Needs, Origin, Refusal, named};
use hufu_types::Language;
use hufu_types::refusal::{Code, Reason};
use serde::de::DeserializeOwned;

use crate::middleware::RequestId;
use crate::server::Shared;
use crate::surface::{self, Answer, Refused};

/// The head of a request: how the client identifies itself.
#[derive(Clone, Debug)]
pub struct Head {
    application: Option<String>,
    pool: Option<String>,
    bearer: Option<String>,
    /// The `Referer`.
    pub referer: Option<String>,
    /// The language that the client requests.
    pub language: Language,
    /// The IP address of the client.
    pub ip: Option<String>,
    /// The `User-Agent`, at most 256 characters of it.
    user_agent: Option<String>,
    /// The id of the request.
    pub request_id: String,
}

impl Head {
    /// The application and pool that the headers name.
    pub fn named(&self) -> ApplicationHint<'_> {
        ApplicationHint::new(self.application.as_deref(), self.pool.as_deref())
    }

    /// The application that the header names, or otherwise the given one, and the pool that the header names.
    pub fn named_or<'a>(&'a self, application: Option<&'a str>) -> ApplicationHint<'a> {
        let from_header = self.application.as_deref().and_then(named);
        ApplicationHint::new(from_header.or(application), self.pool.as_deref())
    }

    /// The origin of the request: address, user agent and request id.
    pub fn origin(&self) -> Origin {
        Origin {
            ip: self.ip.clone(),
            user_agent: self.user_agent.clone(),
            request_id: Some(self.request_id.clone()),
        }
    }

    /// The bearer token. The scheme `Bearer` may be missing.
    pub fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }

    /// Authenticates the sender of the request, whose token must grant what the endpoint needs.
    pub async fn authenticate(
        &self,
        shared: &Shared,
        needs: impl Into<Needs>,
    ) -> Result<Authenticated, Refusal> {
        shared.app.authenticate(self.bearer(), self.named(), self.origin(), needs.into()).await
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("authorization")?.to_str().ok()?.trim();
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token,
        Some(_) => return None,
        None => value,
    };
    named(token).map(str::to_owned)
}

impl FromRequestParts<Arc<Shared>> for Head {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let headers = &parts.headers;
        Ok(Self {
            application: text(headers, "x-authing-app-id"),
            pool: text(headers, "x-authing-userpool-id"),
            bearer: bearer(headers),
            referer: text(headers, "referer"),
            language: surface::language(headers),
            ip: peer.map(|peer| client_address(peer, headers, shared).to_string()),
            user_agent: text(headers, "user-agent").map(|agent| agent.chars().take(256).collect()),
            request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        })
    }
}

/// The client's address. If the peer is a trusted proxy, it is the last address in `X-Forwarded-For` that is
/// not one.
fn client_address(peer: IpAddr, headers: &HeaderMap, shared: &Shared) -> IpAddr {
    let trusted = |ip: &IpAddr| shared.settings.trusted_proxies.iter().any(|net| net.contains(ip));
    // A dual-stack socket reports IPv4 peers as `::ffff:203.0.113.9`.
    let peer = peer.to_canonical();
    if !trusted(&peer) {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok());
    let addresses: Vec<&str> = forwarded.flat_map(|list| list.split(',')).map(str::trim).collect();
    let mut client = peer;
    for address in addresses.iter().rev() {
        let Some(address) = address_in(address) else { break };
        client = address;
        if !trusted(&address) {
            break;
        }
    }
    client
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address_in(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|ip: IpAddr| ip.to_canonical())
}

/// A JSON object as the body. The content type is ignored, because mini program clients send various ones.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Answer<Self> {
        Ok(Self(parse(&read(request, shared).await?)?))
    }
}

/// Parameters as `application/x-www-form-urlencoded` in the body (RFC 6749 appendix B).
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Parameters<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Answer<Self> {
        let bytes = read(request, shared).await?;
        let parameters = serde_urlencoded::from_bytes(&bytes);
        Ok(Self(parameters.map_err(|_| Refusal::invalid("body", Reason::NotAForm))?))
    }
}

/// Parameters in the path. A path whose parameters cannot be read does not exist.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Shared>> for Path<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Answer<Self> {
        #[expect(clippy::disallowed_types, reason = "this type replaces it")]
        let path = axum::extract::Path::<T>::from_request_parts(parts, shared).await;
        Ok(Self(path.map_err(|_| Code::PathUnknown)?.0))
    }
}

/// Parameters in the query of the URL.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Shared>> for Query<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Answer<Self> {
        let query = serde_urlencoded::from_str(parts.uri.query().unwrap_or_default());
        Ok(Self(query.map_err(|_| Refusal::invalid("query", Reason::WrongQuery))?))
    }
}

/// The whole body, if it is no longer than a body of JSON or of parameters may be.
pub async fn read(request: Request, shared: &Shared) -> Result<Vec<u8>, Refusal> {
    collect(request.into_body(), shared.app.limits().body_bytes, shared).await
}

/// The whole body, if it is no longer than `limit`. What is longer is read on for
/// a while and thrown away: a client that is still writing would not see the answer.
pub async fn collect(body: axum::body::Body, limit: usize, shared: &Shared) -> Result<Vec<u8>, Refusal> {
    let slow = |_| Refusal::invalid("body", Reason::BodySlow);
    let limits = shared.app.limits();
    tokio::time::timeout(limits.body_time, collect_without_timeout(body, limit, limits))
        .await
        .map_err(slow)?
}

async fn collect_without_timeout(
    body: axum::body::Body,
    limit: usize,
    limits: &hufu_app::Limits,
) -> Result<Vec<u8>, Refusal> {
    let most_read = limit.saturating_add(limits.discarded_bytes);
    let mut stream = body.into_data_stream();
    let (mut kept, mut length) = (Vec::new(), 0_usize);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Refusal::invalid("body", Reason::BodyBroken))?;
        length = length.saturating_add(chunk.len());
        if length > most_read {
            break;
        }
        if length <= limit {
            kept.extend_from_slice(&chunk);
        }
    }
    if length > limit { Err(Code::BodyTooLarge.with("limit", limit)) } else { Ok(kept) }
}

/// Parses a JSON object.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let is_object = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    if !is_object {
        return Err(Refusal::invalid("body", Reason::NotAnObject));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        use serde_json::error::Category;
        let (line, column) = (error.line(), error.column());
        let reason = match error.classify() {
            Category::Syntax | Category::Eof | Category::Io => Reason::NotJson { line, column },
            Category::Data => Reason::WrongShape { line, column },
        };
        Refusal::invalid("body", reason)
    })
}

/// The text, unless it is missing, empty, or a placeholder such as `undefined`.
pub fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).and_then(named)
}
