//! Streams of events (server-sent events of the HTML standard): answers that are meant to last, and to be quiet.

use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use futures::StreamExt as _;

use super::activity::Running;
use super::{Closing, closed};

/// The answer. If it is a stream of events, it ends when the listener stops, and its request is under way until then.
pub(super) fn ending_with(answer: Response, mut closing: Closing, running: Option<Running>) -> Response {
    let is_stream =
        answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    if !is_stream {
        return answer;
    }
    answer.map(|body| {
        let closing = Box::pin(async move { closed(&mut closing).await });
        Body::from_stream(body.into_data_stream().take_until(closing).map(move |piece| {
            let _under_way = &running;
            piece
        }))
    })
}
