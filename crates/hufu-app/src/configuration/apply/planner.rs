//! Computes what has to change so that the database matches the file. A pure comparison.

mod applications;
mod scopes;
mod senders;

use std::collections::{HashMap, HashSet};

use hufu_store::config::StoredConnection;
use hufu_types::{
    ApplicationId, Branding, ConnectionId, ConnectionKind, Identifier, PoolId, PoolSettings, User, UserId,
};

use self::applications::Order;
use super::file::{DesiredConnection, DesiredPool, DesiredUser, FileError, FileErrors, Position};
use super::plan::{Line, Plan, PlanAction, PoolPlan};
use super::users::{Found, Match};
use super::{NewClientSecret, PresentPool, Task, UserIndex, users};
use crate::configuration::applications::PutApplication;
use crate::configuration::change::{NEW_APP, Operation as _};
use crate::configuration::connections::{PutConnection, WantedConnection};
use crate::configuration::pools::{self, PutPool};
use crate::configuration::senders::{PutSender, RemoveSender};

/// What a line says of a disabled object that the file names.
const ENABLED_AGAIN: &str = "enabled again";

/// A plan, and the steps that carry it out, in order.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) steps: Vec<Step>,
    /// The client secrets that the steps store hashes of.
    pub(super) secrets: Vec<NewClientSecret>,
}

/// One write.
pub(super) enum Step {
    Pool(PutPool),
    Connection(PutConnection),
    /// Takes the name of a verification file from a connection whose own step follows.
    FreeFile(PoolId, ConnectionId),
    Application(Box<PutApplication>),
    /// An application that registered itself is the file's from now on.
    TakeOver(PoolId, ApplicationId),
    Sender(PutSender),
    NoSender(RemoveSender),
    /// With the user's position in the file, to find the password.
    InsertUser(Box<User>, UserIndex),
}

impl Step {
    /// The pool whose configuration changes, so that nodes have to reread it.
    pub(super) fn changes_configuration_of(&self) -> Option<&PoolId> {
        match self {
            Self::Pool(pool) => Some(pool.pool()),
            Self::Connection(connection) => Some(connection.pool()),
            Self::Application(application) => Some(application.pool()),
            Self::Sender(sender) => Some(sender.pool()),
            Self::NoSender(sender) => Some(sender.pool()),
            Self::InsertUser(..) | Self::TakeOver(..) | Self::FreeFile(..) => None,
        }
    }
}

