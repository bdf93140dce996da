//! The program as a process that is started, observed, and stopped at the end of its test.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::sync::watch;

/// How long anything may take before a test gives up. Far longer than it takes on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);
/// How soon a server picks up what another process has changed. It checks twice a second; a busy machine is
/// slower.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// The program, without environment variables that would configure it.
pub(crate) fn hufu() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hufu"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HUFU_") {
            command.env_remove(name);
        }
    }
    command
}

/// A process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// What it writes to standard output.
    pub(crate) out: Output,
    /// What it writes to standard error.
    pub(crate) err: Output,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let out = Output::of(child.stdout.take().unwrap());
        let err = Output::of(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// Kills it immediately, whatever it is doing (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, as an operator's service manager does (SIGTERM).
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it exits.
    pub(crate) async fn finish(mut self) -> Ran {
        let (out, err) = (self.out.all().await, self.err.all().await);
        // If it has closed both, it has exited or is about to.
        Ran { code: self.child.wait().unwrap().code(), out, err }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that has exited, with its output.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The standard output. Fails unless the process succeeded.
    #[track_caller]
    pub(crate) fn succeeded(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.out
    }

    /// The error message. Fails unless the process exited with code 1 and printed nothing to standard output.
    #[track_caller]
    pub(crate) fn failed(&self) -> &str {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{self:?}");
        let error = self.err.find("hufu: ").map(|at| &self.err[at + "hufu: ".len()..]);
        error.unwrap_or_else(|| panic!("no error message: {self:?}")).trim_end()
    }
}

/// Lines that a process writes.
pub(crate) struct Output(watch::Receiver<Written>);

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

impl Output {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (written, seen) = watch::channel(Written::default());
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                written.send_modify(|written| written.lines.push(line));
            }
            written.send_modify(|written| written.ended = true);
        });
        Self(seen)
    }

    /// The first line with this text, once it appears.
    pub(crate) async fn line_with(&self, text: &str) -> String {
        let mut seen = self.0.clone();
        let has = |written: &Written| written.lines.iter().any(|line| line.contains(text));
        let seen = tokio::time::timeout(TIMEOUT, seen.wait_for(|written| written.ended || has(written)));
        let written = seen.await.unwrap_or_else(|_| panic!("no line with {text:?}: {:?}", self.lines()));
        let lines = &written.unwrap().lines;
        let line = lines.iter().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("it ended without a line with {text:?}: {lines:?}")).clone()
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().lines.clone()
    }

    /// The whole output, once it is closed.
    async fn all(&self) -> String {
        let mut seen = self.0.clone();
        let ended = tokio::time::timeout(TIMEOUT, seen.wait_for(|written| written.ended)).await;
        assert!(ended.is_ok(), "the process does not end: {:?}", self.lines());
        self.lines().into_iter().flat_map(|line| [line, "\n".to_owned()]).collect()
    }
}
