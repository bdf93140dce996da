//! Applications, and the connections enabled for them.

use hufu_protocol::ClientKeys;
use hufu_store::config::{self, Revised};
use hufu_store::{StoreError, Tx};
use hufu_types::{
    Application, ApplicationId, ClientSecret, ClientSettings, PoolId, SettingProblem, Timestamp,
    TokenLifetimes,
};

use super::change::{Operation, Outcome, Rejection, created, is_expected, names_of, owned};

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
        // The pool may have lost an agreement since. That must not stand in the way of other changes.
        let before = present.map(|present| present.login.agreements.as_slice()).unwrap_or_default();
        let agreements = if wanted.login.agreements == before {
            None
        } else {
            let pool = config::pool(tx, &wanted.pool).await?;
            Some(pool.map(|pool| pool.value.settings.agreements).unwrap_or_default())
        };
        let mut problems = wanted.problems(agreements.as_deref());
        problems.extend(key_problem(&wanted.client));
        if wanted.client.resources
            != present.map(|present| present.client.resources.as_slice()).unwrap_or_default()
        {
            problems.extend(taken_resource(tx, wanted).await?);
        }
        Ok((!problems.is_empty()).then_some(Rejection::Settings(problems)))
    }
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
        let mut application = present.value;
        if !application.has_secret() {
            return Ok(Outcome::Rejected(Rejection::PublicClient));
        }
        add_secret(&mut application, self.secret.clone());
        PutApplication { application, expected: Some(present.revision) }.run(tx, now).await
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
pub(super) fn key_problem(client: &ClientSettings) -> Option<SettingProblem> {
    let keys = client.jwks.as_ref()?.to_string();
    let error = ClientKeys::parse(keys.as_bytes()).err()?;
    Some(SettingProblem { path: "jwks".to_owned(), reason: error.to_string() })
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
    let (new, old) = (&wanted.client, &present.client);
    names_of(&[
        ("name", wanted.name != present.name),
        ("type", wanted.kind != present.kind),
        ("default", wanted.is_default != present.is_default),
        ("position", moves),
        ("connections", wanted.connections != present.connections),
        ("signing_algorithm", wanted.signing_algorithm != present.signing_algorithm),
        ("tokens", wanted.lifetimes != present.lifetimes),
        ("secret", wanted.secrets != present.secrets),
        ("token_auth", new.token_auth != old.token_auth),
        ("jwks_uri", new.jwks_uri != old.jwks_uri),
        ("jwks", new.jwks != old.jwks),
        ("redirect_uris", new.redirect_uris != old.redirect_uris),
        ("logout_redirect_uris", new.logout_redirect_uris != old.logout_redirect_uris),
        ("backchannel_logout_uri", new.backchannel_logout_uri != old.backchannel_logout_uri),
        ("frontchannel_logout_uri", new.frontchannel_logout_uri != old.frontchannel_logout_uri),
        ("allowed_origins", new.allowed_origins != old.allowed_origins),
        ("init_login_uri", new.init_login_uri != old.init_login_uri),
        ("resources", new.resources != old.resources),
        ("grants", new.grants != old.grants),
        ("logo", new.logo != old.logo),
        ("description", new.description != old.description),
        ("login", wanted.login != present.login),
        ("branding", wanted.branding != present.branding),
    ])
}