/// Compares a file with the stored configuration and the users found.
pub(super) fn plan(
    task: &Task,
    present: &[PresentPool<'_>],
    names: &[(PoolId, String)],
    found: &[Vec<Found>],
) -> Result<Planned, FileErrors> {
    let mut plan = Plan::default();
    let (mut steps, mut secrets, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for (desired, present) in task.desired.pools.iter().zip(present) {
        let mut planner = PoolPlanner::new(task, present, desired, &mut steps, &mut errors);
        planner.freed_files();
        planner.freed_resources();
    }
    for (index, (desired, found)) in task.desired.pools.iter().zip(found).enumerate() {
        let Some(present) = present.get(index) else { continue };
        let mut planner = PoolPlanner::new(task, present, desired, &mut steps, &mut errors);
        let settings = planner.settings();
        let header = planner.pool(settings.as_ref());
        planner.scopes();
        planner.senders();
        planner.connections();
        planner.applications();
        planner.users(index, found);
        planner.connections_not_in_file();
        planner.applications_not_in_file();
        let PoolPlanner { lines, mut changes, secrets: made, .. } = planner;
        secrets.extend(made);
        if header.action.is_change() {
            changes.insert(0, header.to_string());
        }
        plan.pools.push(PoolPlan { header, lines, changes });
    }
    let named: HashSet<&PoolId> = task.desired.pools.iter().map(|desired| &desired.id).collect();
    for (id, name) in names.iter().filter(|(id, _)| !named.contains(id) && *id != PoolId::system()) {
        let header = Line { action: PlanAction::LeftAlone, text: pool_label(id, name) };
        plan.pools.push(PoolPlan { header, lines: Vec::new(), changes: Vec::new() });
    }
    if errors.is_empty() {
        Ok(Planned { plan, steps, secrets })
    } else {
        Err(FileErrors::new(&task.file_name, errors))
    }
}

struct PoolPlanner<'a> {
    task: &'a Task,
    present: &'a PresentPool<'a>,
    desired: &'a DesiredPool,
    /// The connections that the pool has or will have.
    known: HashMap<&'a Identifier, (ConnectionId, ConnectionKind)>,
    order: Order<'a>,
    lines: Vec<Line>,
    /// Configuration changes, for the audit log. Does not include users.
    changes: Vec<String>,
    /// The client secrets that were made.
    secrets: Vec<NewClientSecret>,
    steps: &'a mut Vec<Step>,
    errors: &'a mut Vec<FileError>,
}

impl<'a> PoolPlanner<'a> {
    fn new(
        task: &'a Task,
        present: &'a PresentPool<'a>,
        desired: &'a DesiredPool,
        steps: &'a mut Vec<Step>,
        errors: &'a mut Vec<FileError>,
    ) -> Self {
        let known =
            present.stored.connections.iter().map(|c| (&c.identifier, (c.id.clone(), c.kind))).collect();
        let order = Order::new(present, desired);
        let (lines, changes, secrets) = (Vec::new(), Vec::new(), Vec::new());
        Self { task, present, desired, known, order, lines, changes, secrets, steps, errors }
    }

    fn stored_connections(&self) -> std::slice::Iter<'a, StoredConnection> {
        self.present.stored.connections.iter()
    }

    fn line(&mut self, action: PlanAction, text: String) {
        let line = Line { action, text };
        if action.is_change() {
            self.changes.push(line.to_string());
        }
        self.lines.push(line);
    }

    /// Adds a line for an existing object, listing what changes and `more` that happens to it.
    fn compared(&mut self, label: &str, changed: &[&str], more: &[&str]) {
        let mut what = Vec::new();
        if !changed.is_empty() {
            what.push(format!("{} changed", changed.join(", ")));
        }
        what.extend(more.iter().map(|more| (*more).to_owned()));
        if what.is_empty() {
            self.line(PlanAction::Unchanged, label.to_owned());
        } else {
            self.line(PlanAction::Change, format!("{label}: {}", what.join("; ")));
        }
    }

    fn refuse(&mut self, at: Position, reason: impl Into<String>) {
        self.errors.push(FileError::new(at, reason));
    }

    /// `settings` are what the pool gets, if the file says something about them.
    fn pool(&mut self, settings: Option<&PoolSettings>) -> Line {
        let DesiredPool { id, name, .. } = self.desired;
        let put =
            PutPool { id: id.clone(), name: Some(name.clone()), settings: settings.cloned(), expected: None };
        let text = pool_label(id, name);
        let Some(present) = self.present.stored.pools.first() else {
            self.steps.push(Step::Pool(put));
            return Line { action: PlanAction::Add, text };
        };
        let mut changed = pools::differences(present, &put.over(present));
        if !changed.is_empty() {
            self.steps.push(Step::Pool(put));
        }
        // They have lines of their own.
        changed.retain(|name| name != "settings.scopes");
        for name in changed.iter_mut().filter(|name| *name == "settings.branding") {
            "branding".clone_into(name);
        }
        let beside =
            PoolSettings { scopes: Vec::new(), branding: Branding::default(), ..present.settings.clone() };
        if self.desired.settings.is_none() && beside != PoolSettings::default() {
            self.line(PlanAction::LeftAlone, "settings".to_owned());
        }
        if self.desired.branding.is_none() && present.settings.branding != Branding::default() {
            self.line(PlanAction::LeftAlone, "branding".to_owned());
        }
        if !changed.is_empty() {
            return Line {
                action: PlanAction::Change,
                text: format!("{text}: {} changed", changed.join(", ")),
            };
        }
        Line { action: PlanAction::Unchanged, text }
    }

    /// Takes verification files from the connections that lose them, before others of the file get them.
    fn freed_files(&mut self) {
        for desired in &self.desired.connections {
            let present = self.stored_connections().find(|present| present.identifier == desired.identifier);
            let Some(present) = present.filter(|present| present.extras.verification_file.is_some()) else {
                continue;
            };
            if present.extras.verification_file != desired.extras.verification_file {
                self.steps.push(Step::FreeFile(self.desired.id.clone(), present.id.clone()));
            }
        }
    }

    fn connections(&mut self) {
        for desired in &self.desired.connections {
            if let Some(file) = &desired.extras.verification_file
                && self.present.taken_files.contains(&file.name)
            {
                let reason = "a connection that is not in this file has a verification file of this name — \
                              take it out here or there";
                self.refuse(desired.at, reason);
            }
            let present =
                self.stored_connections().find(|connection| connection.identifier == desired.identifier);
            match present {
                Some(present) => self.connection_present(desired, present),
                None => self.connection_new(desired),
            }
        }
    }

    fn connection_new(&mut self, desired: &'a DesiredConnection) {
        let id = ConnectionId::generate(self.task.now, &*self.task.random);
        let DesiredConnection { identifier, kind, .. } = desired;
        self.known.insert(identifier, (id.clone(), *kind));
        self.line(PlanAction::Add, format!("connection {identifier} ({})", kind.as_str()));
        let wanted = wanted_connection(desired);
        self.fields(desired.at, &wanted, None);
        self.connection(id, wanted);
    }

    fn connection_present(&mut self, desired: &DesiredConnection, present: &StoredConnection) {
        if desired.kind != present.kind {
            self.refuse(
                desired.at,
                format!(
                    "the connection `{}` exists and is {}; a connection's type is fixed once made — \
                     write that type, or choose another identifier",
                    desired.identifier,
                    present.kind.as_str()
                ),
            );
            return;
        }
        let wanted = wanted_connection(desired);
        self.fields(desired.at, &wanted, Some(present));
        let changed = wanted.differences(present, &self.task.sealing);
        let left = wanted.left_realm(present, &self.task.sealing);
        let is_used = left.is_some_and(|realm| self.present.used_realms.contains(realm));
        if is_used && !self.task.new_apps {
            self.refuse(desired.at, format!("{NEW_APP} — correct app_id, or apply with --new-apps to go on"));
            return;
        }
        let mut more = Vec::new();
        more.extend((!present.enabled).then_some(ENABLED_AGAIN));
        more.extend(is_used.then_some(NEW_APP));
        self.compared(&connection_label(present), &changed, &more);
        if !changed.is_empty() || !present.enabled {
            self.connection(present.id.clone(), wanted);
        }
    }

    /// Refuses fields that are wrong together with the secrets that the file leaves out.
    fn fields(&mut self, at: Position, wanted: &WantedConnection, present: Option<&StoredConnection>) {
        for problem in wanted.problems_over(present, &self.task.sealing) {
            self.refuse(at, format!("`{}`: {}", problem.path, problem.reason));
        }
    }

    fn connection(&mut self, id: ConnectionId, connection: WantedConnection) {
        self.steps.push(Step::Connection(PutConnection {
            pool: self.desired.id.clone(),
            id,
            connection,
            expected: None,
            knows_of_new_app: self.task.new_apps,
            sealing: self.task.sealing.clone(),
            random: self.task.random.clone(),
        }));
    }

    fn users(&mut self, pool_index: usize, found: &[Found]) {
        for (index, (desired, found)) in self.desired.users.iter().zip(found).enumerate() {
            match found.resolve() {
                Err(reason) => self.refuse(desired.at, reason),
                Ok(Match::Exists { differs }) => self.user_exists(desired, &differs),
                Ok(Match::Absent) => {
                    let id = desired.id.clone();
                    let id = id.unwrap_or_else(|| UserId::generate(self.task.now, &*self.task.random));
                    let user = users::new_user(desired, &self.desired.id, id, self.task.now);
                    // Not `self.line`: users are not configuration.
                    let text = format!("user {}", users::label(desired));
                    self.lines.push(Line { action: PlanAction::Add, text });
                    self.steps.push(Step::InsertUser(Box::new(user), (pool_index, index)));
                }
            }
        }
    }

    fn user_exists(&mut self, desired: &DesiredUser, differs: &[&str]) {
        let label = users::label(desired);
        let text = match differs {
            [] => format!("user {label} exists"),
            differs => {
                format!("user {label} exists (with another {} or none, left as it is)", differs.join(", "))
            }
        };
        self.line(PlanAction::Exists, text);
    }

    /// A connection that only an application of the file names is in use, so it is not pruned.
    fn connections_not_in_file(&mut self) {
        let in_file = |identifier: &Identifier| {
            self.desired.connections.iter().any(|desired| desired.identifier == *identifier)
        };
        let others: Vec<_> = self.stored_connections().filter(|c| !in_file(&c.identifier)).collect();
        for present in others {
            let mut references = self.desired.applications.iter().flat_map(|desired| &desired.connections);
            let is_named = references.any(|reference| reference.identifier == present.identifier);
            let label = connection_label(present);
            if self.task.prune && present.enabled && !is_named {
                self.line(PlanAction::Disable, format!("{label}: disabled"));
                let wanted = WantedConnection { enabled: false, ..WantedConnection::like(present) };
                self.connection(present.id.clone(), wanted);
            } else {
                self.line(PlanAction::LeftAlone, label + if present.enabled { "" } else { ", disabled" });
            }
        }
    }
}

fn wanted_connection(desired: &DesiredConnection) -> WantedConnection {
    WantedConnection {
        identifier: desired.identifier.clone(),
        kind: desired.kind,
        display_name: desired.display_name.clone(),
        login_only: desired.login_only,
        enabled: true,
        open_platform: desired.open_platform.clone(),
        association: desired.association.clone(),
        settings: Some(desired.settings.clone()),
        extras: desired.extras.clone(),
    }
}

fn pool_label(id: &PoolId, name: &str) -> String {
    format!("user_pool {id} {name}")
}

fn connection_label(connection: &StoredConnection) -> String {
    format!("connection {}", connection.identifier)
}
