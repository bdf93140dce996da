//! Applications, and the connections enabled for them.

use hufu_protocol::ClientKeys;
use hufu_store::config::{self, Revised};
use hufu_store::{StoreError, Tx, removal, versions};
use hufu_types::{
    Access, Application, ApplicationId, ClientSecret, ClientSettings, LoginTab, PoolId, SettingProblem,
    Timestamp, TokenHash, TokenLifetimes,
};

use super::change::{Operation, Outcome, Rejection, created, is_expected, names_of, owned, removed};
use super::document::application::CLIENT;
use super::document::object_of;
use crate::sources;

/// Creates an application, or changes it. If it becomes the default of its pool, the previous default loses
/// that status.
#[derive(Clone, Debug)]
pub struct PutApplication {
    /// The wanted state.
    pub application: Application,
    /// The revision that the caller last saw, to detect concurrent changes. 0 for a new application, `None`
    /// to skip the check.
    pub expected: Option<i64>,
}

impl Operation for PutApplication {
    type Object = Application;

    fn pool(&self) -> &PoolId {
        &self.application.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("application", self.application.id.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Application>, StoreError> {
        let wanted = &self.application;
        let present = config::application(tx, &wanted.pool, &wanted.id).await?;
        if let (false, Some(expected)) = (is_expected(self.expected, present.as_ref()), self.expected) {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        if let Some(rejection) = self.check(tx, present.as_ref().map(|present| &present.value)).await? {
            return Ok(Outcome::Rejected(rejection));
        }
        let (revision, changed) = match &present {
            None => {
                if wanted.id.is_reserved() {
                    return Ok(Outcome::Rejected(Rejection::ApplicationIdTaken(PoolId::system())));
                }
                if let Some(holder) = config::pool_of_application(tx, &wanted.id).await? {
                    return Ok(Outcome::Rejected(Rejection::ApplicationIdTaken(holder)));
                }
                if config::pool(tx, &wanted.pool).await?.is_none() {
                    return Ok(Outcome::Rejected(Rejection::NoPool));
                }
                config::insert_application(tx, wanted, now).await?;
                (1, created())
            }
            Some(present) => {
                let moves = present.value.position != wanted.position;
                let mut changed = differences(&present.value, wanted, moves);
                if present.value.enabled != wanted.enabled {
                    changed.push("enabled");
                }
                if changed.is_empty() {
                    let now = Some(present.clone());
                    return Ok(Outcome::Done { now, changed: Vec::new() });
                }
                config::update_application(tx, wanted, now).await?;
                let lists = |application: &Application| application.login.access == Access::Listed;
                if lists(wanted) && !lists(&present.value) {
                    // Nodes believe those whom it does not list no more.
                    versions::sessions_changed(tx).await?;
                }
                (present.revision + 1, owned(changed))
            }
        };
        if wanted.is_default {
            config::clear_other_defaults(tx, &wanted.pool, &wanted.id, now).await?;
        }
        let now = Revised { revision, value: wanted.clone() };
        Ok(Outcome::Done { now: Some(now), changed })
    }
}

impl PutApplication {
    async fn check(
        &self,
        tx: &mut Tx<'_>,
        present: Option<&Application>,
    ) -> Result<Option<Rejection>, StoreError> {
        let wanted = &self.application;
        if is_session_too_short(wanted.lifetimes) {
            return Ok(Some(Rejection::SessionTooShort));
        }
        for id in &wanted.connections {
            let Some(found) = config::connection(tx, &wanted.pool, id).await? else {
                return Ok(Some(Rejection::NoConnection(id.clone())));
            };
            let connection = found.value;
            if !wanted.kind.may_use(connection.kind) {
                return Ok(Some(Rejection::ConnectionUnusable(connection.identifier, connection.kind)));
            }
        }
        let mut problems = problems(tx, wanted, present, true).await?;
        if wanted.client.resources
            != present.map(|present| present.client.resources.as_slice()).unwrap_or_default()
        {
            problems.extend(taken_resource(tx, wanted).await?);
        }
        Ok((!problems.is_empty()).then_some(Rejection::Settings(problems)))
    }
}

/// What is wrong with an application. Without `is_whole`, some of it could not be read, and only its parts are judged
/// by themselves.
pub(super) async fn problems(
    tx: &mut Tx<'_>,
    wanted: &Application,
    present: Option<&Application>,
    is_whole: bool,
) -> Result<Vec<SettingProblem>, StoreError> {
    // The pool may have lost an agreement since. That must not stand in the way of other changes.
    let before = present.map(|present| present.login.agreements.as_slice()).unwrap_or_default();
    let agreements = if wanted.login.agreements == before {
        None
    } else {
        let pool = config::pool(tx, &wanted.pool).await?;
        Some(pool.map(|pool| pool.value.settings.agreements).unwrap_or_default())
    };
    let mut problems = if is_whole { wanted.client_problems() } else { Vec::new() };
    problems.extend(wanted.problems_of_parts(agreements.as_deref()));
    problems.extend(key_problem(&wanted.client));
    problems.extend(tab_problems(tx, wanted, present).await?);
    Ok(problems)
}

/// The tabs of the login page that are connections without a QR code, or not of the application. A connection that it has
/// lost since must not stand in the way of other changes.
async fn tab_problems(
    tx: &mut Tx<'_>,
    wanted: &Application,
    present: Option<&Application>,
) -> Result<Vec<SettingProblem>, StoreError> {
    let before = present.map(|present| present.login.methods.as_slice()).unwrap_or_default();
    let has_codes = wanted.login.methods.iter().any(|tab| matches!(tab, LoginTab::QrCode(_)));
    if !has_codes || wanted.login.methods == before {
        return Ok(Vec::new());
    }
    let mut showing = Vec::new();
    for id in &wanted.connections {
        let found = config::connection(tx, &wanted.pool, id).await?.map(|found| found.value);
        let found = found.filter(|connection| sources::qr_codes(connection.kind).is_some());
        showing.extend(found.map(|connection| connection.identifier));
    }
    let mut problems = Vec::new();
    for (index, tab) in wanted.login.methods.iter().enumerate() {
        if let LoginTab::QrCode(identifier) = tab
            && !showing.contains(identifier)
        {
            problems.push(SettingProblem {
                path: format!("login.methods.{index}"),
                reason: format!(
                    "`{identifier}` is no connection of this application that shows a QR code — name one that does, \
                     or take it out"
                ),
            });
        }
    }
    Ok(problems)
}

/// Gives an application a new client secret. The one before stays valid, so that the application can be changed over
/// without downtime.
#[derive(Clone, Debug)]
pub struct AddClientSecret {
    /// The pool of the application.
    pub pool: PoolId,
    /// The application.
    pub application: ApplicationId,
    /// The new secret.
    pub secret: ClientSecret,
    /// The revision that the caller last saw. `None` to skip the check.
    pub expected: Option<i64>,
}

impl Operation for AddClientSecret {
    type Object = Application;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("application", self.application.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Application>, StoreError> {
        let Some(present) = config::application(tx, &self.pool, &self.application).await? else {
            return Ok(Outcome::Rejected(Rejection::NoApplication));
        };
        if let (false, Some(expected)) = (is_expected(self.expected, Some(&present)), self.expected) {
            return Ok(Outcome::Conflict { expected, now: Some(present) });
        }
        let mut application = present.value;
        if !application.has_secret() {
            return Ok(Outcome::Rejected(Rejection::PublicClient));
        }
        add_secret(&mut application, self.secret.clone());
        PutApplication { application, expected: Some(present.revision) }.run(tx, now).await
    }
}

/// Ends a client secret at once. The application keeps its other one.
#[derive(Clone, Debug)]
pub struct RemoveClientSecret {
    /// The pool of the application.
    pub pool: PoolId,
    /// The application.
    pub application: ApplicationId,
    /// The hash of the secret.
    pub secret: TokenHash,
    /// The revision that the caller last saw. `None` to skip the check.
    pub expected: Option<i64>,
}

impl Operation for RemoveClientSecret {
    type Object = Application;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("application", self.application.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Application>, StoreError> {
        let Some(present) = config::application(tx, &self.pool, &self.application).await? else {
            return Ok(Outcome::Rejected(Rejection::NoApplication));
        };
        if let (false, Some(expected)) = (is_expected(self.expected, Some(&present)), self.expected) {
            return Ok(Outcome::Conflict { expected, now: Some(present) });
        }
        let mut application = present.value;
        let before = application.secrets.len();
        application.secrets.retain(|secret| secret.hash != self.secret);
        match (before, application.secrets.len()) {
            (before, after) if before == after => Ok(Outcome::Rejected(Rejection::NoSecret)),
            (_, 0) => Ok(Outcome::Rejected(Rejection::OnlySecret)),
            _ => PutApplication { application, expected: Some(present.revision) }.run(tx, now).await,
        }
    }
}

/// Removes an application. Its sessions end, and nobody can log in to it any more.
#[derive(Clone, Debug)]
pub struct RemoveApplication {
    /// The pool of the application.
    pub pool: PoolId,
    /// The application.
    pub id: ApplicationId,
    /// The revision that the caller last saw. `None` to skip the check.
    pub expected: Option<i64>,
}

impl Operation for RemoveApplication {
    type Object = Application;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("application", self.id.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, _now: Timestamp) -> Result<Outcome<Application>, StoreError> {
        let present = config::application(tx, &self.pool, &self.id).await?;
        if present.is_none() {
            return Ok(Outcome::Rejected(Rejection::NoApplication));
        }
        if let (false, Some(expected)) = (is_expected(self.expected, present.as_ref()), self.expected) {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        removal::application(tx, &self.pool, &self.id).await?;
        versions::sessions_changed(tx).await?;
        Ok(Outcome::Done { now: None, changed: removed() })
    }
}

/// The first resource that another application is, in whatever pool.
async fn taken_resource(tx: &mut Tx<'_>, wanted: &Application) -> Result<Option<SettingProblem>, StoreError> {
    let mut others = config::resource_holders(tx).await?;
    others.retain(|other| other.application != wanted.id);
    let taken = |resource: &String| others.iter().any(|other| other.resources.contains(resource));
    let place = wanted.client.resources.iter().position(taken);
    Ok(place.map(|index| SettingProblem {
        path: format!("resources.{index}"),
        reason: "another application is this resource — take it out there first, or choose another"
            .to_owned(),
    }))
}

/// What is wrong with the public keys that are written in the settings.
pub(crate) fn key_problem(client: &ClientSettings) -> Option<SettingProblem> {
    let keys = client.jwks.as_ref()?.to_string();
    let error = ClientKeys::parse(keys.as_bytes()).err()?;
    Some(SettingProblem { path: "jwks".to_owned(), reason: error.to_string() })
}

/// Gives an application its secrets: one that is given comes first, and the one before it stays valid. A confidential
/// client without any gets one that is made. Returns whether it did.
pub(super) fn settle_secrets(
    application: &mut Application,
    given: Option<ClientSecret>,
    make: impl FnOnce() -> ClientSecret,
) -> bool {
    if let Some(given) = given {
        if !application.secrets.iter().any(|present| present.hash == given.hash) {
            add_secret(application, given);
        }
    } else if !application.has_secret() {
        application.secrets.clear();
    } else if application.secrets.is_empty() {
        add_secret(application, make());
        return true;
    }
    false
}

/// Puts a secret before the others, and removes those beyond the number that is valid at the same time.
pub(super) fn add_secret(application: &mut Application, secret: ClientSecret) {
    application.secrets.insert(0, secret);
    application.secrets.truncate(Application::MAX_SECRETS);
}

/// Whether sessions would end before their tokens expire.
pub(super) fn is_session_too_short(lifetimes: TokenLifetimes) -> bool {
    lifetimes.session < lifetimes.user_token
}

/// The names of the differing keys, as in the file, except for `enabled`. The caller decides whether the
/// position changes.
pub(super) fn differences(present: &Application, wanted: &Application, moves: bool) -> Vec<&'static str> {
    let mut names = names_of(&[
        ("name", wanted.name != present.name),
        ("type", wanted.kind != present.kind),
        ("default", wanted.is_default != present.is_default),
        ("position", moves),
        ("connections", wanted.connections != present.connections),
        ("signing_algorithm", wanted.signing_algorithm != present.signing_algorithm),
        ("tokens", wanted.lifetimes != present.lifetimes),
        ("secret", wanted.secrets != present.secrets),
    ]);
    let (new, old) = (object_of(&wanted.client), object_of(&present.client));
    let of_client = CLIENT.members().iter().map(|(name, _)| *name);
    names.extend(of_client.filter(|name| new.get(*name) != old.get(*name)));
    names.extend(names_of(&[
        ("login", wanted.login != present.login),
        ("branding", wanted.branding != present.branding),
    ]));
    names
}
