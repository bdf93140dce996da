//! What requests have in common: how the client identifies itself, and bodies of limited size.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body as RawBody, BodyDataStream, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use futures::StreamExt as _;
use hufu_app::authorization::{Presented, SentProof};
use hufu_app::{ApplicationHint, Authenticated, Needs, Origin, Refusal, named};
use hufu_types::Language;
use hufu_types::refusal::{Code, Reason};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::middleware::RequestId;
use crate::peer::ClientIp;
use crate::server::Shared;
use crate::shares::Share;
use crate::surface::{self, Answer, Refused};

/// The head of a request: how the client identifies itself.
#[derive(Clone, Debug)]
pub struct Head {
    application: Option<String>,
    pool: Option<String>,
    token: Option<Token>,
    proof: Option<Arc<SentProof>>,
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

/// The token in the header `Authorization`. `Debug` does not show it.
#[derive(Clone)]
struct Token {
    text: String,
    /// Whether its scheme is `DPoP` (RFC 9449 section 7.1), and not `Bearer`, which may be missing.
    is_dpop: bool,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl Head {
    /// The application and pool that the headers name.
    pub fn named(&self) -> ApplicationHint<'_> {
        ApplicationHint::new(self.application.as_deref(), self.pool.as_deref())
    }

    /// The pool that the header names.
    pub fn pool_named(&self) -> Option<&str> {
        self.pool.as_deref().and_then(named)
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
            ..Origin::default()
        }
    }

    /// The bearer token. The scheme `Bearer` may be missing.
    pub fn bearer(&self) -> Option<&str> {
        self.token.as_ref().filter(|token| !token.is_dpop).map(|token| token.text.as_str())
    }

    /// The token in the header, as it is presented there.
    pub fn presented(&self) -> Option<Presented<'_>> {
        let Token { text, is_dpop } = self.token.as_ref()?;
        Some(if *is_dpop { Presented::Dpop(text, self.proof()) } else { Presented::Bearer(text) })
    }

    /// The proof in the header `DPoP`.
    pub fn proof(&self) -> Option<&SentProof> {
        self.proof.as_deref()
    }

    /// Authenticates the sender of the request, whose token must grant what the endpoint needs.
    pub async fn authenticate(
        &self,
        shared: &Shared,
        needs: impl Into<Needs>,
    ) -> Result<Authenticated, Refusal> {
        shared.app.authenticate(self.presented(), self.named(), self.origin(), needs.into()).await
    }

    /// The same for the calls to which the published mobile SDKs send their id token, and for no others.
    pub async fn authenticate_mobile(
        &self,
        shared: &Shared,
        needs: impl Into<Needs>,
    ) -> Result<Authenticated, Refusal> {
        shared.app.authenticate_mobile(self.presented(), self.named(), self.origin(), needs.into()).await
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn token(headers: &HeaderMap) -> Option<Token> {
    let value = headers.get("authorization")?.to_str().ok()?.trim();
    let (is_dpop, text) = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => (false, token),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") => (true, token.trim_start()),
        Some(_) => return None,
        None => (false, value),
    };
    named(text).map(|text| Token { text: text.to_owned(), is_dpop })
}

/// The header `DPoP`.
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");

fn proof(parts: &Parts) -> Option<Arc<SentProof>> {
    let mut headers = parts.headers.get_all(DPOP).iter();
    let first = headers.next()?;
    let proof = if headers.next().is_none() { first.to_str().ok() } else { None };
    let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
    Some(Arc::new(SentProof::new(proof.map(str::to_owned), method, path)))
}

impl FromRequestParts<Arc<Shared>> for Head {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Self::Rejection> {
        let headers = &parts.headers;
        Ok(Self {
            application: text(headers, "x-authing-app-id"),
            pool: text(headers, "x-authing-userpool-id"),
            token: token(headers),
            proof: proof(parts),
            referer: text(headers, "referer"),
            language: surface::language(headers),
            ip: ClientIp::of(&parts.extensions).map(|ip| ip.to_string()),
            user_agent: text(headers, "user-agent").map(|agent| agent.chars().take(256).collect()),
            request_id: parts.extensions.get::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default(),
        })
    }
}

/// A JSON object as the body; see [`read_json`].
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Answer<Self> {
        Ok(Self(parse(&read_json(request, shared).await?)?))
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
        Ok(Self(query.map_err(|error| {
            no_such_field(&error.to_string()).unwrap_or_else(|| Refusal::invalid("query", Reason::WrongQuery))
        })?))
    }
}

/// The parameters of a query, in their order.
///
/// # Errors
/// [`Code::Invalid`]
pub fn pairs(query: &str) -> Result<Vec<(String, String)>, Refusal> {
    serde_urlencoded::from_str(query).map_err(|_| Refusal::invalid("query", Reason::WrongQuery))
}

/// Content types that a page of another site can make a browser send without asking this server first (Fetch
/// standard, "CORS-safelisted request-header").
const SENT_UNASKED: [&str; 3] = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];

/// The whole body of a JSON request. The published clients send `application/json`, some with parameters.
/// Other types are taken as well, but none that a page of another site could send without asking, and not a
/// missing one, which is such.
pub async fn read_json(request: Request, shared: &Shared) -> Result<Vec<u8>, Refusal> {
    read_json_within(request, shared.app.limits().body_bytes, shared).await
}

