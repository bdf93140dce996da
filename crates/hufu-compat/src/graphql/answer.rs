//! The answers: `{data, errors}`, where the message of an error is an object.

use async_graphql::{PathSegment, Pos, ServerError};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use hufu_app::Refusal;
use serde::Serialize;

use super::Refused;
use crate::envelope::ApiCode;
use crate::problem::Failure;
use hufu_types::Language;
use hufu_types::refusal::Reason;

/// Errors told at most; a document that is no document of ours can have one for each field.
const ERRORS: usize = 10;
/// Longest text of the library taken over, in Unicode code points; it repeats what the client sent.
const TEXT: usize = 300;

#[derive(Serialize)]
struct Answer {
    data: async_graphql::Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

#[derive(Serialize)]
struct Fault {
    message: Message,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Pos>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<PathSegment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Extensions>,
}

/// What the clients read of an error.
#[derive(Serialize)]
struct Message {
    code: u32,
    message: String,
    /// What the client goes on with, where it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<serde_json::Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    request_id: String,
    /// What the library says of a document that does not fit the schema, in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Message {
    fn of(failure: &Failure) -> Self {
        Self { code: failure.number(), message: failure.message(), data: failure.data.clone() }
    }
}

impl Answer {
    fn into_response(self) -> Response {
        // The clients report the last error, and so does the log.
        let code = self.errors.last().map_or(200, |fault| fault.message.code);
        let mut response = Json(self).into_response();
        response.extensions_mut().insert(ApiCode(code));
        response
    }
}

/// The answer to a request that was not executed.
pub(super) fn failed(failure: &Failure) -> Response {
    let fault = Fault { message: Message::of(failure), locations: vec![], path: vec![], extensions: None };
    Answer { data: async_graphql::Value::Null, errors: vec![fault] }.into_response()
}

/// The answer to a request that was executed, or that validation stopped.
pub(super) fn executed(response: async_graphql::Response, language: Language, request_id: &str) -> Response {
    let errors = response.errors.into_iter().take(ERRORS);
    let errors = errors.map(|error| fault(error, language, request_id)).collect();
    Answer { data: response.data, errors }.into_response()
}

fn fault(error: ServerError, language: Language, request_id: &str) -> Fault {
    let (message, detail) = if let Some(Refused(failure)) = error.source::<Refused>() {
        (Message::of(failure), None)
    } else {
        let refusal = Refusal::invalid("query", Reason::NotInSchema);
        let failure = Failure::new(refusal, language, request_id.to_owned());
        (Message::of(&failure), Some(shortened(&error.message)))
    };
    let extensions = Some(Extensions { request_id: request_id.to_owned(), detail });
    Fault { message, locations: error.locations, path: error.path, extensions }
}

/// The library's text about a document.
fn shortened(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut short: String = text.chars().take(TEXT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_library_are_shortened() {
        assert_eq!(shortened("Unknown field."), "Unknown field");
        assert_eq!(shortened(&"虎".repeat(1000)).chars().count(), TEXT + 1);
    }
}
