//! By what the page sees that something happened.

use std::sync::Arc;

use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use hufu_web::surface::private_json;
use serde::Serialize;

use super::Stage;

#[derive(Serialize)]
struct State {
    /// Differs as soon as the page would.
    state: String,
}

impl Stage {
    /// Differs as soon as the page would.
    pub(super) fn state(&self) -> String {
        let last = self.last_call();
        let message = self.demo.outbox.list().first().map_or(0, |message| message.number);
        format!("{}.{last}.{message}", self.memory.version())
    }
}

/// `GET /dev/state.json`
pub(super) async fn show(Extension(stage): Extension<Arc<Stage>>) -> Response {
    private_json(StatusCode::OK, &State { state: stage.state() })
}
