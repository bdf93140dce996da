//! The envelope of the published clients. Every one has both `code` (v2, mobile) and `statusCode` (v3), and HTTP status
//! 200: some clients look at one, some at the other, some at nothing else. [`crate::surface::sdk`] is the same for
//! refusals.

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
    /// With this data.
    pub fn new(data: T) -> Self {
        Self { code: 200, status_code: 200, message: "OK", data: Some(data) }
    }
}

impl Success<()> {
    /// Without data: clients that expect only `{statusCode, message}` hand `data` to their callers.
    pub fn empty() -> Self {
        Self { code: 200, status_code: 200, message: "OK", data: None }
    }
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        // Nearly every answer holds a token or personal data.
        let mut response = private_json(StatusCode::OK, &self);
        response.extensions_mut().insert(ApiCode(200));
        response
    }
}
