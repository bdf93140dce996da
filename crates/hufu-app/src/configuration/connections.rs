//! Connections and their settings. Settings are sealed for the row that they belong to.

use std::sync::Arc;

use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{self, Realms, Revised, StoredConnection, StoredSettings};
use hufu_store::{StoreError, Tx, removal, versions};
use hufu_types::{
    Association, ConnectionId, ConnectionKind, ConnectionSettings, Identifier, OpenPlatform, PoolId, Random,
    Timestamp,
};

use super::change::{Operation, Outcome, Rejection, created, is_expected, names_of, owned, removed};
use crate::sources::{self, Field};

/// Creates a connection, or changes it.
#[derive(Clone)]
pub struct PutConnection {
    /// The pool of the connection.
    pub pool: PoolId,
    /// The id of the connection, existing or new.
    pub id: ConnectionId,
    /// The wanted state.
    pub connection: WantedConnection,
    /// The revision that the caller last saw, to detect concurrent changes. 0 for a new connection, `None` to
    /// skip the check.
    pub expected: Option<i64>,
    /// The key that seals the settings.
    pub sealing: Arc<SealingKey>,
    /// The source of randomness for sealing.
    pub random: Arc<dyn Random>,
}

/// The wanted state of a connection.
#[derive(Clone, Debug)]
pub struct WantedConnection {
    /// The name in URLs and SDK calls. Cannot be changed after creation, unique in the pool.
    pub identifier: Identifier,
    /// The login mode. Cannot be changed after creation.
    pub kind: ConnectionKind,
    /// The label of its login button.
    pub display_name: String,
    /// Whether unknown people are refused instead of getting a new account.
    pub login_only: bool,
    /// Whether the connection is enabled.
    pub enabled: bool,
    /// The scope in which its UnionIDs are unique.
    pub open_platform: OpenPlatform,
    /// How a first login finds its account.
    pub association: Association,
    /// The values of the kind's fields. `None` leaves them unchanged; so does an absent secret.
    pub settings: Option<ConnectionSettings>,
}

impl WantedConnection {
    /// The present state, with settings left unchanged.
    pub(super) fn like(present: &StoredConnection) -> Self {
        Self {
            identifier: present.identifier.clone(),
            kind: present.kind,
            display_name: present.display_name.clone(),
            login_only: present.login_only,
            enabled: present.enabled,
            open_platform: present.open_platform.clone(),
            association: present.association.clone(),
            settings: None,
        }
    }

    /// The names of the differing keys, as in the file. Settings are compared unsealed, field by field. If
    /// they cannot be unsealed, for example because the key was lost, all secret fields count as different.
    pub(super) fn differences(&self, present: &StoredConnection, sealing: &SealingKey) -> Vec<&'static str> {
        let mut names = names_of(&[
            ("display_name", self.display_name != present.display_name),
            ("login_only", self.login_only != present.login_only),
            ("open_platform", self.open_platform != present.open_platform),
            ("association", self.association != present.association),
        ]);
        names.extend(self.changed_fields(present, sealing));
        names
    }

    fn changed_fields(&self, present: &StoredConnection, sealing: &SealingKey) -> Vec<&'static str> {
        let Some(settings) = &self.settings else { return Vec::new() };
        let opened = sources::settings::open(present, sealing);
        let differs = |field: &&Field| match (&opened, settings.get(field.name)) {
            (Err(_), _) => field.secret,
            (Ok(_), None) if field.secret => false,
            (Ok(opened), wanted) => opened.get(field.name) != wanted,
        };
        sources::fields(self.kind).iter().filter(differs).map(|field| field.name).collect()
    }

    /// The settings to store: the wanted ones, plus the present secrets that they leave unchanged.
    fn settings_over(&self, present: &StoredConnection, sealing: &SealingKey) -> ConnectionSettings {
        let mut settings = self.settings.clone().unwrap_or_default();
        let opened = sources::settings::open(present, sealing).unwrap_or_default();
        for field in sources::fields(self.kind).iter().filter(|field| field.secret) {
            if let (None, Some(value)) = (settings.get(field.name), opened.get(field.name)) {
                settings.set(field.name, value.clone());
            }
        }
        settings
    }
}

/// The first field that is missing or malformed.
fn invalid_field(kind: ConnectionKind, settings: &ConnectionSettings) -> Option<Rejection> {
    if let Some(missing) = sources::missing_field(kind, settings) {
        return Some(Rejection::Field(missing, "it is needed"));
    }
    let mut of_kind = sources::fields(kind).iter();
    of_kind.find_map(|field| {
        let value = settings.get(field.name)?;
        let checked = value.as_str().map_or(Err(field.form.rule()), |text| field.form.check(text));
        checked.err().map(|rule| Rejection::Field(field.name, rule))
    })
}

