//! Other processes: starting and stopping them, and measuring the resources they use.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// The unit of times in /proc, which Linux fixes at 10 ms for user space (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// How long a process may take to start or stop.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The `hufu` in the folder of this program, where `cargo build` puts both.
pub(crate) fn hufu_beside_this_program() -> PathBuf {
    let folder = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    folder.unwrap_or_default().join(format!("hufu{}", std::env::consts::EXE_SUFFIX))
}

/// A process that this measurement started. It is stopped when dropped.
pub(crate) struct Process {
    child: Child,
    name: String,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts a process that communicates through its standard input and output.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Process> {
        Process::spawn(name, command.stdin(Stdio::piped()).stdout(Stdio::piped()))
    }

    /// Starts a process that writes to a log.
    pub(crate) fn start_logging(name: &str, command: &mut Command, log: &Path) -> Result<Process> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        Process::spawn(name, command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log))
    }

    fn spawn(name: &str, command: &mut Command) -> Result<Process> {
        let spawned = command.spawn();
        let mut child =
            spawned.with_context(|| format!("starting {name}: {}", command.get_program().display()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Ok(Process { child, name: name.to_owned(), input, output })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Writes a line to the process's input.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("it does not read")?;
        writeln!(input, "{line}")?;
        Ok(input.flush()?)
    }

    /// Ends the process at once (SIGKILL), as a machine that fails does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The next line of the process's output.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.as_mut().context("it writes to a log")?.read_line(&mut line)?;
        ensure!(!line.is_empty(), "{} ended: {}", self.name, self.child.wait()?);
        Ok(line.trim_end().to_owned())
    }

    /// The address that the process prints first.
    pub(crate) fn address(&mut self) -> Result<SocketAddr> {
        let line = self.line()?;
        let address =
            line.strip_prefix("listening ").with_context(|| format!("{} said {line:?}", self.name))?;
        Ok(address.parse()?)
    }

    /// Closes the process's input and waits until it exits.
    pub(crate) fn finish(mut self) -> Result<()> {
        drop(self.input.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }

    /// Asks the process to stop (SIGTERM), as an operator would, and waits.
    pub(crate) fn terminate(mut self) -> Result<()> {
        signal(self.id(), "TERM")?;
        let begin = Instant::now();
        while begin.elapsed() < TIMEOUT {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("{} does not end", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many files and connections a process may have open, if it asks for as many as it may.
pub(crate) fn most_descriptors() -> Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let most = line.and_then(|line| line.split_whitespace().nth(1)).context("no limit of open files")?;
    Ok(most.parse().unwrap_or(usize::MAX))
}

/// The same command, which asks for that many.
pub(crate) fn with_most_descriptors(command: &Command) -> Command {
    let mut asking = Command::new("sh");
    asking.args(["-c", r#"ulimit -n "$(ulimit -H -n)" && exec "$0" "$@""#]).arg(command.get_program());
    asking.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => asking.env(name, value),
            None => asking.env_remove(name),
        };
    }
    asking
}

/// Sends a signal to a process that this one started.
pub(crate) fn signal(process: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status()?;
    ensure!(status.success(), "kill -{name} {process}: {status}");
    Ok(())
}

/// An address of this machine that is currently free.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits until `GET /healthz` responds with 200. Returns the time from `since` until then.
pub(crate) fn first_answer(address: SocketAddr, process: &mut Process, since: Instant) -> Result<Duration> {
    use std::io::Read as _;
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    while since.elapsed() < TIMEOUT {
        if let Some(status) = process.child.try_wait()? {
            bail!("{} ended with {status} before it answered", process.name);
        }
        if let Ok(mut stream) = TcpStream::connect(address) {
            stream.set_nodelay(true)?;
            stream.write_all(request.as_bytes())?;
            let mut answer = [0; 12];
            if stream.read_exact(&mut answer).is_ok() && answer.ends_with(b"200") {
                return Ok(since.elapsed());
            }
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    bail!("{} does not answer", process.name)
}

/// The CPU time that a process has used, user and system.
pub(crate) fn cpu(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field, the name, may contain anything. It ends with the last parenthesis.
    let fields = stat.rsplit_once(')').context("/proc/PID/stat")?.1;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Ok(TICK * ticks.sum::<Result<u32, _>>()?)
}

/// The CPU time of the children of this process.
pub(crate) fn cpu_of_children(parent: u32) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end between the two reads.
        let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) else { continue };
        let is_child = status
            .lines()
            .filter_map(|line| line.strip_prefix("PPid:"))
            .any(|id| id.trim().parse() == Ok(parent));
        if is_child {
            total += cpu(process).unwrap_or_default();
        }
    }
    Ok(total)
}

/// The CPU time that the whole machine has used, including time that the hypervisor took.
pub(crate) fn cpu_of_machine() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields = stat.lines().next().context("/proc/stat")?.split_whitespace().skip(1);
    // user, nice, system, idle, iowait, irq, softirq, steal. Guest times are included in the first two.
    let busy = fields.take(8).enumerate().filter(|(place, _)| !matches!(place, 3 | 4));
    let ticks = busy.map(|(_, ticks)| ticks.parse::<u32>());
    Ok(TICK * ticks.sum::<Result<u32, _>>()?)
}

/// The resident memory of a process in bytes.
pub(crate) fn resident(process: u32) -> Result<u64> {
    memory(process, "VmRSS:")
}

/// The peak resident memory of a process in bytes, as recorded by the kernel.
pub(crate) fn peak_resident(process: u32) -> Result<u64> {
    memory(process, "VmHWM:")
}

fn memory(process: u32, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let line = line.with_context(|| format!("no {field}"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// Samples the memory of a process and keeps the maximum.
pub(crate) struct ResidentPeak {
    peak: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl ResidentPeak {
    /// `measure` is [`resident`], or [`peak_resident`] to include the time before the watch began.
    pub(crate) fn watch(process: u32, measure: fn(u32) -> Result<u64>) -> ResidentPeak {
        let (peak, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (seen, over) = (Arc::clone(&peak), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                seen.fetch_max(measure(process).unwrap_or_default(), Ordering::Relaxed);
                std::thread::sleep(SAMPLE_EVERY);
            }
        });
        ResidentPeak { peak, done, thread }
    }

    pub(crate) fn bytes(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.peak.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hufu_is_found_beside_this_program_from_any_folder() {
        let found = hufu_beside_this_program();
        assert!(found.is_absolute(), "{}", found.display());
        assert_eq!(found.parent(), std::env::current_exe().unwrap().parent());
        assert_eq!(found.file_stem().unwrap(), "hufu");
    }
}
