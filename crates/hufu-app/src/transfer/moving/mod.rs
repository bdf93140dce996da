//! Moving in from Authing or GenAuth: custom fields, connections, applications and users of a pool there come into a pool
//! here, from the management API or from files with its answers.
//!
//! What is configured comes first, in one unit of work (`configure`), since identities of users need their
//! connections. Users follow in batches of an import (`import`): users and progress are committed together, so
//! that a move that is stopped goes on after the last batch. What is there already is left as it is, so that a second
//! move changes nothing.
//!
//! Nothing is dropped in silence: what could not be taken is a [`Finding`]. Those of users are stored beside the progress,
//! so that the report of a move is whole, however often it was stopped.

mod api;
mod applications;
mod configure;
mod connections;
mod custom_fields;
mod files;
mod limits;
mod people;
mod report;
mod users;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use hufu_connect::guarded::GuardedClient;
use hufu_protocol::sealing::SealingKey;
use hufu_store::StoreError;
use hufu_types::{
    ApplicationId, ClientSecret, ConnectionId, Identifier, ImportId, OpaqueToken, TokenPurpose,
};
use secrecy::SecretString;
use serde_json::Value;

use self::api::Api;
use self::configure::{Configure, Configured, Plan, Stage};
use self::connections::{Names, Sources};
use self::files::Files;
use super::reader::Fields;
use super::{ImportError, Progress, Transfer};
use crate::digest::hash_token;

pub use self::api::{Access, Authentication};
pub(super) use self::report::Remark;
pub use self::report::{Fate, Finding, Kind, ReportWriter, Tally};
pub use self::wire::{ApiError, is_on_this_machine};

/// Where things come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// The management API.
    Api(GuardedClient, Access),
    /// Files with its answers, or exports of users.
    Files(Vec<PathBuf>),
}

/// What to move.
#[derive(Clone, Debug)]
pub struct MoveOptions {
    /// Where it comes from.
    pub from: Origin,
    /// What comes.
    pub only: Vec<Kind>,
    /// Look at everything, and write nothing.
    pub dry_run: bool,
    /// Abandon an unfinished move, and begin with the first user.
    pub start_over: bool,
    /// The Open Platform account of connections that are made.
    pub open_platform: Identifier,
    /// The country code of phone numbers without one.
    pub country_code: String,
}

impl MoveOptions {
    fn takes(&self, kind: Kind) -> bool {
        self.only.contains(&kind)
    }
}

/// What a move did.
#[derive(Debug)]
pub struct Moved {
    /// How many of each kind, in the order in which they come.
    pub tallies: Vec<(Kind, Tally)>,
    /// How often each reason was found, with the words of the first finding.
    pub reasons: BTreeMap<(Kind, String), (u64, String)>,
    /// The import of the users.
    pub import: Option<ImportId>,
    /// How many users earlier runs had finished.
    pub resumed_at: i64,
    /// Whether the list of users had changed since or meanwhile, so that it was read from its beginning again.
    pub restarted: bool,
    /// Whether it changed once more while it was read again, so that somebody may be missing.
    pub is_unsettled: bool,
}

impl Moved {
    /// Whether everything came.
    pub fn is_whole(&self) -> bool {
        !self.is_unsettled && self.tallies.iter().all(|(_, tally)| tally.refused == 0 && tally.not_taken == 0)
    }

    /// Whether everything was there already.
    pub fn changed_nothing(&self) -> bool {
        self.tallies.iter().all(|(_, tally)| tally.created == 0)
    }
}

/// Why a move stopped. What was committed by then stays, and the same command goes on after it.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The API did not give what was asked for.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A file cannot be read.
    #[error("{path}")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: ImportError,
    },
    /// A file's name does not say what it is.
    #[error("{path}: its name does not end in .json, .jsonl or .csv")]
    Ending {
        /// The file.
        path: String,
    },
    /// The users could not be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
}

impl From<StoreError> for MoveError {
    fn from(error: StoreError) -> Self {
        Self::Import(error.into())
    }
}

/// What the other system has besides users.
#[derive(Default)]
struct Answers {
    fields: Vec<Fields>,
    sources: Vec<Fields>,
    applications: Vec<Fields>,
}

/// Where users come from.
enum UserSource<'r> {
    Api(Box<Api<'r>>),
    Files(Files),
}

/// Told of each secret, of each finding, and of progress.
pub struct Watch<'w> {
    /// Called for each client secret that was made, as soon as its application is there. It is told here only.
    pub secret: &'w mut (dyn FnMut(&ApplicationId, &SecretString) + Send),
    /// Called for each finding. Those of users follow when all are there.
    pub finding: &'w mut (dyn FnMut(&Finding) + Send),
    /// Called after each batch of users.
    pub progress: &'w mut (dyn FnMut(&Progress) + Send),
}

/// Counts findings while they pass.
struct Counting<'c, 'w> {
    watch: &'c mut Watch<'w>,
    reasons: BTreeMap<(Kind, String), (u64, String)>,
}

