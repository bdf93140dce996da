//! The response envelope of the published clients. It always has both `code` (v2, mobile) and `statusCode`
//! (v3), and HTTP status 200: some clients look only at one of them, others only at another.
//! [`crate::surface::sdk`] writes refusals in the same envelope.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::surface::{ApiCode, private_json};

/// A success: `{"code":200,"statusCode":200,"message":…,"data":…}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Success<T> {
    code: u16,
    status_code: u16,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
}

impl<T: Serialize> Success<T> {
    /// A success with data.
    pub fn new(data: T) -> Self {
        Self { code: 200, status_code: 200, message: "OK", data: Some(data) }
    }
}

impl Success<()> {
    /// A success without data. Clients that expect only `{statusCode, message}` would pass `data` on to their
    /// callers.
    pub fn empty() -> Self {
        Self { code: 200, status_code: 200, message: "OK", data: None }
    }
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        // Nearly every response contains a token or personal data.
        let mut response = private_json(StatusCode::OK, &self);
        response.extensions_mut().insert(ApiCode(200));
        response
    }
}
