//! Clients that register themselves (RFC 7591, OpenID Connect Registration 1.0) and manage what they registered (RFC 7592).
//!
//! Nobody registers without a token that an operator made for a pool. What registers is an application like any other: a
//! third party, whose users are asked for consent. A row beside it says that it manages itself, with a token of its own;
//! once `hufu apply` names it, that row is gone.
//!
//! Reading order: `tokens` (who may register), `metadata` (what a client says of itself), this file (the use cases), `unit`
//! (what they write).

mod metadata;
mod tokens;
mod unit;

use async_recursion::async_recursion as boxed;
use hufu_store::rates::{self, Hit};
use hufu_store::registrations::{self, RegisteredClient};
use hufu_store::{Read, StoreError, Tx, config};
use hufu_types::refusal::Code;
use hufu_types::{
    ActorKind, Application, ApplicationId, ApplicationKind, Branding, ClientSecret, ClientSettings,
    LoginControl, OpaqueToken, PoolId, SigningAlgorithm, Timestamp, TokenHash, TokenLifetimes, TokenPurpose,
};
use serde_json::{Map, Value, json};

pub use self::tokens::{MayRegister, RegistrationTokenRequest};
pub use hufu_store::registrations::RegistrationToken;

use self::metadata::{Registration, described, problem, refuse};
use self::unit::{ChangeClient, RegisterClient, RemoveClient};
use crate::address::network_of;
use crate::configuration::{Change, Operation, Outcome, PutApplication, Rejection, key_problem};
use crate::digest::hash_token;
use crate::events::{Actor, Trace};
use crate::{App, Origin, Refusal};

/// What a client may not send when it changes itself (RFC 7592 section 2.2).
const OF_THE_SERVER: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

/// Applications that registered themselves come after all others.
const POSITION: i64 = i64::MAX;

/// A registered client that proved who it is.
#[derive(Debug)]
pub struct OwnRegistration {
    application: Application,
    /// When it registered.
    created_at: Timestamp,
    /// The token that it sent.
    token: OpaqueToken,
}

impl OwnRegistration {
    fn pool(&self) -> &PoolId {
        &self.application.pool
    }
}

impl App {
    /// Registers a client. Returns what it registered, with its secret and the token with which it manages itself, which are
    /// not kept anywhere else (RFC 7591 section 3.2.1). This node serves it at once, the others within their poll.
    ///
    /// # Errors
    /// [`Code::RedirectUriInvalid`], [`Code::ClientMetadataInvalid`], [`Code::SectorInvalid`], [`Code::TooManyClients`],
    /// [`Code::TooOften`], [`Code::RegistrationUnauthorized`] if the token is gone.
    #[boxed]
    pub async fn register_client(
        &self,
        by: &MayRegister,
        metadata: &Map<String, Value>,
        origin: &Origin,
    ) -> Result<Map<String, Value>, Refusal> {
        self.config().check_open(by.pool())?;
        let registration = Registration::read(metadata)?;
        let now = self.now();
        let application = registration.over(Application {
            id: ApplicationId::generate(now, &*self.random),
            pool: by.pool().clone(),
            name: String::new(),
            kind: ApplicationKind::Web,
            is_default: false,
            position: POSITION,
            enabled: true,
            connections: Vec::new(),
            signing_algorithm: SigningAlgorithm::Rs256,
            lifetimes: TokenLifetimes::default(),
            client: ClientSettings::default().into(),
            secrets: Vec::new(),
            login: LoginControl { consent: true, ..LoginControl::default() }.into(),
            branding: Branding::default().into(),
        });
        let (secret, hashed) = self.new_secret();
        let has_secret = application.has_secret();
        let secrets = if has_secret { vec![hashed] } else { Vec::new() };
        let application = Application { secrets, ..application };
        check_application(&application)?;
        self.count_registration(by.id().as_str()).await?;
        self.check_sector(&application.client).await?;
        let token = OpaqueToken::generate(TokenPurpose::RegisteredClient, &*self.random);
        let (id, pool) = (application.id.clone(), application.pool.clone());
        let operation = RegisterClient {
            put: PutApplication { application, expected: Some(0) },
            token: by.id().clone(),
            hash: hash_token(token.expose()),
            most: self.limits.registered_clients,
        };
        let application = self.change_client(operation, &pool, &id, origin).await?;
        let application = application.ok_or_else(gone)?;
        let secret = has_secret.then_some(secret);
        Ok(self.information(&application, now, secret.as_ref().map(OpaqueToken::expose), &token))
    }

