//! Health, readiness and metrics.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::middleware::no_sniffing;
use crate::server::{Shared, State};
use crate::surface::json;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/healthz", get(health)).route("/readyz", get(readiness))
}

/// The router for the metrics address.
pub fn metrics_router(handle: PrometheusHandle) -> Router {
    let render = move || {
        let handle = handle.clone();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()) }
    };
    Router::new().route("/metrics", get(render)).layer(map_response(async |answer| no_sniffing(answer)))
}

/// Liveness: the process is running.
async fn health() -> &'static str {
    "ok"
}

/// Readiness: the instance can serve, because its database responds.
async fn readiness(axum::extract::State(shared): State) -> Response {
    let warnings = &shared.settings.warnings;
    if shared.app.is_ready().await {
        json(&serde_json::json!({ "status": "ready", "warnings": warnings }))
    } else {
        let body = serde_json::json!({ "status": "the database does not answer", "warnings": warnings });
        (StatusCode::SERVICE_UNAVAILABLE, json(&body)).into_response()
    }
}
