//! What registering, changing and removing a client write. Each is an operation on the configuration, so it runs with all
//! other changes locked out, and is in the audit log.

use hufu_store::registrations::{self, RegisteredClient};
use hufu_store::{StoreError, Tx, application_users, config, consents, endings, versions};
use hufu_types::{
    Application, ApplicationId, ClientSecret, PoolId, RegistrationTokenId, SettingProblem, Timestamp,
    TokenHash,
};

use super::is_token;
use super::metadata::Registration;
use crate::configuration::{Operation, Outcome, PutApplication, Rejection};

/// Registers a client.
pub(super) struct RegisterClient {
    /// The new application.
    pub(super) put: PutApplication,
    /// The token that lets it register.
    pub(super) token: RegistrationTokenId,
    /// The hash of the token with which it manages itself.
    pub(super) hash: TokenHash,
    /// How many clients of the pool may have registered themselves.
    pub(super) most: i64,
}

impl Operation for RegisterClient {
    type Object = Application;

    fn pool(&self) -> &PoolId {
        self.put.pool()
    }

    fn object(&self) -> (&'static str, String) {
        self.put.object()
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Application>, StoreError> {
        let (pool, id) = (self.pool(), &self.put.application.id);
        let token = registrations::token(tx, &self.token).await?;
        let Some(token) = token.filter(|token| token.pool == *pool && token.expires_at > now) else {
            return Ok(Outcome::Rejected(Rejection::RegistrationEnded));
        };
        if registrations::count(tx, pool).await? >= self.most {
            return Ok(Outcome::Rejected(Rejection::TooManyClients(self.most)));
        }
        if let Some(most) = token.clients
            && registrations::count_of_token(tx, pool, &token.id).await? >= most
        {
            return Ok(Outcome::Rejected(Rejection::TooManyClients(most)));
        }
        let outcome = self.put.run(tx, now).await?;
        if matches!(outcome, Outcome::Done { .. }) {
            registrations::insert_client(tx, pool, id, &token.id, &self.hash, now).await?;
        }
        Ok(outcome)
    }
}

/// Replaces what a client registered.
pub(super) struct ChangeClient {
    pub(super) pool: PoolId,
    pub(super) application: ApplicationId,
    pub(super) registration: Registration,
    /// The hash of the secret that the client says it has.
    pub(super) sent_secret: Option<TokenHash>,
    /// A secret, if it needs one and has none.
    pub(super) secret: ClientSecret,
    /// The hash of the token that it sent, and of the next one.
    pub(super) token: TokenHash,
    pub(super) next: TokenHash,
}

impl ChangeClient {
    /// The application with what it registers now.
    pub(super) fn wanted(
        registration: &Registration,
        present: Application,
        secret: &ClientSecret,
    ) -> Application {
        let mut wanted = registration.over(present);
        if !wanted.has_secret() {
            wanted.secrets.clear();
        } else if wanted.secrets.is_empty() {
            wanted.secrets.push(secret.clone());
        }
        wanted
    }
}

impl Operation for ChangeClient {
    type Object = Application;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("application", self.application.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Application>, StoreError> {
        if own(tx, &self.pool, &self.application, &self.token).await?.is_none() {
            return Ok(Outcome::Rejected(Rejection::RegistrationEnded));
        }
        let Some(present) = config::application(tx, &self.pool, &self.application).await? else {
            return Ok(Outcome::Rejected(Rejection::NoApplication));
        };
        if let Some(sent) = &self.sent_secret
            && !present.value.secrets.iter().any(|secret| sent.matches(secret.hash.as_bytes()))
        {
            let reason = "it is not the client's secret, and the server chooses them: leave it out";
            let problem = SettingProblem { path: "secret".to_owned(), reason: reason.to_owned() };
            return Ok(Outcome::Rejected(Rejection::Settings(vec![problem])));
        }
        let application = Self::wanted(&self.registration, present.value, &self.secret);
        let put = PutApplication { application, expected: Some(present.revision) };
        let outcome = put.run(tx, now).await?;
        if matches!(outcome, Outcome::Done { .. }) {
            registrations::replace_hash(tx, &self.pool, &self.application, &self.next).await?;
        }
        Ok(outcome)
    }
}

/// Removes a client, with all that people let it have.
pub(super) struct RemoveClient {
    pub(super) pool: PoolId,
    pub(super) application: ApplicationId,
    /// The hash of the token that it sent.
    pub(super) token: TokenHash,
}

impl Operation for RemoveClient {
    type Object = Application;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        ("application", self.application.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, _now: Timestamp) -> Result<Outcome<Application>, StoreError> {
        let (pool, id) = (&self.pool, &self.application);
        if own(tx, pool, id, &self.token).await?.is_none() {
            return Ok(Outcome::Rejected(Rejection::RegistrationEnded));
        }
        endings::of_client(tx, pool, id).await?;
        consents::forget_application(tx, pool, id).await?;
        application_users::forget_application(tx, pool, id).await?;
        registrations::delete_client(tx, pool, id).await?;
        config::delete_application(tx, pool, id).await?;
        versions::sessions_changed(tx).await?;
        Ok(Outcome::Done { now: None, changed: vec!["removed".to_owned()] })
    }
}

/// The registration that a token manages. Whoever changes one locks the configuration first, so of two that bring the same
/// token, the second finds another one.
async fn own(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
    token: &TokenHash,
) -> Result<Option<RegisteredClient>, StoreError> {
    let registered = registrations::client(tx, pool, application).await?;
    Ok(registered.filter(|registered| is_token(token, registered)))
}