    /// Authenticates a client that manages itself.
    ///
    /// # Errors
    /// [`Code::RegistrationUnauthorized`], whatever is wrong (RFC 7592 section 2); [`Code::TooOften`] for a network that
    /// sends many wrong tokens; [`Code::PoolOff`].
    #[boxed]
    pub async fn own_registration(
        &self,
        client: &str,
        token: Option<&str>,
        origin: &Origin,
    ) -> Result<OwnRegistration, Refusal> {
        let Some(token) = token else { return Err(Code::RegistrationUnauthorized.into()) };
        let found = match ApplicationId::parse(client) {
            Ok(id) => self.read(FindRegistered(id)).await?,
            Err(_) => None,
        };
        let sent = hash_token(token);
        match found {
            Some((application, registered)) if sent.matches(&registered.hash) => {
                self.config().check_open(&application.pool)?;
                let token = OpaqueToken::presented(token.to_owned());
                Ok(OwnRegistration { application, created_at: registered.created_at, token })
            }
            _ => Err(self.wrong_registration_token(origin).await?),
        }
    }

    /// What a client registered (RFC 7592 section 2.1). Its secret is not known here.
    pub fn registered(&self, own: &OwnRegistration) -> Map<String, Value> {
        self.information(&own.application, own.created_at, None, &own.token)
    }

    /// Replaces what a client registered (RFC 7592 section 2.2). It gets a new token to manage itself with, and a secret if
    /// it needs one now and had none.
    ///
    /// # Errors
    /// As [`Self::register_client`].
    #[boxed]
    pub async fn change_registration(
        &self,
        own: &OwnRegistration,
        metadata: &Map<String, Value>,
        origin: &Origin,
    ) -> Result<Map<String, Value>, Refusal> {
        let id = &own.application.id;
        if let Some(name) = OF_THE_SERVER.into_iter().find(|name| metadata.contains_key(*name)) {
            return Err(refuse(name, "it is the server's to say: leave it out"));
        }
        if metadata.get("client_id").and_then(Value::as_str) != Some(id.as_str()) {
            return Err(refuse("client_id", "it must be there, and be that of the address"));
        }
        let sent_secret = match metadata.get("client_secret") {
            None | Some(Value::Null) => None,
            Some(secret) => Some(secret.as_str().ok_or_else(|| refuse("client_secret", "it is not a text"))?),
        };
        let registration = Registration::read(metadata)?;
        let (secret, hashed) = self.new_secret();
        let new_hash = hashed.hash.clone();
        let wanted = ChangeClient::wanted(&registration, own.application.clone(), &hashed);
        check_application(&wanted)?;
        self.count_registration(id.as_str()).await?;
        self.check_sector(&wanted.client).await?;
        let token = OpaqueToken::generate(TokenPurpose::RegisteredClient, &*self.random);
        let operation = ChangeClient {
            pool: own.pool().clone(),
            application: id.clone(),
            registration,
            sent_secret: sent_secret.map(hash_token),
            secret: hashed,
            token: hash_token(own.token.expose()),
            next: hash_token(token.expose()),
        };
        let changed = self.change_client(operation, own.pool(), id, origin).await?.ok_or_else(gone)?;
        let is_new = changed.secrets.iter().any(|secret| new_hash.matches(secret.hash.as_bytes()));
        // What the client sent is its secret, so it may be told again.
        let secret = if is_new { Some(secret.expose()) } else { sent_secret };
        Ok(self.information(&changed, own.created_at, secret, &token))
    }

    /// Removes a client (RFC 7592 section 2.3). What it holds of its users' sessions ends.
    ///
    /// # Errors
    /// [`Code::RegistrationUnauthorized`] if it was removed or changed meanwhile.
    #[boxed]
    pub async fn remove_registration(&self, own: &OwnRegistration, origin: &Origin) -> Result<(), Refusal> {
        let id = &own.application.id;
        let operation = RemoveClient {
            pool: own.pool().clone(),
            application: id.clone(),
            token: hash_token(own.token.expose()),
        };
        self.change_client(operation, own.pool(), id, origin).await.map(drop)
    }