/// [`read_json`] of a body that is no longer than `limit`.
pub async fn read_json_within(request: Request, limit: usize, shared: &Shared) -> Result<Vec<u8>, Refusal> {
    let declared = text(request.headers(), header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence.is_empty() || SENT_UNASKED.contains(&essence.as_str()) {
        return Err(Code::ContentTypeWrong.into());
    }
    let (parts, body) = request.into_parts();
    collect(&parts, body, limit, shared).await
}

/// The whole body, if it is no longer than a body of JSON or of parameters may be.
pub async fn read(request: Request, shared: &Shared) -> Result<Vec<u8>, Refusal> {
    let (parts, body) = request.into_parts();
    collect(&parts, body, shared.app.limits().body_bytes, shared).await
}

/// So much of each body does not count as memory of its network, so that logins always have room. The connections bound
/// it all the same.
const UNCOUNTED_BYTES: usize = 16 * 1024;

/// The whole body, if it is no longer than `limit`. What is longer is read on for
/// a while and thrown away: a client that is still writing would not see the answer.
pub async fn collect(
    parts: &Parts,
    body: RawBody,
    limit: usize,
    shared: &Shared,
) -> Result<Vec<u8>, Refusal> {
    let limits = shared.app.limits();
    let most_read = limit.saturating_add(limits.discarded_bytes);
    let no_memory = || Code::TooOften.retry_after(limits.body_grace).because("bodies in memory");
    let memory = shared.body_memory.take(ClientIp::of(&parts.extensions), 0);
    let mut memory = memory.ok_or_else(no_memory)?;
    let mut arriving = Arriving::begin(parts, body, limit, limits.body_time, shared)?;
    let (mut kept, mut length) = (Vec::new(), 0_usize);
    while let Some(chunk) = arriving.chunk().await? {
        let chunk = chunk.as_ref();
        length = length.saturating_add(chunk.len());
        if length > most_read {
            break;
        }
        if length > limit {
            // Nothing of it is needed any more.
            kept = Vec::new();
            memory.release();
            continue;
        }
        let more = length.saturating_sub(UNCOUNTED_BYTES).saturating_sub(memory.amount());
        if !memory.grow(more) {
            return Err(no_memory());
        }
        kept.extend_from_slice(chunk);
    }
    if length > limit { Err(Code::BodyTooLarge.with("limit", limit)) } else { Ok(kept) }
}

/// A body while it arrives: only so many from one network at a time, none too slowly, and none for too long.
pub struct Arriving {
    chunks: BodyDataStream,
    /// When the whole body must be here.
    end: Instant,
    /// The longest time without [`Self::least`] more bytes.
    grace: Duration,
    /// The bytes that must arrive within each grace.
    least: usize,
    /// When the missing ones of them must be here.
    due: Instant,
    missing: usize,
    /// The place among the bodies of its network.
    _place: Share,
}

impl Arriving {
    /// Begins to read a body, which may take so much time. A client that asks before it sends a body longer
    /// than `limit` is refused at once, and is not told to go on.
    ///
    /// # Errors
    /// [`Code::BodyTooLarge`]; [`Code::TooOften`] for too many bodies of one network at the same time.
    pub fn begin(
        parts: &Parts,
        body: RawBody,
        limit: usize,
        time: Duration,
        shared: &Shared,
    ) -> Result<Self, Refusal> {
        let asks = text(&parts.headers, header::EXPECT.as_str());
        let asks = asks.is_some_and(|what| what.trim().eq_ignore_ascii_case("100-continue"));
        let fits = usize::try_from(body.size_hint().lower()).is_ok_and(|declared| declared <= limit);
        if asks && !fits {
            return Err(Code::BodyTooLarge.with("limit", limit));
        }
        let place = shared.bodies.take(ClientIp::of(&parts.extensions), 1);
        let limits = shared.app.limits();
        let too_many = || Code::TooOften.retry_after(limits.body_grace).because("bodies from this network");
        let place = place.ok_or_else(too_many)?;
        let (now, grace) = (Instant::now(), limits.body_grace);
        let millis = usize::try_from(grace.as_millis()).unwrap_or(usize::MAX);
        let least = (limits.body_rate.saturating_mul(millis) / 1000).max(1);
        Ok(Self {
            chunks: body.into_data_stream(),
            end: now + time,
            grace,
            least,
            due: now + grace,
            missing: least,
            _place: place,
        })
    }

    /// The next piece of the body. `None` at its end.
    ///
    /// # Errors
    /// [`Code::BodySlow`]; [`Code::Invalid`] for a body that breaks off.
    pub async fn chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, Refusal> {
        let next = timeout_at(self.due.min(self.end), self.chunks.next()).await;
        let Some(chunk) = next.map_err(|_| Code::BodySlow)? else { return Ok(None) };
        let chunk = chunk.map_err(|_| Refusal::invalid("body", Reason::BodyBroken))?;
        if chunk.len() < self.missing {
            self.missing = self.missing.saturating_sub(chunk.len());
        } else {
            (self.missing, self.due) = (self.least, Instant::now() + self.grace);
        }
        Ok(Some(chunk))
    }
}

/// Parses a JSON object.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let is_object = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    if !is_object {
        return Err(Refusal::invalid("body", Reason::NotAnObject));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        use serde_json::error::Category;
        if let Some(refusal) = no_such_field(&error.to_string()) {
            return refusal;
        }
        let (line, column) = (error.line(), error.column());
        let reason = match error.classify() {
            Category::Syntax | Category::Eof | Category::Io => Reason::NotJson { line, column },
            Category::Data => Reason::WrongShape { line, column },
        };
        Refusal::invalid("body", reason)
    })
}

/// The refusal of a field that the type does not have, as serde tells it: "unknown field `a`, expected one of `b`, `c`".
fn no_such_field(error: &str) -> Option<Refusal> {
    let (field, rest) = error.strip_prefix("unknown field `")?.rsplit_once("`, expected ")?;
    let choices: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    Some(Refusal::no_such_field(field, &choices))
}

/// The text, unless it is missing, empty, or a placeholder such as `undefined`.
pub fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).and_then(named)
}
