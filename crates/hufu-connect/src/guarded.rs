//! The only HTTP client for URLs chosen by others: webhooks, SMS providers, identity sources, the doctor. What speaks
//! another protocol, as mail does, takes its addresses from here.
//!
//! Being able to put a URL into a setting must not give access to anything that only this machine can reach.
//! The resolver of the connection itself therefore checks all addresses of a name: the connection goes to the
//! address that was checked, so a name that resolves differently the second time gains nothing. Redirects are
//! not followed, and no proxy is taken from the environment.

use std::{fmt, future, io, net::IpAddr, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use ipnet::IpNet;
use reqwest::{
    Method,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{
        CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
    },
    redirect, retry,
};
use tokio::time::timeout;
use url::{Host, Url};

use crate::trust::client_config;
use crate::{BuildError, is_public};

/// What a client is allowed to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Non-public networks (loopback, private, link-local) that may be connected to nevertheless.
    pub private: Arc<[IpNet]>,
    /// The maximum duration of a call, from resolving the name to the last byte of the response.
    pub timeout: Duration,
    /// The maximum duration of connecting (name resolution, TCP, TLS).
    pub connect_timeout: Duration,
    /// The maximum number of bytes read from a response body.
    pub max_response_bytes: usize,
}

impl Settings {
    /// Whether this address may be connected to.
    pub fn permits(&self, address: IpAddr) -> bool {
        // An IPv4 address is checked as such, even if it is written as an IPv6 address.
        let address = address.to_canonical();
        is_public(address) || self.private.iter().any(|network| network.contains(&address))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            private: Arc::new([]),
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            max_response_bytes: 64 * 1024,
        }
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers. Bytes that are not valid UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body, up to the client's limit.
    pub body: Vec<u8>,
    /// Whether the body was cut off at the limit.
    pub cut: bool,
}

impl Response {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body, for callers that need it complete.
    ///
    /// # Errors
    /// [`OutgoingError::TooLarge`]
    pub fn whole_body(&self) -> Result<&[u8], OutgoingError> {
        if self.cut { Err(OutgoingError::TooLarge { limit: self.body.len() }) } else { Ok(&self.body) }
    }
}

/// Why there is no response. The text never contains the URL.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OutgoingError {
    /// The URL cannot be used.
    #[error("the address cannot be used: {0}")]
    Url(&'static str),
    /// A header is invalid, or callers may not set it.
    #[error("a header cannot be sent")]
    Header,
    /// The address is not public, or the name resolves to an address that is not public.
    #[error("the address is not public")]
    AddressRefused,
    /// The name does not resolve to any address.
    #[error("the name has no address")]
    Resolve,
    /// This machine has no root certificates, so `https` does not work.
    #[error("the system has no root certificates")]
    NoCertificates,
    /// No connection could be made; nothing was sent.
    #[error("no connection")]
    Connect(#[source] Arc<reqwest::Error>),
    /// There was no complete response in time. The request may have been processed.
    #[error("no response in time")]
    Timeout,
    /// The response is longer than the limit.
    #[error("the response is longer than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The connection broke, or the response was not HTTP. The request may have been processed.
    #[error("the connection broke")]
    Http(#[source] Arc<reqwest::Error>),
}

impl OutgoingError {
    /// A short name that never changes, for delivery records.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::Header => "header",
            Self::AddressRefused => "address_refused",
            Self::Resolve => "resolve",
            Self::NoCertificates => "no_certificates",
            Self::Connect(_) => "connect",
            Self::Timeout => "timeout",
            Self::TooLarge { .. } => "too_large",
            Self::Http(_) => "http",
        }
    }

    /// Whether retrying is pointless until someone changes a setting.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Url(_) | Self::Header | Self::AddressRefused | Self::NoCertificates)
    }
}

/// Resolves names. [`SystemLookup`] is the real implementation; tests use others.
pub trait Lookup: Send + Sync + 'static {
    /// All addresses of a name.
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Resolves names through the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// The client; cheap to clone.
#[derive(Clone, Debug)]
pub struct GuardedClient {
    http: reqwest::Client,
    guard: Arc<Guard>,
    settings: Settings,
    /// Whether `https` can be used.
    tls: bool,
}

impl GuardedClient {
    /// A client that resolves names through the operating system.
    ///
    /// # Errors
    /// [`BuildError::Http`]
    pub fn new(settings: Settings) -> Result<Self, BuildError> {
        Self::with_lookup(settings, Arc::new(SystemLookup))
    }

    /// A client that resolves names through `lookup`.
    ///
    /// # Errors
    /// [`BuildError::Http`]
    pub fn with_lookup(settings: Settings, lookup: Arc<dyn Lookup>) -> Result<Self, BuildError> {
        let guard = Arc::new(Guard { lookup, settings: settings.clone() });
        let builder = || {
            reqwest::Client::builder()
                .dns_resolver(Arc::clone(&guard))
                .connect_timeout(settings.connect_timeout)
                .redirect(redirect::Policy::none())
                .retry(retry::never())
                .no_proxy()
                .no_gzip()
                .http1_only()
                .referer(false)
                .user_agent("Hufu")
        };
        // A minimal container has no root certificates, which only matters to callers of https.
        let (http, tls) = match client_config() {
            Ok(config) => (builder().tls_backend_preconfigured(config).build(), true),
            Err(_) => (builder().tls_certs_only([]).build(), false),
        };
        let http = http.map_err(|error| BuildError::Http(Arc::new(error.without_url())))?;
        Ok(Self { http, guard, settings, tls })
    }

