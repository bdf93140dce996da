//! `hufu export`

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use hufu_app::transfer::{ExportOptions, Format};

use super::ConfigFlag;
use super::import::{FileFormat, open, progress_line};
use crate::output::{Output, say};

/// Export all users of a pool as JSON Lines, JSON or CSV, so that `hufu import` can restore them exactly.
#[derive(Args)]
pub(crate) struct Export {
    /// The file to write. It must not exist, and is created readable only by its owner. Default: standard
    /// output.
    file: Option<PathBuf>,
    /// The user pool's id.
    #[arg(long)]
    pool: String,
    /// The format. Default: by the file's extension, or JSON Lines without a file.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Include password hashes, so that users keep their passwords.
    #[arg(long)]
    with_hashes: bool,
    #[command(flatten)]
    config: ConfigFlag,
}

impl Export {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let format = match (&self.format, &self.file) {
            (None, None) => Format::JsonLines,
            (asked, file) => FileFormat::of(*asked, file.as_deref())?,
        };
        let (transfer, instance) = open(&self.config, &self.pool).await?;
        let options = ExportOptions { format, with_hashes: self.with_hashes };
        let begun = Instant::now();
        let mut told = begun;
        let mut watch = |count: u64| {
            if told.elapsed() >= Duration::from_secs(1) {
                told = Instant::now();
                progress_line(&format!("{count} users"));
            }
        };
        let count = match &self.file {
            None => transfer.export(&mut Output, options, &mut watch).await?,
            Some(path) => {
                let named = || format!("{} cannot be written", path.display());
                let mut to: BufWriter<File> = BufWriter::new(new_private(path).with_context(named)?);
                let count = transfer.export(&mut to, options, &mut watch).await.with_context(named)?;
                to.flush().with_context(named)?;
                to.get_ref().sync_all().with_context(named)?;
                count
            }
        };
        instance.store.close().await;
        if let Some(path) = &self.file {
            say!("{count} users in {:.1} s: {}", begun.elapsed().as_secs_f64(), path.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Creates the file. It contains personal data, so only its owner can read it. Never overwrites an existing
/// file.
fn new_private(path: &std::path::Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
