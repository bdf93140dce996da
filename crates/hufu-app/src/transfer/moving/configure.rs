//! The unit of work that makes custom fields, connections and applications: all of them, or nothing. A rehearsal does the
//! same and has everything undone, so that it cannot say something else than what would happen.
//!
//! What is there already is left as it is.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{self, StoredConnection};
use hufu_store::{StoreError, Tx, Write, versions};
use hufu_types::{
    Action, Application, ApplicationId, ClientSecret, Connection, ConnectionSettings, Identifier,
    OpenPlatform, PoolId, PoolSettings, Random, SettingProblem, Timestamp,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::applications::PlannedApplication;
use super::connections::PlannedConnection;
use super::custom_fields::PlannedField;
use super::report::{Fate, Finding, Kind, Remark};
use crate::configuration::document::application::{self, EditApplication};
use crate::configuration::document::connection::EditConnection;
use crate::configuration::document::{Document, Edit};
use crate::configuration::{Operation, Outcome, PutPool, Rejection, unseal};
use crate::digest::hash_token;
use crate::events::{Event, Trace};
use crate::sources;

/// How often a document is tried again without the members that are not valid.
const MOST_TRIES: usize = 8;

/// What is to be made.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) pool: PoolId,
    pub(super) fields: Vec<PlannedField>,
    pub(super) connections: Vec<PlannedConnection>,
    /// Whether connections that are not there are made. Those that are there give identities their place in any case.
    pub(super) makes_connections: bool,
    pub(super) applications: Vec<PlannedApplication>,
}

/// What was made, or would be.
#[derive(Clone)]
pub(super) struct Configured {
    pub(super) findings: Vec<Finding>,
    /// The connections of the pool afterwards.
    pub(super) connections: Vec<Arc<Connection>>,
    /// The connections of the other system that are not those of the same identifier here.
    pub(super) unusable: HashSet<String>,
    /// The settings of the pool afterwards.
    pub(super) settings: PoolSettings,
    /// Secrets that were made.
    pub(super) secrets: Vec<(ApplicationId, SecretString)>,
}

/// Where a rehearsal puts its outcome, since what the unit itself returns is undone.
pub(super) type Stage = Arc<Mutex<Option<Configured>>>;

/// See the module documentation.
pub(super) struct Configure {
    pub(super) plan: Arc<Plan>,
    pub(super) sealing: Arc<SealingKey>,
    pub(super) random: Arc<dyn Random>,
    pub(super) trace: Trace,
    /// For a rehearsal.
    pub(super) stage: Option<Stage>,
}

impl Write for Configure {
    type Out = Configured;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Configured, StoreError> {
        versions::lock_configuration(tx).await?;
        let mut run = Run { unit: self, findings: Vec::new(), unusable: HashSet::new(), secrets: Vec::new() };
        run.fields(tx).await?;
        for planned in &self.plan.connections {
            run.connection(tx, planned).await?;
        }
        for planned in &self.plan.applications {
            run.application(tx, planned).await?;
        }
        let Run { findings, unusable, secrets, .. } = run;
        let made: Vec<_> = findings.iter().filter(|finding| finding.outcome == Fate::Created).collect();
        if !made.is_empty() {
            let pool = &self.plan.pool;
            versions::pools_changed(tx, [pool]).await?;
            let made: Vec<_> =
                made.iter().map(|made| format!("{} {}", made.kind.as_str(), made.id)).collect();
            let details = json!({ "by": "import authing", "created": made });
            let event = Event { action: Action::ConfigurationChanged, code: 0, user: None, details };
            self.trace.recorder().record(tx, pool, event).await?;
        }
        let stored = config::connections_of(tx, &self.plan.pool).await?;
        // One whose settings cannot be opened serves nobody.
        let opened = stored.into_iter().filter_map(|stored| unseal(stored.value, &self.sealing).ok());
        let connections = opened.map(Arc::new).collect();
        let settings = config::pool(tx, &self.plan.pool).await?.map(|pool| pool.value.settings);
        let settings = settings.unwrap_or_default();
        let configured = Configured { findings, connections, unusable, settings, secrets };
        match &self.stage {
            None => Ok(configured),
            Some(stage) => {
                *stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(configured);
                Err(StoreError::Rehearsed)
            }
        }
    }
}

