//! `hufu import`

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use hufu_app::transfer::{
    self, Format, ImportError, ImportOptions, OnExisting, Progress, RefusedRow, Summary, Transfer,
};

use super::ConfigFlag;
use super::import_authing::Authing;
use crate::instance::Instance;
use crate::output::{print_error, say};

/// The exit code if some rows were refused and all others were imported.
const SOME_REFUSED: u8 = 2;
/// How often progress is printed.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Import users from a file: JSON, JSON Lines or CSV, with ids, password hashes and identities. A row that
/// cannot be imported is reported, and the import continues. If the import is interrupted, the same command
/// resumes it. It can run while the server is running. Exit code 0: all rows were imported; 2: some were
/// refused; 1: the import did not finish.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Import {
    #[command(subcommand)]
    from: Option<From>,
    #[command(flatten)]
    users: Users,
}

/// Other systems.
#[derive(Subcommand)]
enum From {
    /// Move in from Authing or GenAuth: users with their identities, applications, connections and custom fields, from
    /// the management API or from files with its answers. If it is interrupted, the same command goes on where it was.
    /// Exit code 0: everything came; 2: the report names what did not; 1: it did not finish.
    Authing(Authing),
}

/// A file of users.
#[derive(Args)]
struct Users {
    /// The file to import, in UTF-8.
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// The user pool's id.
    #[arg(long, required = true)]
    pool: Option<String>,
    /// The format. Default: by the file's extension.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// What to do with a row whose user is already in the pool.
    #[arg(long, value_enum, default_value = "refuse")]
    on_existing: Existing,
    /// Check every row and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write the number and reason of each refused row to this CSV file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The country code of phone numbers without one, such as 86.
    #[arg(long, value_name = "CODE")]
    phone_country_code: Option<String>,
    /// Ignore unknown fields instead of refusing them.
    #[arg(long)]
    ignore_unknown: bool,
    /// Abandon an unfinished import of this file, and start with the first row.
    #[arg(long)]
    start_over: bool,
    #[command(flatten)]
    config: ConfigFlag,
}

/// The format of a file of users.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum FileFormat {
    /// An array of objects.
    Json,
    /// One object per line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

#[derive(Clone, Copy, ValueEnum)]
enum Existing {
    /// Refuse it.
    Refuse,
    /// Skip it.
    Skip,
}

impl FileFormat {
    /// The requested format, or the one of the file's extension.
    pub(super) fn of(asked: Option<Self>, file: Option<&Path>) -> anyhow::Result<Format> {
        if let Some(asked) = asked {
            return Ok(match asked {
                Self::Json => Format::Json,
                Self::Jsonl => Format::JsonLines,
                Self::Csv => Format::Csv,
            });
        }
        let ending = file.and_then(Path::extension).and_then(|ending| ending.to_str());
        ending
            .and_then(Format::parse)
            .context("the file's extension is not .json, .jsonl or .csv; set the format with --format")
    }
}

impl Import {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.from {
            Some(From::Authing(command)) => command.run().await,
            None => self.users.run().await,
        }
    }
}

