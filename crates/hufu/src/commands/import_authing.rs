//! `hufu import authing`

use std::fs::File;
use std::io::{self, BufWriter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use hufu_app::connect::guarded::{GuardedClient, Settings};
use hufu_app::transfer::Progress;
use hufu_app::transfer::moving::{
    Access, Authentication, Finding, Kind, MoveOptions, Moved, Origin, ReportWriter, Tally, Watch,
    is_on_this_machine,
};
use hufu_types::{ApplicationId, Identifier};
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};

use super::ConfigFlag;
use super::import::{Meter, open};
use crate::output::say;

/// The exit code if something did not come.
const NOT_WHOLE: u8 = 2;
/// The environment variable that holds the secret of the access key, if no file does.
const SECRET: &str = "HUFU_IMPORT_ACCESS_KEY_SECRET";
/// The pause before a request is sent again.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// See the command's help.
#[derive(Args)]
pub(super) struct Authing {
    /// The id of the user pool here that everything moves into.
    #[arg(long)]
    pool: String,
    /// The address of the management API. GenAuth's is at api.genauth.ai; an instance of your own has its own.
    #[arg(long, default_value = "https://api.authing.cn")]
    host: String,
    /// The id of the access key: that of the user pool there, or of a key made in its console.
    #[arg(long, value_name = "ID", required_unless_present = "file", conflicts_with = "file")]
    access_key: Option<String>,
    /// The file with the secret of the access key. Without it, HUFU_IMPORT_ACCESS_KEY_SECRET holds the secret.
    #[arg(long, value_name = "FILE")]
    access_key_secret_file: Option<PathBuf>,
    /// How requests say who sends them.
    #[arg(long, value_enum, default_value = "signature")]
    auth: Auth,
    /// Read this file instead of the API: saved answers, or an export of users. Can be given several times.
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// What comes; everything, if this is not given.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Look at everything, write nothing, and say what would come and what will be different.
    #[arg(long)]
    dry_run: bool,
    /// Write what became of each thing to this file: CSV, or JSON if its name ends in .json.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Abandon an unfinished move, and begin with the first user.
    #[arg(long)]
    start_over: bool,
    /// The name of the Open Platform account of the connections that are made.
    #[arg(long, value_name = "NAME", default_value = "default")]
    open_platform: String,
    /// The country code of phone numbers without one.
    #[arg(long, value_name = "CODE", default_value = "86")]
    phone_country_code: String,
    #[command(flatten)]
    config: ConfigFlag,
}

#[derive(Clone, Copy, ValueEnum)]
enum Auth {
    /// Each request is signed, as by the published clients of today.
    Signature,
    /// Each request carries a management token, as by those before.
    Token,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Custom fields of users.
    Fields,
    /// Connections to identity sources.
    Connections,
    /// Applications.
    Applications,
    /// Users with their identities.
    Users,
}

impl Part {
    const fn kind(self) -> Kind {
        match self {
            Self::Fields => Kind::Field,
            Self::Connections => Kind::Connection,
            Self::Applications => Kind::Application,
            Self::Users => Kind::User,
        }
    }
}

type Writer = ReportWriter<BufWriter<File>>;

