//! Logs and metrics of the process.

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// The format of logs.
pub(crate) enum Format {
    /// For machines: one JSON object per line, on standard error.
    Json,
    /// For a person at a terminal.
    Pretty,
}

/// Starts logging.
pub(crate) fn start_logging(log: &Log, format: &Format) -> anyhow::Result<()> {
    // Below info, libraries print what they send and receive, which must not be logged.
    let quiet = "h2=info,hyper=info,hyper_util=info,reqwest=info,rustls=info,sqlx=warn,tower=info";
    let filter = EnvFilter::try_new(format!("{},{quiet}", log.0))
        .with_context(|| format!("log is not a filter such as info or hufu=debug: {}", log.0))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Pretty => builder.with_target(false).compact().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}

/// Bounds of the histogram of request durations, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 8.0];
/// Bounds of the histogram of units per commit.
const BATCHES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Starts counting.
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_batch_size".to_owned()), &BATCHES)?
        .install_recorder()
        .context("metrics cannot start")
}
