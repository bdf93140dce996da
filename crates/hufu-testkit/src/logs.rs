//! Keeps everything that is logged while the tests run, so that it can be searched.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use aho_corasick::AhoCorasick;
use tokio::sync::Notify;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Everything of Hufu at the most verbose level, and the libraries as in the binary.
const FILTER: &str = "trace,h2=info,hyper=info,hyper_util=info,reqwest=info,rustls=info,sqlx=warn,tower=info";

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static WRITTEN: Notify = Notify::const_new();

/// Starts to keep the log. Further calls do nothing.
pub fn keep() {
    static KEPT: Once = Once::new();
    KEPT.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(FILTER))
            .with_ansi(false)
            .without_time()
            .with_writer(LogCapture)
            .init();
    });
}

/// The number of lines so far.
pub fn mark() -> usize {
    lines(<[String]>::len)
}

/// The lines of the request with this id.
pub fn of_request(id: &str) -> Vec<String> {
    let of_it = |line: &&String| line.contains(id);
    lines(|all| all.iter().filter(of_it).cloned().collect())
}

/// Waits until a request has logged a text.
pub async fn wait_for(id: &str, text: &str) {
    loop {
        let written = WRITTEN.notified();
        if of_request(id).iter().any(|line| line.contains(text)) {
            return;
        }
        written.await;
    }
}

/// Fails if a line since `mark` contains one of these secrets.
pub fn assert_free_of(secrets: &[String], mark: usize) {
    let search = AhoCorasick::new(secrets).unwrap();
    lines(|all| {
        for line in all.get(mark..).unwrap_or_default() {
            if let Some(found) = search.find(line) {
                panic!("{} was logged: {line}", secrets[found.pattern().as_usize()]);
            }
        }
    });
}

fn lines<T>(look: impl FnOnce(&[String]) -> T) -> T {
    look(&LINES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A writer that stores each line.
struct LogCapture;

impl io::Write for LogCapture {
    /// The subscriber writes one line per call.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).into_owned();
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        WRITTEN.notify_waiters();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogCapture {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