impl Operation for PutConnection {
    type Object = StoredConnection;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("connection", self.connection.identifier.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<StoredConnection>, StoreError> {
        let wanted = &self.connection;
        let present = config::connection(tx, &self.pool, &self.id).await?;
        if let (false, Some(expected)) = (is_expected(self.expected, present.as_ref()), self.expected) {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        let problems = wanted.association.problems(wanted.kind);
        if !problems.is_empty() {
            return Ok(Outcome::Rejected(Rejection::Settings(problems)));
        }
        let Some(present) = present else { return self.insert(tx, now).await };
        if present.value.identifier != wanted.identifier || present.value.kind != wanted.kind {
            let fixed = Rejection::Fixed(present.value.identifier, present.value.kind);
            return Ok(Outcome::Rejected(fixed));
        }
        let mut changed = wanted.differences(&present.value, &self.sealing);
        if present.value.enabled != wanted.enabled {
            changed.push("enabled");
        }
        if changed.is_empty() {
            return Ok(Outcome::Done { now: Some(present), changed: Vec::new() });
        }
        let settings = if wanted.changed_fields(&present.value, &self.sealing).is_empty() {
            present.value.settings.clone()
        } else {
            let settings = wanted.settings_over(&present.value, &self.sealing);
            if let Some(rejection) = invalid_field(wanted.kind, &settings) {
                return Ok(Outcome::Rejected(rejection));
            }
            self.seal(&settings)
        };
        let realms = self.realms(&present.value);
        let stored = StoredConnection {
            display_name: wanted.display_name.clone(),
            login_only: wanted.login_only,
            enabled: wanted.enabled,
            open_platform: wanted.open_platform.clone(),
            association: wanted.association.clone(),
            settings,
            realms,
            ..present.value
        };
        config::update_connection(tx, &stored, now).await?;
        let now = Revised { revision: present.revision + 1, value: stored };
        Ok(Outcome::Done { now: Some(now), changed: owned(changed) })
    }
}

impl PutConnection {
    async fn insert(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<StoredConnection>, StoreError> {
        let wanted = self.connection.clone();
        if config::pool(tx, &self.pool).await?.is_none() {
            return Ok(Outcome::Rejected(Rejection::NoPool));
        }
        if config::connection_of(tx, &self.pool, &wanted.identifier).await?.is_some() {
            return Ok(Outcome::Rejected(Rejection::IdentifierTaken));
        }
        let settings = wanted.settings.unwrap_or_default();
        if let Some(rejection) = invalid_field(wanted.kind, &settings) {
            return Ok(Outcome::Rejected(rejection));
        }
        let realms = sources::realms(wanted.kind, &settings, &wanted.open_platform);
        let stored = StoredConnection {
            realms,
            id: self.id.clone(),
            pool: self.pool.clone(),
            identifier: wanted.identifier,
            kind: wanted.kind,
            display_name: wanted.display_name,
            login_only: wanted.login_only,
            enabled: wanted.enabled,
            open_platform: wanted.open_platform,
            association: wanted.association,
            settings: self.seal(&settings),
        };
        config::insert_connection(tx, &stored, now).await?;
        Ok(Outcome::Done { now: Some(Revised { revision: 1, value: stored }), changed: created() })
    }

    /// The realms of a changed connection. If its settings cannot be unsealed, its realms remain unchanged.
    fn realms(&self, present: &StoredConnection) -> Realms {
        let wanted = &self.connection;
        let settings = match &wanted.settings {
            Some(_) => Some(wanted.settings_over(present, &self.sealing)),
            None => sources::settings::open(present, &self.sealing).ok(),
        };
        settings.map_or_else(
            || present.realms.clone(),
            |settings| sources::realms(wanted.kind, &settings, &wanted.open_platform),
        )
    }

    fn seal(&self, settings: &ConnectionSettings) -> StoredSettings {
        sources::settings::seal(settings, &self.id, &self.sealing, &*self.random)
    }
}

/// Removes a connection, also from the applications that it is enabled for. The sessions that began through it end.
#[derive(Clone, Debug)]
pub struct RemoveConnection {
    /// The pool of the connection.
    pub pool: PoolId,
    /// The connection.
    pub id: ConnectionId,
    /// Its identifier, for the audit log.
    pub identifier: Identifier,
    /// The revision that the caller last saw. `None` to skip the check.
    pub expected: Option<i64>,
}

impl Operation for RemoveConnection {
    type Object = StoredConnection;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("connection", self.identifier.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<StoredConnection>, StoreError> {
        let present = config::connection(tx, &self.pool, &self.id).await?;
        if present.is_none() {
            return Ok(Outcome::Rejected(Rejection::NoSuchConnection));
        }
        if let (false, Some(expected)) = (is_expected(self.expected, present.as_ref()), self.expected) {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        removal::connection(tx, &self.pool, &self.id, now).await?;
        versions::sessions_changed(tx).await?;
        Ok(Outcome::Done { now: None, changed: removed() })
    }
}
