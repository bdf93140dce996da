//! Applications as documents.

use std::sync::LazyLock;

use hufu_store::config::{self, Revised, StoredConnection};
use hufu_store::{StoreError, Tx};
use hufu_types::{
    Application, ApplicationId, ApplicationKind, Branding, ClientSecret, ClientSettings, ConnectionId,
    LoginControl, PoolId, SigningAlgorithm, Timestamp, TokenLifetimes,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::super::applications::{self, PutApplication, settle_secrets};
use super::super::change::{Operation, Outcome, Rejection, is_expected};
use super::{
    Document, Edit, Reading, Shape, application_kinds, complete, joined, object_of, split, take_text,
};
use crate::digest::hash_token;

/// The keys of an application beside those of [`ClientSettings`].
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Own {
    name: String,
    #[serde(rename = "type")]
    kind: Option<ApplicationKind>,
    default: bool,
    enabled: bool,
    /// Identifiers.
    connections: Vec<String>,
    signing_algorithm: SigningAlgorithm,
    tokens: TokenLifetimes,
    login: LoginControl,
    branding: Branding,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: None,
            default: false,
            enabled: true,
            connections: Vec::new(),
            signing_algorithm: SigningAlgorithm::Es256,
            tokens: TokenLifetimes::default(),
            login: LoginControl::default(),
            branding: Branding::default(),
        }
    }
}

/// The member that is written and never shown.
const SECRET: &str = "secret";

static OWN: LazyLock<Shape> = LazyLock::new(Shape::of::<Own>);
/// The members of [`ClientSettings`].
pub(in crate::configuration) static CLIENT: LazyLock<Shape> = LazyLock::new(Shape::of::<ClientSettings>);
static ALL: LazyLock<Shape> = LazyLock::new(|| {
    let secret = (SECRET, Shape::Text);
    Shape::Object([OWN.members(), CLIENT.members(), &[secret]].concat())
});

/// The members of an application that can be written. `secret` is never shown.
pub fn shape() -> &'static Shape {
    &ALL
}

/// The document of an application, with the identifiers of its connections.
pub fn show(application: &Application, connections: &[Revised<StoredConnection>]) -> Document {
    let identifier = |id: &ConnectionId| {
        let found = connections.iter().find(|found| found.value.id == *id)?;
        Some(found.value.identifier.to_string())
    };
    let own = Own {
        name: application.name.clone(),
        kind: Some(application.kind),
        default: application.is_default,
        enabled: application.enabled,
        connections: application.connections.iter().filter_map(identifier).collect(),
        signing_algorithm: application.signing_algorithm,
        tokens: application.lifetimes,
        login: application.login.clone().into_inner(),
        branding: application.branding.clone().into_inner(),
    };
    let mut document = object_of(&own);
    document.extend(object_of(&application.client));
    complete(shape(), &mut document);
    document.remove(SECRET);
    document
}

/// Makes an application of a document, or changes one by a patch.
#[derive(Clone)]
pub struct EditApplication {
    /// The pool of the application.
    pub pool: PoolId,
    /// The application.
    pub id: ApplicationId,
    /// The document or the patch.
    pub edit: Edit,
    /// The revision that the caller last saw. `None` to skip the check. Of no meaning for a new application.
    pub expected: Option<i64>,
    /// The secret that an application gets which needs one, has none, and is given none. One that is given was made by the
    /// same administrator.
    pub candidate: ClientSecret,
}

/// The same for somebody who may make no secrets if they logged in too long ago.
pub struct EditAfterLogin {
    /// What to write.
    pub edit: EditApplication,
    /// The minutes within which the caller has to have logged in, if they did not.
    pub within: Option<u64>,
}

impl Operation for EditAfterLogin {
    type Object = Application;

    fn pool(&self) -> &PoolId {
        self.edit.pool()
    }

