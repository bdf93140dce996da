//! Connections as documents. The members of `fields` are those of the connection's kind: [`sources::fields`].

use std::sync::{Arc, LazyLock};

use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{self, Revised, StoredConnection};
use hufu_store::{StoreError, Tx};
use hufu_types::{
    Association, AssociationMode, ConnectionExtras, ConnectionId, ConnectionKind, ConnectionSettings,
    Identifier, OpenPlatform, PoolId, Random, SettingProblem, Timestamp, VerificationFile,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::super::change::{Operation, Outcome, Rejection, is_expected};
use super::super::connections::{PutConnection, WantedConnection};
use super::{Document, Edit, Reading, Shape, complete, joined, object_of};
use crate::sources::{self, field};

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Own {
    identifier: String,
    #[serde(rename = "type")]
    kind: Option<ConnectionKind>,
    display_name: Option<String>,
    login_only: bool,
    enabled: bool,
    open_platform: String,
    association: Association,
    logo: Option<String>,
    verification_file: Option<VerificationFile>,
    callback: Vec<String>,
    return_user: bool,
    /// Read by the kind's table.
    fields: Map<String, Json>,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            identifier: String::new(),
            kind: None,
            display_name: None,
            login_only: false,
            enabled: true,
            open_platform: OpenPlatform::DEFAULT.to_owned(),
            association: Association::default(),
            logo: None,
            verification_file: None,
            callback: Vec::new(),
            return_user: false,
            fields: Map::new(),
        }
    }
}

impl Own {
    /// Takes out what is the same for connections of all kinds.
    fn take_extras(&mut self) -> ConnectionExtras {
        ConnectionExtras {
            logo: self.logo.take(),
            verification_file: self.verification_file.take(),
            callback: std::mem::take(&mut self.callback),
            return_user: self.return_user,
        }
    }
}

static OWN: LazyLock<Shape> = LazyLock::new(Shape::of::<Own>);

/// The members of a connection that can be written. Which `fields` it has depends on its kind; of those, secrets are
/// never shown.
pub fn shape() -> &'static Shape {
    &OWN
}

/// A connection as it is shown.
#[derive(Clone)]
pub struct ShownConnection {
    /// Its document. Its `fields` are without secrets.
    pub document: Document,
    /// The paths of the secret fields of its kind, and whether they are set.
    pub secrets: Vec<(String, bool)>,
}

/// Shows a connection. If its settings cannot be opened with this key, it has no fields.
pub fn show(stored: &StoredConnection, sealing: &SealingKey) -> ShownConnection {
    let settings = sources::settings::open(stored, sealing).unwrap_or_default();
    let fields = sources::fields(stored.kind);
    let extras = stored.extras.clone();
    let own = Own {
        identifier: stored.identifier.to_string(),
        kind: Some(stored.kind),
        display_name: Some(stored.display_name.clone()),
        login_only: stored.login_only,
        enabled: stored.enabled,
        open_platform: stored.open_platform.0.to_string(),
        association: stored.association.clone(),
        logo: extras.logo,
        verification_file: extras.verification_file,
        callback: extras.callback,
        return_user: extras.return_user,
        fields: field::shown(fields, settings.values()),
    };
    let mut document = object_of(&own);
    complete(&OWN, &mut document);
    if let Some(Json::Object(association)) = document.get_mut("association") {
        // What the mode does not use is not shown, and so takes its default when the mode changes.
        association.retain(|name, _| uses(stored.association.mode, name));
    }
    if stored.extras.verification_file.is_none() {
        document.insert("verification_file".to_owned(), Json::Null);
    }
    ShownConnection { document, secrets: field::secrets(fields, settings.values()) }
}

/// Whether a mode of association uses this member.
fn uses(mode: AssociationMode, member: &str) -> bool {
    match member {
        "fields" => mode == AssociationMode::Field,
        // A person who matches nothing is also asked if the connection does not create accounts.
        "methods" => mode != AssociationMode::None,
        _ => true,
    }
}

/// Makes a connection of a document, or changes one by a patch.
#[derive(Clone)]
pub struct EditConnection {
    /// The pool of the connection.
    pub pool: PoolId,
    /// The connection, existing or new.
    pub id: ConnectionId,
    /// What it is called in the audit log: the identifier, if it is known already.
    pub name: String,
    /// The document or the patch.
    pub edit: Edit,
    /// The revision that the caller last saw. `None` to skip the check. Of no meaning for a new connection.
    pub expected: Option<i64>,
    /// See [`PutConnection::knows_of_new_app`].
    pub knows_of_new_app: bool,
    /// The key that seals the settings.
    pub sealing: Arc<SealingKey>,
    /// The source of randomness for sealing.
    pub random: Arc<dyn Random>,
}

