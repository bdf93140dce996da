//! What has to be done so that the database matches the file: a pure comparison.

mod applications;
mod senders;

use std::collections::HashMap;

use hufu_store::config::{StoredConfig, StoredConnection, StoredSettings};
use hufu_store::senders::{SenderKind, StoredSender};
use hufu_types::{
    Application, ConnectionId, ConnectionKind, Identifier, Pool, PoolId, PoolSettings, User, UserId,
};
use serde_json::Value as Json;

use self::applications::Order;
use super::file::{DesiredConnection, DesiredPool, DesiredUser, FileError, FileErrors, Position};
use super::plan::{Fate, Line, Plan, PoolPlan};
use super::users::{Found, Match};
use super::{Place, Task, users};
use crate::sources;

/// A plan, and the steps that carry it out in their order.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) steps: Vec<Step>,
}

/// One thing to write.
pub(super) enum Step {
    InsertPool(Pool),
    UpdatePool(Pool),
    InsertConnection(StoredConnection),
    UpdateConnection(StoredConnection),
    InsertApplication(Application),
    UpdateApplication(Application),
    PutSender(StoredSender),
    DeleteSender(PoolId, SenderKind),
    /// With its place in the file, where the password is.
    InsertUser(Box<User>, Place),
}

impl Step {
    /// Whether nodes hold it in memory.
    pub(super) fn changes_configuration(&self) -> bool {
        !matches!(self, Self::InsertUser(..))
    }
}

/// Compares a file with the configuration as stored and the users that were found.
pub(super) fn plan(
    task: &Task,
    stored: &StoredConfig,
    senders: &[StoredSender],
    found: &[Vec<Found>],
) -> Result<Planned, FileErrors> {
    let mut plan = Plan::default();
    let (mut steps, mut errors) = (Vec::new(), Vec::new());
    for (index, (desired, found)) in task.desired.pools.iter().zip(found).enumerate() {
        let mut planner = PoolPlanner::new(task, (stored, senders), desired, &mut steps, &mut errors);
        let header = planner.pool();
        planner.senders();
        planner.connections();
        planner.applications();
        planner.users(index, found);
        planner.connections_not_in_file();
        planner.applications_not_in_file();
        let PoolPlanner { lines, mut changes, .. } = planner;
        if header.fate.is_change() {
            changes.insert(0, header.to_string());
        }
        plan.pools.push(PoolPlan { header, lines, changes });
    }
    let named = |pool: &Pool| task.desired.pools.iter().any(|desired| desired.id == pool.id);
    for pool in stored.pools.iter().filter(|pool| !named(pool) && pool.id != PoolId::system()) {
        let header = Line { fate: Fate::LeftAlone, text: pool_label(&pool.id, &pool.name) };
        plan.pools.push(PoolPlan { header, lines: Vec::new(), changes: Vec::new() });
    }
    if errors.is_empty() {
        Ok(Planned { plan, steps })
    } else {
        Err(FileErrors::new(&task.file_name, errors))
    }
}

struct PoolPlanner<'a> {
    task: &'a Task,
    stored: &'a StoredConfig,
    senders: &'a [StoredSender],
    desired: &'a DesiredPool,
    /// The connections that the pool has or will have.
    known: HashMap<&'a Identifier, (ConnectionId, ConnectionKind)>,
    order: Order<'a>,
    lines: Vec<Line>,
    /// What changes of the configuration, for the audit log: no users.
    changes: Vec<String>,
    steps: &'a mut Vec<Step>,
    errors: &'a mut Vec<FileError>,
}

impl<'a> PoolPlanner<'a> {
    fn new(
        task: &'a Task,
        (stored, senders): (&'a StoredConfig, &'a [StoredSender]),
        desired: &'a DesiredPool,
        steps: &'a mut Vec<Step>,
        errors: &'a mut Vec<FileError>,
    ) -> Self {
        let of_pool = stored.connections.iter().filter(|connection| connection.pool == desired.id);
        let known = of_pool.map(|c| (&c.identifier, (c.id.clone(), c.kind))).collect();
        let order = Order::new(stored, desired);
        Self {
            task,
            stored,
            senders,
            desired,
            known,
            order,
            lines: Vec::new(),
            changes: Vec::new(),
            steps,
            errors,
        }
    }

    fn stored_connections(&self) -> impl Iterator<Item = &'a StoredConnection> + use<'a> {
        let pool = &self.desired.id;
        self.stored.connections.iter().filter(move |connection| connection.pool == *pool)
    }

    fn line(&mut self, fate: Fate, text: String) {
        let line = Line { fate, text };
        if fate.is_change() {
            self.changes.push(line.to_string());
        }
        self.lines.push(line);
    }

    /// A line for something that exists, by the names of what changes.
    fn compared(&mut self, label: &str, changed: &[&str], enabled_again: bool) {
        let mut what = Vec::new();
        if !changed.is_empty() {
            what.push(format!("{} changed", changed.join(", ")));
        }
        if enabled_again {
            what.push("enabled again".to_owned());
        }
        if what.is_empty() {
            self.line(Fate::Unchanged, label.to_owned());
        } else {
            self.line(Fate::Change, format!("{label}: {}", what.join("; ")));
        }
    }