/// One run of the unit.
struct Run<'u> {
    unit: &'u Configure,
    findings: Vec<Finding>,
    unusable: HashSet<String>,
    secrets: Vec<(ApplicationId, SecretString)>,
}

/// What a finding is about.
#[derive(Clone, Copy)]
struct Subject<'s> {
    kind: Kind,
    id: &'s str,
    name: &'s str,
}

impl Run<'_> {
    fn now(&self) -> Timestamp {
        self.unit.trace.at
    }

    fn find(&mut self, of: Subject<'_>, outcome: Fate, reason: &str, detail: impl AsRef<str>) {
        self.findings.push(Finding::new(of.kind, of.id, of.name, outcome, reason, detail.as_ref()));
    }

    fn remark(&mut self, of: Subject<'_>, remarks: &[Remark]) {
        for Remark { reason, detail } in remarks {
            self.find(of, Fate::Differs, reason, detail);
        }
    }

    async fn fields(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let plan = self.unit.plan.clone();
        let Some(pool) = config::pool(tx, &plan.pool).await? else { return Ok(()) };
        let mut settings = pool.value.settings;
        let mut made: Vec<&PlannedField> = Vec::new();
        for planned in &plan.fields {
            let PlannedField { field, remarks } = planned;
            let of = Subject { kind: Kind::Field, id: &field.key, name: &field.label };
            match settings.custom_field(&field.key) {
                Some(present) if present.kind == field.kind => self.find(of, Fate::Left, "", ""),
                Some(present) => {
                    let detail = format!(
                        "it is of type {} here, and {} there",
                        present.kind.as_str(),
                        field.kind.as_str()
                    );
                    self.find(of, Fate::Refused, "field_taken", detail);
                    continue;
                }
                None => {
                    let mut wanted = settings.clone();
                    wanted.custom_fields.push(field.clone());
                    if let Some(problem) = wanted.problems().into_iter().next() {
                        self.find(of, Fate::Refused, "setting_refused", problem.reason);
                        continue;
                    }
                    settings = wanted;
                    made.push(planned);
                }
            }
            self.remark(of, remarks);
        }
        if made.is_empty() {
            return Ok(());
        }
        let put = PutPool { id: plan.pool.clone(), name: None, settings: Some(settings), expected: None };
        if !matches!(put.run(tx, self.now()).await?, Outcome::Done { .. }) {
            return Err(StoreError::LostRace);
        }
        for PlannedField { field, .. } in made {
            let of = Subject { kind: Kind::Field, id: &field.key, name: &field.label };
            self.find(of, Fate::Created, "", "");
        }
        Ok(())
    }

    async fn connection(&mut self, tx: &mut Tx<'_>, planned: &PlannedConnection) -> Result<(), StoreError> {
        let pool = &self.unit.plan.pool;
        let of = Subject { kind: Kind::Connection, id: &planned.of, name: planned.identifier.as_str() };
        if let Some(id) = config::connection_of(tx, pool, &planned.identifier).await? {
            if let Some(present) = config::connection(tx, pool, &id).await? {
                self.present_connection(of, planned, &present.value);
            }
            return Ok(());
        }
        if !self.unit.plan.makes_connections {
            return Ok(());
        }
        if planned.document.get("fields").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty)
            && sources::fields(planned.kind).iter().any(|field| field.required)
        {
            let detail = "the API does not tell its AppID and AppSecret: make the connection with the same identifier and \
                          type by `hufu apply`, and import again";
            self.find(of, Fate::Refused, "fields_not_told", detail);
            self.unusable.insert(planned.of.clone());
            return Ok(());
        }
        let mut document = planned.document.clone();
        let mut remarks = planned.remarks.clone();
        for _ in 0..MOST_TRIES {
            let edit = EditConnection {
                pool: pool.clone(),
                id: planned.id.clone(),
                name: planned.identifier.to_string(),
                edit: Edit::New(document.clone()),
                expected: None,
                knows_of_new_app: false,
                sealing: self.unit.sealing.clone(),
                random: self.unit.random.clone(),
            };
            let problems = match edit.run(tx, self.now()).await? {
                Outcome::Done { .. } => {
                    self.find(of, Fate::Created, "", "");
                    self.remark(of, &remarks);
                    return Ok(());
                }
                Outcome::Rejected(Rejection::Settings(problems)) => problems,
                Outcome::Rejected(other) => {
                    self.find(of, Fate::Refused, "setting_refused", other.to_string());
                    break;
                }
                Outcome::Conflict { .. } => return Err(StoreError::LostRace),
            };
            let Err(problem) = leave_out(&mut document, &problems, &mut remarks) else { continue };
            let reason = if problem.path.starts_with("fields.") && at(&document, &problem.path).is_none() {
                "field_missing"
            } else {
                "setting_refused"
            };
            let detail = format!(
                "{}: {}; make the connection with the same identifier and type by `hufu apply`, and import again",
                problem.path, problem.reason
            );
            self.find(of, Fate::Refused, reason, detail);
            break;
        }
        self.unusable.insert(planned.of.clone());
        Ok(())
    }

    /// A connection that is there is left as it is, and is the other one if it has the same type and app.
    fn present_connection(
        &mut self,
        of: Subject<'_>,
        planned: &PlannedConnection,
        present: &StoredConnection,
    ) {
        if present.kind != planned.kind {
            let detail =
                format!("the pool has a connection of this identifier, of type {}", present.kind.as_str());
            self.find(of, Fate::Refused, "identifier_taken", detail);
            self.unusable.insert(planned.of.clone());
            return;
        }
        let fields = planned.document.get("fields").and_then(Value::as_object).cloned().unwrap_or_default();
        let tells_app = ["app_id", "mobile_app_id"].iter().any(|name| fields.contains_key(*name));
        let platform: &OpenPlatform = &present.open_platform;
        let realms = sources::realms(planned.kind, &ConnectionSettings::from(fields), platform);
        if tells_app && realms.own != present.realms.own {
            let detail = "the pool has a connection of this identifier with another AppID, which knows people by other \
                          OpenIDs";
            self.find(of, Fate::Refused, "identifier_taken", detail);
            self.unusable.insert(planned.of.clone());
            return;
        }
        let mut differing = Vec::new();
        let label = planned.document.get("display_name").and_then(Value::as_str);
        if label.is_some_and(|label| label != present.display_name) {
            differing.push("display_name");
        }
        let flag = |name: &str| planned.document.get(name).and_then(Value::as_bool);
        if flag("login_only").is_some_and(|flag| flag != present.login_only) {
            differing.push("login_only");
        }
        let mode = planned.document.get("association").and_then(|of| of.get("mode")).and_then(Value::as_str);
        if mode.is_some_and(|mode| mode != present.association.mode.as_str()) {
            differing.push("association");
        }
        self.left(of, &differing);
        self.remark(of, &planned.remarks);
    }

    fn left(&mut self, of: Subject<'_>, differing: &[&str]) {
        if differing.is_empty() {
            self.find(of, Fate::Left, "", "");
        } else {
            let detail = format!("left as it is here; there it has another {}", differing.join(", "));
            self.find(of, Fate::Left, "differs", detail);
        }
    }

    async fn application(&mut self, tx: &mut Tx<'_>, planned: &PlannedApplication) -> Result<(), StoreError> {
        let pool = self.unit.plan.pool.clone();
        let of = Subject { kind: Kind::Application, id: planned.id.as_str(), name: &planned.name };
        let mut remarks = planned.remarks.clone();
        let mut document = planned.document.clone();
        let connections = self.connections_for(tx, planned, &mut remarks).await?;
        document.insert("connections".to_owned(), json!(connections));
        match config::pool_of_application(tx, &planned.id).await? {
            Some(holder) if holder == pool => {
                if let Some(present) = config::application(tx, &pool, &planned.id).await? {
                    let stored = config::connections_of(tx, &pool).await?;
                    let shown = application::show(&present.value, &stored);
                    let differing = differing(&document, &shown, &present.value);
                    self.left(of, &differing.iter().map(String::as_str).collect::<Vec<_>>());
                }
                self.remark(of, &remarks);
                return Ok(());
            }
            Some(_) => {
                self.find(of, Fate::Refused, "id_taken", "an application of another user pool has this id");
                return Ok(());
            }
            None => {}
        }
        for _ in 0..MOST_TRIES {
            let edit = EditApplication {
                pool: pool.clone(),
                id: planned.id.clone(),
                edit: Edit::New(document.clone()),
                expected: None,
                candidate: planned.candidate.1.clone(),
            };
            let problems = match edit.run(tx, self.now()).await? {
                Outcome::Done { now, .. } => {
                    self.find(of, Fate::Created, "", "");
                    let made = &planned.candidate.1.hash;
                    if now.is_some_and(|now| now.value.secrets.iter().any(|secret| secret.hash == *made)) {
                        remarks
                            .push(Remark::new("secret_made", "its secret was not told, so it has a new one"));
                        self.secrets.push((planned.id.clone(), planned.candidate.0.clone()));
                    }
                    self.remark(of, &remarks);
                    return Ok(());
                }
                Outcome::Rejected(Rejection::Settings(problems)) => problems,
                Outcome::Rejected(other) => {
                    self.find(of, Fate::Refused, "setting_refused", other.to_string());
                    return Ok(());
                }
                Outcome::Conflict { .. } => return Err(StoreError::LostRace),
            };
            if let Err(problem) = leave_out(&mut document, &problems, &mut remarks) {
                let detail = format!("{}: {}", problem.path, problem.reason);
                self.find(of, Fate::Refused, "setting_refused", detail);
                return Ok(());
            }
        }
        self.find(of, Fate::Refused, "setting_refused", "too much of it is not valid here");
        Ok(())
    }

    /// The identifiers of the connections that an application had, as far as they are here and it may use them.
    async fn connections_for(
        &self,
        tx: &mut Tx<'_>,
        planned: &PlannedApplication,
        remarks: &mut Vec<Remark>,
    ) -> Result<Vec<Identifier>, StoreError> {
        let stored = config::connections_of(tx, &self.unit.plan.pool).await?;
        let mut identifiers = Vec::new();
        for id in &planned.connections {
            let known = self.unit.plan.connections.iter().find(|planned| planned.of == *id);
            let known = known.filter(|_| !self.unusable.contains(id));
            let here = known
                .and_then(|known| stored.iter().find(|stored| stored.value.identifier == known.identifier));
            match (known, here) {
                (Some(known), Some(_)) if !planned.kind.may_use(known.kind) => {
                    let (application, connection) = (planned.kind.as_str(), known.kind.as_str());
                    let detail = format!(
                        "connections: an application of type {application} has none of type {connection}"
                    );
                    remarks.push(Remark::new("connection_unusable", detail));
                }
                (Some(known), Some(_)) => {
                    if !identifiers.contains(&known.identifier) {
                        identifiers.push(known.identifier.clone());
                    }
                }
                _ => {
                    let detail = "connections: one that is switched on for it did not come";
                    remarks.push(Remark::new("connection_missing", detail));
                }
            }
        }
        Ok(identifiers)
    }
}

