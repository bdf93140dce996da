//! Paths that no route has: the verification files of connections, by which WeChat recognizes the owner of this host, and
//! everything that is unknown.

use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use hufu_types::VerificationFile;
use hufu_types::refusal::Code;

use crate::server;
use crate::surface::Refused;

/// `GET /{name}.txt`, on every host that leads here: WeChat follows no redirect.
pub(crate) async fn serve(State(shared): server::State, method: Method, uri: Uri) -> Response {
    let unknown = || Refused::from(Code::PathUnknown).into_response();
    let name = uri.path().trim_start_matches('/');
    if !matches!(method, Method::GET | Method::HEAD) || !VerificationFile::is_name(name) {
        return unknown();
    }
    let config = shared.app.config();
    let Some(file) = config.verification_file(name) else { return unknown() };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (StatusCode::OK, headers, file.content.clone()).into_response()
}