impl Operation for EditConnection {
    type Object = StoredConnection;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("connection", self.name.clone())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<StoredConnection>, StoreError> {
        let present = config::connection(tx, &self.pool, &self.id).await?;
        if present.is_none() && matches!(self.edit, Edit::Patch(_)) {
            return Ok(Outcome::Rejected(Rejection::NoSuchConnection));
        }
        if let (Some(expected), Some(_)) = (self.expected, &present)
            && !is_expected(Some(expected), present.as_ref())
        {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        let mut reading = Reading::new("a connection");
        let wanted = self.read(&mut reading, present.as_ref());
        let (Some(connection), true) = (wanted, reading.is_sound()) else {
            return Ok(Outcome::Rejected(Rejection::Settings(reading.into_problems())));
        };
        let put = PutConnection {
            pool: self.pool.clone(),
            id: self.id.clone(),
            connection,
            expected: Some(present.map_or(0, |present| present.revision)),
            knows_of_new_app: self.knows_of_new_app,
            sealing: self.sealing.clone(),
            random: self.random.clone(),
        };
        put.run(tx, now).await
    }
}

impl EditConnection {
    /// The wanted connection. `None` if it has no kind or no identifier, which is reported.
    fn read(
        &self,
        reading: &mut Reading,
        present: Option<&Revised<StoredConnection>>,
    ) -> Option<WantedConnection> {
        let present = present.map(|present| &present.value);
        let shown = present.map(|present| show(present, &self.sealing));
        let set: Vec<&str> =
            shown.iter().flat_map(|shown| &shown.secrets).filter(|s| s.1).map(|s| s.0.as_str()).collect();
        let mut document =
            self.edit.over(shown.as_ref().map(|shown| shown.document.clone()).unwrap_or_default());
        reading.prune_members(&OWN, &mut document, "");
        let has = |member: &str| document.get("association").is_some_and(|of| of.get(member).is_some());
        let (names_fields, names_methods) = (has("fields"), has("methods"));
        let mut own: Own = reading.read(&OWN, document, "");

        let identifier = Identifier::parse(&own.identifier).map_err(|rule| {
            reading.refuse_too("identifier", format!("not valid — {rule}"));
        });
        if own.kind.is_none() {
            let kinds = ConnectionKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
            reading.refuse_too("type", format!("missing — write one of {kinds}"));
        }
        if let Some(present) = present {
            let fixed = "fixed once the connection is made — make another connection";
            if own.identifier != present.identifier.as_str() {
                reading.refuse_too("identifier", fixed);
            }
            if own.kind.is_some_and(|kind| kind != present.kind) {
                reading.refuse_too("type", fixed);
            }
        }
        let display_name = own.display_name.take().unwrap_or_else(|| own.identifier.clone());
        if !own.identifier.is_empty() || !display_name.is_empty() {
            reading.label("display_name", &display_name);
        }
        let open_platform = Identifier::parse(&own.open_platform).map_err(|rule| {
            reading.refuse_too("open_platform", format!("not valid — {rule}"));
        });
        let (kind, identifier, open_platform) = (own.kind?, identifier.ok()?, open_platform.ok());
        let extras = own.take_extras();
        reading.refuse_all(extras.problems(kind));
        let association = self.association(reading, own.association, kind, names_fields, names_methods);
        let settings = self.settings(reading, kind, own.fields, &set);
        Some(WantedConnection {
            identifier,
            kind,
            display_name,
            login_only: own.login_only,
            enabled: own.enabled,
            open_platform: OpenPlatform(open_platform?),
            association,
            settings: Some(settings),
            extras,
        })
    }

    fn association(
        &self,
        reading: &mut Reading,
        mut association: Association,
        kind: ConnectionKind,
        names_fields: bool,
        names_methods: bool,
    ) -> Association {
        let asked = self.edit.asked().get("association").and_then(Json::as_object);
        let asks_for =
            |member: &str| asked.and_then(|of| of.get(member)).is_some_and(|value| !value.is_null());
        let usual = Association::default();
        for (member, modes) in [("fields", "\"field\""), ("methods", "\"ask\" or \"field\"")] {
            if !uses(association.mode, member) && asks_for(member) {
                let reason = format!("only for mode {modes} — write that mode, or take it out");
                reading.refuse(joined("association", member), reason);
            }
        }
        if !uses(association.mode, "fields") {
            association.fields = usual.fields;
        } else if !names_fields {
            association.fields = kind.proves().to_vec();
        }
        if !uses(association.mode, "methods") || !names_methods {
            association.methods = usual.methods;
        }
        let problems = association.problems(kind).into_iter();
        let within =
            |SettingProblem { path, reason }| SettingProblem { path: joined("association", &path), reason };
        reading.refuse_all(problems.map(within).collect());
        association
    }

    /// The values of the kind's fields. A secret that is set stays if it is left out, and goes if it is null.
    fn settings(
        &self,
        reading: &mut Reading,
        kind: ConnectionKind,
        mut values: Map<String, Json>,
        set: &[&str],
    ) -> ConnectionSettings {
        let fields = sources::fields(kind);
        let asked = self.edit.asked().get("fields");
        let is_cleared = |path: &str| {
            let pointer = format!("/{}", path.replace('.', "/"));
            asked.and_then(|asked| asked.pointer(&pointer)).is_some_and(Json::is_null)
        };
        let stays = |path: &str| set.contains(&path) && !is_cleared(path);
        for problem in sources::problems(kind, &values, &stays) {
            reading.refuse_too(joined("fields", &problem.path), problem.reason);
        }
        field::complete(fields, &mut values);
        field::mark_removed(fields, &mut values, &is_cleared);
        values.into()
    }
}