/// The members of a document that the application has differently.
fn differing(document: &Document, shown: &Document, present: &Application) -> Vec<String> {
    let differs = |wanted: &Value, present: Option<&Value>| match (wanted, present) {
        (Value::Object(wanted), Some(Value::Object(present))) => {
            wanted.iter().any(|(name, wanted)| present.get(name) != Some(wanted))
        }
        (wanted, present) => present != Some(wanted),
    };
    let mut names: Vec<_> = document
        .iter()
        .filter(|(name, wanted)| *name != "secret" && differs(wanted, shown.get(*name)))
        .map(|(name, _)| name.clone())
        .collect();
    if let Some(secret) = document.get("secret").and_then(Value::as_str) {
        let hash = hash_token(secret);
        if !present.secrets.iter().any(|known: &ClientSecret| known.hash == hash) {
            names.push("secret".to_owned());
        }
    }
    names
}

/// Takes what is not valid out of a document, and says so.
///
/// # Errors
/// A problem with something that cannot be left out.
fn leave_out(
    document: &mut Document,
    problems: &[SettingProblem],
    remarks: &mut Vec<Remark>,
) -> Result<(), SettingProblem> {
    const NEEDED: [&str; 3] = ["identifier", "name", "type"];
    let mut problems = problems.to_vec();
    // Of a list, the last ones first, so that the places of the others stay.
    problems.sort_by_key(|problem| std::cmp::Reverse(place_of(&problem.path)));
    for problem in problems {
        if NEEDED.contains(&problem.path.as_str()) || !remove(document, &problem.path) {
            return Err(problem);
        }
        let detail = format!("{}: {}", problem.path, problem.reason);
        remarks.push(Remark::new("setting_refused", detail));
    }
    Ok(())
}

