//! Surfaces. All handlers refuse in the same way: they return a [`Refusal`] with `?`. The layer of the
//! surface then writes the refusal in the form that the surface's clients expect. [`sdk`] and [`oauth`] are
//! defined here; a surface with another form defines it beside its routes. If a browser asks, a page
//! ([`crate::page`]) replaces any of them.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use hufu_types::refusal::Code;
use hufu_types::{ClientAlgorithm, Language, Refusal};
use serde::Serialize;
use serde_json::Value;

use crate::cors::open;
use crate::middleware::{self, RequestId};
use crate::server::Routes;

/// The result of a handler.
pub type Answer<T> = Result<T, Refused>;

/// A refusal on its way to the layer that writes it.
#[derive(Clone, Debug)]
pub struct Refused(Arc<Refusal>);

impl Refused {
    /// The refusal.
    pub fn refusal(&self) -> &Refusal {
        &self.0
    }
}

impl<R: Into<Refusal>> From<R> for Refused {
    fn from(refusal: R) -> Self {
        Self(Arc::new(refusal.into()))
    }
}

/// Only the status. The layer adds the rest.
impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = status_of(self.0.code()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The business code of a response, for the log.
#[derive(Clone, Copy, Debug)]
pub struct ApiCode(pub u32);

/// The reader of a refusal.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The language in `x-authing-lang`, which the published clients send.
    pub language: Language,
    /// The id of the request.
    pub request_id: Arc<str>,
    /// The header `Accept-Language`.
    pub accepted: Option<HeaderValue>,
    /// Whether the request presents its token as `DPoP` (RFC 9449 section 7.1).
    pub uses_dpop: bool,
}

impl Reader {
    /// The sender of this request.
    pub fn of(request: &Request) -> Self {
        let id = request.extensions().get::<RequestId>();
        Self {
            language: language(request.headers()),
            accepted: request.headers().get(header::ACCEPT_LANGUAGE).cloned(),
            request_id: id.map_or_else(|| "".into(), |id| id.0.clone()),
            uses_dpop: uses_dpop(request.headers()),
        }
    }
}

impl Reader {
    /// The language that the header `Accept-Language` prefers of ours; English if it names none.
    pub fn prefers(&self) -> Language {
        let accepted = self.accepted.as_ref().and_then(|value| value.to_str().ok());
        accepted.and_then(Language::of_header).unwrap_or(Language::English)
    }
}

/// Whether the scheme of the header `Authorization` is `DPoP`.
fn uses_dpop(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.trim_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("dpop "))
}

/// The language that the client requests.
pub(crate) fn language(headers: &HeaderMap) -> Language {
    let tag = headers.get("x-authing-lang").and_then(|value| value.to_str().ok());
    tag.and_then(Language::of_tag).unwrap_or_default()
}

/// How a surface writes a refusal.
pub type Render = fn(&Refusal, &Reader) -> Response;

/// Routes whose refusals are written by `render`, unless a surface within them has done so. So is the answer
/// to a method that a route does not have.
pub fn refusing(routes: Routes, render: Render) -> Routes {
    routes.layer(axum::middleware::from_fn(move |request: Request, next: Next| async move {
        let reader = Reader::of(&request);
        finished(middleware::caught(next.run(request)).await, &reader, render)
    }))
}

/// An answer whose refusal, if it is one that nobody has written, is written by `render`.
pub(crate) fn finished(answer: Answer<Response>, reader: &Reader, render: Render) -> Response {
    let response = answer.unwrap_or_else(IntoResponse::into_response);
    if response.extensions().get::<ApiCode>().is_some() {
        return response;
    }
    let has_no_method = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let refused = response.extensions().get::<Refused>().cloned();
    let refused = refused.or_else(|| has_no_method.then(|| Code::WrongMethod.into()));
    let Some(refused) = refused else { return response };
    let mut written = written(refused, reader, render);
    // Headers from the layers of the route: CORS.
    written.headers_mut().extend(response.into_parts().0.headers);
    written
}

/// Refuses all paths below this one that have no route, with this code.
pub fn unserved(below: &str, code: Code) -> Routes {
    Routes::new().route(&format!("{below}/{{*rest}}"), any(async move || Refused::from(code)))
}

