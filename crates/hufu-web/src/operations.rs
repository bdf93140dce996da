//! Health, readiness and metrics.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hufu_app::App;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::middleware::no_sniffing;
use crate::server::{Shared, State, WebSettings};
use crate::surface::json;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    let ready = async |axum::extract::State(shared): State| readiness(&shared.app, &shared.settings).await;
    Router::new().route("/healthz", get(health)).route("/readyz", get(ready))
}

/// The router for the metrics address. Health and readiness are there too, since without a certificate nobody can ask for
/// them elsewhere.
pub fn metrics_router(handle: PrometheusHandle, app: Arc<App>, settings: WebSettings) -> Router {
    let ready = move || {
        let (app, settings) = (Arc::clone(&app), settings.clone());
        async move { readiness(&app, &settings).await }
    };
    let render = move || {
        let handle = handle.clone();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()) }
    };
    let routes = Router::new().route("/metrics", get(render)).route("/healthz", get(health));
    routes.route("/readyz", get(ready)).layer(map_response(async |answer| no_sniffing(answer)))
}

/// Liveness: the process is running.
async fn health() -> &'static str {
    "ok"
}

/// Readiness: the instance can serve, because its database responds and there is a certificate if it speaks TLS.
async fn readiness(app: &App, settings: &WebSettings) -> Response {
    let status = if !app.is_ready().await {
        "the database does not answer"
    } else if settings.certificates.as_ref().is_some_and(|certificates| !certificates.are_there()) {
        "there is no certificate yet"
    } else {
        "ready"
    };
    let code = if status == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, json(&serde_json::json!({ "status": status, "warnings": settings.warnings }))).into_response()
}