    /// Runs an operation of a client on itself, and takes up what it changed.
    async fn change_client<O: Operation<Object = Application>>(
        &self,
        operation: O,
        pool: &PoolId,
        client: &ApplicationId,
        origin: &Origin,
    ) -> Result<Option<Application>, Refusal> {
        let trace = self.trace_of_client(pool, client, origin);
        let outcome = self.write(Change { operation, trace }).await?;
        let now = match outcome {
            Outcome::Done { now, .. } => now,
            Outcome::Conflict { .. } => return Err(StoreError::LostRace.into()),
            Outcome::Rejected(rejection) => return Err(refusal_of(rejection)),
        };
        // It is stored: if this node cannot take it up now, its next poll does.
        if let Err(error) = self.refresh_config().await {
            tracing::error!(error = hufu_types::chain(&error), "a registered client cannot be taken up yet");
        }
        Ok(now.map(|now| now.value))
    }

    fn trace_of_client(&self, pool: &PoolId, client: &ApplicationId, origin: &Origin) -> Trace {
        let actor = Actor { kind: ActorKind::Client, id: Some(client.to_string()) };
        self.trace(pool, Some(actor), Some(client), None, origin)
    }

    fn new_secret(&self) -> (OpaqueToken, ClientSecret) {
        let secret = OpaqueToken::generate(TokenPurpose::ClientSecret, &*self.random);
        let hash = hash_token(secret.expose());
        (secret, ClientSecret { hash, created_at: self.now(), created_by: None })
    }

    /// The client information response (RFC 7591 section 3.2.1, RFC 7592 section 3).
    fn information(
        &self,
        application: &Application,
        created_at: Timestamp,
        secret: Option<&str>,
        token: &OpaqueToken,
    ) -> Map<String, Value> {
        let mut information = described(application);
        let mut put = |name: &str, value: Value| information.insert(name.to_owned(), value);
        put("client_id", json!(application.id));
        put("client_id_issued_at", json!(created_at.seconds()));
        put("registration_access_token", json!(token.expose()));
        put("registration_client_uri", json!(format!("{}/oidc/reg/{}", self.public_url, application.id)));
        if let Some(secret) = secret {
            put("client_secret", json!(secret));
            put("client_secret_expires_at", json!(0));
        }
        information
    }

    /// Counts a wrong token, and returns the refusal.
    async fn wrong_registration_token(&self, origin: &Origin) -> Result<Refusal, Refusal> {
        let network = origin.ip.as_deref().map(network_of).unwrap_or_default();
        let (name, window, now) =
            (format!("registration_token:{network}"), self.limits.guess_window, self.now());
        let hits = self.write(Hit { name, amount: 1, window, now }).await?;
        if hits > self.limits.guesses_per_ip {
            let wait = rates::wait(window, now);
            return Ok(Code::TooOften
                .retry_after(wait)
                .because("wrong tokens of registrations from this network"));
        }
        Ok(Code::RegistrationUnauthorized.into())
    }
}

/// Checks an application before anything is locked. The unit checks again.
fn check_application(application: &Application) -> Result<(), Refusal> {
    let mut problems = application.problems(None);
    problems.extend(key_problem(&application.client));
    problem(&problems).map_or(Ok(()), Err)
}

/// The refusal of a client that was removed or changed since it proved who it is.
fn gone() -> Refusal {
    Code::RegistrationUnauthorized.into()
}

fn refusal_of(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::Settings(problems) => problem(&problems).unwrap_or_else(gone),
        Rejection::RegistrationEnded | Rejection::NoApplication | Rejection::NoPool => gone(),
        Rejection::TooManyClients(most) => Code::TooManyClients.with("most", most),
        other => Refusal::internal(other),
    }
}

/// Whether a token is the one with this hash.
fn is_token(sent: &TokenHash, registered: &RegisteredClient) -> bool {
    sent.matches(&registered.hash)
}

/// Finds an application that registered itself, by its id alone: ids of applications are unique in the instance.
struct FindRegistered(ApplicationId);

impl Read for FindRegistered {
    type Out = Option<(Application, RegisteredClient)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let Some(pool) = config::pool_of_application(tx, &self.0).await? else { return Ok(None) };
        let Some(registered) = registrations::client(tx, &pool, &self.0).await? else { return Ok(None) };
        let found = config::application(tx, &pool, &self.0).await?;
        Ok(found.filter(|found| found.value.enabled).map(|found| (found.value, registered)))
    }
}
