//! The answers: `{data, errors}`, where the message of an error is an object.

use async_graphql::{PathSegment, Pos, ServerError};
use axum::response::Response;
use hufu_app::Refusal;
use hufu_types::Language;
use hufu_types::refusal::Reason;
use serde::Serialize;

use crate::surface::{self, ApiCode, Reader, json};

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
    fn of(refusal: &Refusal, language: Language) -> Self {
        let data = refusal.data().cloned();
        Self { code: refusal.number(), message: refusal.for_integrator(language), data }
    }
}

/// The answer to a request that was not executed.
pub(crate) fn refused(refusal: &Refusal, reader: &Reader) -> Response {
    let message = Message::of(refusal, reader.language);
    let fault = Fault { message, locations: vec![], path: vec![], extensions: None };
    json(&Answer { data: async_graphql::Value::Null, errors: vec![fault] })
}

/// The answer to a request that was executed, or that validation stopped.
pub(super) fn executed(response: async_graphql::Response, reader: &Reader) -> Response {
    let errors = response.errors.into_iter().take(ERRORS);
    let errors: Vec<_> = errors.map(|error| fault(error, reader)).collect();
    // The clients report the last error, and so does the log.
    let code = errors.last().map_or(200, |fault| fault.message.code);
    let mut response = json(&Answer { data: response.data, errors });
    response.extensions_mut().insert(ApiCode(code));
    response
}

fn fault(error: ServerError, reader: &Reader) -> Fault {
    let unfit;
    let (refusal, detail) = if let Some(refusal) = error.source::<Refusal>() {
        (refusal, None)
    } else {
        unfit = Refusal::invalid("query", Reason::NotInSchema);
        (&unfit, Some(shortened(&error.message)))
    };
    surface::note(refusal);
    let message = Message::of(refusal, reader.language);
    let extensions = Some(Extensions { request_id: reader.request_id.clone(), detail });
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