/// Refuses this path and those below it that have no route, as calls of the published clients that are not
/// served. Scripts of every origin may read the answer.
pub fn unserved_calls(path: &str) -> Routes {
    let not_served = || open(any(async || Refused::from(Code::NotServed)));
    Routes::new().route(path, not_served()).route(&format!("{path}/{{*rest}}"), not_served())
}

/// Writes a refusal as a response, where there is no handler.
pub(crate) fn written(refused: Refused, reader: &Reader, render: Render) -> Response {
    note(&refused.0);
    let mut response = challenging(waiting(render(&refused.0, reader), &refused.0), &refused.0);
    response.extensions_mut().insert(ApiCode(refused.0.number()));
    response.extensions_mut().insert(refused);
    response
}

/// Adds `Retry-After` (RFC 9110 section 10.2.3) to a response with the status 429 (RFC 6585 section 4).
pub fn waiting(mut response: Response, refusal: &Refusal) -> Response {
    if let Some(seconds) = refusal.seconds_to_wait()
        && response.status() == StatusCode::TOO_MANY_REQUESTS
    {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Tells a client what is wrong with its DPoP proof where its library looks for that, on every surface: by the status 401
/// and a challenge (RFC 9449 section 7.1). The published clients send no proofs.
pub fn challenging(mut response: Response, refusal: &Refusal) -> Response {
    if !refusal.code().is_about_dpop() {
        return response;
    }
    let (_, error) = oauth_error(refusal.code());
    if let Ok(challenge) = HeaderValue::try_from(challenge("DPoP", error, "")) {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A challenge with an error (RFC 6750 section 3, RFC 9449 section 7.1).
fn challenge(scheme: &str, error: &str, more: &str) -> String {
    let algorithms = match scheme {
        "DPoP" => {
            let names: Vec<_> = ClientAlgorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
            format!(", algs=\"{}\"", names.join(" "))
        }
        _ => String::new(),
    };
    format!("{scheme} error=\"{error}\"{more}{algorithms}")
}

/// Counts a refusal. Logs an internal error once, with its whole chain of causes.
pub fn note(refusal: &Refusal) {
    let code = refusal.code();
    if code.is_internal() {
        tracing::error!(code = code.number(), error = hufu_types::chain(refusal), "request failed");
    }
    metrics::counter!("hufu_refusals_total", "code" => code.number().to_string()).increment(1);
}

/// The HTTP status for a kind of refusal.
pub fn status_of(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A JSON response.
pub fn json<T: Serialize>(body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let json = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, json)], bytes).into_response()
        }
        Err(error) => Refused::from(Refusal::internal(error)).into_response(),
    }
}

/// A JSON response that no cache stores.
pub fn private_json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], json(body)).into_response()
}

/// A signed response that no cache stores.
pub(crate) fn private_jwt(content_type: &'static str, jwt: String) -> Response {
    ([(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, content_type)], jwt).into_response()
}

/// Writes a refusal for the published clients: HTTP 200 with `code` = `apiCode`, `statusCode`, and the data
/// that the client needs to continue.
pub fn sdk(refusal: &Refusal, reader: &Reader) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope<'a> {
        code: u32,
        status_code: u16,
        api_code: u32,
        message: String,
        request_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a Value>,
    }
    let body = Envelope {
        code: refusal.number(),
        status_code: refusal.code().status(),
        api_code: refusal.number(),
        message: refusal.for_integrator(reader.language),
        request_id: &reader.request_id,
        data: refusal.data(),
    };
    // A login that waits gives its handle here.
    private_json(StatusCode::OK, &body)
}

/// The envelope of [`sdk`] with the refusal's own HTTP status, for requests that no surface answers.
pub fn sdk_with_status(refusal: &Refusal, reader: &Reader) -> Response {
    (status_of(refusal.code()), sdk(refusal, reader)).into_response()
}