    fn object(&self) -> (&'static str, String) {
        self.edit.object()
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Application>, StoreError> {
        self.edit.run_within(tx, now, self.within).await
    }
}

impl Operation for EditApplication {
    type Object = Application;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("application", self.id.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Application>, StoreError> {
        self.run_within(tx, now, None).await
    }
}

impl EditApplication {
    async fn run_within(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        within: Option<u64>,
    ) -> Result<Outcome<Application>, StoreError> {
        let present = config::application(tx, &self.pool, &self.id).await?;
        let expected = match (&self.edit, &present) {
            (Edit::New(_), Some(_)) => {
                return Ok(Outcome::Rejected(Rejection::ApplicationIdTaken(self.pool.clone())));
            }
            (Edit::New(_), None) => 0,
            (Edit::Patch(_) | Edit::Element(_), None) => {
                return Ok(Outcome::Rejected(Rejection::NoApplication));
            }
            (Edit::Patch(_) | Edit::Element(_), Some(present)) => present.revision,
        };
        if let (Some(caller), Some(_)) = (self.expected, &present)
            && !is_expected(Some(caller), present.as_ref())
        {
            return Ok(Outcome::Conflict { expected: caller, now: present });
        }
        let connections = config::connections_of(tx, &self.pool).await?;
        let position = match &present {
            Some(present) => present.value.position,
            None => config::next_position(tx, &self.pool).await?,
        };
        let present = present.map(|present| present.value);
        let mut reading = Reading::new("an application");
        let wanted = self.read(&mut reading, present.as_ref(), &connections, position, now);
        let settings = applications::problems(tx, &wanted, present.as_ref(), reading.is_sound()).await?;
        reading.refuse_all(settings);
        if !reading.is_sound() {
            return Ok(Outcome::Rejected(Rejection::Settings(reading.into_problems())));
        }
        let had = present.as_ref().map(|present| present.secrets.as_slice()).unwrap_or_default();
        let is_new = |secret: &ClientSecret| had.iter().all(|present| present.hash != secret.hash);
        if let Some(minutes) = within
            && wanted.secrets.iter().any(is_new)
        {
            return Ok(Outcome::Rejected(Rejection::LoginTooOld(minutes)));
        }
        PutApplication { application: wanted, expected: Some(expected) }.run(tx, now).await
    }

    /// The wanted application. What cannot be read of it is reported, and takes its default.
    fn read(
        &self,
        reading: &mut Reading,
        present: Option<&Application>,
        connections: &[Revised<StoredConnection>],
        position: i64,
        now: Timestamp,
    ) -> Application {
        let shown = present.map(|present| show(present, connections)).unwrap_or_default();
        let mut document = self.edit.over(shown);
        take_empty(&mut document, &CLIENT);
        if let Some(Json::Object(branding)) = document.get_mut("branding") {
            take_empty(branding, OWN.member("branding").unwrap_or(&Shape::Any));
        }
        reading.prune_members(shape(), &mut document, "");
        let given = take_text(&mut document, SECRET);
        let (own, client) = split(document, &OWN);
        let own: Own = reading.read(&OWN, own, "");
        let client: ClientSettings = reading.read(&CLIENT, client, "");

        reading.label("name", &own.name);
        let kind = own.kind.unwrap_or_else(|| {
            reading.refuse_too("type", format!("missing — write one of {}", application_kinds()));
            ApplicationKind::Web
        });
        let given = given.and_then(|text| match ClientSecret::check(&text) {
            Ok(()) => Some(ClientSecret {
                hash: hash_token(&text),
                created_at: now,
                created_by: self.candidate.created_by.clone(),
            }),
            Err(rule) => {
                reading.refuse(SECRET, format!("not valid — {rule}"));
                None
            }
        });
        if applications::is_session_too_short(own.tokens) {
            let reason = "shorter than `user_token` — a session lasts at least as long as its token";
            reading.refuse_too("tokens.session", reason);
        }
        let mut application = Application {
            id: self.id.clone(),
            pool: self.pool.clone(),
            name: own.name,
            kind,
            is_default: own.default,
            position,
            enabled: own.enabled,
            connections: references(reading, &own.connections, own.kind, connections),
            signing_algorithm: own.signing_algorithm,
            lifetimes: own.tokens,
            client: client.into(),
            secrets: present.map(|present| present.secrets.clone()).unwrap_or_default(),
            login: own.login.into(),
            branding: own.branding.into(),
        };
        settle_secrets(&mut application, given, || self.candidate.clone());
        application
    }
}

/// The ids of the connections that an application lists.
fn references(
    reading: &mut Reading,
    identifiers: &[String],
    kind: Option<ApplicationKind>,
    connections: &[Revised<StoredConnection>],
) -> Vec<ConnectionId> {
    let mut ids: Vec<ConnectionId> = Vec::with_capacity(identifiers.len());
    for (index, identifier) in identifiers.iter().enumerate() {
        let path = joined("connections", &index.to_string());
        let found = connections.iter().find(|found| found.value.identifier.as_str() == identifier);
        let unusable = |found: &StoredConnection| kind.filter(|kind| !kind.may_use(found.kind));
        match found.map(|found| &found.value) {
            None => {
                reading.refuse(path, "the user pool has no such connection — make it first, or take it out");
            }
            Some(found) if ids.contains(&found.id) => {
                reading.refuse(path, "it is there already — name each connection once");
            }
            Some(found) => {
                if let Some(kind) = unusable(found) {
                    let (application, connection) = (kind.as_str(), found.kind.as_str());
                    let rule = format!(
                        "an application of type {application} cannot use a connection of type {connection}"
                    );
                    reading.refuse(path, format!("{rule} — take it out of the list"));
                }
                ids.push(found.id.clone());
            }
        }
    }
    ids
}

/// Takes out empty texts, which mean none, as in the file.
pub(super) fn take_empty(document: &mut Document, shape: &Shape) {
    document.retain(|name, value| value != "" || shape.member(name).is_none());
}
