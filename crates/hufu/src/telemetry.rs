//! Logs and metrics of the process.

use std::fmt;

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

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
        Format::Json => builder.json().flatten_event(true).fmt_fields(SpanFields).try_init(),
        Format::Pretty => builder.with_target(false).compact().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}

/// Writes the fields of spans as JSON, as [`JsonFields`] does for what our spans have: texts, numbers, and what is shown. That one makes a map of values first, which was a tenth of
/// what a short request costs, and all but a few requests say nothing to the log.
struct SpanFields;

impl<'w> FormatFields<'w> for SpanFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut written = Fields { writer: writer.by_ref(), before: '{', result: Ok(()) };
        fields.record(&mut written);
        let Fields { before, result, .. } = written;
        result?;
        writer.write_str(if before == '{' { "{}" } else { "}" })
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut all = FormattedFields::<JsonFields>::new(std::mem::take(&mut current.fields));
        let added = JsonFields::new().add_fields(&mut all, fields);
        current.fields = all.fields;
        added
    }
}

/// The fields of a span, as they are written.
struct Fields<'w> {
    writer: Writer<'w>,
    /// What comes before the next one.
    before: char,
    result: fmt::Result,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl fmt::Display) {
        if self.result.is_ok() {
            let name = field.name().trim_start_matches("r#");
            self.result = write!(self.writer, "{}{}:{value}", self.before, Json(name));
            self.before = ',';
        }
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Json(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, serde_json::Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Json(&format!("{value:?}")));
    }
}

/// A text as a JSON string.
struct Json<'t>(&'t str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            write!(f, "\"{}\"", self.0)
        } else {
            f.write_str(&serde_json::to_string(self.0).map_err(|_| fmt::Error)?)
        }
    }
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    /// What is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The span of the one line that is logged, by the formatter of the library and by ours.
    fn spans_of(log: impl Fn()) -> [Value; 2] {
        let (theirs, ours) = (Lines::default(), Lines::default());
        let builder = |lines: &Lines| {
            let lines = lines.clone();
            tracing_subscriber::fmt().with_writer(move || lines.clone()).json().flatten_event(true)
        };
        tracing::subscriber::with_default(builder(&theirs).finish(), &log);
        tracing::subscriber::with_default(builder(&ours).fmt_fields(SpanFields).finish(), &log);
        [theirs, ours].map(|lines| {
            let line: Value = serde_json::from_slice(&lines.0.lock().unwrap()).unwrap();
            json!([line["span"], line["spans"]])
        })
    }

    #[test]
    fn spans_are_written_as_the_library_writes_them() {
        let odd = "\"a\\b\" \n 你好 \u{1}";
        let [theirs, ours] = spans_of(|| {
            let span = tracing::info_span!(
                "request",
                id = odd,
                route = "/a/{b}",
                number = -3,
                count = 7_u64,
                is_so = true,
                share = 0.5,
                shown = %odd,
                debugged = ?Some(odd),
                r#type = "t",
                late = tracing::field::Empty,
            );
            span.record("late", odd);
            let _entered = span.enter();
            let _inner = tracing::info_span!("inner").entered();
            let _innermost = tracing::info_span!("innermost", one = 1).entered();
            tracing::info!("done");
        });
        assert_eq!(theirs, ours);
        assert_eq!(ours[1][0]["id"], odd);
        assert_eq!(ours[1][0]["late"], odd);
    }
}