impl Authing {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let options = self.options()?;
        let (transfer, instance) = open(&self.config, &self.pool).await?;
        let mut report = self.open_report()?;
        let mut failed = None;
        let mut finding = |finding: &Finding| {
            if failed.is_none()
                && let Some(report) = &mut report
            {
                failed = report.line(finding).err();
            }
        };
        let mut meter = Meter::new();
        let mut progress = |progress: &Progress| meter.show(progress);
        let mut secret = |application: &ApplicationId, secret: &SecretString| {
            say!("New client secret of {application}, shown only here: {}", secret.expose_secret());
        };
        let watch = Watch { secret: &mut secret, finding: &mut finding, progress: &mut progress };
        let moved = transfer.move_in(&instance.sealing, &options, watch).await;
        instance.store.close().await;
        let moved = moved?;
        self.close_report(report, failed, &moved)?;
        self.summarize(&moved);
        Ok(if moved.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(NOT_WHOLE) })
    }

    fn options(&self) -> anyhow::Result<MoveOptions> {
        let only = match self.only.as_slice() {
            [] => vec![Kind::Field, Kind::Connection, Kind::Application, Kind::User],
            parts => parts.iter().map(|part| part.kind()).collect(),
        };
        Ok(MoveOptions {
            from: self.origin()?,
            only,
            dry_run: self.dry_run,
            start_over: self.start_over,
            open_platform: Identifier::parse(&self.open_platform).context("--open-platform")?,
            country_code: self.phone_country_code.clone(),
        })
    }

    fn origin(&self) -> anyhow::Result<Origin> {
        let Some(key_id) = &self.access_key else { return Ok(Origin::Files(self.file.clone())) };
        let config = self.config.read()?;
        let mut private = config.outgoing_private.clone();
        if is_on_this_machine(&self.host) {
            private.extend([
                IpNet::from(IpAddr::from(Ipv4Addr::LOCALHOST)),
                IpAddr::from(Ipv6Addr::LOCALHOST).into(),
            ]);
        }
        let settings = Settings {
            private: private.into(),
            timeout: config.limits.import_answer_time,
            max_response_bytes: config.limits.import_answer_bytes,
            ..Settings::default()
        };
        let access = Access {
            host: self.host.clone(),
            key_id: key_id.clone(),
            secret: self.secret()?,
            authentication: match self.auth {
                Auth::Signature => Authentication::Signature,
                Auth::Token => Authentication::Token,
            },
            pause: PAUSE,
        };
        Ok(Origin::Api(GuardedClient::new(settings).context("HTTP cannot be used")?, access))
    }

    /// The secret of the access key. It is never on the command line, which other users of the machine can see.
    fn secret(&self) -> anyhow::Result<SecretString> {
        let text = match &self.access_key_secret_file {
            Some(path) => SecretString::from(
                std::fs::read_to_string(path)
                    .with_context(|| format!("{} cannot be read", path.display()))?,
            ),
            None => match std::env::var(SECRET) {
                Ok(text) => SecretString::from(text),
                Err(_) => bail!(
                    "the secret of the access key is missing: --access-key-secret-file FILE, or {SECRET}"
                ),
            },
        };
        let secret = text.expose_secret().trim();
        if secret.is_empty() {
            bail!("the secret of the access key is empty");
        }
        Ok(SecretString::from(secret))
    }

    fn open_report(&self) -> anyhow::Result<Option<Writer>> {
        let Some(path) = &self.report else { return Ok(None) };
        let named = || format!("{} cannot be written", path.display());
        let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let to = BufWriter::new(File::create(path).with_context(named)?);
        ReportWriter::begin(to, is_json).with_context(named).map(Some)
    }

    fn close_report(
        &self,
        report: Option<Writer>,
        failed: Option<io::Error>,
        moved: &Moved,
    ) -> anyhow::Result<()> {
        let (Some(path), Some(report)) = (&self.report, report) else { return Ok(()) };
        let ended = failed.map_or_else(|| report.end(&moved.tallies, self.dry_run), Err);
        ended.with_context(|| format!("{} cannot be written", path.display()))
    }

    fn summarize(&self, moved: &Moved) {
        if moved.resumed_at > 0 {
            say!("Resumed after user {}, where the move had stopped.", moved.resumed_at);
        }
        if moved.restarted {
            say!(
                "The list of users has changed there before the move was finished, so it was read from its beginning."
            );
        }
        if moved.is_unsettled {
            say!("It has changed once more meanwhile: run the same command again for whoever was missed.");
        }
        let made = if self.dry_run { "would be created" } else { "created" };
        for (kind, tally) in &moved.tallies {
            let Tally { created, left, refused, not_taken } = tally;
            if *tally == Tally::default() && (*kind == Kind::Source || !self.is_asked_for(*kind)) {
                continue;
            }
            let mut line = format!("{:14}{created} {made}, {left} there already", plural(*kind));
            for (count, what) in [(refused, "refused"), (not_taken, "not taken")] {
                if *count > 0 {
                    line = format!("{line}, {count} {what}");
                }
            }
            say!("{line}");
        }
        self.say_reasons(moved);
        if !self.file.is_empty() || !self.is_asked_for(Kind::User) {
            // Files may have password hashes.
        } else {
            say!(
                "The API gives no password hashes: people log in through WeChat or by code, and can set a password."
            );
        }
        if let Some(report) = &self.report {
            say!("Report: {}", report.display());
        }
        match (self.dry_run, moved.changed_nothing()) {
            (true, _) => say!("Dry run: nothing was changed."),
            (false, true) => say!("Nothing was changed: whatever can come is there already."),
            (false, false) => {}
        }
    }

    fn is_asked_for(&self, kind: Kind) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| part.kind() == kind)
    }

    fn say_reasons(&self, moved: &Moved) {
        if moved.reasons.is_empty() {
            return;
        }
        say!("What is different, or did not come:");
        for ((kind, reason), (count, detail)) in &moved.reasons {
            let what = if *count == 1 { kind.as_str() } else { plural(*kind) };
            say!("  {count} {what}: {reason}, for example: {detail}");
        }
        if self.report.is_none() {
            say!("To see all of it, add --report FILE.");
        }
    }
}

const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Field => "custom fields",
        Kind::Source => "sources",
        Kind::Connection => "connections",
        Kind::Application => "applications",
        Kind::User => "users",
    }
}
