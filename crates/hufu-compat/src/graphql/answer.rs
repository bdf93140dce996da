//! GraphQL responses: `{data, errors}`, where the message of an error is an object.

use async_graphql::{PathSegment, Pos, ServerError};
use axum::http::StatusCode;
use axum::response::Response;
use hufu_app::Refusal;
use hufu_types::Language;
use hufu_types::refusal::Reason;
use serde::Serialize;

use crate::surface::{self, ApiCode, Reader, private_json};

/// The most errors that are returned. An invalid document can have one error per field.
const ERRORS: usize = 10;
/// The longest error text that is copied from the library, in Unicode code points. It repeats what the client
/// sent.
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

/// The part of an error that the clients read.
#[derive(Serialize)]
struct Message {
    code: u32,
    message: String,
    /// What the client needs to continue, if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<serde_json::Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    request_id: String,
    /// The library's English text about a document that does not match the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Message {
    fn of(refusal: &Refusal, language: Language) -> Self {
        let data = refusal.data().cloned();
        Self { code: refusal.number(), message: refusal.for_integrator(language), data }
    }
}

/// The response to a request that was not executed.
pub(crate) fn refused(refusal: &Refusal, reader: &Reader) -> Response {
    let message = Message::of(refusal, reader.language);
    let fault = Fault { message, locations: vec![], path: vec![], extensions: None };
    private_json(StatusCode::OK, &Answer { data: async_graphql::Value::Null, errors: vec![fault] })
}

/// The response to a request that was executed, or that failed validation.
pub(super) fn executed(response: async_graphql::Response, reader: &Reader) -> Response {
    let errors = response.errors.iter().take(ERRORS);
    let faults: Vec<_> = errors.clone().map(|error| fault(error, reader)).collect();
    // The clients report the last error, and so does the log.
    let code = faults.last().map_or(200, |fault| fault.message.code);
    let answer = private_json(StatusCode::OK, &Answer { data: response.data, errors: faults });
    let refusals = errors.filter_map(|error| error.source::<Refusal>());
    let mut answer = refusals.fold(answer, surface::challenging);
    answer.extensions_mut().insert(ApiCode(code));
    answer
}

fn fault(error: &ServerError, reader: &Reader) -> Fault {
    let unfit;
    let (refusal, detail) = if let Some(refusal) = error.source::<Refusal>() {
        (refusal, None)
    } else {
        unfit = Refusal::invalid("query", Reason::NotInSchema);
        (&unfit, Some(shortened(&error.message)))
    };
    surface::note(refusal);
    let message = Message::of(refusal, reader.language);
    let extensions = Some(Extensions { request_id: reader.request_id.to_string(), detail });
    Fault { message, locations: error.locations.clone(), path: error.path.clone(), extensions }
}

/// Shortens the library's text about a document.
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
