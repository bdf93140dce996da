//! The applications of a pool and their order.

use std::collections::HashSet;

use hufu_types::{
    Application, ApplicationId, ClientSecret, ConnectionId, OpaqueToken, SettingProblem, SigningAlgorithm,
    TokenLifetimes, TokenPurpose, lifetime,
};
use secrecy::ExposeSecret as _;

use super::super::file::{ConnectionReference, DesiredApplication, DesiredPool};
use super::super::plan::PlanAction;
use super::super::{NewClientSecret, PresentPool};
use super::{PoolPlanner, Step, switched};
use crate::configuration::applications::{self, PutApplication};
use crate::digest::hash_token;

/// What a line says of an application that registered itself and is in the file now.
const TAKEN_OVER: &str = "manages itself no longer";
/// What a line says of an application that gets a secret.
const SECRET_MADE: &str = "a client secret is made";

/// The wanted order of a pool's applications: first those in the file, in its order, then the others in their
/// present order. Those that registered themselves, unless the file names them, have no place in it.
pub(super) struct Order<'a> {
    /// The existing applications, in their present order.
    before: Vec<&'a ApplicationId>,
    /// The same applications, in the wanted order.
    after: Vec<&'a ApplicationId>,
    /// The applications that are not in the file.
    pub(super) others: Vec<&'a Application>,
    /// Whether positions are reassigned, because an application is added or the order changes.
    renumber: bool,
}

impl<'a> Order<'a> {
    pub(super) fn new(pool: &'a PresentPool<'_>, desired: &'a DesiredPool) -> Self {
        let in_file = |id: &ApplicationId| desired.applications.iter().any(|desired| desired.id == *id);
        let has_place =
            |present: &&Application| in_file(&present.id) || !pool.registered.contains(&present.id);
        let present: Vec<_> = pool.stored.applications.iter().filter(has_place).collect();
        let is_present = |id: &ApplicationId| present.iter().any(|present| present.id == *id);
        let others: Vec<_> = present.iter().copied().filter(|present| !in_file(&present.id)).collect();
        let kept = desired.applications.iter().map(|desired| &desired.id).filter(|id| is_present(id));
        let after: Vec<_> = kept.chain(others.iter().map(|other| &other.id)).collect();
        let before: Vec<_> = present.iter().map(|present| &present.id).collect();
        let adds = desired.applications.iter().any(|desired| !is_present(&desired.id));
        Self { renumber: adds || before != after, before, after, others }
    }

    /// The position of the application at `index` of the wanted order, which includes new ones.
    fn position(&self, index: usize, present: Option<&Application>) -> i64 {
        match present {
            Some(present) if !self.renumber => present.position,
            _ => i64::try_from(index).unwrap_or(i64::MAX),
        }
    }

    /// Whether an existing application changes its place among the existing ones.
    fn moves(&self, id: &ApplicationId) -> bool {
        let place = |order: &[&ApplicationId]| order.iter().position(|other| *other == id);
        place(&self.before) != place(&self.after)
    }
}

