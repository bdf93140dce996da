//! What is served in plain HTTP beside TLS, at port 80: the answers to the certificate authority, and the way to https.

use axum::Router;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use super::Certificates;
use crate::middleware::no_sniffing;

/// Where the authority looks (RFC 8555 section 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// The router for the plain listener. Everything leads to `origin` (such as `https://id.example.com`), whatever host a
/// request names.
pub fn plain_router(certificates: Certificates, origin: &str) -> Router {
    let origin = origin.to_owned();
    Router::new().fallback(move |method: Method, uri: Uri| {
        let (certificates, origin) = (certificates.clone(), origin.clone());
        async move { no_sniffing(answer(&certificates, &origin, &method, &uri).await) }
    })
}

async fn answer(certificates: &Certificates, origin: &str, method: &Method, uri: &Uri) -> Response {
    let is_reading = matches!(*method, Method::GET | Method::HEAD);
    if is_reading
        && let Some(token) = uri.path().strip_prefix(CHALLENGES)
        && let Some(answer) = certificates.http_answer(token).await
    {
        return ([(CONTENT_TYPE, "application/octet-stream")], answer).into_response();
    }
    // What begins otherwise, such as the `*` of OPTIONS, would become a part of the host.
    let target = uri.path_and_query().map(PathAndQuery::as_str);
    let target = target.filter(|target| target.starts_with('/')).unwrap_or("/");
    let Ok(location) = HeaderValue::from_str(&format!("{origin}{target}")) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    // Whoever sends something else than a question sends it again as it is.
    let status = if is_reading { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT };
    (status, [(LOCATION, location)]).into_response()
}