/// Writes a refusal as an OAuth error (RFC 6749 section 5.2): `error`, and `error_description` in English,
/// because only ASCII is allowed there. A token that does not do gets the challenge of RFC 6750 section 3.
pub fn oauth(refusal: &Refusal, reader: &Reader) -> Response {
    #[derive(Serialize)]
    struct Body {
        error: &'static str,
        error_description: String,
    }
    let (status, error) = oauth_error(refusal.code());
    let error_description = refusal.for_integrator(Language::English);
    tracing::debug!(error, error_description, "refused");
    let mut response = private_json(status, &Body { error, error_description });
    let headers = response.headers_mut();
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    if matches!(error, "insufficient_scope" | "invalid_token") {
        let scope = refusal.text("scope").map(|scope| format!(", scope=\"{scope}\"")).unwrap_or_default();
        let challenge = challenge(if reader.uses_dpop { "DPoP" } else { "Bearer" }, error, &scope);
        headers.extend(HeaderValue::try_from(challenge).ok().map(|value| (header::WWW_AUTHENTICATE, value)));
    }
    response
}

pub(crate) fn oauth_error(code: Code) -> (StatusCode, &'static str) {
    match code {
        Code::GrantInvalid | Code::AuthorizationCodeInvalid | Code::DeviceCodeInvalid => {
            (StatusCode::BAD_REQUEST, "invalid_grant")
        }
        Code::DevicePending => (StatusCode::BAD_REQUEST, "authorization_pending"),
        Code::DeviceTooFast => (StatusCode::BAD_REQUEST, "slow_down"),
        Code::DeviceDenied => (StatusCode::BAD_REQUEST, "access_denied"),
        Code::DeviceCodeExpired => (StatusCode::BAD_REQUEST, "expired_token"),
        Code::GrantNotAllowed => (StatusCode::BAD_REQUEST, "unauthorized_client"),
        Code::TokenNotRevocable => (StatusCode::BAD_REQUEST, "unsupported_token_type"),
        Code::NotLoggedIn | Code::RegistrationUnauthorized | Code::DpopTokenMisused => {
            (StatusCode::UNAUTHORIZED, "invalid_token")
        }
        Code::ClientMetadataInvalid | Code::SectorInvalid => {
            (StatusCode::BAD_REQUEST, "invalid_client_metadata")
        }
        Code::RedirectUriInvalid => (StatusCode::BAD_REQUEST, "invalid_redirect_uri"),
        Code::TooManyClients => (StatusCode::FORBIDDEN, "access_denied"),
        Code::DpopProofInvalid | Code::DpopCallUnproven => (status_of(code), "invalid_dpop_proof"),
        Code::DpopNonceNeeded | Code::DpopCallNonceNeeded => (status_of(code), "use_dpop_nonce"),
        Code::InsufficientScope | Code::ThirdPartyToken => (StatusCode::FORBIDDEN, "insufficient_scope"),
        Code::TargetInvalid => (StatusCode::BAD_REQUEST, "invalid_target"),
        Code::GrantUnsupported => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        Code::PathUnknown
        | Code::WrongMethod
        | Code::BodySlow
        | Code::BodyTooLarge
        | Code::ContentTypeWrong => (status_of(code), "invalid_request"),
        Code::RequestObjectInvalid => (StatusCode::BAD_REQUEST, "invalid_request_object"),
        Code::RequestObjectUnsupported => (StatusCode::BAD_REQUEST, "request_not_supported"),
        Code::PushedRequestUnknown | Code::RequestUriInvalid => {
            (StatusCode::BAD_REQUEST, "invalid_request_uri")
        }
        Code::RequestUriUnsupported => (StatusCode::BAD_REQUEST, "request_uri_not_supported"),
        // Clients keep their tokens: they hold again once the pool is on.
        Code::PoolOff => (StatusCode::FORBIDDEN, "temporarily_unavailable"),
        Code::TooOften => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
        Code::ClientUnauthorized
        | Code::NothingNamed
        | Code::PoolUnknown
        | Code::ApplicationUnknown
        | Code::NoDefaultApplication
        | Code::Disagreement => (StatusCode::UNAUTHORIZED, "invalid_client"),
        Code::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        code if code.is_internal() => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        _ => (StatusCode::BAD_REQUEST, "invalid_request"),
    }
}