impl PoolPlanner<'_> {
    pub(super) fn applications(&mut self) {
        for (index, desired) in self.desired.applications.iter().enumerate() {
            let stored = &self.present.stored.applications;
            let holder = stored.iter().find(|present| present.id == desired.id);
            if let Some(holder) = self.present.elsewhere.get(&desired.id) {
                let reason = format!(
                    "the application id `{}` is taken in the user pool `{holder}` — choose another id",
                    desired.id
                );
                self.refuse(desired.at, reason);
                continue;
            }
            let mut wanted = Application {
                id: desired.id.clone(),
                pool: self.desired.id.clone(),
                name: desired.name.clone(),
                kind: desired.kind,
                is_default: desired.is_default,
                position: self.order.position(index, holder),
                enabled: desired.enabled,
                connections: self.references(desired),
                signing_algorithm: desired
                    .signing_algorithm
                    .or(holder.map(|present| present.signing_algorithm))
                    .unwrap_or(SigningAlgorithm::Es256),
                lifetimes: self.lifetimes(desired, holder),
                client: desired
                    .client
                    .over(holder.map(|present| present.client.clone().into_inner()).unwrap_or_default())
                    .into(),
                secrets: holder.map(|present| present.secrets.clone()).unwrap_or_default(),
                login: (desired.client.login.as_ref())
                    .or(holder.map(|present| &*present.login))
                    .cloned()
                    .unwrap_or_default()
                    .into(),
                branding: (desired.client.branding.as_ref())
                    .or(holder.map(|present| &*present.branding))
                    .cloned()
                    .unwrap_or_default()
                    .into(),
            };
            let makes_secret = self.secrets(desired, &mut wanted);
            self.check_client(desired, &wanted);
            self.check_resources(desired, &wanted);
            match holder {
                Some(present) => self.application_present(wanted, present, makes_secret),
                None => self.application_new(wanted, makes_secret),
            }
        }
    }

    fn application_new(&mut self, wanted: Application, makes_secret: bool) {
        let mut text = format!("{} ({})", application_label(&wanted), wanted.kind.as_str());
        if makes_secret {
            text = format!("{text}; {SECRET_MADE}");
        }
        self.line(PlanAction::Add, text);
        self.application(wanted);
    }

    fn application_present(&mut self, wanted: Application, present: &Application, makes_secret: bool) {
        let mut changed = applications::differences(present, &wanted, self.order.moves(&wanted.id));
        let mut more = Vec::new();
        if makes_secret {
            changed.retain(|name| *name != "secret");
            more.push(SECRET_MADE);
        }
        more.extend(switched(present.enabled, wanted.enabled));
        let is_taken_over = self.present.registered.contains(&wanted.id);
        if is_taken_over {
            more.push(TAKEN_OVER);
            self.steps.push(Step::TakeOver(wanted.pool.clone(), wanted.id.clone()));
        }
        self.compared(&application_label(&wanted), &changed, &more);
        if wanted != *present {
            self.application(wanted);
        }
    }

    /// Gives an application its secrets. Returns whether one was made.
    fn secrets(&mut self, desired: &DesiredApplication, wanted: &mut Application) -> bool {
        let created_at = self.task.now;
        let stored = |secret: &str| ClientSecret { hash: hash_token(secret), created_at, created_by: None };
        let given = desired.client.secret.as_ref().map(|secret| stored(secret.expose_secret()));
        let (made, application) = (&mut self.secrets, wanted.id.clone());
        applications::settle_secrets(wanted, given, || {
            let secret = OpaqueToken::generate(TokenPurpose::ClientSecret, &*self.task.random);
            let hashed = stored(secret.expose());
            made.push(NewClientSecret { application, secret });
            hashed
        })
    }

    /// Checks what depends on the application as a whole, or on the agreements of the pool.
    fn check_client(&mut self, desired: &DesiredApplication, wanted: &Application) {
        let mut problems = wanted.client_problems();
        if let Some(login) = &desired.client.login {
            let settings = (self.desired.settings.as_ref()).or(self
                .present
                .stored
                .pools
                .first()
                .map(|present| &present.settings));
            let agreements = settings.map(|settings| settings.agreements.as_slice()).unwrap_or_default();
            let unknown = login.unknown_agreements(agreements).into_iter();
            problems.extend(unknown.map(|SettingProblem { path, reason }| SettingProblem {
                path: format!("login.{path}"),
                reason,
            }));
        }
        for SettingProblem { path, reason } in problems {
            let client = &desired.client;
            let at = client.place_of(&path).or_else(|| client.place_of("token_auth")).unwrap_or(desired.at);
            let key = path.split('.').rfind(|part| part.parse::<usize>().is_err()).unwrap_or(&path);
            self.refuse(at, format!("`{key}`: {reason}"));
        }
    }

    /// Checks that no application beside the file's is one of the resources. Those of the file are compared when it is read.
    fn check_resources(&mut self, desired: &DesiredApplication, wanted: &Application) {
        let taken = |resource: &String| {
            self.present.resources.iter().find(|other| other.resources.contains(resource))
        };
        let mut errors = Vec::new();
        for (index, resource) in wanted.client.resources.iter().enumerate() {
            if let Some(other) = taken(resource).filter(|other| other.application != wanted.id) {
                let at = desired.client.place_of(&format!("resources.{index}")).unwrap_or(desired.at);
                let (resource, other, pool) = (resource.escape_debug(), &other.application, &other.pool);
                let reason = format!(
                    "the resource `{resource}` is the application `{other}` of the user pool `{pool}` — take it \
                     out there first, or choose another"
                );
                errors.push((at, reason));
            }
        }
        for (at, reason) in errors {
            self.refuse(at, reason);
        }
    }

    /// Takes resources from the applications that lose them to others of the file, before anyone gets them.
    pub(super) fn freed_resources(&mut self) {
        let task = self.task;
        let all = || task.desired.pools.iter().flat_map(|pool| &pool.applications);
        let gained: HashSet<&String> =
            all().flat_map(|desired| desired.client.resources.iter().flatten()).collect();
        for desired in &self.desired.applications {
            let stored = self.present.stored.applications.iter().find(|present| present.id == desired.id);
            let (Some(present), Some(wanted)) = (stored, &desired.client.resources) else { continue };
            let mut freed = present.clone();
            let moves = |resource: &String| !wanted.contains(resource) && gained.contains(resource);
            freed.client.resources.retain(|resource| !moves(resource));
            if freed.client.resources != present.client.resources {
                self.application(freed);
            }
        }
    }

    fn application(&mut self, application: Application) {
        self.steps.push(Step::Application(Box::new(PutApplication { application, expected: None })));
    }

    /// Resolves the connections of an application, which may be in the file or in the database.
    fn references(&mut self, desired: &DesiredApplication) -> Vec<ConnectionId> {
        let mut connections = Vec::with_capacity(desired.connections.len());
        for ConnectionReference { at, identifier } in &desired.connections {
            let Some((id, kind)) = self.known.get(identifier).cloned() else {
                let reason = format!(
                    "the user pool has no connection `{identifier}`, here or in the database — \
                     add it as [[user_pool.connection]], or take it out of the list"
                );
                self.refuse(*at, reason);
                continue;
            };
            if !desired.kind.may_use(kind) {
                let reason = format!(
                    "an application of type {} cannot use `{identifier}`, which is {} — take it out of the list",
                    desired.kind.as_str(),
                    kind.as_str()
                );
                self.refuse(*at, reason);
            }
            connections.push(id);
        }
        connections
    }

    fn lifetimes(&mut self, desired: &DesiredApplication, present: Option<&Application>) -> TokenLifetimes {
        let base = present.map(|present| present.lifetimes).unwrap_or_default();
        let wanted = desired.lifetimes.over(base);
        if applications::is_session_too_short(wanted) {
            let reason = format!(
                "`session` ({}) is shorter than `user_token` ({}), counting what the file leaves out as it \
                 stands — a session lasts at least as long as its token",
                lifetime::print(wanted.session),
                lifetime::print(wanted.user_token)
            );
            self.refuse(desired.at, reason);
        }
        wanted
    }

    pub(super) fn applications_not_in_file(&mut self) {
        let in_file = &self.desired.applications;
        let file_has_default = in_file.iter().any(|desired| desired.is_default);
        for (index, present) in (in_file.len()..).zip(self.order.others.clone()) {
            let disable = self.task.prune && present.enabled;
            let loses_default = file_has_default && present.is_default;
            let wanted = Application {
                is_default: present.is_default && !loses_default,
                enabled: present.enabled && !disable,
                position: self.order.position(index, Some(present)),
                ..present.clone()
            };
            let label = application_label(present);
            match (disable, loses_default) {
                (true, false) => self.line(PlanAction::Disable, format!("{label}: disabled")),
                (true, true) => {
                    self.line(PlanAction::Disable, format!("{label}: disabled, no longer the default"));
                }
                (false, true) => self.line(PlanAction::Change, format!("{label}: no longer the default")),
                (false, false) => {
                    self.line(PlanAction::LeftAlone, label + if present.enabled { "" } else { ", disabled" });
                }
            }
            if wanted != *present {
                self.application(wanted);
            }
        }
        let is_in_file = |id: &ApplicationId| in_file.iter().any(|desired| desired.id == *id);
        match self.present.registered.iter().filter(|id| !is_in_file(id)).count() {
            0 => {}
            1 => self.line(PlanAction::LeftAlone, "1 application that registered itself".to_owned()),
            many => {
                self.line(PlanAction::LeftAlone, format!("{many} applications that registered themselves"));
            }
        }
    }
}

fn application_label(application: &Application) -> String {
    format!("application {} {}", application.id, application.name)
}
