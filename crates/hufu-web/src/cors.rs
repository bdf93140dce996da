//! Cross-origin calls from scripts, which the published clients make. CORS is a property of a route. It
//! reflects the origin and allows credentials, because those clients need both. Therefore cookies are removed
//! before the request reaches the handler: whatever the handler may read, a page of another site cannot act
//! as the user whose browser it runs in.
//!
//! The routes of the published clients are open to every origin ([`open`]); those of OpenID Connect to the
//! origins of applications (`to_applications`).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, Method, header};
use axum::routing::MethodRouter;
use tower::util::MapRequestLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use crate::middleware::DPOP_NONCE;
use crate::request::DPOP;
use crate::server::Shared;

/// Response headers that scripts may read, beside those that they always may: what a refusal of DPoP asks for.
const EXPOSED: [HeaderName; 2] = [header::WWW_AUTHENTICATE, DPOP_NONCE];

/// Request headers that the clients send across origins.
const CLIENT_HEADERS: [&str; 12] = [
    "x-authing-app-id",
    "x-authing-userpool-id",
    "x-authing-app-tenant-id",
    "x-authing-device-id",
    "x-authing-lang",
    "x-authing-request-from",
    "x-authing-sdk-version",
    "x-authing-token",
    "x-authing-oauth-accesstoken",
    "x-authing-oauth-code",
    "x-authing-oidc-accesstoken",
    "x-authing-oidc-code",
];

/// Opens a route to scripts of every origin, and removes the cookies from its requests.
pub fn open(route: MethodRouter<Arc<Shared>>) -> MethodRouter<Arc<Shared>> {
    within(route, AllowOrigin::mirror_request())
}

/// Opens a route to scripts of the origins that applications have, and removes the cookies from its requests.
pub(crate) fn to_applications(route: MethodRouter<Arc<Shared>>) -> MethodRouter<Arc<Shared>> {
    within(route, AllowOrigin::predicate(|_, request| request.extensions.get::<KnownOrigin>().is_some()))
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

fn within(route: MethodRouter<Arc<Shared>>, origins: AllowOrigin) -> MethodRouter<Arc<Shared>> {
    route.layer::<_, Infallible>(MapRequestLayer::new(without_cookies)).layer(cors(origins))
}

fn without_cookies(mut request: Request) -> Request {
    request.headers_mut().remove(header::COOKIE);
    request
}

fn cors(origins: AllowOrigin) -> CorsLayer {
    let headers = CLIENT_HEADERS.map(HeaderName::from_static);
    let headers = headers.into_iter().chain([header::AUTHORIZATION, header::CONTENT_TYPE, DPOP]);
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods(AllowMethods::list([Method::GET, Method::POST, Method::DELETE]))
        .allow_headers(AllowHeaders::list(headers))
        .expose_headers(EXPOSED)
        .max_age(Duration::from_secs(600))
}