    /// What this client is allowed to do.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The addresses of a host that a connection may be made to, for whatever does not speak HTTP. Who connects to exactly
    /// these gains nothing by a name that resolves differently the second time.
    ///
    /// # Errors
    /// [`OutgoingError::AddressRefused`], [`OutgoingError::Resolve`]
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, OutgoingError> {
        self.guard.addresses(host).await.map_err(|unusable| match unusable {
            Unusable::Refused => OutgoingError::AddressRefused,
            Unusable::Unknown => OutgoingError::Resolve,
        })
    }

    /// Sends a GET request.
    ///
    /// # Errors
    /// [`OutgoingError`]
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response, OutgoingError> {
        self.call(Method::GET, url, headers, None).await
    }

    /// Sends a HEAD request.
    ///
    /// # Errors
    /// [`OutgoingError`]
    pub async fn head(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response, OutgoingError> {
        self.call(Method::HEAD, url, headers, None).await
    }

    /// Sends a POST request.
    ///
    /// # Errors
    /// [`OutgoingError`]
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Response, OutgoingError> {
        self.call(Method::POST, url, headers, Some(body)).await
    }

    async fn call(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Response, OutgoingError> {
        let mut request = self.http.request(method, self.check(url)?).headers(read_headers(headers)?);
        if let Some(body) = body {
            request = request.body(body);
        }
        timeout(self.settings.timeout, self.exchange(request)).await.map_err(|_| OutgoingError::Timeout)?
    }

    /// Parses a URL and rejects what can be rejected without resolving names. Numeric addresses are not
    /// resolved later, so they are checked here, in the form to which `url` normalizes them.
    fn check(&self, url: &str) -> Result<Url, OutgoingError> {
        let url = Url::parse(url).map_err(|_| OutgoingError::Url("not a URL"))?;
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(OutgoingError::Url("must start with http:// or https://")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutgoingError::Url("must not contain a user or a password"));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err(OutgoingError::Url("has no host")),
        };
        if literal.is_some_and(|address| !self.settings.permits(address)) {
            return Err(OutgoingError::AddressRefused);
        }
        if secure && !self.tls {
            return Err(OutgoingError::NoCertificates);
        }
        Ok(url)
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Response, OutgoingError> {
        let mut response = request.send().await.map_err(interpret)?;
        let limit = self.settings.max_response_bytes;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers =
            response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let mut answer =
            Response { status: response.status().as_u16(), headers, body: Vec::new(), cut: false };
        while let Some(chunk) = response.chunk().await.map_err(interpret)? {
            let room = limit.saturating_sub(answer.body.len());
            answer.cut = chunk.len() > room;
            answer.body.extend(chunk.into_iter().take(room));
            if answer.cut {
                break;
            }
        }
        Ok(answer)
    }
}

/// Headers about the connection or about message framing are set only by the client itself.
fn read_headers(headers: &[(&str, &str)]) -> Result<HeaderMap, OutgoingError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| OutgoingError::Header)?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| OutgoingError::Header)?;
        if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE].contains(&name) {
            return Err(OutgoingError::Header);
        }
        map.append(name, value);
    }
    Ok(map)
}

/// Determines the meaning of a failed call. The resolver's error is among its causes.
fn interpret(error: reqwest::Error) -> OutgoingError {
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        match inner.downcast_ref::<Unusable>() {
            Some(Unusable::Refused) => return OutgoingError::AddressRefused,
            Some(Unusable::Unknown) => return OutgoingError::Resolve,
            None => cause = inner.source(),
        }
    }
    let (no_connection, late) = (error.is_connect(), error.is_timeout());
    let error = Arc::new(error.without_url());
    match (no_connection, late) {
        (true, _) => OutgoingError::Connect(error),
        (false, true) => OutgoingError::Timeout,
        (false, false) => OutgoingError::Http(error),
    }
}

/// The resolver used by connections. It returns only checked addresses, or an error.
struct Guard {
    lookup: Arc<dyn Lookup>,
    settings: Settings,
}

/// Why a name has no usable addresses.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Unusable {
    #[error("the address is not public")]
    Refused,
    #[error("the name has no address")]
    Unknown,
}

impl Guard {
    fn addresses(&self, name: &str) -> BoxFuture<'static, Result<Vec<IpAddr>, Unusable>> {
        let found = match name.parse::<IpAddr>() {
            Ok(address) => Box::pin(future::ready(Ok(vec![address]))),
            Err(_) => self.lookup.lookup(name),
        };
        let settings = self.settings.clone();
        Box::pin(async move {
            let found = found.await.map_err(|_| Unusable::Unknown)?;
            if found.is_empty() {
                return Err(Unusable::Unknown);
            }
            // A bad address among good ones is not an accident, so reject them all.
            if !found.iter().all(|address| settings.permits(*address)) {
                return Err(Unusable::Refused);
            }
            Ok(found)
        })
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.addresses(name.as_str());
        Box::pin(async move {
            // The port comes from the URL.
            let addresses: Addrs =
                Box::new(found.await?.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}
