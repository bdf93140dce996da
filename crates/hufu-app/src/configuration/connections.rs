//! Connections and their settings. Settings are sealed for the row that they belong to.

use std::sync::Arc;

use hufu_protocol::sealing::SealingKey;
use hufu_store::config::{self, Realms, Revised, StoredConnection, StoredSettings};
use hufu_store::{StoreError, Tx, identities, removal, versions};
use hufu_types::{
    Association, ConnectionExtras, ConnectionId, ConnectionKind, ConnectionSettings, Identifier,
    OpenPlatform, PoolId, Random, SettingProblem, Timestamp,
};

use super::change::{Operation, Outcome, Rejection, created, is_expected, names_of, owned, removed};
use crate::sources::{self, Field, field};

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
    /// Whether the caller knows what becomes of the people who have logged in through the connection if it gets another
    /// app.
    pub knows_of_new_app: bool,
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
    /// The values of the kind's fields. `None` leaves them unchanged; so does an absent secret. One that is null is removed.
    pub settings: Option<ConnectionSettings>,
    /// What it has besides the fields of its kind.
    pub extras: ConnectionExtras,
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
            extras: present.extras.clone(),
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
            ("logo", self.extras.logo != present.extras.logo),
            ("verification_file", self.extras.verification_file != present.extras.verification_file),
            ("callback", self.extras.callback != present.extras.callback),
            ("return_user", self.extras.return_user != present.extras.return_user),
        ]);
        names.extend(self.changed_fields(present, sealing));
        names
    }

    fn changed_fields(&self, present: &StoredConnection, sealing: &SealingKey) -> Vec<&'static str> {
        if self.settings.is_none() {
            return Vec::new();
        }
        let opened = sources::settings::open(present, sealing);
        let wanted = self.settings_over(opened.as_ref().ok());
        let differs = |field: &&Field| match &opened {
            Err(_) => field.holds_secrets(),
            Ok(opened) => opened.get(field.name) != wanted.get(field.name),
        };
        sources::fields(self.kind).iter().filter(differs).map(|field| field.name).collect()
    }

    /// The realms of a changed connection. If its settings cannot be unsealed, its realms remain unchanged.
    fn realms_over(&self, present: &StoredConnection, sealing: &SealingKey) -> Realms {
        let opened = sources::settings::open(present, sealing).ok();
        let settings = match &self.settings {
            Some(_) => Some(self.settings_over(opened.as_ref())),
            None => opened,
        };
        settings.map_or_else(
            || present.realms.clone(),
            |settings| sources::realms(self.kind, &settings, &self.open_platform),
        )
    }

    /// The realm of the ids that lead to no account through this connection any more, because it gets another app.
    pub(super) fn left_realm<'p>(
        &self,
        present: &'p StoredConnection,
        sealing: &SealingKey,
    ) -> Option<&'p str> {
        let own = present.realms.own.as_deref()?;
        (self.realms_over(present, sealing).own.as_deref() != Some(own)).then_some(own)
    }

    /// What is wrong with the values of its fields and the secrets that stay. What does not change is not looked at again.
    pub(super) fn problems_over(
        &self,
        present: Option<&StoredConnection>,
        sealing: &SealingKey,
    ) -> Vec<SettingProblem> {
        if present.is_some_and(|present| self.changed_fields(present, sealing).is_empty()) {
            return Vec::new();
        }
        let opened = present.and_then(|present| sources::settings::open(present, sealing).ok());
        field_problems(self.kind, &self.settings_over(opened.as_ref()))
    }

    /// The settings to store: the wanted ones, plus the present secrets that they leave unchanged.
    fn settings_over(&self, present: Option<&ConnectionSettings>) -> ConnectionSettings {
        let fields = sources::fields(self.kind);
        let mut settings = self.settings.clone().unwrap_or_default();
        if let Some(present) = present {
            field::keep_secrets(fields, settings.values_mut(), present.values());
        }
        field::complete(fields, settings.values_mut());
        settings
    }
}

/// What is wrong with the values of the kind's fields.
fn field_problems(kind: ConnectionKind, settings: &ConnectionSettings) -> Vec<SettingProblem> {
    let found = sources::problems(kind, settings.values(), &|_| false);
    found.into_iter().map(|problem| problem.within("fields")).collect()
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
        let mut problems = wanted.association.problems(wanted.kind);
        problems.extend(wanted.extras.problems(wanted.kind));
        if !problems.is_empty() {
            return Ok(Outcome::Rejected(Rejection::Settings(problems)));
        }
        if let Some(file) = &wanted.extras.verification_file
            && let Some((pool, holder)) = config::verification_file_holder(tx, &file.name).await?
            && (pool != self.pool || holder != self.id)
        {
            return Ok(Outcome::Rejected(Rejection::VerificationFileTaken));
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
            let opened = sources::settings::open(&present.value, &self.sealing).ok();
            let settings = wanted.settings_over(opened.as_ref());
            let problems = field_problems(wanted.kind, &settings);
            if !problems.is_empty() {
                return Ok(Outcome::Rejected(Rejection::Settings(problems)));
            }
            self.seal(&settings)
        };
        let realms = wanted.realms_over(&present.value, &self.sealing);
        if !self.knows_of_new_app
            && let Some(left) = wanted.left_realm(&present.value, &self.sealing)
            && identities::is_realm_used(tx, &self.pool, left).await?
        {
            return Ok(Outcome::Rejected(Rejection::AppInUse));
        }
        let stored = StoredConnection {
            display_name: wanted.display_name.clone(),
            login_only: wanted.login_only,
            enabled: wanted.enabled,
            open_platform: wanted.open_platform.clone(),
            association: wanted.association.clone(),
            settings,
            realms,
            extras: wanted.extras.clone(),
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
        let settings = wanted.settings_over(None);
        let problems = field_problems(wanted.kind, &settings);
        if !problems.is_empty() {
            return Ok(Outcome::Rejected(Rejection::Settings(problems)));
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
            extras: wanted.extras,
        };
        config::insert_connection(tx, &stored, now).await?;
        Ok(Outcome::Done { now: Some(Revised { revision: 1, value: stored }), changed: created() })
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