impl Counting<'_, '_> {
    fn pass(&mut self, finding: &Finding) {
        if !finding.reason.is_empty() {
            let key = (finding.kind, finding.reason.clone());
            self.reasons.entry(key).or_insert_with(|| (0, finding.detail.clone())).0 += 1;
        }
        (self.watch.finding)(finding);
    }
}

impl Transfer {
    /// Moves a pool of another system into this pool.
    ///
    /// # Errors
    /// [`MoveError`]
    pub async fn move_in(
        &self,
        sealing: &Arc<SealingKey>,
        options: &MoveOptions,
        mut watch: Watch<'_>,
    ) -> Result<Moved, MoveError> {
        self.check_pool()?;
        let clock = self.clock.clone();
        let (mut source, answers) = match &options.from {
            Origin::Api(http, access) => {
                let api = Api::new(http.clone(), access.clone(), move || clock.now(), &*self.random)?;
                let mut api = Box::new(api);
                let answers = ask(&mut api, options).await?;
                (UserSource::Api(api), answers)
            }
            Origin::Files(paths) => {
                let (files, answers) = Files::open(paths)?;
                (UserSource::Files(files), answers)
            }
        };
        let (plan, mut names, mut findings) = self.plan(&answers, options);
        drop(answers);
        let Configured { findings: found, connections, unusable, settings, secrets } =
            self.configure(sealing, plan, options.dry_run).await?;
        if !options.dry_run {
            // Before anything else, as whatever stops the rest would lose them.
            for (application, secret) in &secrets {
                (watch.secret)(application, secret);
            }
        }
        findings.extend(found);
        findings.retain(|finding| {
            options.takes(match finding.kind {
                Kind::Source => Kind::Connection,
                kind => kind,
            })
        });
        names.connections.retain(|id, _| !unusable.contains(id));
        let mut counting = Counting { watch: &mut watch, reasons: BTreeMap::new() };
        for finding in &findings {
            counting.pass(finding);
        }
        let kinds = [Kind::Field, Kind::Source, Kind::Connection, Kind::Application];
        let tallies = kinds.into_iter().map(|kind| (kind, Tally::of(kind, &findings))).collect();
        let mut moved = Moved {
            tallies,
            reasons: BTreeMap::new(),
            import: None,
            resumed_at: 0,
            restarted: false,
            is_unsettled: false,
        };
        if options.takes(Kind::User) {
            let people = people::People { transfer: self, options, names, connections, settings };
            people.run(&mut source, &mut counting, &mut moved).await?;
        }
        moved.reasons = counting.reasons;
        Ok(moved)
    }

    /// What is to be made, what has which name, and what is known already not to come.
    fn plan(&self, answers: &Answers, options: &MoveOptions) -> (Plan, Names, Vec<Finding>) {
        let make_id = || ConnectionId::generate(self.clock.now(), &*self.random);
        let mut sources = Sources::default();
        for source in &answers.sources {
            sources.read(source, &options.open_platform, &make_id);
        }
        let Sources { connections, names, mut findings } = sources;
        let mut plan = Plan {
            pool: self.pool.clone(),
            fields: Vec::new(),
            connections,
            makes_connections: options.takes(Kind::Connection),
            applications: Vec::new(),
        };
        if options.takes(Kind::Field) {
            for field in answers.fields.iter().filter_map(custom_fields::read) {
                match field {
                    Ok(field) => plan.fields.push(field),
                    Err(finding) => findings.push(finding),
                }
            }
        }
        let make_secret = || {
            let secret = OpaqueToken::generate(TokenPurpose::ClientSecret, &*self.random);
            let created_at = self.clock.now();
            let stored = ClientSecret { hash: hash_token(secret.expose()), created_at, created_by: None };
            (SecretString::from(secret.expose()), stored)
        };
        if options.takes(Kind::Application) {
            for application in &answers.applications {
                match applications::read(application, &make_secret) {
                    Ok(application) => plan.applications.push(application),
                    Err(finding) => findings.push(finding),
                }
            }
        }
        (plan, names, findings)
    }

    async fn configure(
        &self,
        sealing: &Arc<SealingKey>,
        plan: Plan,
        is_rehearsal: bool,
    ) -> Result<Configured, StoreError> {
        let stage = is_rehearsal.then(Stage::default);
        let unit = Configure {
            plan: Arc::new(plan),
            sealing: sealing.clone(),
            random: self.random.clone(),
            trace: self.trace(),
            stage: stage.clone(),
        };
        let staged = || {
            let mut stage = stage.as_ref()?.lock().ok()?;
            stage.take()
        };
        match self.store.write(unit).await {
            Err(StoreError::Rehearsed) => staged().ok_or(StoreError::Rehearsed),
            other => other,
        }
    }
}

/// Asks for what is to be moved, and for the sources, by whose ids identities name their connections.
async fn ask(api: &mut Api<'_>, options: &MoveOptions) -> Result<Answers, ApiError> {
    let mut answers = Answers::default();
    if options.takes(Kind::Field) {
        answers.fields = api.custom_fields().await?;
    }
    answers.sources = api.sources().await?;
    if options.takes(Kind::Application) {
        answers.applications = api.applications().await?;
    }
    Ok(answers)
}

/// The text of a member, if it has one.
fn text<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}