    fn refuse(&mut self, at: Position, reason: impl Into<String>) {
        self.errors.push(FileError::new(at, reason));
    }

    fn pool(&mut self) -> Line {
        let DesiredPool { id, name, .. } = self.desired;
        let present = self.stored.pools.iter().find(|pool| pool.id == *id);
        let before = present.map(|pool| pool.settings.clone()).unwrap_or_default();
        let settings = self.desired.settings.clone().unwrap_or_else(|| before.clone());
        let changed_settings = setting_differences(&before, &settings);
        let wanted = Pool { id: id.clone(), name: name.clone(), settings };
        let text = pool_label(id, name);
        match present {
            None => {
                self.steps.push(Step::InsertPool(wanted));
                Line { fate: Fate::Add, text }
            }
            Some(present) if *present != wanted => {
                let name = (present.name != wanted.name).then(|| "name".to_owned());
                let changed: Vec<_> = name.into_iter().chain(changed_settings).collect();
                self.steps.push(Step::UpdatePool(wanted));
                Line { fate: Fate::Change, text: format!("{text}: {} changed", changed.join(", ")) }
            }
            Some(present) => {
                if self.desired.settings.is_none() && present.settings != PoolSettings::default() {
                    self.line(Fate::LeftAlone, "settings".to_owned());
                }
                Line { fate: Fate::Unchanged, text }
            }
        }
    }

    fn connections(&mut self) {
        for desired in &self.desired.connections {
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
        self.line(Fate::Add, format!("connection {identifier} ({})", kind.as_str()));
        let connection = StoredConnection {
            settings: self.seal(&id, desired),
            id,
            pool: self.desired.id.clone(),
            identifier: identifier.clone(),
            kind: *kind,
            display_name: desired.display_name.clone(),
            login_only: desired.login_only,
            enabled: true,
            open_platform: desired.open_platform.clone(),
            association: desired.association.clone(),
        };
        self.steps.push(Step::InsertConnection(connection));
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
        let fields = self.changed_fields(desired, present);
        let wanted = StoredConnection {
            display_name: desired.display_name.clone(),
            login_only: desired.login_only,
            enabled: true,
            open_platform: desired.open_platform.clone(),
            association: desired.association.clone(),
            settings: if fields.is_empty() {
                present.settings.clone()
            } else {
                self.seal(&present.id, desired)
            },
            ..present.clone()
        };
        let mut changed = names_of(&[
            ("display_name", wanted.display_name != present.display_name),
            ("login_only", wanted.login_only != present.login_only),
            ("open_platform", wanted.open_platform != present.open_platform),
            ("association", wanted.association != present.association),
        ]);
        changed.extend(fields);
        self.compared(&connection_label(present), &changed, !present.enabled);
        if wanted != *present {
            self.steps.push(Step::UpdateConnection(wanted));
        }
    }

    /// The fields whose values differ. Settings that do not open, as after the loss of the key, differ in all.
    fn changed_fields(&self, desired: &DesiredConnection, present: &StoredConnection) -> Vec<&'static str> {
        let opened = sources::settings::open(present, &self.task.sealing).unwrap_or_default();
        let names = sources::fields(desired.kind).iter().map(|field| field.name);
        names.filter(|name| opened.get(name) != desired.settings.get(name)).collect()
    }

    fn seal(&self, id: &ConnectionId, desired: &DesiredConnection) -> StoredSettings {
        sources::settings::seal(&desired.settings, id, &self.task.sealing, &*self.task.random)
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
                    // A line of its own kind: people are no configuration.
                    let text = format!("user {}", users::label(desired));
                    self.lines.push(Line { fate: Fate::Add, text });
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
        self.line(Fate::Exists, text);
    }

    /// A connection that only an application of the file names is in use there, and so not pruned.
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
                self.line(Fate::Disable, format!("{label}: disabled"));
                self.steps
                    .push(Step::UpdateConnection(StoredConnection { enabled: false, ..present.clone() }));
            } else {
                self.line(Fate::LeftAlone, label + if present.enabled { "" } else { ", disabled" });
            }
        }
    }
}

/// The settings that differ, as `settings.registration`.
fn setting_differences(before: &PoolSettings, after: &PoolSettings) -> Vec<String> {
    let object = |settings: &PoolSettings| match serde_json::to_value(settings) {
        Ok(Json::Object(object)) => object,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (object(before), object(after));
    senders::differences(&before, &after).into_iter().map(|name| format!("settings.{name}")).collect()
}

fn pool_label(id: &PoolId, name: &str) -> String {
    format!("user_pool {id} {name}")
}

fn connection_label(connection: &StoredConnection) -> String {
    format!("connection {}", connection.identifier)
}

fn names_of(changes: &[(&'static str, bool)]) -> Vec<&'static str> {
    changes.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect()
}