impl Users {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let (Some(source), Some(pool)) = (&self.file, &self.pool) else {
            bail!("a file and --pool are needed")
        };
        let format = FileFormat::of(self.format, Some(source))?;
        let name = source.display().to_string();
        let file = File::open(source).with_context(|| format!("{name} cannot be read"))?;
        let path = source.canonicalize().with_context(|| format!("{name} cannot be read"))?;
        let (transfer, instance) = open(&self.config, pool).await?;
        let options = ImportOptions {
            format,
            file_name: path.display().to_string(),
            on_existing: match self.on_existing {
                Existing::Refuse => OnExisting::Refuse,
                Existing::Skip => OnExisting::Skip,
            },
            dry_run: self.dry_run,
            start_over: self.start_over,
            country_code: self.phone_country_code.clone(),
            ignore_unknown: self.ignore_unknown,
        };
        let mut meter = Meter::new();
        let mut report = self.report_of_dry_run()?;
        let mut watch = |progress: &Progress, refused: &[RefusedRow]| {
            meter.show(progress);
            if let Some((_, writing)) = &mut report
                && let Ok(to) = writing
                && let Err(error) = transfer::report_lines(to, refused)
            {
                *writing = Err(error);
            }
        };
        let summary = match transfer.import(file, &options, &mut watch).await {
            Ok(summary) => summary,
            Err(ImportError::Changed { rows }) => bail!(
                "an import of {name} stopped after {rows} rows, and the file has changed since; finish it with the \
                 original file, or add --start-over (rows already imported are then refused, or skipped with \
                 --on-existing skip)"
            ),
            Err(error) => return Err(anyhow::Error::new(error).context(name)),
        };
        if let Some((path, writing)) = report {
            let named = || format!("{} cannot be written", path.display());
            writing.and_then(|mut to| to.flush()).with_context(named)?;
        }
        self.write_report(&transfer, &summary).await?;
        instance.store.close().await;
        self.summarize(&summary, meter.begun.elapsed());
        if meter.hashed > 0 {
            say!(
                "{} plain-text passwords were hashed, which took most of the time; passwordHash avoids that.",
                meter.hashed
            );
        }
        Ok(if summary.counts.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(SOME_REFUSED) })
    }

    /// Opens the report of a dry run. It is written row by row, because a dry run stores nothing from which
    /// it could be written at the end.
    #[expect(clippy::type_complexity, reason = "a file and the result of writing to it")]
    fn report_of_dry_run(&self) -> anyhow::Result<Option<(&Path, std::io::Result<BufWriter<File>>)>> {
        let Some(path) = self.report.as_deref().filter(|_| self.dry_run) else { return Ok(None) };
        let named = || format!("{} cannot be written", path.display());
        let mut to = BufWriter::new(File::create(path).with_context(named)?);
        transfer::begin_report(&mut to).with_context(named)?;
        Ok(Some((path, Ok(to))))
    }

    async fn write_report(&self, transfer: &Transfer, summary: &Summary) -> anyhow::Result<()> {
        let (Some(path), Some(import)) = (&self.report, &summary.import) else { return Ok(()) };
        let named = || format!("{} cannot be written", path.display());
        let mut to = BufWriter::new(File::create(path).with_context(named)?);
        transfer.report(import, &mut to).await.with_context(named)?;
        to.flush().with_context(named)
    }

    fn summarize(&self, summary: &Summary, took: Duration) {
        let Summary { import, counts, resumed_at } = summary;
        if *resumed_at > 0 {
            say!("Resumed after row {resumed_at}, where the import had stopped.");
        }
        let verb = if self.dry_run { "would be imported" } else { "imported" };
        let rate = per_second(counts.rows - resumed_at, took);
        say!(
            "{} rows in {:.1} s ({rate} rows/s): {} {verb}, {} skipped, {} refused.",
            counts.rows,
            took.as_secs_f64(),
            counts.created,
            counts.skipped,
            counts.refused
        );
        match (&self.report, counts.refused) {
            (_, 0) => {}
            (Some(report), _) => say!("Refused rows with reasons: {}", report.display()),
            (None, _) if self.dry_run => say!("To see the reasons, add --report FILE."),
            (None, _) => {
                let import = import.as_ref().map(hufu_types::ImportId::as_str).unwrap_or_default();
                say!(
                    "The reasons are in the table import_refusals under {import}; --report FILE writes them to a file."
                );
            }
        }
        if self.dry_run {
            say!("Dry run: nothing was changed.");
        }
    }
}

/// Opens an instance to import users into a pool, or to export them.
pub(super) async fn open(config: &ConfigFlag, pool: &str) -> anyhow::Result<(Transfer, Instance)> {
    let config = config.read()?;
    let pool = hufu_types::PoolId::parse(pool).context("--pool")?;
    let instance = Instance::open(&config.database, &config.key).await?;
    let stored = instance.store.read(hufu_store::config::ReadConfig).await?;
    let stored = std::sync::Arc::new(hufu_app::Config::unseal(stored, &instance.sealing));
    let (clock, random) = (instance.clock.clone(), instance.random.clone());
    let transfer = Transfer::of_command(instance.store.clone(), stored, config.limits, clock, random, pool);
    Ok((transfer, instance))
}

/// Progress on standard error: one line that is overwritten on a terminal, otherwise one line per second.
pub(super) struct Meter {
    begun: Instant,
    last: Option<Instant>,
    hashed: i64,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), last: None, hashed: 0 }
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        self.hashed = progress.hashed;
        let last = *self.last.get_or_insert(self.begun);
        if last.elapsed() < PROGRESS_INTERVAL {
            return;
        }
        self.last = Some(Instant::now());
        let (counts, took) = (progress.counts, self.begun.elapsed());
        let rate = per_second(counts.rows - progress.resumed_at, took);
        let left = match (progress.bytes, progress.of_bytes.saturating_sub(progress.bytes)) {
            (0, _) => String::new(),
            #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
            (done, left) => format!(", {:.0} s left", took.as_secs_f64() * left as f64 / done as f64),
        };
        progress_line(&format!("{} rows, {rate} rows/s, {} refused{left}", counts.rows, counts.refused));
    }
}

/// Prints progress to standard error, separate from the command's output.
pub(super) fn progress_line(line: &str) {
    if std::io::stderr().is_terminal() {
        print_error(&format_args!("\r\x1b[K{line}"));
    } else {
        print_error(&format_args!("{line}\n"));
    }
}

fn per_second(rows: i64, took: Duration) -> u64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    {
        (rows as f64 / took.as_secs_f64().max(0.001)) as u64
    }
}