fn place_of(path: &str) -> (String, usize) {
    let (list, place) = path.rsplit_once('.').unwrap_or((path, ""));
    (list.to_owned(), place.parse().unwrap_or(usize::MAX))
}

fn at<'d>(document: &'d Document, path: &str) -> Option<&'d Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let value = document.get(first)?;
    match rest {
        None => Some(value),
        Some(rest) => value.pointer(&format!("/{}", rest.replace('.', "/"))),
    }
}

/// Removes what is at a path. Returns whether there was something.
fn remove(document: &mut Document, path: &str) -> bool {
    let Some((parent, name)) = path.rsplit_once('.') else { return document.remove(path).is_some() };
    let (first, rest) = parent.split_once('.').map_or((parent, ""), |(first, rest)| (first, rest));
    let Some(value) = document.get_mut(first) else { return false };
    let pointer = if rest.is_empty() { String::new() } else { format!("/{}", rest.replace('.', "/")) };
    match (value.pointer_mut(&pointer), name.parse::<usize>()) {
        (Some(Value::Object(object)), _) => object.remove(name).is_some(),
        (Some(Value::Array(list)), Ok(place)) if place < list.len() => {
            list.remove(place);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_valid_is_left_out_and_the_rest_stays() {
        let Value::Object(mut document) = json!({
            "name": "Shop", "redirect_uris": ["a", "b", "c"], "tokens": { "session": "1d", "access_token": "1h" },
        }) else {
            panic!()
        };
        let problem = |path: &str| SettingProblem { path: path.to_owned(), reason: "no".to_owned() };
        let mut remarks = Vec::new();
        let problems = [problem("redirect_uris.0"), problem("redirect_uris.2"), problem("tokens.session")];
        leave_out(&mut document, &problems, &mut remarks).unwrap();
        assert_eq!(
            Value::Object(document.clone()),
            json!({ "name": "Shop", "redirect_uris": ["b"], "tokens": { "access_token": "1h" } })
        );
        assert_eq!(remarks.len(), 3);
        for path in ["name", "fields.app_secret", "redirect_uris.9"] {
            assert_eq!(leave_out(&mut document, &[problem(path)], &mut remarks), Err(problem(path)));
        }
    }
}
