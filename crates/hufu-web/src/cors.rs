//! Cross-origin calls from scripts, which the published clients make. CORS is a property of a route. It
//! reflects the origin and allows credentials, because those clients need both. Therefore cookies are removed
//! before the request reaches the handler: whatever the handler may read, a page of another site cannot act
//! as the user whose browser it runs in.
//!
//! The routes of the published clients are open to every origin ([`open`]); those of OpenID Connect to the
//! origins of applications (`to_applications`).

//!
//! The headers are written once: every call of a client passes here, so that a layer that puts them together anew each time
//! is felt.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use tower::Service;
use tower::layer::layer_fn;

use crate::server::Shared;

const TRUE: HeaderValue = HeaderValue::from_static("true");
/// Response headers that scripts may read, beside those that they always may: what a refusal of DPoP asks for.
const EXPOSED: HeaderValue = HeaderValue::from_static("www-authenticate,dpop-nonce");
const METHODS: HeaderValue = HeaderValue::from_static("GET,POST,DELETE");
/// Request headers that the clients send across origins.
const CLIENT_HEADERS: HeaderValue = HeaderValue::from_static(
    "x-authing-app-id,x-authing-userpool-id,x-authing-app-tenant-id,x-authing-device-id,x-authing-lang,\
     x-authing-request-from,x-authing-sdk-version,x-authing-token,x-authing-oauth-accesstoken,\
     x-authing-oauth-code,x-authing-oidc-accesstoken,x-authing-oidc-code,authorization,content-type,dpop",
);
/// For how many seconds browsers remember what they may send.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// What an answer depends on, so that caches keep origins apart.
const VARY: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");

/// Opens a route to scripts of every origin, and removes the cookies from its requests.
pub fn open(route: MethodRouter<Arc<Shared>>) -> MethodRouter<Arc<Shared>> {
    within(route, To::Everybody)
}

/// Opens a route to scripts of the origins that applications have, and removes the cookies from its requests.
pub(crate) fn to_applications(route: MethodRouter<Arc<Shared>>) -> MethodRouter<Arc<Shared>> {
    within(route, To::Applications)
}

/// The request is from an origin that an application has.
#[derive(Clone, Copy)]
struct KnownOrigin;

/// Notes whether the origin of a request is one of an application.
pub(crate) fn note_origin(request: &mut Request, shared: &Shared) {
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if origin.is_some_and(|origin| shared.app.config().knows_origin(origin)) {
        request.extensions_mut().insert(KnownOrigin);
    }
}

fn within(route: MethodRouter<Arc<Shared>>, to: To) -> MethodRouter<Arc<Shared>> {
    route.layer::<_, Infallible>(layer_fn(move |inner| Cors { to, inner }))
}

/// To which origins a route is open.
#[derive(Clone, Copy, Debug)]
enum To {
    Everybody,
    Applications,
}

/// A route that is open to scripts of other origins.
#[derive(Clone)]
struct Cors<S> {
    to: To,
    inner: S,
}

impl<S> Service<Request> for Cors<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let is_open = match self.to {
            To::Everybody => true,
            To::Applications => request.extensions().get::<KnownOrigin>().is_some(),
        };
        let origin = request.headers().get(header::ORIGIN).filter(|_| is_open).cloned();
        if request.method() == Method::OPTIONS {
            return Box::pin(ready(Ok(preflight(origin))));
        }
        request.headers_mut().remove(header::COOKIE);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            let headers = answer.headers_mut();
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
            let_in(headers, origin);
            Ok(answer)
        })
    }
}

/// The answer to a browser that asks whether it may send a request.
fn preflight(origin: Option<HeaderValue>) -> Response {
    let mut answer = ().into_response();
    let headers = answer.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, CLIENT_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    let_in(headers, origin);
    answer
}

/// Lets scripts of this origin read an answer, with what the browser knows of the person.
fn let_in(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.append(header::VARY, VARY);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::middleware::DPOP_NONCE;
    use crate::request::DPOP;

    #[test]
    fn the_lists_name_the_headers_of_the_code() {
        let listed =
            |list: &HeaderValue, name: &str| list.to_str().unwrap().split(',').any(|one| one == name);
        assert!(listed(&CLIENT_HEADERS, DPOP.as_str()) && listed(&EXPOSED, DPOP_NONCE.as_str()));
        assert!(listed(&EXPOSED, header::WWW_AUTHENTICATE.as_str()));
        for list in [CLIENT_HEADERS, EXPOSED] {
            let names = list.to_str().unwrap().to_owned();
            assert!(names.split(',').all(|name| name.parse::<axum::http::HeaderName>().is_ok()), "{names}");
        }
    }
}
